package kvstore

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring/branchkey"
)

// What is read from a record is what would be written into one again.
func FuzzParseRecord(f *testing.F) {
	seed, err := appendRecord(branchkey.Item{Attributes: map[string]string{"type": "x", "a": ""}, Ciphertext: []byte("c")})
	require.NoError(f, err)
	f.Add(seed)
	f.Add([]byte{1, 0, 0})
	f.Add([]byte{1, 255, 255})
	f.Add([]byte{1, 0, 0, 255, 255, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		item, err := parseRecord(b)
		if err != nil {
			require.ErrorIs(t, err, ErrRecord)
			return
		}
		again, err := appendRecord(item)
		require.NoError(t, err)
		back, err := parseRecord(again)
		require.NoError(t, err)
		require.Equal(t, item.Ciphertext, back.Ciphertext)
		require.True(t, maps.Equal(item.Attributes, back.Attributes))
	})
}
