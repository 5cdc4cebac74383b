package s3crypto

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealring/sealring/internal/gcmstream"
)

// putParts puts an object whose body cannot seek or is long. length is -1 if it is not
// known.
func (c *Client) putParts(ctx context.Context, in *s3.PutObjectInput, body io.Reader, length int64, o *PutOptions) (_ *s3.PutObjectOutput, err error) {
	partSize := partSizeFor(c.o.PartSize, length)
	first, err := firstPart(body, partSize, length)
	if err == io.EOF {
		return c.putWhole(ctx, in, bytes.NewReader(first), 0, int64(len(first)), o)
	} else if err != nil {
		return nil, fmt.Errorf("s3crypto: body: %w", err)
	}
	target := &s3.CreateMultipartUploadInput{}
	fill(target, in)
	u, err := c.createUpload(ctx, target, length, partSize, o)
	if err != nil {
		return nil, err
	}
	completion := &s3.CompleteMultipartUploadInput{}
	fill(completion, in)
	var done *s3.CompleteMultipartUploadOutput
	defer func() { // also if the body panics
		if done == nil {
			err = also(err, u.Abort(ctx))
		}
	}()
	if err = u.sendAll(ctx, first, body); err != nil {
		return nil, err
	}
	if done, err = u.Complete(ctx, completion); err != nil {
		return nil, err
	}
	u.progress.finish()
	out := &s3.PutObjectOutput{}
	fill(out, u.made)
	fill(out, done)
	return out, nil
}

// partSizeFor returns the length of the parts of an object: want, or what it takes to get
// by with the parts that there can be.
func partSizeFor(want, length int64) int64 {
	const block = gcmstream.BlockSize
	least := (length + maxParts - 2) / (maxParts - 1)
	return max(want, (least+block-1)/block*block)
}

// firstPart reads the first part of a body, with room for a tag after it. The error is
// io.EOF if the body has no whole one. The room grows with what is there, unless the
// length is known.
func firstPart(body io.Reader, partSize, length int64) ([]byte, error) {
	const least = 64 << 10
	size := int64(least)
	if length >= 0 {
		size = length + 1 // to see the end
	}
	var b []byte
	for read := 0; ; size *= 2 {
		size = min(size, partSize)
		grown := make([]byte, size, size+gcmTagSize)
		copy(grown, b)
		clear(b)
		b = grown
		n, err := readFull(body, b[read:])
		read += n
		if err != nil || int64(read) == partSize {
			return b[:read], err
		}
	}
}

// Send sends what a body has, as parts 1 and so on, Options.Concurrency of them at a time:
// they and nothing else are the upload's parts, and Complete is next. Parts that S3 has
// already, because the upload was resumed, are read and compared and not sent again. Each
// byte of the body is read once.
//
// The first error ends it; the upload is not aborted. The error is [ErrTooLarge] if the
// body is longer than an object, [ErrPart] if it is longer than 10,000 parts, and
// [ErrBodyChanged] if it differs from what was sent before. If ctx ends, Send returns
// as soon as the body's Read does.
func (u *Upload) Send(ctx context.Context, body io.Reader) error {
	return u.sendAll(ctx, nil, body)
}

// sendAll is Send with the first part, if it was read already.
func (u *Upload) sendAll(ctx context.Context, first []byte, body io.Reader) error {
	var senders sync.WaitGroup
	defer senders.Wait() // also if the body panics
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// A buffer is in here whenever it is not in use. Not all of them have been made.
	buffers := make(chan []byte, u.d.c.o.Concurrency)
	buffers <- first
	for range cap(buffers) - 1 {
		buffers <- nil
	}
	parts := 0
	for end := false; !end; {
		b, err := next(ctx, buffers)
		if err == nil && (parts > 0 || first == nil) {
			b, end, err = u.read(body, b)
		}
		if err != nil {
			cancel(err)
			break
		}
		if len(b) == 0 {
			break
		}
		parts++
		number := int32(parts)
		senders.Go(func() {
			kept, err := u.sendBytes(ctx, number, b)
			if err != nil {
				cancel(err)
			}
			if !kept {
				buffers <- b
			}
		})
	}
	senders.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return u.ends(parts)
}

// next returns a buffer that is not in use.
func next(ctx context.Context, buffers <-chan []byte) ([]byte, error) {
	select {
	case b := <-buffers:
		return b, context.Cause(ctx)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// ends returns ErrBodyChanged if there are more parts than those.
func (u *Upload) ends(parts int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.parts) != parts {
		return ErrBodyChanged
	}
	return nil
}

// read fills a buffer, which it makes if there is none, with the next part of body. It
// reports whether that was the last part.
func (u *Upload) read(body io.Reader, b []byte) (part []byte, end bool, err error) {
	if b == nil {
		b = make([]byte, u.partSize, u.partSize+gcmTagSize)
	}
	b = b[:u.partSize]
	n, err := readFull(body, b)
	if err != nil && err != io.EOF {
		return nil, false, fmt.Errorf("s3crypto: body: %w", err)
	}
	return b[:n], err == io.EOF, nil
}

// sendBytes encrypts a part where it lies, and sends it. It reports whether it has kept
// the bytes.
func (u *Upload) sendBytes(ctx context.Context, number int32, plaintext []byte) (kept bool, err error) {
	if err := u.check(number, int64(len(plaintext))); err != nil {
		return false, err
	}
	ciphertext, piece, err := u.d.message.Seal(plaintext[:0], plaintext, u.offset(number))
	if err != nil {
		return false, fmt.Errorf("%w: %v", ErrTooLarge, err)
	}
	p, known, err := u.admit(number, piece)
	switch {
	case err != nil || known:
		clear(ciphertext)
		return false, err
	case piece.Len() < u.partSize:
		return true, u.hold(ctx, p, ciphertext)
	}
	body := &lentBytes{r: bytes.NewReader(ciphertext)}
	defer body.release()
	return false, u.send(ctx, number, p, body, func() error { return nil })
}

// progress counts the plaintext that S3 has accepted.
type progress struct {
	mu     sync.Mutex // held while report runs
	report func(done, total int64)
	done   int64
	total  int64 // -1 if it is not known
}

func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done += n; p.report != nil && n > 0 {
		p.report(p.done, p.total)
	}
}

// finish tells that all there is has been sent.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.report != nil {
		p.report(p.done, p.done)
	}
}
