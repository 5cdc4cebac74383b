package cache

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// shift moves the monotonic half of a time by d and leaves the wall clock's: it stands
// second in the struct. Nothing else makes times whose halves disagree, as they do
// after a machine has slept or its clock was set.
func shift(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	wall, later := at.Round(0), at.Add(time.Hour)
	*(*int64)(unsafe.Add(unsafe.Pointer(&at), 8)) += int64(d)
	require.True(t, at.Round(0).Equal(wall))
	require.Equal(t, time.Hour-d, later.Sub(at))
	return at
}

func TestPassedByEitherClock(t *testing.T) {
	t.Parallel()
	loaded := time.Now()
	for name, c := range map[string]struct {
		now    time.Time
		passed bool
	}{
		"both are early":                    {loaded.Add(time.Minute - 1), false},
		"both are late":                     {loaded.Add(time.Minute), true},
		"the monotonic clock stood still":   {shift(t, loaded.Add(time.Minute), -time.Minute), true},
		"the wall clock was set back":       {shift(t, loaded.Add(-time.Hour), time.Hour+time.Minute), true},
		"the wall clock was set back a bit": {shift(t, loaded, time.Minute-1), false},
	} {
		require.Equal(t, c.passed, Passed(loaded.Add(time.Minute), c.now), name)
	}
}
