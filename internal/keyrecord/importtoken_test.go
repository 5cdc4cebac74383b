package keyrecord_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

func newImportToken() *keyrecord.ImportToken {
	return &keyrecord.ImportToken{
		WrappingKeySpec: "RSA_2048", WrappingAlgorithm: "RSAES_OAEP_SHA_256",
		PrivateKey: []byte("PRIVATE-marker"), Expires: created.Add(24 * time.Hour),
	}
}

func TestImportTokenRecordIsPinned(t *testing.T) {
	t.Parallel()
	token := newImportToken()
	b, err := token.Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"wrappingKeySpec":"RSA_2048","wrappingAlgorithm":"RSAES_OAEP_SHA_256",
		"privateKey":"UFJJVkFURS1tYXJrZXI=","expires":"2026-01-03T03:04:05.678Z"}`, string(b))
	got, err := keyrecord.UnmarshalImportToken(b)
	require.NoError(t, err)
	require.Equal(t, token, got)
	for record, want := range map[string]string{
		``:                             "keyrecord: import token: unexpected end of JSON input",
		`{}`:                           "keyrecord: import token of format 0, this program knows 1",
		`{"v":2,"privateKey":"AA=="}`:  "keyrecord: import token of format 2, this program knows 1",
		`{"v":1}`:                      "keyrecord: import token without a private key",
		`{"v":1,"privateKey":"AA==" x`: "keyrecord: import token: invalid character",
	} {
		_, err := keyrecord.UnmarshalImportToken([]byte(record))
		require.ErrorContains(t, err, want, record)
	}
}

func TestImportTokenNames(t *testing.T) {
	t.Parallel()
	prefix := keyrecord.ImportTokenPrefix("111122223333", "eu-west-1", id)
	require.Equal(t, "kms/111122223333/eu-west-1/import/"+id+"/", prefix)
	token := []byte("TOKEN-marker")
	name := keyrecord.ImportTokenName("111122223333", "eu-west-1", id, token)
	require.Equal(t, prefix, name[:len(prefix)])
	require.Regexp(t, `^[0-9a-f]{64}$`, name[len(prefix):])
	require.NotContains(t, name, hex.EncodeToString(token))
	require.NotEqual(t, name, keyrecord.ImportTokenName("111122223333", "eu-west-1", id, append(bytes.Clone(token), 0)))
}

func TestImportTokenExpiry(t *testing.T) {
	t.Parallel()
	token := newImportToken()
	require.False(t, token.Expired(token.Expires.Add(-1)))
	require.True(t, token.Expired(token.Expires))
}

func TestImportTokenIsNotPrinted(t *testing.T) {
	t.Parallel()
	token := newImportToken()
	for _, v := range []any{*token, token, []keyrecord.ImportToken{*token}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := strings.ToLower(fmt.Sprintf(verb, v))
			require.NotContains(t, text, "marker", verb)
			require.NotContains(t, text, hex.EncodeToString(token.PrivateKey[:8]), verb)
			require.NotContains(t, text, "80 82 73", verb)
		}
	}
	require.Equal(t, "import token for RSAES_OAEP_SHA_256 under RSA_2048", fmt.Sprint(token))
}

func FuzzUnmarshalImportToken(f *testing.F) {
	b, err := newImportToken().Marshal()
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := keyrecord.UnmarshalImportToken(b)
		if err != nil {
			return
		}
		again, err := token.Marshal()
		require.NoError(t, err)
		got, err := keyrecord.UnmarshalImportToken(again)
		require.NoError(t, err)
		require.Equal(t, token.PrivateKey, got.PrivateKey)
		require.True(t, token.Expires.Equal(got.Expires))
	})
}

func TestImportTokenList(t *testing.T) {
	t.Parallel()
	at := func(hours int) time.Time { return created.Add(time.Duration(hours) * time.Hour) }
	l := &keyrecord.ImportTokens{}
	add := func(record string, expires, now int, want ...string) {
		t.Helper()
		require.Equal(t, want, l.Add(keyrecord.ListedToken{Record: record, Expires: at(expires)}, at(now), 3))
	}
	add("a", 24, 0)
	add("b", 25, 1)
	add("c", 26, 2)
	add("d", 27, 3, "a")
	add("e", 49, 25, "b")
	add("f", 50, 26, "c")
	add("g", 51, 27, "d")
	b, err := l.Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"tokens":[{"record":"e","expires":"2026-01-04T04:04:05.678Z"},{"record":"f","expires":"2026-01-04T05:04:05.678Z"},{"record":"g","expires":"2026-01-04T06:04:05.678Z"}]}`, string(b))
	l, err = keyrecord.UnmarshalImportTokens(b)
	require.NoError(t, err)
	add("h", 99, 50, "e", "f")
	add("i", 999, 99, "g", "h")
	require.Len(t, l.Tokens, 1)

	// of two clocks, one made a token that expires before an older one
	l = &keyrecord.ImportTokens{}
	add("a", 26, 2)
	add("b", 24, 0)
	add("c", 27, 3)
	add("d", 48, 24, "b")
	require.Len(t, l.Tokens, 3)

	for record, want := range map[string]string{
		``:        "keyrecord: import tokens: unexpected end of JSON input",
		`{"v":2}`: "keyrecord: import tokens of format 2, this program knows 1",
	} {
		_, err := keyrecord.UnmarshalImportTokens([]byte(record))
		require.ErrorContains(t, err, want)
	}
	require.Equal(t, "kms/111122223333/eu-west-1/import/"+id, keyrecord.ImportTokensName("111122223333", "eu-west-1", id))
}
