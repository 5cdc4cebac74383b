package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/cache"
)

// lasting returns a load of v that does not expire in any test.
func lasting(v string) cache.Load[string] {
	return func(context.Context) (string, time.Time, error) { return v, time.Now().Add(time.Hour), nil }
}

// get returns the value of key and whether it was a hit.
func get(t *testing.T, c *cache.Cache[string, string], key string, load cache.Load[string]) (string, bool) {
	t.Helper()
	e, hit, err := c.Get(t.Context(), key, load)
	require.NoError(t, err)
	defer e.Release()
	return e.Value(), hit
}

// dropped collects what a cache drops.
type dropped struct {
	mu     sync.Mutex
	values []string
}

func (d *dropped) add(v string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.values = append(d.values, v)
}

func (d *dropped) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.values...)
}

func TestGetLoadsOnce(t *testing.T) {
	t.Parallel()
	c := cache.New[string, string](2, nil)
	v, hit := get(t, c, "a", lasting("1"))
	require.Equal(t, "1", v)
	require.False(t, hit)
	v, hit = get(t, c, "a", func(context.Context) (string, time.Time, error) { panic("loaded again") })
	require.Equal(t, "1", v)
	require.True(t, hit)
	require.Equal(t, cache.Stats{Hits: 1, Misses: 1, Loads: 1, Entries: 1}, c.Stats())
}

func TestLookupLoadsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cache.New[string, string](1, nil)
		require.Nil(t, c.Lookup("a"))
		get(t, c, "a", lasting("1"))
		e := c.Lookup("a")
		require.Equal(t, "1", e.Value())
		e.Release()
		require.Equal(t, cache.Stats{Hits: 1, Misses: 1, Loads: 1, Entries: 1}, c.Stats())
		time.Sleep(time.Hour)
		require.Nil(t, c.Lookup("a"))
		require.Equal(t, cache.Stats{Hits: 1, Misses: 1, Loads: 1, Expirations: 1}, c.Stats())
	})
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	t.Parallel()
	var d dropped
	c := cache.New[string, string](2, d.add)
	get(t, c, "a", lasting("1"))
	get(t, c, "b", lasting("2"))
	get(t, c, "a", lasting("-"))
	get(t, c, "c", lasting("3")) // in place of b
	require.Equal(t, []string{"2"}, d.all())
	_, hit := get(t, c, "a", lasting("-"))
	require.True(t, hit)
	_, hit = get(t, c, "b", lasting("4")) // in place of c
	require.False(t, hit)
	require.Equal(t, []string{"2", "3"}, d.all())
	require.Equal(t, cache.Stats{Hits: 2, Misses: 4, Loads: 4, Evictions: 2, Entries: 2}, c.Stats())
}

func TestFailedLoadIsNotKept(t *testing.T) {
	t.Parallel()
	c := cache.New[string, string](1, func(string) { panic("there is nothing to drop") })
	want := errors.New("out of order")
	_, _, err := c.Get(t.Context(), "a", func(context.Context) (string, time.Time, error) {
		return "", time.Now().Add(time.Hour), want
	})
	require.ErrorIs(t, err, want)
	_, hit := get(t, c, "a", lasting("1"))
	require.False(t, hit)
	require.Equal(t, cache.Stats{Misses: 2, Loads: 2, Failures: 1, Entries: 1}, c.Stats())
}

func TestExpiredIsNeverReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d dropped
		c := cache.New[string, string](4, d.add)
		minute := func(v string) cache.Load[string] {
			return func(context.Context) (string, time.Time, error) { return v, time.Now().Add(time.Minute), nil }
		}
		get(t, c, "a", minute("1"))
		time.Sleep(time.Minute - 1)
		_, hit := get(t, c, "a", minute("-"))
		require.True(t, hit, "a nanosecond before its time")
		time.Sleep(time.Nanosecond)
		v, hit := get(t, c, "a", minute("2"))
		require.False(t, hit, "at its time")
		require.Equal(t, "2", v)
		require.Equal(t, []string{"1"}, d.all())
		require.Equal(t, cache.Stats{Hits: 1, Misses: 2, Loads: 2, Expirations: 1, Entries: 1}, c.Stats())
	})
}

func TestExpiredIsDroppedWithoutBeingAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d dropped
		c := cache.New[string, string](4, d.add)
		for i, age := range []time.Duration{3 * time.Minute, time.Minute, time.Minute + 1, 10 * time.Millisecond} {
			get(t, c, fmt.Sprint(i), func(context.Context) (string, time.Time, error) {
				return fmt.Sprint(i), time.Now().Add(age), nil
			})
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		require.ElementsMatch(t, []string{"0", "1", "2", "3"}, d.all())
		require.Equal(t, cache.Stats{Misses: 4, Loads: 4, Expirations: 4}, c.Stats())

		get(t, c, "0", lasting("again")) // the sweeper starts anew
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Zero(t, c.Stats().Entries)
	})
}

// A value that expires soon is dropped then, though the cache holds others that last.
func TestExpiredIsDroppedInTimeBesideWhatLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d dropped
		c := cache.New[string, string](4, d.add)
		get(t, c, "long", lasting("long"))
		get(t, c, "short", func(context.Context) (string, time.Time, error) {
			return "short", time.Now().Add(time.Minute), nil
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"short"}, d.all())
		time.Sleep(time.Hour - time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"short", "long"}, d.all())
		require.Equal(t, cache.Stats{Misses: 2, Loads: 2, Expirations: 2}, c.Stats())
	})
}

// Clear stops the sweeper, and what is kept afterwards starts it again.
func TestExpiredIsDroppedAfterClear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d dropped
		c := cache.New[string, string](4, d.add)
		get(t, c, "a", lasting("1"))
		c.Clear()
		get(t, c, "b", lasting("2"))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"1", "2"}, d.all())
	})
}

func TestExpiredOnArrivalIsGivenButNotKept(t *testing.T) {
	t.Parallel()
	var d dropped
	c := cache.New[string, string](1, d.add)
	stale := func(context.Context) (string, time.Time, error) { return "1", time.Now(), nil }
	e, hit, err := c.Get(t.Context(), "a", stale)
	require.NoError(t, err)
	require.False(t, hit)
	require.Equal(t, "1", e.Value())
	require.Empty(t, d.all(), "it is pinned")
	e.Release()
	require.Equal(t, []string{"1"}, d.all())
	require.Zero(t, c.Stats().Entries)
}

func TestPinnedOutlivesItsPlace(t *testing.T) {
	t.Parallel()
	for name, push := range map[string]func(*cache.Cache[string, string], *cache.Entry[string, string]){
		"removed": func(c *cache.Cache[string, string], e *cache.Entry[string, string]) {
			require.True(t, c.Remove(e))
			require.False(t, c.Remove(e))
		},
		"evicted": func(c *cache.Cache[string, string], _ *cache.Entry[string, string]) {
			e, _, err := c.Get(t.Context(), "b", lasting("2"))
			require.NoError(t, err)
			e.Release()
		},
		"cleared": func(c *cache.Cache[string, string], _ *cache.Entry[string, string]) { c.Clear() },
	} {
		var d dropped
		c := cache.New[string, string](1, d.add)
		e, _, err := c.Get(t.Context(), "a", lasting("1"))
		require.NoError(t, err)
		twice, hit, err := c.Get(t.Context(), "a", nil)
		require.NoError(t, err)
		require.True(t, hit)
		push(c, e)
		require.Empty(t, d.all(), name)
		e.Release()
		require.Empty(t, d.all(), name)
		require.Equal(t, "1", twice.Value())
		twice.Release()
		require.Equal(t, []string{"1"}, d.all(), name)
	}
}

func TestRemoveSparesTheSuccessor(t *testing.T) {
	t.Parallel()
	c := cache.New[string, string](1, nil)
	old, _, err := c.Get(t.Context(), "a", lasting("1"))
	require.NoError(t, err)
	defer old.Release()
	require.True(t, c.Remove(old))
	get(t, c, "a", lasting("2"))
	require.False(t, c.Remove(old))
	v, hit := get(t, c, "a", nil)
	require.True(t, hit)
	require.Equal(t, "2", v)
}

func TestNoCapacity(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { cache.New[string, string](0, nil) })
}

// Workers ask for few keys of a small cache whose values expire at once, after a
// while or not at all, and a dropped value is never in anybody's hands.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	type value struct{ wiped atomic.Bool }
	var live atomic.Int64
	c := cache.New[int, *value](3, func(v *value) {
		if v.wiped.Swap(true) {
			t.Error("dropped twice")
		}
		live.Add(-1)
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				ctx, cancel := context.WithCancel(t.Context())
				if rand.N(4) == 0 {
					go cancel()
				}
				e, _, err := c.Get(ctx, rand.N(5), func(context.Context) (*value, time.Time, error) {
					if rand.N(10) == 0 {
						return nil, time.Time{}, errors.New("out of order")
					}
					live.Add(1)
					return new(value), time.Now().Add(rand.N(100 * time.Microsecond)), nil
				})
				if err == nil {
					if e.Value().wiped.Load() {
						t.Error("a pinned value was dropped")
					}
					if rand.N(20) == 0 {
						c.Remove(e)
					}
					e.Release()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	c.Clear()
	require.Eventually(t, func() bool { return live.Load() == 0 }, 10*time.Second, time.Millisecond, "every value is dropped")
	require.Zero(t, c.Stats().Entries)
}

func BenchmarkHit(b *testing.B) {
	c := cache.New[[48]byte, string](1000, nil)
	var key [48]byte
	b.ReportAllocs()
	for b.Loop() {
		e, _, err := c.Get(b.Context(), key, lasting("1"))
		if err != nil {
			b.Fatal(err)
		}
		e.Release()
	}
}
