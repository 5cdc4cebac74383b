package kms

import (
	"sync"
	"time"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

// grantCache keeps the grants that may cover a caller on a key. Every change of a grant
// changes the key's record, which a request reads anyway: what is kept is good as long as
// the record has the same count of changes.
type grantCache struct {
	mu      sync.RWMutex
	entries map[grantsOf]cachedGrants // guarded by mu
	size    int                       // grants in entries, guarded by mu
}

// grantsOf is a key and all of a caller that grants are found by.
type grantsOf struct{ key, principal, role, service string }

type cachedGrants struct {
	changes uint64
	created time.Time // a copy of a key that was made again starts to count anew
	grants  []*policy.Grant
}

// maxCachedGrants bounds the grants in a cache, and how many callers it knows.
const maxCachedGrants = 1 << 16

// get returns the grants of an entry, if k has not changed since.
func (c *grantCache) get(of grantsOf, k *keyrecord.Key) ([]*policy.Grant, bool) {
	c.mu.RLock()
	e, ok := c.entries[of]
	c.mu.RUnlock()
	if !ok || e.changes != k.GrantChanges || !e.created.Equal(k.Created) {
		return nil, false
	}
	return e.grants, true
}

func (c *grantCache) put(of grantsOf, k *keyrecord.Key, grants []*policy.Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size+len(grants) > maxCachedGrants || len(c.entries) >= maxCachedGrants {
		c.entries, c.size = nil, 0
	}
	if c.entries == nil {
		c.entries = make(map[grantsOf]cachedGrants)
	}
	c.size += len(grants) - len(c.entries[of].grants)
	c.entries[of] = cachedGrants{k.GrantChanges, k.Created, grants}
}
