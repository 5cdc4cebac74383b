package s3crypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// This file writes objects by itself, from the specification, with nothing of the
// package: no other program here writes format V3 with raw keys.

// expand is one block of HKDF with SHA-512.
func expand(key, salt []byte, info string) []byte {
	mac := hmac.New(sha512.New, salt)
	mac.Write(key)
	prk := mac.Sum(nil)
	mac = hmac.New(sha512.New, prk)
	mac.Write([]byte(info + "\x01"))
	return mac.Sum(nil)
}

func gcm(key, nonce, plaintext, aad []byte) []byte {
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

func cbcEncrypt(key, iv, plaintext []byte) []byte {
	pad := 16 - len(plaintext)%16
	padded := append(bytes.Clone(plaintext), bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return padded
}

func oaepSHA1(t *testing.T, plaintext []byte) []byte {
	t.Helper()
	b, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &testRSA().PublicKey, plaintext, nil)
	require.NoError(t, err)
	return b
}

// foreign is an object by another writer.
type foreign struct {
	name     string
	wrapper  string
	metadata map[string]string
	body     []byte
}

var foreignPlaintext = []byte("what the other writer had to say, in more than one block")

// foreignObjects returns one object for each format and wrap but V1's.
func foreignObjects(t *testing.T) []foreign {
	t.Helper()
	api := newFakeKMS()
	dk, id, iv := counted(60, 32), counted(100, 28), counted(7, 12)
	kmsWrap := func(c map[string]string) string { return b64(api.aead.Seal(nil, nil, dk, kmsAAD(keyARN, c))) }
	aesWrap := func(alg string) string { return b64(append(bytes.Clone(iv), gcm(testAES, iv, dk, []byte(alg))...)) }
	rsaWrap := func(alg string) string {
		return b64(oaepSHA1(t, append(append([]byte{32}, dk...), alg...)))
	}

	v3 := func(edk, wrap, name, description string) map[string]string {
		return map[string]string{
			"x-amz-c": "115", "x-amz-i": b64(id), "x-amz-d": b64(expand(dk, id, "\x00\x73COMMITKEY")[:28]),
			"x-amz-3": edk, "x-amz-w": wrap, name: description,
		}
	}
	v3Body := gcm(expand(dk, id, "\x00\x73DERIVEKEY")[:32], bytes.Repeat([]byte{1}, 12), foreignPlaintext, []byte{0, 0x73})
	v2 := func(edk, wrap, description string) map[string]string {
		return map[string]string{
			"x-amz-key-v2": edk, "x-amz-wrap-alg": wrap, "x-amz-matdesc": description,
			"x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-iv": b64(iv), "x-amz-tag-len": "128",
		}
	}
	v2Body := gcm(dk, iv, foreignPlaintext, nil)

	bound := func(alg string) map[string]string { return map[string]string{"aws:x-amz-cek-alg": alg} }
	text := func(c map[string]string) string {
		b, err := json.Marshal(c)
		require.NoError(t, err)
		return string(b)
	}
	return []foreign{
		{"V3 12", "KMS", v3(kmsWrap(bound("115")), "12", "x-amz-t", text(bound("115"))), v3Body},
		{"V3 02", "AES", v3(aesWrap("115"), "02", "x-amz-m", `{"a":"b"}`), v3Body},
		{"V3 22", "RSA", v3(rsaWrap("115"), "22", "x-amz-m", ""), v3Body},
		{"V2 kms+context", "KMS", v2(kmsWrap(bound("AES/GCM/NoPadding")), "kms+context", text(bound("AES/GCM/NoPadding"))), v2Body},
		{"V2 AES/GCM", "AES", v2(aesWrap("AES/GCM/NoPadding"), "AES/GCM", "{}"), v2Body},
		{"V2 RSA-OAEP-SHA1", "RSA", v2(rsaWrap("AES/GCM/NoPadding"), "RSA-OAEP-SHA1", "{}"), v2Body},
	}
}

func TestForeignObjects(t *testing.T) {
	t.Parallel()
	all := wrappers(t)
	for _, o := range foreignObjects(t) {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			plaintext, err := read(t.Context(), o.metadata, o.body, all[o.wrapper], lenient())
			require.NoError(t, err)
			require.Equal(t, foreignPlaintext, plaintext)

			h, err := parseMetadata(o.metadata)
			require.NoError(t, err)
			key, err := h.unwrap(t.Context(), all[o.wrapper], lenient())
			require.NoError(t, err)
			for i := range o.body {
				altered := bytes.Clone(o.body)
				altered[i] ^= 1
				_, err := open(h, key, altered)
				require.ErrorIs(t, err, ErrAuthentication)
				_, err = open(h, key, o.body[:i])
				require.ErrorIs(t, err, ErrAuthentication)
			}
			_, err = open(h, key, append(bytes.Clone(o.body), 0))
			require.ErrorIs(t, err, ErrAuthentication)

			for name, w := range all {
				if name != o.wrapper {
					_, err := read(t.Context(), o.metadata, o.body, w, lenient())
					require.ErrorIs(t, err, ErrWrapper)
				}
			}
		})
	}
}

// Every character of the metadata in turn, as in the official tampering suites. What may
// stay unnoticed is a description that nothing authenticates, and a tag length that is
// missing rather than wrong.
func TestForeignObjectsAltered(t *testing.T) {
	t.Parallel()
	all := wrappers(t)
	for _, o := range foreignObjects(t) {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for name, value := range o.metadata {
				if o.wrapper != "KMS" && (name == "x-amz-m" || name == "x-amz-matdesc") {
					continue
				}
				flips := []byte{1, 2, 4, 8, 16, 32, 64, 128}
				if len(value) > 100 {
					flips = []byte{1, 32} // each costs an RSA decryption
				}
				for i := range value {
					for _, flip := range flips {
						altered := []byte(value)
						altered[i] ^= flip
						_, err := read(t.Context(), with(o.metadata, name, string(altered)), o.body, all[o.wrapper], lenient())
						require.Error(t, err, "%s: %q", name, altered)
					}
				}
				_, err := read(t.Context(), with(o.metadata, name, ""), o.body, all[o.wrapper], lenient())
				if value != "" && name != "x-amz-tag-len" {
					require.Error(t, err, "without %s", name)
				}
			}
		})
	}
}

// readSplit decrypts an object whose data key, or in format V2 whose whole header, is in an
// instruction file.
func readSplit(t *testing.T, o foreign, members map[string]string, w Wrapper) ([]byte, error) {
	t.Helper()
	object := map[string]string{}
	if _, v3 := o.metadata["x-amz-3"]; v3 {
		object = part(o.metadata, "x-amz-c", "x-amz-d", "x-amz-i")
	}
	h, err := parseMetadata(object)
	require.NoError(t, err)
	if err := h.parseInstructionFile(fileOf(t, members)); err != nil {
		return nil, err
	}
	key, err := h.unwrap(t.Context(), w, lenient())
	if err != nil {
		return nil, err
	}
	return open(h, key, o.body)
}

// The same of what is in an instruction file.
func TestForeignInstructionFilesAltered(t *testing.T) {
	t.Parallel()
	all := wrappers(t)
	for _, o := range foreignObjects(t) {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			members := with(with(with(o.metadata, "x-amz-c", ""), "x-amz-d", ""), "x-amz-i", "")
			plaintext, err := readSplit(t, o, members, all[o.wrapper])
			require.NoError(t, err)
			require.Equal(t, foreignPlaintext, plaintext)
			for name, value := range members {
				if o.wrapper != "KMS" && (name == "x-amz-m" || name == "x-amz-matdesc") {
					continue
				}
				for i := range value {
					for _, flip := range []byte{1, 32} {
						altered := []byte(value)
						altered[i] ^= flip
						_, err := readSplit(t, o, with(members, name, string(altered)), all[o.wrapper])
						require.Error(t, err, "%s: %q", name, altered)
					}
				}
				_, err := readSplit(t, o, with(members, name, ""), all[o.wrapper])
				if value != "" && name != "x-amz-tag-len" {
					require.Error(t, err, "without %s", name)
				}
			}
		})
	}
}

// What the independent code reads of objects that this package writes.
func TestWrittenObjects(t *testing.T) {
	t.Parallel()
	for name, w := range wrappers(t) {
		for _, s := range []suite{suiteGCM, suiteCommitting} {
			h, key, err := newObject(t.Context(), w, s, int64(len(foreignPlaintext)), nil)
			require.NoError(t, err)
			body := seal(t, h, key, foreignPlaintext)
			if s == suiteGCM {
				require.Equal(t, gcm(key, h.iv, foreignPlaintext, nil), body, name)
			} else {
				content := expand(key, h.messageID, "\x00\x73DERIVEKEY")[:32]
				require.Equal(t, gcm(content, bytes.Repeat([]byte{1}, 12), foreignPlaintext, []byte{0, 0x73}), body, name)
				require.Equal(t, expand(key, h.messageID, "\x00\x73COMMITKEY")[:28], h.commitment)
			}
			plaintext, err := read(t.Context(), h.metadata(), body, w, lenient())
			require.NoError(t, err)
			require.Equal(t, foreignPlaintext, plaintext)

			next, other, err := newObject(t.Context(), w, s, -1, nil)
			require.NoError(t, err)
			require.NotEqual(t, key, other)
			require.NotEqual(t, h.iv == nil, h.messageID == nil)
			if s == suiteGCM {
				require.NotEqual(t, h.iv, next.iv)
			} else {
				require.NotEqual(t, h.messageID, next.messageID)
			}
		}
	}
}

// An object whose instruction file is another one's, or is an attacker's.
func TestOtherDataKey(t *testing.T) {
	t.Parallel()
	w := wrappers(t)["AES"]
	h, _, err := newObject(t.Context(), w, suiteCommitting, -1, nil)
	require.NoError(t, err)
	other, _, err := newObject(t.Context(), w, suiteCommitting, -1, nil)
	require.NoError(t, err)
	h.edk = other.edk
	_, err = h.unwrap(t.Context(), w, &rules{})
	require.ErrorIs(t, err, ErrCommitment)

	h, key, err := newObject(t.Context(), w, suiteGCM, -1, nil)
	require.NoError(t, err)
	body := seal(t, h, key, foreignPlaintext)
	other, _, err = newObject(t.Context(), w, suiteGCM, -1, nil)
	require.NoError(t, err)
	h.edk = other.edk
	key, err = h.unwrap(t.Context(), w, &rules{policy: keyring.RequireEncryptAllowDecrypt})
	require.NoError(t, err)
	_, err = open(h, key, body)
	require.ErrorIs(t, err, ErrAuthentication)
}
