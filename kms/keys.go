package kms

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/internal/uuid"
	"github.com/sealring/sealring/policy"
)

// Operations on a key as a whole: CreateKey, DescribeKey, ListKeys and
// UpdateKeyDescription.

var createKey = &operation[sdk.CreateKeyInput, sdk.CreateKeyOutput]{
	name:     "CreateKey",
	validate: validateCreateKey,
	targets: func(r *request, in *sdk.CreateKeyInput) ([]target, error) {
		on := []target{r.accountTarget()}
		if len(in.Tags) > 0 {
			tags := r.accountTarget()
			tags.role = onNewTags
			on = append(on, tags)
		}
		return on, nil
	},
	conditions: func(in *sdk.CreateKeyInput, c *policy.Context) {
		setKeySpec(c, newKey(in))
		setRequestTags(c, in.Tags)
		setBypass(c, in.BypassPolicyLockoutSafetyCheck)
	},
	run: func(r *request, in *sdk.CreateKeyInput, _ []target) (*sdk.CreateKeyOutput, error) {
		k := newKey(in)
		k.Account, k.Region, k.Created = r.caller.Account, r.caller.Region, r.now
		k.ID = uuid.New()
		if k.MultiRegion != nil {
			k.ID = multiRegionID()
			k.MultiRegion = &keyrecord.MultiRegion{Primary: k.Region, Copies: []keyrecord.Copy{{Region: k.Region}}}
		}
		if err := setTags(k, in.Tags); err != nil {
			return nil, err
		}
		if in.Policy != nil {
			if err := r.checkPolicy(k, *in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
				return nil, err
			}
			k.Policy = *in.Policy
		}
		if err := r.countKeys(k.Account, k.Region); err != nil {
			return nil, err
		}
		if err := r.addToKeyStore(k); err != nil {
			return nil, err
		}
		if k.Origin != keyrecord.OriginExternal {
			if err := r.generate(k); err != nil {
				return nil, err
			}
		}
		r.event.Resources = append(r.event.Resources, k.ARN())
		if err := r.writeNew(k); err != nil {
			return nil, err
		}
		m, err := r.metadata(k)
		return &sdk.CreateKeyOutput{KeyMetadata: m}, err
	},
}

// newKey returns the key that a request asks for, as far as the request says.
func newKey(in *sdk.CreateKeyInput) *keyrecord.Key {
	k := &keyrecord.Key{
		Local:    keyrecord.Local{Description: aws.ToString(in.Description)},
		Enabled:  true,
		Spec:     string(requestedSpec(in)),
		Usage:    cmp.Or(string(in.KeyUsage), string(types.KeyUsageTypeEncryptDecrypt)),
		Origin:   cmp.Or(string(in.Origin), string(types.OriginTypeAwsKms)),
		KeyStore: aws.ToString(in.CustomKeyStoreId),
		XksKey:   aws.ToString(in.XksKeyId),
	}
	if aws.ToBool(in.MultiRegion) {
		k.MultiRegion = &keyrecord.MultiRegion{}
	}
	return k
}

// requestedSpec returns the key spec that a request asks for, by either member.
func requestedSpec(in *sdk.CreateKeyInput) types.KeySpec {
	legacy := types.KeySpec(in.CustomerMasterKeySpec) //lint:ignore SA1019 old clients still send it
	return cmp.Or(in.KeySpec, legacy, types.KeySpecSymmetricDefault)
}

// generate gives k its first material.
func (r *request) generate(k *keyrecord.Key) error {
	spec, ok := keyspec.Lookup(k.Spec)
	if !ok {
		return errors.New("kms: no key spec " + k.Spec)
	}
	material, err := newMaterial(r, spec)
	if err != nil {
		return err
	}
	k.Materials = []keyrecord.Material{keyrecord.NewMaterial(k.ID, material, r.now)}
	return nil
}

// newMaterial returns random material of the spec, the same in each attempt at the
// request. That of an asymmetric key can take a second to find.
func newMaterial(r *request, spec *keyspec.Spec) ([]byte, error) {
	if spec.Symmetric() {
		return spec.Generate()
	}
	b, err := ask(r, "material of "+spec.Name(), func(context.Context) ([]byte, error) { return spec.Generate() })
	return slices.Clone(b), err // each attempt may wipe its own
}

func validateCreateKey(c *constraints, in *sdk.CreateKeyInput) {
	if in.Description != nil {
		c.length("description", *in.Description, 0, 8192)
	}
	oneOf(c, "keySpec", in.KeySpec, types.KeySpec("").Values())
	legacy := in.CustomerMasterKeySpec //lint:ignore SA1019 old clients still send it
	oneOf(c, "customerMasterKeySpec", legacy, types.CustomerMasterKeySpec("").Values())
	oneOf(c, "keyUsage", in.KeyUsage, types.KeyUsageType("").Values())
	oneOf(c, "origin", in.Origin, types.OriginType("").Values())
	c.tags(in.Tags)
	if in.Policy != nil {
		c.policy(in.Policy)
	}
	if in.CustomKeyStoreId != nil {
		c.length("customKeyStoreId", *in.CustomKeyStoreId, 1, 64)
	}
	if in.XksKeyId != nil {
		c.length("xksKeyId", *in.XksKeyId, 1, 128)
		c.pattern("xksKeyId", *in.XksKeyId, xksKeyPattern)
	}

	k := newKey(in)
	spec, known := keyspec.Lookup(k.Spec)
	c.reject(in.KeySpec != "" && legacy != "",
		validation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."))
	c.reject(!known, unsupported("KeySpec %s is not supported in this Region.", k.Spec)) // SM2, in China only
	if !known {
		return
	}
	c.reject(!spec.Symmetric() && in.KeyUsage == "",
		validation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."))
	c.reject(!slices.Contains(spec.Usages(), k.Usage), validation("KeyUsage %s is not compatible with KeySpec %s", k.Usage, k.Spec))
	c.keyStore(k)
}

var xksKeyPattern = regexp.MustCompile(`^[a-zA-Z0-9-_.]+$`)

// keyStore holds the origin of a new key and its place in a custom key store to each
// other.
func (c *constraints) keyStore(k *keyrecord.Key) {
	outside := k.Origin == string(types.OriginTypeAwsCloudhsm) || k.Origin == string(types.OriginTypeExternalKeyStore)
	c.reject(outside && k.KeyStore == "", validation("CustomKeyStoreId is required for Origin %s.", k.Origin))
	c.reject(!outside && k.KeyStore != "", validation("CustomKeyStoreId is not valid for Origin %s.", k.Origin))
	external := k.Origin == string(types.OriginTypeExternalKeyStore)
	c.reject(external && k.XksKey == "", validation("XksKeyId is required for Origin %s.", k.Origin))
	c.reject(!external && k.XksKey != "", validation("XksKeyId is not valid for Origin %s.", k.Origin))
	c.reject(outside && k.Spec != keyrecord.SpecSymmetric, validation("KeySpec %s is not compatible with Origin %s", k.Spec, k.Origin))
	c.reject(outside && k.MultiRegion != nil, unsupported("A key in a custom key store cannot be a multi-Region key."))
}

// metadata returns what DescribeKey and CreateKey say of a key. Members that do
// not apply are absent.
func (r *request) metadata(k *keyrecord.Key) (*types.KeyMetadata, error) {
	state, err := r.stateOf(k)
	if err != nil {
		return nil, err
	}
	m := &types.KeyMetadata{
		AWSAccountId:          aws.String(k.Account),
		Arn:                   aws.String(k.ARN()),
		CreationDate:          aws.Time(k.Created),
		CustomerMasterKeySpec: types.CustomerMasterKeySpec(k.Spec), //lint:ignore SA1019 AWS still sends it
		Description:           aws.String(k.Description),
		Enabled:               state == types.KeyStateEnabled,
		KeyId:                 aws.String(k.ID),
		KeyManager:            types.KeyManagerTypeCustomer,
		KeySpec:               types.KeySpec(k.Spec),
		KeyState:              state,
		KeyUsage:              types.KeyUsageType(k.Usage),
		MultiRegion:           aws.Bool(k.MultiRegion != nil),
		Origin:                types.OriginType(k.Origin),
	}
	if k.Service != "" {
		m.KeyManager = types.KeyManagerTypeAws
	}
	if at, ok := k.DeletionDate(r.now); ok {
		m.DeletionDate = &at
	} else if k.Deletion != nil {
		m.PendingDeletionWindowInDays = aws.Int32(k.Deletion.Days)
	}
	setAlgorithms(m, k)
	if current := k.Current(); current != nil && state != types.KeyStateCreating {
		if k.Spec == keyrecord.SpecSymmetric {
			m.CurrentKeyMaterialId = aws.String(current.ID)
		}
		if k.Origin == keyrecord.OriginExternal && current.Present(r.now) {
			m.ExpirationModel = expirationModel(current)
			if current.ValidTo != nil {
				m.ValidTo = aws.Time(*current.ValidTo) // the record may be shared
			}
		}
	}
	if k.MultiRegion != nil {
		m.MultiRegionConfiguration = r.multiRegion(k)
	}
	return m, r.setKeyStore(m, k)
}

// expirationModel says whether imported material expires.
func expirationModel(m *keyrecord.Material) types.ExpirationModelType {
	if m.ValidTo != nil {
		return types.ExpirationModelTypeKeyMaterialExpires
	}
	return types.ExpirationModelTypeKeyMaterialDoesNotExpire
}

// algorithms returns what k's spec allows for its usage, as a list of any of the
// API's enums of algorithms.
func algorithms[A ~string](k *keyrecord.Key) []A {
	spec, _ := keyspec.Lookup(k.Spec)
	all := spec.Algorithms(k.Usage)
	list := make([]A, len(all))
	for i, a := range all {
		list[i] = A(a)
	}
	return list
}

// setAlgorithms sets the one list of algorithms that the key's usage has.
func setAlgorithms(m *types.KeyMetadata, k *keyrecord.Key) {
	switch types.KeyUsageType(k.Usage) {
	case types.KeyUsageTypeEncryptDecrypt:
		m.EncryptionAlgorithms = algorithms[types.EncryptionAlgorithmSpec](k)
	case types.KeyUsageTypeSignVerify:
		m.SigningAlgorithms = algorithms[types.SigningAlgorithmSpec](k)
	case types.KeyUsageTypeGenerateVerifyMac:
		m.MacAlgorithms = algorithms[types.MacAlgorithmSpec](k)
	case types.KeyUsageTypeKeyAgreement:
		m.KeyAgreementAlgorithms = algorithms[types.KeyAgreementAlgorithmSpec](k)
	case types.KeyUsageTypeEncapsulateDecapsulate:
		m.EncapsulationAlgorithms = algorithms[types.EncapsulationAlgorithmSpec](k)
	}
}

var describeKey = &operation[sdk.DescribeKeyInput, sdk.DescribeKeyOutput]{
	name:       "DescribeKey",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.DescribeKeyInput) {
		c.keyID("keyId", in.KeyId)
		c.grantTokens(in.GrantTokens)
	},
	tokens: func(in *sdk.DescribeKeyInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.DescribeKeyInput) ([]target, error) {
		return r.oneKey(in.KeyId, anyForm)
	},
	run: func(r *request, _ *sdk.DescribeKeyInput, on []target) (*sdk.DescribeKeyOutput, error) {
		m, err := r.metadata(on[0].key)
		return &sdk.DescribeKeyOutput{KeyMetadata: m}, err
	},
}

var updateKeyDescription = &operation[sdk.UpdateKeyDescriptionInput, sdk.UpdateKeyDescriptionOutput]{
	name:   "UpdateKeyDescription",
	noBody: true,
	validate: func(c *constraints, in *sdk.UpdateKeyDescriptionInput) {
		c.keyID("keyId", in.KeyId)
		c.text("description", in.Description, 0, 8192)
	},
	targets: func(r *request, in *sdk.UpdateKeyDescriptionInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(r *request, in *sdk.UpdateKeyDescriptionInput, on []target) (*sdk.UpdateKeyDescriptionOutput, error) {
		k := on[0].key
		k.Description = *in.Description
		return &sdk.UpdateKeyDescriptionOutput{}, r.writeLocal(k)
	},
}

// ListKeys pages, by key id.
const (
	defaultKeysPage = 100
	maxKeysPage     = 1000
)

var listKeys = &operation[sdk.ListKeysInput, sdk.ListKeysOutput]{
	name:       "ListKeys",
	readOnly:   true,
	sharesKeys: true,
	validate:   func(c *constraints, in *sdk.ListKeysInput) { c.page(in.Limit, in.Marker) },
	run: func(r *request, in *sdk.ListKeysInput, _ []target) (*sdk.ListKeysOutput, error) {
		p, err := openPage("ListKeys", in.Limit, in.Marker, defaultKeysPage, maxKeysPage)
		if err != nil {
			return nil, err
		}
		out := &sdk.ListKeysOutput{Keys: []types.KeyListEntry{}}
		prefix := keyrecord.KeyPrefix(r.caller.Account, r.caller.Region)
		for e, err := range r.draft.Scan(prefix, prefix+p.after) {
			if err != nil {
				return nil, err
			}
			k, err := keyrecord.UnmarshalKey(e.Value)
			if err != nil {
				return nil, err
			}
			if k.Gone(r.now) {
				continue
			}
			if p.full(len(out.Keys)) {
				last := aws.ToString(out.Keys[len(out.Keys)-1].KeyId)
				out.Truncated, out.NextMarker = true, p.next(last)
				break
			}
			out.Keys = append(out.Keys, types.KeyListEntry{KeyId: aws.String(k.ID), KeyArn: aws.String(k.ARN())})
		}
		return out, nil
	},
}
