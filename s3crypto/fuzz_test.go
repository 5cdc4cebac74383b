package s3crypto

import (
	"encoding/json"
	"maps"
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// requireSound checks what holds of every header that has been read.
func requireSound(t *testing.T, h *header) {
	t.Helper()
	if !h.complete() {
		require.Nil(t, h.edk)
		return
	}
	require.NoError(t, h.check())
	require.LessOrEqual(t, len(h.edk), maxEDK)
	require.GreaterOrEqual(t, h.length, int64(-1))
	require.True(t, isText(h.description))
	if h.format == formatV3 {
		require.Len(t, h.messageID, messageIDSize)
		require.Len(t, h.commitment, commitmentSize)
	} else {
		require.Len(t, h.iv, h.suite.ivSize())
	}
	if wraps[h.wrap].v1 || h.suite == suiteCBC {
		return // not written
	}
	want := *h
	want.inFile = false
	if h.format == formatV3 {
		want.length = -1
	}
	again, err := parseMetadata(h.metadata())
	require.NoError(t, err)
	require.Equal(t, &want, again)
}

// FuzzMetadata takes metadata in the form of lines of names and values.
func FuzzMetadata(f *testing.F) {
	lines := func(m map[string]string) string {
		var b strings.Builder
		for name, value := range m {
			b.WriteString(name + ":" + value + "\n")
		}
		return b.String()
	}
	for _, m := range []map[string]string{v1Metadata, v2Metadata, v3Metadata, part(v3Metadata, "x-amz-c", "x-amz-d", "x-amz-i")} {
		f.Add(lines(m))
	}
	for _, o := range officialObjects {
		f.Add(lines(o.metadata))
	}
	f.Fuzz(func(t *testing.T, text string) {
		metadata := map[string]string{}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			metadata[name] = value
		}
		before := maps.Clone(metadata)
		h, err := parseMetadata(metadata)
		require.Equal(t, before, metadata)
		if err != nil {
			require.Nil(t, h)
			return
		}
		requireSound(t, h)
	})
}

func FuzzInstructionFile(f *testing.F) {
	for _, m := range []map[string]string{v1Metadata, v2Metadata, part(v3Metadata, "x-amz-3", "x-amz-w", "x-amz-m")} {
		b, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Add([]byte(`{"x-amz-tag-len":128,"x-amz-unencrypted-content-length":1024}`), false)
	f.Fuzz(func(t *testing.T, body []byte, v3 bool) {
		var object map[string]string
		if v3 {
			object = part(v3Metadata, "x-amz-c", "x-amz-d", "x-amz-i")
		}
		h, err := parseMetadata(object)
		require.NoError(t, err)
		if h.parseInstructionFile(body) != nil {
			return
		}
		require.True(t, json.Valid(body))
		require.True(t, h.complete() && h.inFile)
		require.Equal(t, v3, h.format == formatV3)
		requireSound(t, h)
	})
}

func FuzzDescription(f *testing.F) {
	for _, text := range []string{"", "{}", `{"a":"b"}`, `{"é":"\ud83d\udd11"}`, `{"=?":"?="}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDescription(text)
		if err != nil {
			return
		}
		written := string(appendJSON(nil, d))
		require.True(t, json.Valid([]byte(written)))
		require.NotContains(t, written, "=?")
		again, err := parseDescription(written)
		require.NoError(t, err)
		require.Equal(t, d, again)
		if text != "" {
			std := map[string]string{}
			require.NoError(t, json.Unmarshal([]byte(text), &std))
			require.Equal(t, std, d)
		}
	})
}

func FuzzDecodeWords(f *testing.F) {
	for _, text := range []string{"", "=?utf-8?B?gA==?=", "=?utf-8?Q?=C3=83=C2=A9?=", "=? =?", "\xff=?", mangle(mime.BEncoding, "é")} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		decoded, err := decodeWords(text)
		if err != nil {
			require.ErrorIs(t, err, ErrMetadata)
		} else if !strings.Contains(text, "=?") {
			require.Equal(t, text, decoded)
		}
		// What S3 made of any text comes back.
		if utf8.ValidString(text) && !strings.Contains(text, "=?") {
			for _, e := range []mime.WordEncoder{mime.BEncoding, mime.QEncoding} {
				decoded, err := decodeWords(mangle(e, text))
				require.NoError(t, err)
				require.Equal(t, text, decoded)
			}
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	f.Add(counted(1, 60), 3)
	f.Add(counted(1, 48), 7)
	f.Add(counted(1, 40), 5)
	f.Fuzz(func(t *testing.T, edk []byte, a int) {
		for _, w := range wrappers(t) {
			h := &header{suite: suiteGCM, wrap: wrapAlgorithm(a), edk: edk, description: map[string]string{}}
			if a <= 0 || a >= len(wraps) || w.admits(h.wrap) != nil || h.check() != nil {
				continue
			}
			key, err := w.unwrap(t.Context(), h)
			require.Equal(t, err == nil, len(key) == dataKeySize)
		}
	})
}
