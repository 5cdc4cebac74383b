package main

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHalfAResultIsForItsOwner looks at a file before it is whole: it may be the
// beginning of a plaintext, whoever may read the result.
func TestHalfAResultIsForItsOwner(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	target := b.file("message", []byte("message"))
	o, err := b.process(io.Discard, io.Discard).create(target, true, 0o644)
	require.NoError(t, err)
	_, err = o.Write([]byte("plaintext"))
	require.NoError(t, err)
	info, err := o.temporary.Stat()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.NoError(t, o.commit())
	info, err = os.Stat(target)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode())
}
