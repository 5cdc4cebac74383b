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
	var s [length]byte
	format(s[:], b)
	return string(s[:])
}

// Two returns two of New, for little more than the price of one.
func Two() (first, second string) {
	var b [32]byte
	rand.Read(b[:])
	var s [2 * length]byte
	format(s[:length], [16]byte(b[:16]))
	format(s[length:], [16]byte(b[16:]))
	both := string(s[:])
	return both[:length], both[length:]
}

// length is that of an identifier's text.
const length = 36

// format writes the identifier of random bytes to s.
func format(s []byte, b [16]byte) {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
}
