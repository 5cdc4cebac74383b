package s3crypto_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

const mib = 1 << 20

var writersKey = bytes.Repeat([]byte{7}, 32)

// noise looks random. Its length is odd, so that it is another one in each part and chunk.
var noise = sync.OnceValue(func() []byte {
	b := make([]byte, 64<<10-1)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
})

// random returns n bytes that look random and are always the same.
func random(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; {
		i += copy(b[i:], noise()[n%61:])
	}
	return b
}

// newWriter returns a client with parts of 5 MiB that writes into f.
func newWriter(t testing.TB, f s3crypto.API, o s3crypto.Options) *s3crypto.Client {
	t.Helper()
	w, err := s3crypto.NewAES(writersKey, nil)
	require.NoError(t, err)
	if o.PartSize == 0 {
		o.PartSize = 5 * mib
	}
	c, err := s3crypto.New(f, w, &o)
	require.NoError(t, err)
	return c
}

func newGCM(t testing.TB, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}

// decrypted decrypts an object by the formats' specification, with nothing of this module
// but the wrapping key.
func decrypted(t testing.TB, metadata map[string]string, body []byte) []byte {
	t.Helper()
	field := func(name string) []byte {
		b, err := base64.StdEncoding.DecodeString(metadata[name])
		require.NoError(t, err)
		require.NotEmpty(t, b, name)
		return b
	}
	wrapping := newGCM(t, writersKey)
	if metadata["x-amz-cek-alg"] == "AES/GCM/NoPadding" {
		edk := field("x-amz-key-v2")
		key, err := wrapping.Open(nil, edk[:12], edk[12:], []byte("AES/GCM/NoPadding"))
		require.NoError(t, err)
		plaintext, err := newGCM(t, key).Open(nil, field("x-amz-iv"), body, nil)
		require.NoError(t, err)
		return plaintext
	}
	require.Equal(t, "115", metadata["x-amz-c"])
	edk := field("x-amz-3")
	key, err := wrapping.Open(nil, edk[:12], edk[12:], []byte("115"))
	require.NoError(t, err)
	commitment, err := hkdf.Key(sha512.New, key, field("x-amz-i"), "\x00\x73COMMITKEY", 28)
	require.NoError(t, err)
	require.Equal(t, commitment, field("x-amz-d"))
	key, err = hkdf.Key(sha512.New, key, field("x-amz-i"), "\x00\x73DERIVEKEY", 32)
	require.NoError(t, err)
	plaintext, err := newGCM(t, key).Open(nil, bytes.Repeat([]byte{1}, 12), body, []byte{0, 0x73})
	require.NoError(t, err)
	return plaintext
}

// written returns the plaintext of the object that is in the bucket, whose instruction
// file is read if there is one.
func written(t testing.TB, f *fakeBucket, key string) []byte {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.current(key)
	require.NotNil(t, o, "no object %s", key)
	metadata := maps.Clone(o.metadata)
	if file := f.current(key + ".instruction"); file != nil {
		more := map[string]string{}
		require.NoError(t, json.Unmarshal(file.body, &more))
		maps.Copy(metadata, more)
	}
	require.Empty(t, f.leaks)
	return decrypted(t, metadata, o.body)
}

// requireWritten compares without printing megabytes.
func requireWritten(t testing.TB, f *fakeBucket, key string, want []byte) {
	t.Helper()
	got := written(t, f, key)
	require.True(t, bytes.Equal(want, got), "%d bytes, not the %d that were put", len(got), len(want))
}

func putInput(body io.Reader) *s3.PutObjectInput {
	return &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k"), Body: body}
}

func createInput() *s3.CreateMultipartUploadInput {
	return &s3.CreateMultipartUploadInput{Bucket: aws.String("bucket"), Key: aws.String("k")}
}

// plainReader cannot seek, and returns less than it is asked for.
type plainReader struct{ r io.Reader }

func (p plainReader) Read(b []byte) (int, error) { return p.r.Read(b[:(len(b)+1)/2]) }

// pipeLike has a Seek method that fails, as that of a pipe does.
type pipeLike struct{ io.Reader }

func (pipeLike) Seek(int64, int) (int64, error) { return 0, errors.New("illegal seek") }

var policies = map[string]keyring.CommitmentPolicy{
	"V2": keyring.ForbidEncryptAllowDecrypt, "V3": keyring.RequireEncryptRequireDecrypt,
}
