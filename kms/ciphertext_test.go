package kms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

// The format of a ciphertext blob, written down a second time and without the
// engine's code: whoever holds the material can read what the engine wrote, and a
// change of the format cannot go unnoticed.

type blobKey struct {
	account, id string
	material    []byte
}

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

func (k blobKey) header(salt string) string {
	return "\x01\x02\x02\x00\x78\x01" + k.account + k.id + string(mac(k.material, "sealring/kms/material-id\x00", k.id)) + salt
}

func (k blobKey) aead(t *testing.T, salt string) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(mac(k.material, "\x00\x00\x00\x01", "sealring/kms/ciphertext", "\x00", salt, "\x00\x00\x01\x00"))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}

// associated frames a context of ASCII strings shorter than 256 bytes.
func associated(header string, context map[string]string) []byte {
	pairs := make([][2]string, 0, len(context))
	for k, v := range context {
		pairs = append(pairs, [2]string{k, v})
	}
	sort.Slice(pairs, func(i, j int) bool { return pairs[i][0] < pairs[j][0] })
	aad := header + "\x00\x00\x00" + string(rune(len(pairs)))
	for _, pair := range pairs {
		for _, s := range pair {
			aad += "\x00\x00\x00" + string(rune(len(s))) + s
		}
	}
	return []byte(aad)
}

func (k blobKey) seal(t *testing.T, plaintext, salt string, context map[string]string) []byte {
	t.Helper()
	header := k.header(salt)
	return k.aead(t, salt).Seal([]byte(header), make([]byte, 12), []byte(plaintext), associated(header, context))
}

func (k blobKey) open(t *testing.T, blob []byte, context map[string]string) string {
	t.Helper()
	require.Equal(t, k.header(string(blob[86:102])), string(blob[:102]))
	plaintext, err := k.aead(t, string(blob[86:102])).Open(nil, make([]byte, 12), blob[102:], associated(string(blob[:102]), context))
	require.NoError(t, err)
	return string(plaintext)
}

var formatContexts = []map[string]string{nil, {"a": "b"}, {"ab": "c", "a": "bc", "Z": "z", "purpose": "a longer value, of 37 characters"}}

func TestFormatByHand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	k := blobKey{account, "12345678-1234-4234-8234-123456789abc", bytes.Repeat([]byte("material"), 4)}
	f.Seed(kmstest.Key{ID: k.id, Material: k.material})
	for i, context := range formatContexts {
		for _, plaintext := range []string{"x", "secret", string(make([]byte, 4096))} {
			blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{
				KeyId: &k.id, Plaintext: []byte(plaintext), EncryptionContext: context,
			}).CiphertextBlob
			require.Equal(t, plaintext, k.open(t, blob, context))

			byHand := k.seal(t, plaintext, fmt.Sprintf("salt of blob %03d", i), context)
			got := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: byHand, EncryptionContext: context})
			require.Equal(t, plaintext, string(got.Plaintext))
			require.Equal(t, hex.EncodeToString(byHand[54:86]), *got.KeyMaterialId)
		}
	}
}

// pinned is a blob that every later version has to open.
type pinned struct {
	KeyID      string            `json:"keyId"`
	Material   []byte            `json:"material"`
	MaterialID string            `json:"materialId"`
	Context    map[string]string `json:"context"`
	Plaintext  []byte            `json:"plaintext"`
	Blob       []byte            `json:"blob"`
}

func TestPinnedBlobs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/blobs-v1.json")
	require.NoError(t, err)
	var blobs []pinned
	require.NoError(t, json.Unmarshal(data, &blobs))
	require.Len(t, blobs, 2)
	for _, p := range blobs {
		f := newFixture(t, false)
		arn := f.Seed(kmstest.Key{ID: p.KeyID, Material: p.Material})
		got := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: p.Blob, EncryptionContext: p.Context})
		require.Equal(t, p.Plaintext, got.Plaintext)
		require.Equal(t, p.MaterialID, *got.KeyMaterialId)
		require.Equal(t, arn, *got.KeyId)
	}
}
