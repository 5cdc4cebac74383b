package tinkkms

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sealring/sealring/internal/arn"
)

// AEAD encrypts with one KMS key. It is a tink.AEADWithContext, and a tink.AEAD that
// makes its requests under context.Background.
type AEAD struct {
	client *Client
	id     string // the ARN in the key URI
	name   arn.ARN
	alias  bool
}

var (
	_ tink.AEAD            = (*AEAD)(nil)
	_ tink.AEADWithContext = (*AEAD)(nil)
)

// AEAD returns an AEAD for the key that keyURI names by its ARN, or by the ARN of an
// alias; the key is not looked up. The error is [ErrKeyURI] for any other URI, and for
// one that the client does not support.
//
// Who names a key by an alias can decrypt for as long as the alias stays with the key.
func (c *Client) AEAD(keyURI string) (*AEAD, error) {
	if !c.Supported(keyURI) {
		return nil, fmt.Errorf("%w: %q does not start with %q", ErrKeyURI, keyURI, c.uriPrefix)
	}
	id := strings.TrimPrefix(keyURI, scheme)
	name, kind, _, ok := arn.KMSKey(id)
	if !ok {
		return nil, fmt.Errorf("%w: %q holds no ARN of a key", ErrKeyURI, keyURI)
	}
	return &AEAD{c, id, name, kind == "alias"}, nil
}

// Encrypt is EncryptWithContext under context.Background.
func (a *AEAD) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return a.EncryptWithContext(context.Background(), plaintext, associatedData)
}

// Decrypt is DecryptWithContext under context.Background.
func (a *AEAD) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return a.DecryptWithContext(context.Background(), ciphertext, associatedData)
}

// EncryptWithContext has KMS encrypt plaintext, of 1 to 4096 bytes, and bind it to
// associatedData, where nil and empty are the same. The ciphertext belongs to the
// caller.
//
// The error of the request can be reached with errors.As; it is [ErrResponse] for a
// response that does not fit.
func (a *AEAD) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	out, err := a.client.api.Encrypt(ctx, &kms.EncryptInput{
		KeyId:             &a.id,
		Plaintext:         plaintext,
		EncryptionContext: a.encryptionContext(associatedData),
		GrantTokens:       a.client.grantTokens,
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("tinkkms: Encrypt: %w", err)
	case out == nil || !a.usedKey(out.KeyId):
		return nil, fmt.Errorf("%w: Encrypt did not use key %q", ErrResponse, a.id)
	case len(out.CiphertextBlob) == 0:
		return nil, fmt.Errorf("%w: Encrypt gave no ciphertext", ErrResponse)
	}
	return out.CiphertextBlob, nil
}

// DecryptWithContext has KMS decrypt what EncryptWithContext returned for the same
// key and associated data. KMS is told the key, and refuses the ciphertexts of
// others. The plaintext belongs to the caller.
//
// The error of the request can be reached with errors.As: it is an
// InvalidCiphertextException for what is not authentic, and an IncorrectKeyException
// for another key's. It is [ErrResponse] for a response that does not fit.
func (a *AEAD) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	out, err := a.client.api.Decrypt(ctx, &kms.DecryptInput{
		KeyId:             &a.id,
		CiphertextBlob:    ciphertext,
		EncryptionContext: a.encryptionContext(associatedData),
		GrantTokens:       a.client.grantTokens,
	})
	if err != nil {
		return nil, fmt.Errorf("tinkkms: Decrypt: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: Decrypt gave none", ErrResponse)
	}
	if !a.usedKey(out.KeyId) {
		clear(out.Plaintext)
		return nil, fmt.Errorf("%w: Decrypt did not use key %q", ErrResponse, a.id)
	}
	return out.Plaintext, nil
}

func (a *AEAD) encryptionContext(associatedData []byte) map[string]string {
	if len(associatedData) == 0 {
		return nil
	}
	return map[string]string{a.client.pair: hex.EncodeToString(associatedData)}
}

// usedKey reports whether a response's KeyId, which is a key ARN, is the key's. All
// that can be said of the key behind an alias is its account and Region.
func (a *AEAD) usedKey(id *string) bool {
	if id == nil {
		return false
	}
	if !a.alias {
		return *id == a.id
	}
	used, kind, _, ok := arn.KMSKey(*id)
	used.Resource = a.name.Resource
	return ok && kind == "key" && used == a.name
}

// Format prints the key's name only, whatever the verb.
func (a *AEAD) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "tinkkms.AEAD{%q}", a.id) }
