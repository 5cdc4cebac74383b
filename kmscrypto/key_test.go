package kmscrypto_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kmscrypto"
)

// constructors are all the ways to make an adapter, with a key that suits each.
var constructors = []struct {
	name  string
	spec  types.KeySpec
	usage types.KeyUsageType
	make  func(ctx context.Context, f *fakeKMS, keyID string, o *kmscrypto.Options) (adapter, error)
}{
	{"signer", types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify, func(ctx context.Context, f *fakeKMS, keyID string, o *kmscrypto.Options) (adapter, error) {
		return kmscrypto.NewSigner(ctx, f, keyID, o)
	}},
	{"decrypter", types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt, func(ctx context.Context, f *fakeKMS, keyID string, o *kmscrypto.Options) (adapter, error) {
		return kmscrypto.NewDecrypter(ctx, f, keyID, o)
	}},
	{"ECDH", types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement, func(ctx context.Context, f *fakeKMS, keyID string, o *kmscrypto.Options) (adapter, error) {
		return kmscrypto.NewECDH(ctx, f, keyID, o)
	}},
	{"KEM", types.KeySpecMlKem768, types.KeyUsageTypeEncapsulateDecapsulate, func(ctx context.Context, f *fakeKMS, keyID string, o *kmscrypto.Options) (adapter, error) {
		return kmscrypto.NewKEM(ctx, f, keyID, o)
	}},
}

type adapter interface {
	KeyARN() string
	KeySpec() types.KeySpec
	PublicKeyDER() []byte
}

func TestKeysAreFoundByEveryName(t *testing.T) {
	t.Parallel()
	for _, c := range constructors {
		for _, name := range []string{keyARN, keyID, alias, account + alias} {
			f := newFake(c.spec, c.usage)
			a, err := c.make(t.Context(), f, name, &kmscrypto.Options{GrantTokens: []string{"token"}})
			require.NoError(t, err, "%s %s", c.name, name)
			require.Equal(t, keyARN, a.KeyARN())
			require.Equal(t, c.spec, a.KeySpec())
			require.Equal(t, f.der, a.PublicKeyDER())
			require.Equal(t, []any{&kms.GetPublicKeyInput{KeyId: &name, GrantTokens: []string{"token"}}}, f.inputs())

			clear(a.PublicKeyDER())
			require.Equal(t, f.der, a.PublicKeyDER(), "the copy is the caller's")
		}
	}
}

func TestPublicKeyResponsesAreChecked(t *testing.T) {
	t.Parallel()
	type output = kms.GetPublicKeyOutput
	for _, c := range []struct {
		name, asked string
		change      func(*output)
		want        error
	}{
		{"no key id", keyARN, func(o *output) { o.KeyId = nil }, kmscrypto.ErrResponse},
		{"another key", keyARN, func(o *output) { o.KeyId = ptr(otherARN) }, kmscrypto.ErrResponse},
		{"another key than the id", keyID, func(o *output) { o.KeyId = ptr(otherARN) }, kmscrypto.ErrResponse},
		{"a bare id", keyID, func(o *output) { o.KeyId = ptr(keyID) }, kmscrypto.ErrResponse},
		{"an alias", alias, func(o *output) { o.KeyId = ptr(account + alias) }, kmscrypto.ErrResponse},
		{"no ARN", alias, func(o *output) { o.KeyId = ptr("key") }, kmscrypto.ErrResponse},
		{"another account", account + alias, func(o *output) {
			o.KeyId = ptr("arn:aws:kms:eu-west-1:444455556666:key/" + keyID)
		}, kmscrypto.ErrResponse},
		{"another Region", account + alias, func(o *output) {
			o.KeyId = ptr("arn:aws:kms:eu-west-2:111122223333:key/" + keyID)
		}, kmscrypto.ErrResponse},
		{"no usage", keyARN, func(o *output) { o.KeyUsage = "" }, kmscrypto.ErrKey},
		{"another usage", keyARN, func(o *output) { o.KeyUsage = types.KeyUsageTypeGenerateVerifyMac }, kmscrypto.ErrKey},
		{"no spec", keyARN, func(o *output) { o.KeySpec = "" }, kmscrypto.ErrKey},
		{"SM2", keyARN, func(o *output) { o.KeySpec = types.KeySpecSm2 }, kmscrypto.ErrKey},
		{"another size of RSA", keyARN, func(o *output) { o.KeySpec = types.KeySpecRsa3072 }, kmscrypto.ErrKey},
		{"another curve", keyARN, func(o *output) { o.KeySpec = types.KeySpecEccNistP384 }, kmscrypto.ErrKey},
		{"secp256k1", keyARN, func(o *output) { o.KeySpec = types.KeySpecEccSecgP256k1 }, kmscrypto.ErrKey},
		{"Ed25519", keyARN, func(o *output) { o.KeySpec = types.KeySpecEccNistEdwards25519 }, kmscrypto.ErrKey},
		{"ML-DSA", keyARN, func(o *output) { o.KeySpec = types.KeySpecMlDsa44 }, kmscrypto.ErrKey},
		{"another ML-KEM", keyARN, func(o *output) { o.KeySpec = types.KeySpecMlKem1024 }, kmscrypto.ErrKey},
		{"no public key", keyARN, func(o *output) { o.PublicKey = nil }, kmscrypto.ErrKey},
		{"half a public key", keyARN, func(o *output) { o.PublicKey = o.PublicKey[:len(o.PublicKey)/2] }, kmscrypto.ErrKey},
		{"trailing bytes", keyARN, func(o *output) { o.PublicKey = append(o.PublicKey, 0) }, kmscrypto.ErrKey},
	} {
		for _, k := range constructors {
			f := newFake(k.spec, k.usage)
			f.answer = func(out any) error { c.change(out.(*output)); return nil }
			_, err := k.make(t.Context(), f, c.asked, nil)
			require.ErrorIs(t, err, c.want, "%s: %s", k.name, c.name)
		}
	}
}

// An ML-KEM key has coefficients below 3329 only (FIPS 203, section 7.2).
func TestMLKEMKeysAreChecked(t *testing.T) {
	t.Parallel()
	for _, spec := range []types.KeySpec{types.KeySpecMlKem768, types.KeySpecMlKem1024} {
		f := newFake(spec, types.KeyUsageTypeEncapsulateDecapsulate)
		copy(f.der[len(f.der)-100:], bytes.Repeat([]byte{0xff}, 10))
		_, err := kmscrypto.NewKEM(t.Context(), f, keyARN, nil)
		require.ErrorIs(t, err, kmscrypto.ErrKey, spec)
	}
}

func TestErrorsOfGetPublicKey(t *testing.T) {
	t.Parallel()
	for _, c := range constructors {
		f := newFake(c.spec, c.usage)
		_, err := c.make(t.Context(), f, otherARN, nil)
		var notFound *types.NotFoundException
		require.ErrorAs(t, err, &notFound, c.name)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.make(ctx, f, keyARN, nil)
		require.ErrorIs(t, err, context.Canceled, c.name)
	}
	_, err := kmscrypto.NewSigner(t.Context(), nil, keyARN, nil)
	require.ErrorContains(t, err, "no API")
	_, err = kmscrypto.NewSigner(t.Context(), silent{}, keyARN, nil)
	require.ErrorIs(t, err, kmscrypto.ErrResponse)
}

// silent answers nothing, without an error.
type silent struct{ kmscrypto.SigningAPI }

func (silent) GetPublicKey(context.Context, *kms.GetPublicKeyInput, ...func(*kms.Options)) (*kms.GetPublicKeyOutput, error) {
	return nil, nil
}

func TestOpaquePublicKeys(t *testing.T) {
	t.Parallel()
	f, g := newFake(types.KeySpecMlDsa65, types.KeyUsageTypeSignVerify), newFake(types.KeySpecMlDsa65, types.KeyUsageTypeSignVerify)
	a, err := kmscrypto.NewSigner(t.Context(), f, keyARN, nil)
	require.NoError(t, err)
	b, err := kmscrypto.NewSigner(t.Context(), g, keyARN, nil)
	require.NoError(t, err)
	public := a.Public().(kmscrypto.OpaquePublicKey)
	require.Equal(t, f.der, public.DER())
	require.Equal(t, types.KeySpecMlDsa65, public.KeySpec())
	require.True(t, public.Equal(a.Public()))
	require.False(t, public.Equal(b.Public()))
	require.False(t, public.Equal(rsaKey().Public()))
	require.False(t, public.Equal([]byte(nil)))
	clear(public.DER())
	require.Equal(t, f.der, public.DER())
}
