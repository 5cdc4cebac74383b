package envelope

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// TestCommitment alters the commitment and makes the tag agree, as only a holder
// of the data key can.
func TestCommitment(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0478, 0x0578} {
		f := newForge(t, s, 4, nil)
		f.h.commitment = bytes.Clone(f.h.commitment)
		f.h.commitment[31] ^= 1
		f.h.serialize()
		_, _, err := Decrypt(t.Context(), openManager, f.sealHeader().final(1, nil).message(), nil)
		require.Equal(t, ErrAuth, err)
	}
}

// TestTwoDataKeys: a message for two readers whose keyrings unwrap different data
// keys. Tags can be forged that are right under both (CVE-2020-8897), so it must not
// be the tags that refuse the second reader: here they are right for that one only,
// and the commitment, which is to the first one's key, still refuses.
func TestTwoDataKeys(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0478, 0x0578} {
		f := newForge(t, s, 4, nil)
		key := bytes.Clone(knownKey(32))
		key[0] ^= 1
		aead, commitment, err := derive(f.suite, key, f.h.MessageID)
		require.NoError(t, err)
		require.NotEqual(t, f.h.commitment, commitment)
		second := &asking{Manager: openManager, decrypt: func(m *keyring.DecryptionMaterials) (*keyring.DecryptionMaterials, error) {
			other, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{Suite: s, Context: m.Context()})
			require.NoError(t, err)
			return other, other.SetDataKey(key)
		}}
		for _, honest := range []bool{false, true} {
			f.aead = aead
			if honest {
				f.h.commitment = commitment
			}
			f.h.serialize()
			message := f.sealHeader().final(1, nil).message()
			_, _, err = Decrypt(t.Context(), openManager, message, nil)
			require.Equal(t, ErrAuth, err)
			_, _, err = Decrypt(t.Context(), second, message, nil)
			if honest {
				require.NoError(t, err)
			} else {
				require.Equal(t, ErrAuth, err)
			}
		}
	}
}

// TestDataKeyCountLies: a header that claims one key more or less than it has.
func TestDataKeyCountLies(t *testing.T) {
	t.Parallel()
	for _, s := range keyring.Suites() {
		f := newForge(t, s, 4, func(h *Header) {
			h.EncryptedDataKeys = append(h.EncryptedDataKeys, keyring.EncryptedDataKey{Provider: "other"})
		})
		message := f.final(1, nil).message()
		at := bytes.Index(message, append(bytes.Clone(f.h.context), 0, 2)) + len(f.h.context) + 1
		for _, count := range []byte{1, 3} {
			message[at] = count
			requireRefused(t, message, "%v: %d keys", s, count)
		}
	}
}

// TestDataKeysSwapped: the keyring opens the message either way, the header's tag
// does not.
func TestDataKeysSwapped(t *testing.T) {
	t.Parallel()
	for _, s := range keyring.Suites() {
		f := newForge(t, s, 4, func(h *Header) {
			h.EncryptedDataKeys = append(h.EncryptedDataKeys, keyring.EncryptedDataKey{Provider: "other"})
		})
		tag := f.h.tag
		f.h.EncryptedDataKeys[0], f.h.EncryptedDataKeys[1] = f.h.EncryptedDataKeys[1], f.h.EncryptedDataKeys[0]
		f.h.serialize()
		f.out = append(f.h.raw, tag...)
		_, _, err := Decrypt(t.Context(), openManager, f.final(1, nil).message(), readAll())
		require.Equal(t, ErrAuth, err, "%v", s)
	}
}
