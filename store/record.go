package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/sealring/sealring/internal/wire"
)

// The format of a sealed value:
//
//	offset size
//	0      1    format, 1
//	1      8    revision that the writing transaction read, big-endian
//	9      12   nonce, random
//	21     n    ciphertext, as long as the value
//	21+n   16   tag
//
// The cipher is AES-256-GCM. Its key serves one key of the store at one revision:
//
//	prk = HKDF-Extract-SHA256(salt: store id, secret: sealing key)
//	key = HKDF-Expand-SHA256(prk, info: recordLabel, revision, the store's key)
//
// so no nonce can meet another one by chance, however often a key is written. The
// associated data is the format, the revision, the store id and the store's key.
// In both the last field is the only one of variable length.
const (
	recordFormat = 1
	recordLabel  = "sealring/store/record/1\x00"
	recordPrefix = 1 + 8 // format and revision
	nonceLen     = 12
	tagLen       = 16
)

// SealOverhead is the number of bytes by which a value grows in a [Sealed] store.
const SealOverhead = recordPrefix + nonceLen + tagLen

const storeIDLen = 16

// sealer encrypts and decrypts the records of one store. It is immutable.
type sealer struct {
	id  [storeIDLen]byte
	prk []byte
}

// newSealer keeps neither argument.
func newSealer(sealingKey, id []byte) (*sealer, error) {
	s := &sealer{}
	copy(s.id[:], id)
	var err error
	s.prk, err = hkdf.Extract(sha256.New, sealingKey, id)
	return s, err
}

// aead returns the cipher of the record that begins with prefix, and its
// associated data.
func (s *sealer) aead(prefix []byte, key string) (cipher.AEAD, []byte, error) {
	info := recordLabel + string(prefix[1:]) + key
	k, err := hkdf.Expand(sha256.New, s.prk, info, 32)
	if err != nil {
		return nil, nil, err
	}
	defer clear(k)
	block, err := aes.NewCipher(k)
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
	record = binary.BigEndian.AppendUint64(append(record, recordFormat), revision)
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

func damaged(key string) error { return fmt.Errorf("%w: key %q", ErrDamaged, key) }
