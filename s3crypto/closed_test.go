package s3crypto_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// tracked counts bodies that are open.
type tracked struct {
	mu   sync.Mutex
	open int
	all  int
}

// trackedBody is a body that is counted until it is closed.
type trackedBody struct {
	io.Reader
	once sync.Once
	t    *tracked
}

func (b *trackedBody) Close() error {
	b.once.Do(func() {
		b.t.mu.Lock()
		defer b.t.mu.Unlock()
		b.t.open--
	})
	return nil
}

func (t *tracked) track(r io.Reader) io.ReadCloser {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
	t.all++
	return &trackedBody{Reader: r, t: t}
}

// TestBodiesAreClosed counts the bodies that S3 has handed out, whatever becomes of them.
func TestBodiesAreClosed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(o *sealedObject, out *s3.GetObjectOutput){
		"none":           func(*sealedObject, *s3.GetObjectOutput) {},
		"malformed":      func(o *sealedObject, _ *s3.GetObjectOutput) { o.metadata["x-amz-c"] = "1" },
		"no file":        func(o *sealedObject, _ *s3.GetObjectOutput) { o.file = nil },
		"malformed file": func(o *sealedObject, _ *s3.GetObjectOutput) { o.file = []byte("{") },
		"endless file": func(_ *sealedObject, out *s3.GetObjectOutput) {
			if out != nil && out.Metadata["own"] == "" {
				out.Body = io.NopCloser(endless{})
			}
		},
		"file that is cut": func(_ *sealedObject, out *s3.GetObjectOutput) {
			if out != nil && out.Metadata["own"] == "" {
				out.Body = io.NopCloser(io.MultiReader(io.LimitReader(out.Body, 10), iotest.ErrReader(errors.New("cut"))))
			}
		},
		"other key":     func(o *sealedObject, _ *s3.GetObjectOutput) { o.metadata["x-amz-d"] = base64Of(randomBytes(28)) },
		"not authentic": func(o *sealedObject, _ *s3.GetObjectOutput) { o.body[0] ^= 1 },
		"too short":     func(o *sealedObject, _ *s3.GetObjectOutput) { o.body = o.body[:15] },
		"other range": func(_ *sealedObject, out *s3.GetObjectOutput) {
			if out != nil && out.Metadata["own"] != "" {
				out.ContentRange = aws.String("bytes 7-8/200")
			}
		},
		"cut": func(_ *sealedObject, out *s3.GetObjectOutput) {
			if out != nil && out.Metadata["own"] != "" {
				out.Body = io.NopCloser(io.LimitReader(out.Body, 5))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, bodies := newShelf(), &tracked{}
				o := sealedAs("V3 with file", numbered(1000))
				fault(o, nil)
				o.store(s, "key")
				s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) {
					fault(o, out)
					out.Body = bodies.track(out.Body)
				}
				for way, read := range everyWay(t, s) {
					got, err := read()
					if name == "none" {
						require.NoError(t, err, way)
						require.Equal(t, numbered(1000), got, way)
					} else if name != "not authentic" || isVerified(way) {
						require.Error(t, err, way)
						if name != "cut" {
							require.Empty(t, got, way)
						}
					}
					require.Zero(t, bodies.open, way)
				}
				if name != "no file" && name != "malformed" {
					require.NotZero(t, bodies.all)
				}
			})
		})
	}
}

// endless is a reader of spaces, with which a JSON text may begin.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, strings.Repeat(" ", len(p))), nil }

// refusingKMS is a KMS that refuses to decrypt.
type refusingKMS struct{ s3crypto.KMSAPI }

func (refusingKMS) Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	return nil, &types.KMSInvalidStateException{Message: aws.String("pending deletion")}
}

// TestKMSErrorsAreReturned has the reason why KMS refuses reach the caller, and S3's body be
// closed.
func TestKMSErrorsAreReturned(t *testing.T) {
	t.Parallel()
	const key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	s, bodies := newShelf(), &tracked{}
	o := sealedAs("V3", numbered(10))
	o.metadata["x-amz-w"], o.metadata["x-amz-t"] = "12", `{"aws:x-amz-cek-alg":"115"}`
	o.store(s, "key")
	s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { out.Body = bodies.track(out.Body) }
	w, err := s3crypto.NewKMS(refusingKMS{}, key, nil)
	require.NoError(t, err)
	c := clientOf(t, s, w)
	for _, way := range readers {
		_, err := readAll(t, c, way.get, nil)
		require.ErrorAs(t, err, new(*types.KMSInvalidStateException), way.name)
		require.ErrorContains(t, err, "s3crypto: KMS Decrypt: ")
		require.ErrorContains(t, err, "pending deletion")
	}
	_, err = c.Download(t.Context(), getInput("key"), &page{}, nil)
	require.ErrorAs(t, err, new(*types.KMSInvalidStateException))
	require.Zero(t, bodies.open)
	require.NotZero(t, bodies.all)

	// Another context is refused without asking KMS.
	_, err = readAll(t, c, (*s3crypto.Client).Get, &s3crypto.GetOptions{Context: map[string]string{"a": "b"}})
	require.ErrorIs(t, err, s3crypto.ErrContext)
	_, err = readAll(t, c, (*s3crypto.Client).Get, &s3crypto.GetOptions{Context: map[string]string{"aws:x-amz-cek-alg": "115"}})
	require.ErrorIs(t, err, s3crypto.ErrContext)
}

// TestNoGoroutineIsLeft stops in the middle of what uses goroutines: the bubble does not end
// before they do.
func TestNoGoroutineIsLeft(t *testing.T) {
	t.Parallel()
	o := sealedAs("V3", numbered(3*partSize))
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		for _, key := range []string{"a", "b", "c", "key"} {
			o.store(s, key)
		}
		c := lenientClient(t, s, nil)
		for _, err := range c.List(t.Context(), &s3.ListObjectsV2Input{}, &s3crypto.ListOptions{Inspect: true}) {
			require.NoError(t, err)
			break
		}
		errFull := errors.New("full")
		_, err := c.Download(t.Context(), getInput("key"), &page{fail: func(int64) error { return errFull }}, nil)
		require.ErrorIs(t, err, errFull)
		out, err := c.GetStream(t.Context(), getInput("key"), nil)
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, out.Body, partSize)
		require.NoError(t, err)
		require.NoError(t, out.Body.Close())
	})
}

// TestStreamThatStalls closes a body while S3 sends nothing more: what reads ahead of the
// reader ends, whether anybody waits for it or not.
func TestStreamThatStalls(t *testing.T) {
	t.Parallel()
	o := sealedAs("V3", numbered(2_000_000))
	for _, waits := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf()
			o.store(s, "key")
			stalled, w := io.Pipe()
			s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { out.Body = stalled }
			go w.Write(o.body[:600_000])
			out, err := lenientClient(t, s, nil).GetStream(t.Context(), getInput("key"), nil)
			require.NoError(t, err)
			got := make([]byte, 1000)
			_, err = io.ReadFull(out.Body, got)
			require.NoError(t, err)
			require.Equal(t, numbered(1000), got)
			read := make(chan error, 1)
			if waits {
				go func() {
					_, err := io.Copy(io.Discard, out.Body)
					read <- err
				}()
			} else {
				read <- io.ErrClosedPipe
			}
			synctest.Wait()
			require.NoError(t, out.Body.Close())
			require.ErrorIs(t, <-read, io.ErrClosedPipe)
			require.False(t, out.Body.(*s3crypto.UnverifiedBody).Verified())
		})
	}
}
