package kmscrypto_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kmscrypto"
)

var agreements = []struct {
	spec  types.KeySpec
	curve ecdh.Curve
	size  int
}{
	{types.KeySpecEccNistP256, ecdh.P256(), 32},
	{types.KeySpecEccNistP384, ecdh.P384(), 48},
	{types.KeySpecEccNistP521, ecdh.P521(), 66},
}

func agreeing(t testing.TB, spec types.KeySpec) (*fakeKMS, *kmscrypto.ECDH) {
	t.Helper()
	f := newFake(spec, types.KeyUsageTypeKeyAgreement)
	e, err := kmscrypto.NewECDH(t.Context(), f, alias, &kmscrypto.Options{GrantTokens: []string{"token"}})
	require.NoError(t, err)
	f.inputs()
	return f, e
}

func TestECDH(t *testing.T) {
	t.Parallel()
	for _, c := range agreements {
		f, e := agreeing(t, c.spec)
		require.Equal(t, c.curve, e.Curve())
		require.True(t, e.PublicKey().Equal(e.Public()))
		peer := must(c.curve.GenerateKey(rand.Reader))
		want, err := peer.ECDH(e.PublicKey())
		require.NoError(t, err)
		got, err := e.ECDH(peer.PublicKey())
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Len(t, got, c.size)
		der, err := x509.MarshalPKIXPublicKey(peer.PublicKey())
		require.NoError(t, err)
		require.Equal(t, []any{&kms.DeriveSharedSecretInput{
			KeyId: ptr(keyARN), KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh,
			PublicKey: der, GrantTokens: []string{"token"},
		}}, f.inputs())
	}
}

func TestECDHRefusals(t *testing.T) {
	t.Parallel()
	f, e := agreeing(t, types.KeySpecEccNistP256)
	_, err := e.ECDH(nil)
	require.ErrorIs(t, err, kmscrypto.ErrRequest)
	for _, curve := range []ecdh.Curve{ecdh.P384(), ecdh.P521(), ecdh.X25519()} {
		_, err := e.ECDH(must(curve.GenerateKey(rand.Reader)).PublicKey())
		require.ErrorIs(t, err, kmscrypto.ErrRequest, curve)
	}
	require.Empty(t, f.inputs(), "refused before the network")

	_, err = kmscrypto.NewECDH(t.Context(), newFake(types.KeySpecEccSecgP256k1, types.KeyUsageTypeKeyAgreement), keyARN, nil)
	require.ErrorIs(t, err, kmscrypto.ErrKey)
}

func TestECDHResponsesAreChecked(t *testing.T) {
	t.Parallel()
	type output = kms.DeriveSharedSecretOutput
	for _, c := range agreements {
		f, e := agreeing(t, c.spec)
		peer := must(c.curve.GenerateKey(rand.Reader)).PublicKey()
		for name, change := range map[string]func(*output){
			"no key id":       func(o *output) { o.KeyId = nil },
			"another key":     func(o *output) { o.KeyId = ptr(otherARN) },
			"no algorithm":    func(o *output) { o.KeyAgreementAlgorithm = "" },
			"no secret":       func(o *output) { o.SharedSecret = nil },
			"a short secret":  func(o *output) { o.SharedSecret = o.SharedSecret[1:] },
			"a longer secret": func(o *output) { o.SharedSecret = append(o.SharedSecret, 0) },
		} {
			var handedOut []byte
			f.answer = func(out any) error {
				change(out.(*output))
				handedOut = out.(*output).SharedSecret
				return nil
			}
			secret, err := e.ECDH(peer)
			require.ErrorIs(t, err, kmscrypto.ErrResponse, name)
			require.Nil(t, secret)
			require.Equal(t, make([]byte, len(handedOut)), append([]byte{}, handedOut...), "%s: what is refused is wiped", name)
		}
		m, err := kmscrypto.NewECDH(t.Context(), mute{newFake(c.spec, types.KeyUsageTypeKeyAgreement)}, keyARN, nil)
		require.NoError(t, err)
		_, err = m.ECDH(peer)
		require.ErrorIs(t, err, kmscrypto.ErrResponse)
	}
}

func TestErrorsOfECDH(t *testing.T) {
	t.Parallel()
	f, e := agreeing(t, types.KeySpecEccNistP256)
	peer := must(ecdh.P256().GenerateKey(rand.Reader)).PublicKey()
	f.answer = func(any) error { return &types.DisabledException{} }
	var disabled *types.DisabledException
	_, err := e.ECDH(peer)
	require.ErrorAs(t, err, &disabled)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = e.WithContext(ctx).ECDH(peer)
	require.ErrorIs(t, err, context.Canceled)
	f.answer = nil
	_, err = e.ECDH(peer)
	require.NoError(t, err)
}
