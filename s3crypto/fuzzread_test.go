package s3crypto_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// FuzzRead reads whatever S3 may have: metadata in the form of lines of names and values, an
// instruction file, and a body. All ways of reading agree on what it is, and the one that is
// not authenticated refuses no more than the others.
func FuzzRead(f *testing.F) {
	for _, kind := range kinds {
		o := sealedAs(kind, numbered(20))
		var lines strings.Builder
		for name, value := range o.metadata {
			lines.WriteString(name + ":" + value + "\n")
		}
		f.Add(lines.String(), o.file, o.body)
	}
	f.Fuzz(func(t *testing.T, lines string, file, body []byte) {
		o := &sealedObject{metadata: map[string]string{}, file: file, body: body}
		for line := range strings.Lines(lines) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			o.metadata[name] = value
		}
		s := newShelf()
		o.store(s, "key")
		options := func(maxBuffered int64) *s3crypto.Options {
			return &s3crypto.Options{
				CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, AllowLegacyCBC: true, MaxBuffered: maxBuffered, TempDir: t.TempDir(),
			}
		}
		c, err := s3crypto.New(s, lenientAES(t), options(0))
		require.NoError(t, err)
		spooling, err := s3crypto.New(s, lenientAES(t), options(1))
		require.NoError(t, err)

		want, wantErr := readAll(t, c, (*s3crypto.Client).Get, nil)
		known := wantErr == nil
		for _, target := range []error{
			s3crypto.ErrNotEncrypted, s3crypto.ErrMetadata, s3crypto.ErrAuthentication,
			s3crypto.ErrLegacy, s3crypto.ErrWrapper, s3crypto.ErrContext,
		} {
			known = known || errors.Is(wantErr, target)
		}
		require.True(t, known, "%v", wantErr)
		got, err := readAll(t, spooling, (*s3crypto.Client).Get, nil)
		require.Equal(t, wantErr == nil, err == nil)
		require.Equal(t, want, got)
		got, err = readAll(t, c, (*s3crypto.Client).GetStream, nil)
		require.Equal(t, wantErr == nil, err == nil)
		if err == nil {
			require.Equal(t, want, got)
		}
		_, e, err := c.Head(t.Context(), &s3.HeadObjectInput{Key: aws.String("key")}, nil)
		if wantErr != nil {
			return
		}
		require.NoError(t, err)
		require.True(t, e.Length == int64(len(want)) || e.Length < 0 || strings.Contains(e.ContentAlgorithm, "CBC"))
		if strings.Contains(e.ContentAlgorithm, "CBC") || len(want) == 0 {
			return
		}
		in := getInput("key")
		in.Range = aws.String("bytes=0-")
		out, err := c.GetRangeUnauthenticated(t.Context(), in, nil)
		require.NoError(t, err)
		got, err = io.ReadAll(out.Body)
		require.NoError(t, err)
		require.Equal(t, want, got)
		var p page
		_, err = c.Download(t.Context(), getInput("key"), &p, nil)
		require.NoError(t, err)
		require.Equal(t, want, p.b)
	})
}
