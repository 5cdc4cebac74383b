package endpoint

import (
	"sync"
	"time"
)

// maxDue bounds the principals in either map of a rateLimiter. That more of them
// make requests within one refill is not expected; if they do, those who made
// theirs the longest ago get a full bucket early.
const maxDue = 1 << 16

// A rateLimiter is a token bucket for each principal. A bucket is one time, as in
// the generic cell rate algorithm: when it would be full if nothing more were taken.
type rateLimiter struct {
	interval time.Duration // one token
	refill   time.Duration // a whole bucket of them

	mu sync.Mutex
	// recent has the principals that took a token since the time since, and older
	// those of the time before that. Whoever has taken none for a whole refill has a
	// full bucket, like somebody new, so their entries can be dropped.
	recent, older map[principal]time.Time // guarded by mu
	since         time.Time               // guarded by mu
}

// newRateLimiter returns nil, which allows everything, if the limits have no rate.
func newRateLimiter(l Limits) *rateLimiter {
	if l.Rate == 0 {
		return nil
	}
	interval := max(1, time.Duration(float64(time.Second)/l.Rate))
	return &rateLimiter{
		interval: interval,
		refill:   interval * time.Duration(l.Burst),
		recent:   map[principal]time.Time{},
	}
}

// allow takes a token out of p's bucket at the time now. It reports false if there
// is none.
func (l *rateLimiter) allow(p principal, now time.Time) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= l.refill || len(l.recent) >= maxDue {
		l.older, l.recent, l.since = l.recent, map[principal]time.Time{}, now
	}
	full, ok := l.recent[p]
	if !ok {
		full = l.older[p]
	}
	if full.Before(now) {
		full = now
	}
	full = full.Add(l.interval)
	if full.Sub(now) > l.refill {
		return false
	}
	l.recent[p] = full
	return true
}
