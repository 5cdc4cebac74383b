package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"sync"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
)

// A ciphertext blob of a symmetric key names the key and the material that made
// it, so that Decrypt needs nothing else:
//
//	offset  bytes  meaning
//	     0      5  01 02 02 00 78, as AWS's blobs start
//	     5      1  format version, 1
//	     6     12  account id, ASCII
//	    18     36  key id, ASCII
//	    54     32  key material id
//	    86     16  salt, random
//	   102      n  AES-256-GCM ciphertext
//	 102+n     16  tag
//
// Each blob has a key of its own, derived from the material and the salt, and a
// nonce of zeros. Everything in front of the ciphertext and the framed encryption
// context are associated data. The Region is no part of it: copies of a
// multi-Region key read each other's blobs.
//
// The blob of a key in an external key store has such a blob inside, which the proxy of
// the store has encrypted:
//
//	offset  bytes  meaning
//	     0      5  01 02 02 00 78
//	     5      1  format version, 2
//	     6     12  account id, ASCII
//	    18     36  key id, ASCII
//	    54      n  what package xks has made of the proxy's answer
//
// The associated data of that is the SHA-256 hash of everything in front of it and the
// framed encryption context, which could be too long for a proxy.
const (
	blobMagic    = "\x01\x02\x02\x00\x78"
	blobVersion  = 1
	outerVersion = 2
	accountLen   = 12
	keyIDLen     = 36
	saltLen      = 16
	blobHeader   = len(blobMagic) + 1 + accountLen + keyIDLen + sha256.Size + saltLen
	blobTag      = 16
	outerLen     = len(blobMagic) + 1 + accountLen + keyIDLen

	maxPlaintext  = 4096 // of Encrypt, bytes
	maxCiphertext = 6144 // of Decrypt, bytes
)

// The fixed inputs of a blob's cipher. They are never changed.
var (
	blobNonce   = make([]byte, 12)
	blobLabel   = []byte("\x00\x00\x00\x01sealring/kms/ciphertext\x00")
	blobKeyBits = []byte("\x00\x00\x01\x00")
)

// blob is a parsed ciphertext blob. Its slices alias the input.
type blob struct {
	account, keyID string

	header     []byte // bytes 0 to 102, or 54
	material   []byte // its id, not in hexadecimal digits
	salt       []byte
	ciphertext []byte // with the tag

	outer []byte // in place of the last three: what the proxy is to decrypt
}

// parseBlob splits b. It reports false if b is no blob of a symmetric key; nothing
// is authenticated yet.
func parseBlob(b []byte) (blob, bool) {
	if len(b) <= outerLen || string(b[:5]) != blobMagic {
		return blob{}, false
	}
	names := string(b[6:outerLen])
	p := blob{account: names[:accountLen], keyID: names[accountLen:]}
	switch {
	case b[5] == blobVersion && len(b) >= blobHeader+blobTag:
		p.header, p.material, p.salt, p.ciphertext = b[:blobHeader], b[outerLen:86], b[86:blobHeader], b[blobHeader:]
	case b[5] == outerVersion:
		p.header, p.outer = b[:outerLen], b[outerLen:]
	default:
		return blob{}, false
	}
	return p, arn.IsAccount(p.account) && isKeyID(p.keyID)
}

// seal encrypts plaintext under k's current material, without a proxy.
func seal(k *keyrecord.Key, plaintext []byte, context map[string]string) ([]byte, error) {
	m := k.Current()
	if m == nil {
		return nil, errors.New("kms: no material for a ciphertext")
	}
	b, err := hex.AppendDecode(appendBlobStart(make([]byte, 0, blobHeader+len(plaintext)+blobTag), blobVersion, k), []byte(m.ID))
	if err != nil {
		return nil, err
	}
	salt := b[len(b):blobHeader]
	rand.Read(salt)
	b = b[:blobHeader]

	w := desks.Get().(*desk)
	defer desks.Put(w)
	aead, err := w.cipher(m, salt)
	if err != nil {
		return nil, err
	}
	return aead.Seal(b, blobNonce, plaintext, w.aad(b, context)), nil
}

// appendBlobStart appends what all blobs of k start with.
func appendBlobStart(b []byte, version byte, k *keyrecord.Key) []byte {
	b = append(b, blobMagic...)
	b = append(b, version)
	b = append(b, k.Account...)
	return append(b, k.ID...)
}

// outerHeader returns what is in front of the proxy's part in a blob of k.
func outerHeader(k *keyrecord.Key) []byte {
	return appendBlobStart(make([]byte, 0, outerLen), outerVersion, k)
}

// outerAAD returns the associated data of the proxy's part.
func outerAAD(header []byte, context map[string]string) []byte {
	sum := sha256.Sum256(appendAAD(nil, header, context))
	return sum[:]
}

// materialOf returns the material of k that sealed the blob, nil if k has none such.
func (p blob) materialOf(k *keyrecord.Key) *keyrecord.Material {
	var id [2 * sha256.Size]byte
	hex.Encode(id[:], p.material)
	for i := range k.Materials {
		if m := &k.Materials[i]; m.ID == string(id[:]) {
			return m
		}
	}
	return nil
}

// open decrypts a blob of k. It reports false if k has no such material, or if the
// blob or the context is not the one that was sealed; which of them is not told.
func (p blob) open(k *keyrecord.Key, context map[string]string) (plaintext []byte, m *keyrecord.Material, ok bool) {
	m = p.materialOf(k)
	if m == nil || m.Pending || p.account != k.Account || p.keyID != k.ID {
		return nil, nil, false
	}
	w := desks.Get().(*desk)
	defer desks.Put(w)
	aead, err := w.cipher(m, p.salt)
	if err != nil {
		return nil, nil, false
	}
	plaintext, err = aead.Open(nil, blobNonce, p.ciphertext, w.aad(p.header, context))
	return plaintext, m, err == nil
}

// A desk is the room in which one blob is sealed or opened.
type desk struct {
	key        [sha256.Size]byte // zero, unless a cipher is being made
	associated []byte
}

// desks keeps the desks that nobody sits at.
var desks = sync.Pool{New: func() any { return new(desk) }}

// aad returns the associated data of a blob, until the next call.
func (w *desk) aad(header []byte, context map[string]string) []byte {
	w.associated = appendAAD(w.associated[:0], header, context)
	return w.associated
}

// cipher returns AES-256-GCM under the key derived from material and salt with
// HMAC-SHA256 in counter mode (NIST SP 800-108r1, section 4.1): one block of
//
//	HMAC(material, u32 1 || label || 00 || salt || u32 256)
//
// A salt of 128 bits for each blob takes the place of a random nonce, whose 2³²
// uses per key would end too soon for a key that lives for years.
func (w *desk) cipher(m *keyrecord.Material, salt []byte) (cipher.AEAD, error) {
	if len(m.Bytes) != keyrecord.MaterialLen { // such as that of material which is not there
		return nil, errors.New("kms: no material for a ciphertext")
	}
	defer clear(w.key[:])
	block, err := aes.NewCipher(m.AppendPRF(w.key[:0], blobLabel, salt, blobKeyBits))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// appendAAD appends the associated data of a blob: its header and the encryption
// context, every part preceded by its length, so that no two contexts have the
// same bytes: {"ab":"c"} and {"a":"bc"} differ. A context without pairs is the
// same as none.
func appendAAD(aad, header []byte, context map[string]string) []byte {
	size := len(header) + 4
	for k, v := range context {
		size += 8 + len(k) + len(v)
	}
	aad = append(slices.Grow(aad, size), header...)
	aad = binary.BigEndian.AppendUint32(aad, uint32(len(context)))
	var few [8]string // as most contexts are
	keys := few[:0]
	for k := range context {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		for _, part := range [...]string{k, context[k]} {
			aad = binary.BigEndian.AppendUint32(aad, uint32(len(part)))
			aad = append(aad, part...)
		}
	}
	return aad
}
