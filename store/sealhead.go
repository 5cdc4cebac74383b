package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/sealring/sealring/internal/wire"
	"github.com/sealring/sealring/keyring"
)

// headKey is where a sealed store keeps its head.
const headKey = Reserved

const (
	headFormat    = 2
	headTallied   = 1 // the only flag: the store keeps a tally
	commitLabel   = "sealring/store/commitment/2"
	commitmentLen = sha256.Size
	maxEpochs     = 2 // the present one, and while the store is rekeyed the one before
)

// sealHead is what a sealed store needs to be opened:
//
//	size
//	1    format, 2
//	16   store id, random
//	1    flags: 1 if the store keeps a tally, else 0
//	1    number of sealing keys, 1 or 2; for each
//	       4    epoch, growing from one to the next
//	       2    number of encrypted data keys, at least 1; for each
//	              u16 length, provider
//	              u16 length, info
//	              u16 length, ciphertext of the sealing key
//	       32   commitment: HKDF-Expand-SHA256(prk, info: commitLabel, format, flags, epoch)
//
// prk is that of the epoch's sealer, so the commitment binds the sealing key, the store
// id, the flags and the epoch. It does not bind the encrypted data keys: each is
// authentic by itself, and where several root keys can open the store, damage to one
// must not lock out the rest.
type sealHead struct {
	id      [storeIDLen]byte
	tallied bool
	epochs  []sealEpoch
}

// sealEpoch is one sealing key in a head.
type sealEpoch struct {
	epoch      uint32
	keys       []keyring.EncryptedDataKey
	commitment [commitmentLen]byte
}

// newHead has root make a sealing key and returns the head that keeps it wrapped.
func newHead(ctx context.Context, root keyring.Keyring, tallied bool) (*sealHead, error) {
	h := &sealHead{tallied: tallied}
	rand.Read(h.id[:])
	e, err := h.wrap(ctx, root, 1, nil)
	if err != nil {
		return nil, err
	}
	h.epochs = []sealEpoch{e}
	return h, nil
}

// newest returns the epoch that is written with.
func (h *sealHead) newest() uint32 { return h.epochs[len(h.epochs)-1].epoch }

// context is the encryption context that the sealing key of an epoch is wrapped with.
func (h *sealHead) context(epoch uint32) keyring.EncryptionContext {
	return keyring.EncryptionContext{
		"sealring": "store",
		"store-id": hex.EncodeToString(h.id[:]),
		"epoch":    strconv.FormatUint(uint64(epoch), 10),
	}
}

// wrap has root wrap the sealing key of an epoch, or make it if it is nil.
func (h *sealHead) wrap(ctx context.Context, root keyring.Keyring, epoch uint32, sealingKey []byte) (sealEpoch, error) {
	e := sealEpoch{epoch: epoch}
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{
		Context: h.context(epoch),
		Suite:   keyring.AES256GCMHKDFSHA512CommitKey,
	})
	if err != nil {
		return e, err
	}
	defer m.Destroy()
	if sealingKey != nil {
		if err := m.SetDataKey(sealingKey); err != nil {
			return e, err
		}
	}
	if err := root.OnEncrypt(ctx, m); err != nil {
		return e, fmt.Errorf("store: wrapping the sealing key: %w", err)
	}
	if err := m.Complete(); err != nil {
		return e, fmt.Errorf("store: wrapping the sealing key: %w", err)
	}
	e.keys = m.EncryptedDataKeys()
	s, err := newSealer(m.DataKey(), h.id, epoch)
	if err != nil {
		return e, err
	}
	defer s.wipe()
	e.commitment = s.commitment(h.flags())
	return e, nil
}

// unwrap has root unwrap the sealing key of an epoch and calls use with it; the slice is
// wiped after that. The error matches [ErrRootKey] if root could not, and [ErrDamaged]
// if the key is not the one that the head commits to.
func (h *sealHead) unwrap(ctx context.Context, root keyring.Keyring, e sealEpoch, use func(sealingKey []byte, s *sealer) error) error {
	m, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
		Suite:             keyring.AES256GCMHKDFSHA512CommitKey,
		EncryptedDataKeys: e.keys,
		Context:           h.context(e.epoch),
	})
	if err != nil {
		return err
	}
	defer m.Destroy()
	if err := root.OnDecrypt(ctx, m, e.keys); err != nil {
		return fmt.Errorf("%w: %w", ErrRootKey, err)
	}
	if err := m.Complete(); err != nil {
		return fmt.Errorf("%w: %w", ErrRootKey, err)
	}
	s, err := newSealer(m.DataKey(), h.id, e.epoch)
	if err != nil {
		return err
	}
	is := s.commitment(h.flags())
	if subtle.ConstantTimeCompare(is[:], e.commitment[:]) != 1 {
		s.wipe()
		return damaged(headKey)
	}
	return use(m.DataKey(), s)
}

// unseal returns the sealers of all epochs, which root unwraps. The errors are those of
// unwrap.
func (h *sealHead) unseal(ctx context.Context, root keyring.Keyring) ([]*sealer, error) {
	var sealers []*sealer
	for _, e := range h.epochs {
		err := h.unwrap(ctx, root, e, func(_ []byte, s *sealer) error {
			sealers = append(sealers, s)
			return nil
		})
		if err != nil {
			wipe(sealers)
			return nil, err
		}
	}
	return sealers, nil
}

func wipe(sealers []*sealer) {
	for _, s := range sealers {
		s.wipe()
	}
}

// commitment returns the value by which a head commits to the sealing key.
func (s *sealer) commitment(flags byte) (c [commitmentLen]byte) {
	info := append([]byte(commitLabel), headFormat, flags)
	s.expand(c[:0], binary.BigEndian.AppendUint32(info, s.epoch))
	return c
}

func (h *sealHead) flags() byte {
	if h.tallied {
		return headTallied
	}
	return 0
}

// encode returns the head's bytes.
func (h *sealHead) encode() ([]byte, error) {
	b := append([]byte{headFormat}, h.id[:]...)
	b = append(b, h.flags(), byte(len(h.epochs)))
	for _, e := range h.epochs {
		b = binary.BigEndian.AppendUint32(b, e.epoch)
		b = binary.BigEndian.AppendUint16(b, uint16(len(e.keys)))
		for _, k := range e.keys {
			for _, field := range [][]byte{[]byte(k.Provider), k.Info, k.Ciphertext} {
				var fits bool
				if b, fits = wire.AppendField16(b, field); !fits {
					return nil, fmt.Errorf("store: wrapped sealing key has a field of %d bytes", len(field))
				}
			}
		}
		b = append(b, e.commitment[:]...)
	}
	return b, nil
}

// parseHead reads what encode writes. Every failure is the same error, matched by
// [ErrDamaged].
func parseHead(b []byte) (*sealHead, error) {
	h := &sealHead{}
	r := wire.NewReader(b)
	format := r.Uint8()
	copy(h.id[:], r.Bytes(storeIDLen))
	flags, count := r.Uint8(), r.Uint8()
	h.tallied = flags == headTallied
	valid := format == headFormat && flags <= headTallied && count >= 1 && count <= maxEpochs
	before := uint32(0)
	for range count {
		e := parseEpoch(r)
		if r.Err() != nil || len(e.keys) == 0 || e.epoch <= before {
			valid = false
			break
		}
		before = e.epoch
		h.epochs = append(h.epochs, e)
	}
	if r.Err() != nil || r.Len() != 0 || !valid {
		return nil, damaged(headKey)
	}
	return h, nil
}

// parseEpoch reads one sealing key; r tells whether it was all there.
func parseEpoch(r *wire.Reader) sealEpoch {
	e := sealEpoch{}
	if b := r.Bytes(4); r.Err() == nil {
		e.epoch = binary.BigEndian.Uint32(b)
	}
	for range r.Uint16() {
		k := keyring.EncryptedDataKey{Provider: string(r.Field16()), Info: r.Field16(), Ciphertext: r.Field16()}
		if r.Err() != nil {
			break
		}
		e.keys = append(e.keys, k.Clone())
	}
	copy(e.commitment[:], r.Bytes(commitmentLen))
	return e
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
