package branchkey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Config is what a [KeyStore] is made of. All but GrantTokens is required.
type Config struct {
	// LogicalName is bound to every key in the table by KMS. It belongs to one table,
	// and to its copies, whatever those are called.
	LogicalName string
	// Table keeps the items.
	Table Table
	// KMS encrypts the keys in them. The Region of the client has to be that of the
	// KMS key.
	KMS API
	// KMSKey says with which KMS keys.
	KMSKey KMSKey
	// GrantTokens go with every call to KMS, for grants that have not reached all of
	// it yet. They are copied.
	GrantTokens []string
}

// KeyStore creates, versions and reads branch keys that are encrypted by KMS (AWS's
// branch key store, schema version 1). It caches nothing. It is safe for concurrent
// use if its table and KMS are.
type KeyStore struct {
	name        string
	table       Table
	kms         API
	kmsKey      KMSKey
	grantTokens []string
}

var (
	_ Store = (*KeyStore)(nil)
	_ Named = (*KeyStore)(nil)
)

// NewKeyStore returns a key store. Neither the table nor KMS is called. The error is
// [ErrKMSKey] for a KMSKey that does not name a key by its ARN.
func NewKeyStore(c Config) (*KeyStore, error) {
	switch {
	case c.LogicalName == "" || !utf8.ValidString(c.LogicalName):
		return nil, errors.New("branchkey: the logical name of a key store is empty or not UTF-8")
	case c.Table == nil:
		return nil, errors.New("branchkey: a key store without a table")
	case c.KMS == nil:
		return nil, errors.New("branchkey: a key store without a KMS")
	}
	if err := c.KMSKey.check(); err != nil {
		return nil, err
	}
	return &KeyStore{c.LogicalName, c.Table, c.KMS, c.KMSKey, slices.Clone(c.GrantTokens)}, nil
}

// LogicalName returns the name that is bound to every key in the store.
func (s *KeyStore) LogicalName() string { return s.name }

// ActiveBranchKey returns the version of branch key id that is in use. The caller
// calls its Destroy.
//
// The errors are [ErrKeyID], [ErrNotFound], [ErrKMSKey], [ErrResponse], an
// [*ItemError], and those of the table and of KMS, whose types errors.As finds. KMS
// refuses an item that has been altered with an InvalidCiphertextException.
func (s *KeyStore) ActiveBranchKey(ctx context.Context, id string) (*Key, error) {
	return s.branchKey(ctx, id, typeActive)
}

// BranchKeyVersion returns the given version, a UUID in lower case, of branch key id.
// The errors are those of [KeyStore.ActiveBranchKey] and [ErrVersion].
func (s *KeyStore) BranchKeyVersion(ctx context.Context, id, version string) (*Key, error) {
	if _, err := parseVersion(version); err != nil {
		return nil, err
	}
	return s.branchKey(ctx, id, versionType(version))
}

// BeaconKey returns the beacon key of branch key id. The errors are those of
// [KeyStore.ActiveBranchKey].
func (s *KeyStore) BeaconKey(ctx context.Context, id string) (*BeaconKey, error) {
	item, secret, err := s.open(ctx, id, typeBeacon)
	if err != nil {
		return nil, err
	}
	return &BeaconKey{id, secret, item.customContext()}, nil
}

func (s *KeyStore) branchKey(ctx context.Context, id, itemType string) (*Key, error) {
	item, secret, err := s.open(ctx, id, itemType)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	inItem := itemType
	if itemType == typeActive {
		inItem = item.Attributes[AttributeVersion]
	}
	return NewKey(id, strings.TrimPrefix(inItem, versionPrefix), secret, item.customContext())
}

// open returns an item and its key, which the caller owns.
func (s *KeyStore) open(ctx context.Context, id, itemType string) (Item, []byte, error) {
	item, keyARN, err := s.get(ctx, id, itemType)
	if err != nil {
		return Item{}, nil, err
	}
	secret, err := s.decrypt(ctx, keyARN, item)
	return item, secret, err
}

// get returns an item of the right form, not authenticated, and the KMS key to call.
func (s *KeyStore) get(ctx context.Context, id, itemType string) (item Item, keyARN string, err error) {
	if err := checkID(id); err != nil {
		return Item{}, "", err
	}
	item, err = s.table.Get(ctx, id, itemType)
	if err != nil {
		return Item{}, "", err
	}
	if err := item.check(id, itemType); err != nil {
		return Item{}, "", err
	}
	keyARN, err = s.kmsKey.reader(item.Attributes[AttributeKMSKey])
	return item, keyARN, err
}

// Format prints the logical name only, whatever the verb.
func (s KeyStore) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "branchkey.KeyStore{%q}", s.name) }
