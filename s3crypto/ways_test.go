package s3crypto_test

import (
	"context"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// everyWay reads the object "key" in each way that there is, and returns what was released
// by each, and its error.
func everyWay(t *testing.T, s s3crypto.API) map[string]func() ([]byte, error) {
	whole := func(get getter, set func(*s3crypto.Options)) func() ([]byte, error) {
		c := lenientClient(t, s, set)
		return func() ([]byte, error) { return readAll(t, c, get, nil) }
	}
	ways := map[string]func() ([]byte, error){}
	for _, way := range readers {
		ways[way.name] = whole(way.get, way.set)
	}
	ways["range"] = whole(func(c *s3crypto.Client, ctx context.Context, in *s3.GetObjectInput, o *s3crypto.GetOptions) (*s3.GetObjectOutput, error) {
		in.Range = aws.String("bytes=0-")
		return c.GetRangeUnauthenticated(ctx, in, o)
	}, nil)
	c := lenientClient(t, s, nil)
	ways["reader"] = func() ([]byte, error) {
		r, err := c.NewReaderAtUnauthenticated(t.Context(), getInput("key"), nil)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	}
	ways["download"] = func() ([]byte, error) {
		var p page
		_, err := c.Download(t.Context(), getInput("key"), &p, nil)
		if err != nil && p.b != nil {
			require.Equal(t, make([]byte, len(p.b)), p.b, "what was written is erased")
			p.b = nil
		}
		return p.b, err
	}
	return ways
}

// isVerified reports whether a way to read releases nothing that is not authentic. The
// objects here are so short that the streaming one is among them.
func isVerified(way string) bool { return way != "range" && way != "reader" }
