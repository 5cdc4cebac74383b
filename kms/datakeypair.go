package kms

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/policy"
)

// GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext: a random key pair that
// is not stored, its private key encrypted under a symmetric key.

var generateDataKeyPair = &operation[sdk.GenerateDataKeyPairInput, sdk.GenerateDataKeyPairOutput]{
	name:       "GenerateDataKeyPair",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GenerateDataKeyPairInput) {
		c.dataKeyPair(in.KeyId, in.KeyPairSpec, in.EncryptionContext, in.GrantTokens)
	},
	recipient:  func(in *sdk.GenerateDataKeyPairInput) *types.RecipientInfo { return in.Recipient },
	tokens:     func(in *sdk.GenerateDataKeyPairInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.GenerateDataKeyPairInput, c *policy.Context) { setKeyPair(c, in.KeyPairSpec) },
	targets: func(r *request, in *sdk.GenerateDataKeyPairInput) ([]target, error) {
		return r.keyIn(in.KeyId, in.EncryptionContext)
	},
	suits: func(_ *sdk.GenerateDataKeyPairInput, on []target) error {
		return wrapsKeyPairs("GenerateDataKeyPair", on[0].key)
	},
	dryRun:  func(in *sdk.GenerateDataKeyPairInput) *bool { return in.DryRun },
	context: func(in *sdk.GenerateDataKeyPairInput) map[string]string { return in.EncryptionContext },
	run: func(r *request, in *sdk.GenerateDataKeyPairInput, on []target) (*sdk.GenerateDataKeyPairOutput, error) {
		k := on[0].key
		p, err := newKeyPair(r, k, in.KeyPairSpec, in.EncryptionContext)
		if err != nil {
			return nil, err
		}
		private, forRecipient, err := r.deliver(p.private)
		return &sdk.GenerateDataKeyPairOutput{
			CiphertextForRecipient:   forRecipient,
			KeyId:                    aws.String(k.ARN()),
			KeyMaterialId:            aws.String(k.Current().ID),
			KeyPairSpec:              in.KeyPairSpec,
			PrivateKeyCiphertextBlob: p.sealed,
			PrivateKeyPlaintext:      private,
			PublicKey:                p.public,
		}, err
	},
}

var generateDataKeyPairWithoutPlaintext = &operation[sdk.GenerateDataKeyPairWithoutPlaintextInput, sdk.GenerateDataKeyPairWithoutPlaintextOutput]{
	name:       "GenerateDataKeyPairWithoutPlaintext",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GenerateDataKeyPairWithoutPlaintextInput) {
		c.dataKeyPair(in.KeyId, in.KeyPairSpec, in.EncryptionContext, in.GrantTokens)
	},
	tokens: func(in *sdk.GenerateDataKeyPairWithoutPlaintextInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.GenerateDataKeyPairWithoutPlaintextInput, c *policy.Context) {
		setKeyPair(c, in.KeyPairSpec)
	},
	targets: func(r *request, in *sdk.GenerateDataKeyPairWithoutPlaintextInput) ([]target, error) {
		return r.keyIn(in.KeyId, in.EncryptionContext)
	},
	suits: func(_ *sdk.GenerateDataKeyPairWithoutPlaintextInput, on []target) error {
		return wrapsKeyPairs("GenerateDataKeyPairWithoutPlaintext", on[0].key)
	},
	dryRun:  func(in *sdk.GenerateDataKeyPairWithoutPlaintextInput) *bool { return in.DryRun },
	context: func(in *sdk.GenerateDataKeyPairWithoutPlaintextInput) map[string]string { return in.EncryptionContext },
	run: func(r *request, in *sdk.GenerateDataKeyPairWithoutPlaintextInput, on []target) (*sdk.GenerateDataKeyPairWithoutPlaintextOutput, error) {
		k := on[0].key
		p, err := newKeyPair(r, k, in.KeyPairSpec, in.EncryptionContext)
		if err != nil {
			return nil, err
		}
		clear(p.private)
		return &sdk.GenerateDataKeyPairWithoutPlaintextOutput{
			KeyId:                    aws.String(k.ARN()),
			KeyMaterialId:            aws.String(k.Current().ID),
			KeyPairSpec:              in.KeyPairSpec,
			PrivateKeyCiphertextBlob: p.sealed,
			PublicKey:                p.public,
		}, nil
	},
}

// dataKeyPair bounds the members that the operations share.
func (c *constraints) dataKeyPair(id *string, spec types.DataKeyPairSpec, context map[string]string, tokens []string) {
	c.keyID("keyId", id)
	c.present("keyPairSpec", spec != "")
	oneOf(c, "keyPairSpec", spec, spec.Values())
	c.encryptionContext("encryptionContext", context)
	c.grantTokens(tokens)
	if s, ok := keyspec.Lookup(string(spec)); !ok || !s.DataKeyPair() {
		c.reject(true, unsupported("KeyPairSpec %s is not supported in this Region.", spec)) // SM2, in China only
	}
}

// setKeyPair sets the condition keys of a request for a key pair of the spec.
func setKeyPair(c *policy.Context, spec types.DataKeyPairSpec) {
	setAlgorithm(c, "")
	c.SetString(policy.KMSDataKeyPairSpec, string(spec))
}

// wrapsKeyPairs refuses a key that cannot encrypt the private keys of key pairs.
func wrapsKeyPairs(operation string, k *keyrecord.Key) error {
	if err := wrapsDataKeys(operation, k); err != nil {
		return err
	}
	if k.KeyStore != "" {
		return wrongOrigin(k)
	}
	return nil
}

// keyPair is a new key pair: the private key in DER (PKCS #8), its encryption, and the
// public key in DER (SubjectPublicKeyInfo).
type keyPair struct{ private, sealed, public []byte }

// newKeyPair returns a key pair of the spec, encrypted under k.
func newKeyPair(r *request, k *keyrecord.Key, name types.DataKeyPairSpec, context map[string]string) (keyPair, error) {
	spec, _ := keyspec.Lookup(string(name))
	private, err := newMaterial(r, spec)
	if err != nil {
		return keyPair{}, err
	}
	usable, err := spec.Parse(private)
	if err != nil {
		return keyPair{}, err
	}
	sealed, err := seal(k, private, context)
	return keyPair{private, sealed, slices.Clone(usable.PublicKey())}, err
}
