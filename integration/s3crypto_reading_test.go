package integration

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// s3Reader is a way to read an object. What the API does in the middle of it is an error
// of read, or of reading the content.
type s3Reader struct {
	name     string
	read     func(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) ([]byte, error)
	verifies bool // before anything is released
}

// s3Readers are all ways to read the whole of an object.
var s3Readers = []s3Reader{
	{"Get, buffered", getBuffered, true},
	{"Get, spooled", getSpooled, true},
	{"GetStream", getStream, false},
	{"GetRangeUnauthenticated", getRange, false},
	{"ReaderAtUnauthenticated", readAt, false},
	{"Download", download, true},
}

// drain reads a body to its end.
func drain(out *s3.GetObjectOutput, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(out.Body)
	if closeErr := out.Body.Close(); err == nil {
		err = closeErr
	}
	return content, err
}

func getBuffered(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) ([]byte, error) {
	out, err := o.clientAt(t, api).Get(ctx, o.getInput(), o.getOptions())
	if err == nil {
		require.EqualValues(t, len(o.content), *out.ContentLength)
	}
	return drain(out, err)
}

// getSpooled has the ciphertext in a file until it is verified, and sees that nothing is
// left of it.
func getSpooled(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) ([]byte, error) {
	dir := t.TempDir()
	c := o.clientAt(t, api, func(o *s3crypto.Options) { o.MaxBuffered, o.TempDir = 1, dir })
	content, err := drain(c.Get(ctx, o.getInput(), o.getOptions()))
	left, readErr := os.ReadDir(dir)
	require.NoError(t, readErr)
	require.Empty(t, left)
	return content, err
}

func getStream(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) ([]byte, error) {
	out, err := o.clientAt(t, api).GetStream(ctx, o.getInput(), o.getOptions())
	content, err := drain(out, err)
	if err == nil {
		require.True(t, out.Body.(*s3crypto.UnverifiedBody).Verified())
	}
	return content, err
}

func getRange(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) ([]byte, error) {
	in := o.getInput()
	in.Range = aws.String("bytes=0-")
	return drain(o.clientAt(t, api).GetRangeUnauthenticated(ctx, in, o.getOptions()))
}

func readAt(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) ([]byte, error) {
	r, err := o.clientAt(t, api).NewReaderAtUnauthenticated(ctx, o.getInput(), o.getOptions())
	if err != nil {
		return nil, err
	}
	content := make([]byte, r.Size())
	for first := 0; first < len(content); first += 3 << 20 {
		piece := content[first:min(len(content), first+3<<20)]
		if _, err := r.ReadAt(piece, int64(first)); err != nil {
			return nil, err
		}
	}
	return content, nil
}

func download(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) ([]byte, error) {
	file, err := os.Create(filepath.Join(t.TempDir(), "download"))
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	_, downloadErr := o.clientAt(t, api).Download(ctx, o.getInput(), file, o.getOptions())
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	return content, downloadErr
}

// requireWhole requires that an object can be read in every way, and is in S3 as it
// should be.
func (o *s3Object) requireWhole(t *testing.T) {
	t.Helper()
	api := o.server.client()
	for _, r := range s3Readers {
		content, err := r.read(t.Context(), t, o, api)
		if len(o.content) == 0 && r.name == "GetRangeUnauthenticated" {
			var outside *s3crypto.RangeError
			require.ErrorAs(t, err, &outside, r.name) // an empty object has no first byte
			continue
		}
		require.NoError(t, err, r.name)
		requireSame(t, o.content, content, r.name)
	}
	o.requireHeads(t)
}

// requireHeads requires that the object is described rightly.
func (o *s3Object) requireHeads(t *testing.T) {
	t.Helper()
	out, e, err := o.client(t).Head(t.Context(), o.headInput(), o.getOptions())
	require.NoError(t, err)
	require.EqualValues(t, len(o.content), *out.ContentLength)
	require.Equal(t, ownMetadata, out.Metadata)
	require.Equal(t, ownContentType, *out.ContentType)
	file, there := o.fileKey()
	format := "V3"
	if o.policy == s3Formats[1] {
		format = "V2"
	}
	require.Equal(t, format, e.Format)
	require.Equal(t, format == "V3", e.Committing)
	require.Equal(t, o.wrap.name, e.WrapAlgorithm)
	require.Equal(t, there, e.InstructionFile)
	require.EqualValues(t, len(o.content), e.Length)
	if o.wrap.context != nil {
		require.Equal(t, o.wrap.context, e.Description)
	} else {
		require.Equal(t, o.wrap.description, e.Description)
	}

	plain := o.server.client()
	raw, err := plain.HeadObject(t.Context(), o.headInput())
	require.NoError(t, err)
	require.EqualValues(t, len(o.content)+16, *raw.ContentLength)
	if there {
		_, err := plain.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &o.server.bucket, Key: &file})
		require.NoError(t, err)
	}
}

// requireSame does not print megabytes if it fails.
func requireSame(t *testing.T, want, got []byte, what string) {
	t.Helper()
	require.Equal(t, len(want), len(got), what)
	if bytes.Equal(want, got) {
		return
	}
	for i := range want {
		if want[i] != got[i] {
			require.Failf(t, "content differs", "%s: at byte %d of %d", what, i, len(want))
		}
	}
}
