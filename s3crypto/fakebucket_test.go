package s3crypto_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/s3crypto"
)

// fakeBucket is the writing half of S3, for one bucket. It reads bodies as the SDK does:
// first for the digests, then for the request, and again if that fails.
type fakeBucket struct {
	s3crypto.API // whatever is not here panics

	digests  int  // how often a body is read before it is sent
	versions bool // the bucket keeps versions
	discard  bool // bodies are read and not kept
	pageSize int  // of ListParts; 0 is 1000

	// Faults. fail is asked before a request is carried out and lose after it, with the
	// operation, the key or part number, and the number of the request of that kind. A
	// transient error is tried again.
	fail, lose func(op, what string, n int) error
	// cut says after how many bytes the n-th request with a body breaks off, or -1.
	cut func(what string, n int) int64

	mu       sync.Mutex
	objects  map[string][]*fakeObject // the last one is current
	uploads  map[string]*fakeUpload
	requests map[string]int
	log      []string
	leaks    []string          // plaintexts that met one keystream
	seen     map[string][]byte // by key or part: all bytes that have ever been read there
	inputs   map[string]any    // the last of each operation
	active   int               // requests with a body under way
	most     int               // the most of them at a time
}

type fakeObject struct {
	body     []byte
	size     int64
	metadata map[string]string
	etag     string
	version  string
}

type fakeUpload struct {
	in    *s3.CreateMultipartUploadInput
	parts map[int32]*fakeObject
}

func newFakeBucket() *fakeBucket {
	return &fakeBucket{
		digests: 2, objects: map[string][]*fakeObject{}, uploads: map[string]*fakeUpload{},
		requests: map[string]int{}, seen: map[string][]byte{}, inputs: map[string]any{},
	}
}

var errTransient = errors.New("connection reset by fake")

func apiError(code string) error { return &smithy.GenericAPIError{Code: code, Message: "fake"} }

// do carries out an operation, with the SDK's retries.
func do[T any](f *fakeBucket, op, what string, in any, fn func() (T, error)) (out T, err error) {
	f.mu.Lock()
	f.inputs[op] = in
	f.log = append(f.log, op+" "+what)
	f.mu.Unlock()
	for range 3 {
		f.mu.Lock()
		n := f.requests[op+" "+what]
		f.requests[op+" "+what]++
		f.mu.Unlock()
		var none T
		if f.fail != nil {
			if err = f.fail(op, what, n); errors.Is(err, errTransient) {
				continue
			} else if err != nil {
				return none, err
			}
		}
		out, err = fn()
		if err == nil && f.lose != nil {
			err = f.lose(op, what, n)
		}
		if !errors.Is(err, errTransient) {
			break
		}
	}
	if err != nil {
		var none T
		return none, fmt.Errorf("operation error S3: %s: %w", op, err)
	}
	return out, nil
}

// receive reads a body as often as the SDK would. where says at which keystream it was
// encrypted.
func (f *fakeBucket) receive(ctx context.Context, where string, body io.Reader, length *int64) (*fakeObject, error) {
	f.mu.Lock()
	n := f.requests["body "+where]
	f.requests["body "+where]++
	f.active++
	f.most = max(f.most, f.active)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.active--
		f.mu.Unlock()
	}()
	seeker := body.(io.ReadSeeker)
	size, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if length == nil || *length != size {
		return nil, fmt.Errorf("ContentLength is not %d", size)
	}
	for pass := range f.digests + 1 {
		if _, err := seeker.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		kept := f.newSeenWriter(where, size)
		limit := int64(-1)
		if pass == f.digests && f.cut != nil {
			limit = f.cut(where, n)
		}
		if limit >= 0 {
			_, err = io.CopyN(kept, seeker, limit)
		} else {
			_, err = io.Copy(kept, seeker)
		}
		kept.done()
		switch {
		case err != nil:
			return nil, fmt.Errorf("request body: %w", err)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case limit >= 0:
			return nil, errTransient
		case kept.n != size:
			return nil, fmt.Errorf("body of %d bytes, not %d", kept.n, size)
		}
		if pass == f.digests {
			return &fakeObject{body: kept.b[:min(len(kept.b), int(size))], size: size, etag: fmt.Sprintf(`"%08x-%x"`, kept.sum, size)}, nil
		}
	}
	panic("unreachable")
}

// seenWriter compares what is read of a body with what was read before, and notes what is
// new.
type seenWriter struct {
	f     *fakeBucket
	where string
	b     []byte // all that was ever read
	n     int64
	sum   uint32 // of what is kept
}

func (f *fakeBucket) newSeenWriter(where string, size int64) *seenWriter {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &seenWriter{f: f, where: where, b: f.seen[where]}
	if w.b == nil && !f.discard {
		w.b = make([]byte, 0, size)
	}
	return w
}

func (w *seenWriter) Write(p []byte) (int, error) {
	if !w.f.discard {
		known := min(len(w.b)-int(w.n), len(p))
		if !bytes.Equal(w.b[w.n:int(w.n)+known], p[:known]) {
			w.f.mu.Lock()
			w.f.leaks = append(w.f.leaks, w.where)
			w.f.mu.Unlock()
		}
		w.b = append(w.b, p[known:]...)
		w.sum = crc32.Update(w.sum, crc32.IEEETable, p)
	}
	w.n += int64(len(p))
	return len(p), nil
}

func (w *seenWriter) done() {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if len(w.b) > len(w.f.seen[w.where]) {
		w.f.seen[w.where] = slices.Clip(w.b)
	}
}

func (f *fakeBucket) current(key string) *fakeObject {
	if all := f.objects[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// add puts an object, if its conditions hold.
func (f *fakeBucket) add(key string, o *fakeObject, ifMatch, ifNoneMatch *string) error {
	now := f.current(key)
	if ifNoneMatch != nil && now != nil || ifMatch != nil && (now == nil || now.etag != *ifMatch) {
		return apiError("PreconditionFailed")
	}
	if !f.versions {
		f.objects[key] = nil
	} else {
		o.version = fmt.Sprintf("v%d", len(f.log))
	}
	f.objects[key] = append(f.objects[key], o)
	return nil
}

func (o *fakeObject) versionID() *string {
	if o.version == "" {
		return nil
	}
	return &o.version
}

func (f *fakeBucket) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return do(f, "PutObject", *in.Key, in, func() (*s3.PutObjectOutput, error) {
		o, err := f.receive(ctx, fmt.Sprintf("%s %p", *in.Key, in.Body), in.Body, in.ContentLength)
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		o.metadata = maps.Clone(in.Metadata)
		if err := f.add(*in.Key, o, in.IfMatch, in.IfNoneMatch); err != nil {
			return nil, err
		}
		return &s3.PutObjectOutput{ETag: &o.etag, VersionId: o.versionID()}, nil
	})
}

func (f *fakeBucket) HeadObject(_ context.Context, in *s3.HeadObjectInput, _ ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return do(f, "HeadObject", *in.Key, in, func() (*s3.HeadObjectOutput, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		o := f.current(*in.Key)
		if o == nil {
			return nil, apiError("NotFound")
		}
		return &s3.HeadObjectOutput{ETag: &o.etag, VersionId: o.versionID(), Metadata: maps.Clone(o.metadata), ContentLength: &o.size}, nil
	})
}

func (f *fakeBucket) DeleteObject(_ context.Context, in *s3.DeleteObjectInput, _ ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	return do(f, "DeleteObject", *in.Key, in, func() (*s3.DeleteObjectOutput, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if now := f.current(*in.Key); in.IfMatch != nil && (now == nil || now.etag != *in.IfMatch) {
			return nil, apiError("PreconditionFailed")
		}
		f.objects[*in.Key] = slices.DeleteFunc(f.objects[*in.Key], func(o *fakeObject) bool {
			return in.VersionId == nil || *in.VersionId == o.version
		})
		return &s3.DeleteObjectOutput{}, nil
	})
}

func (f *fakeBucket) CreateMultipartUpload(_ context.Context, in *s3.CreateMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	return do(f, "CreateMultipartUpload", *in.Key, in, func() (*s3.CreateMultipartUploadOutput, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		id := fmt.Sprintf("upload-%d", len(f.log))
		f.uploads[id] = &fakeUpload{in: in, parts: map[int32]*fakeObject{}}
		return &s3.CreateMultipartUploadOutput{
			UploadId: &id, ServerSideEncryption: in.ServerSideEncryption, ChecksumAlgorithm: in.ChecksumAlgorithm,
		}, nil
	})
}

func (f *fakeBucket) UploadPart(ctx context.Context, in *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	what := strconv.Itoa(int(*in.PartNumber))
	return do(f, "UploadPart", what, in, func() (*s3.UploadPartOutput, error) {
		o, err := f.receive(ctx, *in.UploadId+" "+what, in.Body, in.ContentLength)
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		u := f.uploads[*in.UploadId]
		if u == nil {
			return nil, apiError("NoSuchUpload")
		}
		u.parts[*in.PartNumber] = o
		return &s3.UploadPartOutput{ETag: &o.etag, ChecksumCRC32: &o.etag}, nil
	})
}

func (f *fakeBucket) ListParts(_ context.Context, in *s3.ListPartsInput, _ ...func(*s3.Options)) (*s3.ListPartsOutput, error) {
	return do(f, "ListParts", *in.UploadId, in, func() (*s3.ListPartsOutput, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		u := f.uploads[*in.UploadId]
		if u == nil {
			return nil, apiError("NoSuchUpload")
		}
		after := 0
		if in.PartNumberMarker != nil {
			after, _ = strconv.Atoi(*in.PartNumberMarker)
		}
		size, more := f.pageSize, false
		if size == 0 {
			size = 1000
		}
		out := &s3.ListPartsOutput{IsTruncated: &more, ChecksumAlgorithm: cmp.Or(u.in.ChecksumAlgorithm, "null")}
		for _, number := range slices.Sorted(maps.Keys(u.parts)) {
			if int(number) <= after {
				continue
			}
			if len(out.Parts) == size {
				more = true
				break
			}
			p, marker := u.parts[number], strconv.Itoa(int(number))
			out.Parts = append(out.Parts, types.Part{PartNumber: &number, ETag: &p.etag, Size: &p.size, ChecksumCRC32: &p.etag})
			out.NextPartNumberMarker = &marker
		}
		return out, nil
	})
}

func (f *fakeBucket) CompleteMultipartUpload(_ context.Context, in *s3.CompleteMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	return do(f, "CompleteMultipartUpload", *in.Key, in, func() (*s3.CompleteMultipartUploadOutput, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		u := f.uploads[*in.UploadId]
		if u == nil {
			return nil, apiError("NoSuchUpload")
		}
		o, err := u.assemble(in.MultipartUpload.Parts)
		if err != nil {
			return nil, err
		}
		if in.MpuObjectSize != nil && *in.MpuObjectSize != o.size {
			return nil, apiError("InvalidRequest")
		}
		if err := f.add(*in.Key, o, in.IfMatch, in.IfNoneMatch); err != nil {
			return nil, err
		}
		delete(f.uploads, *in.UploadId)
		return &s3.CompleteMultipartUploadOutput{ETag: &o.etag, VersionId: o.versionID(), Bucket: in.Bucket, Key: in.Key}, nil
	})
}

// assemble makes the object of the parts, by S3's rules.
func (u *fakeUpload) assemble(parts []types.CompletedPart) (*fakeObject, error) {
	const least = 5 << 20
	o := &fakeObject{metadata: maps.Clone(u.in.Metadata)}
	var sum uint32
	for i, p := range parts {
		have := u.parts[*p.PartNumber]
		switch {
		case i > 0 && *p.PartNumber <= *parts[i-1].PartNumber:
			return nil, apiError("InvalidPartOrder")
		case have == nil || have.etag != *p.ETag:
			return nil, apiError("InvalidPart")
		// A checksum has to be there if the upload has an algorithm, and must not if not.
		case (u.in.ChecksumAlgorithm == "") != (p.ChecksumCRC32 == nil) || p.ChecksumCRC32 != nil && *p.ChecksumCRC32 != have.etag:
			return nil, apiError("InvalidPart")
		case i < len(parts)-1 && have.size < least:
			return nil, apiError("EntityTooSmall")
		}
		o.body = append(o.body, have.body...)
		o.size += have.size
		sum = crc32.Update(sum, crc32.IEEETable, []byte(have.etag))
	}
	if len(parts) == 0 {
		return nil, apiError("MalformedXML")
	}
	o.etag = fmt.Sprintf(`"%08x-%d"`, sum, len(parts))
	return o, nil
}

func (f *fakeBucket) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	return do(f, "AbortMultipartUpload", *in.UploadId, in, func() (*s3.AbortMultipartUploadOutput, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.uploads[*in.UploadId] == nil {
			return nil, apiError("NoSuchUpload")
		}
		delete(f.uploads, *in.UploadId)
		return &s3.AbortMultipartUploadOutput{}, nil
	})
}

// count returns how many requests of an operation there were.
func (f *fakeBucket) count(op string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, times := range f.requests {
		if len(name) > len(op) && name[:len(op)+1] == op+" " {
			n += times
		}
	}
	return n
}

// keys returns the keys of the objects that are there.
func (f *fakeBucket) keys() (keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.objects {
		if f.current(key) != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
