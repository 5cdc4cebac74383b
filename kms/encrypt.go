package kms

import (
	"cmp"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
)

const symmetricDefault = types.EncryptionAlgorithmSpecSymmetricDefault

var encrypt = &operation[sdk.EncryptInput, sdk.EncryptOutput]{
	name:       "Encrypt",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.EncryptInput) {
		c.keyID("keyId", in.KeyId)
		c.blob("plaintext", in.Plaintext, 1, maxPlaintext)
		c.encryptionContext("encryptionContext", in.EncryptionContext)
		oneOf(c, "encryptionAlgorithm", in.EncryptionAlgorithm, in.EncryptionAlgorithm.Values())
		c.grantTokens(in.GrantTokens)
	},
	tokens: func(in *sdk.EncryptInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.EncryptInput) ([]target, error) {
		t, err := r.resolve(onKey, *in.KeyId, anyForm)
		return r.only(t.with(in.EncryptionAlgorithm, in.EncryptionContext)), err
	},
	suits:   func(_ *sdk.EncryptInput, on []target) error { return on[0].checkEncryption("Encrypt") },
	context: func(in *sdk.EncryptInput) map[string]string { return in.EncryptionContext },
	dryRun:  func(in *sdk.EncryptInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.EncryptInput, on []target) (*sdk.EncryptOutput, error) {
		b, err := r.encrypt(&on[0], in.Plaintext)
		if err != nil {
			return nil, err
		}
		return &sdk.EncryptOutput{
			CiphertextBlob:      b,
			EncryptionAlgorithm: on[0].algorithm,
			KeyId:               aws.String(on[0].arn),
		}, nil
	},
}

var decrypt = &operation[sdk.DecryptInput, sdk.DecryptOutput]{
	name:       "Decrypt",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.DecryptInput) {
		c.source("ciphertextBlob", in.CiphertextBlob, in.DryRunModifiers, in.DryRun)
		if in.KeyId != nil {
			c.keyID("keyId", in.KeyId)
		}
		c.encryptionContext("encryptionContext", in.EncryptionContext)
		oneOf(c, "encryptionAlgorithm", in.EncryptionAlgorithm, in.EncryptionAlgorithm.Values())
		c.grantTokens(in.GrantTokens)
	},
	recipient: func(in *sdk.DecryptInput) *types.RecipientInfo { return in.Recipient },
	tokens:    func(in *sdk.DecryptInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.DecryptInput) ([]target, error) {
		t, err := r.sourceKey(onKey, in.KeyId, in.CiphertextBlob, in.EncryptionAlgorithm, in.DryRunModifiers)
		return r.only(t.with(in.EncryptionAlgorithm, in.EncryptionContext)), err
	},
	suits: func(in *sdk.DecryptInput, on []target) error {
		return on[0].checkDecryption("Decrypt", in.DryRunModifiers)
	},
	context: func(in *sdk.DecryptInput) map[string]string { return in.EncryptionContext },
	dryRun:  func(in *sdk.DecryptInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.DecryptInput, on []target) (*sdk.DecryptOutput, error) {
		if ignoresCiphertext(in.DryRunModifiers) {
			return &sdk.DecryptOutput{}, nil // of a dry run
		}
		secret, material, err := r.decrypt(&on[0], in.CiphertextBlob)
		if err != nil {
			return nil, err
		}
		plaintext, forRecipient, err := r.deliver(secret)
		if err != nil {
			return nil, err
		}
		if r.recipient != nil {
			material = nil
		}
		return &sdk.DecryptOutput{
			CiphertextForRecipient: forRecipient,
			EncryptionAlgorithm:    on[0].algorithm,
			KeyId:                  aws.String(on[0].arn),
			KeyMaterialId:          material,
			Plaintext:              plaintext,
		}, nil
	},
}

// with returns the target of a request to encrypt or decrypt; no algorithm means the
// symmetric one.
func (t target) with(a types.EncryptionAlgorithmSpec, context map[string]string) target {
	t.algorithm, t.context = cmp.Or(a, symmetricDefault), context
	return t
}

// checkEncryption refuses a key that cannot do what is asked with the target.
func (t *target) checkEncryption(operation string) error {
	if t.algorithm == symmetricDefault && t.key.Spec == keyrecord.SpecSymmetric {
		return nil // as most requests are
	}
	if err := checkUsage(operation, t.key, types.KeyUsageTypeEncryptDecrypt, t.algorithm); err != nil {
		return err
	}
	if t.algorithm != symmetricDefault && len(t.context) > 0 {
		return validation("EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.")
	}
	return nil
}

// checkDecryption is checkEncryption of the key that a ciphertext is to be decrypted
// with. AWS reads the ciphertext first: one that has to be that of a symmetric key, and
// is to be decrypted with another, is left to fail once the key's state is known.
func (t *target) checkDecryption(operation string, modifiers []types.DryRunModifierType) error {
	if t.algorithm == symmetricDefault && t.key.Spec != keyrecord.SpecSymmetric && !ignoresCiphertext(modifiers) {
		return nil
	}
	return t.checkEncryption(operation)
}

// encrypt encrypts for a target whose key suits.
func (r *request) encrypt(t *target, plaintext []byte) ([]byte, error) {
	if t.algorithm == symmetricDefault {
		return r.seal(t.key, plaintext, t.context)
	}
	key, err := r.usable(t.key)
	if err != nil {
		return nil, err
	}
	b, err := key.Encrypt(string(t.algorithm), plaintext)
	if long := new(keyspec.LengthError); errors.As(err, &long) {
		return nil, validation("Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", t.algorithm, t.key.Spec, long.Limit)
	}
	return b, err
}

// decrypt is the reverse of encrypt. It returns the id of the material that it took, if
// the key is symmetric: others have but one.
func (r *request) decrypt(t *target, ciphertext []byte) (plaintext []byte, material *string, err error) {
	if t.algorithm == symmetricDefault {
		return r.openBlob(t.key, ciphertext, t.context)
	}
	key, err := r.usable(t.key)
	if err != nil {
		return nil, nil, err
	}
	plaintext, err = key.Decrypt(string(t.algorithm), ciphertext)
	if errors.Is(err, keyspec.ErrCiphertext) {
		err = invalidCiphertext()
	}
	return plaintext, nil, err
}

// openBlob decrypts a blob of k, and returns the id of its material.
func (r *request) openBlob(k *keyrecord.Key, b []byte, context map[string]string) ([]byte, *string, error) {
	p, ok := parseBlob(b)
	switch outside := k.XksKey != ""; {
	case !ok || k.Spec != keyrecord.SpecSymmetric || outside != (p.outer != nil):
		return nil, nil, invalidCiphertext()
	case outside:
		return r.openOutside(k, p, context)
	}
	plaintext, m, ok := p.open(k, context)
	if !ok {
		return nil, nil, invalidCiphertext()
	}
	return plaintext, aws.String(m.ID), nil
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
	if len(modifiers) > 0 && !aws.ToBool(dryRun) {
		c.reject(true, validation("DryRunModifiers can be used only when DryRun is true."))
	}
}

func ignoresCiphertext(modifiers []types.DryRunModifierType) bool {
	return slices.Contains(modifiers, types.DryRunModifierTypeIgnoreCiphertext)
}

// sourceKey finds the key that a ciphertext is to be decrypted with. That of a symmetric
// key names it; for an RSA key the caller has to.
func (r *request) sourceKey(on role, id *string, b []byte, a types.EncryptionAlgorithmSpec, modifiers []types.DryRunModifierType) (target, error) {
	p, ok := parseBlob(b)
	asymmetric := a != "" && a != symmetricDefault
	switch ignored := ignoresCiphertext(modifiers); {
	case id != nil && (ignored || asymmetric || !ok):
		return r.resolve(on, *id, anyForm) // what is no blob fails once the key's state is known
	case ignored:
		return target{}, validation("KeyId is required when the ciphertext is ignored.")
	case ok:
		return r.blobKey(on, id, p)
	case asymmetric:
		return target{}, validation("KeyId is required for the algorithm %s.", a)
	}
	return target{}, invalidCiphertext()
}

// blobKey finds the key that a blob names, which must be the one that the caller names,
// if any.
func (r *request) blobKey(on role, id *string, p blob) (target, error) {
	if id == nil || *id == p.keyID {
		// A bare key id may name a key of another account: the blob says whose.
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
	if err == nil && (t.key.ID != p.keyID || t.key.Account != p.account) {
		err = &types.IncorrectKeyException{Message: text("The key ID in the request does not identify a CMK that can perform this operation.")}
	}
	return t, err
}
