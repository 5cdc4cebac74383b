package envelope

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// laxManager drops what the caller requires of the context.
type laxManager struct{ keyring.Manager }

func (m laxManager) DecryptionMaterials(ctx context.Context, r keyring.DecryptionRequest) (*keyring.DecryptionMaterials, error) {
	r.Reproduced = nil
	return m.Manager.DecryptionMaterials(ctx, r)
}

func TestRequiredContextIsNotLeftToTheManager(t *testing.T) {
	t.Parallel()
	m := aesManager(t)
	message, err := Encrypt(t.Context(), m, []byte("secret"), &EncryptOptions{Context: keyring.EncryptionContext{"tenant": "1"}})
	require.NoError(t, err)
	for _, required := range []keyring.EncryptionContext{{"tenant": "2"}, {"other": ""}, {"tenant": "1", "other": ""}} {
		plaintext, _, err := Decrypt(t.Context(), laxManager{m}, message, &DecryptOptions{Context: required})
		require.ErrorIs(t, err, keyring.ErrEncryptionContext)
		require.Nil(t, plaintext)
		_, err = NewReader(t.Context(), bytes.NewReader(message), laxManager{m}, &DecryptOptions{Context: required})
		require.ErrorIs(t, err, keyring.ErrEncryptionContext)
	}
	_, _, err = Decrypt(t.Context(), laxManager{m}, message, &DecryptOptions{Context: keyring.EncryptionContext{"tenant": "1"}})
	require.NoError(t, err)
}

// zeroManager returns materials that no constructor has made.
type zeroManager struct{}

func (zeroManager) EncryptionMaterials(context.Context, keyring.EncryptionRequest) (*keyring.EncryptionMaterials, error) {
	return &keyring.EncryptionMaterials{}, nil
}

func (zeroManager) DecryptionMaterials(context.Context, keyring.DecryptionRequest) (*keyring.DecryptionMaterials, error) {
	return &keyring.DecryptionMaterials{}, nil
}

func TestZeroMaterialsAreRefused(t *testing.T) {
	t.Parallel()
	_, err := Encrypt(t.Context(), zeroManager{}, nil, nil)
	require.ErrorIs(t, err, keyring.ErrMaterials)
	message, err := Encrypt(t.Context(), aesManager(t), nil, nil)
	require.NoError(t, err)
	_, _, err = Decrypt(t.Context(), zeroManager{}, message, nil)
	require.ErrorIs(t, err, keyring.ErrMaterials)
}

// TestBitFlipsWithARealKeyring: where the keyring authenticates the data key and the
// context, a flip there is refused before the message's own checks.
func TestBitFlipsWithARealKeyring(t *testing.T) {
	t.Parallel()
	m := aesManager(t)
	for _, s := range []Suite{keyring.AES256GCMHKDFSHA512CommitKey, keyring.AES256GCMHKDFSHA256} {
		message, err := Encrypt(t.Context(), m, []byte("secret"), write(s, 0))
		require.NoError(t, err)
		classes := map[error]int{}
		for i := range 8 * len(message) {
			flipped := bytes.Clone(message)
			flipped[i/8] ^= 1 << (i % 8)
			plaintext, _, err := Decrypt(t.Context(), m, flipped, readAll())
			require.Nil(t, plaintext)
			class := error(nil)
			for _, c := range []error{ErrAuth, ErrMalformed, ErrUnsupported, ErrTruncated, ErrTrailingData, ErrLimit, keyring.ErrNoMatch, keyring.ErrEncryptionContext} {
				if errors.Is(err, c) {
					class = c
				}
			}
			require.NotNil(t, class, "bit %d: %v", i, err)
			classes[class]++
		}
		require.Positive(t, classes[ErrAuth])
		require.Positive(t, classes[keyring.ErrNoMatch])
	}
}

func TestHeaderOfAReaderIsNotObeyed(t *testing.T) {
	t.Parallel()
	message, err := Encrypt(t.Context(), aesManager(t), counted(100), &EncryptOptions{FrameLength: 64})
	require.NoError(t, err)
	for _, n := range []uint32{0, 5, 1 << 31} {
		r, err := NewReader(t.Context(), bytes.NewReader(message), aesManager(t), nil)
		require.NoError(t, err)
		r.Header().FrameLength = n
		var out bytes.Buffer
		_, err = r.WriteTo(&out)
		require.NoError(t, err)
		require.Equal(t, counted(100), out.Bytes())
	}
}

func TestPrintingShowsNoPlaintext(t *testing.T) {
	t.Parallel()
	secret := []byte("attack at dawn")
	w, err := NewWriter(t.Context(), &bytes.Buffer{}, aesManager(t), nil)
	require.NoError(t, err)
	_, err = w.Write(secret)
	require.NoError(t, err)
	message, err := Encrypt(t.Context(), aesManager(t), secret, nil)
	require.NoError(t, err)
	r, err := NewReader(t.Context(), bytes.NewReader(message), aesManager(t), nil)
	require.NoError(t, err)
	_, err = r.Read(make([]byte, 1))
	require.NoError(t, err)
	for _, v := range []any{w, r} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			require.Contains(t, text, "ALG_AES_256_GCM")
			require.NotContains(t, text, "dawn")
			require.NotContains(t, text, fmt.Sprintf("%x", secret[4:]))
			require.NotContains(t, text, "116 116 97 99 107") // "ttack"
		}
	}
}
