package kms

import (
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/policy"
)

// The operations of imported key material. Tokens and wrapping are in importtoken.go.

var getParametersForImport = &operation[sdk.GetParametersForImportInput, sdk.GetParametersForImportOutput]{
	name:       "GetParametersForImport",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GetParametersForImportInput) {
		c.keyID("keyId", in.KeyId)
		if c.present("wrappingAlgorithm", in.WrappingAlgorithm != "") {
			oneOf(c, "wrappingAlgorithm", in.WrappingAlgorithm, in.WrappingAlgorithm.Values())
		}
		if c.present("wrappingKeySpec", in.WrappingKeySpec != "") {
			oneOf(c, "wrappingKeySpec", in.WrappingKeySpec, in.WrappingKeySpec.Values())
		}
		_, known := wrappings[in.WrappingAlgorithm]
		c.reject(!known, unsupported("WrappingAlgorithm %s is not supported.", in.WrappingAlgorithm))
		_, known = wrappingKeys[in.WrappingKeySpec]
		c.reject(!known, unsupported("WrappingKeySpec %s is not supported in this Region.", in.WrappingKeySpec))
	},
	conditions: func(in *sdk.GetParametersForImportInput, c *policy.Context) {
		c.SetString(policy.KMSWrappingAlgorithm, string(in.WrappingAlgorithm))
		c.SetString(policy.KMSWrappingKeySpec, string(in.WrappingKeySpec))
	},
	targets: func(r *request, in *sdk.GetParametersForImportInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	suits: func(in *sdk.GetParametersForImportInput, on []target) error {
		k := on[0].key
		if err := checkImportable(k); err != nil {
			return err
		}
		if !wrappings[in.WrappingAlgorithm].hybrid && tooLong(types.KeySpec(k.Spec), in.WrappingKeySpec) {
			return unsupported("WrappingAlgorithm %s with WrappingKeySpec %s is not valid for key spec %s.", in.WrappingAlgorithm, in.WrappingKeySpec, k.Spec)
		}
		return nil
	},
	run: func(r *request, in *sdk.GetParametersForImportInput, on []target) (*sdk.GetParametersForImportOutput, error) {
		k := on[0].key
		out, err := r.newImportToken(k, in)
		if err != nil {
			return nil, err
		}
		out.KeyId = aws.String(k.ARN())
		return out, nil
	},
}

// tooLong reports whether AWS does not offer RSAES-OAEP alone for the material of a key
// spec, because it does not fit.
func tooLong(spec types.KeySpec, wrapping types.WrappingKeySpec) bool {
	switch spec {
	case types.KeySpecRsa2048, types.KeySpecRsa3072, types.KeySpecRsa4096:
		return true
	case types.KeySpecEccNistP521:
		return wrapping == types.WrappingKeySpecRsa2048
	}
	return false
}

func checkImportable(k *keyrecord.Key) error {
	if k.Origin != keyrecord.OriginExternal {
		return wrongOrigin(k)
	}
	return nil
}

const (
	maxToken        = 6144 // of an import token and of wrapped material, bytes
	maxMaterialLife = 365 * 24 * time.Hour
	maxMaterialText = 256 // of a material's description, characters
	materialIDLen   = 64
)

var (
	materialTextPattern = regexp.MustCompile(`^[a-zA-Z0-9:/_\s.-]+$`)
	materialIDPattern   = regexp.MustCompile(`^[a-f0-9]+$`)
)

// materialID bounds an optional key material id.
func (c *constraints) materialID(v *string) {
	if v != nil {
		c.length("keyMaterialId", *v, materialIDLen, materialIDLen)
		c.pattern("keyMaterialId", *v, materialIDPattern)
	}
}

var importKeyMaterial = &operation[sdk.ImportKeyMaterialInput, sdk.ImportKeyMaterialOutput]{
	name: "ImportKeyMaterial",
	validate: func(c *constraints, in *sdk.ImportKeyMaterialInput) {
		c.keyID("keyId", in.KeyId)
		c.blob("importToken", in.ImportToken, 1, maxToken)
		c.blob("encryptedKeyMaterial", in.EncryptedKeyMaterial, 1, maxToken)
		oneOf(c, "expirationModel", in.ExpirationModel, in.ExpirationModel.Values())
		oneOf(c, "importType", in.ImportType, in.ImportType.Values())
		c.materialID(in.KeyMaterialId)
		if d := in.KeyMaterialDescription; d != nil {
			c.length("keyMaterialDescription", *d, 0, maxMaterialText)
			c.pattern("keyMaterialDescription", *d, materialTextPattern)
		}
		c.reject(expires(in) && in.ValidTo == nil, validation("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"))
		c.reject(!expires(in) && in.ValidTo != nil, validation("A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"))
	},
	conditions: func(in *sdk.ImportKeyMaterialInput, c *policy.Context) {
		model := types.ExpirationModelTypeKeyMaterialDoesNotExpire
		if expires(in) {
			model = types.ExpirationModelTypeKeyMaterialExpires
			c.SetTime(policy.KMSValidTo, *validTo(in))
		}
		c.SetString(policy.KMSExpirationModel, string(model))
	},
	targets: func(r *request, in *sdk.ImportKeyMaterialInput) ([]target, error) {
		if to := validTo(in); to != nil && (!r.now.Before(*to) || to.Sub(r.now) > maxMaterialLife) {
			return nil, validation("ValidTo must be a date in the future, at most 365 days from now.")
		}
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	suits: func(in *sdk.ImportKeyMaterialInput, on []target) error {
		k := on[0].key
		if err := checkImportable(k); err != nil {
			return err
		}
		if k.Spec != keyrecord.SpecSymmetric && (in.ImportType != "" || in.KeyMaterialId != nil || in.KeyMaterialDescription != nil) {
			return validation("ImportType, KeyMaterialId and KeyMaterialDescription are valid only for symmetric encryption keys.")
		}
		if in.KeyMaterialId != nil && importsNew(in, k) {
			return validation("KeyMaterialId is not valid if the ImportType is NEW_KEY_MATERIAL")
		}
		return nil
	},
	run: func(r *request, in *sdk.ImportKeyMaterialInput, on []target) (*sdk.ImportKeyMaterialOutput, error) {
		k := on[0].key
		token, err := r.importToken(k, in.ImportToken)
		if err != nil {
			return nil, err
		}
		material, err := r.unwrap(k, token, in.EncryptedKeyMaterial)
		if err != nil {
			return nil, err
		}
		defer clear(material) // the draft has its own copy of the record
		id, err := r.importMaterial(k, in, material)
		if err != nil {
			return nil, err
		}
		return &sdk.ImportKeyMaterialOutput{KeyId: aws.String(k.ARN()), KeyMaterialId: symmetricOnly(k, id)}, nil
	},
}

// expires reports whether the material of a request does, as it does if nothing is said.
func expires(in *sdk.ImportKeyMaterialInput) bool {
	return in.ExpirationModel != types.ExpirationModelTypeKeyMaterialDoesNotExpire
}

// validTo returns when the material of a request expires, in milliseconds as all of
// AWS's dates, or nil.
func validTo(in *sdk.ImportKeyMaterialInput) *time.Time {
	if in.ValidTo == nil {
		return nil
	}
	return aws.Time(in.ValidTo.UTC().Truncate(time.Millisecond))
}

// importsNew reports whether a request is to bring k material that it never had.
func importsNew(in *sdk.ImportKeyMaterialInput, k *keyrecord.Key) bool {
	return in.ImportType == types.ImportTypeNewKeyMaterial || in.ImportType == "" && len(k.Materials) == 0
}

// checkMaterial refuses material that is none of k's spec.
func checkMaterial(k *keyrecord.Key, material []byte) error {
	spec, _ := keyspec.Lookup(k.Spec)
	if _, err := spec.Parse(material); err != nil {
		return wrongMaterial("The key material is not valid for the key spec %s of the key %s.", k.Spec, k.ARN())
	}
	return nil
}

func wrongMaterial(format string, args ...any) error {
	return &types.IncorrectKeyMaterialException{Message: text(format, args...)}
}

// importMaterial gives k the material of a request and stores it. It returns the
// material's id.
func (r *request) importMaterial(k *keyrecord.Key, in *sdk.ImportKeyMaterialInput, material []byte) (id string, err error) {
	m := keyrecord.NewMaterial(k.ID, material, r.now)
	wasComplete, write := k.Complete(r.now), r.writeKey
	at := slices.IndexFunc(k.Materials, func(known keyrecord.Material) bool { return known.ID == m.ID })
	switch {
	case importsNew(in, k):
		if err := checkNew(k, &m, at >= 0); err != nil {
			return "", err
		}
		m.Pending = len(k.Materials) > 0
		k.Materials = append(k.Materials, m)
		at, write = len(k.Materials)-1, r.writeCopies
	case at < 0:
		return "", wrongMaterial("The key material is not one that was imported into the key %s before.", k.ARN())
	case in.KeyMaterialId != nil && *in.KeyMaterialId != m.ID:
		return "", wrongMaterial("The key material does not have the id %s.", *in.KeyMaterialId)
	}
	known := &k.Materials[at]
	known.Bytes, known.ValidTo = material, validTo(in)
	if !wasComplete && k.Complete(r.now) {
		k.Enabled = true // even if it was disabled before it lost material
	}
	if in.KeyMaterialDescription != nil {
		k.Note(m.ID, *in.KeyMaterialDescription)
		if err := r.writeLocal(k); err != nil {
			return "", err
		}
	}
	return m.ID, write(k)
}

// checkNew refuses material that k cannot get as new.
func checkNew(k *keyrecord.Key, m *keyrecord.Material, known bool) error {
	switch pending := k.PendingMaterial(); {
	case k.Replica():
		return notPrimary(k)
	case known:
		return wrongMaterial("The key material (id: %s) is already associated with the key %s.", m.ID, k.ARN())
	case pending != nil:
		return invalidState("New key material (id: %s) cannot be imported into KMS key %s, because another key material (id: %s) is pending rotation.", m.ID, k.ARN(), pending.ID)
	}
	return nil
}

// symmetricOnly returns the id of a material of k for an answer: AWS names only those of
// symmetric keys.
func symmetricOnly(k *keyrecord.Key, id string) *string {
	if k.Spec != keyrecord.SpecSymmetric {
		return nil
	}
	return &id
}

var deleteImportedKeyMaterial = &operation[sdk.DeleteImportedKeyMaterialInput, sdk.DeleteImportedKeyMaterialOutput]{
	name: "DeleteImportedKeyMaterial",
	validate: func(c *constraints, in *sdk.DeleteImportedKeyMaterialInput) {
		c.keyID("keyId", in.KeyId)
		c.materialID(in.KeyMaterialId)
	},
	targets: func(r *request, in *sdk.DeleteImportedKeyMaterialInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	suits: func(in *sdk.DeleteImportedKeyMaterialInput, on []target) error {
		k := on[0].key
		if err := checkImportable(k); err != nil {
			return err
		}
		if in.KeyMaterialId != nil && k.Spec != keyrecord.SpecSymmetric {
			return validation("KeyMaterialId is valid only for symmetric encryption keys.")
		}
		return nil
	},
	run: func(r *request, in *sdk.DeleteImportedKeyMaterialInput, on []target) (*sdk.DeleteImportedKeyMaterialOutput, error) {
		k := on[0].key
		m := k.Current()
		if in.KeyMaterialId != nil {
			if m = k.Material(*in.KeyMaterialId); m == nil {
				return nil, notFound("Key material '%s' of the key %s does not exist", *in.KeyMaterialId, k.ARN())
			}
		}
		out := &sdk.DeleteImportedKeyMaterialOutput{KeyId: aws.String(k.ARN())}
		if m == nil {
			return out, nil // nothing was ever imported
		}
		out.KeyMaterialId = symmetricOnly(k, m.ID)
		return out, r.deleteMaterial(k, m)
	},
}

// deleteMaterial deletes imported material of k. The primary key gives up pending
// material for all copies; any other stays in the list, to be imported again.
func (r *request) deleteMaterial(k *keyrecord.Key, m *keyrecord.Material) error {
	switch {
	case m.Pending && k.OnDemandStarted != nil:
		return invalidState("The key material (id: %s) cannot be deleted from the KMS key %s, because a rotation to it is in progress.", m.ID, k.ARN())
	case m.Pending && !k.Replica():
		_, noted := k.Notes[m.ID]
		delete(k.Notes, m.ID) // first: m is a place in the list of materials
		k.Materials = slices.DeleteFunc(k.Materials, func(other keyrecord.Material) bool { return other.Pending })
		if noted {
			if err := r.writeLocal(k); err != nil {
				return err
			}
		}
		return r.writeCopies(k)
	case len(m.Bytes) == 0:
		return nil
	}
	m.Forget()
	return r.writeKey(k)
}
