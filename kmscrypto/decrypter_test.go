package kmscrypto_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kmscrypto"
)

func decrypting(t testing.TB) (*fakeKMS, *kmscrypto.Decrypter) {
	t.Helper()
	f := newFake(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	d, err := kmscrypto.NewDecrypter(t.Context(), f, alias, &kmscrypto.Options{GrantTokens: []string{"token"}})
	require.NoError(t, err)
	f.inputs()
	return f, d
}

func seal(t testing.TB, h hash.Hash, d *kmscrypto.Decrypter, plaintext []byte) []byte {
	t.Helper()
	c, err := rsa.EncryptOAEP(h, rand.Reader, d.Public().(*rsa.PublicKey), plaintext, nil)
	require.NoError(t, err)
	return c
}

func TestDecrypt(t *testing.T) {
	t.Parallel()
	f, d := decrypting(t)
	for _, c := range []struct {
		new       func() hash.Hash
		limit     int
		opts      *rsa.OAEPOptions
		algorithm types.EncryptionAlgorithmSpec
	}{
		{sha1.New, 214, &rsa.OAEPOptions{Hash: crypto.SHA1}, types.EncryptionAlgorithmSpecRsaesOaepSha1},
		{sha256.New, 190, &rsa.OAEPOptions{Hash: crypto.SHA256}, types.EncryptionAlgorithmSpecRsaesOaepSha256},
		{sha256.New, 190, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA256, Label: []byte{}}, types.EncryptionAlgorithmSpecRsaesOaepSha256},
	} {
		for _, n := range []int{0, 1, 32, c.limit} {
			plaintext := random(n)
			ciphertext := seal(t, c.new(), d, plaintext)
			got, err := d.Decrypt(nil, ciphertext, c.opts)
			require.NoError(t, err)
			require.Equal(t, plaintext, append([]byte{}, got...))
			require.Equal(t, []any{&kms.DecryptInput{
				KeyId: ptr(keyARN), CiphertextBlob: ciphertext,
				EncryptionAlgorithm: c.algorithm, GrantTokens: []string{"token"},
			}}, f.inputs())
		}
	}
}

func TestDecryptRefusals(t *testing.T) {
	t.Parallel()
	f, d := decrypting(t)
	ciphertext := seal(t, sha256.New(), d, []byte("secret"))
	for name, opts := range map[string]crypto.DecrypterOpts{
		"no options":     nil,
		"nil options":    (*rsa.OAEPOptions)(nil),
		"a value":        rsa.OAEPOptions{Hash: crypto.SHA256},
		"PKCS #1 v1.5":   &rsa.PKCS1v15DecryptOptions{}, //lint:ignore SA1019 it is refused
		"no hash":        &rsa.OAEPOptions{},
		"SHA-512":        &rsa.OAEPOptions{Hash: crypto.SHA512},
		"a label":        &rsa.OAEPOptions{Hash: crypto.SHA256, Label: []byte("x")},
		"another MGF":    &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1},
		"SHA-1, another": &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA256},
	} {
		_, err := d.Decrypt(nil, ciphertext, opts)
		require.ErrorIs(t, err, kmscrypto.ErrRequest, name)
	}
	for _, n := range []int{0, 1, 255, 257} {
		_, err := d.Decrypt(nil, make([]byte, n), &rsa.OAEPOptions{Hash: crypto.SHA256})
		require.Equal(t, rsa.ErrDecryption, err, n)
	}
	require.Empty(t, f.inputs(), "refused before the network")
}

// Whatever is wrong with a ciphertext, the error is the same.
func TestDecryptFailuresAreFlat(t *testing.T) {
	t.Parallel()
	_, d := decrypting(t)
	ciphertext := seal(t, sha256.New(), d, []byte("secret"))
	opts := &rsa.OAEPOptions{Hash: crypto.SHA256}
	for i := range ciphertext {
		ciphertext[i] ^= 0x10
		_, err := d.Decrypt(nil, ciphertext, opts)
		require.Equal(t, rsa.ErrDecryption, err, "byte %d", i)
		ciphertext[i] ^= 0x10
	}
	_, err := d.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: crypto.SHA1})
	require.Equal(t, rsa.ErrDecryption, err)
	plaintext, err := d.Decrypt(nil, ciphertext, opts)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plaintext))
}

func TestDecryptResponsesAreChecked(t *testing.T) {
	t.Parallel()
	f, d := decrypting(t)
	ciphertext := seal(t, sha256.New(), d, []byte("secret"))
	for name, change := range map[string]func(*kms.DecryptOutput){
		"no key id":         func(o *kms.DecryptOutput) { o.KeyId = nil },
		"another key":       func(o *kms.DecryptOutput) { o.KeyId = ptr(otherARN) },
		"no algorithm":      func(o *kms.DecryptOutput) { o.EncryptionAlgorithm = "" },
		"another algorithm": func(o *kms.DecryptOutput) { o.EncryptionAlgorithm = types.EncryptionAlgorithmSpecRsaesOaepSha1 },
	} {
		var handedOut []byte
		f.answer = func(out any) error {
			o := out.(*kms.DecryptOutput)
			change(o)
			handedOut = o.Plaintext
			return nil
		}
		_, err := d.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: crypto.SHA256})
		require.ErrorIs(t, err, kmscrypto.ErrResponse, name)
		require.NotContains(t, err.Error(), "secret")
		require.Equal(t, make([]byte, 6), handedOut, "%s: what is refused is wiped", name)
	}
	m, err := kmscrypto.NewDecrypter(t.Context(), mute{newFake(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)}, keyARN, nil)
	require.NoError(t, err)
	_, err = m.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: crypto.SHA256})
	require.ErrorIs(t, err, kmscrypto.ErrResponse)
}

func TestErrorsOfDecrypt(t *testing.T) {
	t.Parallel()
	f, d := decrypting(t)
	ciphertext := seal(t, sha256.New(), d, []byte("secret"))
	opts := &rsa.OAEPOptions{Hash: crypto.SHA256}
	f.answer = func(any) error { return &types.KMSInvalidStateException{} }
	var state *types.KMSInvalidStateException
	_, err := d.Decrypt(nil, ciphertext, opts)
	require.ErrorAs(t, err, &state)
	require.NotErrorIs(t, err, rsa.ErrDecryption)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.WithContext(ctx).Decrypt(nil, ciphertext, opts)
	require.ErrorIs(t, err, context.Canceled)
	f.answer = nil
	_, err = d.Decrypt(nil, ciphertext, opts)
	require.NoError(t, err)
}
