package s3crypto

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

const (
	keyARN   = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	otherARN = "arn:aws:kms:eu-west-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func unb64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// counted returns the bytes from, from+1 and so on.
func counted(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

// fakeKMS is a KMS of two keys, whose ciphertexts bind the key and the context. It keeps
// every input, and lets a test alter its answers.
type fakeKMS struct {
	aead      cipher.AEAD
	plaintext []byte // if set, the answer to each Decrypt
	generated func(*kms.GenerateDataKeyOutput) (*kms.GenerateDataKeyOutput, error)
	encrypted func(*kms.EncryptOutput) (*kms.EncryptOutput, error)
	decrypted func(*kms.DecryptOutput) (*kms.DecryptOutput, error)

	mu     sync.Mutex
	inputs []any // guarded by mu
}

func newFakeKMS() *fakeKMS {
	block, err := aes.NewCipher(counted(200, 32))
	if err != nil {
		panic(err)
	}
	f := &fakeKMS{}
	if f.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		panic(err)
	}
	return f
}

func (f *fakeKMS) record(in any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inputs = append(f.inputs, in)
}

func (f *fakeKMS) calls() []any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.inputs)
}

func kmsAAD(keyID string, c map[string]string) []byte {
	text, err := json.Marshal(c) // sorts
	if err != nil {
		panic(err)
	}
	return append([]byte(keyID), text...)
}

func (f *fakeKMS) GenerateDataKey(_ context.Context, in *kms.GenerateDataKeyInput, _ ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	f.record(in)
	key := make([]byte, 32)
	rand.Read(key)
	id := *in.KeyId
	out := &kms.GenerateDataKeyOutput{KeyId: &id, Plaintext: key, CiphertextBlob: f.aead.Seal(nil, nil, key, kmsAAD(id, in.EncryptionContext))}
	if f.generated != nil {
		return f.generated(out)
	}
	return out, nil
}

func (f *fakeKMS) Encrypt(_ context.Context, in *kms.EncryptInput, _ ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	kept := *in
	kept.Plaintext = bytes.Clone(in.Plaintext)
	f.record(&kept)
	id := *in.KeyId
	out := &kms.EncryptOutput{KeyId: &id, CiphertextBlob: f.aead.Seal(nil, nil, in.Plaintext, kmsAAD(id, in.EncryptionContext))}
	if f.encrypted != nil {
		return f.encrypted(out)
	}
	return out, nil
}

func (f *fakeKMS) Decrypt(_ context.Context, in *kms.DecryptInput, _ ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	f.record(in)
	ids := []string{keyARN, otherARN}
	if in.KeyId != nil {
		ids = []string{*in.KeyId}
	}
	for _, id := range ids {
		key, err := f.aead.Open(nil, nil, in.CiphertextBlob, kmsAAD(id, in.EncryptionContext))
		if f.plaintext != nil {
			key, err = bytes.Clone(f.plaintext), nil
		}
		if err != nil {
			continue
		}
		out := &kms.DecryptOutput{KeyId: &id, Plaintext: key}
		if f.decrypted != nil {
			return f.decrypted(out)
		}
		return out, nil
	}
	return nil, &types.InvalidCiphertextException{}
}

// testRSA is a key pair of 2,048 bits.
var testRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var testAES = counted(1, 32)

// wrappers returns one of each kind, with all that is legacy admitted.
func wrappers(t testing.TB) map[string]Wrapper {
	t.Helper()
	k, err := NewKMS(newFakeKMS(), keyARN, &KMSOptions{AllowWithoutContext: true})
	require.NoError(t, err)
	a, err := NewAES(testAES, &AESOptions{Description: map[string]string{"stage": "tést"}, AllowKeyWrap: true, AllowECB: true})
	require.NoError(t, err)
	r, err := NewRSA(&testRSA().PublicKey, testRSA(), &RSAOptions{AllowOAEPSHA256: true, AllowPKCS1v15: true})
	require.NoError(t, err)
	return map[string]Wrapper{"KMS": k, "AES": a, "RSA": r}
}

// lenient admits all but another encryption context than none.
func lenient() *rules { return &rules{policy: keyring.RequireEncryptAllowDecrypt, allowCBC: true} }

// seal encrypts plaintext as one piece.
func seal(t testing.TB, h *header, key dataKey, plaintext []byte) []byte {
	t.Helper()
	m, err := h.message(key)
	require.NoError(t, err)
	body, piece, err := m.Seal(nil, plaintext, 0)
	require.NoError(t, err)
	tag := m.Tag(piece)
	return append(body, tag[:]...)
}

// open decrypts an object's whole body.
func open(h *header, key dataKey, body []byte) ([]byte, error) {
	n, err := h.plaintextLength(int64(len(body)))
	if err != nil {
		return nil, err
	}
	if h.suite == suiteCBC {
		c, err := newCBC(key, h.iv)
		if err != nil {
			return nil, err
		}
		plaintext := make([]byte, len(body))
		c.CryptBlocks(plaintext, body)
		last := len(body) - cbcBlockSize
		rest, err := unpad([cbcBlockSize]byte(plaintext[last:]))
		return plaintext[:last+rest], err
	}
	m, err := h.message(key)
	if err != nil {
		return nil, err
	}
	if tag := m.Tag(m.Hash(body[:n])); !bytes.Equal(tag[:], body[n:]) {
		return nil, ErrAuthentication
	}
	plaintext := make([]byte, n)
	return plaintext, m.XORKeyStream(plaintext, body[:n], 0)
}

// read decrypts an object that has everything in its metadata.
func read(ctx context.Context, metadata map[string]string, body []byte, w Wrapper, r *rules) ([]byte, error) {
	h, err := parseMetadata(metadata)
	if err != nil {
		return nil, err
	}
	if !h.complete() {
		return nil, ErrNotEncrypted
	}
	key, err := h.unwrap(ctx, w, r)
	if err != nil {
		return nil, err
	}
	return open(h, key, body)
}

// with returns m with name set to value, or without it if that is empty.
func with(m map[string]string, name, value string) map[string]string {
	m = maps.Clone(m)
	m[name] = value
	if value == "" {
		delete(m, name)
	}
	return m
}
