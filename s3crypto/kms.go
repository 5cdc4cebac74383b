package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring/awskms"
)

const (
	// contextSuite is the entry of the encryption context that binds the content
	// algorithm. It is the formats' own.
	contextSuite = "aws:x-amz-cek-alg"
	// contextKeyID is an entry that old writers add by themselves.
	contextKeyID = "kms_cmk_id"
)

// KMSAPI is the part of AWS KMS that [KMS] calls: GenerateDataKey for a new object,
// Decrypt for an existing one, Encrypt where the data key of an existing object is
// wrapped again. See [awskms.API] for what an implementation has to keep to.
type KMSAPI = awskms.API

// KMSOptions adjust a [KMS]. The zero value is what most callers want.
type KMSOptions struct {
	// GrantTokens go with every call, for grants that have not reached all of KMS yet.
	// They are copied.
	GrantTokens []string

	// AllowWithoutContext admits reading objects of format V2 whose data key was
	// wrapped by the first generation of clients ("kms"): their content algorithm is
	// not bound, so that whoever can write to the bucket can have an object of one
	// algorithm decrypted with another.
	AllowWithoutContext bool
}

// KMS wraps data keys with a key of AWS KMS, which binds the encryption context and with
// it the content algorithm ("kms+context"). The context is stored with the object and can
// be read there. The exceptions of KMS can be reached with errors.As; a response that does
// not fit the request is [awskms.ErrResponse].
type KMS struct {
	api         KMSAPI
	keyARN      string // empty: any key, for unwrapping only
	grantTokens []string
	legacy      map[wrapAlgorithm]bool
}

var _ Wrapper = (*KMS)(nil)

// NewKMS returns a wrapper for the symmetric KMS key with the given ARN, which is not
// looked up. The error is [awskms.ErrKeyID] unless it is a key ARN: an alias can be
// pointed to another key, which does not decrypt what the first one has encrypted. A
// multi-Region key's replica decrypts what the others have encrypted. Nil options are the
// zero KMSOptions.
func NewKMS(api KMSAPI, keyARN string, o *KMSOptions) (*KMS, error) {
	if _, kind, _, ok := arn.KMSKey(keyARN); !ok || kind != "key" {
		return nil, fmt.Errorf("%w: %q", awskms.ErrKeyID, keyARN)
	}
	return newKMS(api, keyARN, o)
}

// NewKMSAnyKey returns a wrapper that unwraps with whatever KMS key has wrapped, and
// cannot wrap.
//
// It is the writer of an object who chooses the key, and with it the account whose KMS is
// asked: anybody who can write to the bucket can have an object of his own taken for one
// of the reader's. Prefer [NewKMS] wherever the key is known.
func NewKMSAnyKey(api KMSAPI, o *KMSOptions) (*KMS, error) { return newKMS(api, "", o) }

func newKMS(api KMSAPI, keyARN string, o *KMSOptions) (*KMS, error) {
	if api == nil {
		return nil, errors.New("s3crypto: a KMS wrapper without an API")
	}
	if o == nil {
		o = &KMSOptions{}
	}
	legacy := map[wrapAlgorithm]bool{wrapKMS: o.AllowWithoutContext}
	return &KMS{api, keyARN, slices.Clone(o.GrantTokens), legacy}, nil
}

// Format prints the key's ARN only, whatever the verb.
func (k KMS) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "s3crypto.KMS{%q}", k.keyARN) }

func (k *KMS) admits(a wrapAlgorithm) error { return admits(a, wrapKMSContext, k.legacy) }

func (k *KMS) wraps(h *header) bool { return k.keyARN != "" && h.wrap == wrapKMSContext }

func (k *KMS) wrap(ctx context.Context, h *header, key dataKey, c map[string]string) (dataKey, error) {
	if k.keyARN == "" {
		return nil, fmt.Errorf("%w: a wrapper for any KMS key cannot wrap", ErrWrapper)
	}
	bound, err := boundContext(h.suite, c)
	if err != nil {
		return nil, err
	}
	h.wrap, h.description = wrapKMSContext, bound
	if key == nil {
		return k.generate(ctx, h)
	}
	sent := k.keyARN
	out, err := k.api.Encrypt(ctx, &kms.EncryptInput{
		KeyId: &sent, Plaintext: key, EncryptionContext: maps.Clone(bound), GrantTokens: k.grantTokens,
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("s3crypto: KMS Encrypt: %w", err)
	case out == nil || !k.answers(out.KeyId) || !isEDK(out.CiphertextBlob):
		return nil, fmt.Errorf("%w: Encrypt", awskms.ErrResponse)
	}
	h.edk = out.CiphertextBlob
	return key, nil
}

// generate has KMS make the data key, for h's description.
func (k *KMS) generate(ctx context.Context, h *header) (dataKey, error) {
	sent := k.keyARN
	out, err := k.api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: &sent, KeySpec: types.DataKeySpecAes256, EncryptionContext: maps.Clone(h.description), GrantTokens: k.grantTokens,
	})
	if err != nil {
		return nil, fmt.Errorf("s3crypto: KMS GenerateDataKey: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: GenerateDataKey", awskms.ErrResponse)
	}
	// What an API gives out twice has been wiped in between.
	if !k.answers(out.KeyId) || !isEDK(out.CiphertextBlob) || len(out.Plaintext) != dataKeySize || isZero(out.Plaintext) {
		clear(out.Plaintext)
		return nil, fmt.Errorf("%w: GenerateDataKey", awskms.ErrResponse)
	}
	h.edk = out.CiphertextBlob
	return out.Plaintext, nil
}

func (k *KMS) unwrap(ctx context.Context, h *header) (dataKey, error) {
	in := &kms.DecryptInput{
		CiphertextBlob: slices.Clone(h.edk), EncryptionContext: maps.Clone(h.description), GrantTokens: k.grantTokens,
	}
	if sent := k.keyARN; sent != "" {
		in.KeyId = &sent
	}
	out, err := k.api.Decrypt(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("s3crypto: KMS Decrypt: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: Decrypt", awskms.ErrResponse)
	}
	if !k.answers(out.KeyId) || len(out.Plaintext) != dataKeySize {
		clear(out.Plaintext)
		return nil, fmt.Errorf("%w: Decrypt", awskms.ErrResponse)
	}
	return out.Plaintext, nil
}

// answers reports whether a response names the key that the request did.
func (k *KMS) answers(keyID *string) bool {
	return k.keyARN == "" || keyID != nil && *keyID == k.keyARN
}

// boundContext returns the caller's encryption context with the entry for s. The error is
// ErrContext for a context that could not be compared with when the object is read.
func boundContext(s suite, c map[string]string) (map[string]string, error) {
	for _, name := range [...]string{contextSuite, contextKeyID} {
		if _, taken := c[name]; taken {
			return nil, fmt.Errorf("%w: %q is not the caller's", ErrContext, name)
		}
	}
	if !isText(c) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrContext)
	}
	bound := make(map[string]string, len(c)+1)
	maps.Copy(bound, c)
	bound[contextSuite] = s.name()
	return bound, nil
}

// callersContext returns the part of a stored encryption context that the writer gave.
func callersContext(stored map[string]string) map[string]string {
	c := maps.Clone(stored)
	delete(c, contextSuite)
	delete(c, contextKeyID)
	return c
}
