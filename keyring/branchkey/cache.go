package branchkey

import (
	"context"
	"time"

	"github.com/sealring/sealring/internal/cache"
	"github.com/sealring/sealring/keyring"
)

// DefaultMaxKeys is how many branch keys a keyring keeps if it is not told otherwise.
const DefaultMaxKeys = 1000

// Cache holds decrypted branch keys for one keyring or several. It is bounded: the
// least recently used key makes room for the next, and a key is overwritten once it
// is out of the cache and nobody is wrapping with it. It is safe for concurrent use.
type Cache struct {
	keys *cache.Cache[cacheKey, cachedKey]
}

// cacheKey names a branch key. The active version and a version by its name are
// two entries, because they are loaded differently.
type cacheKey struct {
	partition   string
	logicalName string
	id          string
	active      bool
	version     version // zero for the active one
}

type cachedKey struct {
	*Key
	loaded time.Time // when the load began
}

// NewCache returns an empty cache for at most maxKeys branch keys; for 0 or less it
// is [DefaultMaxKeys].
func NewCache(maxKeys int) *Cache {
	if maxKeys <= 0 {
		maxKeys = DefaultMaxKeys
	}
	return &Cache{cache.New[cacheKey](maxKeys, func(k cachedKey) { k.Destroy() })}
}

// Clear drops every key at once, as after a right has been revoked. Operations that
// are under way finish with the keys that they have.
func (c *Cache) Clear() { c.keys.Clear() }

// CacheStats counts what a [Cache] has done since it was made.
type CacheStats struct {
	Hits        uint64 // wrappings and unwrappings that found their branch key
	Misses      uint64 // those that had to wait for a load, their own or another's
	Loads       uint64 // calls to stores
	Failures    uint64 // calls that returned an error
	Evictions   uint64 // keys dropped because there was no room
	Expirations uint64 // keys dropped because of their age
	Entries     int    // keys that are held now
}

// Stats returns the counters.
func (c *Cache) Stats() CacheStats { return CacheStats(c.keys.Stats()) }

// cacheName is what hooks know the cache by.
const cacheName = "branch keys"

// get returns a branch key that was loaded no longer than ttl ago, if necessary by
// calling load. However many want it at once, it is loaded once; when one of them
// gives up the others still get it. The caller has to call release. Hooks are told
// what came of it, for the operation.
func (c *Cache) get(ctx context.Context, op keyring.Operation, name cacheKey, ttl time.Duration, load func(context.Context) (*Key, error)) (k *Key, release func(), err error) {
	report := func(outcome keyring.CacheOutcome) {
		keyring.ReportCache(ctx, keyring.CacheLookup{Cache: cacheName, Operation: op, Outcome: outcome})
	}
	for {
		entry, hit, err := c.keys.Get(ctx, name, func(ctx context.Context) (cachedKey, time.Time, error) {
			now := time.Now()
			k, err := load(ctx)
			return cachedKey{k, now}, now.Add(ttl), err
		})
		if !hit {
			report(keyring.CacheMiss)
		}
		if err != nil {
			return nil, nil, err
		}
		// Another keyring may keep keys for longer than this one does.
		if hit && cache.Passed(entry.Value().loaded.Add(ttl), time.Now()) {
			c.keys.Remove(entry)
			entry.Release()
			report(keyring.CacheSpent)
			continue
		}
		if hit {
			report(keyring.CacheHit)
		}
		return entry.Value().Key, entry.Release, nil
	}
}
