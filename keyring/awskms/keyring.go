package awskms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
)

// providerID is the provider of every data key that is encrypted under a symmetric
// KMS key.
const providerID = "aws-kms"

// Options adjust a keyring. The zero value is what most callers want.
type Options struct {
	// GrantTokens go with every call, for grants that have not reached all of KMS
	// yet. They are copied.
	GrantTokens []string

	// EncryptOnly makes OnDecrypt fail. [New] and [NewMRK] then take a key that is
	// named by an alias, an alias ARN or a bare key id: encrypted data keys name
	// their key by ARN, so that a keyring that knows its key by any other name
	// cannot tell which of them are its own. Discovery keyrings refuse it.
	EncryptOnly bool
}

// orDefault returns a copy of o, or the zero Options for nil.
func (o *Options) orDefault() Options {
	if o == nil {
		return Options{}
	}
	return Options{slices.Clone(o.GrantTokens), o.EncryptOnly}
}

// errNoAPI is for constructors.
var errNoAPI = errors.New("awskms: a keyring without an API")

// Keyring wraps data keys with one KMS key (Encryption SDK framework, "AWS KMS
// keyring" and "AWS KMS MRK keyring"). Its encrypted data keys have the provider
// "aws-kms", the key ARN as info, and KMS's ciphertext.
type Keyring struct {
	call        caller
	keyID       string
	encryptOnly bool
	anyRegion   bool // a replica's encrypted data keys are the keyring's too
}

var _ keyring.Keyring = (*Keyring)(nil)

// New returns a keyring for the symmetric KMS key with the given ARN, which is not
// looked up. The error is [ErrKeyID] unless it is a key ARN; see
// [Options].EncryptOnly for other names. Nil options are the zero Options.
//
// A multi-Region key is like any other here: what was encrypted under its replica
// in another Region is not decrypted. See [NewMRK].
func New(api API, keyARN string, o *Options) (*Keyring, error) {
	if api == nil {
		return nil, errNoAPI
	}
	opts := o.orDefault()
	if !isKeyARN(keyARN) && !(opts.EncryptOnly && isKeyID(keyARN)) {
		return nil, fmt.Errorf("%w: %q", ErrKeyID, keyARN)
	}
	return &Keyring{
		call: caller{api, opts.GrantTokens}, keyID: keyARN, encryptOnly: opts.EncryptOnly,
	}, nil
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
		return k.call.encrypt(ctx, k.keyID, m, key)
	}
	generate := func(ctx context.Context, n int) ([]byte, keyring.EncryptedDataKey, error) {
		return k.call.generate(ctx, k.keyID, m, n)
	}
	return keyring.Wrap(ctx, m, wrap, generate)
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
	return k.call.unwrap(ctx, m, keys, func(keyARN string) (string, bool) {
		return k.keyID, keyARN == k.keyID || k.anyRegion && sameMRK(keyARN, k.keyID)
	})
}

// Format prints the key's name only, whatever the verb.
func (k Keyring) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "awskms.Keyring{%q}", k.keyID) }
