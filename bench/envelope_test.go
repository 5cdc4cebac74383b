package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
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

func eachSize(b *testing.B, fn func(b *testing.B, o *envelope.EncryptOptions, plaintext []byte)) {
	for _, s := range suites {
		for _, n := range []int{1 << 10, 64 << 20} {
			b.Run(fmt.Sprintf("%04x/%dKiB", uint16(s), n>>10), func(b *testing.B) {
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

// BenchmarkFloor is what the standard library needs for the same frames: AES-GCM
// over pieces of one frame into one new buffer, without format, keys or signature.
func BenchmarkFloor(b *testing.B) {
	const n = 64 << 20
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	plaintext, iv := make([]byte, n), make([]byte, 12)
	seal := func() []byte {
		out := make([]byte, 0, n/frame*(frame+aead.Overhead()))
		for i := 0; i < n; i += frame {
			binary.BigEndian.PutUint32(iv[8:], uint32(i))
			out = aead.Seal(out, iv, plaintext[i:i+frame], nil)
		}
		return out
	}
	b.Run("seal/65536KiB", func(b *testing.B) {
		b.SetBytes(n)
		for b.Loop() {
			seal()
		}
	})
	b.Run("open/65536KiB", func(b *testing.B) {
		b.SetBytes(n)
		sealed := seal()
		for b.Loop() {
			out, rest := make([]byte, 0, n), sealed
			for i := 0; i < n; i += frame {
				binary.BigEndian.PutUint32(iv[8:], uint32(i))
				if out, err = aead.Open(out, iv, rest[:frame+aead.Overhead()], nil); err != nil {
					b.Fatal(err)
				}
				rest = rest[frame+aead.Overhead():]
			}
		}
	})
}
