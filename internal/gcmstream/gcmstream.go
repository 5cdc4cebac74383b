// Package gcmstream is AES-GCM in pieces: those of one message are encrypted and
// authenticated in any order, on any number of goroutines, at the speed of the standard
// library's one-shot AES-GCM, which does the work. The result is plain AES-GCM (NIST SP
// 800-38D).
//
// The standard library cannot begin in the middle of a message and does not show GHASH,
// but both can be had. A nonce that is not 12 bytes long is hashed into the first counter
// block, and hashing is a multiplication by H that can be undone, so for every counter
// block there is a nonce of 16 bytes that gives it. And the tag of such a piece, taken
// apart, is the hash of its ciphertext. Hashes of pieces that follow each other combine:
//
//	Y(X || Z) = Y(X)·H^blocks(Z) + Y(Z)
//
// Whoever knows a piece's hash and its ciphertext learns H, and can forge: pieces are as
// secret as the key.
//
// Under GODEBUG=fips140=only the standard library takes no nonces for AES-GCM but chooses
// them itself. Two passes get by with that: CTR, and the hash from the tag under whatever
// nonce was chosen. The ciphertext and the tag are the same. AES, CTR and GHASH are those of
// Go's FIPS 140 module then too; that they make AES-GCM with another nonce is this
// package's doing, and no service of the module.
package gcmstream

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

const (
	// BlockSize is that of AES: all pieces of a message but the last one are a
	// multiple of it.
	BlockSize = 16
	// TagSize is the length of a message's tag, and of the room that Seal needs.
	TagSize = 16
	// NonceSize is the length of a message's nonce.
	NonceSize = 12
	// MaxLength is the length of the longest message: 64 GiB less 32 bytes.
	MaxLength = 1<<36 - 32
)

// ErrLength is returned for a piece that does not fit: it does not begin at a block of
// the message, or it ends after MaxLength.
var ErrLength = errors.New("gcmstream: piece is not within the message's blocks")

// Message encrypts or decrypts the pieces of one message. It is safe for concurrent use.
type Message struct {
	block  cipher.Block
	whole  cipher.AEAD // with nonces of 12 bytes, or ones that it chooses
	pieces cipher.AEAD // with nonces of 16 bytes, or nil if it is to be done without
	nonce  [NonceSize]byte

	h, inverse element // H and 1/H
	aad        element // the hash of the associated data
	aadLen     int
	powers     atomic.Pointer[power] // the one that was needed last
}

// power is H^n.
type power struct {
	n uint64
	h element
}

// NewMessage returns the message with the given AES key, nonce of 12 bytes and
// associated data; nothing of them is kept. Two messages must not have the same key and
// nonce. The error is that of package aes for a key of another length than 16, 24 or 32.
func NewMessage(key, nonce, aad []byte) (*Message, error) {
	if len(nonce) != NonceSize {
		return nil, fmt.Errorf("gcmstream: nonce of %d bytes, want %d", len(nonce), NonceSize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	m := &Message{block: block, nonce: [NonceSize]byte(nonce), aadLen: len(aad)}
	if err := m.setAEADs(fips140.Enforced()); err != nil {
		return nil, err
	}
	m.h = m.encrypt([BlockSize]byte{})
	m.inverse = m.h.inverse()
	m.aad = m.hash(aad)
	return m, nil
}

func (m *Message) setAEADs(enforced bool) (err error) {
	if enforced {
		m.whole, err = cipher.NewGCMWithRandomNonce(m.block)
		return err
	}
	if m.whole, err = cipher.NewGCM(m.block); err == nil {
		m.pieces, err = cipher.NewGCMWithNonceSize(m.block, BlockSize)
	}
	return err
}

// Piece is what authenticates a run of ciphertext: its hash and its length. It is
// secret. The zero value is that of no ciphertext.
type Piece struct {
	hash   element
	length int64
}

// Len returns the number of bytes of ciphertext.
func (p Piece) Len() int64 { return p.length }

// Format prints the length only, whatever the verb.
func (p Piece) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "gcmstream.Piece{%d bytes}", p.length) }

// pieceSize is the length of a marshaled Piece.
const pieceSize = 16 + 8

// MarshalBinary returns 24 bytes: the hash and the length. They are secret.
func (p Piece) MarshalBinary() ([]byte, error) {
	b := p.hash.append(make([]byte, 0, pieceSize))
	return binary.BigEndian.AppendUint64(b, uint64(p.length)), nil
}

// UnmarshalBinary reads what MarshalBinary has written.
func (p *Piece) UnmarshalBinary(b []byte) error {
	if len(b) != pieceSize || binary.BigEndian.Uint64(b[16:]) > MaxLength {
		return errors.New("gcmstream: not a piece")
	}
	p.hash, p.length = newElement(b), int64(binary.BigEndian.Uint64(b[16:]))
	return nil
}

// Seal encrypts a piece of plaintext that stands at offset, a multiple of BlockSize, in
// the message. It appends the ciphertext, which is as long, to dst, and uses the TagSize
// bytes of capacity after that. plaintext may lie where its ciphertext comes to lie,
// exactly; otherwise they must not overlap. Nothing that is sealed may stand at a place
// where something else was sealed before.
func (m *Message) Seal(dst, plaintext []byte, offset int64) ([]byte, Piece, error) {
	first, err := firstBlock(offset, int64(len(plaintext)))
	if err != nil {
		return dst, Piece{}, err
	}
	if m.pieces == nil {
		return m.sealInTwo(dst, plaintext, offset)
	}
	var before [BlockSize]byte // the counter block before the first one
	copy(before[:], m.nonce[:])
	binary.BigEndian.PutUint32(before[NonceSize:], first-1)
	// GHASH(nonce) = (nonce·H + length)·H is to be that block.
	nonce := newElement(before[:]).mul(m.inverse).add(element{lo: 8 * BlockSize}).mul(m.inverse)
	sealed := m.pieces.Seal(dst, nonce.append(make([]byte, 0, BlockSize)), plaintext, nil)
	end := len(sealed) - TagSize
	// The tag is (Y + length)·H, masked.
	y := newElement(sealed[end:]).add(m.encrypt(before)).mul(m.inverse).add(element{lo: 8 * uint64(len(plaintext))})
	clear(sealed[end:])
	return sealed[:end], Piece{y, int64(len(plaintext))}, nil
}

// sealInTwo is Seal in two passes.
func (m *Message) sealInTwo(dst, plaintext []byte, offset int64) ([]byte, Piece, error) {
	begin, end := len(dst), len(dst)+len(plaintext)
	dst = slices.Grow(dst, len(plaintext))[:end]
	if err := m.XORKeyStream(dst[begin:], plaintext, offset); err != nil {
		return dst[:begin], Piece{}, err
	}
	return dst, m.Hash(dst[begin:]), nil
}

// Hash returns the piece of existing ciphertext, wherever it stands in the message.
func (m *Message) Hash(ciphertext []byte) Piece {
	return Piece{m.hash(ciphertext), int64(len(ciphertext))}
}

// hash returns Y(b): b is the associated data of an empty message whose tag is
// (Y + length)·H, masked.
func (m *Message) hash(b []byte) element {
	var nonceAndTag [NonceSize + TagSize]byte
	if m.whole.NonceSize() == 0 {
		m.whole.Seal(nonceAndTag[:0], nil, nil, b)
	} else {
		copy(nonceAndTag[:], m.nonce[:])
		m.whole.Seal(nonceAndTag[:NonceSize], m.nonce[:], nil, b)
	}
	var counter [BlockSize]byte
	copy(counter[:], nonceAndTag[:NonceSize])
	counter[BlockSize-1] = 1
	y := newElement(nonceAndTag[NonceSize:]).add(m.encrypt(counter)).mul(m.inverse)
	return y.add(element{hi: 8 * uint64(len(b))})
}

// XORKeyStream encrypts or decrypts bytes that stand at any offset in the message, and
// authenticates nothing. dst and src overlap entirely or not at all; dst is at least as
// long as src.
func (m *Message) XORKeyStream(dst, src []byte, offset int64) error {
	skip := offset & (BlockSize - 1)
	first, err := firstBlock(offset-skip, int64(len(src))+skip)
	if err != nil {
		return err
	}
	var counter [BlockSize]byte
	copy(counter[:], m.nonce[:])
	binary.BigEndian.PutUint32(counter[NonceSize:], first)
	stream := cipher.NewCTR(m.block, counter[:])
	if skip > 0 {
		var unused [BlockSize]byte
		stream.XORKeyStream(unused[:skip], unused[:skip])
	}
	stream.XORKeyStream(dst, src)
	return nil
}

// firstBlock returns the counter of the block at offset.
func firstBlock(offset, length int64) (uint32, error) {
	if offset < 0 || offset%BlockSize != 0 || offset > MaxLength-length {
		return 0, ErrLength
	}
	return uint32(offset/BlockSize + 2), nil
}

// Join returns the piece of a's ciphertext followed by b's. The error is [ErrLength] if
// a does not end at a block and is followed by something, or if both are too long.
func (m *Message) Join(a, b Piece) (Piece, error) {
	switch {
	case b.length == 0:
		return a, nil
	case a.length%BlockSize != 0 || a.length > MaxLength-b.length:
		return Piece{}, ErrLength
	case a.length == 0:
		return b, nil
	}
	shift := m.power(uint64(b.length+BlockSize-1) / BlockSize)
	return Piece{a.hash.mul(shift).add(b.hash), a.length + b.length}, nil
}

// power returns H^n. Pieces have mostly the same length.
func (m *Message) power(n uint64) element {
	if p := m.powers.Load(); p != nil && p.n == n {
		return p.h
	}
	h := m.h.power(n)
	m.powers.Store(&power{n, h})
	return h
}

// Tag returns the tag of the message whose whole ciphertext p is.
func (m *Message) Tag(p Piece) (tag [TagSize]byte) {
	blocks := uint64(p.length+BlockSize-1) / BlockSize
	y := m.aad.mul(m.power(blocks)).add(p.hash)
	lengths := element{hi: 8 * uint64(m.aadLen), lo: 8 * uint64(p.length)}
	var counter [BlockSize]byte
	copy(counter[:], m.nonce[:])
	counter[BlockSize-1] = 1
	y.add(lengths).mul(m.h).add(m.encrypt(counter)).append(tag[:0])
	return tag
}

// encrypt returns the AES encryption of one block.
func (m *Message) encrypt(b [BlockSize]byte) element {
	m.block.Encrypt(b[:], b[:])
	return newElement(b[:])
}

// Format prints nothing of the message, whatever the verb.
func (m *Message) Format(f fmt.State, _ rune) { fmt.Fprint(f, "gcmstream.Message") }
