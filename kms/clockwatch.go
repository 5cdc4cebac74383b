package kms

import (
	"time"

	"github.com/sealring/sealring/internal/keyrecord"
)

// How far the clock may be from what is expected of it. Whoever keeps it right sets it back
// by little.
const (
	clockAhead  = time.Hour
	clockBehind = time.Minute
)

// clockTrial is how long a clock that may have been set has to run before it is trusted.
const clockTrial = time.Hour

// clockWatch decides whether the clock can be trusted with what cannot be undone. It is
// compared with the time that has passed in this process, and with what the sweeps of all
// services on the store have seen.
type clockWatch struct {
	uptime func() time.Duration

	wall    time.Time     // what the clock said
	up      time.Duration // when the uptime was this
	trusted bool
	last    time.Time // what the clock said at the service's last sweep; zero before the first
}

func newClockWatch(c Config) clockWatch {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	w := clockWatch{uptime: c.Uptime, wall: now()}
	if w.uptime == nil {
		start := w.wall // with its reading of the monotonic clock, if Now is time.Now
		w.uptime = func() time.Duration { return now().Sub(start) }
	}
	w.wall, w.up = w.wall.Round(0), w.uptime()
	return w
}

// look compares the clock with what is expected. last is the last sweep of the store, with
// no time if there was none. It returns for how long yet the clock is not trusted.
//
// A clock that agrees with that of a sweep is only as good: two processes that are started
// one after the other on a machine whose clock is wrong agree.
func (w *clockWatch) look(now time.Time, last keyrecord.Sweep) time.Duration {
	swept := last.Time
	now = now.Round(0)
	up := w.uptime()
	passed := up - w.up
	set := !between(now, w.wall.Add(passed), w.wall.Add(passed))
	switch {
	case swept.IsZero():
	case w.last.IsZero(): // how long nobody has swept is not known
		set = set || now.Before(swept.Add(-clockBehind))
		w.trusted = w.trusted || last.Trusted && between(now, swept, swept.Add(passed))
	default: // another service's clock does not agree with this one
		set = set || now.Before(swept.Add(-clockBehind)) || swept.Before(w.last.Add(-clockBehind))
	}
	if set {
		w.wall, w.up, w.trusted = now, up, false
	}
	w.last = now
	if left := clockTrial - (up - w.up); !w.trusted && left > 0 {
		return left
	}
	w.trusted = true
	return 0
}

// between reports whether now is what is expected of a clock that says from at least and to
// at most.
func between(now, from, to time.Time) bool {
	return !now.Before(from.Add(-clockBehind)) && !now.After(to.Add(clockAhead))
}
