// Package keyrecord is the form in which the KMS engine stores keys and aliases:
// JSON objects that the sealing store encrypts. It is data only; what a record
// means is decided in package kms.
package keyrecord

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sealring/sealring/internal/arn"
)

// The formats of the records that this package writes: of keys, and of all else.
const (
	keyVersion = 2
	version    = 1
)

// The names of the API that this package has to know.
const (
	SpecSymmetric  = "SYMMETRIC_DEFAULT"
	OriginExternal = "EXTERNAL"
)

// Key is one KMS key in one Region. A multi-Region key is one of these in each of its
// Regions; [Key.Share] says what they have in common.
type Key struct {
	Version int       `json:"v"`
	Account string    `json:"account"`
	Region  string    `json:"region"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Enabled bool      `json:"enabled"`

	// Spec, Usage and Origin are the API's names: SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT,
	// AWS_KMS and so on.
	Spec   string `json:"spec"`
	Usage  string `json:"usage"`
	Origin string `json:"origin"`

	// Service is set for an AWS managed key: the short name of the service whose alias,
	// alias/aws/…, refers to it.
	Service string `json:"service,omitempty"`

	// Transition is what happens to the key for a time.
	Transition *Transition `json:"transition,omitempty"`

	// Deletion is set while the key is pending deletion.
	Deletion *Deletion `json:"deletion,omitempty"`

	// Local is in a record of its own. LocalChanges counts how often that was written; 0
	// means that there is none.
	Local        `json:"-"`
	LocalChanges uint64 `json:"localChanges,omitempty"`

	// Grants is the number of the key's grants. Every change of a grant changes the
	// key's record too, in GrantChanges, so that a decision that rests on grants is
	// taken again if one has changed.
	Grants       int    `json:"grants,omitempty"`
	GrantChanges uint64 `json:"grantChanges,omitempty"`

	// Materials are the versions of the key material, oldest first. The last one that
	// is not pending is current. There is none before the first import.
	Materials []Material `json:"materials,omitempty"`

	// Rotation is set while automatic rotation is on.
	Rotation *Rotation `json:"rotation,omitempty"`

	// OnDemandRotations counts them over the key's life. OnDemandStarted is set while
	// one is under way.
	OnDemandRotations int        `json:"onDemandRotations,omitempty"`
	OnDemandStarted   *time.Time `json:"onDemandStarted,omitempty"`

	// MultiRegion is set for a key that is, or can have, a copy in another Region.
	MultiRegion *MultiRegion `json:"multiRegion,omitempty"`

	// KeyStore is the id of the custom key store that holds the key, and XksKey the id
	// of the external key, if there is one.
	KeyStore string `json:"keyStore,omitempty"`
	XksKey   string `json:"xksKey,omitempty"`

	arn string // of a record that was read
}

// Transition is a state, Creating or Updating, that ends by itself.
type Transition struct {
	State string    `json:"state"`
	Until time.Time `json:"until"`
}

// Deletion is a key's waiting period. At is zero for a primary key that waits for its
// replicas to be deleted first: its period starts when the last one is.
type Deletion struct {
	Days int32     `json:"days"`
	At   time.Time `json:"at,omitzero"`
}

// Rotation is the schedule of automatic rotation.
type Rotation struct {
	Days int32     `json:"days"`
	Next time.Time `json:"next"`
}

// MultiRegion is what a copy of a multi-Region key knows of the others. All copies
// have the same.
type MultiRegion struct {
	Primary string `json:"primary"` // its Region
	Copies  []Copy `json:"copies"`  // the primary and its replicas, by age
}

// Copy is one copy of a multi-Region key. Deletion is when it ceases to be, if that
// is settled.
type Copy struct {
	Region   string     `json:"region"`
	Deletion *time.Time `json:"deletion,omitempty"`
}

// Tag is a key and a value. Seq orders a key's tags and is never used twice on
// one key, so that a page of a listing can be resumed after any change.
type Tag struct {
	Seq   uint64 `json:"seq"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Alias is an alias of one account and Region.
type Alias struct {
	Version int       `json:"v"`
	Name    string    `json:"name"` // "alias/…"
	Target  string    `json:"target"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// ARN returns the key's ARN.
func (k *Key) ARN() string {
	if k.arn != "" {
		return k.arn
	}
	return KeyARN(k.Region, k.Account, k.ID)
}

// DeletionDate returns when the key ceases to be. It reports false for a key that is
// not pending deletion, and for one that still waits for its replicas.
func (k *Key) DeletionDate(now time.Time) (at time.Time, ok bool) {
	switch {
	case k.Deletion == nil:
		return time.Time{}, false
	case !k.Primary():
		return k.Deletion.At, true
	}
	// Even if there is a date: a replica may have been gone to the clock that set it, and
	// kept by another.
	var last time.Time
	for _, c := range k.MultiRegion.Copies {
		if c.Region == k.Region {
			continue
		}
		if c.Deletion == nil || now.Before(*c.Deletion) {
			return time.Time{}, false
		}
		if c.Deletion.After(last) {
			last = *c.Deletion
		}
	}
	if at = last.AddDate(0, 0, int(k.Deletion.Days)); at.Before(k.Deletion.At) {
		at = k.Deletion.At
	}
	return at, true
}

// Gone reports whether the key's waiting period has passed. To every operation it is
// as if the key had never been.
func (k *Key) Gone(now time.Time) bool {
	at, ok := k.DeletionDate(now)
	return ok && !now.Before(at)
}

// Primary reports whether the key is the primary copy of a multi-Region key.
func (k *Key) Primary() bool { return k.MultiRegion != nil && k.MultiRegion.Primary == k.Region }

// Replica reports whether the key is a replica of a multi-Region key.
func (k *Key) Replica() bool { return k.MultiRegion != nil && k.MultiRegion.Primary != k.Region }

// Share gives other, another copy of the multi-Region key k, what all copies have in
// common: the roles, the rotation and the material. Imported material stays as it is
// where it was imported: only its place in the list is shared.
func (k *Key) Share(other *Key) {
	m := *k.MultiRegion
	m.Copies = slices.Clone(m.Copies)
	other.MultiRegion = &m
	other.OnDemandRotations = k.OnDemandRotations
	other.OnDemandStarted, other.Rotation = nil, nil
	if k.OnDemandStarted != nil {
		t := *k.OnDemandStarted
		other.OnDemandStarted = &t
	}
	if k.Rotation != nil {
		r := *k.Rotation
		other.Rotation = &r
	}
	materials := slices.Clone(k.Materials)
	for i := range materials {
		if k.Origin != OriginExternal {
			continue
		}
		m := &materials[i]
		m.Bytes, m.ValidTo = nil, nil
		if own := other.Material(m.ID); own != nil {
			m.Bytes, m.ValidTo = own.Bytes, own.ValidTo
		}
	}
	other.Materials = materials
}

// Clone returns a copy of k that shares nothing with it that could be changed. The
// bytes of material are never changed, so both have the same.
func (k *Key) Clone() *Key {
	c := *k
	c.Tags, c.Aliases, c.Notes = slices.Clone(k.Tags), slices.Clone(k.Aliases), maps.Clone(k.Notes)
	c.Materials = slices.Clone(k.Materials)
	if k.Transition != nil {
		t := *k.Transition
		c.Transition = &t
	}
	if k.Deletion != nil {
		d := *k.Deletion
		c.Deletion = &d
	}
	if k.Rotation != nil {
		r := *k.Rotation
		c.Rotation = &r
	}
	if k.MultiRegion != nil {
		m := *k.MultiRegion
		m.Copies = slices.Clone(m.Copies)
		c.MultiRegion = &m
	}
	return &c
}

// KeyARN returns the ARN of a key.
func KeyARN(region, account, id string) string { return kmsARN(region, account, "key/"+id) }

// AliasARN returns the ARN of an alias, whose name starts with "alias/".
func AliasARN(region, account, name string) string { return kmsARN(region, account, name) }

func kmsARN(region, account, resource string) string {
	return arn.ARN{Partition: arn.Partition(region), Service: "kms", Region: region, Account: account, Resource: resource}.String()
}

// KeyPrefix starts the store keys of an account's keys in a Region; the key id
// follows.
func KeyPrefix(account, region string) string { return KeyName(account, region, "") }

// KeyName is the store key of a key's record.
func KeyName(account, region, id string) string {
	return "kms/" + account + "/" + region + "/key/" + id
}

// KeyCountName is the store key of a record that everybody writes who makes a key in an
// account and Region where keys are counted. What it holds says nothing.
func KeyCountName(account, region string) string {
	return "kms/" + account + "/" + region + "/keycount"
}

// AliasPrefix starts the store keys of an account's aliases in a Region; the alias
// name without its "alias/" follows.
func AliasPrefix(account, region string) string { return "kms/" + account + "/" + region + "/alias/" }

// UnmarshalKey reads the first record of a key. What stands in others is missing; a key
// with all of it comes from [ReadKey].
func UnmarshalKey(b []byte) (*Key, error) {
	var k Key
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("keyrecord: key: %w", err)
	}
	switch {
	case k.Version != keyVersion:
		return nil, fmt.Errorf("keyrecord: key of format %d, this program knows %d", k.Version, keyVersion)
	case k.Spec == "" || k.Usage == "" || k.Origin == "":
		return nil, fmt.Errorf("keyrecord: key %s has no spec, usage or origin", k.ID)
	case k.Deletion != nil && k.Deletion.At.IsZero() && k.MultiRegion == nil:
		return nil, fmt.Errorf("keyrecord: key %s is to be deleted at no date", k.ID)
	}
	if !k.SharesMaterials() {
		if err := k.checkMaterials(); err != nil {
			return nil, err
		}
	}
	k.arn = KeyARN(k.Region, k.Account, k.ID)
	return &k, nil
}

// Marshal returns the record of a.
func (a *Alias) Marshal() ([]byte, error) {
	a.Version = version
	return json.Marshal(a)
}

// UnmarshalAlias reads an alias's record.
func UnmarshalAlias(b []byte) (*Alias, error) {
	var a Alias
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("keyrecord: alias: %w", err)
	}
	if a.Version != version {
		return nil, fmt.Errorf("keyrecord: alias of format %d, this program knows %d", a.Version, version)
	}
	return &a, nil
}
