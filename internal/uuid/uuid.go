// Package uuid makes random identifiers.
package uuid

import (
	"crypto/rand"
	"encoding/hex"
)

// New returns a random UUID (RFC 9562, version 4) in lower case.
func New() string {
	var b [16]byte
	rand.Read(b[:])
	return format(b)
}

// Two returns two of New, for less than twice the price.
func Two() (first, second string) {
	var b [32]byte
	rand.Read(b[:])
	return format([16]byte(b[:16])), format([16]byte(b[16:]))
}

func format(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
