package awskms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
)

// providerID is the provider of every data key that a KMS keyring encrypts.
const providerID = "aws-kms"

// Options adjust a keyring. The zero value is what most callers want.
type Options struct {
	// GrantTokens go with every call, for grants that have not reached all of KMS
	// yet. They are copied.
	GrantTokens []string

	// EncryptOnly admits a key that is named by an alias, an alias ARN or a bare
	// key id, and makes OnDecrypt fail. Encrypted data keys name their key by ARN,
	// so that a keyring that knows its key by any other name cannot tell which of
	// them are its own.
	EncryptOnly bool
}

// Keyring wraps data keys with one KMS key (Encryption SDK framework, "AWS KMS
// keyring"). Its encrypted data keys have the provider "aws-kms", the key ARN as
// info, and KMS's ciphertext.
type Keyring struct {
	api         API
	keyID       string
	isARN       bool // keyID is a key ARN, so responses have to repeat it
	encryptOnly bool
	grantTokens []string
}

var _ keyring.Keyring = (*Keyring)(nil)

// New returns a keyring for the symmetric KMS key with the given ARN, which is not
// looked up. The error is [ErrKeyID] unless it is a key ARN; see
// [Options].EncryptOnly for other names. Nil options are the zero Options.
func New(api API, keyARN string, o *Options) (*Keyring, error) {
	if api == nil {
		return nil, errors.New("awskms: a keyring without an API")
	}
	if o == nil {
		o = &Options{}
	}
	isARN := isKeyARN(keyARN)
	if !isARN && !(o.EncryptOnly && isKeyID(keyARN)) {
		return nil, fmt.Errorf("%w: %q", ErrKeyID, keyARN)
	}
	return &Keyring{api, keyARN, isARN, o.EncryptOnly, slices.Clone(o.GrantTokens)}, nil
}

// isKeyARN reports whether s is the ARN of a KMS key, not of an alias.
func isKeyARN(s string) bool {
	_, kind, _, ok := arn.KMSKey(s)
	return ok && kind == "key"
}

// isKeyID reports whether s has one of the forms in which KMS takes a key: an ARN
// of a key or an alias, alias/name, or a bare id (Encryption SDK framework, "AWS
// KMS key identifier").
func isKeyID(s string) bool {
	if strings.HasPrefix(s, "arn:") {
		_, _, _, ok := arn.KMSKey(s)
		return ok
	}
	kind, name, slash := strings.Cut(s, "/")
	if slash {
		return kind == "alias" && name != ""
	}
	return s != ""
}

// OnEncrypt has KMS generate the data key if m has none, and encrypt it if it has.
// The error of the KMS call can be reached with errors.As, and is [ErrResponse]
// for a response that does not fit.
func (k *Keyring) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	wrap := func(ctx context.Context, key []byte) (keyring.EncryptedDataKey, error) {
		return k.encrypt(ctx, m, key)
	}
	generate := func(ctx context.Context, n int) ([]byte, keyring.EncryptedDataKey, error) {
		return k.generate(ctx, m, n)
	}
	return keyring.Wrap(ctx, m, wrap, generate)
}

// generate returns what KMS gave for the data key even with an error, because it
// is the caller who wipes it.
func (k *Keyring) generate(ctx context.Context, m *keyring.EncryptionMaterials, n int) ([]byte, keyring.EncryptedDataKey, error) {
	keyID, size := k.keyID, int32(n)
	out, err := k.api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId:             &keyID,
		NumberOfBytes:     &size,
		EncryptionContext: m.Context(),
		GrantTokens:       k.grantTokens,
	})
	if err != nil {
		return nil, keyring.EncryptedDataKey{}, fmt.Errorf("awskms: GenerateDataKey: %w", err)
	}
	if out == nil {
		return nil, keyring.EncryptedDataKey{}, fmt.Errorf("%w: GenerateDataKey gave none", ErrResponse)
	}
	wrapped, err := k.wrapped("GenerateDataKey", out.KeyId, out.CiphertextBlob)
	return out.Plaintext, wrapped, err
}

func (k *Keyring) encrypt(ctx context.Context, m *keyring.EncryptionMaterials, key []byte) (keyring.EncryptedDataKey, error) {
	keyID := k.keyID
	out, err := k.api.Encrypt(ctx, &kms.EncryptInput{
		KeyId:             &keyID,
		Plaintext:         key,
		EncryptionContext: m.Context(),
		GrantTokens:       k.grantTokens,
	})
	if err != nil {
		return keyring.EncryptedDataKey{}, fmt.Errorf("awskms: Encrypt: %w", err)
	}
	if out == nil {
		return keyring.EncryptedDataKey{}, fmt.Errorf("%w: Encrypt gave none", ErrResponse)
	}
	return k.wrapped("Encrypt", out.KeyId, out.CiphertextBlob)
}

// wrapped makes an encrypted data key of the fields of op's response, or returns
// ErrResponse.
func (k *Keyring) wrapped(op string, keyID *string, ciphertext []byte) (keyring.EncryptedDataKey, error) {
	var none keyring.EncryptedDataKey
	switch {
	case keyID == nil || !isKeyARN(*keyID):
		return none, fmt.Errorf("%w: %s gave no key ARN", ErrResponse, op)
	case k.isARN && *keyID != k.keyID:
		return none, fmt.Errorf("%w: %s used key %q instead of %q", ErrResponse, op, *keyID, k.keyID)
	case len(ciphertext) == 0:
		return none, fmt.Errorf("%w: %s gave no ciphertext", ErrResponse, op)
	}
	return keyring.EncryptedDataKey{Provider: providerID, Info: []byte(*keyID), Ciphertext: ciphertext}, nil
}

// OnDecrypt has KMS decrypt those of keys that name this keyring's key, in order,
// until one call succeeds; the errors of the calls that failed are the attempts of
// the [keyring.NoMatchError].
//
// The error is [ErrKeyID], and KMS is not called, if any of keys has the provider
// "aws-kms" without naming a key ARN: the specification wants the whole message
// refused. It is [ErrEncryptOnly] for an encrypt-only keyring.
func (k *Keyring) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	if k.encryptOnly {
		return ErrEncryptOnly
	}
	for i, e := range keys {
		if e.Provider == providerID && !isKeyARN(string(e.Info)) {
			return fmt.Errorf("%w: %.200q, of encrypted data key %d", ErrKeyID, e.Info, i)
		}
	}
	match := func(e keyring.EncryptedDataKey) bool {
		return e.Provider == providerID && string(e.Info) == k.keyID
	}
	unwrap := func(ctx context.Context, e keyring.EncryptedDataKey) ([]byte, error) {
		return k.decrypt(ctx, m, e.Ciphertext)
	}
	return keyring.Unwrap(ctx, m, keys, match, unwrap)
}

func (k *Keyring) decrypt(ctx context.Context, m *keyring.DecryptionMaterials, ciphertext []byte) ([]byte, error) {
	keyID := k.keyID
	out, err := k.api.Decrypt(ctx, &kms.DecryptInput{
		KeyId:             &keyID,
		CiphertextBlob:    ciphertext,
		EncryptionContext: m.Context(),
		GrantTokens:       k.grantTokens,
	})
	if err != nil {
		return nil, fmt.Errorf("awskms: Decrypt: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: Decrypt gave none", ErrResponse)
	}
	if out.KeyId == nil || *out.KeyId != k.keyID {
		clear(out.Plaintext)
		return nil, fmt.Errorf("%w: Decrypt did not use key %q", ErrResponse, k.keyID)
	}
	return out.Plaintext, nil
}

// Format prints the key's name only, whatever the verb.
func (k Keyring) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "awskms.Keyring{%q}", k.keyID) }
