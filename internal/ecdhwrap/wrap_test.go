package ecdhwrap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/stretchr/testify/require"
)

// The answer is that of OpenSSL 3: openssl kdf -keylen 64 -kdfopt mac:HMAC -kdfopt
// digest:SHA384 -kdfopt hexkey:0001…1f -kdfopt salt:fixed
// -kdfopt info:0123456789abcdef0123456789abcdef KBKDF.
func TestDerive(t *testing.T) {
	t.Parallel()
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(i)
	}
	commitment, wrapping := derive(secret, []byte("fixed"), []byte("0123456789abcdef0123456789abcdef"))
	require.Equal(t, unhex(t, "872324a43f13bafa990e23a670eed51ab29e6fff257cca19ff31c827ca9e5cf5"), commitment)
	require.Equal(t, unhex(t, "4e926af8b67ba07c6a5b52ea8b98756baaf8339cfd5ad72255ef911ea932ce50"), wrapping)
	require.Len(t, append(commitment, 0), 33)
	require.Equal(t, byte(0x4e), wrapping[0], "an append to the commitment wrote into the key")
}

func TestFixedInfo(t *testing.T) {
	t.Parallel()
	i := Info{Recipient: []byte("RR"), Sender: []byte("SS")}
	for n, name := range []string{"p256", "p384", "p521"} {
		require.Equal(t, "ecdh-key-derivation\x00"+name+"\x00HMAC_SHA384\x00SSRR\x00\x01\x00context",
			string(fixedInfo(&curves[n], i, []byte("context"))))
		require.Equal(t, "ecdh-key-derivation\x00"+name+"\x00HMAC_SHA384\x00SSRR\x00\x01\x00",
			string(fixedInfo(&curves[n], i, nil)))
	}
}

func TestWrapComesBack(t *testing.T) {
	eachCurve(t, func(t *testing.T, c *Curve) {
		i, secret := agreed(t, c)
		context := []byte("context")
		for n := range 40 {
			key := bytes.Repeat([]byte{byte(n)}, n)
			wrapped, err := Wrap(c, i, secret, context, key)
			require.NoError(t, err)
			require.Len(t, wrapped, 80+n)
			again, err := Wrap(c, i, secret, context, key)
			require.NoError(t, err)
			require.NotEqual(t, wrapped[:32], again[:32], "the same salt twice")
			got, err := Unwrap(c, i, secret, context, wrapped)
			require.NoError(t, err)
			require.True(t, bytes.Equal(key, got))
		}
	})
}

func TestUnwrapRefuses(t *testing.T) {
	eachCurve(t, func(t *testing.T, c *Curve) {
		i, secret := agreed(t, c)
		context, key := []byte("context"), bytes.Repeat([]byte{7}, 32)
		wrapped, err := Wrap(c, i, secret, context, key)
		require.NoError(t, err)
		refused := func(c *Curve, i Info, secret, context, wrapped []byte, what string, args ...any) {
			t.Helper()
			got, err := Unwrap(c, i, secret, context, wrapped)
			require.ErrorIs(t, err, ErrOpen, append([]any{what}, args...)...)
			require.Nil(t, got)
		}
		for bit := range 8 * len(wrapped) {
			bad := bytes.Clone(wrapped)
			bad[bit/8] ^= 1 << (bit % 8)
			refused(c, i, secret, context, bad, "bit %d", bit)
		}
		for n := range wrapped {
			refused(c, i, secret, context, wrapped[:n], "%d bytes", n)
		}
		refused(c, i, secret, context, append(bytes.Clone(wrapped), 0), "a byte more")
		refused(c, Info{Recipient: i.Sender, Sender: i.Recipient}, secret, context, wrapped, "parties exchanged")
		other, otherSecret := agreed(t, c)
		refused(c, Info{Recipient: other.Recipient, Sender: i.Sender}, secret, context, wrapped, "another recipient")
		refused(c, Info{Recipient: i.Recipient, Sender: other.Sender}, secret, context, wrapped, "another sender")
		refused(c, i, otherSecret, context, wrapped, "another secret")
		refused(c, i, secret, nil, wrapped, "no context")
		refused(c, i, secret, []byte("Context"), wrapped, "another context")
		for n := range curves {
			if &curves[n] != c {
				refused(&curves[n], i, secret, context, wrapped, "another curve")
			}
		}
	})
}

// A wrapped key that AES-GCM takes does not open without the commitment to its
// wrapping key: two recipients could otherwise be sent different keys in one.
func TestCommitmentIsChecked(t *testing.T) {
	eachCurve(t, func(t *testing.T, c *Curve) {
		i, secret := agreed(t, c)
		salt, key := make([]byte, saltLen), bytes.Repeat([]byte{7}, 32)
		fixed := fixedInfo(c, i, nil)
		commitment, wrapping := derive(secret, fixed, salt)
		block, err := aes.NewCipher(wrapping)
		require.NoError(t, err)
		gcm, err := cipher.NewGCM(block)
		require.NoError(t, err)
		sealed := gcm.Seal(nil, make([]byte, 12), key, fixed)
		good := bytes.Join([][]byte{salt, commitment, sealed}, nil)
		got, err := Unwrap(c, i, secret, nil, good)
		require.NoError(t, err)
		require.Equal(t, key, got)
		for _, other := range [][]byte{make([]byte, 32), wrapping, append([]byte{commitment[0] ^ 1}, commitment[1:]...)} {
			_, err = Unwrap(c, i, secret, nil, bytes.Join([][]byte{salt, other, sealed}, nil))
			require.ErrorIs(t, err, ErrOpen)
		}
	})
}

func TestInputsAreKept(t *testing.T) {
	t.Parallel()
	c := &curves[0]
	i, secret := agreed(t, c)
	context, key := []byte("context"), bytes.Repeat([]byte{7}, 32)
	inputs := [][]byte{i.Recipient, i.Sender, secret, context, key}
	before := make([][]byte, len(inputs))
	for n, b := range inputs {
		before[n] = bytes.Clone(b)
	}
	wrapped, err := Wrap(c, i, secret, context, key)
	require.NoError(t, err)
	kept := bytes.Clone(wrapped)
	got, err := Unwrap(c, i, secret, context, wrapped)
	require.NoError(t, err)
	clear(got)
	require.Equal(t, before, inputs)
	require.Equal(t, kept, wrapped)
}
