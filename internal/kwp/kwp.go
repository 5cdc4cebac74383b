// Package kwp is AES key wrap with padding (RFC 5649; KWP of NIST SP 800-38F), which
// encrypts a key under another one. It needs no nonce: what it wraps has to be a key,
// for equal input gives equal output.
package kwp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrUnwrap is returned by [Unwrap] for everything that does not unwrap, with no hint
// why.
var ErrUnwrap = errors.New("kwp: not a key that was wrapped with this one")

// block is the unit of the algorithm, half of an AES block, in bytes.
const block = 8

// rounds is how often each half block is encrypted (RFC 3394, section 2.2.1).
const rounds = 6

// magic begins the alternative initial value (RFC 5649, section 3); the length of the
// key in four bytes follows.
const magic = 0xa65959a6

// Wrap encrypts key, which has at least one byte, under kek, which has 16, 24 or 32. The
// result is 8 to 15 bytes longer than key, a multiple of 8, and belongs to the caller.
func Wrap(kek, key []byte) ([]byte, error) {
	c, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("kwp: key encryption key of %d bytes", len(kek))
	}
	if len(key) == 0 || uint64(len(key)) > math.MaxUint32-block {
		return nil, fmt.Errorf("kwp: cannot wrap a key of %d bytes", len(key))
	}
	// The integrity value, then the key and zeros up to a whole half block.
	out := make([]byte, block+(len(key)+block-1)/block*block)
	binary.BigEndian.PutUint32(out, magic)
	binary.BigEndian.PutUint32(out[4:], uint32(len(key)))
	copy(out[block:], key)
	if len(out) == aes.BlockSize {
		c.Encrypt(out, out)
		return out, nil
	}
	// RFC 3394, section 2.2.1: what begins as the integrity value goes through every
	// half block.
	var b [aes.BlockSize]byte
	a, step := binary.BigEndian.Uint64(out), uint64(0)
	for range rounds {
		for r := out[block:]; len(r) > 0; r = r[block:] {
			binary.BigEndian.PutUint64(b[:], a)
			copy(b[block:], r)
			c.Encrypt(b[:], b[:])
			step++
			a = binary.BigEndian.Uint64(b[:]) ^ step
			copy(r, b[block:])
		}
	}
	binary.BigEndian.PutUint64(out, a)
	return out, nil
}

// Unwrap returns the key that was wrapped under kek, which belongs to the caller. The
// error is [ErrUnwrap] unless kek has an impossible length. Its time depends on the
// length of wrapped, and tells nothing of where it has been altered.
func Unwrap(kek, wrapped []byte) ([]byte, error) {
	c, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("kwp: key encryption key of %d bytes", len(kek))
	}
	if len(wrapped) < aes.BlockSize || len(wrapped)%block != 0 || uint64(len(wrapped)) > math.MaxUint32 {
		return nil, ErrUnwrap
	}
	out := make([]byte, len(wrapped))
	if len(wrapped) == aes.BlockSize {
		c.Decrypt(out, wrapped)
	} else {
		unwrapLong(c, out, wrapped)
	}
	size, ok := check(out)
	if !ok {
		clear(out)
		return nil, ErrUnwrap
	}
	return out[block:][:size], nil
}

// unwrapLong decrypts more than one block to out (RFC 3394, section 2.2.2).
func unwrapLong(c cipher.Block, out, wrapped []byte) {
	copy(out, wrapped)
	var b [aes.BlockSize]byte
	a, step := binary.BigEndian.Uint64(out), uint64(rounds*(len(out)/block-1))
	for range rounds {
		for i := len(out) - block; i > 0; i -= block {
			binary.BigEndian.PutUint64(b[:], a^step)
			copy(b[block:], out[i:])
			c.Decrypt(b[:], b[:])
			step--
			a = binary.BigEndian.Uint64(b[:])
			copy(out[i:], b[block:])
		}
	}
	clear(b[:])
	binary.BigEndian.PutUint64(out, a)
}

// check returns the length of the key in what has been decrypted, and whether the
// integrity value and the padding are right (RFC 5649, section 3). It looks at all of
// them whatever it finds.
func check(out []byte) (size int, ok bool) {
	key := out[block:]
	claimed := int64(binary.BigEndian.Uint32(out[4:]))
	pad := int64(len(key)) - claimed // 0 to 7 where all is right

	wrong := uint64(binary.BigEndian.Uint32(out) ^ magic)
	wrong |= negative(pad) | negative(block-1-pad)
	for i, b := range key[len(key)-block:] {
		wrong |= uint64(b) & negative(int64(block-1-i)-pad) // byte i is padding
	}
	return int(claimed), wrong == 0
}

// negative returns all ones for a number below zero, and zero for every other.
func negative(x int64) uint64 { return uint64(x >> 63) }
