package s3crypto

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealring/sealring/internal/gcmstream"
	"github.com/sealring/sealring/internal/wire"
)

// stateVersion is the first byte of a state, which is
//
//	1 byte    version
//	2 + n     the object's header, as JSON
//	12 bytes  nonce
//	n         content, encrypted with AES-256-GCM; what precedes the nonce is associated data
//	16 bytes  tag
//
// The key is derived from the object's data key. The content is
//
//	2 + n     bucket
//	2 + n     key
//	2 + n     key of the instruction file, or empty
//	2 + n     upload id
//	8 bytes   length of the plaintext of a part
//	1 byte    1 if all parts are known
//	and for each part that is known, in order
//	2 bytes   number
//	24 bytes  piece
//	2 + n     ETag, or empty if S3 is not known to have it
const stateVersion = 1

// State returns all that [Client.ResumeUpload] needs besides the wrapping key, encrypted
// under the data key of the object: whoever cannot unwrap that can neither read it nor
// alter it.
//
// A state knows the parts that were begun before it was taken. What is sent later is
// dangerous with an older one: other bytes could be encrypted as the same part, and give
// both away. ResumeUpload notices parts that S3 has and the state does not, but not parts
// that were cut off. So take the state when no part is under way and nothing is sent
// after it, or set PutOptions.Save, and keep only the last state.
func (u *Upload) State() ([]byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state()
}

// saveState has the caller keep the state, unless he has what is known now.
func (u *Upload) saveState(ctx context.Context) error {
	if u.save == nil {
		return nil
	}
	u.saving.Lock()
	defer u.saving.Unlock()
	u.mu.Lock()
	known, tag := len(u.parts), u.tag
	if known == u.saved && (tag == nil || tag.saved) {
		u.mu.Unlock()
		return nil
	}
	state, err := u.state()
	u.mu.Unlock()
	if err != nil {
		return err
	}
	if err := u.save(ctx, state); err != nil {
		return fmt.Errorf("s3crypto: Save: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.saved = known; tag != nil {
		tag.saved = true
	}
	return nil
}

// stateCipher returns the cipher of states.
func (h *header) stateCipher(key dataKey) (cipher.AEAD, error) {
	derived, err := h.derive(key, "sealring upload state", dataKeySize)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("s3crypto: AES: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("s3crypto: AES-GCM: %w", err)
	}
	return aead, nil
}

// state is State while mu is held.
func (u *Upload) state() ([]byte, error) {
	state, ok := wire.AppendField16([]byte{stateVersion}, appendJSON(nil, u.d.header.metadata()))
	content := []byte{}
	for _, field := range [...]string{*u.d.in.Bucket, *u.d.in.Key, u.d.fileKey, u.id} {
		var fits bool
		content, fits = wire.AppendField16(content, field)
		ok = ok && fits
	}
	content = binary.BigEndian.AppendUint64(content, uint64(u.partSize))
	if u.tag == nil {
		content = append(content, 0)
	} else {
		content = append(content, 1)
	}
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		p, etag := u.parts[number], ""
		if p.sent != nil {
			etag = *p.sent.ETag
		}
		piece, _ := p.piece.MarshalBinary()
		content = append(binary.BigEndian.AppendUint16(content, uint16(number)), piece...)
		var fits bool
		content, fits = wire.AppendField16(content, etag)
		ok = ok && fits
	}
	if !ok {
		return nil, errors.New("s3crypto: a name is too long for a state")
	}
	return u.seal.Seal(slices.Clip(state), nil, content, state), nil
}

// openedState is the content of a state.
type openedState struct {
	bucket, key, fileKey, id string
	partSize                 int64
	whole                    bool
	numbers                  []int32
	pieces                   []gcmstream.Piece
	etags                    []string
}

// stateHeader reads the part of a state that is not encrypted.
func stateHeader(state []byte) (h *header, aad, sealed []byte, err error) {
	r := wire.NewReader(state)
	version, text := r.Uint8(), r.Field16()
	if r.Err() != nil || version != stateVersion {
		return nil, nil, nil, ErrState
	}
	f, err := instructionFields(text)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %v", ErrState, err)
	}
	found, err := f.format()
	if err != nil || found == 0 {
		return nil, nil, nil, ErrState
	}
	h = &header{length: -1}
	if err := h.parse(f, found); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %v", ErrState, err)
	}
	aad = state[:len(state)-r.Len()]
	return h, aad, r.Bytes(r.Len()), nil
}

// parseState reads the content of a state.
func parseState(content []byte) (*openedState, error) {
	r := wire.NewReader(content)
	s := &openedState{
		bucket: string(r.Field16()), key: string(r.Field16()),
		fileKey: string(r.Field16()), id: string(r.Field16()),
	}
	if size := r.Bytes(8); size != nil {
		s.partSize = int64(binary.BigEndian.Uint64(size))
	}
	whole := r.Uint8()
	s.whole = whole == 1
	for r.Len() > 0 {
		var piece gcmstream.Piece
		number := int32(r.Uint16())
		if err := piece.UnmarshalBinary(r.Bytes(24)); err != nil {
			return nil, ErrState
		}
		s.numbers, s.pieces = append(s.numbers, number), append(s.pieces, piece)
		s.etags = append(s.etags, string(r.Field16()))
	}
	if r.Err() != nil || whole > 1 || s.id == "" || !isPartSize(s.partSize) {
		return nil, ErrState
	}
	return s, nil
}

// openState decrypts the content of a state.
func (h *header) openState(key dataKey, aad, sealed []byte) (*openedState, error) {
	aead, err := h.stateCipher(key)
	if err != nil {
		return nil, err
	}
	content, err := aead.Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, ErrState
	}
	return parseState(content)
}
