package branchkey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealring/sealring/internal/uuid"
	"github.com/sealring/sealring/keyring"
)

// Supplier returns the branch key id for an encryption context, such as that of the
// tenant which the context names. It gets a copy of the whole context of a message,
// with the public key of a signed one, and has to give the same id for the same
// context. It is called at every encryption and decryption, perhaps concurrently. The
// context of a message that is decrypted is not yet authenticated.
type Supplier func(keyring.EncryptionContext) (id string, err error)

// Options adjust a keyring. The zero value is what most callers want.
type Options struct {
	// MaxKeys is how many branch keys are kept in memory; zero means
	// [DefaultMaxKeys]. It does not apply to a Cache that is given.
	MaxKeys int

	// Cache is shared with other keyrings. Zero means a cache of the keyring's own.
	Cache *Cache

	// Partition is the keyring's part of a shared Cache. Keyrings with the same
	// partition use each other's cached keys if their stores have the same name, so
	// the KMS is not asked whether this keyring may: they should have the same rights.
	// Zero means a partition that no other keyring has, as does a store that is not
	// [Named].
	Partition string
}

// Keyring wraps data keys with branch keys (AWS's specification, "AWS KMS hierarchical
// keyring"). Its encrypted data keys have the provider "aws-kms-hierarchy", the
// branch key id as info, and 60 bytes more than the data key has.
//
// It is safe for concurrent use. See the package's documentation for what it means
// that branch keys are cached.
type Keyring struct {
	store     Store
	name      string // of the store
	id        string // "" with a supplier
	supplier  Supplier
	ttl       time.Duration
	cache     *Cache
	partition string
}

var _ keyring.Keyring = (*Keyring)(nil)

// errDestroyed is for a store that hands out a key which somebody else destroys.
var errDestroyed = errors.New("branchkey: the branch key has been destroyed")

// New returns a keyring that wraps with one branch key, which is not looked up. A
// version that was loaded is used for ttl, which must be positive: shorter means more
// calls of KMS, longer that a new version or a revoked right takes longer to have an
// effect. The error is [ErrKeyID] for an id that cannot be one. Nil options are the
// zero Options.
func New(store Store, id string, ttl time.Duration, o *Options) (*Keyring, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	k, err := newKeyring(store, ttl, o)
	if err != nil {
		return nil, err
	}
	k.id = id
	return k, nil
}

// NewWithSupplier is [New] for a branch key that supplier chooses for each message.
func NewWithSupplier(store Store, supplier Supplier, ttl time.Duration, o *Options) (*Keyring, error) {
	if supplier == nil {
		return nil, errors.New("branchkey: a keyring without a branch key id or supplier")
	}
	k, err := newKeyring(store, ttl, o)
	if err != nil {
		return nil, err
	}
	k.supplier = supplier
	return k, nil
}

func newKeyring(store Store, ttl time.Duration, o *Options) (*Keyring, error) {
	if o == nil {
		o = &Options{}
	}
	switch {
	case store == nil:
		return nil, errors.New("branchkey: a keyring without a store")
	case ttl <= 0:
		return nil, fmt.Errorf("branchkey: a time to live of %v", ttl)
	case o.MaxKeys < 0:
		return nil, fmt.Errorf("branchkey: room for %d branch keys", o.MaxKeys)
	}
	k := &Keyring{store: store, ttl: ttl, cache: o.Cache, partition: "own/" + uuid.New()}
	if k.cache == nil {
		k.cache = NewCache(o.MaxKeys)
	}
	if named, ok := store.(Named); ok {
		k.name = named.LogicalName()
		if o.Partition != "" {
			k.partition = "given/" + o.Partition
		}
	}
	return k, nil
}

// OnEncrypt generates the data key if m has none and wraps it with the active version
// of the branch key. The errors are those of the supplier and of the store.
func (k *Keyring) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	id, err := k.keyID(m.Context)
	if err != nil {
		return err
	}
	wrap := func(ctx context.Context, dataKey []byte) (keyring.EncryptedDataKey, error) {
		key, release, err := k.key(ctx, keyring.OpWrap, cacheKey{id: id, active: true})
		if err != nil {
			return keyring.EncryptedDataKey{}, err
		}
		defer release()
		ciphertext, err := key.wrap(dataKey, m.SerializedContext())
		return keyring.EncryptedDataKey{Provider: provider, Info: []byte(id), Ciphertext: ciphertext}, err
	}
	return keyring.Wrap(ctx, m, wrap, nil)
}

// OnDecrypt unwraps the first of keys that names this keyring's branch key and opens
// under the version it names and m's encryption context. An attempt that fails has
// the store's error or [keyring.ErrUnwrap].
//
// Which version is loaded is up to the message: a message with a version that does
// not exist costs a look into the table.
func (k *Keyring) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	id, err := k.keyID(m.Context)
	if err != nil {
		return err
	}
	match := func(e keyring.EncryptedDataKey) bool { return e.Provider == provider && string(e.Info) == id }
	unwrap := func(ctx context.Context, e keyring.EncryptedDataKey) ([]byte, error) {
		if len(e.Ciphertext) != wrappedLen+m.Suite().DataKeyLen() {
			return nil, keyring.ErrUnwrap
		}
		key, release, err := k.key(ctx, keyring.OpUnwrap, cacheKey{id: id, version: version(e.Ciphertext[versionAt:sealedAt])})
		if err != nil {
			return nil, err
		}
		defer release()
		return key.unwrap(e.Ciphertext, m.SerializedContext())
	}
	return keyring.Unwrap(ctx, m, keys, match, unwrap)
}

// keyID returns the branch key id for a message.
func (k *Keyring) keyID(context func() keyring.EncryptionContext) (string, error) {
	if k.supplier == nil {
		return k.id, nil
	}
	id, err := k.supplier(context())
	if err != nil {
		return "", fmt.Errorf("branchkey: supplier: %w", err)
	}
	return id, checkID(id)
}

// key returns the branch key of a name, which lacks partition and store, from the
// cache or the store. The caller has to call release.
func (k *Keyring) key(ctx context.Context, op keyring.Operation, name cacheKey) (key *Key, release func(), err error) {
	name.partition, name.logicalName = k.partition, k.name
	return k.cache.get(ctx, op, name, k.ttl, func(ctx context.Context) (*Key, error) {
		return k.load(ctx, name)
	})
}

func (k *Keyring) load(ctx context.Context, name cacheKey) (key *Key, err error) {
	if name.active {
		key, err = k.store.ActiveBranchKey(ctx, name.id)
	} else {
		key, err = k.store.BranchKeyVersion(ctx, name.id, name.version.String())
	}
	switch {
	case err != nil:
		return nil, err
	case key == nil || key.id != name.id || !name.active && key.version != name.version:
		if key != nil {
			key.Destroy()
		}
		return nil, fmt.Errorf("%w: the store gave another branch key than %.100q", ErrResponse, name.id)
	}
	return key, nil
}

// Format prints the branch key id only, whatever the verb.
func (k Keyring) Format(f fmt.State, _ rune) {
	if k.supplier != nil {
		fmt.Fprint(f, "branchkey.Keyring{supplier}")
		return
	}
	fmt.Fprintf(f, "branchkey.Keyring{%q}", k.id)
}
