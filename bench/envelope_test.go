package bench

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

const frame = 4096

var suites = []keyring.Suite{keyring.AES256GCMHKDFSHA512CommitKey, keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384}

func manager(b *testing.B) keyring.Manager {
	b.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	ring, err := keyring.NewRawAES("bench", "key", key)
	if err != nil {
		b.Fatal(err)
	}
	return keyring.NewManager(ring)
}

func size(n int) string { return fmt.Sprintf("%dKiB", n>>10) }

func eachSize(b *testing.B, fn func(b *testing.B, o *envelope.EncryptOptions, plaintext []byte)) {
	for _, s := range suites {
		for _, n := range []int{1 << 10, 64 << 20} {
			b.Run(fmt.Sprintf("%04x/%s", uint16(s), size(n)), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				fn(b, &envelope.EncryptOptions{Suite: s, FrameLength: frame}, make([]byte, n))
			})
		}
	}
}

func BenchmarkEncrypt(b *testing.B) {
	m := manager(b)
	eachSize(b, func(b *testing.B, o *envelope.EncryptOptions, plaintext []byte) {
		for b.Loop() {
			if _, err := envelope.Encrypt(b.Context(), m, plaintext, o); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecrypt(b *testing.B) {
	m := manager(b)
	eachSize(b, func(b *testing.B, o *envelope.EncryptOptions, plaintext []byte) {
		message, err := envelope.Encrypt(b.Context(), m, plaintext, o)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, _, err := envelope.Decrypt(b.Context(), m, message, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
