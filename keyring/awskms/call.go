package awskms

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
)

// caller makes the calls of a keyring for symmetric keys, and refuses responses
// that do not belong to them.
type caller struct {
	api         API
	grantTokens []string
}

// generate returns what KMS gave for the data key even with an error, because it
// is the caller who wipes it.
func (c caller) generate(ctx context.Context, keyID string, m *keyring.EncryptionMaterials, n int) ([]byte, keyring.EncryptedDataKey, error) {
	sent, size := keyID, int32(n)
	out, err := c.api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId:             &sent,
		NumberOfBytes:     &size,
		EncryptionContext: m.Context(),
		GrantTokens:       c.grantTokens,
	})
	if err != nil {
		return nil, keyring.EncryptedDataKey{}, fmt.Errorf("awskms: GenerateDataKey: %w", err)
	}
	if out == nil {
		return nil, keyring.EncryptedDataKey{}, fmt.Errorf("%w: GenerateDataKey gave none", ErrResponse)
	}
	wrapped, err := wrapped("GenerateDataKey", keyID, out.KeyId, out.CiphertextBlob)
	return out.Plaintext, wrapped, err
}

func (c caller) encrypt(ctx context.Context, keyID string, m *keyring.EncryptionMaterials, key []byte) (keyring.EncryptedDataKey, error) {
	sent := keyID
	out, err := c.api.Encrypt(ctx, &kms.EncryptInput{
		KeyId:             &sent,
		Plaintext:         key,
		EncryptionContext: m.Context(),
		GrantTokens:       c.grantTokens,
	})
	if err != nil {
		return keyring.EncryptedDataKey{}, fmt.Errorf("awskms: Encrypt: %w", err)
	}
	if out == nil {
		return keyring.EncryptedDataKey{}, fmt.Errorf("%w: Encrypt gave none", ErrResponse)
	}
	return wrapped("Encrypt", keyID, out.KeyId, out.CiphertextBlob)
}

// wrapped makes an encrypted data key of the fields of op's response to a request
// for the key keyID, or returns ErrResponse.
func wrapped(op, keyID string, used *string, ciphertext []byte) (keyring.EncryptedDataKey, error) {
	keyARN, err := answering(op, keyID, used)
	if err == nil && len(ciphertext) == 0 {
		err = fmt.Errorf("%w: %s gave no ciphertext", ErrResponse, op)
	}
	if err != nil {
		return keyring.EncryptedDataKey{}, err
	}
	return keyring.EncryptedDataKey{Provider: providerID, Info: []byte(keyARN), Ciphertext: ciphertext}, nil
}

// answering returns the ARN in the response of op to a request for the key asked, or
// ErrResponse if it is another key's or none. Only if asked is an ARN has the response
// to repeat it.
func answering(op, asked string, answered *string) (string, error) {
	switch {
	case answered == nil || !isKeyARN(*answered):
		return "", fmt.Errorf("%w: %s gave no key ARN", ErrResponse, op)
	case isKeyARN(asked) && *answered != asked:
		return "", fmt.Errorf("%w: %s used key %q instead of %q", ErrResponse, op, *answered, asked)
	}
	return *answered, nil
}

// unwrap is OnDecrypt of every keyring for symmetric keys. Given the key ARN in an
// encrypted data key, target returns the ARN of the key to decrypt it with, and
// whether the keyring does that at all.
func (c caller) unwrap(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey, target func(keyARN string) (string, bool)) error {
	if err := checkInfos(keys, providerID); err != nil {
		return err
	}
	match := func(e keyring.EncryptedDataKey) bool {
		if e.Provider != providerID {
			return false
		}
		_, ours := target(string(e.Info))
		return ours
	}
	unwrap := func(ctx context.Context, e keyring.EncryptedDataKey) ([]byte, error) {
		keyARN, _ := target(string(e.Info))
		return decrypt(ctx, c.api, keyARN, &kms.DecryptInput{
			CiphertextBlob:    e.Ciphertext,
			EncryptionContext: m.Context(),
			GrantTokens:       c.grantTokens,
		})
	}
	return keyring.Unwrap(ctx, m, keys, match, unwrap)
}

// decrypt calls Decrypt with in, to which it adds the key, and returns the
// plaintext, the caller's own.
func decrypt(ctx context.Context, api RSAAPI, keyARN string, in *kms.DecryptInput) ([]byte, error) {
	sent := keyARN
	in.KeyId = &sent
	out, err := api.Decrypt(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("awskms: Decrypt: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: Decrypt gave none", ErrResponse)
	}
	if out.KeyId == nil || *out.KeyId != keyARN {
		clear(out.Plaintext)
		return nil, fmt.Errorf("%w: Decrypt did not use key %q", ErrResponse, keyARN)
	}
	return out.Plaintext, nil
}

// checkInfos returns ErrKeyID if any of keys has the given provider without naming
// its key by a key ARN: the specification wants the whole message refused.
func checkInfos(keys []keyring.EncryptedDataKey, provider string) error {
	for i, e := range keys {
		if e.Provider == provider && !isKeyARN(string(e.Info)) {
			return fmt.Errorf("%w: %.200q, of encrypted data key %d", ErrKeyID, e.Info, i)
		}
	}
	return nil
}

// isKeyARN reports whether s is the ARN of a KMS key, not of an alias.
func isKeyARN(s string) bool {
	_, kind, _, ok := arn.KMSKey(s)
	return ok && kind == "key"
}
