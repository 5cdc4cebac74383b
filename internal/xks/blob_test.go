package xks

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseBlobRefuses(t *testing.T) {
	t.Parallel()
	good := sealed{metadata: make([]byte, maxMetadata), iv: make([]byte, 16), tag: make([]byte, tagSize), ciphertext: []byte{1}}
	require.Len(t, good.blob(), MaxOverhead+1)
	for name, spoil := range map[string]func(s *sealed, b *[]byte){
		"version 0":            func(_ *sealed, b *[]byte) { (*b)[0] = 0 },
		"version 2":            func(_ *sealed, b *[]byte) { (*b)[0] = 2 },
		"metadata of 21 bytes": func(s *sealed, _ *[]byte) { s.metadata = make([]byte, 21) },
		"vector of 0 bytes":    func(s *sealed, _ *[]byte) { s.iv = nil },
		"vector of 13 bytes":   func(s *sealed, _ *[]byte) { s.iv = make([]byte, 13) },
		"vector of 17 bytes":   func(s *sealed, _ *[]byte) { s.iv = make([]byte, 17) },
		"no ciphertext":        func(s *sealed, _ *[]byte) { s.ciphertext = nil },
		"long ciphertext":      func(s *sealed, _ *[]byte) { s.ciphertext = make([]byte, MaxPlaintext+1) },
		"nothing":              func(_ *sealed, b *[]byte) { *b = nil },
	} {
		s := good
		b := s.blob()
		spoil(&s, &b)
		if !bytes.Equal(s.blob(), good.blob()) {
			b = s.blob()
		}
		_, err := parseBlob(b)
		require.ErrorIs(t, err, ErrInvalidBlob, name)
	}
	for n := range MaxOverhead + 1 {
		_, err := parseBlob(good.blob()[:n])
		require.ErrorIs(t, err, ErrInvalidBlob, n)
	}
}

func TestBlobRoundTrip(t *testing.T) {
	t.Parallel()
	for _, metadata := range []int{0, 1, maxMetadata} {
		for _, iv := range []int{12, 16} {
			for _, size := range []int{1, MaxPlaintext} {
				want := sealed{
					metadata:   bytes.Repeat([]byte{'m'}, metadata),
					iv:         bytes.Repeat([]byte{'i'}, iv),
					tag:        bytes.Repeat([]byte{'t'}, tagSize),
					ciphertext: bytes.Repeat([]byte{'c'}, size),
				}
				got, err := parseBlob(want.blob())
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		}
	}
}

func FuzzParseBlob(f *testing.F) {
	s := sealed{metadata: []byte("m"), iv: make([]byte, 12), tag: make([]byte, tagSize), ciphertext: []byte("c")}
	f.Add(s.blob())
	f.Add(s.blob()[:30])
	s.metadata, s.iv = nil, make([]byte, 16)
	f.Add(s.blob())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseBlob(b)
		if err == nil && !bytes.Equal(s.blob(), b) {
			t.Errorf("%x became %x", b, s.blob())
		}
	})
}
