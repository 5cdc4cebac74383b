package keyring

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sealring/sealring/internal/suite"
)

// maxCachedMessages is the most messages that one data key may encrypt from a cache
// (Encryption SDK framework, "Caching cryptographic materials manager").
const maxCachedMessages = 1 << 32

// defaultCapacity is how many entries a [Caching] holds.
const defaultCapacity = 1000

// CachingOptions say how long, and for how much, a [Caching] uses a data key again.
type CachingOptions struct {
	// MaxAge is how old an entry may become, from the time at which it was asked
	// for. It has to be given. It is also how long a right to use a wrapping key
	// lasts after it has been revoked.
	MaxAge time.Duration

	// MaxMessages is how many messages a data key may encrypt: zero means 2³²,
	// which is also the most. While an entry is made all who want it wait, so callers
	// at the same time go on by as many as this: with few, one group after the other.
	MaxMessages int64

	// MaxBytes is how many bytes of plaintext a data key may encrypt, in all its
	// messages together. Zero means 2⁶³-1. A longer message gets a data key of its
	// own.
	MaxBytes int64

	// AssumedLength is how many bytes a message counts as if its length is not known
	// when its encryption begins, as that of a stream. Nothing checks that it is not
	// longer. Zero means that such a message gets a data key of its own.
	AssumedLength int64

	// Capacity is how many entries a cache of the manager's own may hold, those for
	// encryption and those for decryption together: zero means 1000. It has to be
	// zero if there is a Cache.
	Capacity int

	// Cache is one that managers share. If it is nil the manager has its own.
	Cache *MaterialsCache

	// Partition keeps the entries of managers that share a Cache apart. Those of
	// equal Partition and MaxAge use the same entries, and must get the same
	// from their underlying managers. The empty one is shared with no manager.
	Partition string
}

// Caching is a manager that uses the answers of another one again: messages with the
// same encryption context, suite and so on share a data key, so that a key
// service is asked once for many of them. It is safe for concurrent use.
//
// What is used again ends with an entry: at the limits of [CachingOptions], or when
// there is no room for it. Age and room bound entries for decryption too, messages
// and bytes those for encryption only. A message counts before it is encrypted,
// and the one that would exceed a limit gets a new data key.
//
// Each message still has a key of its own, which its random id and the data key
// yield; in the suites without a key derivation it has not, so these are never
// cached. In signed suites, the messages of an entry share a signing key too, as in
// AWS's libraries. A message whose length is not known when its encryption begins is
// not cached either, unless AssumedLength is given.
//
// A cached data key is out of the reach of the wrapping key's owner: who has lost the
// right to use that, or if it is disabled or deleted, goes on until the entries are as
// old as MaxAge allows. [MaterialsCache.Clear] ends it at once in this process.
//
// While an entry is made, all who want the same wait for it, and a request that is
// cancelled meanwhile hurts no other. The underlying manager sees the values of the
// context that came first. The materials that are handed out are copies,
// apart from the signing key, which must not be changed; the cached ones are wiped when
// their entry ends.
type Caching struct {
	underlying    Manager
	cache         *MaterialsCache
	maxAge        time.Duration
	limits        limits
	assumedLength int64
	scope         []byte // how every id begins
}

var _ Manager = (*Caching)(nil)

// NewCaching returns a manager that caches what underlying returns, which has to be
// new materials at each call, and never to be used by anybody else.
func NewCaching(underlying Manager, o CachingOptions) (*Caching, error) {
	bad := func(format string, args ...any) (*Caching, error) {
		return nil, fmt.Errorf("keyring: caching manager: "+format, args...)
	}
	l := limits{messages: o.MaxMessages, bytes: o.MaxBytes}
	if l.messages == 0 {
		l.messages = maxCachedMessages
	}
	if l.bytes == 0 {
		l.bytes = math.MaxInt64
	}
	switch {
	case underlying == nil:
		return bad("no underlying manager")
	case o.MaxAge <= 0:
		return bad("MaxAge of %v, it has to be positive", o.MaxAge)
	case l.messages < 0 || l.messages > maxCachedMessages:
		return bad("MaxMessages of %d, at most 2³² are allowed", l.messages)
	case l.bytes < 0:
		return bad("MaxBytes of %d", l.bytes)
	case o.AssumedLength < 0 || o.AssumedLength > l.bytes:
		return bad("AssumedLength of %d, MaxBytes is %d", o.AssumedLength, l.bytes)
	case o.Capacity < 0:
		return bad("Capacity of %d", o.Capacity)
	case o.Capacity != 0 && o.Cache != nil:
		return bad("Capacity and Cache exclude each other")
	}
	c := &Caching{underlying: underlying, cache: o.Cache, maxAge: o.MaxAge, limits: l, assumedLength: o.AssumedLength}
	if c.cache == nil {
		capacity := o.Capacity
		if capacity == 0 {
			capacity = defaultCapacity
		}
		c.cache = NewMaterialsCache(capacity)
	}
	c.scope = newScope(o.Partition, o.MaxAge)
	return c, nil
}

// Stats returns the counters of the manager's cache.
func (c *Caching) Stats() CachingStats { return c.cache.Stats() }

// Clear drops every entry of the manager's cache: see [MaterialsCache.Clear].
func (c *Caching) Clear() { c.cache.Clear() }

// EncryptionMaterials returns a copy of cached materials, or new ones. It returns
// the errors of the underlying manager, which are not cached, and [ErrMaterials] if
// that has returned incomplete materials.
func (c *Caching) EncryptionMaterials(ctx context.Context, r EncryptionRequest) (*EncryptionMaterials, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n, known := c.length(&r)
	id, err := c.cache.encryptionID(c.scope, &r)
	if err != nil || !known || n > c.limits.bytes || withoutKDF(r.Suite) {
		c.cache.report(ctx, OpEncrypt, CacheBypass)
		return c.underlying.EncryptionMaterials(ctx, r)
	}
	for outcome := CacheHit; ; {
		e := c.cache.entries.Lookup(id)
		if e == nil {
			outcome = CacheMiss
			if e, err = c.loadEncryption(ctx, id, r); err != nil {
				c.cache.report(ctx, OpEncrypt, outcome)
				return nil, err
			}
		}
		reached := e.Value().take(n, c.limits)
		if reached == noLimit {
			m := e.Value().encryption.handOut()
			e.Release()
			c.cache.report(ctx, OpEncrypt, outcome)
			return m, nil
		}
		c.cache.discard(ctx, e, reached)
	}
}

// length returns how many bytes the request counts, and false if there is no telling.
func (c *Caching) length(r *EncryptionRequest) (int64, bool) {
	switch {
	case r.PlaintextLength > 0:
		return r.PlaintextLength, true
	case r.Empty:
		return 0, true
	}
	return c.assumedLength, c.assumedLength > 0
}

// loadEncryption gets an entry for encryption from the underlying manager. That
// is told no length: the materials are not for this message alone.
func (c *Caching) loadEncryption(ctx context.Context, id cacheID, r EncryptionRequest) (*cacheEntry, error) {
	// The load may outlast the request, and so the caller's right to change these.
	r.Context, r.RequiredContextKeys = maps.Clone(r.Context), slices.Clone(r.RequiredContextKeys)
	r.PlaintextLength, r.Empty = 0, false
	e, _, err := c.cache.entries.Get(ctx, id, func(ctx context.Context) (*cachedMaterials, time.Time, error) {
		expires := time.Now().Add(c.maxAge)
		m, err := complete(c.underlying.EncryptionMaterials(ctx, r))
		if err != nil {
			return nil, expires, err
		}
		v := &cachedMaterials{encryption: m}
		if withoutKDF(m.Suite()) { // a suite that was not asked for
			v.once, expires = true, time.Time{}
		}
		return v, expires, nil
	})
	return e, err
}

// DecryptionMaterials returns a copy of cached materials, or new ones, with the errors
// of EncryptionMaterials.
func (c *Caching) DecryptionMaterials(ctx context.Context, r DecryptionRequest) (*DecryptionMaterials, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id, err := c.cache.decryptionID(c.scope, &r)
	if err != nil || withoutKDF(r.Suite) {
		c.cache.report(ctx, OpDecrypt, CacheBypass)
		return c.underlying.DecryptionMaterials(ctx, r)
	}
	outcome := CacheHit
	e := c.cache.entries.Lookup(id)
	if e == nil {
		outcome = CacheMiss
		e, err = c.loadDecryption(ctx, id, r)
	}
	c.cache.report(ctx, OpDecrypt, outcome)
	if err != nil {
		return nil, err
	}
	defer e.Release()
	return e.Value().decryption.handOut(), nil
}

// loadDecryption gets an entry for decryption from the underlying manager.
func (c *Caching) loadDecryption(ctx context.Context, id cacheID, r DecryptionRequest) (*cacheEntry, error) {
	r.Context, r.Reproduced = maps.Clone(r.Context), maps.Clone(r.Reproduced)
	keys := make([]EncryptedDataKey, len(r.EncryptedDataKeys))
	for i, k := range r.EncryptedDataKeys {
		keys[i] = k.Clone()
	}
	r.EncryptedDataKeys = keys
	e, _, err := c.cache.entries.Get(ctx, id, func(ctx context.Context) (*cachedMaterials, time.Time, error) {
		expires := time.Now().Add(c.maxAge)
		m, err := complete(c.underlying.DecryptionMaterials(ctx, r))
		if err != nil {
			return nil, expires, err
		}
		return &cachedMaterials{decryption: m}, expires, nil
	})
	return e, err
}

// withoutKDF reports whether the suite takes the data key itself for every message.
func withoutKDF(s Suite) bool {
	known := suite.Lookup(uint16(s))
	return known != nil && known.KDF == 0
}

// complete returns what a manager has returned, if it is materials that are complete.
func complete[T any, M interface {
	*T
	Complete() error
	Destroy()
}](m M, err error) (M, error) {
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, errNoMaterials
	}
	if err := m.Complete(); err != nil {
		m.Destroy()
		return nil, err
	}
	return m, nil
}

// errNoMaterials is returned when the underlying manager gives neither materials nor
// an error.
var errNoMaterials = fmt.Errorf("%w: the manager returned none", ErrMaterials)
