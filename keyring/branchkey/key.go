package branchkey

import (
	"bytes"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/sealring/sealring/keyring"
)

const (
	// KeyLen is the length of branch keys and beacon keys in bytes.
	KeyLen = 32

	// MaxIDLen is the greatest length of a branch key id in bytes, what DynamoDB
	// takes for a partition key.
	MaxIDLen = 2048
)

// Key is one version of a branch key, decrypted. It prints without its bytes. Its
// methods may be called concurrently, but not with Destroy.
type Key struct {
	id      string
	version version
	secret  []byte
	context keyring.EncryptionContext
}

// NewKey returns a branch key of [KeyLen] bytes. The version is a UUID in lower case.
// The context is what the key was created with, or nil. Secret and context are
// copied. It is for implementations of [Store]; the errors are [ErrKeyID],
// [ErrVersion] and [ErrResponse].
func NewKey(id, version string, secret []byte, context keyring.EncryptionContext) (*Key, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	v, err := parseVersion(version)
	if err != nil {
		return nil, err
	}
	if len(secret) != KeyLen {
		return nil, fmt.Errorf("%w: a branch key of %d bytes", ErrResponse, len(secret))
	}
	return &Key{id, v, bytes.Clone(secret), maps.Clone(context)}, nil
}

// ID returns the branch key's id.
func (k *Key) ID() string { return k.id }

// Version returns the version, a UUID in lower case.
func (k *Key) Version() string { return k.version.String() }

// Context returns a copy of the encryption context that the branch key was created
// with, nil if there was none.
func (k *Key) Context() keyring.EncryptionContext { return maps.Clone(k.context) }

// Bytes returns a copy of the key's bytes, which the caller should overwrite after
// use; nil after Destroy.
func (k *Key) Bytes() []byte { return bytes.Clone(k.secret) }

// Destroy overwrites the key's bytes. Nothing can be wrapped with it afterwards.
func (k *Key) Destroy() {
	clear(k.secret)
	k.secret = nil
}

// Format prints id and version only, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "branchkey.Key{%q, %v}", k.id, k.version)
}

// BeaconKey is the key of a branch key id from which the beacons of searchable
// encryption are derived. It has no versions: other beacons would match nothing
// that is stored. It prints without its bytes. Its methods may be called
// concurrently, but not with Destroy.
type BeaconKey struct {
	id      string
	secret  []byte
	context keyring.EncryptionContext
}

// ID returns the branch key's id.
func (k *BeaconKey) ID() string { return k.id }

// Context returns a copy of the encryption context that the branch key was created
// with, nil if there was none.
func (k *BeaconKey) Context() keyring.EncryptionContext { return maps.Clone(k.context) }

// Bytes returns a copy of the key's [KeyLen] bytes, which the caller should overwrite
// after use; nil after Destroy.
func (k *BeaconKey) Bytes() []byte { return bytes.Clone(k.secret) }

// Destroy overwrites the key's bytes.
func (k *BeaconKey) Destroy() {
	clear(k.secret)
	k.secret = nil
}

// Format prints the id only, whatever the verb.
func (k BeaconKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "branchkey.BeaconKey{%q}", k.id) }

// checkID returns ErrKeyID unless id can be stored and stand in a message.
func checkID(id string) error {
	if id == "" || len(id) > MaxIDLen || !utf8.ValidString(id) {
		return fmt.Errorf("%w: %.100q, of %d bytes", ErrKeyID, id, len(id))
	}
	return nil
}
