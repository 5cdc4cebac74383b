package keyrecord_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

// TestSweepRecords pins the formats.
func TestSweepRecords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	deleted := &keyrecord.Deleted{Date: at, Removed: at.Add(24 * time.Hour)}
	b, err := deleted.Marshal()
	require.NoError(t, err)
	require.Equal(t, `{"v":1,"date":"2026-01-01T00:00:00Z","removed":"2026-01-02T00:00:00Z"}`, string(b))
	back, err := keyrecord.UnmarshalDeleted(b)
	require.NoError(t, err)
	require.Equal(t, deleted, back)

	sweep := &keyrecord.Sweep{Time: at, Trusted: true}
	b, err = sweep.Marshal()
	require.NoError(t, err)
	require.Equal(t, `{"v":1,"time":"2026-01-01T00:00:00Z","trusted":true}`, string(b))
	again, err := keyrecord.UnmarshalSweep(b)
	require.NoError(t, err)
	require.Equal(t, sweep, again)

	for _, bad := range []string{"", "[]", "{}", `{"v":2}`} {
		_, err := keyrecord.UnmarshalDeleted([]byte(bad))
		require.Error(t, err, bad)
		_, err = keyrecord.UnmarshalSweep([]byte(bad))
		require.Error(t, err, bad)
	}
}
