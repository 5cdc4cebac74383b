package envelope_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// wrappingKey stands for 32 bytes that a real program keeps safe.
var wrappingKey = []byte("0123456789abcdef0123456789abcdef")

func Example() {
	ctx := context.Background()
	ring, _ := keyring.NewRawAES("fleet", "2026-01", wrappingKey)
	m := keyring.NewManager(ring)
	message, _ := envelope.Encrypt(ctx, m, []byte("hello"), nil)
	plaintext, _, err := envelope.Decrypt(ctx, m, message, nil)
	fmt.Println(string(plaintext), err)
	// Output: hello <nil>
}

func newManager() keyring.Manager {
	ring, err := keyring.NewRawAES("fleet", "2026-01", wrappingKey)
	if err != nil {
		log.Fatal(err)
	}
	return keyring.NewManager(ring)
}

func ExampleEncrypt() {
	ctx, m := context.Background(), newManager()
	message, err := envelope.Encrypt(ctx, m, []byte("hello"), &envelope.EncryptOptions{
		Context: keyring.EncryptionContext{"tenant": "42"},
		Suite:   keyring.AES256GCMHKDFSHA512CommitKey, // without a signature
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(message), "bytes")
	// Output: 237 bytes
}

func ExampleDecrypt() {
	ctx, m := context.Background(), newManager()
	message, err := envelope.Encrypt(ctx, m, []byte("hello"), &envelope.EncryptOptions{
		Context: keyring.EncryptionContext{"tenant": "42"},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = envelope.Decrypt(ctx, m, message, &envelope.DecryptOptions{
		Context: keyring.EncryptionContext{"tenant": "43"},
	})
	fmt.Println(err)
	// Output: envelope: keyring: encryption context refused: the message's value for key "tenant" is not the required one
}

func ExampleNewWriter() {
	ctx, m := context.Background(), newManager()
	var dst bytes.Buffer
	w, err := envelope.NewWriter(ctx, &dst, m, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(w, strings.NewReader(strings.Repeat("a long stream ", 1000))); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil { // the message is complete only now
		log.Fatal(err)
	}
	size, _ := w.EncryptedSize(14000)
	fmt.Println(size == int64(dst.Len()))
	// Output: true
}

func ExampleNewReader() {
	ctx, m := context.Background(), newManager()
	message, err := envelope.Encrypt(ctx, m, []byte("hello"), nil)
	if err != nil {
		log.Fatal(err)
	}
	r, err := envelope.NewReader(ctx, bytes.NewReader(message), m, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Header().Suite)
	plaintext, err := io.ReadAll(r) // an error here means: discard what came
	fmt.Println(string(plaintext), err)
	// Output:
	// ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
	// hello <nil>
}

func ExampleReadHeader() {
	ctx, m := context.Background(), newManager()
	message, err := envelope.Encrypt(ctx, m, []byte("hello"), &envelope.EncryptOptions{
		Context: keyring.EncryptionContext{"tenant": "42"},
		Suite:   keyring.AES256GCMHKDFSHA512CommitKey,
	})
	if err != nil {
		log.Fatal(err)
	}
	h, err := envelope.ReadHeader(bytes.NewReader(message), nil) // needs no key, proves nothing
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Suite, h.Context, h.EncryptedDataKeys[0].Provider, h.FrameLength)
	// Output: ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY map[tenant:42] fleet 4096
}
