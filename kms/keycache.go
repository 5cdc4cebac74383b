package kms

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/store"
)

// keyCache keeps decoded records of keys under the version that they have in the
// store, so that a record which has not changed is neither unsealed nor parsed again.
// What it holds is shared by all requests and never changed.
type keyCache struct {
	mu      sync.RWMutex
	records map[keyPlace]cachedKey // guarded by mu
	size    int                    // of records, guarded by mu

	materials materialCache // of the keys that are kept
}

// keyPlace is where a key is.
type keyPlace struct{ account, region, id string }

type cachedKey struct {
	name    string // of the record, so that it need not be put together again
	version uint64 // 0 for none
	key     *keyrecord.Key
	size    int // of the records that it was read from, bytes

	written *writtenKey // what this service has made of the key since, or nil
}

// writtenKey is a key as a request has written it. All of the key changes with its first
// record, so that the digest of that one tells whether it is still what is stored.
type writtenKey struct {
	key    *keyrecord.Key
	record [sha256.Size]byte
	size   int // of the records that were written, bytes
}

// What bounds a cache. A full one lets go of some arbitrary keys.
const (
	maxCachedKeys  = 4096
	maxCachedBytes = 64 << 20 // of what is cached, before it was decoded; for grants too
)

// read returns a key as the draft sees it, nil if there is none. It may be shared: who
// wants to change it needs a clone. The version of the first record is that of all of
// them.
func (c *keyCache) read(d *store.Draft, at keyPlace) (*keyrecord.Key, error) {
	c.mu.RLock()
	e := c.records[at]
	c.mu.RUnlock()
	name := e.name
	if name == "" {
		name = keyrecord.KeyName(at.account, at.region, at.id)
	}
	version, stored, err := d.Version(name)
	if err != nil || stored && version == 0 {
		return nil, err
	}
	if stored && e.version == version {
		return e.key, nil
	}
	if w := e.written; stored && w != nil {
		switch is, err := w.isStored(d, name); {
		case err != nil:
			return nil, err
		case is:
			c.put(cachedKey{name: name, version: version, key: w.key, size: max(w.size, e.size)})
			return w.key, nil
		}
	}
	size := 0
	k, err := keyrecord.ReadKey(at.account, at.region, at.id, func(name string) ([]byte, error) {
		b, err := d.Get(name)
		size += len(b)
		return b, err
	})
	if err == nil && stored {
		k.KeepPRFs()
		c.put(cachedKey{name: name, version: version, key: k, size: size})
	}
	return k, err
}

func (c *keyCache) put(e cachedKey) {
	at := keyPlace{e.key.Account, e.key.Region, e.key.ID} // strings of the record's, not of a request
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.records == nil {
		c.records = make(map[keyPlace]cachedKey)
	}
	old, ok := c.records[at]
	if ok && old.version > e.version {
		return // of a snapshot that has been overtaken
	}
	c.records[at] = e
	c.size += e.size - old.size
	if ok {
		c.materials.forget(old.key, e.key)
	}
	for other, o := range c.records {
		if len(c.records) <= maxCachedKeys && c.size <= maxCachedBytes {
			break
		}
		if other != at {
			delete(c.records, other)
			c.size -= o.size
			c.materials.forget(o.key, nil)
		}
	}
}

// newWrittenKey copies k, the material too: requests wipe what they have brought. record
// is k's first one, and size the length of all that were written.
func newWrittenKey(k *keyrecord.Key, record []byte, size int) writtenKey {
	own := k.Clone()
	for i := range own.Materials {
		m := &own.Materials[i]
		m.Bytes = bytes.Clone(m.Bytes)
	}
	return writtenKey{own, sha256.Sum256(record), size}
}

// isStored reports whether the key is what the draft sees.
func (w *writtenKey) isStored(d *store.Draft, name string) (bool, error) {
	b, err := d.Get(name)
	if err != nil {
		return false, err
	}
	defer clear(b)
	return sha256.Sum256(b) == w.record, nil
}

// wrote notes what a request has made of keys, so that those that are kept need not be
// parsed when they are read again. It takes over what it is given.
func (c *keyCache) wrote(all []writtenKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range all {
		w := &all[i]
		at := keyPlace{w.key.Account, w.key.Region, w.key.ID}
		if e, ok := c.records[at]; ok {
			w.key.KeepPRFs()
			e.written = w
			c.records[at] = e
		}
	}
}

// forgetDeleted lets go of the keys that the store does not have any more.
func (c *keyCache) forgetDeleted(ctx context.Context, s store.Store) error {
	c.mu.RLock()
	all := slices.Collect(maps.Keys(c.records))
	c.mu.RUnlock()
	return s.View(ctx, func(tx store.Tx) error {
		for _, at := range all {
			version, err := tx.Version(keyrecord.KeyName(at.account, at.region, at.id))
			if err != nil {
				return err
			}
			if version == 0 {
				c.forget(at)
			}
		}
		return nil
	})
}

// forget lets go of a key and its materials.
func (c *keyCache) forget(at keyPlace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.records[at]; ok {
		delete(c.records, at)
		c.size -= e.size
		c.materials.forget(e.key, nil)
	}
}

// usable returns the form of k's material that the primitives take. It is kept as long as
// the key is, unless k is older than that and m has been deleted since.
func (c *keyCache) usable(k *keyrecord.Key, m *keyrecord.Material) (*keyspec.Key, error) {
	if u := c.materials.get(m.ID); u != nil {
		return u, nil
	}
	spec, ok := keyspec.Lookup(k.Spec)
	if !ok {
		return nil, errors.New("kms: a key of unknown spec " + k.Spec)
	}
	u, err := spec.Parse(m.Bytes)
	if err != nil {
		return nil, err
	}
	c.mu.RLock() // meanwhile nothing is forgotten
	defer c.mu.RUnlock()
	if now := c.records[keyPlace{k.Account, k.Region, k.ID}].key; now != nil && now.Has(m.ID) {
		c.materials.put(m.ID, u)
	}
	return u, nil
}

// materialCache keeps the usable form of key material by its id, which no two keys
// share: parsing an RSA key costs as much as a signature.
type materialCache struct {
	mu   sync.RWMutex
	keys map[string]*keyspec.Key // guarded by mu
}

// get returns what is kept of the material with the given id, or nil.
func (c *materialCache) get(id string) *keyspec.Key {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.keys[id]
}

func (c *materialCache) put(id string, u *keyspec.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[string]*keyspec.Key)
	}
	if len(c.keys) >= maxCachedKeys {
		for other := range c.keys {
			delete(c.keys, other)
			break
		}
	}
	c.keys[id] = u
}

// forget lets go of the materials that k has had and does not have now, when it is nil
// or has been changed.
func (c *materialCache) forget(k, now *keyrecord.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range k.Materials {
		if id := k.Materials[i].ID; now == nil || !now.Has(id) {
			delete(c.keys, id)
		}
	}
}
