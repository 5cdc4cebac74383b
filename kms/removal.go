package kms

import (
	"errors"
	"time"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// What the clock asks for besides rotations when the store is swept. It goes the way of
// every request: decided, recorded, applied.

// deletionMargin is how long after its deletion date a key's material is destroyed at the
// earliest.
const deletionMargin = 24 * time.Hour

// removable reports whether the records of k may be deleted, and since when it is gone.
func removable(k *keyrecord.Key, now time.Time) (date time.Time, ok bool) {
	date, ok = k.DeletionDate(now)
	return date, ok && !now.Before(date.Add(deletionMargin))
}

// removal deletes the key in the place that is its input: its own record and its material.
// What else belongs to it, which can be any number of records, is then left to the sweep.
// CloudTrail calls it DeleteKey.
type removal struct{}

func (removal) operationName() string { return "DeleteKey" }
func (removal) isReadOnly() bool      { return false }
func (removal) readsSharedKeys() bool { return true }
func (removal) emptyBody() bool       { return true }
func (removal) newInput() any         { return new(keyPlace) }

func (removal) decide(r *request, in any) (any, error) {
	at := in.(keyPlace)
	k, err := r.service.keys.read(&r.draft, at)
	if err != nil || k == nil {
		return nil, err
	}
	date, ok := removable(k, r.now)
	if !ok {
		return nil, nil
	}
	others, err := r.otherCopies(k)
	if err != nil || others > 0 && k.Primary() {
		return nil, err // the primary key goes last
	}
	if others == 0 && k.SharesMaterials() {
		r.draft.Delete(keyrecord.MaterialsName(k.Account, k.ID))
	}
	if k.KeyStore != "" {
		switch holder, err := r.draft.Get(k.StoreKeyName()); {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, err
		case string(holder) == k.ID: // else another key has the place
			r.draft.Delete(k.StoreKeyName())
		}
	}
	r.draft.Delete(keyrecord.KeyName(k.Account, k.Region, k.ID))
	r.draft.Delete(keyrecord.LocalName(k.Account, k.Region, k.ID))
	r.event.Region, r.event.Resources = k.Region, append(r.event.Resources, k.ARN())
	r.noteChange(audit.KeyDeleted, k, date)
	stone := &keyrecord.Deleted{Date: date, Removed: r.now}
	return nil, r.put(keyrecord.DeletedName(k.Account, k.Region, k.ID), stone.Marshal)
}

// otherCopies counts the other copies of a multi-Region key that have a record.
func (r *request) otherCopies(k *keyrecord.Key) (n int, err error) {
	if k.MultiRegion == nil {
		return 0, nil
	}
	for _, c := range k.MultiRegion.Copies {
		if c.Region == k.Region {
			continue
		}
		version, _, err := r.draft.Version(keyrecord.KeyName(k.Account, c.Region, k.ID))
		if err != nil {
			return 0, err
		}
		if version != 0 {
			n++
		}
	}
	return n, nil
}

// expiry deletes the imported material of the key in the place that is its input, as far
// as it has expired. CloudTrail calls it DeleteExpiredKeyMaterial.
type expiry struct{}

func (expiry) operationName() string { return "DeleteExpiredKeyMaterial" }
func (expiry) isReadOnly() bool      { return false }
func (expiry) readsSharedKeys() bool { return false }
func (expiry) emptyBody() bool       { return true }
func (expiry) newInput() any         { return new(keyPlace) }

func (expiry) decide(r *request, in any) (any, error) {
	at := in.(keyPlace)
	k, err := r.service.keys.read(&r.draft, at)
	if err != nil || k == nil || !hasExpired(k, r.now) {
		return nil, err
	}
	r.event.Region, r.event.Resources = k.Region, append(r.event.Resources, k.ARN())
	return nil, r.writeKey(k.Clone()) // which forgets it
}

// hasExpired reports whether there is imported material of k that is to be deleted.
func hasExpired(k *keyrecord.Key, now time.Time) bool {
	for i := range k.Materials {
		if m := &k.Materials[i]; len(m.Bytes) > 0 && !m.Present(now) {
			return true
		}
	}
	return false
}
