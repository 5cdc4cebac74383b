package s3crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// RewrapInput names an object whose data key is wrapped again.
type RewrapInput struct {
	Bucket, Key string

	// VersionID is the version of the object, or empty for the newest. An older one can
	// be rewrapped only if its data key is in an instruction file.
	VersionID string

	// ExpectedBucketOwner and RequestPayer go with every request to S3.
	ExpectedBucketOwner string
	RequestPayer        types.RequestPayer
}

// RewrapOptions adjust a Rewrap. nil, and every zero value, is the safest.
type RewrapOptions struct {
	// GetOptions say how the object is read, and which encryption context it must have.
	GetOptions

	// NewContext is the encryption context of the new wrap, for AWS KMS. nil is the
	// object's own, if AWS KMS has wrapped its data key, and else none.
	NewContext map[string]string

	// NewSuffix, if set, has a further instruction file written, with this suffix, and
	// leaves the object's own as it is: whoever reads the object with that suffix needs
	// the other key. It takes an object that has an instruction file. One that has the
	// suffix already is replaced.
	NewSuffix string

	// DryRun does everything but write.
	DryRun bool
}

func (o *RewrapOptions) orZero() *RewrapOptions {
	next := RewrapOptions{}
	if o != nil {
		next = *o
	}
	next.GetOptions = *next.GetOptions.orZero()
	return &next
}

// RewrapOutput says what Rewrap has done.
type RewrapOutput struct {
	// Already is whether the data key could not be unwrapped by the client's wrapper, but
	// by the new one, with the key that it wraps with: nothing had to be done. A wrapper
	// that cannot unwrap, or may not, does not find that out; the error is then that of
	// the client's.
	Already bool

	// InstructionFile is the key of the file that was written, or empty if the object's
	// metadata was.
	InstructionFile string

	// ETag and VersionID are those of what was written, if S3 has said so.
	ETag, VersionID string
}

// maxCopy is the size of the largest object that S3 copies with one call.
const maxCopy = 5 << 30

// Rewrap unwraps an object's data key with the client's wrapper, and wraps it with another
// one. The content stays as it is; whoever has kept the old data key, or a copy of the
// object, can still read it. It is used to change the wrapping key, to share an object
// with somebody else, and after objects were replicated to another Region or account:
// there, the client has the S3 client of the target and the wrapper of the source.
//
// If the data key is in an instruction file, that is written anew, unless it was changed
// meanwhile. The file keeps its own metadata, storage class, server-side encryption and
// object lock, but neither tags nor ACL.
//
// If it is in the object's metadata, S3 copies the object onto itself with new metadata,
// unless its content was changed meanwhile; S3 cannot be asked to look whether other
// metadata was. That makes a new version, of 5 GiB at most, with all
// metadata, the tags, storage class, server-side encryption and object lock of the old one,
// but the default ACL. Objects under a customer-provided key (SSE-C) are not supported.
//
// An object of format V3 is not rewrapped unless it commits to what was unwrapped. For V2
// the wrap is believed. Content in CBC mode is refused.
func (c *Client) Rewrap(ctx context.Context, in *RewrapInput, to Wrapper, o *RewrapOptions) (*RewrapOutput, error) {
	if to == nil {
		return nil, errors.New("s3crypto: Rewrap needs a wrapper")
	}
	r := &rewrapping{c: c, to: to, o: o.orZero(), in: in, ask: &s3.GetObjectInput{
		Bucket: &in.Bucket, Key: &in.Key, VersionId: orNil(in.VersionID),
		ExpectedBucketOwner: orNil(in.ExpectedBucketOwner), RequestPayer: in.RequestPayer,
	}}
	var err error
	if r.head, err = c.api.HeadObject(ctx, headInput(r.ask), r.o.S3...); err != nil {
		return nil, err
	}
	if r.old, r.file, err = c.header(ctx, r.ask, r.head.Metadata, &r.o.GetOptions); err != nil {
		return nil, err
	}
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	already, err := r.wrap(ctx)
	switch {
	case err != nil:
		return nil, err
	case already:
		return &RewrapOutput{Already: true}, nil
	case r.old.inFile:
		return r.writeFile(ctx)
	}
	return r.copy(ctx)
}

// orNil returns s as the SDK has it.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// rewrapping is one Rewrap.
type rewrapping struct {
	c    *Client
	to   Wrapper
	o    *RewrapOptions
	in   *RewrapInput
	ask  *s3.GetObjectInput
	head *s3.HeadObjectOutput
	file *s3.GetObjectOutput // nil if there is none

	old, next *header
}

// check returns an error if the result could not be written.
func (r *rewrapping) check(ctx context.Context) error {
	var etag *string
	if r.old.inFile {
		etag = r.file.ETag
	} else {
		etag = r.head.ETag
	}
	switch {
	case aws.ToString(etag) == "":
		return fmt.Errorf("%w: no ETag", ErrResponse)
	case r.old.inFile && r.o.InstructionVersionID != "" && r.o.NewSuffix == "":
		return errors.New("s3crypto: an old version of an instruction file cannot be replaced")
	case r.old.inFile:
		return nil
	case r.o.NewSuffix != "":
		return errors.New("s3crypto: the data key is in the object's metadata, so that no reader asks for an instruction file")
	case aws.ToInt64(r.head.ContentLength) > maxCopy:
		return fmt.Errorf("%w: the data key is in the metadata, and S3 copies 5 GiB at most", ErrTooLarge)
	case aws.ToInt32(r.head.MissingMeta) > 0:
		return fmt.Errorf("%w: S3 does not return all metadata, so that it cannot be kept", ErrResponse)
	case r.in.VersionID == "":
		return nil
	}
	newest := *r.ask
	newest.VersionId = nil
	head, err := r.c.api.HeadObject(ctx, headInput(&newest), r.o.S3...)
	if err != nil {
		return err
	}
	if aws.ToString(head.VersionId) != r.in.VersionID {
		return errors.New("s3crypto: an old version keeps its metadata, and with it its data key")
	}
	return nil
}

// wrap wraps the data key again. It reports whether that had been done before.
func (r *rewrapping) wrap(ctx context.Context) (already bool, err error) {
	key, err := r.old.unwrap(ctx, r.c.w, r.c.rules(&r.o.GetOptions))
	switch {
	case err != nil && r.isDone(ctx):
		return true, nil
	case err != nil:
		return false, err
	}
	defer clear(key)
	c := r.o.NewContext
	if _, isKMS := r.to.(*KMS); c == nil && isKMS && r.old.wrap.byKMS() {
		c = callersContext(r.old.description)
	}
	r.next, err = r.old.rewrap(ctx, key, r.to, c)
	return false, err
}

// isDone reports whether the new wrapper unwraps the data key, and would have wrapped it
// the same: with the same key, under the same encryption context.
func (r *rewrapping) isDone(ctx context.Context) bool {
	if !r.to.wraps(r.old) || r.o.NewSuffix != "" {
		return false
	}
	rules := r.c.rules(&r.o.GetOptions)
	if _, isKMS := r.to.(*KMS); !isKMS {
		rules.context = nil
	} else if r.o.NewContext != nil {
		rules.context, rules.anyContext = r.o.NewContext, false
	}
	key, err := r.old.unwrap(ctx, r.to, rules)
	clear(key)
	return err == nil
}

// writeFile writes the instruction file.
func (r *rewrapping) writeFile(ctx context.Context) (*RewrapOutput, error) {
	suffix := r.o.suffix()
	if r.o.NewSuffix != "" {
		suffix = r.o.NewSuffix
	}
	name := r.in.Key + suffix
	_, body, err := r.next.split()
	if err != nil {
		return nil, err
	}
	put := &s3.PutObjectInput{
		Bucket: &r.in.Bucket, Key: &name, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ExpectedBucketOwner: r.ask.ExpectedBucketOwner, RequestPayer: r.in.RequestPayer,
		ContentType: r.file.ContentType, Metadata: r.file.Metadata, StorageClass: r.file.StorageClass,
		ServerSideEncryption: r.file.ServerSideEncryption, SSEKMSKeyId: r.file.SSEKMSKeyId,
		BucketKeyEnabled: r.file.BucketKeyEnabled, ObjectLockLegalHoldStatus: r.file.ObjectLockLegalHoldStatus,
	}
	put.ObjectLockMode, put.ObjectLockRetainUntilDate = lasting(r.file.ObjectLockMode, r.file.ObjectLockRetainUntilDate)
	if suffix == r.o.suffix() {
		put.IfMatch = r.file.ETag
	}
	if r.o.DryRun {
		return &RewrapOutput{InstructionFile: name}, nil
	}
	out, err := r.c.api.PutObject(ctx, put, r.o.S3...)
	if err != nil {
		return nil, fmt.Errorf("s3crypto: instruction file %q: %w", name, err)
	}
	return &RewrapOutput{InstructionFile: name, ETag: aws.ToString(out.ETag), VersionID: aws.ToString(out.VersionId)}, nil
}

// copy copies the object onto itself, with new metadata.
func (r *rewrapping) copy(ctx context.Context) (*RewrapOutput, error) {
	metadata, err := withHeader(withoutHeader(r.head.Metadata), r.next.metadata())
	if err != nil {
		return nil, err
	}
	source := copySource(r.in.Bucket, r.in.Key)
	if r.in.VersionID != "" {
		source += "?versionId=" + url.QueryEscape(r.in.VersionID)
	}
	in := &s3.CopyObjectInput{
		Bucket: &r.in.Bucket, Key: &r.in.Key, CopySource: &source,
		CopySourceIfMatch: r.head.ETag, IfMatch: r.head.ETag,
		ExpectedBucketOwner: r.ask.ExpectedBucketOwner, ExpectedSourceBucketOwner: r.ask.ExpectedBucketOwner,
		RequestPayer:      r.in.RequestPayer,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: metadata,
		TaggingDirective: types.TaggingDirectiveCopy,
		CacheControl:     r.head.CacheControl, ContentDisposition: r.head.ContentDisposition,
		ContentEncoding: r.head.ContentEncoding, ContentLanguage: r.head.ContentLanguage,
		ContentType: r.head.ContentType, WebsiteRedirectLocation: r.head.WebsiteRedirectLocation,
		StorageClass: r.head.StorageClass, ServerSideEncryption: r.head.ServerSideEncryption,
		SSEKMSKeyId: r.head.SSEKMSKeyId, BucketKeyEnabled: r.head.BucketKeyEnabled,
		ObjectLockLegalHoldStatus: r.head.ObjectLockLegalHoldStatus,
	}
	in.ObjectLockMode, in.ObjectLockRetainUntilDate = lasting(r.head.ObjectLockMode, r.head.ObjectLockRetainUntilDate)
	options := r.o.S3
	if expires, err := http.ParseTime(aws.ToString(r.head.ExpiresString)); err == nil {
		in.Expires = &expires
	} else if r.head.ExpiresString != nil {
		options = append(options, withExpires(*r.head.ExpiresString))
	}
	if r.o.DryRun {
		return &RewrapOutput{}, nil
	}
	answer, err := r.c.api.CopyObject(ctx, in, options...)
	if err != nil {
		return nil, err
	}
	out := &RewrapOutput{VersionID: aws.ToString(answer.VersionId)}
	if answer.CopyObjectResult != nil {
		out.ETag = aws.ToString(answer.CopyObjectResult.ETag)
	}
	return out, nil
}

// withExpires returns an option that sets the header of that name, which need not be a
// date: S3 keeps what it is given, and the SDK's input has room for a date only.
func withExpires(value string) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(slices.Clip(o.APIOptions), smithyhttp.SetHeaderValue("Expires", value))
	}
}

// copySource returns the name of an object as CopyObject takes it: all but letters, digits
// and slashes is escaped, since S3 takes a plus sign for a space. bucket may be the ARN of
// an access point.
func copySource(bucket, key string) string {
	if strings.HasPrefix(bucket, "arn:") {
		bucket += "/object"
	}
	escaped := strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(key))
	return bucket + "/" + escaped
}

// lasting returns an object lock for a new version of what has the given one. S3 refuses
// one that has ended.
func lasting(mode types.ObjectLockMode, until *time.Time) (types.ObjectLockMode, *time.Time) {
	if until == nil || !until.After(time.Now()) {
		return "", nil
	}
	return mode, until
}
