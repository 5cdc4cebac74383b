package s3crypto_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// TestSwappedInstructionFiles has an object read with the instruction file of another one
// that the same wrapping key has wrapped, of the same writer or the other format.
func TestSwappedInstructionFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind, other string
		want        error
	}{
		{"V3 with file", "V3 with file", s3crypto.ErrCommitment},
		{"V2 with file", "V2 with file", s3crypto.ErrAuthentication},
		{"V3 with file", "V2 with file", s3crypto.ErrMetadata},
		{"V2 with file", "V3 with file", s3crypto.ErrMetadata},
	} {
		t.Run(test.kind+" "+test.other, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			o := sealedAs(test.kind, numbered(1000))
			own := o.file
			o.file = sealedAs(test.other, numbered(1000)).file
			o.store(s, "key")
			for way, read := range everyWay(t, s) {
				got, err := read()
				if !isVerified(way) && test.kind == test.other && test.kind == "V2 with file" {
					require.NoError(t, err, way) // nothing tells
					require.NotEqual(t, numbered(1000), got, way)
					continue
				}
				require.ErrorIs(t, err, test.want, way)
				require.Empty(t, got, way)
			}
			s.put("key.instruction", own, nil)
			for way, read := range everyWay(t, s) {
				got, err := read()
				require.NoError(t, err, way)
				require.Equal(t, numbered(1000), got, way)
			}
		})
	}
}

// TestSwappedBodies has an object's body replaced by that of another one under the same
// wrapping key, with the header left as it is.
func TestSwappedBodies(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		if !isGCM(kind) {
			continue
		}
		s := newShelf()
		o := sealedAs(kind, numbered(1000))
		o.body = sealedAs(kind, numbered(1000)).body
		o.store(s, "key")
		for way, read := range everyWay(t, s) {
			got, err := read()
			if isVerified(way) {
				require.ErrorIs(t, err, s3crypto.ErrAuthentication, way)
				require.Empty(t, got, way)
			} else {
				require.NotEqual(t, numbered(1000), got, way)
			}
		}
	}
}

// TestInstructionFileThatIsARange has S3 answer with a part of the instruction file.
func TestInstructionFileThatIsARange(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3 with file", numbered(10)).store(s, "key")
	s.answered = func(in *s3.GetObjectInput, out *s3.GetObjectOutput) {
		if *in.Key == "key.instruction" {
			out.ContentRange = aws.String("bytes 0-99/200")
		}
	}
	for way, read := range everyWay(t, s) {
		_, err := read()
		require.ErrorIs(t, err, s3crypto.ErrResponse, way)
		require.ErrorContains(t, err, "key.instruction", way)
	}
}
