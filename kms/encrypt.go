package kms

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

const symmetricDefault = types.EncryptionAlgorithmSpecSymmetricDefault

var encrypt = &operation[sdk.EncryptInput, sdk.EncryptOutput]{
	name:     "Encrypt",
	readOnly: true,
	validate: func(c *constraints, in *sdk.EncryptInput) {
		c.keyID("keyId", in.KeyId)
		c.blob("plaintext", in.Plaintext, 1, maxPlaintext)
		c.encryptionContext("encryptionContext", in.EncryptionContext)
		oneOf(c, "encryptionAlgorithm", in.EncryptionAlgorithm, in.EncryptionAlgorithm.Values())
		c.grantTokens(in.GrantTokens)
	},
	tokens:     func(in *sdk.EncryptInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.EncryptInput, c *policy.Context) { setAlgorithm(c, in.EncryptionAlgorithm) },
	targets: func(r *request, in *sdk.EncryptInput) ([]target, error) {
		return r.keyIn(in.KeyId, in.EncryptionContext)
	},
	suits:   func(in *sdk.EncryptInput, _ []target) error { return checkAlgorithm(in.EncryptionAlgorithm) },
	dryRun:  func(in *sdk.EncryptInput) *bool { return in.DryRun },
	context: func(in *sdk.EncryptInput) map[string]string { return in.EncryptionContext },
	run: func(_ *request, in *sdk.EncryptInput, on []target) (*sdk.EncryptOutput, error) {
		k := on[0].key
		b, err := seal(k, in.Plaintext, in.EncryptionContext)
		if err != nil {
			return nil, err
		}
		return &sdk.EncryptOutput{
			CiphertextBlob:      b,
			EncryptionAlgorithm: symmetricDefault,
			KeyId:               aws.String(k.ARN()),
		}, nil
	},
}

// checkAlgorithm refuses an algorithm that a symmetric key does not have; none
// given means the symmetric one.
func checkAlgorithm(a types.EncryptionAlgorithmSpec) error {
	if a == "" || a == symmetricDefault {
		return nil
	}
	return &types.InvalidKeyUsageException{Message: text("Algorithm %s is incompatible with key spec SYMMETRIC_DEFAULT.", a)}
}

var decrypt = &operation[sdk.DecryptInput, sdk.DecryptOutput]{
	name:     "Decrypt",
	readOnly: true,
	validate: func(c *constraints, in *sdk.DecryptInput) {
		c.source("ciphertextBlob", in.CiphertextBlob, in.DryRunModifiers, in.DryRun)
		if in.KeyId != nil {
			c.keyID("keyId", in.KeyId)
		}
		c.encryptionContext("encryptionContext", in.EncryptionContext)
		oneOf(c, "encryptionAlgorithm", in.EncryptionAlgorithm, in.EncryptionAlgorithm.Values())
		c.grantTokens(in.GrantTokens)
		c.refuse("Recipient", in.Recipient != nil)
	},
	tokens:     func(in *sdk.DecryptInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.DecryptInput, c *policy.Context) { setAlgorithm(c, in.EncryptionAlgorithm) },
	targets: func(r *request, in *sdk.DecryptInput) ([]target, error) {
		t, err := r.sourceKey(onKey, in.KeyId, in.CiphertextBlob, in.DryRunModifiers)
		if err != nil {
			return nil, err
		}
		t.context = in.EncryptionContext
		return []target{t}, nil
	},
	suits:   func(in *sdk.DecryptInput, _ []target) error { return checkAlgorithm(in.EncryptionAlgorithm) },
	dryRun:  func(in *sdk.DecryptInput) *bool { return in.DryRun },
	context: func(in *sdk.DecryptInput) map[string]string { return in.EncryptionContext },
	run: func(_ *request, in *sdk.DecryptInput, on []target) (*sdk.DecryptOutput, error) {
		k := on[0].key
		plaintext, m, err := openBlob(k, in.CiphertextBlob, in.EncryptionContext)
		if err != nil {
			return nil, err
		}
		return &sdk.DecryptOutput{
			EncryptionAlgorithm: symmetricDefault,
			KeyId:               aws.String(k.ARN()),
			KeyMaterialId:       aws.String(m.ID),
			Plaintext:           plaintext,
		}, nil
	},
}

// openBlob decrypts a blob of k.
func openBlob(k *keyrecord.Key, b []byte, context map[string]string) ([]byte, *keyrecord.Material, error) {
	p, ok := parseBlob(b)
	if !ok {
		return nil, nil, invalidCiphertext()
	}
	plaintext, m, ok := p.open(k, context)
	if !ok {
		return nil, nil, invalidCiphertext()
	}
	return plaintext, m, nil
}

// source bounds the ciphertext of Decrypt and ReEncrypt, which may be absent from
// a dry run that says so.
func (c *constraints) source(path string, b []byte, modifiers []types.DryRunModifierType, dryRun *bool) {
	for _, m := range modifiers {
		oneOf(c, "dryRunModifiers", m, m.Values())
	}
	if b != nil || !ignoresCiphertext(modifiers) {
		c.blob(path, b, 1, maxCiphertext)
	}
	c.reject(len(modifiers) > 0 && !aws.ToBool(dryRun), validation("DryRunModifiers can be used only when DryRun is true."))
}

func ignoresCiphertext(modifiers []types.DryRunModifierType) bool {
	return slices.Contains(modifiers, types.DryRunModifierTypeIgnoreCiphertext)
}

// sourceKey finds the key that a ciphertext is to be decrypted with: the one that
// it names, which must be the one that the caller names, if any.
func (r *request) sourceKey(on role, id *string, b []byte, modifiers []types.DryRunModifierType) (target, error) {
	if ignoresCiphertext(modifiers) {
		if id == nil {
			return target{}, validation("KeyId is required when the ciphertext is ignored.")
		}
		return r.resolve(on, *id, anyForm)
	}
	p, ok := parseBlob(b)
	if id == nil && !ok {
		return target{}, invalidCiphertext()
	}
	if id == nil || ok && *id == p.keyID {
		// A bare key id may name a key of another account: the ciphertext says whose.
		k, err := r.readKey(p.account, r.caller.Region, p.keyID)
		switch {
		case err != nil:
			return target{}, err
		case k != nil:
			return r.targetOf(on, k)
		case id == nil:
			return target{}, accessDenied("The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
		}
	}
	t, err := r.resolve(on, *id, anyForm)
	if err != nil {
		return target{}, err
	}
	if ok && (t.key.ID != p.keyID || t.key.Account != p.account) {
		return target{}, &types.IncorrectKeyException{Message: text("The key ID in the request does not identify a CMK that can perform this operation.")}
	}
	return t, nil // a ciphertext that is no blob fails once the key's state is known
}
