package kmscrypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/arn"
)

// key is what every adapter knows of its KMS key. It is immutable.
type key struct {
	arn         string
	spec        types.KeySpec
	der         []byte // SubjectPublicKeyInfo
	grantTokens []string
	ctx         context.Context // of the requests
}

// fetch asks for the public key of keyID, which has to be one for usage. The key
// that it returns makes its requests under context.Background.
func fetch(ctx context.Context, api PublicKeyAPI, keyID string, usage types.KeyUsageType, o *Options) (key, error) {
	if api == nil {
		return key{}, errors.New("kmscrypto: no API to ask for the key")
	}
	if o == nil {
		o = &Options{}
	}
	out, err := api.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &keyID, GrantTokens: o.GrantTokens})
	switch {
	case err != nil:
		return key{}, fmt.Errorf("kmscrypto: GetPublicKey: %w", err)
	case out == nil:
		return key{}, fmt.Errorf("%w: GetPublicKey gave none", ErrResponse)
	case out.KeyId == nil || !names(keyID, *out.KeyId):
		return key{}, fmt.Errorf("%w: GetPublicKey did not give the ARN of key %q", ErrResponse, keyID)
	case out.KeyUsage != usage:
		return key{}, fmt.Errorf("%w: %s has usage %q, not %s", ErrKey, *out.KeyId, out.KeyUsage, usage)
	}
	return key{
		arn:         *out.KeyId,
		spec:        out.KeySpec,
		der:         bytes.Clone(out.PublicKey),
		grantTokens: slices.Clone(o.GrantTokens),
		ctx:         context.Background(),
	}, nil
}

// names reports whether keyID, in any of the forms that KMS takes, can stand for
// the key with the ARN keyARN.
func names(keyID, keyARN string) bool {
	k, kind, id, ok := arn.KMSKey(keyARN)
	if !ok || kind != "key" {
		return false
	}
	if !strings.HasPrefix(keyID, "arn:") {
		return keyID == id || strings.HasPrefix(keyID, "alias/")
	}
	a, kind, _, ok := arn.KMSKey(keyID)
	if !ok {
		return false
	}
	if kind == "key" {
		return keyID == keyARN
	}
	k.Resource = a.Resource // an alias is in the account and Region of its key
	return a == k
}

// KeyARN returns the ARN of the KMS key, whatever name the adapter was made with.
func (k *key) KeyARN() string { return k.arn }

// KeySpec returns the key spec that KMS gave, such as RSA_2048.
func (k *key) KeySpec() types.KeySpec { return k.spec }

// PublicKeyDER returns a copy of the public key as KMS gave it: the DER encoding of
// its SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
func (k *key) PublicKeyDER() []byte { return bytes.Clone(k.der) }

// unfit returns the error of a constructor for a key that it cannot use.
func (k *key) unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s, of key spec %q: %s", ErrKey, k.arn, k.spec, fmt.Sprintf(format, args...))
}

// refuse returns the error for what k cannot do.
func (k *key) refuse(format string, args ...any) error {
	return fmt.Errorf("%w: key spec %s: %s", ErrRequest, k.spec, fmt.Sprintf(format, args...))
}

// answered checks that op's response names the key and the algorithm that were
// asked for.
func (k *key) answered(op string, keyID *string, got, want string) error {
	switch {
	case keyID == nil || *keyID != k.arn:
		return fmt.Errorf("%w: %s did not use key %q", ErrResponse, op, k.arn)
	case got != want:
		return fmt.Errorf("%w: %s used algorithm %q instead of %s", ErrResponse, op, got, want)
	}
	return nil
}
