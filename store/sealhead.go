package store

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/sealring/sealring/internal/wire"
	"github.com/sealring/sealring/keyring"
)

// headKey is where a sealed store keeps its head. It is the least key there is, so
// that a scan leaves it out by starting after it.
const headKey = "\x00"

const (
	headFormat    = 1
	commitLabel   = "sealring/store/commitment/1"
	commitmentLen = sha256.Size
)

// sealHead is what a sealed store needs to be opened:
//
//	size
//	1    format, 1
//	16   store id, random
//	2    number of encrypted data keys, at least 1; for each
//	       u16 length, provider
//	       u16 length, info
//	       u16 length, ciphertext of the sealing key
//	32   commitment: HKDF-Expand-SHA256(prk, info: commitLabel, format)
//
// prk is the sealer's, so the commitment binds the sealing key and the store id.
// It does not bind the encrypted data keys: each is authentic by itself, and where
// several root keys can open the store, damage to one must not lock out the rest.
type sealHead struct {
	id         [storeIDLen]byte
	keys       []keyring.EncryptedDataKey
	commitment [commitmentLen]byte
}

// newHead has root make a sealing key and returns the head that keeps it wrapped.
func newHead(ctx context.Context, root keyring.Keyring) (*sealHead, error) {
	h := &sealHead{}
	rand.Read(h.id[:])
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{
		Context: h.context(),
		Suite:   keyring.AES256GCMHKDFSHA512CommitKey,
	})
	if err != nil {
		return nil, err
	}
	defer m.Destroy()
	if err := root.OnEncrypt(ctx, m); err != nil {
		return nil, err
	}
	if err := m.Complete(); err != nil {
		return nil, err
	}
	h.keys = m.EncryptedDataKeys()
	s, err := newSealer(m.DataKey(), h.id[:])
	if err != nil {
		return nil, err
	}
	h.commitment, err = s.commitment()
	clear(s.prk)
	return h, err
}

// context is the encryption context that the sealing key is wrapped with.
func (h *sealHead) context() keyring.EncryptionContext {
	return keyring.EncryptionContext{"sealring": "store", "store-id": hex.EncodeToString(h.id[:])}
}

// unseal has root unwrap the sealing key and returns the sealer made of it. The
// error matches [ErrRootKey] if root could not, and [ErrDamaged] if the key is not
// the one that the head commits to.
func (h *sealHead) unseal(ctx context.Context, root keyring.Keyring) (*sealer, error) {
	m, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
		Suite:             keyring.AES256GCMHKDFSHA512CommitKey,
		EncryptedDataKeys: h.keys,
		Context:           h.context(),
	})
	if err != nil {
		return nil, err
	}
	defer m.Destroy()
	if err := root.OnDecrypt(ctx, m, h.keys); errors.Is(err, keyring.ErrNoMatch) {
		return nil, fmt.Errorf("%w: %w", ErrRootKey, err)
	} else if err != nil {
		return nil, err
	}
	if err := m.Complete(); err != nil {
		return nil, err
	}
	s, err := newSealer(m.DataKey(), h.id[:])
	if err != nil {
		return nil, err
	}
	is, err := s.commitment()
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(is[:], h.commitment[:]) != 1 {
		clear(s.prk)
		return nil, damaged(headKey)
	}
	return s, nil
}

// commitment returns the value by which a head commits to the sealing key.
func (s *sealer) commitment() (c [commitmentLen]byte, err error) {
	b, err := hkdf.Expand(sha256.New, s.prk, commitLabel+string([]byte{headFormat}), commitmentLen)
	copy(c[:], b)
	return c, err
}

// encode returns the head's bytes.
func (h *sealHead) encode() ([]byte, error) {
	b := append([]byte{headFormat}, h.id[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.keys)))
	for _, k := range h.keys {
		for _, field := range [][]byte{[]byte(k.Provider), k.Info, k.Ciphertext} {
			var fits bool
			if b, fits = wire.AppendField16(b, field); !fits {
				return nil, fmt.Errorf("store: wrapped sealing key has a field of %d bytes", len(field))
			}
		}
	}
	return append(b, h.commitment[:]...), nil
}

// parseHead reads what encode writes. Every failure is the same error, matched by
// [ErrDamaged].
func parseHead(b []byte) (*sealHead, error) {
	h := &sealHead{}
	r := wire.NewReader(b)
	format := r.Uint8()
	copy(h.id[:], r.Bytes(storeIDLen))
	count := r.Uint16()
	for range count {
		k := keyring.EncryptedDataKey{Provider: string(r.Field16()), Info: r.Field16(), Ciphertext: r.Field16()}
		if r.Err() != nil {
			break
		}
		h.keys = append(h.keys, k.Clone())
	}
	copy(h.commitment[:], r.Bytes(commitmentLen))
	if r.Err() != nil || r.Len() != 0 || format != headFormat || count == 0 {
		return nil, damaged(headKey)
	}
	return h, nil
}

// loadHead returns the head's bytes, or nil if the store is empty. The error is
// [ErrNotSealed] if there are records but no head.
func loadHead(tx Tx) ([]byte, error) {
	b, err := tx.Get(headKey)
	if err == nil {
		return clone(b), nil // not nil, or an empty head would be overwritten
	}
	if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	for _, err := range tx.Scan("", "") {
		if err != nil {
			return nil, err
		}
		return nil, ErrNotSealed
	}
	return nil, nil
}
