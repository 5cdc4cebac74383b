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
	s, err := newSealer(bytes.Repeat([]byte{7}, 32), [storeIDLen]byte([]byte("0123456789abcdef")), 0x0a0b0c0d)
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
	require.Equal(t, "020a0b0c0d0102030405060708", hex.EncodeToString(record[:13]))

	prk := mac([]byte("0123456789abcdef"), string(bytes.Repeat([]byte{7}, 32)))
	key := mac(prk, "sealring/store/record/2\x00", "\x0a\x0b\x0c\x0d", "\x01\x02\x03\x04\x05\x06\x07\x08", "some/key", "\x01")
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	value, err := gcm.Open(nil, record[13:25], record[25:], []byte("\x02\x0a\x0b\x0c\x0d\x01\x02\x03\x04\x05\x06\x07\x080123456789abcdefsome/key"))
	require.NoError(t, err)
	require.Equal(t, "value", string(value))

	commitment := testSealer(t).commitment(1)
	require.Equal(t, mac(prk, "sealring/store/commitment/2", "\x02\x01\x0a\x0b\x0c\x0d", "\x01"), commitment[:])
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
const pinnedRecord = "020a0b0c0d0000000000000003f9bee6ac49e046cd5bf846f19e34ee2c1be6584757fa101e0ba40eef1710941cab"

func FuzzRecord(f *testing.F) {
	s := testSealer(f)
	pinned, err := hex.DecodeString(pinnedRecord)
	require.NoError(f, err)
	f.Add(pinned, "key")
	f.Add(pinned, "other")
	f.Add(pinned[:40], "key")
	f.Add([]byte{}, "")
	f.Add(bytes.Repeat([]byte{2}, 41), "key")
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
	h := sealHead{tallied: true, epochs: []sealEpoch{
		{epoch: 1, keys: []keyring.EncryptedDataKey{
			{Provider: "p", Info: []byte("info"), Ciphertext: []byte("ciphertext")},
			{Provider: "", Info: []byte{}, Ciphertext: []byte{}},
		}},
		{epoch: 7, keys: []keyring.EncryptedDataKey{{Provider: "q"}}},
	}}
	good, err := h.encode()
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), 0))
	f.Add(append(bytes.Repeat([]byte{2}, 17), 1, 2, 0, 0, 0, 1, 0xff, 0xff, 0, 0))
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
	key := []keyring.EncryptedDataKey{{Provider: "p"}}
	h := sealHead{epochs: []sealEpoch{{epoch: 3, keys: key}, {epoch: 4, keys: key}}}
	good, err := h.encode()
	require.NoError(t, err)
	_, err = parseHead(good)
	require.NoError(t, err)
	const flags, count, first = 17, 18, 19
	epoch := (len(good) - first) / 2
	for name, change := range map[string]func(b []byte) []byte{
		"format 1":             func(b []byte) []byte { b[0] = 1; return b },
		"format 3":             func(b []byte) []byte { b[0] = 3; return b },
		"another flag":         func(b []byte) []byte { b[flags] = 2; return b },
		"no epochs":            func(b []byte) []byte { b[count] = 0; return b[:first] },
		"an epoch less":        func(b []byte) []byte { b[count] = 1; return b },
		"an epoch more":        func(b []byte) []byte { b[count] = 3; return b },
		"three epochs":         func(b []byte) []byte { b[count] = 3; return append(b, b[first+epoch:]...) },
		"epoch 0":              func(b []byte) []byte { b[first+3] = 0; return b },
		"one epoch twice":      func(b []byte) []byte { b[first+3] = 4; return b },
		"epochs in disorder":   func(b []byte) []byte { b[first+3] = 5; return b },
		"an epoch without key": func(b []byte) []byte { return append(b[:first+4:first+4], make([]byte, 2+commitmentLen)...) },
		"a key more":           func(b []byte) []byte { b[first+5] = 2; return b },
		"a long field":         func(b []byte) []byte { b[first+6] = 0xff; return b },
		"a byte more":          func(b []byte) []byte { return append(b, 0) },
		"half":                 func(b []byte) []byte { return b[:first+epoch] },
	} {
		h, err := parseHead(change(bytes.Clone(good)))
		require.ErrorIs(t, err, ErrDamaged, name)
		require.Nil(t, h, name)
	}
	h.epochs[0].keys[0].Info = make([]byte, 1<<16)
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
	h, err := newHead(t.Context(), root, true)
	require.NoError(t, err)
	_, err = h.unseal(t.Context(), root)
	require.NoError(t, err)
	_, err = h.unseal(t.Context(), swappingRing{})
	require.ErrorIs(t, err, ErrDamaged)
	h.tallied = false
	_, err = h.unseal(t.Context(), root)
	require.ErrorIs(t, err, ErrDamaged, "and to keeping a tally")
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
