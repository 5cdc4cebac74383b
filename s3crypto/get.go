package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Get reads an object and decrypts it. Nothing of the plaintext is released before all of
// the object has been authenticated: when Get returns, that is done. Until then the
// ciphertext is in memory, or, if it is longer than [Options].MaxBuffered, in a temporary
// file, which Close of the body removes. An object whose content is in CBC mode, if
// [Options].AllowLegacyCBC admits it, is not authenticated by anything.
//
// in is passed on, and not changed; a Range or a PartNumber is refused. Of the output,
// ContentLength is the plaintext's, and Metadata is without the formats' entries. All the
// rest is what S3 says of the ciphertext: the ETag and the checksums too.
//
// The error is [ErrAuthentication], and there is no output, if the object is not authentic.
// The caller closes the body. What reads the body may be stopped by closing it, and not by
// ctx any more.
func (c *Client) Get(ctx context.Context, in *s3.GetObjectInput, o *GetOptions) (*s3.GetObjectOutput, error) {
	o = o.orZero()
	out, source, content, err := c.get(ctx, in, o)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	s := &spool{limit: c.o.MaxBuffered, dir: c.o.TempDir}
	if err := s.fill(ctx, source, content); err != nil {
		s.Close()
		return nil, err
	}
	length := content.length()
	out.ContentLength = &length
	out.Body = &body{
		spool: s, content: content, checked: true,
		chunks: newChunks(s.reader(), s.size),
	}
	return out, nil
}

// fill writes all of the source's ciphertext to the spool. The error is ErrAuthentication
// if it is not authentic.
func (s *spool) fill(ctx context.Context, source *source, content decrypter) error {
	if source.length > s.limit {
		s.limit = 0 // it will not fit
	}
	all := newChunksAhead(source, source.length)
	defer all.wipe()
	for {
		piece, last, err := all.next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("s3crypto: reading the object: %w", err)
		}
		if err := content.authenticate(piece, last); err != nil {
			return err
		}
		if _, err := s.Write(piece); err != nil {
			return fmt.Errorf("s3crypto: temporary file: %w", err)
		}
		if last {
			return nil
		}
	}
}

// source is the body of S3's answer.
type source struct {
	io.Reader
	io.Closer
	length int64 // or -1 if S3 did not say
}

// get asks for all of an object. It returns S3's answer without a body, the body, and
// what decrypts it.
func (c *Client) get(ctx context.Context, in *s3.GetObjectInput, o *GetOptions) (*s3.GetObjectOutput, *source, decrypter, error) {
	if in.Range != nil || in.PartNumber != nil {
		return nil, nil, nil, errors.New("s3crypto: a part of an object cannot be authenticated: see GetRangeUnauthenticated")
	}
	ask := *in
	out, err := c.api.GetObject(ctx, &ask, o.S3...)
	if err != nil {
		return nil, nil, nil, err
	}
	source, content, err := c.content(ctx, in, out, o)
	if err != nil {
		out.Body.Close()
		return nil, nil, nil, err
	}
	answer := *out
	answer.Metadata, answer.Body, answer.ContentLength = withoutHeader(out.Metadata), nil, nil
	return &answer, source, content, nil
}

// content returns the body of S3's answer and what decrypts it.
func (c *Client) content(ctx context.Context, in *s3.GetObjectInput, out *s3.GetObjectOutput, o *GetOptions) (*source, decrypter, error) {
	if out.ContentRange != nil {
		return nil, nil, fmt.Errorf("%w: a range was not asked for", ErrResponse)
	}
	h, key, err := c.open(ctx, in, out.Metadata, o)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	s := &source{out.Body, out.Body, -1}
	if out.ContentLength != nil && *out.ContentLength >= 0 {
		s.length = *out.ContentLength
		if _, err := h.plaintextLength(s.length); err != nil {
			return nil, nil, err
		}
		s.Reader = exactAnswer(out.Body, s.length)
	}
	content, err := h.decrypter(key)
	return s, content, err
}
