package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealring/sealring/internal/gcmstream"
)

// pinned is one state of an object, of which parts are read in any order. It is safe for
// concurrent use.
type pinned struct {
	api     API
	ask     s3.GetObjectInput // but for the range
	s3      []func(*s3.Options)
	message *gcmstream.Message
	size    int64 // of the ciphertext with the tag
	length  int64 // of the plaintext
}

// pin asks for an object's header. Content in CBC mode is refused.
func (c *Client) pin(ctx context.Context, in *s3.GetObjectInput, o *GetOptions) (*pinned, *s3.HeadObjectOutput, error) {
	if in.Range != nil || in.PartNumber != nil {
		return nil, nil, errors.New("s3crypto: a Range or PartNumber of what is read in parts")
	}
	head, err := c.api.HeadObject(ctx, headInput(in), o.S3...)
	if err != nil {
		return nil, nil, err
	}
	h, key, err := c.open(ctx, in, head.Metadata, o)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	p := &pinned{api: c.api, ask: *in, s3: o.S3, size: aws.ToInt64(head.ContentLength)}
	if p.message, err = h.message(key); err != nil {
		return nil, nil, err
	}
	if p.length, err = h.plaintextLength(p.size); err != nil {
		return nil, nil, err
	}
	if aws.ToString(head.ETag) == "" {
		return nil, nil, fmt.Errorf("%w: the object has no ETag", ErrResponse)
	}
	// What else was required of the object has been seen to be so.
	p.ask.IfMatch, p.ask.IfNoneMatch, p.ask.IfModifiedSince, p.ask.IfUnmodifiedSince = head.ETag, nil, nil, nil
	answer := *head
	answer.Metadata, answer.ContentLength = withoutHeader(head.Metadata), &p.length
	return p, &answer, nil
}

// get returns the ciphertext, or the part of the tag, from first to before end. The caller
// closes it.
func (p *pinned) get(ctx context.Context, first, end int64) (io.ReadCloser, error) {
	ask := p.ask
	ask.Range = aws.String(byteRange{first: first, last: end - 1}.String())
	out, err := p.api.GetObject(ctx, &ask, p.s3...)
	if err != nil {
		if hasCode(err, "PreconditionFailed", "InvalidRange") {
			return nil, ErrChanged
		}
		return nil, err
	}
	if err := p.fits(out, first, end); err != nil {
		out.Body.Close()
		return nil, err
	}
	return &source{exactAnswer(out.Body, end-first), out.Body, end - first}, nil
}

// fits returns an error unless S3's answer is the part that was asked for. Not all servers
// heed If-Match.
func (p *pinned) fits(out *s3.GetObjectOutput, first, end int64) error {
	from, to, size, err := parseContentRange(aws.ToString(out.ContentRange))
	switch {
	case aws.ToString(out.ETag) != *p.ask.IfMatch || err == nil && size != p.size:
		return ErrChanged
	case err != nil:
		return err
	case from != first || to != end:
		return fmt.Errorf("%w: bytes %d-%d instead of %d-%d", ErrResponse, from, to-1, first, end-1)
	}
	return nil
}
