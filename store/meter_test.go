package store_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

func TestMeterKeys(t *testing.T) {
	t.Parallel()
	var m store.Meter
	for range 2 {
		for i := range store.MaxKeys {
			require.NoError(t, m.Read(strconv.Itoa(i)))
			require.NoError(t, m.Put(strconv.Itoa(i), nil))
			require.NoError(t, m.Delete(strconv.Itoa(i)))
		}
	}
	require.NoError(t, m.Err())
	require.ErrorIs(t, m.Read("one more"), store.ErrLimit)
	require.ErrorIs(t, m.Read("0"), store.ErrLimit, "the error stays")
	require.ErrorIs(t, m.Err(), store.ErrLimit)
}

func TestMeterBytes(t *testing.T) {
	t.Parallel()
	var m store.Meter
	require.NoError(t, m.Put("ab", make([]byte, store.MaxBytes-2)))
	require.NoError(t, m.Read("ab"))
	require.NoError(t, m.Read("c"))
	require.NoError(t, m.Delete("ab"))
	require.NoError(t, m.Put("cd", make([]byte, store.MaxBytes-4)), "a deletion counts its key")
	require.NoError(t, m.Err())
	require.ErrorIs(t, m.Delete("e"), store.ErrLimit)
	require.ErrorIs(t, m.Err(), store.ErrLimit)
}

func TestMeterKeyLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key string
		ok  bool
	}{
		{"", false}, {"k", true},
		{strings.Repeat("k", store.MaxKey), true}, {strings.Repeat("k", store.MaxKey+1), false},
	} {
		for name, use := range map[string]func(*store.Meter) error{
			"Read":   func(m *store.Meter) error { return m.Read(c.key) },
			"Put":    func(m *store.Meter) error { return m.Put(c.key, nil) },
			"Delete": func(m *store.Meter) error { return m.Delete(c.key) },
		} {
			var m store.Meter
			if err := use(&m); c.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, store.ErrLimit, "%s of a key of %d bytes", name, len(c.key))
			}
		}
	}
}

func TestMeterLeavesOutWhatIsReserved(t *testing.T) {
	t.Parallel()
	var m store.Meter
	for i := range store.MaxKeys {
		require.NoError(t, m.Read(strconv.Itoa(i)))
	}
	for i := range 4 {
		key := store.Reserved + strconv.Itoa(i)
		require.NoError(t, m.Read(key))
		require.NoError(t, m.Put(key, make([]byte, 8<<10)))
	}
	require.NoError(t, m.Put("0", make([]byte, store.MaxBytes-1)))
	require.ErrorIs(t, m.Put(store.Reserved+"4", nil), store.ErrLimit, "a fifth one")

	m = store.Meter{}
	require.NoError(t, m.Put("k", make([]byte, store.MaxBytes-1)))
	require.ErrorIs(t, m.Put(store.Reserved, make([]byte, 17<<10)), store.ErrLimit, "one that is large")
}
