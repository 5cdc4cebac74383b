package s3crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/sealring/sealring/internal/gcmstream"
)

// PutOptions are the settings of one object that is written. nil, and every zero value,
// is what most callers want.
type PutOptions struct {
	// Context is the encryption context, which [KMS] binds to the object and stores with
	// it, readable to all. Readers have to give the same one. It is not kept.
	Context map[string]string

	// InstructionFile says whether the data key goes into an instruction file, and not
	// into the object's metadata: nil is what Options.InstructionFiles says.
	InstructionFile *bool

	// InstructionSuffix is what the key of the instruction file has after that of the
	// object: ".instruction". Readers find no other one by themselves.
	InstructionSuffix string

	// Progress is called with the number of bytes of plaintext that were sent, and how
	// many there are in all, or -1 if that is not known yet. done falls when a request is
	// sent again. There is one call at a time; it holds up the upload.
	Progress func(done, total int64)

	// Save is called by an [Upload], with its state, before the first byte of each part
	// leaves; see [Upload.State]. There is one call at a time, and state belongs to it.
	// If it returns an error, the part is not sent. Put, which resumes nothing, refuses
	// it.
	Save func(ctx context.Context, state []byte) error

	// S3 is passed with every call to S3 that the object takes.
	S3 []func(*s3.Options)
}

// Put encrypts an object and puts it into S3.
//
// The body is in.Body from its current position to its end: no body at all is an empty
// one. A body that can seek, and is not longer than Options.MultipartAbove, goes up in one
// PutObject, in constant memory. It is read as often as the SDK reads it: for a checksum,
// a signature, a repeated request. All others are read once and go up in parts, several at
// a time, unless they are shorter than a part: see [Options] for the memory that takes. A
// body must not be changed before Put returns; the error is [ErrBodyChanged] if that is
// seen. Put does not close it, and its position afterwards is not defined.
//
// in is not changed. Its ContentLength is the plaintext's, which has to be the body's;
// the digests of the body, from ContentMD5 to the Checksum fields, are refused, but not
// ChecksumAlgorithm. Everything else is as PutObject has it, IfMatch and IfNoneMatch
// included. ETag and checksums of the output are the ciphertext's.
//
// An instruction file is written after its object. If that fails, the object is deleted
// again (in a bucket with versions that brings the one before it back). Until the file is
// written, or if the process ends before that, nobody can read the object: readers get an
// error, from a file that was there before as well as from none. If S3's answer to the
// request for either is lost, Put looks whether it is there; for the object that cannot be
// told in format V2. Two that put the same object with a file at the same time can leave
// the object of one with the file of the other, which nobody can read.
//
// The error is [ErrMetadata] if in.Metadata has one of the formats' names, [ErrContext] for
// an encryption context that the wrapper cannot bind, and [ErrTooLarge] for more than an
// object holds. A key that ends in ".instruction" is refused, and so is one that leaves its
// instruction file's no room in the 1,024 bytes that S3 takes. If Put fails it leaves no upload
// behind, also if ctx has ended; unless S3 created one and its answer was lost, which is what
// a bucket's lifecycle rules are for.
func (c *Client) Put(ctx context.Context, in *s3.PutObjectInput, o *PutOptions) (*s3.PutObjectOutput, error) {
	o = o.orZero()
	if err := checkPut(in, o); err != nil {
		return nil, err
	}
	length := int64(-1)
	if in.ContentLength != nil {
		length = *in.ContentLength
	}
	body, start, seekable, err := bodyOf(in.Body, &length)
	switch {
	case err != nil:
		return nil, err
	case length > gcmstream.MaxLength:
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, length)
	case seekable && length <= c.o.MultipartAbove:
		return c.putWhole(ctx, in, body.(io.ReadSeeker), start, length, o)
	case seekable:
		body = &exact{body, length, ErrBodyChanged, ErrBodyChanged}
	case length >= 0:
		body = &exact{body, length, errLength, errLength}
	}
	return c.putParts(ctx, in, body, length, o)
}

func (o *PutOptions) orZero() *PutOptions {
	if o == nil {
		return &PutOptions{}
	}
	return o
}

// checkPut returns an error for what PutObject would take and Put does not.
func checkPut(in *s3.PutObjectInput, o *PutOptions) error {
	switch {
	case in == nil:
		return errors.New("s3crypto: no input")
	case in.ContentLength != nil && *in.ContentLength < 0:
		return fmt.Errorf("s3crypto: ContentLength is %d", *in.ContentLength)
	case in.WriteOffsetBytes != nil:
		return errors.New("s3crypto: nothing can be appended to an encrypted object")
	case o.Save != nil:
		return errors.New("s3crypto: Save is for uploads")
	}
	return refuseDigests(in)
}

// bodyOf returns a body, and whether it can seek. It sees to it that the body has the
// given length, or sets that if it is -1 and can be known.
func bodyOf(body io.Reader, length *int64) (src io.Reader, start int64, seekable bool, err error) {
	if body == nil {
		body = bytes.NewReader(nil)
	}
	if s, ok := body.(io.ReadSeeker); ok {
		// A pipe is an [os.File] too, and says so only when it is asked to seek.
		start, n, err := measure(s)
		switch {
		case errors.Is(err, errMoved):
			return nil, 0, false, err
		case err == nil && *length >= 0 && *length != n:
			return nil, 0, false, fmt.Errorf("s3crypto: body of %d bytes, and ContentLength is %d", n, *length)
		case err == nil:
			*length = n
			return s, start, true, nil
		}
	}
	return body, 0, false, nil
}

// errLength is returned for a body that cannot seek and has another length than was said.
var errLength = errors.New("s3crypto: body is not as long as ContentLength says")

// putWhole puts the object in one request.
func (c *Client) putWhole(ctx context.Context, in *s3.PutObjectInput, body io.ReadSeeker, start, length int64, o *PutOptions) (*s3.PutObjectOutput, error) {
	target := &s3.CreateMultipartUploadInput{}
	fill(target, in)
	d, key, err := c.newDraft(ctx, target, length, o)
	if err != nil {
		return nil, err
	}
	clear(key)
	b := newSealedBody(d.message, body, 0, start, length)
	b.tagged = true
	if o.Progress != nil {
		b.sent = func(done int64) { o.Progress(done, length) }
	}
	out, err := d.put(ctx, in, b)
	if err != nil {
		return nil, err
	}
	if err := d.putFile(ctx); err != nil {
		return nil, also(err, d.withdraw(ctx, out.VersionId, out.ETag))
	}
	if o.Progress != nil {
		o.Progress(length, length)
	}
	return out, nil
}

// put sends the object itself.
func (d *draft) put(ctx context.Context, in *s3.PutObjectInput, b *sealedBody) (*s3.PutObjectOutput, error) {
	send, size := *in, b.size()
	send.Body, send.ContentLength = b, &size
	var err error
	if send.Metadata, err = withHeader(d.in.Metadata, d.metadata); err != nil {
		return nil, err
	}
	out, err := d.c.api.PutObject(ctx, &send, d.options(marksSending(b))...)
	if changed := b.release(); err != nil && changed != nil {
		err = changed
	} else if err == nil && out == nil {
		err = errors.New("no output")
	}
	if err == nil {
		return out, nil
	}
	// The object may be there although no answer says so: without its file it is of no
	// use, and its own condition may be what a repeated request failed on.
	if d.file != nil || hasCode(err, "PreconditionFailed") {
		if found := d.landed(ctx); found != nil {
			out = &s3.PutObjectOutput{}
			fill(out, found)
			return out, nil
		}
	}
	return nil, fmt.Errorf("s3crypto: PutObject: %w", err)
}

// marksSending returns an option that tells a body when it is read for a request: that is
// after all that is read for signatures and checksums in its header.
func marksSending(b *sealedBody) func(*s3.Options) {
	mark := middleware.FinalizeMiddlewareFunc("SealringSending", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		b.begin()
		return next.HandleFinalize(ctx, in)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(slices.Clip(o.APIOptions), func(stack *middleware.Stack) error {
			return stack.Finalize.Add(mark, middleware.After)
		})
	}
}
