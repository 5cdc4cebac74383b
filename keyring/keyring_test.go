package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

var errFake = errors.New("fake failure")

func TestWrapGeneratesThroughTheSystem(t *testing.T) {
	t.Parallel()
	for _, s := range keyring.Suites() {
		m := encryption(t, s)
		var seen []byte
		wrap := func(_ context.Context, key []byte) (keyring.EncryptedDataKey, error) {
			seen = bytes.Clone(key)
			return edk("wrapped"), nil
		}
		require.NoError(t, keyring.Wrap(t.Context(), m, wrap, nil))
		require.Equal(t, seen, m.DataKey())
		require.Len(t, seen, s.DataKeyLen())
		require.NotEqual(t, make([]byte, len(seen)), seen)
		require.Equal(t, []keyring.EncryptedDataKey{edk("wrapped")}, m.EncryptedDataKeys())
	}
}

func TestWrapKeepsADataKey(t *testing.T) {
	t.Parallel()
	m := encryption(t, unsigned)
	key := bytes.Repeat([]byte{5}, 32)
	require.NoError(t, m.SetDataKey(key))
	generate := func(context.Context, int) ([]byte, keyring.EncryptedDataKey, error) {
		panic("generated although there is a data key")
	}
	for _, info := range []string{"one", "two"} {
		require.NoError(t, keyring.Wrap(t.Context(), m, func(_ context.Context, k []byte) (keyring.EncryptedDataKey, error) {
			require.Equal(t, key, k)
			return edk(info), nil
		}, generate))
	}
	require.Equal(t, key, m.DataKey())
	require.Equal(t, []keyring.EncryptedDataKey{edk("one"), edk("two")}, m.EncryptedDataKeys())

	err := keyring.Wrap(t.Context(), m, func(context.Context, []byte) (keyring.EncryptedDataKey, error) {
		return keyring.EncryptedDataKey{}, errFake
	}, generate)
	require.ErrorIs(t, err, errFake)
	err = keyring.Wrap(t.Context(), m, func(context.Context, []byte) (keyring.EncryptedDataKey, error) {
		return keyring.EncryptedDataKey{Info: make([]byte, 65536)}, nil
	}, generate)
	require.ErrorIs(t, err, keyring.ErrMaterials)
	require.Len(t, m.EncryptedDataKeys(), 2)
}

// Whatever generate returns is wiped, and only a whole success shows in the materials.
func TestWrapOwnsWhatIsGenerated(t *testing.T) {
	t.Parallel()
	long := keyring.EncryptedDataKey{Ciphertext: make([]byte, 65536)}
	for _, c := range []struct {
		name    string
		length  int
		wrapped keyring.EncryptedDataKey
		err     error
		want    error
	}{
		{"success", 32, edk("x"), nil, nil},
		{"failure", 32, edk("x"), errFake, errFake},
		{"short", 31, edk("x"), nil, keyring.ErrMaterials},
		{"no data key", 0, edk("x"), nil, keyring.ErrMaterials},
		{"too long an encrypted data key", 32, long, nil, keyring.ErrMaterials},
	} {
		m := encryption(t, unsigned)
		key := bytes.Repeat([]byte{9}, c.length)
		err := keyring.Wrap(t.Context(), m, nil, func(_ context.Context, n int) ([]byte, keyring.EncryptedDataKey, error) {
			require.Equal(t, 32, n)
			return key, c.wrapped, c.err
		})
		require.Equal(t, make([]byte, c.length), key, c.name)
		if c.want == nil {
			require.NoError(t, err)
			require.Equal(t, bytes.Repeat([]byte{9}, 32), m.DataKey())
			continue
		}
		require.ErrorIs(t, err, c.want, c.name)
		require.False(t, m.HasDataKey(), c.name)
		require.Empty(t, m.EncryptedDataKeys(), c.name)
	}
}

func TestUnwrapTakesTheFirstThatOpens(t *testing.T) {
	t.Parallel()
	keys := []keyring.EncryptedDataKey{edk("foreign"), edk("broken"), edk("short"), edk("good"), edk("not reached")}
	var tried []string
	opened := bytes.Repeat([]byte{3}, 32)
	match := func(k keyring.EncryptedDataKey) bool { return string(k.Info) != "foreign" }
	unwrap := func(_ context.Context, k keyring.EncryptedDataKey) ([]byte, error) {
		tried = append(tried, string(k.Info))
		switch string(k.Info) {
		case "broken":
			return nil, errFake
		case "short":
			return make([]byte, 16), nil
		}
		return opened, nil
	}
	d := decryption(t, encryption(t, unsigned))
	require.NoError(t, keyring.Unwrap(t.Context(), d, keys, match, unwrap))
	require.Equal(t, []string{"broken", "short", "good"}, tried)
	require.Equal(t, bytes.Repeat([]byte{3}, 32), d.DataKey())
	require.Equal(t, make([]byte, 32), opened, "what unwrap returned is wiped")

	require.ErrorIs(t, keyring.Unwrap(t.Context(), d, keys, match, unwrap), keyring.ErrMaterials)
	require.Len(t, tried, 3)
}

func TestUnwrapReportsEveryAttempt(t *testing.T) {
	t.Parallel()
	keys := []keyring.EncryptedDataKey{edk("broken"), edk("foreign"), edk("short")}
	d := decryption(t, encryption(t, unsigned))
	err := keyring.Unwrap(t.Context(), d, keys,
		func(k keyring.EncryptedDataKey) bool { return string(k.Info) != "foreign" },
		func(_ context.Context, k keyring.EncryptedDataKey) ([]byte, error) {
			if string(k.Info) == "broken" {
				return nil, errFake
			}
			return make([]byte, 16), nil
		})
	var none *keyring.NoMatchError
	require.ErrorAs(t, err, &none)
	require.ErrorIs(t, err, keyring.ErrNoMatch)
	require.ErrorIs(t, err, errFake)
	require.ErrorIs(t, err, keyring.ErrMaterials)
	require.NotErrorIs(t, err, keyring.ErrUnwrap)
	require.Len(t, none.Attempts, 2)
	require.Equal(t, "broken", string(none.Attempts[0].Info))
	require.Equal(t, "short", string(none.Attempts[1].Info))
	require.Contains(t, err.Error(), `"test" "broken": fake failure`)
	require.False(t, d.HasDataKey())

	keys[0].Info[0] = 'X' // the error has its own copy
	require.Equal(t, "broken", string(none.Attempts[0].Info))

	err = keyring.Unwrap(t.Context(), d, keys, func(keyring.EncryptedDataKey) bool { return false }, nil)
	none = nil
	require.ErrorAs(t, err, &none)
	require.Empty(t, none.Attempts)
	require.ErrorIs(t, err, keyring.ErrNoMatch)
	require.Contains(t, err.Error(), "none is addressed")
}

func TestWrapAndUnwrapEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	d := decryption(t, encryption(t, unsigned))
	all := func(keyring.EncryptedDataKey) bool { return true }
	err := keyring.Unwrap(ctx, d, []keyring.EncryptedDataKey{edk("one"), edk("two")}, all,
		func(context.Context, keyring.EncryptedDataKey) ([]byte, error) {
			calls++
			cancel()
			return nil, errFake // not ctx's error: it may be another that ended the call
		})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, calls)

	last, end := context.WithCancel(t.Context())
	err = keyring.Unwrap(last, d, []keyring.EncryptedDataKey{edk("last")}, all,
		func(ctx context.Context, _ keyring.EncryptedDataKey) ([]byte, error) {
			end()
			return nil, fmt.Errorf("call: %w", ctx.Err())
		})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, keyring.ErrNoMatch)
	require.ErrorContains(t, err, "call: ")

	m := encryption(t, unsigned)
	err = keyring.Wrap(ctx, m, func(context.Context, []byte) (keyring.EncryptedDataKey, error) {
		calls++
		return edk("x"), nil
	}, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, calls)
	require.False(t, m.HasDataKey())
}

func TestCloneIsDeep(t *testing.T) {
	t.Parallel()
	k := edk("info")
	c := k.Clone()
	c.Info[0], c.Ciphertext[0] = 'X', 'X'
	require.Equal(t, edk("info"), k)
}
