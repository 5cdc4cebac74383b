package s3crypto

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// unwrapKW is the unwrapping of AES Key Wrap with its default initial value (RFC 3394,
// sections 2.2.2 and 2.2.3.1) for edk of 8 bytes more than a data key.
func unwrapKW(block cipher.Block, edk []byte) (dataKey, error) {
	const half, rounds = 8, 6
	initial := []byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}

	var b [2 * half]byte // the register A, then one half block
	copy(b[:half], edk)
	key := append(dataKey(nil), edk[half:]...)
	for step := uint64(rounds * len(key) / half); step > 0; step-- {
		r := key[(step-1)*half%uint64(len(key)):]
		binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])^step)
		copy(b[half:], r)
		block.Decrypt(b[:], b[:])
		copy(r, b[half:])
	}
	clear(b[half:])
	if subtle.ConstantTimeCompare(b[:half], initial) != 1 {
		clear(key)
		return nil, ErrAuthentication
	}
	return key, nil
}
