package keyring_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

func TestContextSerialisation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		context keyring.EncryptionContext
		want    string // hexadecimal
	}{
		{"nil", nil, ""},
		{"empty", keyring.EncryptionContext{}, ""},
		{"one pair", keyring.EncryptionContext{"k": "value"}, "0001 0001 6b 0005 76616c7565"},
		{"empty strings", keyring.EncryptionContext{"": ""}, "0001 0000 0000"},
		{"sorted", keyring.EncryptionContext{"b": "1", "a": "2", "aa": "3", "B": "4"},
			"0004 0001 42 0001 34  0001 61 0001 32  0002 6161 0001 33  0001 62 0001 31"},
		// U+FFFF is ef bf bf and U+10000 is f0 90 80 80; by UTF-16 units, where the
		// latter is d800 dc00, the order would be the other one.
		{"sorted by bytes", keyring.EncryptionContext{"\U00010000": "b", "\uffff": "a"},
			"0002 0003 efbfbf 0001 61  0004 f0908080 0001 62"},
	} {
		want := unhex(t, c.want)
		got, err := c.context.AppendBinary([]byte("before"))
		require.NoError(t, err, c.name)
		require.Equal(t, "before"+string(want), string(got), c.name)
		parsed, err := keyring.ParseEncryptionContext(want)
		require.NoError(t, err, c.name)
		require.Len(t, parsed, len(c.context), c.name)
		for k, v := range c.context {
			require.Equal(t, v, parsed[k], c.name)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func TestContextLimits(t *testing.T) {
	t.Parallel()
	many := make(keyring.EncryptionContext)
	for i := range 5000 {
		many[fmt.Sprintf("%09d", i)] = ""
	}
	few := make(keyring.EncryptionContext)
	for i := range 16383 { // the most that could fit, if keys had no bytes
		few[fmt.Sprintf("%x", i)] = ""
	}
	for _, c := range []struct {
		name    string
		context keyring.EncryptionContext
		want    int // length, 0 if refused
	}{
		{"a key that just fits", keyring.EncryptionContext{strings.Repeat("k", 65529): ""}, 65535},
		{"a key that does not", keyring.EncryptionContext{strings.Repeat("k", 65530): ""}, 0},
		{"a value that just fits", keyring.EncryptionContext{"": strings.Repeat("v", 65529)}, 65535},
		{"a value that does not", keyring.EncryptionContext{"": strings.Repeat("v", 65530)}, 0},
		{"a field longer than its length", keyring.EncryptionContext{"": strings.Repeat("v", 65536)}, 0},
		{"many pairs", many, 2 + 5000*13},
		{"too many pairs", few, 0},
		{"a key that is not UTF-8", keyring.EncryptionContext{"\xff": ""}, 0},
		{"a value that is not UTF-8", keyring.EncryptionContext{"k": "\xc0\x80"}, 0},
	} {
		got, err := c.context.AppendBinary([]byte("before"))
		if c.want == 0 {
			require.ErrorIs(t, err, keyring.ErrEncryptionContext, c.name)
			require.Equal(t, "before", string(got), c.name)
			_, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{Context: c.context})
			require.ErrorIs(t, err, keyring.ErrEncryptionContext, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Len(t, got, len("before")+c.want, c.name)
		parsed, err := keyring.ParseEncryptionContext(got[len("before"):])
		require.NoError(t, err, c.name)
		require.Equal(t, c.context, parsed, c.name)
	}
}

func TestParseEncryptionContext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in string }{
		{"absent", ""},
		{"the empty form of older writers", "0000"},
		{"not sorted", "0002 0001 62 0000  0001 61 0000"},
	} {
		got, err := keyring.ParseEncryptionContext(unhex(t, c.in))
		require.NoError(t, err, c.name)
		require.Len(t, got, len(c.in)/12, c.name)
	}
	for _, c := range []struct{ name, in string }{
		{"half a count", "00"},
		{"a count without pairs", "0001"},
		{"three bytes of one pair", "0001 00"},
		{"three bytes of none", "0000 00"},
		{"no pairs and their bytes", "0000 0001 61 0000"},
		{"more pairs than bytes for them", "ffff 0000 0000"},
		{"one pair too few counted", "0001 0001 61 0000  0001 62 0000"},
		{"one pair too many counted", "0003 0001 61 0000  0001 62 0000"},
		{"a key past the end", "0001 0005 61 0000"},
		{"a value past the end", "0001 0001 61 0001"},
		{"a byte left over", "0001 0001 61 0000 00"},
		{"a key twice", "0002 0001 61 0000  0001 61 0001 62"},
		{"a key that is not UTF-8", "0001 0001 ff 0000"},
		{"a value that is not UTF-8", "0001 0001 61 0001 ff"},
	} {
		got, err := keyring.ParseEncryptionContext(unhex(t, c.in))
		require.ErrorIs(t, err, keyring.ErrEncryptionContext, c.name)
		require.Nil(t, got, c.name)
	}
}

// Whatever is accepted serialises, to the same length unless it had the older
// empty form, and reads back the same.
func FuzzParseEncryptionContext(f *testing.F) {
	for _, seed := range []string{
		"", "\x00\x00", "\x00\x01", "\x00\x00\x00", "\x00\x01\x00\x01k\x00\x01v",
		"\x00\x02\x00\x01b\x00\x00\x00\x01a\x00\x01\xc3", "\x00\x02\x00\x01b\x00\x00\x00\x01a\x00\x02\xc3\xa9",
		"\x00\x02\x00\x01a\x00\x00\x00\x01a\x00\x00", "\xff\xff\x00\x00\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := keyring.ParseEncryptionContext(b)
		if err != nil {
			require.ErrorIs(t, err, keyring.ErrEncryptionContext)
			require.Nil(t, c)
			return
		}
		again, err := c.AppendBinary(nil)
		if len(b) > 65535 {
			require.ErrorIs(t, err, keyring.ErrEncryptionContext)
			return
		}
		require.NoError(t, err)
		if len(c) > 0 {
			require.Len(t, again, len(b))
		}
		reread, err := keyring.ParseEncryptionContext(again)
		require.NoError(t, err)
		require.Len(t, reread, len(c))
		for k, v := range c {
			require.Equal(t, v, reread[k])
		}
	})
}
