package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/sealring/sealring/internal/prf"
	"github.com/sealring/sealring/internal/wire"
)

// The format of a sealed value:
//
//	offset size
//	0      1    format, 2
//	1      4    epoch of the sealing key, big-endian
//	5      8    revision that the writing transaction read, big-endian
//	13     12   nonce, random
//	25     n    ciphertext, as long as the value
//	25+n   16   tag
//
// The cipher is AES-256-GCM. Its key serves one key of the store at one revision:
//
//	prk = HKDF-Extract-SHA256(salt: store id, secret: the epoch's sealing key)
//	key = HKDF-Expand-SHA256(prk, info: recordLabel, epoch, revision, the store's key)
//
// so no nonce can meet another one by chance, however often a key is written. The
// associated data is the format, the epoch, the revision, the store id and the store's
// key. In both the last field is the only one of variable length.
const (
	recordFormat = 2
	recordLabel  = "sealring/store/record/2\x00"
	recordPrefix = 1 + 4 + 8 // format, epoch and revision
	nonceLen     = 12
	tagLen       = 16
)

// SealOverhead is the number of bytes by which a value grows in a [Sealed] store.
const SealOverhead = recordPrefix + nonceLen + tagLen

const storeIDLen = 16

// sealer encrypts and decrypts the records of one store that are of one epoch. It is
// immutable.
type sealer struct {
	id    [storeIDLen]byte
	epoch uint32
	prk   *prf.PRF
	tally *prf.PRF // of the epoch's tally
}

// newSealer keeps neither of the slices.
func newSealer(sealingKey []byte, id [storeIDLen]byte, epoch uint32) (*sealer, error) {
	prk, err := hkdf.Extract(sha256.New, sealingKey, id[:])
	if err != nil {
		return nil, err
	}
	s := &sealer{id: id, epoch: epoch, prk: prf.New(prk)}
	s.tally = prf.New(s.expand(nil, []byte(tallyLabel)))
	return s, nil
}

// wipe makes the sealer useless.
func (s *sealer) wipe() {
	s.prk.Wipe()
	s.tally.Wipe()
}

// expand appends the first 32 bytes of HKDF-Expand(prk, info) to dst (RFC 5869, section
// 2.3). It overwrites what lies behind info in its array.
func (s *sealer) expand(dst, info []byte) []byte { return s.prk.Append(dst, append(info, 1)) }

// aead returns the cipher of the record that begins with prefix, and its
// associated data.
func (s *sealer) aead(prefix []byte, key string) (cipher.AEAD, []byte, error) {
	var k [sha256.Size]byte
	defer clear(k[:])
	info := append(append(make([]byte, 0, len(recordLabel)+recordPrefix+len(key)), recordLabel...), prefix[1:]...)
	s.expand(k[:0], append(info, key...))
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	aad := make([]byte, 0, len(prefix)+len(s.id)+len(key))
	aad = append(append(append(aad, prefix...), s.id[:]...), key...)
	return aead, aad, nil
}

// seal returns the record that holds value under key.
func (s *sealer) seal(key string, revision uint64, value []byte) ([]byte, error) {
	record := make([]byte, 0, len(value)+SealOverhead)
	record = binary.BigEndian.AppendUint32(append(record, recordFormat), s.epoch)
	record = binary.BigEndian.AppendUint64(record, revision)
	aead, aad, err := s.aead(record, key)
	if err != nil {
		return nil, err
	}
	record = record[:recordPrefix+nonceLen]
	nonce := record[recordPrefix:]
	rand.Read(nonce)
	return aead.Seal(record, nonce, value, aad), nil
}

// open returns the value in the record of key. The error matches [ErrDamaged] if
// anything about the record is wrong; which thing is not told.
func (s *sealer) open(key string, record []byte) ([]byte, error) {
	r := wire.NewReader(record)
	prefix, nonce := r.Bytes(recordPrefix), r.Bytes(nonceLen)
	if r.Err() != nil || prefix[0] != recordFormat {
		return nil, damaged(key)
	}
	aead, aad, err := s.aead(prefix, key)
	if err != nil {
		return nil, err
	}
	value, err := aead.Open([]byte{}, nonce, r.Bytes(r.Len()), aad)
	if err != nil {
		return nil, damaged(key)
	}
	return value, nil
}

// recordMark is what tells a record from every other one without decrypting it: no two
// records have the same tag but by chance.
type recordMark struct {
	epoch    uint32
	revision uint64
	tag      []byte // part of the record
}

// parseMark reads the mark of a record, and authenticates nothing. ok is false if the
// record is too short or of another format.
func parseMark(record []byte) (m recordMark, ok bool) {
	if len(record) < SealOverhead || record[0] != recordFormat {
		return recordMark{}, false
	}
	return recordMark{
		epoch:    binary.BigEndian.Uint32(record[1:]),
		revision: binary.BigEndian.Uint64(record[5:]),
		tag:      record[len(record)-tagLen:],
	}, true
}

func damaged(key string) error { return fmt.Errorf("%w: key %q", ErrDamaged, key) }
