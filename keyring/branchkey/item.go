package branchkey

import (
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
)

// The names of the attributes of an item, those of AWS's branch key store, schema
// version 1. Each is a string but for the ciphertext, which is binary, and the
// schema version, which is a number.
const (
	AttributeID         = "branch-key-id"     // the table's partition key
	AttributeType       = "type"              // the table's sort key
	AttributeVersion    = "version"           // of the active item: the type of the version's item
	AttributeCiphertext = "enc"               // the key, encrypted by KMS
	AttributeCreated    = "create-time"       // of the version
	AttributeKMSKey     = "kms-arn"           // the KMS key that encrypts the key
	AttributeSchema     = "hierarchy-version" // "1"
	AttributeContext    = "aws-crypto-ec:"    // prefix of the branch key's own context
)

const (
	typeActive    = "branch:ACTIVE"
	typeBeacon    = "beacon:ACTIVE"
	versionPrefix = "branch:version:"

	schemaVersion = "1"

	// logicalNameKey is in the encryption context of every item, but not in the item.
	logicalNameKey = "tablename"

	createdLayout = "2006-01-02T15:04:05.000000Z" // in UTC
)

// Item is one item of a [Table].
type Item struct {
	// Attributes are all attributes but the ciphertext, by name, as text. They are
	// authenticated: together with the logical name of the key store they are the
	// encryption context under which KMS has encrypted the key.
	Attributes map[string]string
	// Ciphertext is what KMS made of the key, the attribute "enc".
	Ciphertext []byte
}

// encryptionContext returns the context that KMS binds to the item's key.
func (i Item) encryptionContext(logicalName string) map[string]string {
	c := maps.Clone(i.Attributes)
	c[logicalNameKey] = logicalName
	return c
}

// customContext returns the branch key's own encryption context, nil if it is empty.
func (i Item) customContext() keyring.EncryptionContext {
	var c keyring.EncryptionContext
	for name, value := range i.Attributes {
		if key, ok := strings.CutPrefix(name, AttributeContext); ok {
			if c == nil {
				c = keyring.EncryptionContext{}
			}
			c[key] = value
		}
	}
	return c
}

// versionType returns the type of a version's item.
func versionType(v string) string { return versionPrefix + v }

// check returns an *ItemError unless i has exactly the attributes that an item of
// that id and type has. Times are not read: KMS authenticates their text, and
// implementations differ in how they write it.
func (i Item) check(id, itemType string) error {
	bad := func(attribute, reason string) error {
		return &ItemError{ID: id, Type: itemType, Attribute: attribute, Reason: reason}
	}
	for name, value := range i.Attributes {
		if !documented(name) {
			return bad(name, "is not known")
		}
		switch {
		case !utf8.ValidString(name) || !utf8.ValidString(value):
			return bad(name, "is not UTF-8")
		case value == "": // KMS takes no such context
			return bad(name, "is empty")
		}
	}
	for _, name := range []string{AttributeID, AttributeType, AttributeCreated, AttributeKMSKey, AttributeSchema} {
		if i.Attributes[name] == "" {
			return bad(name, "is missing")
		}
	}
	marker, hasMarker := i.Attributes[AttributeVersion]
	switch {
	case i.Attributes[AttributeID] != id:
		return bad(AttributeID, "is another's")
	case i.Attributes[AttributeType] != itemType:
		return bad(AttributeType, "is another's")
	case i.Attributes[AttributeSchema] != schemaVersion:
		return bad(AttributeSchema, "is not 1")
	case !isKeyARN(i.Attributes[AttributeKMSKey]):
		return bad(AttributeKMSKey, "is not the ARN of a KMS key")
	case hasMarker != (itemType == typeActive):
		return bad(AttributeVersion, "belongs to the active branch key, and to it alone")
	case hasMarker && !isVersionType(marker):
		return bad(AttributeVersion, "is not branch:version: and a UUID")
	case len(i.Ciphertext) == 0:
		return bad(AttributeCiphertext, "is missing or empty")
	}
	return nil
}

// documented reports whether an item may have the attribute beside the ciphertext.
func documented(name string) bool {
	switch name {
	case AttributeID, AttributeType, AttributeVersion, AttributeCreated, AttributeKMSKey, AttributeSchema:
		return true
	}
	return len(name) > len(AttributeContext) && strings.HasPrefix(name, AttributeContext)
}

// isVersionType reports whether s is the type of a version's item.
func isVersionType(s string) bool {
	text, ok := strings.CutPrefix(s, versionPrefix)
	_, err := parseVersion(text)
	return ok && err == nil
}

// isKeyARN reports whether s is the ARN of a KMS key, not of an alias.
func isKeyARN(s string) bool {
	_, kind, _, ok := arn.KMSKey(s)
	return ok && kind == "key"
}
