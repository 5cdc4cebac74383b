package s3crypto

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// GetOptions adjust how one object is read. nil, and every zero value, is the safest.
type GetOptions struct {
	// Context is the encryption context that the object must have, no more and no less.
	// nil is the empty one, unless AcceptStoredContext is set. Objects whose data key
	// was not wrapped by AWS KMS have none.
	Context map[string]string

	// AcceptStoredContext reads the object whatever its encryption context is. It is
	// also set if [Options] has it, and has no effect where Context is given.
	AcceptStoredContext bool

	// InstructionSuffix is appended to the object's key to name its instruction file, if
	// it has one: ".instruction".
	InstructionSuffix string

	// InstructionVersionID is the version of the instruction file: the newest one. To
	// read an old version of an object that was written with a file of its own, name
	// that version.
	InstructionVersionID string

	// S3 is passed with every call to S3.
	S3 []func(*s3.Options)
}

// orZero returns the options, whose slices may be appended to.
func (o *GetOptions) orZero() *GetOptions {
	if o == nil {
		return &GetOptions{}
	}
	next := *o
	next.S3 = slices.Clip(next.S3)
	return &next
}

func (o *GetOptions) suffix() string {
	if o.InstructionSuffix == "" {
		return instructionSuffix
	}
	return o.InstructionSuffix
}

// rules returns what the client and the options admit.
func (c *Client) rules(o *GetOptions) *rules {
	return &rules{
		policy: c.o.CommitmentPolicy, allowCBC: c.o.AllowLegacyCBC,
		context:    maps.Clone(o.Context),
		anyContext: o.Context == nil && (o.AcceptStoredContext || c.o.AcceptStoredContext),
	}
}

// open returns the header and the data key, which the caller wipes, of the object that in
// names and whose user metadata S3 has returned. Nothing of in but the names and what goes
// with every request for the object is used.
func (c *Client) open(ctx context.Context, in *s3.GetObjectInput, metadata map[string]string, o *GetOptions) (*header, dataKey, error) {
	h, _, err := c.header(ctx, in, metadata, o)
	if err != nil {
		return nil, nil, err
	}
	key, err := h.unwrap(ctx, c.w, c.rules(o))
	if err != nil {
		return nil, nil, err
	}
	return h, key, nil
}

// header returns the object's whole header, and S3's answer for the instruction file if
// that was read: its body is closed.
func (c *Client) header(ctx context.Context, in *s3.GetObjectInput, metadata map[string]string, o *GetOptions) (*header, *s3.GetObjectOutput, error) {
	h, err := parseMetadata(metadata)
	if err != nil || h.complete() {
		return h, nil, err
	}
	name := aws.ToString(in.Key) + o.suffix()
	body, out, err := c.instructionFile(ctx, in, name, o)
	switch {
	case isMissing(err) && h.format == formatV3:
		return nil, nil, fmt.Errorf("%w: there is no instruction file %q", ErrMetadata, name)
	case isMissing(err):
		return nil, nil, fmt.Errorf("%w, and there is no instruction file %q", ErrNotEncrypted, name)
	case err != nil:
		return nil, nil, fmt.Errorf("s3crypto: instruction file %q: %w", name, err)
	}
	if err := h.parseInstructionFile(body); err != nil {
		return nil, nil, err
	}
	return h, out, nil
}

// instructionFile reads the instruction file of the given name.
func (c *Client) instructionFile(ctx context.Context, in *s3.GetObjectInput, name string, o *GetOptions) ([]byte, *s3.GetObjectOutput, error) {
	ask := &s3.GetObjectInput{
		Bucket: in.Bucket, Key: &name, ExpectedBucketOwner: in.ExpectedBucketOwner, RequestPayer: in.RequestPayer,
		SSECustomerAlgorithm: in.SSECustomerAlgorithm, SSECustomerKey: in.SSECustomerKey, SSECustomerKeyMD5: in.SSECustomerKeyMD5,
	}
	if o.InstructionVersionID != "" {
		ask.VersionId = &o.InstructionVersionID
	}
	out, err := c.api.GetObject(ctx, ask, o.S3...)
	if err != nil {
		return nil, nil, err
	}
	defer out.Body.Close()
	if out.ContentRange != nil {
		return nil, nil, fmt.Errorf("%w: a range was not asked for", ErrResponse)
	}
	// One byte more is what parseInstructionFile refuses.
	body, err := io.ReadAll(io.LimitReader(out.Body, maxInstructionFile+1))
	if err != nil {
		return nil, nil, err
	}
	return body, out, nil
}

// headInput returns the request for the metadata of what in asks for.
func headInput(in *s3.GetObjectInput) *s3.HeadObjectInput {
	return &s3.HeadObjectInput{
		Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId,
		ChecksumMode: in.ChecksumMode, ExpectedBucketOwner: in.ExpectedBucketOwner, RequestPayer: in.RequestPayer,
		IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch,
		IfModifiedSince: in.IfModifiedSince, IfUnmodifiedSince: in.IfUnmodifiedSince,
		ResponseCacheControl: in.ResponseCacheControl, ResponseContentDisposition: in.ResponseContentDisposition,
		ResponseContentEncoding: in.ResponseContentEncoding, ResponseContentLanguage: in.ResponseContentLanguage,
		ResponseContentType: in.ResponseContentType, ResponseExpires: in.ResponseExpires,
		SSECustomerAlgorithm: in.SSECustomerAlgorithm, SSECustomerKey: in.SSECustomerKey, SSECustomerKeyMD5: in.SSECustomerKeyMD5,
	}
}
