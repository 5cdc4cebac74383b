package ecdhwrap

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"slices"
)

// fixedInfo returns what the keys of an encrypted data key are bound to, which is the
// associated data of the wrapped key as well:
//
//	"ecdh-key-derivation" 00 curve 00 "HMAC_SHA384" 00 sender recipient 00 01 00 context
//
// with compressed points, the format version 01 and the serialised encryption
// context. The sender comes first here, and second in the provider info. The
// specification has the first string in capitals, which nobody writes.
func fixedInfo(c *Curve, i Info, context []byte) []byte {
	return slices.Concat(
		[]byte("ecdh-key-derivation\x00"), []byte(c.name), []byte("\x00HMAC_SHA384\x00"),
		i.Sender, i.Recipient, []byte{0, infoVersion, 0}, context,
	)
}

// Lengths in bytes of what is derived.
const (
	commitmentLen = 32
	wrappingLen   = 32
)

// derive returns a commitment to the wrapping key, and the wrapping key, for a shared
// secret (NIST SP 800-108r1, section 4.1, with HMAC-SHA384):
//
//	block i = HMAC(secret, u32 i || fixed || 00 || salt || u32 512)
//
// The caller owns both.
func derive(secret, fixed, salt []byte) (commitment, wrapping []byte) {
	mac := hmac.New(sha512.New384, secret)
	out := make([]byte, 0, 2*sha512.Size384)
	var number [4]byte
	for i := range uint32(2) {
		mac.Reset()
		binary.BigEndian.PutUint32(number[:], i+1)
		mac.Write(number[:])
		mac.Write(fixed)
		mac.Write([]byte{0})
		mac.Write(salt)
		binary.BigEndian.PutUint32(number[:], 8*(commitmentLen+wrappingLen))
		mac.Write(number[:])
		out = mac.Sum(out)
	}
	clear(out[commitmentLen+wrappingLen:])
	return out[:commitmentLen:commitmentLen], out[commitmentLen : commitmentLen+wrappingLen]
}
