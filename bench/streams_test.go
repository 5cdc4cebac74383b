package bench

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"testing"

	"filippo.io/age"
	"github.com/minio/sio"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
)

// tinkStream is Tink's streaming AEAD, AES-GCM-HKDF with 256-bit keys.
func tinkStream(b *testing.B, name string, template *tinkpb.KeyTemplate) peer {
	b.Helper()
	handle, err := keyset.NewHandle(template)
	if err != nil {
		b.Fatal(err)
	}
	stream, err := streamingaead.New(handle)
	if err != nil {
		b.Fatal(err)
	}
	return peer{
		name: name,
		seal: func(plaintext []byte) ([]byte, error) {
			return sealStream(plaintext, func(dst io.Writer) (io.WriteCloser, error) {
				return stream.NewEncryptingWriter(dst, nil)
			})
		},
		open: func(sealed []byte, n int) ([]byte, error) {
			r, err := stream.NewDecryptingReader(bytes.NewReader(sealed), nil)
			return openStream(r, n, err)
		},
	}
}

// tinkEnvelope is Tink's envelope encryption: a new AES-256-GCM key for each message,
// wrapped with AES-256-GCM as well. A message is one piece.
func tinkEnvelope(b *testing.B) peer {
	b.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		b.Fatal(err)
	}
	wrapping, err := aead.New(handle)
	if err != nil {
		b.Fatal(err)
	}
	sealer := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), wrapping)
	return peer{
		name: "tink-envelope",
		seal: func(plaintext []byte) ([]byte, error) { return sealer.Encrypt(plaintext, nil) },
		open: func(sealed []byte, _ int) ([]byte, error) { return sealer.Decrypt(sealed, nil) },
	}
}

// ageFile is age with a native X25519 recipient: ChaCha20-Poly1305 over 64 KiB chunks.
func ageFile(b *testing.B) peer {
	b.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	return peer{
		name: "age",
		seal: func(plaintext []byte) ([]byte, error) {
			return sealStream(plaintext, func(dst io.Writer) (io.WriteCloser, error) {
				return age.Encrypt(dst, identity.Recipient())
			})
		},
		open: func(sealed []byte, n int) ([]byte, error) {
			r, err := age.Decrypt(bytes.NewReader(sealed), identity)
			return openStream(r, n, err)
		},
	}
}

// sioDARE is sio with DARE 2.0: AES-256-GCM over 64 KiB packages.
func sioDARE(*testing.B) peer {
	key := make([]byte, 32)
	rand.Read(key)
	config := sio.Config{
		MinVersion: sio.Version20, MaxVersion: sio.Version20, CipherSuites: []byte{sio.AES_256_GCM}, Key: key,
	}
	return peer{
		name: "sio",
		seal: func(plaintext []byte) ([]byte, error) {
			return sealStream(plaintext, func(dst io.Writer) (io.WriteCloser, error) {
				return sio.EncryptWriter(dst, config)
			})
		},
		open: func(sealed []byte, n int) ([]byte, error) {
			r, err := sio.DecryptReader(bytes.NewReader(sealed), config)
			return openStream(r, n, err)
		},
	}
}

// sealStream writes all of plaintext at once to a stream that ends in a new buffer
// with room for it. The room spares streams the growth of the buffer.
func sealStream(plaintext []byte, open func(io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	dst := bytes.NewBuffer(make([]byte, 0, len(plaintext)+len(plaintext)/64+1<<10))
	w, err := open(dst)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plaintext); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return dst.Bytes(), nil
}

// openStream reads n bytes into a new buffer, and the end.
func openStream(r io.Reader, n int, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	plaintext := make([]byte, n)
	if _, err := io.ReadFull(r, plaintext); err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, fmt.Errorf("%d bytes after the end: %w", n, err)
	}
	return plaintext, nil
}
