package s3crypto

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

func fileOf(t testing.TB, m map[string]string) []byte {
	t.Helper()
	b, err := json.Marshal(m)
	require.NoError(t, err)
	return b
}

// part returns the named fields of m.
func part(m map[string]string, names ...string) map[string]string {
	p := map[string]string{}
	for _, name := range names {
		p[name] = m[name]
	}
	return p
}

func TestInstructionFileNumbers(t *testing.T) {
	t.Parallel()
	text := func(tag, length string) []byte {
		return []byte(`{
  "x-amz-iv": "` + v2Metadata["x-amz-iv"] + `", "x-amz-key-v2": "` + v2Metadata["x-amz-key-v2"] + `",
  "x-amz-matdesc": "{\"a\":\"b\"}", "x-amz-wrap-alg": "AES/GCM",
  "x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-tag-len": ` + tag + `, "x-amz-unencrypted-content-length": ` + length + `
}
`)
	}
	for _, tt := range []struct {
		tag, length string
		want        int64
	}{
		{`"128"`, `"1024"`, 1024}, {`128`, `1024`, 1024}, {`null`, `null`, -1}, {`""`, `""`, -1}, {`128`, `0`, 0},
	} {
		h := &header{length: -1}
		require.NoError(t, h.parseInstructionFile(text(tt.tag, tt.length)))
		require.Equal(t, tt.want, h.length)
		require.Equal(t, map[string]string{"a": "b"}, h.description)
		require.True(t, h.inFile)
		require.True(t, h.complete())
	}
	for _, tt := range [][2]string{
		{`128`, `-1`}, {`128`, `1.0`}, {`128`, `1e3`}, {`1280`, `1`}, {`true`, `1`}, {`[128]`, `1`}, {`{}`, `1`}, {`128`, `9223372036854775808`},
	} {
		require.ErrorIs(t, (&header{length: -1}).parseInstructionFile(text(tt[0], tt[1])), ErrMetadata, "%v", tt)
	}
}

func TestInstructionFileRefused(t *testing.T) {
	t.Parallel()
	object := part(v3Metadata, "x-amz-c", "x-amz-d", "x-amz-i")
	file := part(v3Metadata, "x-amz-3", "x-amz-w", "x-amz-m")
	h, err := parseMetadata(object)
	require.NoError(t, err)
	require.Equal(t, formatV3, h.format)
	require.NoError(t, h.parseInstructionFile(fileOf(t, file)))

	lengthy := map[string]string{"x-amz-unencrypted-content-length": "1023"}
	for name, tt := range map[string]struct {
		object map[string]string
		file   map[string]string
	}{
		"commitment in the file too":     {object, with(file, "x-amz-d", object["x-amz-d"])},
		"message id in the file too":     {object, with(file, "x-amz-i", object["x-amz-i"])},
		"suite in the file too":          {object, with(file, "x-amz-c", "115")},
		"all in the file":                {nil, v3Metadata},
		"a V3 file, a plain object":      {nil, file},
		"a V2 file, a V3 object":         {object, v2Metadata},
		"a V1 file, a V3 object":         {object, v1Metadata},
		"a V2 file with V3's suite":      {nil, with(v2Metadata, "x-amz-c", "115")},
		"a V2 and V3 file":               {object, with(file, "x-amz-key-v2", "AAAA")},
		"V3 fields in capitals":          {object, with(file, "X-Amz-D", object["x-amz-d"])},
		"no data key":                    {object, with(file, "x-amz-3", "")},
		"no wrap":                        {object, with(file, "x-amz-w", "")},
		"a wrap without its context":     {object, with(file, "x-amz-w", "12")},
		"a malformed data key":           {object, with(file, "x-amz-3", "A")},
		"a malformed length":             {object, with(file, "x-amz-unencrypted-content-length", "A")},
		"nothing":                        {object, nil},
		"V2 lacks its IV":                {nil, with(v2Metadata, "x-amz-iv", "")},
		"lengths that differ":            {lengthy, v2Metadata},
		"data keys in both places":       {v2Metadata, v2Metadata},
		"V3, data keys in both places":   {v3Metadata, file},
		"text that is JSON, but too big": {object, with(file, "x", strings.Repeat("x", maxInstructionFile))},
	} {
		h, err := parseMetadata(tt.object)
		require.NoError(t, err, name)
		err = h.parseInstructionFile(fileOf(t, tt.file))
		if name == "a wrap without its context" {
			require.ErrorIs(t, err, ErrContext, name)
			continue
		}
		require.ErrorIs(t, err, ErrMetadata, name)
	}

	// An object keeps all three or none, and no key field without the key.
	for name := range object {
		_, err := parseMetadata(with(object, name, ""))
		require.ErrorIs(t, err, ErrMetadata)
	}
	for _, name := range []string{"x-amz-w", "x-amz-m", "x-amz-t", "x-amz-iv", "x-amz-matdesc", "x-amz-wrap-alg", "x-amz-cek-alg"} {
		_, err := parseMetadata(with(object, name, "x"))
		require.ErrorIs(t, err, ErrMetadata, name)
		_, err = parseMetadata(map[string]string{name: "x"})
		require.ErrorIs(t, err, ErrMetadata, name)
	}
}

func TestInstructionFileSyntax(t *testing.T) {
	t.Parallel()
	good := string(fileOf(t, v2Metadata))
	for _, text := range []string{good, " \n" + good + "\r\n", strings.Replace(good, "{", `{"other":"x",`, 1)} {
		require.NoError(t, (&header{length: -1}).parseInstructionFile([]byte(text)), text)
	}
	for _, text := range []string{
		"", "{", "}", "null", "[]", `"x"`, "1", good[:len(good)-1], good + "x", good + good, good + ",", "[" + good + "]",
		strings.Replace(good, "{", `{"x":{},`, 1),
		strings.Replace(good, "{", `{"x":[],`, 1),
		strings.Replace(good, "{", `{"x":1,`, 1),
		strings.Replace(good, "{", `{"x":true,`, 1),
		strings.Replace(good, "{", `{,`, 1),
		strings.Replace(good, "{", `{"x",`, 1),
		strings.Replace(good, "{", "{\"x\":\"\xff\",", 1),
		strings.Replace(good, "{", `{"x":"\ud800",`, 1),
		strings.Replace(good, "{", `{"\udc00":"",`, 1),
		strings.Replace(good, "{", `{"x-amz-iv":"AAAA",`, 1),
		strings.Replace(good, "{", `{"X-AMZ-IV":"AAAA",`, 1),
		strings.Replace(good, `"x-amz-iv":"`, `"x-amz-iv":1,"x":"`, 1),
	} {
		require.ErrorIs(t, (&header{length: -1}).parseInstructionFile([]byte(text)), ErrMetadata, text)
	}
}

// No error of an instruction file repeats a description or a data key.
func TestInstructionFileErrorsAreShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("y", 1000)
	for name := range maps.Keys(v2Metadata) {
		err := (&header{length: -1}).parseInstructionFile(fileOf(t, with(v2Metadata, name, long)))
		require.Error(t, err)
		require.Less(t, len(err.Error()), 200)
	}
	err := (&header{length: -1}).parseInstructionFile([]byte(`{"` + long + `":1}`))
	require.Less(t, len(err.Error()), 200)
}

// The writer's fields, name by name.
func TestSplit(t *testing.T) {
	t.Parallel()
	h, err := parseMetadata(v3Metadata)
	require.NoError(t, err)
	metadata, file, err := h.split()
	require.NoError(t, err)
	require.Equal(t, part(v3Metadata, "x-amz-c", "x-amz-d", "x-amz-i"), metadata)
	require.JSONEq(t, string(fileOf(t, part(v3Metadata, "x-amz-3", "x-amz-w", "x-amz-m"))), string(file))
	require.Equal(t, v3Metadata, h.metadata())

	h.description = nil
	require.Equal(t, with(v3Metadata, "x-amz-m", ""), h.metadata())
	h.wrap, h.description = wrapKMSContext, map[string]string{"k": "v"}
	require.Equal(t, with(with(with(v3Metadata, "x-amz-m", ""), "x-amz-t", `{"k":"v"}`), "x-amz-w", "12"), h.metadata())
	h.wrap, h.description = wrapRSAOAEP, nil
	require.Equal(t, with(with(v3Metadata, "x-amz-m", ""), "x-amz-w", "22"), h.metadata())

	h, err = parseMetadata(v2Metadata)
	require.NoError(t, err)
	metadata, file, err = h.split()
	require.NoError(t, err)
	require.Empty(t, metadata)
	require.JSONEq(t, string(fileOf(t, v2Metadata)), string(file))
	require.Equal(t, v2Metadata, h.metadata())
	h.length, h.description = -1, nil
	require.Equal(t, with(with(v2Metadata, "x-amz-unencrypted-content-length", ""), "x-amz-matdesc", "{}"), h.metadata())
}

// A downgrade of an object with an instruction file is refused under every policy.
func TestInstructionFileDowngrade(t *testing.T) {
	t.Parallel()
	w := wrappers(t)["AES"]
	h, _, err := newObject(t.Context(), w, suiteCommitting, -1, nil)
	require.NoError(t, err)
	metadata, _, err := h.split()
	require.NoError(t, err)
	old, _, err := newObject(t.Context(), w, suiteGCM, -1, nil)
	require.NoError(t, err)
	_, file, err := old.split()
	require.NoError(t, err)
	h, err = parseMetadata(metadata)
	require.NoError(t, err)
	require.ErrorIs(t, h.parseInstructionFile(file), ErrMetadata)

	h, err = parseMetadata(nil) // the object's part removed as well: V2, as far as can be told
	require.NoError(t, err)
	require.NoError(t, h.parseInstructionFile(file))
	_, err = h.unwrap(t.Context(), w, &rules{})
	require.ErrorIs(t, err, ErrPolicy)
	_, err = h.unwrap(t.Context(), w, &rules{policy: keyring.ForbidEncryptAllowDecrypt})
	require.NoError(t, err)
}
