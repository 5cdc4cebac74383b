package kms

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

// GenerateDataKey and GenerateDataKeyWithoutPlaintext: a random data key that is
// not stored, encrypted under a symmetric key.

var generateDataKey = &operation[sdk.GenerateDataKeyInput, sdk.GenerateDataKeyOutput]{
	name:       "GenerateDataKey",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GenerateDataKeyInput) {
		c.dataKey(in.KeyId, in.NumberOfBytes, in.KeySpec, in.EncryptionContext, in.GrantTokens)
	},
	recipient:  func(in *sdk.GenerateDataKeyInput) *types.RecipientInfo { return in.Recipient },
	tokens:     func(in *sdk.GenerateDataKeyInput) []string { return in.GrantTokens },
	conditions: func(_ *sdk.GenerateDataKeyInput, c *policy.Context) { setAlgorithm(c, "") },
	targets: func(r *request, in *sdk.GenerateDataKeyInput) ([]target, error) {
		return r.keyIn(in.KeyId, in.EncryptionContext)
	},
	suits: func(_ *sdk.GenerateDataKeyInput, on []target) error {
		return wrapsDataKeys("GenerateDataKey", on[0].key)
	},
	dryRun:  func(in *sdk.GenerateDataKeyInput) *bool { return in.DryRun },
	context: func(in *sdk.GenerateDataKeyInput) map[string]string { return in.EncryptionContext },
	run: func(r *request, in *sdk.GenerateDataKeyInput, on []target) (*sdk.GenerateDataKeyOutput, error) {
		k := on[0].key
		plaintext, b, err := r.newDataKey(k, in.NumberOfBytes, in.KeySpec, in.EncryptionContext)
		if err != nil {
			return nil, err
		}
		plaintext, forRecipient, err := r.deliver(plaintext)
		return &sdk.GenerateDataKeyOutput{
			CiphertextBlob:         b,
			CiphertextForRecipient: forRecipient,
			KeyId:                  aws.String(k.ARN()),
			KeyMaterialId:          r.unlessAttested(k.Current().ID),
			Plaintext:              plaintext,
		}, err
	},
}

var generateDataKeyWithoutPlaintext = &operation[sdk.GenerateDataKeyWithoutPlaintextInput, sdk.GenerateDataKeyWithoutPlaintextOutput]{
	name:       "GenerateDataKeyWithoutPlaintext",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GenerateDataKeyWithoutPlaintextInput) {
		c.dataKey(in.KeyId, in.NumberOfBytes, in.KeySpec, in.EncryptionContext, in.GrantTokens)
	},
	tokens:     func(in *sdk.GenerateDataKeyWithoutPlaintextInput) []string { return in.GrantTokens },
	conditions: func(_ *sdk.GenerateDataKeyWithoutPlaintextInput, c *policy.Context) { setAlgorithm(c, "") },
	targets: func(r *request, in *sdk.GenerateDataKeyWithoutPlaintextInput) ([]target, error) {
		return r.keyIn(in.KeyId, in.EncryptionContext)
	},
	suits: func(_ *sdk.GenerateDataKeyWithoutPlaintextInput, on []target) error {
		return wrapsDataKeys("GenerateDataKeyWithoutPlaintext", on[0].key)
	},
	dryRun:  func(in *sdk.GenerateDataKeyWithoutPlaintextInput) *bool { return in.DryRun },
	context: func(in *sdk.GenerateDataKeyWithoutPlaintextInput) map[string]string { return in.EncryptionContext },
	run: func(r *request, in *sdk.GenerateDataKeyWithoutPlaintextInput, on []target) (*sdk.GenerateDataKeyWithoutPlaintextOutput, error) {
		k := on[0].key
		plaintext, b, err := r.newDataKey(k, in.NumberOfBytes, in.KeySpec, in.EncryptionContext)
		clear(plaintext)
		if err != nil {
			return nil, err
		}
		return &sdk.GenerateDataKeyWithoutPlaintextOutput{
			CiphertextBlob: b,
			KeyId:          aws.String(k.ARN()),
			KeyMaterialId:  aws.String(k.Current().ID),
		}, nil
	},
}

// dataKey bounds the members that the operations share.
func (c *constraints) dataKey(id *string, n *int32, spec types.DataKeySpec, context map[string]string, tokens []string) {
	c.keyID("keyId", id)
	c.number("numberOfBytes", n, 1, 1024)
	oneOf(c, "keySpec", spec, spec.Values())
	c.encryptionContext("encryptionContext", context)
	if (n == nil) == (spec == "") {
		c.reject(true, validation("Please specify either number of bytes or key spec."))
	}
	c.grantTokens(tokens)
}

// wrapsDataKeys refuses a key that cannot encrypt data keys: one for another use, and
// an asymmetric one.
func wrapsDataKeys(operation string, k *keyrecord.Key) error {
	if k.Usage == string(types.KeyUsageTypeEncryptDecrypt) && k.Spec != keyrecord.SpecSymmetric {
		return &types.InvalidKeyUsageException{Message: text("You cannot generate a data key with an asymmetric CMK")}
	}
	return checkUsage(operation, k, types.KeyUsageTypeEncryptDecrypt, symmetricDefault)
}

// newDataKey returns a data key of n bytes, or of the spec's length if n is nil,
// and its encryption under k.
func (r *request) newDataKey(k *keyrecord.Key, n *int32, spec types.DataKeySpec, context map[string]string) (plaintext, b []byte, err error) {
	size := int32(32)
	switch {
	case n != nil:
		size = *n
	case spec == types.DataKeySpecAes128:
		size = 16
	}
	plaintext = r.random(k, int(size))
	b, err = r.seal(k, plaintext, context)
	return plaintext, b, err
}
