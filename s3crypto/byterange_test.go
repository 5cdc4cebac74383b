package s3crypto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRange reads ranges: what is accepted is written the same, up to leading zeros, and
// lies within whatever it is a range of.
func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-0", "bytes=1-", "bytes=-1", "bytes=007-9", "bytes=9223372036854775807-9223372036854775807", "bytes=1-2,3-4", ""} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, n int64) {
		r, err := parseRange(header)
		if err != nil || n < 0 {
			return
		}
		again, err := parseRange(r.String())
		require.NoError(t, err)
		require.Equal(t, r, again)
		for _, r := range []byteRange{r, r.withTag()} {
			first, end := r.of(n)
			require.GreaterOrEqual(t, first, int64(0))
			require.GreaterOrEqual(t, end, first)
			require.True(t, end <= n || end == first)
		}
	})
}

// FuzzContentRange reads Content-Range headers: what is accepted is a range that is not
// empty.
func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-0/1", "bytes 1-2/3", "bytes 0-9223372036854775806/9223372036854775807", "bytes */5", "bytes 1-2/*", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		first, end, n, err := parseContentRange(header)
		if err != nil {
			require.ErrorIs(t, err, ErrResponse)
			return
		}
		require.True(t, 0 <= first && first < end && end <= n)
	})
}
