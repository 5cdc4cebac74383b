package kmscrypto_test

import (
	"context"
	"crypto/mlkem"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kmscrypto"
)

func encapsulating(t testing.TB, spec types.KeySpec) (*fakeKMS, *kmscrypto.KEM) {
	t.Helper()
	f := newFake(spec, types.KeyUsageTypeEncapsulateDecapsulate)
	k, err := kmscrypto.NewKEM(t.Context(), f, alias, &kmscrypto.Options{GrantTokens: []string{"token"}})
	require.NoError(t, err)
	f.inputs()
	return f, k
}

var ciphertextSizes = map[types.KeySpec]int{types.KeySpecMlKem512: 768, types.KeySpecMlKem768: 1088, types.KeySpecMlKem1024: 1568}

func TestKEM(t *testing.T) {
	t.Parallel()
	for _, spec := range []types.KeySpec{types.KeySpecMlKem768, types.KeySpecMlKem1024} {
		f, k := encapsulating(t, spec)
		shared, ciphertext, err := k.Encapsulate()
		require.NoError(t, err)
		require.Empty(t, f.inputs(), "%s: encapsulation needs no KMS", spec)
		require.Len(t, ciphertext, ciphertextSizes[spec])
		got, err := k.Decapsulate(ciphertext)
		require.NoError(t, err)
		require.Equal(t, shared, got)
		require.Equal(t, []any{&kms.DecapsulateInput{
			KeyId: ptr(keyARN), EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem,
			SharedSecretCiphertextBlob: ciphertext, GrantTokens: []string{"token"},
		}}, f.inputs())

		ciphertext[100] ^= 1
		got, err = k.Decapsulate(ciphertext)
		require.NoError(t, err, "implicit rejection")
		require.NotEqual(t, shared, got)
	}
}

func TestPublicKeysOfKEM(t *testing.T) {
	t.Parallel()
	f, k := encapsulating(t, types.KeySpecMlKem768)
	require.Equal(t, f.private.(*mlkem.DecapsulationKey768).EncapsulationKey().Bytes(), k.Public().(*mlkem.EncapsulationKey768).Bytes())
	f, k = encapsulating(t, types.KeySpecMlKem1024)
	require.Equal(t, f.private.(*mlkem.DecapsulationKey1024).EncapsulationKey().Bytes(), k.Public().(*mlkem.EncapsulationKey1024).Bytes())
	f, k = encapsulating(t, types.KeySpecMlKem512)
	require.Equal(t, f.der, k.Public().(kmscrypto.OpaquePublicKey).DER())

	_, err := kmscrypto.NewKEM(t.Context(), newFake(types.KeySpecMlDsa44, types.KeyUsageTypeEncapsulateDecapsulate), keyARN, nil)
	require.ErrorIs(t, err, kmscrypto.ErrKey)
}

// The standard library has no ML-KEM-512, so KMS encapsulates.
func TestMLKEM512(t *testing.T) {
	t.Parallel()
	f, k := encapsulating(t, types.KeySpecMlKem512)
	shared, ciphertext, err := k.Encapsulate()
	require.NoError(t, err)
	require.Len(t, shared, 32)
	require.Len(t, ciphertext, 768)
	require.Equal(t, []any{&kms.EncapsulateInput{
		KeyId: ptr(keyARN), EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem, GrantTokens: []string{"token"},
	}}, f.inputs())

	type output = kms.EncapsulateOutput
	for name, change := range map[string]func(*output){
		"no key id":            func(o *output) { o.KeyId = nil },
		"another key":          func(o *output) { o.KeyId = ptr(otherARN) },
		"no algorithm":         func(o *output) { o.EncapsulationAlgorithm = "" },
		"no secret":            func(o *output) { o.SharedSecret = nil },
		"a short secret":       func(o *output) { o.SharedSecret = o.SharedSecret[1:] },
		"no ciphertext":        func(o *output) { o.SharedSecretCiphertextBlob = nil },
		"a longer ciphertext":  func(o *output) { o.SharedSecretCiphertextBlob = make([]byte, 1088) },
		"a shorter ciphertext": func(o *output) { o.SharedSecretCiphertextBlob = o.SharedSecretCiphertextBlob[1:] },
	} {
		var handedOut []byte
		f.answer = func(out any) error {
			change(out.(*output))
			handedOut = out.(*output).SharedSecret
			return nil
		}
		shared, ciphertext, err := k.Encapsulate()
		require.ErrorIs(t, err, kmscrypto.ErrResponse, name)
		require.Nil(t, shared)
		require.Nil(t, ciphertext)
		require.Equal(t, make([]byte, len(handedOut)), append([]byte{}, handedOut...), "%s: what is refused is wiped", name)
	}
	f.answer = func(any) error { return &types.DisabledException{} }
	var disabled *types.DisabledException
	_, _, err = k.Encapsulate()
	require.ErrorAs(t, err, &disabled)

	m, err := kmscrypto.NewKEM(t.Context(), mute{newFake(types.KeySpecMlKem512, types.KeyUsageTypeEncapsulateDecapsulate)}, keyARN, nil)
	require.NoError(t, err)
	_, _, err = m.Encapsulate()
	require.ErrorIs(t, err, kmscrypto.ErrResponse)
	_, err = m.Decapsulate(make([]byte, 768))
	require.ErrorIs(t, err, kmscrypto.ErrResponse)
}

func TestDecapsulateRefusals(t *testing.T) {
	t.Parallel()
	for spec, size := range ciphertextSizes {
		f, k := encapsulating(t, spec)
		for _, n := range []int{0, 1, size - 1, size + 1, 2 * size} {
			_, err := k.Decapsulate(make([]byte, n))
			require.ErrorIs(t, err, kmscrypto.ErrRequest, "%s, %d bytes", spec, n)
		}
		require.Empty(t, f.inputs(), "refused before the network")
	}
}

func TestDecapsulateResponsesAreChecked(t *testing.T) {
	t.Parallel()
	type output = kms.DecapsulateOutput
	f, k := encapsulating(t, types.KeySpecMlKem768)
	for name, change := range map[string]func(*output){
		"no key id":      func(o *output) { o.KeyId = nil },
		"another key":    func(o *output) { o.KeyId = ptr(otherARN) },
		"no algorithm":   func(o *output) { o.EncapsulationAlgorithm = "" },
		"no secret":      func(o *output) { o.SharedSecret = nil },
		"a short secret": func(o *output) { o.SharedSecret = o.SharedSecret[1:] },
	} {
		var handedOut []byte
		f.answer = func(out any) error {
			change(out.(*output))
			handedOut = out.(*output).SharedSecret
			return nil
		}
		_, err := k.Decapsulate(random(1088))
		require.ErrorIs(t, err, kmscrypto.ErrResponse, name)
		require.Equal(t, make([]byte, len(handedOut)), append([]byte{}, handedOut...), "%s: what is refused is wiped", name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := k.WithContext(ctx).Decapsulate(random(1088))
	require.ErrorIs(t, err, context.Canceled)
}
