package xkstest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"slices"

	"github.com/sealring/sealring/internal/xks"
)

// A key has one AES-256 key for each time that it was rotated, and one more. Which
// of them made a ciphertext is told by its metadata: the index in four bytes, big
// endian.
type key struct {
	xks.Metadata
	versions []cipher.Block
}

const metadataSize = 4

// AddKey makes a new key that KMS can use. It replaces the one with the same id.
func (p *Proxy) AddKey(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[id] = &key{
		Metadata: xks.Metadata{
			Spec:   xks.AES256,
			Usage:  []string{xks.UsageEncrypt, xks.UsageDecrypt},
			Status: xks.Enabled,
		},
		versions: []cipher.Block{newVersion()},
	}
}

// SetKey changes what the proxy says of a key and which requests it refuses for it.
// The key has to be there.
func (p *Proxy) SetKey(id string, m xks.Metadata) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.existing(id).Metadata = m
}

// RotateKey gives the key new material. The old stays good for decryption. The key
// has to be there.
func (p *Proxy) RotateKey(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.existing(id)
	k.versions = append(k.versions, newVersion())
}

// RemoveKey forgets a key and all its material.
func (p *Proxy) RemoveKey(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, id)
}

// existing returns a key that the test has added. The caller holds mu.
func (p *Proxy) existing(id string) *key {
	k, ok := p.keys[id]
	if !ok {
		panic("xkstest: no key " + id)
	}
	return k
}

// key returns a copy of the key, whose slices are only read.
func (p *Proxy) key(id string) (key, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.keys[id]
	if !ok {
		return key{}, false
	}
	return *k, true
}

func newVersion() cipher.Block {
	b := make([]byte, 32)
	rand.Read(b)
	block, err := aes.NewCipher(b)
	if err != nil {
		panic(err) // 32 bytes are a good length
	}
	return block
}

// check returns why the key cannot be used, or nil.
func (k *key) check(usage string) error {
	switch {
	case k.Status != xks.Enabled:
		return exception(xks.InvalidStateException)
	case k.Spec != xks.AES256 || !slices.Contains(k.Usage, usage):
		return exception(xks.InvalidKeyUsageException)
	}
	return nil
}

// seal encrypts under the newest version.
func (k *key) seal(plaintext, aad []byte, ivSize int) (metadata, iv, ciphertext, tag []byte) {
	newest := len(k.versions) - 1
	metadata = binary.BigEndian.AppendUint32(nil, uint32(newest))
	iv = make([]byte, ivSize)
	rand.Read(iv)
	sealed := aead(k.versions[newest], ivSize).Seal(nil, iv, plaintext, fullAAD(aad, metadata))
	return metadata, iv, sealed[:len(plaintext)], sealed[len(plaintext):]
}

// open decrypts what seal has encrypted. The lengths of iv and tag are good.
func (k *key) open(metadata, iv, ciphertext, tag, aad []byte) ([]byte, error) {
	if len(metadata) != metadataSize {
		return nil, exception(xks.InvalidCiphertextException)
	}
	version := binary.BigEndian.Uint32(metadata)
	if uint64(version) >= uint64(len(k.versions)) {
		return nil, exception(xks.InvalidCiphertextException)
	}
	sealed := slices.Concat(ciphertext, tag)
	plaintext, err := aead(k.versions[version], len(iv)).Open(nil, iv, sealed, fullAAD(aad, metadata))
	if err != nil {
		return nil, exception(xks.InvalidCiphertextException)
	}
	return plaintext, nil
}

func aead(block cipher.Block, ivSize int) cipher.AEAD {
	a, err := cipher.NewGCMWithNonceSize(block, ivSize)
	if err != nil {
		panic(err) // only for a size of 0
	}
	return a
}

// fullAAD is what the tag covers beside the ciphertext (specification, "Encrypt",
// ciphertextMetadata). The lengths keep one part from passing for the other.
func fullAAD(aad, metadata []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(aad)))
	b = append(b, aad...)
	b = append(b, byte(len(metadata)))
	return append(b, metadata...)
}
