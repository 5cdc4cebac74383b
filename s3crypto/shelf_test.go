package s3crypto_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/s3crypto"
)

// shelf is one bucket of S3 in memory, without multipart uploads. Tests make it fail and
// lie with its hooks.
type shelf struct {
	s3crypto.API // nil

	pageSize  int
	noToken   bool // pages that are not the last one have no token
	unencoded bool // keys are listed as they are, whatever is asked for

	// before is called with each request, and may fail it.
	before func(call, key string) error
	// answered is called with each answer to GetObject, and may alter it.
	answered func(in *s3.GetObjectInput, out *s3.GetObjectOutput)
	copied   func(*s3.CopyObjectInput)

	mu       sync.Mutex
	things   map[string]*thing // the newest ones
	calls    []string
	versions int
}

// thing is an object.
type thing struct {
	body     io.ReaderAt
	size     int64
	metadata map[string]string
	etag     string
	version  string
	extra    s3.HeadObjectOutput // what else S3 says of it
}

func newShelf() *shelf { return &shelf{things: make(map[string]*thing), pageSize: 3} }

// put stores an object that the test may go on to change.
func (s *shelf) put(key string, body []byte, metadata map[string]string) *thing {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions++
	sum := sha256.Sum256(body)
	t := &thing{
		body: bytes.NewReader(bytes.Clone(body)), size: int64(len(body)), metadata: maps.Clone(metadata),
		etag: strconv.Quote(hex.EncodeToString(sum[:8])), version: fmt.Sprint("v", s.versions),
	}
	s.things[key] = t
	return t
}

func (s *shelf) get(key string) *thing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.things[key]
}

func (s *shelf) bytes(key string) []byte {
	t := s.get(key)
	b := make([]byte, t.size)
	t.body.ReadAt(b, 0)
	return b
}

func (s *shelf) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.things))
}

// called returns the calls since it was last called.
func (s *shelf) called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *shelf) begin(ctx context.Context, call string, key *string) error {
	s.mu.Lock()
	s.calls = append(s.calls, call+" "+aws.ToString(key))
	s.mu.Unlock()
	if s.before != nil {
		if err := s.before(call, aws.ToString(key)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func refusal(code string) error { return &smithy.GenericAPIError{Code: code, Message: "refused"} }

// find returns the object if it meets the conditions.
func (s *shelf) find(key, version, ifMatch *string) (*thing, error) {
	t := s.get(aws.ToString(key))
	switch {
	case t == nil:
		return nil, &types.NoSuchKey{}
	case version != nil && *version != t.version:
		return nil, refusal("NoSuchVersion")
	case ifMatch != nil && *ifMatch != t.etag:
		return nil, refusal("PreconditionFailed")
	}
	return t, nil
}

func (s *shelf) GetObject(ctx context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	if err := s.begin(ctx, "GET", in.Key); err != nil {
		return nil, err
	}
	t, err := s.find(in.Key, in.VersionId, in.IfMatch)
	if err != nil {
		return nil, err
	}
	out := &s3.GetObjectOutput{
		Metadata: maps.Clone(t.metadata), ETag: &t.etag, VersionId: &t.version,
		ContentType: t.extra.ContentType, StorageClass: t.extra.StorageClass,
	}
	first, end := int64(0), t.size
	if in.Range != nil {
		var ok bool
		if first, end, ok = rangeOf(*in.Range, t.size); !ok {
			return nil, refusal("InvalidRange")
		}
		out.ContentRange = aws.String(fmt.Sprintf("bytes %d-%d/%d", first, end-1, t.size))
	}
	out.ContentLength = aws.Int64(end - first)
	out.Body = io.NopCloser(io.NewSectionReader(t.body, first, end-first))
	if s.answered != nil {
		s.answered(in, out)
	}
	return out, nil
}

// rangeOf is what RFC 9110, section 14.1, makes of a range of n bytes, in the test's own
// words.
func rangeOf(header string, n int64) (first, end int64, ok bool) {
	from, to, _ := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	a, errA := strconv.ParseInt(from, 10, 64)
	b, errB := strconv.ParseInt(to, 10, 64)
	switch {
	case errA != nil:
		return max(0, n-b), n, b > 0 && n > 0
	case errB != nil || b >= n:
		return a, n, a < n
	}
	return a, b + 1, a < n
}

func (s *shelf) HeadObject(ctx context.Context, in *s3.HeadObjectInput, _ ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	if err := s.begin(ctx, "HEAD", in.Key); err != nil {
		return nil, err
	}
	t, err := s.find(in.Key, in.VersionId, in.IfMatch)
	if _, missing := err.(*types.NoSuchKey); missing {
		return nil, &types.NotFound{}
	}
	if err != nil {
		return nil, err
	}
	out := t.extra
	out.Metadata, out.ETag, out.VersionId, out.ContentLength = maps.Clone(t.metadata), &t.etag, &t.version, &t.size
	return &out, nil
}

func (s *shelf) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if err := s.begin(ctx, "PUT", in.Key); err != nil {
		return nil, err
	}
	if in.IfMatch != nil {
		if _, err := s.find(in.Key, nil, in.IfMatch); err != nil {
			return nil, err
		}
	}
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	t := s.put(*in.Key, body, in.Metadata)
	t.extra.ContentType, t.extra.StorageClass = in.ContentType, in.StorageClass
	return &s3.PutObjectOutput{ETag: &t.etag, VersionId: &t.version}, nil
}

func (s *shelf) CopyObject(ctx context.Context, in *s3.CopyObjectInput, _ ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
	if err := s.begin(ctx, "COPY", in.Key); err != nil {
		return nil, err
	}
	if s.copied != nil {
		s.copied(in)
	}
	name, _, _ := strings.Cut(*in.CopySource, "?")
	_, key, _ := strings.Cut(name, "/")
	key, err := url.PathUnescape(key)
	if err != nil {
		return nil, err
	}
	from, err := s.find(&key, nil, in.CopySourceIfMatch)
	if err != nil {
		return nil, err
	}
	if _, err := s.find(in.Key, nil, in.IfMatch); err != nil {
		return nil, err
	}
	body := make([]byte, from.size)
	from.body.ReadAt(body, 0)
	t := s.put(*in.Key, body, in.Metadata)
	t.extra = s3.HeadObjectOutput{ContentType: in.ContentType, CacheControl: in.CacheControl, StorageClass: in.StorageClass}
	return &s3.CopyObjectOutput{VersionId: &t.version, CopyObjectResult: &types.CopyObjectResult{ETag: &t.etag}}, nil
}

func (s *shelf) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput, _ ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	if err := s.begin(ctx, "DELETE", in.Key); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.things[*in.Key] == nil {
		return nil, &types.NoSuchKey{} // S3 itself says nothing
	}
	delete(s.things, *in.Key)
	return &s3.DeleteObjectOutput{VersionId: in.VersionId}, nil
}

func (s *shelf) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput, _ ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error) {
	if err := s.begin(ctx, "DELETE", aws.String(fmt.Sprint(len(in.Delete.Objects)))); err != nil {
		return nil, err
	}
	out := &s3.DeleteObjectsOutput{}
	for _, object := range in.Delete.Objects {
		var code string
		if s.before != nil {
			if err := s.before("DELETE one", *object.Key); err != nil {
				code = err.(smithy.APIError).ErrorCode()
			}
		}
		s.mu.Lock()
		if code == "" && s.things[*object.Key] == nil {
			code = "NoSuchKey"
		}
		if code == "" {
			delete(s.things, *object.Key)
			if !aws.ToBool(in.Delete.Quiet) {
				out.Deleted = append(out.Deleted, types.DeletedObject{Key: object.Key, VersionId: object.VersionId})
			}
		} else {
			out.Errors = append(out.Errors, types.Error{Key: object.Key, Code: &code})
		}
		s.mu.Unlock()
	}
	return out, nil
}

func (s *shelf) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	if err := s.begin(ctx, "LIST", in.ContinuationToken); err != nil {
		return nil, err
	}
	out := &s3.ListObjectsV2Output{IsTruncated: aws.Bool(false)}
	after := max(aws.ToString(in.StartAfter), aws.ToString(in.ContinuationToken))
	for _, key := range s.keys() {
		if key <= after || !strings.HasPrefix(key, aws.ToString(in.Prefix)) {
			continue
		}
		if d := aws.ToString(in.Delimiter); d != "" {
			if before, _, under := strings.Cut(key[len(aws.ToString(in.Prefix)):], d); under {
				prefix := aws.ToString(in.Prefix) + before + d
				if n := len(out.CommonPrefixes); n == 0 || *out.CommonPrefixes[n-1].Prefix != prefix {
					out.CommonPrefixes = append(out.CommonPrefixes, types.CommonPrefix{Prefix: &prefix})
				}
				continue
			}
		}
		if len(out.Contents) == s.pageSize {
			if s.noToken {
				out.IsTruncated = aws.Bool(true)
				break
			}
			out.IsTruncated, out.NextContinuationToken = aws.Bool(true), out.Contents[s.pageSize-1].Key
			break
		}
		out.Contents = append(out.Contents, types.Object{Key: &key, Size: &s.get(key).size})
	}
	if in.EncodingType == types.EncodingTypeUrl && !s.unencoded {
		out.EncodingType = in.EncodingType
		for i, object := range out.Contents {
			out.Contents[i].Key = aws.String(url.QueryEscape(*object.Key))
		}
		for i, common := range out.CommonPrefixes {
			out.CommonPrefixes[i].Prefix = aws.String(url.QueryEscape(*common.Prefix))
		}
	}
	return out, nil
}
