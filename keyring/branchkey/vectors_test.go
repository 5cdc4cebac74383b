package branchkey_test

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
)

// The branch key of AWS's published test vectors, static-branch-key-1.
const (
	staticID      = "bd3842ff-3076-4092-9918-4395730050b8"
	staticVersion = "e9ce18a3-edb5-4272-9f86-1cacb7997ff6"
	staticKey     = "tJwf65epYvUt5HMiQsl/6jlvLxS0tgdjIuvFy2BLIwg="
)

// pinnedCiphertext is what a keyring for that key has made of the data key 00 01 … 1f
// under the context {"purpose": "test"}: salt, IV, version, encrypted data key, tag.
const pinnedCiphertext = "6fc8fd7ebb58637ce13466ccba6879cb" +
	"3a0f33450d6c883045f88715" +
	"e9ce18a3edb542729f861cacb7997ff6" +
	"7e9b4e8bb660001b2510357560a5edd76ae02fbe1835c17c193d2ba6317f7af1" +
	"c09583a05a74dd239ed381a675ad36c7"

func newStatic() *staticStore {
	secret, err := base64.StdEncoding.DecodeString(staticKey)
	if err != nil {
		panic(err)
	}
	return &staticStore{id: staticID, versions: []string{staticVersion}, secrets: map[string][]byte{staticVersion: secret}}
}

// vectorFile returns a file of the published vectors. They are not part of the
// repository.
func vectorFile(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("SEALRING_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if os.IsNotExist(err) {
		if os.Getenv("CI") != "" {
			t.Fatalf("no test vectors: %v", err)
		}
		t.Skipf("no test vectors: %v", err)
	}
	require.NoError(t, err)
	return b
}

// Every published DynamoDB item that is wrapped with the static branch key opens: the
// intermediate key comes out of the keyring's ciphertext, unwraps the data key, and
// that one yields the commitment in the item's header.
func TestPublishedItems(t *testing.T) {
	t.Parallel()
	var keys struct {
		Keys map[string]struct {
			ID      string `json:"key-id"`
			Version string `json:"branchKeyVersion"`
			Key     string `json:"branchKey"`
		}
	}
	require.NoError(t, json.Unmarshal(vectorFile(t, "dynamodb/keys.json"), &keys))
	k := keys.Keys["static-branch-key-1"]
	require.Equal(t, []string{staticID, staticVersion, staticKey}, []string{k.ID, k.Version, k.Key})
	ring := newRing(t, newStatic(), staticID, nil)
	for _, c := range []struct {
		file string
		want int // items
	}{
		{"dynamodb/decrypt_dotnet_32.json", 9}, {"dynamodb/decrypt_java_33.json", 12}, {"dynamodb/iotest.json", 2},
	} {
		var file any
		require.NoError(t, json.Unmarshal(vectorFile(t, c.file), &file))
		items := itemsIn(file)
		require.Len(t, items, c.want, c.file)
		for _, item := range items {
			openItem(t, ring, item)
		}
	}
}

// itemsIn returns the objects below v that have an item's header.
func itemsIn(v any) (items []map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["aws_dbe_head"]; ok {
			return []map[string]any{v}
		}
		for _, w := range v {
			items = append(items, itemsIn(w)...)
		}
	case []any:
		for _, w := range v {
			items = append(items, itemsIn(w)...)
		}
	}
	return items
}

// openItem takes the data key out of an item and compares the commitment of the
// header.
func openItem(t *testing.T, ring *branchkey.Keyring, item map[string]any) {
	t.Helper()
	head, err := base64.StdEncoding.DecodeString(item["aws_dbe_head"].(map[string]any)["B"].(string))
	require.NoError(t, err)
	rest := head[2:]
	take := func(n int) []byte { b := rest[:n]; rest = rest[n:]; return b }
	field := func() []byte { n := take(2); return take(int(n[0])<<8 | int(n[1])) }
	messageID, legend := take(32), field()
	context := itemContext(head[0], item, legend)
	count := take(2)
	for range int(count[0])<<8 | int(count[1]) {
		key := string(field())
		context[key] = string(field())
	}
	require.Equal(t, byte(1), take(1)[0], "one encrypted data key")
	k := keyring.EncryptedDataKey{Provider: string(field()), Info: field(), Ciphertext: field()}
	require.Len(t, rest, 32, "the commitment")
	wrapped := k.Ciphertext[:48]
	k.Ciphertext = k.Ciphertext[48:]

	d, err := newItemMaterials(context)
	require.NoError(t, err)
	require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{k}))
	commitKey, err := hkdf.Key(sha512.New, unwrapItem(t, d, wrapped), nil, "AWS_DBE_COMMIT_KEY"+string(messageID), 32)
	require.NoError(t, err)
	mac := hmac.New(sha512.New, commitKey)
	mac.Write(head[:len(head)-32])
	require.True(t, bytes.Equal(mac.Sum(nil)[:32], rest), "the commitment")
}

// itemContext returns the part of an item's encryption context that its header does
// not store. Version 1 binds the partition key, with the type of a number, 00 02;
// version 2 every attribute that the legend marks with a "c", as text.
func itemContext(headVersion byte, item map[string]any, legend []byte) keyring.EncryptionContext {
	const attribute = "aws-crypto-attr."
	context := keyring.EncryptionContext{
		"aws-crypto-table-name": "GazelleVectorTable", "aws-crypto-partition-name": "RecNum",
	}
	text := func(name string) string { // of a string or a number, the types that are used here
		value := item[name].(map[string]any)
		if n, ok := value["N"]; ok {
			return n.(string)
		}
		return value["S"].(string)
	}
	if headVersion == 1 {
		context[attribute+"RecNum"] = base64.StdEncoding.EncodeToString([]byte("\x00\x02" + text("RecNum")))
		return context
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(item)), func(n string) bool {
		return strings.HasPrefix(n, "aws_dbe_") || strings.HasPrefix(n, ":")
	})
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	var types []byte
	for i, name := range names {
		if legend[i] == 'c' {
			context[attribute+name] = text(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(context)) {
		if name, ok := strings.CutPrefix(name, attribute); ok {
			for letter := range item[name].(map[string]any) {
				types = append(types, letter...)
			}
		}
	}
	context["aws-crypto-legend"] = string(types)
	return context
}

// newItemMaterials returns materials with the context of an item. The suites of items
// are not those of messages, but data keys have the same length and the public key of
// the signature the same name.
func newItemMaterials(c keyring.EncryptionContext) (*keyring.DecryptionMaterials, error) {
	r := keyring.DecryptionRequest{Suite: keyring.AES256GCMHKDFSHA512CommitKey, Context: c}
	if _, signed := c["aws-crypto-public-key"]; signed {
		r.Suite = keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384
	}
	return keyring.NewDecryptionMaterials(r)
}

// unwrapItem returns the data key that the intermediate key in d has wrapped.
func unwrapItem(t *testing.T, d *keyring.DecryptionMaterials, wrapped []byte) []byte {
	t.Helper()
	kek, err := hkdf.Key(sha512.New, d.DataKey(), nil, "AWS_MPL_INTERMEDIATE_KEYWRAP_ENC", 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(kek)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	dataKey, err := aead.Open(nil, make([]byte, 12), wrapped, d.SerializedContext())
	require.NoError(t, err)
	return dataKey
}

// A ciphertext of the static branch key taken apart with nothing but the standard
// library, as the specification describes it.
func TestWrappingIsTheSpecifications(t *testing.T) {
	t.Parallel()
	s := newStatic()
	m := sealed(t, newRing(t, s, staticID, nil))
	k := m.EncryptedDataKeys()[0]
	ct := k.Ciphertext
	version, err := hex.DecodeString(strings.ReplaceAll(staticVersion, "-", ""))
	require.NoError(t, err)
	require.Equal(t, version, ct[28:44])

	mac := hmac.New(sha256.New, s.secrets[staticVersion])
	mac.Write(bytes.Join([][]byte{{0, 0, 0, 1}, []byte("aws-kms-hierarchy"), {0}, ct[:16], {0, 0, 1, 0}}, nil))
	block, err := aes.NewCipher(mac.Sum(nil))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	aad := bytes.Join([][]byte{[]byte("aws-kms-hierarchy"), []byte(staticID), version,
		[]byte("\x00\x01\x00\x07purpose\x00\x04test")}, nil)
	dataKey, err := aead.Open(nil, ct[16:28], ct[44:], aad)
	require.NoError(t, err)
	require.Equal(t, m.DataKey(), dataKey)
}

// A ciphertext that is fixed, so that the format stays what it is.
func TestPinnedWrapping(t *testing.T) {
	t.Parallel()
	ct, err := hex.DecodeString(pinnedCiphertext)
	require.NoError(t, err)
	d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
		Suite: keyring.AES256GCMHKDFSHA512CommitKey, Context: keyring.EncryptionContext{"purpose": "test"},
	})
	require.NoError(t, err)
	err = newRing(t, newStatic(), staticID, nil).OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{{
		Provider: "aws-kms-hierarchy", Info: []byte(staticID), Ciphertext: ct,
	}})
	require.NoError(t, err)
	require.Equal(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", hex.EncodeToString(d.DataKey()))
}
