// Package keyrecord is the form in which the KMS engine stores keys and aliases:
// JSON objects that the sealing store encrypts. It is data only; what a record
// means is decided in package kms.
package keyrecord

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealring/sealring/internal/arn"
)

// version is the format of the records that this package writes.
const version = 1

// MaterialLen is the length of symmetric key material, bytes.
const MaterialLen = 32

// Key is one KMS key in one Region.
type Key struct {
	Version     int       `json:"v"`
	Account     string    `json:"account"`
	Region      string    `json:"region"`
	ID          string    `json:"id"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	Enabled     bool      `json:"enabled"`

	// Deletion is when a key that is pending deletion ceases to be.
	Deletion *time.Time `json:"deletion,omitempty"`

	// Tags are in the order in which their keys were first set. TagSeq is the
	// highest Seq that was ever given.
	Tags   []Tag  `json:"tags,omitempty"`
	TagSeq uint64 `json:"tagSeq,omitempty"`

	// Policy is the text of the key policy as it was given; empty means AWS's default.
	Policy string `json:"policy,omitempty"`

	// Grants is the number of the key's grants. Every change of a grant changes the
	// key's record too, in GrantChanges, so that a decision that rests on grants is
	// taken again if one has changed.
	Grants       int    `json:"grants,omitempty"`
	GrantChanges uint64 `json:"grantChanges,omitempty"`

	// Aliases are the names, "alias/…", that refer to the key, sorted.
	Aliases []string `json:"aliases,omitempty"`

	// Materials are the versions of the key material, oldest first. The last one
	// is current.
	Materials []Material `json:"materials"`
}

// Tag is a key and a value. Seq orders a key's tags and is never used twice on
// one key, so that a page of a listing can be resumed after any change.
type Tag struct {
	Seq   uint64 `json:"seq"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Material is one version of a key's material.
type Material struct {
	ID      string    `json:"id"` // 64 hexadecimal digits
	Bytes   []byte    `json:"bytes"`
	Created time.Time `json:"created"`
}

// Format prints the material's id only, whatever the verb.
func (m Material) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "material %s", m.ID) }

// Alias is an alias of one account and Region.
type Alias struct {
	Version int       `json:"v"`
	Name    string    `json:"name"` // "alias/…"
	Target  string    `json:"target"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// MaterialID returns the id of a key's material: a function of both that says
// nothing of the material, which serves as the key of a pseudo-random function
// here. Copies of a multi-Region key have the same id.
func MaterialID(keyID string, material []byte) string {
	h := hmac.New(sha256.New, material)
	h.Write([]byte("sealring/kms/material-id\x00"))
	h.Write([]byte(keyID))
	return hex.EncodeToString(h.Sum(nil))
}

// NewMaterial returns the material with its id. It keeps b.
func NewMaterial(keyID string, b []byte, created time.Time) Material {
	return Material{ID: MaterialID(keyID, b), Bytes: b, Created: created}
}

// ARN returns the key's ARN.
func (k *Key) ARN() string { return KeyARN(k.Region, k.Account, k.ID) }

// Current returns the material that encrypts.
func (k *Key) Current() *Material { return &k.Materials[len(k.Materials)-1] }

// Material returns the material with the given id, or nil.
func (k *Key) Material(id string) *Material {
	for i := range k.Materials {
		if k.Materials[i].ID == id {
			return &k.Materials[i]
		}
	}
	return nil
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
func KeyPrefix(account, region string) string { return "kms/" + account + "/" + region + "/key/" }

// AliasPrefix starts the store keys of an account's aliases in a Region; the alias
// name without its "alias/" follows.
func AliasPrefix(account, region string) string { return "kms/" + account + "/" + region + "/alias/" }

// Marshal returns the record of k.
func (k *Key) Marshal() ([]byte, error) {
	k.Version = version
	return json.Marshal(k)
}

// UnmarshalKey reads a key's record.
func UnmarshalKey(b []byte) (*Key, error) {
	var k Key
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("keyrecord: key: %w", err)
	}
	if k.Version != version {
		return nil, fmt.Errorf("keyrecord: key of format %d, this program knows %d", k.Version, version)
	}
	if len(k.Materials) == 0 {
		return nil, fmt.Errorf("keyrecord: key %s has no material", k.ID)
	}
	for _, m := range k.Materials {
		if len(m.Bytes) != MaterialLen {
			return nil, fmt.Errorf("keyrecord: key %s has material of %d bytes", k.ID, len(m.Bytes))
		}
	}
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
