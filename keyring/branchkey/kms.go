package branchkey

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// generate has KMS make and encrypt a key for the item, which has none yet.
func (s *KeyStore) generate(ctx context.Context, keyARN string, item Item) ([]byte, error) {
	size := int32(KeyLen)
	out, err := s.kms.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{
		KeyId:             &keyARN,
		NumberOfBytes:     &size,
		EncryptionContext: item.encryptionContext(s.name),
		GrantTokens:       s.grantTokens,
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("branchkey: GenerateDataKeyWithoutPlaintext: %w", err)
	case out == nil || !is(out.KeyId, keyARN):
		return nil, fmt.Errorf("%w: GenerateDataKeyWithoutPlaintext did not use key %q", ErrResponse, keyARN)
	case len(out.CiphertextBlob) == 0:
		return nil, fmt.Errorf("%w: GenerateDataKeyWithoutPlaintext gave no ciphertext", ErrResponse)
	}
	return out.CiphertextBlob, nil
}

// reencrypt has KMS encrypt the key of item from for item to, which may be the same.
func (s *KeyStore) reencrypt(ctx context.Context, keyARN string, from, to Item) ([]byte, error) {
	out, err := s.kms.ReEncrypt(ctx, &kms.ReEncryptInput{
		CiphertextBlob:               from.Ciphertext,
		SourceKeyId:                  &keyARN,
		SourceEncryptionContext:      from.encryptionContext(s.name),
		DestinationKeyId:             &keyARN,
		DestinationEncryptionContext: to.encryptionContext(s.name),
		GrantTokens:                  s.grantTokens,
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("branchkey: ReEncrypt: %w", err)
	case out == nil || !is(out.SourceKeyId, keyARN) || !is(out.KeyId, keyARN):
		return nil, fmt.Errorf("%w: ReEncrypt did not use key %q", ErrResponse, keyARN)
	case len(out.CiphertextBlob) == 0:
		return nil, fmt.Errorf("%w: ReEncrypt gave no ciphertext", ErrResponse)
	}
	return out.CiphertextBlob, nil
}

// decrypt returns the item's key, which the caller owns.
func (s *KeyStore) decrypt(ctx context.Context, keyARN string, item Item) ([]byte, error) {
	out, err := s.kms.Decrypt(ctx, &kms.DecryptInput{
		KeyId:             &keyARN,
		CiphertextBlob:    item.Ciphertext,
		EncryptionContext: item.encryptionContext(s.name),
		GrantTokens:       s.grantTokens,
	})
	if err != nil {
		return nil, fmt.Errorf("branchkey: Decrypt: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: Decrypt gave none", ErrResponse)
	}
	if !is(out.KeyId, keyARN) || len(out.Plaintext) != KeyLen {
		clear(out.Plaintext)
		return nil, fmt.Errorf("%w: Decrypt did not use key %q or gave no key of %d bytes", ErrResponse, keyARN, KeyLen)
	}
	return out.Plaintext, nil
}

func is(got *string, want string) bool { return got != nil && *got == want }
