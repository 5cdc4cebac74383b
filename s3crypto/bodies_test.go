package s3crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/s3crypto"
)

// sized says that it has another size than it has.
type sized struct {
	*bytes.Reader
	size int64
}

func (s sized) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		offset, whence = offset+s.size, io.SeekStart
	}
	return s.Reader.Seek(offset, whence)
}

// TestBodyHasAnotherSize has files that shrink or grow after Put has looked at them.
func TestBodyHasAnotherSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, mib, mib + 1, 5 * mib, 10*mib + 1} {
		for _, said := range []int{size - 1, size + 1, size - mib, size + 6*mib} {
			if said < 0 {
				continue
			}
			for _, above := range []int64{0, 1} { // in one request, or in parts unless it is short
				f := newFakeBucket()
				f.digests = 0
				c := newWriter(t, f, s3crypto.Options{MultipartAbove: above})
				in := putInput(sized{bytes.NewReader(random(size)), int64(said)})
				in.ContentLength = aws.Int64(int64(said))
				_, err := c.Put(t.Context(), in, nil)
				require.ErrorIs(t, err, s3crypto.ErrBodyChanged, "%d bytes, and not %d", size, said)
				require.Empty(t, f.keys())
				require.Empty(t, f.uploads)
			}
		}
	}
}

// oneWay goes to its end and not back.
type oneWay struct{ *strings.Reader }

func (o oneWay) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		return 0, errors.New("not this way")
	}
	return o.Reader.Seek(offset, whence)
}

func TestBodyThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(oneWay{strings.NewReader("abc")}), nil)
	require.ErrorContains(t, err, "not this way")
	require.Empty(t, f.log)
}

// explosive panics after n bytes.
type explosive struct{ n int }

func (e *explosive) Read(p []byte) (int, error) {
	if e.n == 0 {
		panic("body")
	}
	n := min(len(p), e.n)
	e.n -= n
	return n, nil
}

func TestBodyPanics(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 100, 5 * mib, 17 * mib} {
		f := newFakeBucket()
		require.PanicsWithValue(t, "body", func() {
			_, _ = newWriter(t, f, s3crypto.Options{Concurrency: 2}).Put(t.Context(), putInput(&explosive{n}), nil)
		})
		require.Empty(t, f.uploads)
		require.Zero(t, f.active, "nothing goes on")
		require.Empty(t, f.keys())
	}
	u, err := newWriter(t, newFakeBucket(), s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.Panics(t, func() { _ = u.Send(t.Context(), &explosive{11 * mib}) })
	require.NoError(t, u.Send(t.Context(), bytes.NewReader(make([]byte, 11*mib))), "with no lock held")
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
}

// withError returns an error with its last bytes.
type withError struct {
	n   int
	err error
}

func (w *withError) Read(p []byte) (int, error) {
	n := min(len(p), w.n)
	if w.n -= n; w.n == 0 {
		return n, w.err
	}
	return n, nil
}

func TestErrorWithTheLastBytes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, mib, 5*mib - 1, 5 * mib, 5*mib + 1, 10 * mib} {
		f := newFakeBucket()
		c := newWriter(t, f, s3crypto.Options{})
		_, err := c.Put(t.Context(), putInput(&withError{n, errFault}), nil)
		require.ErrorIs(t, err, errFault)
		require.Empty(t, f.keys())
		_, err = c.Put(t.Context(), putInput(&withError{n, io.EOF}), nil)
		require.NoError(t, err)
		requireWritten(t, f, "k", make([]byte, n))
	}
}

// meddler changes the caller's metadata while the data key is made.
type meddler struct {
	s3crypto.KMSAPI
	metadata map[string]string
}

func (m meddler) GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput, o ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	m.metadata["x-amz-d"] = "mine"
	return m.KMSAPI.GenerateDataKey(ctx, in, o...)
}

// TestMetadataChangesMeanwhile sees that what was checked is what is sent.
func TestMetadataChangesMeanwhile(t *testing.T) {
	t.Parallel()
	keys := kmstest.New(t, nil).SDK()
	key, err := keys.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	for name, size := range map[string]int{"whole": 10, "parts": 6 * mib, "upload": 6 * mib} {
		metadata := map[string]string{"mine": "too"}
		w, err := s3crypto.NewKMS(meddler{keys, metadata}, *key.KeyMetadata.Arn, nil)
		require.NoError(t, err)
		f := newFakeBucket()
		c, err := s3crypto.New(f, w, &s3crypto.Options{PartSize: 5 * mib})
		require.NoError(t, err)
		body := plainReader{bytes.NewReader(random(size))}
		if name == "upload" {
			in := createInput()
			in.Metadata = metadata
			u, err := c.CreateUpload(t.Context(), in, nil)
			require.NoError(t, err)
			require.NoError(t, u.Send(t.Context(), body))
			_, err = u.Complete(t.Context(), nil)
			require.NoError(t, err)
		} else {
			in := putInput(body)
			in.Metadata = metadata
			_, err = c.Put(t.Context(), in, nil)
			require.NoError(t, err)
		}
		got := f.current("k").metadata
		require.Equal(t, "too", got["mine"], name)
		require.NotEqual(t, "mine", got["x-amz-d"], name)
		require.NotEmpty(t, got["x-amz-3"], name)
	}
}

// TestBodiesPrintNothing sees that whoever logs a request does not log the hashes of its
// pieces, and that keys do not print.
func TestBodiesPrintNothing(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	var printed []string
	f.lose = func(op, _ string, _ int) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		var body io.Reader
		switch in := f.inputs[op].(type) {
		case *s3.PutObjectInput:
			body = in.Body
		case *s3.UploadPartInput:
			body = in.Body
		default:
			return nil
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
			printed = append(printed, fmt.Sprintf(verb, body))
		}
		return nil
	}
	c := newWriter(t, f, s3crypto.Options{})
	_, err := c.Put(t.Context(), putInput(strings.NewReader("secret")), nil)
	require.NoError(t, err)
	u, err := c.CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.NoError(t, u.Part(t.Context(), 1, bytes.NewReader(random(5*mib))))
	require.Len(t, printed, 10)
	for _, text := range printed {
		require.Equal(t, "s3crypto body", text)
	}
	key := s3crypto.AESKey{Description: map[string]string{"a": "b"}, Key: []byte("0123456789abcdef")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		require.Equal(t, `s3crypto.AESKey{map["a":"b"]}`, fmt.Sprintf(verb, key))
		require.NotContains(t, fmt.Sprintf(verb, s3crypto.AESOptions{DecryptionKeys: []s3crypto.AESKey{key}}), "30313233")
	}
}
