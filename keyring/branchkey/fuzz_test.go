package branchkey_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
)

// No bytes but those that a keyring has written give a data key, and none panic.
func FuzzOnDecrypt(f *testing.F) {
	s := newStatic()
	ring, err := branchkey.New(s, s.id, ttl, nil)
	require.NoError(f, err)
	ciphertext, err := hex.DecodeString(pinnedCiphertext)
	require.NoError(f, err)
	good := keyring.EncryptedDataKey{Provider: "aws-kms-hierarchy", Info: []byte(staticID), Ciphertext: ciphertext}
	f.Add(good.Info, good.Ciphertext)
	f.Add(good.Info, good.Ciphertext[:44])
	f.Add([]byte{}, []byte{})
	f.Add(good.Info, make([]byte, 92))
	f.Fuzz(func(t *testing.T, info, ciphertext []byte) {
		d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
			Suite: keyring.AES256GCMHKDFSHA512CommitKey, Context: keyring.EncryptionContext{"purpose": "test"},
		})
		require.NoError(t, err)
		err = ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{{Provider: good.Provider, Info: info, Ciphertext: ciphertext}})
		if bytes.Equal(info, good.Info) && bytes.Equal(ciphertext, good.Ciphertext) {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, keyring.ErrNoMatch)
		require.False(t, d.HasDataKey())
	})
}

// A version that is accepted is the text that it was read from.
func FuzzVersion(f *testing.F) {
	f.Add(staticVersion)
	f.Add("E9CE18A3-edb5-4272-9f86-1cacb7997ff6")
	f.Add("e9ce18a3edb542729f861cacb7997ff6")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := branchkey.NewKey("id", s, make([]byte, branchkey.KeyLen), nil)
		if err != nil {
			require.ErrorIs(t, err, branchkey.ErrVersion)
			return
		}
		require.Equal(t, s, k.Version())
	})
}

// An item whose attributes come from elsewhere is refused, by its form or by KMS, and
// never panics.
func FuzzItem(f *testing.F) {
	f.Add("create-time", "2023-06-03T19:03:29.358123Z", []byte("x"))
	f.Add("kms-arn", "arn:aws:kms:us-east-1:111122223333:key/", []byte{})
	f.Add("version", "branch:version:", []byte{1})
	f.Add("aws-crypto-ec:", "", []byte{})
	f.Fuzz(func(t *testing.T, name, value string, ciphertext []byte) {
		r := newRig(t)
		id := r.create(t)
		var unchanged bool
		r.table.change = func(i branchkey.Item) branchkey.Item {
			unchanged = i.Attributes[name] == value && bytes.Equal(i.Ciphertext, ciphertext)
			i.Attributes[name], i.Ciphertext = value, ciphertext
			return i
		}
		_, err := r.ActiveBranchKey(t.Context(), id)
		require.Equal(t, unchanged, err == nil)
	})
}
