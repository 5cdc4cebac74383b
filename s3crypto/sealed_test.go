package s3crypto_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// What objects are encrypted under in these tests, unless they say otherwise.
var wrappingKey = bytes.Repeat([]byte{7}, 32)

// sealedObject is an encrypted object as S3 has it. file is empty if it has none.
type sealedObject struct {
	metadata map[string]string
	body     []byte
	file     []byte
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// oneShot is AES-GCM of the standard library.
func oneShot(key, nonce, plaintext, aad []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead.Seal(nil, nonce, plaintext, aad)
}

func kdf(secret, salt []byte, label string, n int) []byte {
	b, err := hkdf.Key(sha512.New, secret, salt, "\x00\x73"+label, n)
	if err != nil {
		panic(err)
	}
	return b
}

// wrapped wraps a data key for content of the given algorithm.
func wrapped(under, key []byte, algorithm string) string {
	iv := randomBytes(12)
	return base64Of(append(iv, oneShot(under, iv, key, []byte(algorithm))...))
}

// kinds are the ways in which objects are encrypted in these tests, by names that begin
// with the format's.
var kinds = []string{"V3", "V3 with file", "V2", "V2 with file", "V2 CBC", "V1"}

// sealedAs encrypts an object under wrappingKey, with code that shares nothing with the
// package.
func sealedAs(kind string, plaintext []byte) *sealedObject {
	key := randomBytes(32)
	o := &sealedObject{}
	o.metadata, o.body = contentOf(kind, key, plaintext)
	switch kind {
	case "V3 with file":
		o.split("x-amz-3", "x-amz-w")
	case "V2 with file":
		o.split("x-amz-key-v2", "x-amz-iv", "x-amz-wrap-alg", "x-amz-cek-alg", "x-amz-tag-len", "x-amz-matdesc")
	}
	return o
}

func contentOf(kind string, key, plaintext []byte) (map[string]string, []byte) {
	iv, id := randomBytes(12), randomBytes(28)
	switch kind {
	case "V3", "V3 with file":
		return map[string]string{
			"x-amz-c": "115", "x-amz-i": base64Of(id), "x-amz-d": base64Of(kdf(key, id, "COMMITKEY", 28)),
			"x-amz-3": wrapped(wrappingKey, key, "115"), "x-amz-w": "02",
		}, oneShot(kdf(key, id, "DERIVEKEY", 32), bytes.Repeat([]byte{1}, 12), plaintext, []byte{0, 0x73})
	case "V2", "V2 with file":
		return map[string]string{
			"x-amz-key-v2": wrapped(wrappingKey, key, "AES/GCM/NoPadding"), "x-amz-iv": base64Of(iv),
			"x-amz-wrap-alg": "AES/GCM", "x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-tag-len": "128",
			"x-amz-matdesc": "{}",
		}, oneShot(key, iv, plaintext, nil)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	pad := 16 - len(plaintext)%16
	body := append(bytes.Clone(plaintext), bytes.Repeat([]byte{byte(pad)}, pad)...)
	iv = randomBytes(16)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(body, body)
	kek, err := aes.NewCipher(wrappingKey)
	if err != nil {
		panic(err)
	}
	if kind == "V1" {
		edk := append(bytes.Clone(key), bytes.Repeat([]byte{16}, 16)...)
		for i := 0; i < len(edk); i += 16 {
			kek.Encrypt(edk[i:], edk[i:])
		}
		return map[string]string{"x-amz-key": base64Of(edk), "x-amz-iv": base64Of(iv), "x-amz-matdesc": "{}"}, body
	}
	return map[string]string{
		"x-amz-key-v2": base64Of(rfc3394(kek, key)), "x-amz-iv": base64Of(iv),
		"x-amz-wrap-alg": "AESWrap", "x-amz-cek-alg": "AES/CBC/PKCS5Padding", "x-amz-matdesc": "{}",
	}, body
}

// rfc3394 is AES Key Wrap.
func rfc3394(kek cipher.Block, key []byte) []byte {
	out := append(bytes.Repeat([]byte{0xa6}, 8), key...)
	for t := 1; t <= 6*len(key)/8; t++ {
		at := 8 + 8*((t-1)%(len(key)/8))
		block := append(bytes.Clone(out[:8]), out[at:at+8]...)
		kek.Encrypt(block, block)
		copy(out, block[:8])
		out[7] ^= byte(t)
		copy(out[at:], block[8:])
	}
	return out
}

// split moves entries of the metadata into an instruction file.
func (o *sealedObject) split(names ...string) {
	members := map[string]string{}
	for _, name := range names {
		members[name] = o.metadata[name]
		delete(o.metadata, name)
	}
	var err error
	if o.file, err = json.Marshal(members); err != nil {
		panic(err)
	}
}

// store puts the object on the shelf, with metadata of the writer's own.
func (o *sealedObject) store(s *shelf, key string) {
	metadata := maps.Clone(o.metadata)
	metadata["own"] = "entry"
	s.put(key, o.body, metadata)
	if o.file != nil {
		s.put(key+".instruction", o.file, map[string]string{"x-amz-crypto-instr-file": ""})
	}
}

// lenientAES admits all kinds.
func lenientAES(t testing.TB) s3crypto.Wrapper {
	w, err := s3crypto.NewAES(wrappingKey, &s3crypto.AESOptions{AllowKeyWrap: true, AllowECB: true})
	require.NoError(t, err)
	return w
}

// lenientClient reads all kinds from s.
func lenientClient(t testing.TB, s s3crypto.API, set func(*s3crypto.Options)) *s3crypto.Client {
	o := &s3crypto.Options{
		CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, AllowLegacyCBC: true, TempDir: t.TempDir(), PartSize: 5 << 20,
	}
	if set != nil {
		set(o)
	}
	c, err := s3crypto.New(s, lenientAES(t), o)
	require.NoError(t, err)
	return c
}

func isGCM(kind string) bool { return kind != "V1" && kind != "V2 CBC" }

// numbered returns n bytes that differ from place to place.
func numbered(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*17
	}
	return b
}

func bytesOf(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	require.NoError(t, err)
	return b
}
