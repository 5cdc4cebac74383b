package s3crypto

import (
	"encoding/json"
	"mime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseDescription(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string]string{
		"":                       {},
		"{}":                     {},
		` { "a" : "b" } `:        {"a": "b"},
		`{"":"","b":"\u00e9\n"}`: {"": "", "b": "é\n"},
		`{"k":"\ud83d\udd11"}`:   {"k": "\U0001f511"},
		`{"k":"raw é"}`:          {"k": "raw é"},
	} {
		got, err := parseDescription(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"x", "null", "[]", `"a"`, "1", "{", "}", `{"a"}`, `{"a":}`, `{"a":1}`, `{"a":null}`, `{"a":true}`, `{"a":{}}`, `{"a":["b"]}`,
		`{"a":"b",}`, `{"a":"b"}{}`, `{"a":"b"} x`, `{"a":"b","a":"b"}`, `{"a":"b","\u0061":"c"}`, `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`,
		"{\"a\":\"\xff\"}", "{\"\xff\":\"a\"}", `{"a":"\ufffd"}`, `{a:"b"}`, `{'a':'b'}`, "{\"a\":\"\n\"}",
	} {
		_, err := parseDescription(text)
		require.ErrorIs(t, err, ErrMetadata, text)
	}
}

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]map[string]string{
		`{}`:                                nil,
		`{"a":"b","c":""}`:                  {"c": "", "a": "b"},
		`{"<&>'/":"="}`:                     {"<&>'/": "="},
		`{"\"":"\\"}`:                       {`"`: `\`},
		`{"\u0000\u001f":"\u007f~"}`:        {"\x00\x1f": "\x7f~"},
		`{"\u00e9":"\u20ac \ud83d\udd11"}`:  {"é": "€ \U0001f511"},
		`{"=\u003futf-8?q?x?=":"==\u003f"}`: {"=?utf-8?q?x?=": "==?"},
	} {
		got := appendJSON([]byte("x"), m)
		require.Equal(t, "x"+want, string(got))
		back := map[string]string{}
		require.NoError(t, json.Unmarshal(got[1:], &back))
		require.Equal(t, len(m), len(back))
		for k, v := range m {
			require.Equal(t, v, back[k])
		}
	}
}

// mangle is what S3 makes of metadata that is not ASCII.
func mangle(e mime.WordEncoder, s string) string {
	var latin []rune
	for _, b := range []byte(s) {
		latin = append(latin, rune(b))
	}
	return e.Encode("UTF-8", string(latin))
}

func TestDecodeWords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"k":"é"}`, `{"ключ":"значение"}`, `{"k":"\U0001f511 日本語"}`, `{"k":"` + strings.Repeat("é€", 200) + `"}`, "é", "aé", "éa",
	} {
		for _, e := range []mime.WordEncoder{mime.BEncoding, mime.QEncoding} {
			got, err := decodeWords(mangle(e, text))
			require.NoError(t, err)
			require.Equal(t, text, got)

			got, err = decodeWords(e.Encode("UTF-8", text)) // once only
			require.NoError(t, err)
			require.Equal(t, text, got)
		}
		got, err := decodeWords(text) // not at all
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
	for in, want := range map[string]string{
		"":                           "",
		`{"foo":"bar"}`:              `{"foo":"bar"}`,
		"=?utf-8?Q?a?=":              "a",
		`{"k":"=?utf-8?Q?=C3=A9?="}`: `{"k":"é"}`, // within text too
		"=?iso-8859-1?Q?=C3=A9?=":    "é",
		"=?utf-8?Q?=C3=A9?=":         "é", // its Latin-1 byte is no UTF-8
		"=?utf-8?Q?unfinished":       "=?utf-8?Q?unfinished",
		"a =?":                       "a =?",
		"raw trailing \xff":          "raw trailing \xff",
	} {
		got, err := decodeWords(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	_, err := decodeWords("=?utf-7?Q?a?=")
	require.ErrorIs(t, err, ErrMetadata)
}

// Words that are cut, as in the official Go client's tests, do not panic and are no
// description.
func TestMetadataWords(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"=?utf-8?B?gA==?=", "=?utf-8?B?/w==?=", "=?utf-8?B?YWJj/w==?=", "abc\xff"} {
		for base, name := range map[*map[string]string]string{&v2Metadata: "x-amz-matdesc", &v3Metadata: "x-amz-m"} {
			_, err := parseMetadata(with(*base, name, value))
			require.ErrorIs(t, err, ErrMetadata, value)
		}
	}
	for _, name := range []string{"x-amz-m", "x-amz-t"} {
		h, err := parseMetadata(with(with(v3Metadata, "x-amz-m", ""), name, mangle(mime.QEncoding, `{"ключ":"é"}`)))
		require.NoError(t, err)
		require.Equal(t, map[string]string{"ключ": "é"}, h.description)
	}
	// Not in instruction files.
	h, err := parseMetadata(part(v3Metadata, "x-amz-c", "x-amz-d", "x-amz-i"))
	require.NoError(t, err)
	file := with(part(v3Metadata, "x-amz-3", "x-amz-w"), "x-amz-m", mangle(mime.QEncoding, `{"é":""}`))
	require.ErrorIs(t, h.parseInstructionFile(fileOf(t, file)), ErrMetadata)
}
