package s3crypto_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// flaky is a shelf of which the n-th request fails, before or after it was carried out.
type flaky struct {
	*shelf
	n    int
	lost bool

	mu    sync.Mutex
	asked int
}

func (f *flaky) happened() bool { return f.asked > f.n }

func faulty[T any](f *flaky, do func() (T, error)) (out T, err error) {
	f.mu.Lock()
	now := f.asked == f.n
	f.asked++
	f.mu.Unlock()
	if !now || f.lost {
		out, err = do()
	}
	if now {
		var none T
		return none, errFault
	}
	return out, err
}

func (f *flaky) GetObject(ctx context.Context, in *s3.GetObjectInput, o ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return faulty(f, func() (*s3.GetObjectOutput, error) { return f.shelf.GetObject(ctx, in, o...) })
}

func (f *flaky) HeadObject(ctx context.Context, in *s3.HeadObjectInput, o ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return faulty(f, func() (*s3.HeadObjectOutput, error) { return f.shelf.HeadObject(ctx, in, o...) })
}

func (f *flaky) PutObject(ctx context.Context, in *s3.PutObjectInput, o ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return faulty(f, func() (*s3.PutObjectOutput, error) { return f.shelf.PutObject(ctx, in, o...) })
}

func (f *flaky) CopyObject(ctx context.Context, in *s3.CopyObjectInput, o ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
	return faulty(f, func() (*s3.CopyObjectOutput, error) { return f.shelf.CopyObject(ctx, in, o...) })
}

func (f *flaky) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, o ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	return faulty(f, func() (*s3.ListObjectsV2Output, error) { return f.shelf.ListObjectsV2(ctx, in, o...) })
}

func readable(t *testing.T, s *shelf, key string, w s3crypto.Wrapper) bool {
	out, err := clientOf(t, s, w).Get(t.Context(), getInput(key), nil)
	if err != nil {
		require.ErrorIs(t, err, s3crypto.ErrAuthentication, key)
		return false
	}
	return out.Body.Close() == nil
}

// TestRewrapFaults has each request fail: one of the two wrappers reads the object all the
// time, and a second Rewrap does or sees that it is done.
func TestRewrapFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"V3", "V3 with file", "V2", "V2 with file"} {
		for _, lost := range []bool{false, true} {
			for n, happened := 0, true; happened; n++ {
				f := &flaky{shelf: newShelf(), n: n, lost: lost}
				sealedAs(kind, numbered(100)).store(f.shelf, "key")
				c := lenientClient(t, f, nil)
				_, err := c.Rewrap(t.Context(), rewrapInput("key"), otherAES(t), nil)
				if happened = f.happened(); happened {
					require.ErrorIs(t, err, errFault)
				} else {
					require.NoError(t, err)
				}
				f.n = -1
				was := readable(t, f.shelf, "key", lenientAES(t))
				require.NotEqual(t, was, readable(t, f.shelf, "key", otherAES(t)))
				out, err := c.Rewrap(t.Context(), rewrapInput("key"), otherAES(t), nil)
				require.NoError(t, err)
				require.Equal(t, !was, out.Already)
				require.True(t, readable(t, f.shelf, "key", otherAES(t)))
				require.Less(t, n, 20)
			}
		}
	}
}

// TestRewrapAllFaults has each request of a run fail in turn. A second run from the
// checkpoint, and one more try for each failure, leave nothing out.
func TestRewrapAllFaults(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 3} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(concurrency, lost), func(t *testing.T) {
				t.Parallel()
				for n, happened := 0, true; happened; n++ {
					f := &flaky{shelf: newShelf(), n: n, lost: lost}
					var keys []string
					for i := range 4 {
						keys = append(keys, fmt.Sprint("a", i), fmt.Sprint("b", i))
						sealedAs("V3", numbered(i)).store(f.shelf, fmt.Sprint("a", i))
						sealedAs("V3 with file", numbered(i)).store(f.shelf, fmt.Sprint("b", i))
					}
					c := lenientClient(t, f, func(o *s3crypto.Options) { o.Concurrency = concurrency })
					var told []string
					first, err := c.RewrapAll(t.Context(), &s3crypto.RewrapAllInput{Bucket: "bucket"}, otherAES(t), &s3crypto.RewrapAllOptions{
						Progress: func(p s3crypto.RewrapProgress) { told = append(told, p.Key) },
					})
					happened, f.n = f.happened(), -1
					require.Equal(t, happened, err != nil)
					if len(told) > 0 {
						require.Equal(t, told[len(told)-1], first.Checkpoint)
					}
					second, err := c.RewrapAll(t.Context(), &s3crypto.RewrapAllInput{Bucket: "bucket", StartAfter: first.Checkpoint}, otherAES(t), nil)
					require.NoError(t, err)
					for _, failure := range first.Failed {
						_, err := c.Rewrap(t.Context(), rewrapInput(failure.Key), otherAES(t), nil)
						require.NoError(t, err)
					}
					require.Equal(t, 8, first.Rewrapped+len(first.Failed)+second.Rewrapped+second.Already)
					for _, key := range keys {
						require.True(t, readable(t, f.shelf, key, otherAES(t)), key)
					}
					require.Less(t, n, 100)
				}
			})
		}
	}
}

// TestRewrapIsNotDoneYet has objects under a key that the new wrapper only reads with: they
// are not passed off as done, because whoever believes that throws the key away.
func TestRewrapIsNotDoneYet(t *testing.T) {
	t.Parallel()
	key := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	s := newShelf()
	w, err := s3crypto.NewAES(key(2), &s3crypto.AESOptions{Description: map[string]string{"key": "2"}})
	require.NoError(t, err)
	sealedAs("V3", nil).store(s, "key")
	_, err = lenientClient(t, s, nil).Rewrap(t.Context(), rewrapInput("key"), w, nil)
	require.NoError(t, err)

	to, err := s3crypto.NewAES(key(3), &s3crypto.AESOptions{
		Description:    map[string]string{"key": "3"},
		DecryptionKeys: []s3crypto.AESKey{{Description: map[string]string{"key": "2"}, Key: key(2)}},
	})
	require.NoError(t, err)
	from, err := s3crypto.NewAES(key(1), nil)
	require.NoError(t, err)
	_, err = clientOf(t, s, from).Rewrap(t.Context(), rewrapInput("key"), to, nil)
	require.ErrorIs(t, err, s3crypto.ErrAuthentication)
	_, err = clientOf(t, s, to).Rewrap(t.Context(), rewrapInput("key"), to, nil)
	require.NoError(t, err)
	out, err := clientOf(t, s, from).Rewrap(t.Context(), rewrapInput("key"), to, nil)
	require.NoError(t, err)
	require.True(t, out.Already)
	only3, err := s3crypto.NewAES(key(3), nil)
	require.NoError(t, err)
	require.True(t, readable(t, s, "key", only3))

	// An old wrap is to be replaced, too.
	sealedAs("V2 CBC", nil).store(s, "old")
	_, err = clientOf(t, s, from).Rewrap(t.Context(), rewrapInput("old"), lenientAES(t), nil)
	require.Error(t, err)
}

// TestRewrapKeepsExpires sees that an Expires header that is no date survives the copy.
func TestRewrapKeepsExpires(t *testing.T) {
	t.Parallel()
	for _, expires := range []string{"0", "-1", "Sun, 06 Nov 1994 08:49:37 GMT", "2030-01-01T00:00:00Z"} {
		o := sealedAs("V3", nil)
		var copied []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				for name, value := range o.metadata {
					w.Header().Set("x-amz-meta-"+name, value)
				}
				w.Header().Set("ETag", `"x"`)
				w.Header().Set("Expires", expires)
				return
			}
			copied = append(copied, r.Header.Values("Expires")...)
			fmt.Fprint(w, `<CopyObjectResult><ETag>"y"</ETag></CopyObjectResult>`)
		}))
		api := s3.New(s3.Options{
			Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
			}),
		})
		options := make([]func(*s3.Options), 0, 4)
		_, err := lenientClient(t, api, nil).Rewrap(t.Context(), rewrapInput("key"), otherAES(t), &s3crypto.RewrapOptions{
			GetOptions: s3crypto.GetOptions{S3: options},
		})
		require.NoError(t, err)
		require.Equal(t, []string{expires}, copied)
		require.Nil(t, slices.Clone(options[:1])[0], "the caller's slice is the caller's")
		server.Close()
	}
}
