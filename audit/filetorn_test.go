package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

func TestFileCutsATornLine(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path, nil)
	record(t, f, 1, 2)
	require.NoError(t, f.Record(t.Context(), small(3)))
	require.NoError(t, f.Close())
	whole := read(t, path)
	two := strings.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for n := two; n <= len(whole); n++ {
		require.NoError(t, os.WriteFile(path, []byte(whole[:n]), 0o600))
		f := openFile(t, path, nil)
		torn := f.Torn()
		switch n {
		case two, len(whole):
			require.Zero(t, torn)
		default:
			require.EqualValues(t, n-two, torn.Size)
			require.Equal(t, whole[two:n], read(t, torn.File))
			require.NoError(t, os.Remove(torn.File))
		}
		record(t, f, 4, 4)
		require.NoError(t, f.Close())
		want := []string{"event-1", "event-2", "event-4"}
		if n == len(whole) {
			want = []string{"event-1", "event-2", "event-3", "event-4"}
		}
		require.Equal(t, want, ids(t, read(t, path)))
	}
}

func TestFileCutsWhatAPowerLossLeaves(t *testing.T) {
	t.Parallel()
	one, two := string(ref(event(1)).AppendJSON(nil))+"\n", string(ref(event(2)).AppendJSON(nil))+"\n"
	zeros := strings.Repeat("\x00", 5000)
	path := newPath(t)
	for i, tt := range []struct{ content, whole string }{
		{"", ""},
		{`{"ev`, ""},
		{zeros, ""},
		{one + zeros, one},
		{one + zeros + "\n", one},
		{one + zeros + two, one},
		{one + two[:50] + zeros + "\n" + two, one},
		{strings.Repeat(one, 9000) + zeros, strings.Repeat(one, 9000)},
	} {
		require.NoError(t, os.WriteFile(path, []byte(tt.content), 0o600))
		f := openFile(t, path, nil)
		require.Equal(t, tt.whole, read(t, path))
		torn := f.Torn()
		require.Equal(t, len(tt.content)-len(tt.whole), int(torn.Size))
		if torn.Size > 0 {
			require.Equal(t, fmt.Sprintf("%s.torn-%d", path, i), torn.File, "no earlier one is overwritten")
			require.Equal(t, tt.content[len(tt.whole):], read(t, torn.File))
		}
		require.NoError(t, f.Close())
	}
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("x", 4<<20)), 0o600))
	_, err := audit.OpenFile(path, nil)
	require.ErrorContains(t, err, "is no log")
	require.Len(t, read(t, path), 4<<20)
}

// TestNoLogIsLeftAlone opens files that are something else, as a typing mistake would.
func TestNoLogIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"a store":     strings.Repeat("\x00", 16) + "\xed\xda\x0c\xed" + strings.Repeat("\x00\x01", 4096),
		"a key":       "sealring root key 1\nAAAA\n",
		"settings":    "[default]\nprincipal = x\n",
		"a policy":    "{\n  \"Version\": \"2012-10-17\"\n}\n",
		"another log": `{"time":"2026-01-02T15:04:05Z","msg":"listening"}` + "\n",
		"no line":     "x",
	} {
		path := newPath(t)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := audit.OpenFile(path, nil)
		require.ErrorContains(t, err, "is no log", name)
		require.Equal(t, content, read(t, path), name)
		files, err := filepath.Glob(path + ".torn*")
		require.NoError(t, err)
		require.Empty(t, files, name)
	}
	for name, content := range map[string]string{
		"nothing but room":       strings.Repeat("\x00", 5000),
		"the beginning of one":   `{"cha`,
		"of an event by itself":  `{"eventVersion":"1.11","userId`,
		"of a chained one, torn": `{"chain":{"engine":"x` + "\x00\x00",
	} {
		path := newPath(t)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.EqualValues(t, len(content), openFile(t, path, nil).Torn().Size, name)
	}
}
