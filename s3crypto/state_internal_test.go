package s3crypto

import (
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/gcmstream"
)

// stateOf returns an upload with the given lengths of parts.
func stateOf(t testing.TB, lengths ...int) (u *Upload, w Wrapper) {
	t.Helper()
	w, err := NewAES(bytes.Repeat([]byte{7}, 32), nil)
	require.NoError(t, err)
	c, err := New(&s3.Client{}, w, &Options{PartSize: 5 << 20, InstructionFiles: true})
	require.NoError(t, err)
	bucket, name := "bucket", "k"
	d, key, err := c.newDraft(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &name}, -1, &PutOptions{})
	require.NoError(t, err)
	u, err = d.upload(key, c.o.PartSize, &PutOptions{})
	require.NoError(t, err)
	u.id = "id"
	for i, n := range lengths {
		_, piece, err := d.message.Seal(nil, make([]byte, n), u.offset(int32(i+1)))
		require.NoError(t, err)
		_, _, err = u.admit(int32(i+1), piece)
		require.NoError(t, err)
	}
	return u, w
}

// FuzzStateHeader parses the part of a state that anybody can write.
func FuzzStateHeader(f *testing.F) {
	u, _ := stateOf(f, 5<<20, 17)
	state, err := u.State()
	require.NoError(f, err)
	f.Add(state)
	f.Add(state[:40])
	f.Add([]byte{stateVersion, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, state []byte) {
		h, aad, sealed, err := stateHeader(state)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		require.NoError(t, h.check())
		require.Equal(t, state, append(bytes.Clone(aad), sealed...))
	})
}

// FuzzState parses the content of a state, and takes it for that of an upload.
func FuzzState(f *testing.F) {
	for _, lengths := range [][]int{nil, {5 << 20}, {5 << 20, 5 << 20, 17}} {
		u, w := stateOf(f, lengths...)
		_, err := u.makeTag(nil)
		require.NoError(f, err)
		state, err := u.State()
		require.NoError(f, err)
		h, aad, sealed, err := stateHeader(state)
		require.NoError(f, err)
		key, err := h.unwrap(f.Context(), w, &rules{})
		require.NoError(f, err)
		aead, err := h.stateCipher(key)
		require.NoError(f, err)
		content, err := aead.Open(nil, nil, sealed, aad)
		require.NoError(f, err)
		f.Add(content)
	}
	empty, _ := stateOf(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := parseState(content)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		u := &Upload{d: empty.d, partSize: s.partSize, parts: map[int32]*uploadPart{}, progress: &progress{}}
		if err := u.restore(s); err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		require.LessOrEqual(t, len(u.parts), len(s.numbers))
		for number, p := range u.parts {
			require.LessOrEqual(t, u.offset(number)+p.piece.Len(), int64(gcmstream.MaxLength))
		}
	})
}
