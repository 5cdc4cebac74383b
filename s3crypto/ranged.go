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

// maxObject is the length of the longest encrypted object.
const maxObject = gcmstream.MaxLength + gcmTagSize

// GetRangeUnauthenticated reads and decrypts the part of an object that in.Range names, in
// bytes of plaintext. Nothing authenticates it: whoever can write the object can flip any
// bit of what is returned, and nobody will notice. An object of format V3 still has to
// commit to its data key.
//
// The Range is one of "bytes=a-b", "bytes=a-" and "bytes=-n"; what is malformed, or
// several ranges, is refused. A range after the end of the plaintext is a [*RangeError],
// or S3's own error with the same code. Content in CBC mode is refused.
//
// in is passed on, and not changed. Of the output, ContentLength and ContentRange are of
// the plaintext, and Metadata is without the formats' entries. Each call unwraps the data
// key, and may find another object: to read several parts of one, see
// [Client.NewReaderAtUnauthenticated]. The caller closes the body.
func (c *Client) GetRangeUnauthenticated(ctx context.Context, in *s3.GetObjectInput, o *GetOptions) (*s3.GetObjectOutput, error) {
	if in.Range == nil || in.PartNumber != nil {
		return nil, errors.New("s3crypto: GetRangeUnauthenticated takes a Range, and no PartNumber")
	}
	o = o.orZero()
	want, err := parseRange(*in.Range)
	if err != nil {
		return nil, err
	}
	ask := *in
	ask.Range = aws.String(want.withTag().String())
	out, err := c.api.GetObject(ctx, &ask, o.S3...)
	if err != nil {
		return nil, err
	}
	answer, err := c.ranged(ctx, in, out, want, o)
	if err != nil {
		out.Body.Close()
		return nil, err
	}
	return answer, nil
}

// ranged returns S3's answer, decrypted.
func (c *Client) ranged(ctx context.Context, in *s3.GetObjectInput, out *s3.GetObjectOutput, want byteRange, o *GetOptions) (*s3.GetObjectOutput, error) {
	h, key, err := c.open(ctx, in, out.Metadata, o)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	m, err := h.message(key)
	if err != nil {
		return nil, err
	}
	from, to, size, err := parseContentRange(aws.ToString(out.ContentRange))
	if err != nil {
		return nil, err
	}
	if first, end := want.withTag().of(size); from != first || to != end {
		return nil, fmt.Errorf("%w: bytes %d-%d instead of %d-%d", ErrResponse, from, to-1, first, end-1)
	}
	length, err := h.plaintextLength(size)
	if err != nil {
		return nil, err
	}
	first, end := want.of(length)
	if first >= end {
		return nil, &RangeError{want.String(), length}
	}
	answer := *out
	answer.Metadata = withoutHeader(out.Metadata)
	answer.ContentLength = aws.Int64(end - first)
	answer.ContentRange = aws.String(fmt.Sprintf("bytes %d-%d/%d", first, end-1, length))
	answer.Body = &rangeBody{r: exactAnswer(out.Body, to-from), source: out.Body, m: m, offset: first, end: end}
	return &answer, nil
}

// rangeBody decrypts ciphertext from offset on. What comes after end is the tag, or a part
// of it.
type rangeBody struct {
	r           io.Reader
	source      io.Closer
	m           *gcmstream.Message
	offset, end int64
}

// Read reads plaintext. At its end, what remains of the ciphertext is read too: the
// connection can be used again, and one that was cut is noticed.
func (b *rangeBody) Read(p []byte) (int, error) {
	if b.offset == b.end {
		if _, err := io.Copy(io.Discard, b.r); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.end-b.offset)])
	if xorErr := b.m.XORKeyStream(p[:n], p[:n], b.offset); xorErr != nil {
		return 0, ErrTooLarge
	}
	b.offset += int64(n)
	return n, err
}

// Close ends the reading.
func (b *rangeBody) Close() error { return b.source.Close() }
