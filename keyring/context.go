package keyring

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealring/sealring/internal/wire"
)

// EncryptionContext is a set of pairs that is bound to a message without being
// secret: it is stored in the clear and has to be the same when the message is
// decrypted. Keys and values are UTF-8.
type EncryptionContext map[string]string

// ReservedPrefix starts the keys that belong to the Encryption SDK. No caller's
// encryption context may hold one.
const ReservedPrefix = "aws-crypto-"

// publicKeyName is the key under which a signed message carries the public key
// that verifies it.
const publicKeyName = ReservedPrefix + "public-key"

// AppendBinary appends the context's serialisation to dst and returns the
// result. An empty context has no bytes; any other is (Encryption SDK
// specification, "Key value pairs"):
//
//	u16 count, then for each pair in ascending order of the key's bytes
//	u16 length, key, u16 length, value
//
// The error is [ErrEncryptionContext] if a key or value is not UTF-8 or the
// whole exceeds 65,535 bytes.
func (c EncryptionContext) AppendBinary(dst []byte) ([]byte, error) {
	if len(c) == 0 {
		return dst, nil
	}
	size := 2
	for k, v := range c {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return dst, fmt.Errorf("%w: not UTF-8", ErrEncryptionContext)
		}
		size += 4 + len(k) + len(v)
	}
	if size > math.MaxUint16 {
		return dst, fmt.Errorf("%w: %d bytes, at most %d fit", ErrEncryptionContext, size, math.MaxUint16)
	}
	dst = slices.Grow(dst, size)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(c)))
	var few [8]string // enough for most contexts, so that these need no allocation
	keys := few[:0]
	for k := range c {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		dst, _ = wire.AppendField16(dst, k) // size is bounded above
		dst, _ = wire.AppendField16(dst, c[k])
	}
	return dst, nil
}

// ParseEncryptionContext reads the serialisation of a whole context. Pairs may
// stand in any order, and 00 00 is read as the empty context, because older
// writers left both; a duplicate key, text that is not UTF-8 and left-over bytes
// are refused with [ErrEncryptionContext].
func ParseEncryptionContext(b []byte) (EncryptionContext, error) {
	if len(b) == 0 {
		return nil, nil
	}
	bad := func(why string) (EncryptionContext, error) {
		return nil, fmt.Errorf("%w: %s", ErrEncryptionContext, why)
	}
	r := wire.NewReader(b)
	count := int(r.Uint16())
	c := make(EncryptionContext, min(count, r.Len()/4))
	for range count {
		k, v := r.Field16(), r.Field16()
		if r.Err() != nil {
			return bad("a pair runs past the end")
		}
		if !utf8.Valid(k) || !utf8.Valid(v) {
			return bad("not UTF-8")
		}
		if _, twice := c[string(k)]; twice {
			return bad("duplicate key")
		}
		c[string(k)] = string(v)
	}
	if r.Err() != nil || r.Len() != 0 {
		return bad("length and pairs disagree")
	}
	return c, nil
}

// checkReserved refuses a caller's context that uses the reserved prefix.
func (c EncryptionContext) checkReserved() error {
	for k := range c {
		if strings.HasPrefix(k, ReservedPrefix) {
			return fmt.Errorf("%w: key %q has the reserved prefix %q", ErrEncryptionContext, k, ReservedPrefix)
		}
	}
	return nil
}

// only returns the pairs of c whose keys are listed.
func (c EncryptionContext) only(keys []string) EncryptionContext {
	part := make(EncryptionContext, len(keys))
	for _, k := range keys {
		part[k] = c[k]
	}
	return part
}

// without returns the pairs of c whose keys are not listed.
func (c EncryptionContext) without(keys []string) EncryptionContext {
	part := maps.Clone(c)
	for _, k := range keys {
		delete(part, k)
	}
	return part
}
