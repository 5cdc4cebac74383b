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
	size    int                       // of entries, bytes, guarded by mu
}

// grantsOf is a key and all of a caller that grants are found by.
type grantsOf struct{ key, principal, role, service string }

type cachedGrants struct {
	changes uint64
	created time.Time // a copy of a key that was made again starts to count anew
	grants  []*policy.Grant
	size    int // about, bytes
}

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
	e := cachedGrants{k.GrantChanges, k.Created, grants, sizeOf(of, grants)}
	if c.entries == nil || c.size+e.size > maxCachedBytes {
		c.entries, c.size = make(map[grantsOf]cachedGrants), 0
	}
	c.size += e.size - c.entries[of].size
	c.entries[of] = e
}

// sizeOf returns about how many bytes an entry takes.
func sizeOf(of grantsOf, grants []*policy.Grant) int {
	const entry, grant = 256, 1024 // without what can be long
	n := entry + len(of.key) + len(of.principal) + len(of.role) + len(of.service)
	for _, g := range grants {
		n += grant
		for _, pairs := range [][]policy.Pair{g.EncryptionContextEquals, g.EncryptionContextSubset} {
			for _, p := range pairs {
				n += len(p.Key) + len(p.Value)
			}
		}
	}
	return n
}
