package integration

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// s3Places are where data keys are kept.
var s3Places = []s3crypto.PutOptions{
	{},
	{InstructionFile: aws.Bool(true)},
	{InstructionFile: aws.Bool(true), InstructionSuffix: ".key"},
}

// requireGrid writes objects, such that each two of length, way to write, wrap, format and
// place of the data key meet in one, and reads each in every way.
func requireGrid(t *testing.T, s *s3Server, lengths []int) {
	t.Helper()
	wraps := newS3Wraps(t)
	content := s3Bytes(lengths[len(lengths)-1])
	for i, row := range pairs(len(lengths), len(s3Writers), len(wraps), len(s3Formats), len(s3Places)) {
		w := s3Writers[row[1]]
		o := &s3Object{
			server: s, wrap: wraps[row[2]], policy: s3Formats[row[3]], put: s3Places[row[4]],
			key: fmt.Sprintf("grid/%d", i), content: content[:lengths[row[0]]],
		}
		name := fmt.Sprintf("%d bytes, %s, %s, policy %v, place %d", len(o.content), w.name, o.wrap.name, o.policy, row[4])
		t.Run(name, func(t *testing.T) {
			require.NoError(t, w.write(t.Context(), t, o, s.client()))
			o.requireWhole(t)
			o.requireNoPlaintext(t)
		})
	}
	require.Empty(t, s.listUploads(t))
}

// requireNoPlaintext requires that no block of the content is at its place in S3.
func (o *s3Object) requireNoPlaintext(t *testing.T) {
	t.Helper()
	out, err := o.server.client().GetObject(t.Context(), o.getInput())
	require.NoError(t, err)
	defer out.Body.Close()
	stored, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.Len(t, stored, len(o.content)+16)
	for i := 0; i+16 <= len(o.content); i += 16 {
		if bytes.Equal(stored[i:i+16], o.content[i:i+16]) {
			require.Fail(t, "plaintext in S3", "at %d of %d", i, len(o.content))
		}
	}
}

// Every way to write and every way to read, at the borders of blocks, chunks and parts.
func TestVersityGWGrid(t *testing.T) {
	t.Parallel()
	requireGrid(t, versityGW(t, versityOptions{}), []int{
		0, 1, 15, 16, 17, s3ChunkSize - 1, s3ChunkSize, s3ChunkSize + 1,
		s3PartSize - 1, s3PartSize, s3PartSize + 1, 2*s3PartSize - 1, 2 * s3PartSize, 2*s3PartSize + 1,
	})
}

func TestFakeS3Grid(t *testing.T) {
	t.Parallel()
	requireGrid(t, fakeS3Server(t), []int{0, 1, 17, s3PartSize, 2*s3PartSize + 1})
}
