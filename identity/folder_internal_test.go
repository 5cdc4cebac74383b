package identity

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestLoadIsBounded(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"aws/111122223333/user/ann/tags.json": {Data: []byte(`{"a":"b"}`)},
		"aws/111122223333/user/bob/tags.json": {Data: []byte(`{"a":"c"}`)},
	}
	for _, row := range []struct {
		files, content int
		want           string
	}{
		{2, 18, ""},
		{1, 18, "identity: aws/111122223333/user/bob/tags.json: there are too many files"},
		{2, 17, "identity: aws/111122223333/user/bob/tags.json: all files together are too long"},
	} {
		_, _, err := load(&loader{fsys: fsys, files: row.files, content: row.content, found: map[string]*attachment{}, names: map[string]string{}})
		if row.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, row.want)
	}
}
