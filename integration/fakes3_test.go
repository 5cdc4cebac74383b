package integration

import (
	"io"
	"log"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
)

// fakeBucket is the bucket that a fakeS3 has.
const fakeBucket = "objects"

// fakeS3 starts a server that keeps S3's objects in memory, and returns its URL. It takes
// any credentials and checks no signatures.
func fakeS3(t *testing.T) (endpoint string) {
	t.Helper()
	backend := s3mem.New()
	require.NoError(t, backend.CreateBucket(fakeBucket))
	fake := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog()))
	server := httptest.NewUnstartedServer(fake.Server())
	// It answers with an error after it has begun to answer, if the reader hangs up.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// newS3 returns an SDK client of the S3 server at endpoint.
func newS3(endpoint string) *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
	})
}

func TestFakeS3(t *testing.T) {
	t.Parallel()
	client := newS3(fakeS3(t))
	out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(fakeBucket)})
	require.NoError(t, err)
	require.Empty(t, out.Contents)
}
