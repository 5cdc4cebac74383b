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
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// This file writes and reads objects by itself, from the specification, with nothing of the
// package: no other program here knows format V3.

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

// inFile moves of an object's metadata what belongs there into an instruction file.
func inFile(t *testing.T, metadata map[string]string) (rest map[string]string, file []byte) {
	t.Helper()
	rest, members := map[string]string{}, map[string]string{}
	for name, value := range metadata {
		if name == "x-amz-c" || name == "x-amz-d" || name == "x-amz-i" {
			rest[name] = value
		} else {
			members[name] = value
		}
	}
	file, err := json.Marshal(members)
	require.NoError(t, err)
	return rest, file
}

func TestForeignInstructionFiles(t *testing.T) {
	t.Parallel()
	all := wrappers(t)
	for _, o := range foreignObjects(t) {
		metadata, file := inFile(t, o.metadata)
		h, err := parseMetadata(metadata)
		require.NoError(t, err)
		require.NoError(t, h.parseInstructionFile(file))
		key, err := h.unwrap(t.Context(), all[o.wrapper], lenient())
		require.NoError(t, err)
		plaintext, err := open(h, key, o.body)
		require.NoError(t, err)
		require.Equal(t, foreignPlaintext, plaintext, o.name)
	}
}

// readIndependently decrypts an object of format V2 or V3 from what S3 has of it: metadata,
// the instruction file or nil, and content.
func readIndependently(t *testing.T, metadata map[string]string, file, body []byte) []byte {
	t.Helper()
	all := maps.Clone(metadata)
	if file != nil {
		var members map[string]string
		require.NoError(t, json.Unmarshal(file, &members))
		for name, value := range members {
			require.NotContains(t, all, name)
			all[name] = value
		}
	}
	value := func(name string) []byte {
		b, err := base64.StdEncoding.DecodeString(all[name])
		require.NoError(t, err)
		return b
	}
	if all["x-amz-c"] == "" {
		require.Equal(t, "AES/GCM/NoPadding", all["x-amz-cek-alg"])
		require.Equal(t, "128", all["x-amz-tag-len"])
		key := unwrapIndependently(t, all["x-amz-wrap-alg"], value("x-amz-key-v2"), all["x-amz-cek-alg"], all["x-amz-matdesc"])
		return gcmOpen(t, key, value("x-amz-iv"), body, nil)
	}
	require.Equal(t, "115", all["x-amz-c"])
	description := all["x-amz-m"]
	if all["x-amz-w"] == "12" {
		description = all["x-amz-t"]
	}
	key, id := unwrapIndependently(t, all["x-amz-w"], value("x-amz-3"), "115", description), value("x-amz-i")
	require.Len(t, id, 28)
	require.Equal(t, expand(key, id, "\x00\x73COMMITKEY")[:28], value("x-amz-d"))
	content := expand(key, id, "\x00\x73DERIVEKEY")[:32]
	return gcmOpen(t, content, bytes.Repeat([]byte{1}, 12), body, []byte{0, 0x73})
}

// unwrapIndependently decrypts a data key of the wrappers of these tests.
func unwrapIndependently(t *testing.T, wrap string, edk []byte, content, description string) []byte {
	t.Helper()
	switch wrap {
	case "AES/GCM", "02":
		require.Len(t, edk, 60)
		return gcmOpen(t, testAES, edk[:12], edk[12:], []byte(content))
	case "RSA-OAEP-SHA1", "22":
		framed, err := rsa.DecryptOAEP(sha1.New(), nil, testRSA(), edk, nil)
		require.NoError(t, err)
		require.Equal(t, append([]byte{32}, content...), append(framed[:1:1], framed[33:]...))
		return framed[1:33]
	case "kms+context", "12":
		var c map[string]string
		require.NoError(t, json.Unmarshal([]byte(description), &c))
		require.Equal(t, content, c["aws:x-amz-cek-alg"])
		key, err := newFakeKMS().aead.Open(nil, nil, edk, kmsAAD(keyARN, c))
		require.NoError(t, err)
		return key
	}
	t.Fatalf("wrap %q", wrap)
	return nil
}

func gcmOpen(t *testing.T, key, nonce, sealed, aad []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	plaintext, err := aead.Open(nil, nonce, sealed, aad)
	require.NoError(t, err)
	return plaintext
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
			require.Equal(t, foreignPlaintext, readIndependently(t, h.metadata(), nil, body), name)
			metadata, file, err := h.split()
			require.NoError(t, err)
			require.Equal(t, foreignPlaintext, readIndependently(t, metadata, file, body), name)
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
