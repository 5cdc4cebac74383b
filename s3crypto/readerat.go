package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// ReaderAtUnauthenticated reads an encrypted object at any offset. See
// [Client.NewReaderAtUnauthenticated]. It is safe for concurrent use.
type ReaderAtUnauthenticated struct {
	ctx    context.Context
	object *pinned
}

var _ io.ReaderAt = (*ReaderAtUnauthenticated)(nil)

// NewReaderAtUnauthenticated returns what reads an object at any offset of its plaintext.
// Nothing authenticates what it reads: see [Client.GetRangeUnauthenticated]. in goes with
// every request and is not changed; a Range or a PartNumber is refused, and so is content in
// CBC mode. All reads are of the object as it is now; when it is replaced, they return
// [ErrChanged]. ctx is that of all reads. There is nothing to close.
func (c *Client) NewReaderAtUnauthenticated(ctx context.Context, in *s3.GetObjectInput, o *GetOptions) (*ReaderAtUnauthenticated, error) {
	object, _, err := c.pin(ctx, in, o.orZero())
	if err != nil {
		return nil, err
	}
	return &ReaderAtUnauthenticated{ctx, object}, nil
}

// Size returns the length of the plaintext.
func (r *ReaderAtUnauthenticated) Size() int64 { return r.object.length }

// ReadAt reads the plaintext at offset off as [io.ReaderAt] has it: less than len(p) only
// with an error, which is io.EOF at the end. Each call is one request to S3.
func (r *ReaderAtUnauthenticated) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("s3crypto: ReadAt at a negative offset")
	}
	left := max(r.object.length-off, 0)
	short := int64(len(p)) > left
	if p = p[:min(int64(len(p)), left)]; len(p) > 0 {
		if n, err = r.read(p, off); err != nil {
			return n, fmt.Errorf("s3crypto: reading at %d: %w", off, err)
		}
	}
	if short {
		return n, io.EOF
	}
	return n, nil
}

// read fills p, which the plaintext has at off.
func (r *ReaderAtUnauthenticated) read(p []byte, off int64) (int, error) {
	body, err := r.object.get(r.ctx, off, off+int64(len(p)))
	if err != nil {
		return 0, err
	}
	defer body.Close()
	n, err := readFull(body, p)
	if xorErr := r.object.message.XORKeyStream(p[:n], p[:n], off); xorErr != nil {
		return 0, ErrTooLarge
	}
	return n, err
}
