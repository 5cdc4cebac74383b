package branchkey

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/sealring/sealring/internal/uuid"
	"github.com/sealring/sealring/keyring"
)

// CreateKey makes a branch key with its first version and a beacon key, and returns
// its id: a new UUID if the given one is empty. The encryption context is bound to
// the keys and stored with them, in the clear; its keys and values are UTF-8 and not
// empty. An id of one's own requires a context.
//
// KMS is called three times, then the table once, so that either all is written or
// nothing. The errors are [ErrKeyID], [ErrContext], [ErrKMSKey] for a store that does
// not write, [ErrExists], [ErrResponse], and those of the table and of KMS.
func (s *KeyStore) CreateKey(ctx context.Context, id string, c keyring.EncryptionContext) (string, error) {
	if id != "" && len(c) == 0 {
		return "", fmt.Errorf("%w: a branch key id of one's own requires a context", ErrContext)
	}
	if id == "" {
		id = uuid.New()
	}
	if err := checkID(id); err != nil {
		return "", err
	}
	if err := checkContext(c); err != nil {
		return "", err
	}
	keyARN, err := s.kmsKey.writer()
	if err != nil {
		return "", err
	}
	common := map[string]string{
		AttributeID:      id,
		AttributeCreated: time.Now().UTC().Format(createdLayout),
		AttributeKMSKey:  keyARN,
		AttributeSchema:  schemaVersion,
	}
	for k, v := range c {
		common[AttributeContext+k] = v
	}
	version, active, err := s.newVersion(ctx, keyARN, uuid.New(), common)
	if err != nil {
		return "", err
	}
	beacon := newItem(common, typeBeacon)
	if beacon.Ciphertext, err = s.generate(ctx, keyARN, beacon); err != nil {
		return "", err
	}
	if err := s.table.Create(ctx, version, active, beacon); err != nil {
		return "", err
	}
	return id, nil
}

func checkContext(c keyring.EncryptionContext) error {
	for k, v := range c {
		if k == "" || v == "" {
			return fmt.Errorf("%w: an empty key or value", ErrContext)
		}
	}
	if _, err := c.AppendBinary(nil); err != nil {
		return fmt.Errorf("%w: %v", ErrContext, err)
	}
	return nil
}

// VersionKey makes a new version of branch key id, puts it in use and returns it, a
// UUID. The older versions stay for what they have encrypted, and the KMS key and the
// context remain what they were. Of several calls at once, one succeeds; the others
// get [ErrConflict].
//
// The item of the version in use is authenticated by KMS before anything is made of
// it. The errors are those of [KeyStore.ActiveBranchKey], [ErrConflict], and
// [ErrKMSKey] for a store that does not write.
func (s *KeyStore) VersionKey(ctx context.Context, id string) (string, error) {
	if _, err := s.kmsKey.writer(); err != nil {
		return "", err
	}
	old, keyARN, err := s.get(ctx, id, typeActive)
	if err != nil {
		return "", err
	}
	if _, err := s.reencrypt(ctx, keyARN, old, old); err != nil {
		return "", err
	}
	common := maps.Clone(old.Attributes)
	common[AttributeCreated] = time.Now().UTC().Format(createdLayout)
	delete(common, AttributeVersion)
	v := uuid.New()
	version, active, err := s.newVersion(ctx, keyARN, v, common)
	if err != nil {
		return "", err
	}
	if err := s.table.Rotate(ctx, version, active, old.Ciphertext); err != nil {
		return "", err
	}
	return v, nil
}

// newVersion returns the items of a new version: its own, and the active one, which
// holds the same key encrypted once more.
func (s *KeyStore) newVersion(ctx context.Context, keyARN, v string, common map[string]string) (version, active Item, err error) {
	version = newItem(common, versionType(v))
	if version.Ciphertext, err = s.generate(ctx, keyARN, version); err != nil {
		return Item{}, Item{}, err
	}
	active = newItem(common, typeActive)
	active.Attributes[AttributeVersion] = versionType(v)
	if active.Ciphertext, err = s.reencrypt(ctx, keyARN, version, active); err != nil {
		return Item{}, Item{}, err
	}
	return version, active, nil
}

// newItem returns an item without a key.
func newItem(common map[string]string, itemType string) Item {
	attributes := maps.Clone(common)
	attributes[AttributeType] = itemType
	return Item{Attributes: attributes}
}
