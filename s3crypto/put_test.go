package s3crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

func TestPutSizes(t *testing.T) {
	t.Parallel()
	sizes := []int{0, 1, 15, 16, 17, 31, 32, 4095, mib - 16, mib - 1, mib, mib + 1, 2*mib + 5}
	partSizes := []int{5*mib - 16, 5*mib - 1, 5 * mib, 5*mib + 1, 10*mib - 3, 10 * mib, 15*mib + mib/2}
	for name, policy := range policies {
		for _, size := range slices.Concat(sizes, partSizes) {
			plaintext := random(size)
			for kind, body := range map[string]io.Reader{
				"seekable": bytes.NewReader(plaintext), "pipe": pipeLike{bytes.NewReader(plaintext)},
				"known": plainReader{bytes.NewReader(plaintext)}, "unknown": plainReader{bytes.NewReader(plaintext)},
			} {
				t.Run(fmt.Sprintf("%s %s %d", name, kind, size), func(t *testing.T) {
					t.Parallel()
					f := newFakeBucket()
					f.digests = 1
					c := newWriter(t, f, s3crypto.Options{CommitmentPolicy: policy, MultipartAbove: 10 * mib})
					in := putInput(body)
					in.Metadata = map[string]string{"mine": "kept"}
					if kind != "unknown" {
						in.ContentLength = aws.Int64(int64(size))
					}
					before := *in
					out, err := c.Put(t.Context(), in, nil)
					require.NoError(t, err)
					require.Equal(t, before, *in, "the input is not changed")
					require.Equal(t, map[string]string{"mine": "kept"}, in.Metadata)
					require.Equal(t, f.current("k").etag, *out.ETag)
					requireWritten(t, f, "k", plaintext)
					require.Equal(t, "kept", f.current("k").metadata["mine"])
					stored := f.current("k").metadata["x-amz-unencrypted-content-length"]
					if name == "V2" && (kind == "known" || kind == "seekable" || size < 5*mib) {
						require.Equal(t, fmt.Sprint(size), stored)
					}
					whole := kind == "seekable" && size <= 10*mib || size < 5*mib
					require.Equal(t, whole, f.count("CreateMultipartUpload") == 0)
					require.Empty(t, f.uploads)
				})
			}
		}
	}
}

func TestPutFromPosition(t *testing.T) {
	t.Parallel()
	plaintext := random(3*mib + 77)
	for _, start := range []int64{0, 1, mib - 1, 2 * mib, 3*mib + 77, 3*mib + 78} {
		f := newFakeBucket()
		body := bytes.NewReader(plaintext)
		_, err := body.Seek(start, io.SeekStart)
		require.NoError(t, err)
		_, err = newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(body), nil)
		require.NoError(t, err)
		requireWritten(t, f, "k", plaintext[min(start, int64(len(plaintext))):])
	}
	f := newFakeBucket()
	_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(nil), nil)
	require.NoError(t, err)
	requireWritten(t, f, "k", nil)
}

// fickle is a body that changes after it was read to its end for the n-th time.
type fickle struct {
	*bytes.Reader
	ends   int
	change func() *bytes.Reader
}

func (b *fickle) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		if b.ends--; b.ends == 0 {
			at, _ := b.Reader.Seek(0, io.SeekCurrent)
			b.Reader = b.change()
			_, _ = b.Reader.Seek(at, io.SeekStart)
		}
	}
	return n, err
}

func TestPutBodyChanged(t *testing.T) {
	t.Parallel()
	const size = 4*mib + 100
	altered := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 1; return b }
	}
	for name, change := range map[string]func([]byte) []byte{
		"first byte": altered(0), "end of the first chunk": altered(mib - 1), "second chunk": altered(mib),
		"third chunk": altered(2*mib + 5), "fourth chunk": altered(3*mib + 5), "last byte": altered(size - 1),
		"shorter":        func(b []byte) []byte { return b[:size-1] },
		"longer":         func(b []byte) []byte { return append(b, 0) },
		"without chunks": func(b []byte) []byte { return b[:2*mib] },
		"empty":          func([]byte) []byte { return nil },
	} {
		for ends := 1; ends <= 2; ends++ {
			t.Run(fmt.Sprint(name, " ", ends), func(t *testing.T) {
				t.Parallel()
				plaintext := random(size)
				f := newFakeBucket()
				body := &fickle{bytes.NewReader(plaintext), ends, func() *bytes.Reader {
					return bytes.NewReader(change(bytes.Clone(plaintext)))
				}}
				_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(body), nil)
				require.ErrorIs(t, err, s3crypto.ErrBodyChanged)
				require.Empty(t, f.keys())
				require.Empty(t, f.leaks)
			})
		}
	}
	// It may change before it was ever read: then that is the body.
	plaintext := random(100)
	f := newFakeBucket()
	body := &fickle{bytes.NewReader(plaintext), 99, nil}
	plaintext[3] ^= 1
	_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(body), nil)
	require.NoError(t, err)
	requireWritten(t, f, "k", plaintext)
}

func TestPutRetries(t *testing.T) {
	t.Parallel()
	plaintext := random(12*mib + 5)
	for name, fault := range map[string]func(*fakeBucket){
		"500s": func(f *fakeBucket) {
			f.fail = func(_, _ string, n int) error {
				if n < 2 {
					return errTransient
				}
				return nil
			}
		},
		"lost answers": func(f *fakeBucket) {
			f.lose = func(op, _ string, n int) error {
				if n < 2 && op != "CreateMultipartUpload" {
					return errTransient
				}
				return nil
			}
		},
		"cut at once":      func(f *fakeBucket) { f.cut = cutAt(0, 1) },
		"cut in a chunk":   func(f *fakeBucket) { f.cut = cutAt(mib/2, 10) },
		"cut at a chunk":   func(f *fakeBucket) { f.cut = cutAt(mib, 2*mib) },
		"cut before a tag": func(f *fakeBucket) { f.cut = cutAt(1, 3) },
	} {
		for kind, body := range map[string]func() io.Reader{
			"whole": func() io.Reader { return bytes.NewReader(plaintext) },
			"parts": func() io.Reader { return plainReader{bytes.NewReader(plaintext)} },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				f := newFakeBucket()
				fault(f)
				in := putInput(body())
				in.IfNoneMatch = aws.String("*")
				_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), in, nil)
				require.NoError(t, err)
				requireWritten(t, f, "k", plaintext)
				require.Empty(t, f.uploads)
			})
		}
	}
}

// cutAt cuts the first requests for each body after so many bytes.
func cutAt(limits ...int64) func(string, int) int64 {
	return func(_ string, n int) int64 {
		if n < len(limits) {
			return limits[n]
		}
		return -1
	}
}

func TestPutRefuses(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	c := newWriter(t, f, s3crypto.Options{})
	text := aws.String("x")
	for name, alter := range map[string]func(*s3.PutObjectInput, *s3crypto.PutOptions){
		"ContentMD5":     func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.ContentMD5 = text },
		"ChecksumSHA256": func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.ChecksumSHA256 = text },
		"ChecksumCRC32":  func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.ChecksumCRC32 = text },
		"appended":       func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.WriteOffsetBytes = aws.Int64(5) },
		"ContentLength": func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) {
			in.ContentLength = aws.Int64(-1)
		},
		"the body has 3 bytes more": func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.ContentLength = aws.Int64(0) },
		"bytes, and ContentLength":  func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.ContentLength = aws.Int64(4) },
		"as long as": func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) {
			in.Body, in.ContentLength = plainReader{strings.NewReader("abc")}, aws.Int64(4)
		},
		"ContentLength says": func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) {
			in.Body, in.ContentLength = plainReader{strings.NewReader("abc")}, aws.Int64(2)
		},
		"too large": func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) {
			in.Body, in.ContentLength = plainReader{strings.NewReader("abc")}, aws.Int64(1<<36-31)
		},
		"bucket":        func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.Bucket = nil },
		"or key":        func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.Key = aws.String("") },
		"is not the ca": func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.Metadata = map[string]string{"X-Amz-I": "x"} },
		"Save": func(_ *s3.PutObjectInput, o *s3crypto.PutOptions) {
			o.Save = func(context.Context, []byte) error { return nil }
		},
		"suffix":      func(_ *s3.PutObjectInput, o *s3crypto.PutOptions) { o.InstructionSuffix = ".x" },
		"context":     func(_ *s3.PutObjectInput, o *s3crypto.PutOptions) { o.Context = map[string]string{"a": "b"} },
		"broken body": func(in *s3.PutObjectInput, _ *s3crypto.PutOptions) { in.Body = brokenReader{} },
	} {
		in, o := putInput(strings.NewReader("abc")), &s3crypto.PutOptions{}
		alter(in, o)
		_, err := c.Put(t.Context(), in, o)
		require.Error(t, err, name)
		if !strings.HasPrefix(name, "the body has") {
			require.ErrorContains(t, err, name)
		}
	}
	_, err := c.Put(t.Context(), nil, nil)
	require.Error(t, err)
	require.Empty(t, f.log, "S3 was not asked")
}

// brokenReader ends as the body of a broken connection does.
type brokenReader struct{}

func (brokenReader) Read(p []byte) (int, error) {
	return copy(p, "some"), fmt.Errorf("broken body: %w", io.ErrUnexpectedEOF)
}

// TestUnexpectedEOF sees that a source which breaks off is not taken for its end.
func TestUnexpectedEOF(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 10, 5*mib + 1} {
		f := newFakeBucket()
		body := io.MultiReader(bytes.NewReader(random(before)), endsWith{io.ErrUnexpectedEOF})
		_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(body), nil)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Empty(t, f.keys())
		require.Empty(t, f.uploads)
	}
	f := newFakeBucket()
	_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(endsWith{nil}), nil)
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type endsWith struct{ err error }

func (e endsWith) Read([]byte) (int, error) { return 0, e.err }

// TestPutFields sees that every field of the SDK's input gets to S3, in one request or
// with the upload.
func TestPutFields(t *testing.T) {
	t.Parallel()
	in := putInput(nil)
	fields := reflect.ValueOf(in).Elem()
	ours := []string{"Bucket", "Key", "Body", "ContentLength", "ContentMD5", "WriteOffsetBytes", "Metadata", "IfMatch"}
	var passed []string
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		digest := strings.HasPrefix(name, "Checksum") && name != "ChecksumAlgorithm"
		if slices.Contains(ours, name) || digest || !fields.Type().Field(i).IsExported() {
			continue
		}
		passed = append(passed, name)
		switch v := fields.Field(i); v.Interface().(type) {
		case *string:
			v.Set(reflect.ValueOf(aws.String("of " + name)))
		case *bool:
			v.Set(reflect.ValueOf(aws.Bool(true)))
		case *int32:
			v.Set(reflect.ValueOf(aws.Int32(5)))
		case *time.Time:
			v.Set(reflect.ValueOf(aws.Time(time.Unix(5, 0))))
		default:
			require.Equal(t, reflect.String, v.Kind(), name)
			v.SetString("of " + name)
		}
	}
	require.Greater(t, len(passed), 30)
	require.Contains(t, passed, "SSECustomerKey")
	for _, size := range []int{10, 6 * mib} {
		f := newFakeBucket()
		in.Body = plainReader{bytes.NewReader(random(size))}
		_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), in, nil)
		require.NoError(t, err)
		requests := []string{"PutObject"}
		if size > mib {
			requests = []string{"CreateMultipartUpload", "CompleteMultipartUpload"}
		}
		for _, name := range passed {
			found := false
			for _, op := range requests {
				if v := reflect.ValueOf(f.inputs[op]).Elem().FieldByName(name); v.IsValid() {
					require.Equal(t, fields.FieldByName(name).Interface(), v.Interface(), name)
					found = true
				}
			}
			require.True(t, found, "%s gets lost", name)
		}
		if size > mib {
			part := f.inputs["UploadPart"].(*s3.UploadPartInput)
			require.Equal(t, "of SSECustomerKey", *part.SSECustomerKey)
			require.Equal(t, "of ExpectedBucketOwner", *part.ExpectedBucketOwner)
			require.Equal(t, types.ChecksumAlgorithm("of ChecksumAlgorithm"), part.ChecksumAlgorithm)
		}
	}
}

func TestPutConditions(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 6 * mib} {
		f := newFakeBucket()
		c := newWriter(t, f, s3crypto.Options{})
		body := func() io.Reader { return plainReader{bytes.NewReader(random(size))} }
		in := putInput(body())
		in.IfNoneMatch = aws.String("*")
		out, err := c.Put(t.Context(), in, nil)
		require.NoError(t, err)
		in.Body = body()
		_, err = c.Put(t.Context(), in, nil)
		require.ErrorContains(t, err, "PreconditionFailed")
		require.Empty(t, f.uploads)
		require.Equal(t, *out.ETag, f.current("k").etag)

		in.Body, in.IfNoneMatch, in.IfMatch = body(), nil, out.ETag
		_, err = c.Put(t.Context(), in, nil)
		require.NoError(t, err)
		in.Body = body()
		_, err = c.Put(t.Context(), in, nil)
		require.ErrorContains(t, err, "PreconditionFailed")
		requireWritten(t, f, "k", random(size))
	}
}

func TestPutCancelled(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"} {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFakeBucket()
		f.lose = func(now, _ string, _ int) error {
			if now == op {
				cancel()
				return ctx.Err()
			}
			return nil
		}
		body := io.Reader(plainReader{bytes.NewReader(random(23 * mib))})
		if op == "PutObject" {
			body = bytes.NewReader(random(10))
		}
		_, err := newWriter(t, f, s3crypto.Options{}).Put(ctx, putInput(body), nil)
		require.ErrorIs(t, err, context.Canceled, op)
		if op != "CreateMultipartUpload" { // whose answer has the only name of the upload
			require.Empty(t, f.uploads, op)
		}
		cancel()
	}
}

// TestFirstErrorEndsPut has one part fail while others wait for it.
func TestFirstErrorEndsPut(t *testing.T) {
	t.Parallel()
	denied := apiError("AccessDenied")
	f := newFakeBucket()
	f.fail = func(op, what string, _ int) error {
		if op == "UploadPart" && what == "3" {
			return denied
		}
		return nil
	}
	in := putInput(plainReader{io.LimitReader(zeros{}, 400*mib)})
	_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), in, nil)
	require.ErrorIs(t, err, denied)
	require.Less(t, f.count("UploadPart"), 20)
	require.Empty(t, f.uploads)

	// What goes wrong with the abort is said too.
	f.fail = func(op, what string, _ int) error {
		if op == "UploadPart" || op == "AbortMultipartUpload" {
			return denied
		}
		return nil
	}
	in.Body = plainReader{io.LimitReader(zeros{}, 11*mib)}
	_, err = newWriter(t, f, s3crypto.Options{}).Put(t.Context(), in, nil)
	require.ErrorIs(t, err, denied)
	require.ErrorContains(t, err, "AbortMultipartUpload")
}

// TestLateParts has parts outlive the first abort.
func TestLateParts(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	f.fail = func(op, what string, n int) error {
		switch {
		case op == "UploadPart":
			return apiError("AccessDenied")
		case op == "AbortMultipartUpload" && n == 0:
			return apiError("NoSuchUpload")
		}
		return nil
	}
	_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(plainReader{bytes.NewReader(random(6 * mib))}), nil)
	require.ErrorContains(t, err, "AccessDenied")
	require.Empty(t, f.uploads)
	require.Equal(t, 2, f.count("AbortMultipartUpload"))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPutProgress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  io.Reader
		known bool
	}{
		"whole":   {bytes.NewReader(random(6*mib + 3)), true},
		"parts":   {pipeLike{bytes.NewReader(random(12*mib + 3))}, false},
		"aligned": {pipeLike{bytes.NewReader(random(10 * mib))}, false},
	} {
		var dones, totals []int64
		_, err := newWriter(t, newFakeBucket(), s3crypto.Options{}).Put(t.Context(), putInput(c.body), &s3crypto.PutOptions{
			Progress: func(done, total int64) { dones, totals = append(dones, done), append(totals, total) },
		})
		require.NoError(t, err, name)
		require.True(t, slices.IsSorted(dones), name)
		last := len(dones) - 1
		require.Equal(t, dones[last], totals[last], name)
		if !c.known {
			require.Equal(t, int64(-1), totals[0], name)
		}
	}
}

// giant is a body of giantSize zeros that are nowhere in memory.
type giant struct{ at int64 }

func (g *giant) Read(p []byte) (int, error) {
	if g.at == giantSize {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), giantSize-g.at))
	clear(p[:n])
	g.at += int64(n)
	return n, nil
}

func (g *giant) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += g.at
	case io.SeekEnd:
		offset += giantSize
	}
	g.at = offset
	return offset, nil
}

// TestPutMemory puts giantSize bytes in each way. It runs alone, because it measures the
// heap.
func TestPutMemory(t *testing.T) {
	for name, c := range map[string]struct {
		body io.Reader
		o    s3crypto.Options
	}{
		"whole":      {&giant{}, s3crypto.Options{MultipartAbove: 4 << 30, PartSize: 8 * mib}},
		"parts":      {&giant{}, s3crypto.Options{PartSize: 8 * mib}},
		"unseekable": {plainReader{&giant{}}, s3crypto.Options{PartSize: 8 * mib}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeBucket()
			f.discard, f.digests = true, 0
			runtime.GC()
			peak, stop := heapPeak()
			_, err := newWriter(t, f, c.o).Put(t.Context(), putInput(c.body), nil)
			stop()
			require.NoError(t, err)
			require.Less(t, *peak, uint64(64*mib), "%d MiB", *peak/mib)
			require.Equal(t, int64(giantSize+16), f.current("k").size)
		})
	}
}

// heapPeak measures the most that the heap has until stop is called.
func heapPeak() (peak *uint64, stop func()) {
	peak = new(uint64)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			*peak = max(*peak, m.HeapAlloc)
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return peak, func() { close(done); <-ended }
}

func TestPutClosesNothing(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	f.fail = func(string, string, int) error { return errors.New("no") }
	body := &closable{Reader: bytes.NewReader(random(10))}
	_, err := newWriter(t, f, s3crypto.Options{}).Put(t.Context(), putInput(body), nil)
	require.ErrorContains(t, err, "s3crypto: PutObject: ")
	require.False(t, body.closed)
}

type closable struct {
	*bytes.Reader
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }
