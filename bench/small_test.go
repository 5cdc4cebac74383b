package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"testing"
	"time"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

const small = 1 << 10

// repeat makes one piece of work of many, so that it can be timed.
func repeat(n int, work func() error) func() error {
	return func() error {
		for range n {
			if err := work(); err != nil {
				return err
			}
		}
		return nil
	}
}

// bareParts is the cryptography of suite 0478 on a message of 1 KiB under a raw AES
// key, with what the standard library has: randomness, HKDF, two AES-GCM set-ups,
// the wrapping of the data key, and the tags of header and frame.
func bareParts(plaintext []byte) error {
	wrappingKey := make([]byte, 32)
	random := make([]byte, 32+12) // data key, IV
	rand.Read(random)
	dataKey, iv := random[:32], random[32:]
	wrapping, err := newGCM(wrappingKey)
	if err != nil {
		return err
	}
	wrapping.Seal(nil, iv, dataKey, nil)
	return bodyParts(dataKey, plaintext)
}

// bodyParts is what is left of bareParts when the data key comes out of a cache.
func bodyParts(dataKey, plaintext []byte) error {
	id := make([]byte, 32)
	rand.Read(id)
	secret, err := hkdf.Extract(sha512.New, dataKey, id)
	if err != nil {
		return err
	}
	if _, err = hkdf.Expand(sha512.New, secret, "COMMITKEY", 32); err != nil {
		return err
	}
	key, err := hkdf.Expand(sha512.New, secret, "\x04\x78DERIVEKEY", 32)
	if err != nil {
		return err
	}
	content, err := newGCM(key)
	if err != nil {
		return err
	}
	nonce := make([]byte, 12)
	out := content.Seal(nil, nonce, nil, make([]byte, 200))
	nonce[11] = 1
	content.Seal(out, nonce, plaintext, nil)
	return nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// BenchmarkSmall compares messages of 1 KiB with the cryptography that they cannot
// do without: how many times as long as that they take.
func BenchmarkSmall(b *testing.B) {
	m, plaintext := manager(b), make([]byte, small)
	encrypt := func(s keyring.Suite) func() error {
		return func() error {
			_, err := envelope.Encrypt(b.Context(), m, plaintext, &envelope.EncryptOptions{Suite: s})
			return err
		}
	}
	b.Run("0478", func(b *testing.B) {
		encrypt := encrypt(keyring.AES256GCMHKDFSHA512CommitKey)
		parts := func() error { return bareParts(plaintext) }
		versus(b, cost, side{"parts", repeat(1000, parts)}, side{"encrypt", repeat(1000, encrypt)})
		b.ReportMetric(testing.AllocsPerRun(100, func() { encrypt() }), "allocs/message")
		b.ReportMetric(testing.AllocsPerRun(100, func() { parts() }), "allocs/parts")
	})
	b.Run("0478-cached", func(b *testing.B) {
		cached, err := keyring.NewCaching(m, keyring.CachingOptions{MaxAge: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		encrypt := func() error {
			_, err := envelope.Encrypt(b.Context(), cached, plaintext, &envelope.EncryptOptions{Suite: keyring.AES256GCMHKDFSHA512CommitKey})
			return err
		}
		dataKey := make([]byte, 32)
		parts := func() error { return bodyParts(dataKey, plaintext) }
		versus(b, cost, side{"parts", repeat(1000, parts)}, side{"encrypt", repeat(1000, encrypt)})
		b.ReportMetric(testing.AllocsPerRun(100, func() { encrypt() }), "allocs/message")
	})
	b.Run("0578", func(b *testing.B) {
		digest := make([]byte, 48)
		sign := func() error {
			key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			if err != nil {
				return err
			}
			_, err = ecdsa.SignASN1(rand.Reader, key, digest)
			return err
		}
		encrypt := encrypt(keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384)
		versus(b, cost, side{"signature", repeat(20, sign)}, side{"encrypt", repeat(20, encrypt)})
	})
}
