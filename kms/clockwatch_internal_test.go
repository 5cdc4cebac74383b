package kms

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

// TestClockWatch walks through the lives of a process: each step is a sweep.
func TestClockWatch(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	const never = 1 << 62
	type step struct {
		up, wall time.Duration // since the start, of either clock
		swept    time.Duration // what the store says, since the start by the clock of the first step
		left     time.Duration // until the clock is trusted
	}
	const h, m = time.Hour, time.Minute
	for name, steps := range map[string][]step{
		"a new store":                   {{0, 0, never, h}, {h - 1, h - 1, 0, 1}, {h, h, h - 1, 0}, {2 * h, 2 * h, h, 0}},
		"swept late for the first time": {{3 * h, 3 * h, never, 0}},
		"swept an hour ago":             {{0, 0, -h, 0}, {m, m, 0, 0}},
		"swept long ago":                {{0, 0, -h - 1, h}, {30 * m, 30 * m, 0, 30 * m}, {h, h, 30 * m, 0}},
		"swept before a start":          {{10 * m, 10 * m, -50 * m, 0}},
		"swept in the future":           {{0, 0, m + 1, h}, {h, h, 0, 0}},
		"swept in the next minute":      {{0, 0, m, 0}},
		"set forward":                   {{0, 0, 0, 0}, {m, h + m + 1, 0, h}, {h, 2*h + 1, h + m + 1, m}, {h + m, 2*h + m + 1, 2*h + 1, 0}},
		"gains an hour at most":         {{0, 0, 0, 0}, {m, h + m, 0, 0}, {2 * m, h + 2*m, h + m, 0}},
		"gains more bit by bit":         {{0, 0, 0, 0}, {m, h, 0, 0}, {2 * m, h + 2*m + 1, h, h}},
		"set back":                      {{0, 0, 0, 0}, {h, h - m - 1, 0, h}, {2 * h, 2*h - m - 1, h - m - 1, 0}},
		"set back a little":             {{0, 0, 0, 0}, {h, h - m, 0, 0}},
		"set again in the trial":        {{0, 0, 0, 0}, {m, 3 * h, 0, h}, {2 * m, 2 * m, 3 * h, h}, {h, h, 2 * m, 2 * m}, {h + 2*m, h + 2*m, h, 0}},
		"another's clock is ahead":      {{0, 0, 0, 0}, {m, m, 3 * m, h}, {h + m, h + m, 3 * h, h}, {2*h + m, 2*h + m, h + m, 0}},
		"another's clock is behind":     {{0, 0, 0, 0}, {m, m, -2 * m, h}, {h + m, h + m, -h, h}, {2*h + m, 2*h + m, 2 * h, 0}},
		"others sweep too":              {{0, 0, 0, 0}, {h, h, 50 * m, 0}, {2 * h, 2 * h, 2*h + m, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, up := start, time.Duration(0)
			w := newClockWatch(Config{Now: func() time.Time { return now }, Uptime: func() time.Duration { return up }})
			for i, s := range steps {
				now, up = start.Add(s.wall), s.up
				last := keyrecord.Sweep{Trusted: true}
				if s.swept != never {
					last.Time = start.Add(s.swept)
				}
				require.Equal(t, s.left, w.look(now, last), "step %d", i)
			}
		})
	}
}

// TestClockWatchOfDoubt: a sweep by a service that did not trust its clock vouches for
// nothing, and takes no trust away either.
func TestClockWatchOfDoubt(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	look := func(before keyrecord.Sweep) (first, second time.Duration) {
		now, up := start, time.Duration(0)
		w := newClockWatch(Config{Now: func() time.Time { return now }, Uptime: func() time.Duration { return up }})
		first = w.look(now, before)
		now, up = start.Add(time.Minute), time.Minute
		return first, w.look(now, keyrecord.Sweep{Time: start})
	}
	first, second := look(keyrecord.Sweep{Time: start})
	require.Equal(t, time.Hour, first)
	require.Equal(t, 59*time.Minute, second)
	first, second = look(keyrecord.Sweep{Time: start, Trusted: true})
	require.Zero(t, first)
	require.Zero(t, second)
}

// TestClockWatchWithoutUptime takes the clock of a test for one that is never set, and the
// runtime's for what it is.
func TestClockWatchWithoutUptime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	w := newClockWatch(Config{Now: func() time.Time { return now }})
	now = now.AddDate(0, 1, 0)
	require.Zero(t, w.look(now, keyrecord.Sweep{}))

	w = newClockWatch(Config{})
	require.Greater(t, w.look(time.Now(), keyrecord.Sweep{}), 59*time.Minute)
	require.Equal(t, clockTrial, w.look(time.Now().Add(2*time.Hour), keyrecord.Sweep{}))
}
