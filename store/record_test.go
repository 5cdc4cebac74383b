package store

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

func testSealer(t testing.TB) *sealer {
	t.Helper()
	s, err := newSealer(bytes.Repeat([]byte{7}, 32), []byte("0123456789abcdef"))
	require.NoError(t, err)
	return s
}

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// The format, written down once more with nothing of the package's own.
func TestRecordFormat(t *testing.T) {
	t.Parallel()
	record, err := testSealer(t).seal("some/key", 0x0102030405060708, []byte("value"))
	require.NoError(t, err)
	require.Equal(t, "010102030405060708", hex.EncodeToString(record[:9]))

	prk := mac([]byte("0123456789abcdef"), string(bytes.Repeat([]byte{7}, 32)))
	key := mac(prk, "sealring/store/record/1\x00", "\x01\x02\x03\x04\x05\x06\x07\x08", "some/key", "\x01")
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	value, err := gcm.Open(nil, record[9:21], record[21:], []byte("\x01\x01\x02\x03\x04\x05\x06\x07\x080123456789abcdefsome/key"))
	require.NoError(t, err)
	require.Equal(t, "value", string(value))

	commitment, err := testSealer(t).commitment()
	require.NoError(t, err)
	require.Equal(t, mac(prk, "sealring/store/commitment/1", "\x01", "\x01"), commitment[:])
}

// Keys whose bytes could be taken for a part of what is framed around them.
func TestRecordFraming(t *testing.T) {
	t.Parallel()
	s := testSealer(t)
	keys := []string{"a", "a\x00", "\x00a", "", "\x00\x00\x00\x00\x00\x00\x00\x01a", "0123456789abcdefa"}
	for _, key := range keys {
		record, err := s.seal(key, 1, []byte("value"))
		require.NoError(t, err)
		for _, other := range keys {
			value, err := s.open(other, record)
			if other == key {
				require.NoError(t, err)
				require.Equal(t, "value", string(value))
			} else {
				require.ErrorIs(t, err, ErrDamaged)
			}
		}
	}
}

// pinnedRecord is what testSealer has once made of the value "value" under the key
// "key" at revision 3.
const pinnedRecord = "0100000000000000032b6999f8f4dd592fb0936521170e6f8c7faa224ec895e3826073cbe28d10259cd2"

func FuzzRecord(f *testing.F) {
	s := testSealer(f)
	pinned, err := hex.DecodeString(pinnedRecord)
	require.NoError(f, err)
	f.Add(pinned, "key")
	f.Add(pinned, "other")
	f.Add(pinned[:36], "key")
	f.Add([]byte{}, "")
	f.Add(bytes.Repeat([]byte{1}, 37), "key")
	f.Fuzz(func(t *testing.T, record []byte, key string) {
		value, err := s.open(key, record)
		if bytes.Equal(record, pinned) && key == "key" {
			require.NoError(t, err)
			require.Equal(t, "value", string(value))
			return
		}
		require.ErrorIs(t, err, ErrDamaged)
		require.Nil(t, value)
	})
}

func FuzzHead(f *testing.F) {
	h := sealHead{keys: []keyring.EncryptedDataKey{
		{Provider: "p", Info: []byte("info"), Ciphertext: []byte("ciphertext")},
		{Provider: "", Info: []byte{}, Ciphertext: []byte{}},
	}}
	good, err := h.encode()
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), 0))
	f.Add(append(bytes.Repeat([]byte{1}, 17), 0xff, 0xff, 0, 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHead(b)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			require.Nil(t, h)
			return
		}
		again, err := h.encode()
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func TestHeadOfWrongShape(t *testing.T) {
	t.Parallel()
	h := sealHead{keys: []keyring.EncryptedDataKey{{Provider: "p"}}}
	good, err := h.encode()
	require.NoError(t, err)
	_, err = parseHead(good)
	require.NoError(t, err)
	for name, change := range map[string]func(b []byte) []byte{
		"format 0":     func(b []byte) []byte { b[0] = 0; return b },
		"format 2":     func(b []byte) []byte { b[0] = 2; return b },
		"no keys":      func(b []byte) []byte { return append(append(b[:17:17], 0, 0), b[len(b)-commitmentLen:]...) },
		"a key more":   func(b []byte) []byte { b[18] = 2; return b },
		"a long field": func(b []byte) []byte { b[19] = 0xff; return b },
		"a byte more":  func(b []byte) []byte { return append(b, 0) },
	} {
		_, err := parseHead(change(bytes.Clone(good)))
		require.ErrorIs(t, err, ErrDamaged, name)
	}
	h.keys[0].Info = make([]byte, 1<<16)
	_, err = h.encode()
	require.Error(t, err)
}

// swappingRing unwraps to a key of its own: what a wrapping cipher that does not
// commit to its key can be made to do.
type swappingRing struct{}

func (swappingRing) OnEncrypt(context.Context, *keyring.EncryptionMaterials) error {
	return errors.New("not used")
}

func (swappingRing) OnDecrypt(_ context.Context, m *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
	return m.SetDataKey(bytes.Repeat([]byte{9}, 32))
}

func TestHeadCommitsToTheSealingKey(t *testing.T) {
	t.Parallel()
	root, err := keyring.NewRawAES("n", "k", make([]byte, 32))
	require.NoError(t, err)
	h, err := newHead(t.Context(), root)
	require.NoError(t, err)
	_, err = h.unseal(t.Context(), root)
	require.NoError(t, err)
	_, err = h.unseal(t.Context(), swappingRing{})
	require.ErrorIs(t, err, ErrDamaged)
}

// A store that gives nil for an empty value must not pass for an empty store.
func TestLoadHeadTakesAnEmptyHeadForDamage(t *testing.T) {
	t.Parallel()
	b, err := loadHead(nilTx{})
	require.NoError(t, err)
	require.NotNil(t, b)
	_, err = parseHead(b)
	require.ErrorIs(t, err, ErrDamaged)
}

type nilTx struct{ Tx }

func (nilTx) Get(string) ([]byte, error) { return nil, nil }
