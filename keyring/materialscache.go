package keyring

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sealring/sealring/internal/cache"
)

// MaterialsCache is the memory of one or more [Caching] managers. It is safe for
// concurrent use.
type MaterialsCache struct {
	entries *cache.Cache[cacheID, *cachedMaterials]
	buffers sync.Pool // of *[]byte, to make ids in

	hits, misses, bypasses, spentMessages, spentBytes atomic.Uint64
}

// cachingName is what hooks know the cache by.
const cachingName = "caching manager"

// cacheEntry is an entry that is pinned: it has to be released.
type cacheEntry = cache.Entry[cacheID, *cachedMaterials]

// NewMaterialsCache returns an empty cache of at most capacity entries, of all the
// managers that use it together. It panics if capacity is below 1.
func NewMaterialsCache(capacity int) *MaterialsCache {
	return &MaterialsCache{
		entries: cache.New[cacheID](capacity, (*cachedMaterials).wipe),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// Clear drops and wipes every entry, for instance because a right to use a wrapping
// key has been revoked. Materials that have been handed out stay with those who have
// them.
func (c *MaterialsCache) Clear() { c.entries.Clear() }

// CachingStats counts what a cache of materials has done since it was made. Each
// request is a hit, a miss or a bypass. Entries that [MaterialsCache.Clear] has dropped
// are not counted.
type CachingStats struct {
	Hits     uint64 // requests answered with cached materials
	Misses   uint64 // requests that waited for the underlying manager, also in vain
	Bypasses uint64 // requests that must not be cached

	Loads    uint64 // entries asked for: requests to underlying managers, without bypasses
	Failures uint64 // those of the loads that failed

	Evictions     uint64 // entries dropped because there was no room
	Expirations   uint64 // entries dropped because of their age
	SpentMessages uint64 // entries dropped because another message would have been too many
	SpentBytes    uint64 // entries dropped because a message would have been too long

	Entries int // entries held now
}

// Stats returns the counters. Those of requests that are under way may be counted in
// part.
func (c *MaterialsCache) Stats() CachingStats {
	s := c.entries.Stats()
	return CachingStats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Bypasses: c.bypasses.Load(),
		Loads: s.Loads, Failures: s.Failures,
		Evictions: s.Evictions, Expirations: s.Expirations,
		SpentMessages: c.spentMessages.Load(), SpentBytes: c.spentBytes.Load(),
		Entries: s.Entries,
	}
}

// report counts what has come of a request, and tells the hooks.
func (c *MaterialsCache) report(ctx context.Context, op Operation, outcome CacheOutcome) {
	switch outcome {
	case CacheHit:
		c.hits.Add(1)
	case CacheMiss:
		c.misses.Add(1)
	case CacheBypass:
		c.bypasses.Add(1)
	}
	ReportCache(ctx, CacheLookup{Cache: cachingName, Operation: op, Outcome: outcome})
}

// discard releases an entry for encryption that has reached a limit and drops it, if
// nobody else has.
func (c *MaterialsCache) discard(ctx context.Context, e *cacheEntry, reached limit) {
	dropped := c.entries.Remove(e)
	e.Release()
	if !dropped {
		return
	}
	if reached == messageLimit {
		c.spentMessages.Add(1)
	} else {
		c.spentBytes.Add(1)
	}
	c.report(ctx, OpEncrypt, CacheSpent)
}

// cachedMaterials are the materials of one entry: for encryption or for decryption.
type cachedMaterials struct {
	encryption *EncryptionMaterials
	decryption *DecryptionMaterials
	once       bool // they may be used for one message only

	mu       sync.Mutex
	messages int64 // that they have been handed out for; guarded by mu
	bytes    int64 // of plaintext in these; guarded by mu
}

// limits bound the use of one data key for encryption.
type limits struct{ messages, bytes int64 }

// limit is what forbids to use an entry again.
type limit int

const (
	noLimit limit = iota
	messageLimit
	byteLimit
)

// take counts a message of n bytes, unless it would exceed a limit: it returns which.
func (v *cachedMaterials) take(n int64, most limits) limit {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.messages >= most.messages || v.once && v.messages > 0:
		return messageLimit
	case n > most.bytes-v.bytes:
		return byteLimit
	}
	v.messages++
	v.bytes += n
	return noLimit
}

// wipe is called when nobody holds the entry any more.
func (v *cachedMaterials) wipe() {
	if v.encryption != nil {
		v.encryption.Destroy()
	}
	if v.decryption != nil {
		v.decryption.Destroy()
	}
}

// handOut returns a copy with a data key of its own. What is shared is never changed,
// and encrypted data keys that are added to one are not seen in the other.
func (m *EncryptionMaterials) handOut() *EncryptionMaterials {
	c := *m
	c.dataKey = bytes.Clone(m.dataKey)
	c.keys = slices.Clip(m.keys)
	return &c
}

// handOut returns a copy with a data key of its own.
func (m *DecryptionMaterials) handOut() *DecryptionMaterials {
	c := *m
	c.dataKey = bytes.Clone(m.dataKey)
	return &c
}
