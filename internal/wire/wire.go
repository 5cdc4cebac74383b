// Package wire reads and appends the big-endian, length-prefixed fields of the
// Encryption SDK's structures.
package wire

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrShort is returned by [Reader.Err] when a field was longer than the bytes
// that are left.
var ErrShort = errors.New("wire: unexpected end of input")

// Reader takes fields off the front of a byte slice. After the first field that
// does not fit, every method returns a zero value and Err returns [ErrShort], so
// a run of fields can be checked once. Returned slices alias the input.
type Reader struct {
	rest []byte
	bad  bool
}

// NewReader returns a reader of b.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// Len returns the number of bytes that are left.
func (r *Reader) Len() int { return len(r.rest) }

// Err returns ErrShort if a field did not fit, else nil.
func (r *Reader) Err() error {
	if r.bad {
		return ErrShort
	}
	return nil
}

// Bytes takes the next n bytes.
func (r *Reader) Bytes(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Uint8 takes one byte.
func (r *Reader) Uint8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 takes two bytes.
func (r *Reader) Uint16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Field16 takes a two-byte length and that many bytes.
func (r *Reader) Field16() []byte { return r.Bytes(int(r.Uint16())) }

// AppendField16 appends the two-byte length of f and f, or returns false and
// dst unchanged if f is longer than 65,535 bytes.
func AppendField16[T string | []byte](dst []byte, f T) ([]byte, bool) {
	if len(f) > math.MaxUint16 {
		return dst, false
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(f)))
	return append(dst, f...), true
}
