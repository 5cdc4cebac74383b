package s3crypto_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/s3crypto"
)

// TestCompleteAfterAbort sees that an object which Abort has deleted is not said to be
// there.
func TestCompleteAfterAbort(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	u, err := newWriter(t, f, s3crypto.Options{InstructionFiles: true}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.NoError(t, u.Send(t.Context(), bytes.NewReader(random(100))))
	f.fail = func(op, _ string, _ int) error {
		if op == "PutObject" {
			return errFault
		}
		return nil
	}
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, errFault)
	f.fail = nil
	require.NoError(t, u.Abort(t.Context()))
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, s3crypto.ErrPart)
	require.Empty(t, f.keys())
}

// TestAbortOfResumed resumes an upload that had been completed, from a state that nobody
// has thrown away, and then gives it up: the object stays.
func TestAbortOfResumed(t *testing.T) {
	t.Parallel()
	for _, inFile := range []bool{false, true} {
		f := newFakeBucket()
		c := newWriter(t, f, s3crypto.Options{InstructionFiles: inFile})
		states := &savedStates{}
		u, err := c.CreateUpload(t.Context(), createInput(), states.options())
		require.NoError(t, err)
		require.NoError(t, u.Send(t.Context(), bytes.NewReader(random(6*mib))))
		_, err = u.Complete(t.Context(), nil)
		require.NoError(t, err)

		u, err = c.ResumeUpload(t.Context(), createInput(), states.last, nil)
		require.NoError(t, err)
		require.ErrorIs(t, u.Send(t.Context(), strings.NewReader("another")), s3crypto.ErrBodyChanged)
		require.NoError(t, u.Abort(t.Context()))
		requireWritten(t, f, "k", random(6*mib))
	}
}

// TestContextEndsMeanwhile has the context end while something half-written is removed.
func TestContextEndsMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	ctx, cancel := context.WithCancel(t.Context())
	f.fail = func(op, _ string, _ int) error {
		switch op {
		case "UploadPart":
			return errFault
		case "AbortMultipartUpload":
			cancel()
		}
		return nil
	}
	_, err := newWriter(t, f, s3crypto.Options{}).Put(ctx, putInput(plainReader{bytes.NewReader(random(6 * mib))}), nil)
	require.ErrorIs(t, err, errFault)
	require.Empty(t, f.uploads)
}

// TestWrongSizeIsNoEnd sees that an upload goes on after Complete has noticed by its size
// that a part is missing: no tag was made.
func TestWrongSizeIsNoEnd(t *testing.T) {
	t.Parallel()
	plaintext := random(12 * mib)
	f := newFakeBucket()
	u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.NoError(t, u.Part(t.Context(), 1, partOf(plaintext, 1)))
	require.NoError(t, u.Part(t.Context(), 2, partOf(plaintext, 2)))
	size := &s3.CompleteMultipartUploadInput{MpuObjectSize: aws.Int64(12 * mib)}
	_, err = u.Complete(t.Context(), size)
	require.ErrorIs(t, err, s3crypto.ErrPart)
	require.NoError(t, u.Part(t.Context(), 3, partOf(plaintext, 3)))
	_, err = u.Complete(t.Context(), size)
	require.NoError(t, err)
	require.EqualValues(t, 12*mib, *size.MpuObjectSize)
	requireWritten(t, f, "k", plaintext)
}

// TestInstructionFileTooLarge sees that no file is written that no reader takes.
func TestInstructionFileTooLarge(t *testing.T) {
	t.Parallel()
	for _, policy := range policies {
		for n, fits := range map[int]bool{65_000: true, 65_536: false} {
			f := newFakeBucket()
			w, err := s3crypto.NewAES(writersKey, &s3crypto.AESOptions{Description: map[string]string{"a": strings.Repeat("b", n)}})
			require.NoError(t, err)
			c, err := s3crypto.New(f, w, &s3crypto.Options{InstructionFiles: true, CommitmentPolicy: policy})
			require.NoError(t, err)
			_, err = c.Put(t.Context(), putInput(strings.NewReader("x")), nil)
			if fits {
				require.NoError(t, err)
				_, err = c.Get(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k")}, nil)
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, s3crypto.ErrMetadata)
			require.Empty(t, f.log)
		}
	}
}

// TestDeletionIsLost has the answer to the deletion of an object without its file get lost:
// S3 then says that there is none.
func TestDeletionIsLost(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	f.fail = func(op, what string, n int) error {
		switch {
		case op == "PutObject" && what == "k.instruction":
			return errFault
		case op == "DeleteObject" && what == "k":
			f.mu.Lock()
			defer f.mu.Unlock()
			f.objects["k"] = nil
			return apiError("NoSuchKey")
		}
		return nil
	}
	f.objects["k.instruction"] = []*fakeObject{{etag: "before"}}
	_, err := newWriter(t, f, s3crypto.Options{InstructionFiles: true}).Put(t.Context(), putInput(strings.NewReader("x")), nil)
	require.ErrorIs(t, err, errFault)
	require.NotContains(t, err.Error(), "not deleted")
	require.Empty(t, f.keys())
}

// keeper hands out the same data key for each object, and leaves it to the caller.
type keeper struct {
	s3crypto.KMSAPI
	kept *kms.GenerateDataKeyOutput
}

func (k *keeper) GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput, o ...func(*kms.Options)) (out *kms.GenerateDataKeyOutput, err error) {
	if k.kept == nil {
		k.kept, err = k.KMSAPI.GenerateDataKey(ctx, in, o...)
	}
	return k.kept, err
}

// TestWipedDataKey sees that nothing is encrypted under a key of zeros, which is what a data
// key is after its first use.
func TestWipedDataKey(t *testing.T) {
	t.Parallel()
	keys := kmstest.New(t, nil).SDK()
	key, err := keys.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	w, err := s3crypto.NewKMS(&keeper{KMSAPI: keys}, *key.KeyMetadata.Arn, nil)
	require.NoError(t, err)
	f := newFakeBucket()
	c, err := s3crypto.New(f, w, nil)
	require.NoError(t, err)
	_, err = c.Put(t.Context(), putInput(strings.NewReader("first")), nil)
	require.NoError(t, err)
	in := putInput(strings.NewReader("second"))
	in.Key = aws.String("second")
	_, err = c.Put(t.Context(), in, nil)
	require.ErrorIs(t, err, awskms.ErrResponse)
	require.Equal(t, []string{"k"}, f.keys())
}

// counting counts the bytes that are read.
type counting struct {
	*bytes.Reader
	read int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

// TestPartStops ends the context while a part is read for the first time.
func TestPartStops(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errFault)
	body := &counting{Reader: bytes.NewReader(random(5 * mib))}
	require.ErrorIs(t, u.Part(ctx, 1, body), errFault)
	require.Zero(t, body.read)
	require.NoError(t, u.Part(t.Context(), 1, bytes.NewReader(make([]byte, 5*mib))), "other bytes: the first ones were not taken")
}

// TestKeyTooLongForFile sees that an object is not replaced if there can be no instruction
// file for it.
func TestKeyTooLongForFile(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	c := newWriter(t, f, s3crypto.Options{InstructionFiles: true})
	in := putInput(strings.NewReader("x"))
	in.Key = aws.String(strings.Repeat("k", 1024-len(".instruction")))
	_, err := c.Put(t.Context(), in, nil)
	require.NoError(t, err)
	f.log = nil
	in.Key = aws.String(*in.Key + "k")
	_, err = c.Put(t.Context(), in, nil)
	require.ErrorContains(t, err, "1025 bytes")
	require.Empty(t, f.log)
}

// TestForeignFileStays has somebody else put an object and its file between the deletions of
// an object and of the file that it had replaced.
func TestForeignFileStays(t *testing.T) {
	t.Parallel()
	for _, blind := range []bool{false, true} { // as without the right to read
		testForeignFileStays(t, false, blind)
		testForeignFileStays(t, true, blind)
	}
}

func testForeignFileStays(t *testing.T, before, blind bool) {
	f := newFakeBucket()
	c := newWriter(t, f, s3crypto.Options{InstructionFiles: true})
	if before {
		_, err := c.Put(t.Context(), putInput(strings.NewReader("before")), nil)
		require.NoError(t, err)
	}
	f.fail = func(op, what string, _ int) error {
		if what == "k.instruction" && (op == "PutObject" || blind && op == "GetObject") {
			return errFault
		}
		return nil
	}
	f.lose = func(op, what string, _ int) error {
		if op == "DeleteObject" && what == "k" {
			f.fail, f.lose = nil, nil
			_, err := c.Put(t.Context(), putInput(strings.NewReader("theirs")), nil)
			require.NoError(t, err)
		}
		return nil
	}
	_, err := c.Put(t.Context(), putInput(strings.NewReader("ours")), nil)
	require.ErrorIs(t, err, errFault)
	require.Equal(t, blind, strings.Contains(err.Error(), `"k.instruction" may be left`), err)
	requireWritten(t, f, "k", []byte("theirs"))
}
