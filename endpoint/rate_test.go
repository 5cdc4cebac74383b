package endpoint

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newTestLimiter(t testing.TB, rate float64, burst int) *rateLimiter {
	t.Helper()
	l, err := Limits{Rate: rate, Burst: burst}.withDefaults()
	require.NoError(t, err)
	return newRateLimiter(l)
}

func TestRateLimiter(t *testing.T) {
	t.Parallel()
	l := newTestLimiter(t, 10, 3)
	ann, bob := principal{"1", "ann"}, principal{"1", "bob"}
	now := signingTime
	take := func(p principal) bool { return l.allow(p, now) }
	takeThree := func() {
		t.Helper()
		for range 3 {
			require.True(t, take(ann))
		}
	}
	takeThree()
	require.False(t, take(ann))
	require.True(t, take(bob), "everybody has a bucket of their own")
	require.True(t, take(principal{"2", "ann"}), "in every account")

	now = now.Add(100*time.Millisecond - 1)
	require.False(t, take(ann), "the next token is not there yet")
	now = now.Add(1)
	require.True(t, take(ann))
	require.False(t, take(ann), "there was one only")

	now = now.Add(-time.Hour)
	require.False(t, take(ann), "a clock that is set back gives nothing")
	now = now.Add(25 * time.Hour)
	takeThree()
	require.False(t, take(ann), "a day saves up no more than the burst")
}

func TestNoRateIsNoLimit(t *testing.T) {
	t.Parallel()
	l := newTestLimiter(t, 0, 0)
	require.Nil(t, l)
	for range 1000 {
		require.True(t, l.allow(principal{}, signingTime))
	}
}

func TestDefaultBurst(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]int{0.001: 1, 0.5: 1, 1: 1, 1.5: 1, 20: 20, 5500: 5500, 1e12: math.MaxInt32} {
		l, err := Limits{Rate: rate}.withDefaults()
		require.NoError(t, err)
		require.Equal(t, want, l.Burst, "%v", rate)
		require.True(t, newRateLimiter(l).allow(principal{}, signingTime), "%v", rate)
	}
}

// TestRateLimiterAgainstBuckets holds the limiter, which forgets who has a full
// bucket, against buckets that remember everybody.
func TestRateLimiterAgainstBuckets(t *testing.T) {
	t.Parallel()
	type bucket struct {
		level time.Duration // of time saved up
		last  time.Time
	}
	rng := rand.New(rand.NewPCG(9, 10))
	for _, burst := range []int{1, 2, 7} {
		const interval = 50 * time.Millisecond
		l := newTestLimiter(t, 20, burst)
		full := interval * time.Duration(burst)
		buckets := map[principal]*bucket{}
		now, allowed := signingTime, 0
		for i := range 20000 {
			now = now.Add(time.Duration(rng.Int64N(int64(interval) / 8)))
			if rng.IntN(200) == 0 {
				now = now.Add(time.Duration(rng.Int64N(int64(4 * full))))
			}
			p := principal{"1", fmt.Sprint(rng.IntN(6))}
			b := buckets[p]
			if b == nil {
				b = &bucket{full, now}
				buckets[p] = b
			}
			b.level, b.last = min(full, b.level+now.Sub(b.last)), now
			want := b.level >= interval
			if want {
				b.level -= interval
				allowed++
			}
			require.Equal(t, want, l.allow(p, now), "step %d", i)
		}
		require.Greater(t, allowed, 1000)
		require.Less(t, allowed, 19000, "some were refused")
	}
}

func TestRateLimiterMemory(t *testing.T) {
	t.Parallel()
	l := newTestLimiter(t, 1, 10)
	for i := range 3 * maxDue {
		require.True(t, l.allow(principal{"1", fmt.Sprint(i)}, signingTime))
	}
	require.LessOrEqual(t, len(l.recent)+len(l.older), 2*maxDue, "at one moment")

	now := signingTime
	for range 3 {
		now = now.Add(10 * time.Second)
		l.allow(principal{"1", "last"}, now)
	}
	require.LessOrEqual(t, len(l.recent)+len(l.older), 2, "those whose buckets are full again are forgotten")
}
