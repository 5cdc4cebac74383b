package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealring/sealring/internal/gcmstream"
)

// maxCuts is how often in a row the transfer of a part may break off without any progress.
const maxCuts = 4

// Download reads an object in parts of [Options].PartSize, [Options].Concurrency at a time,
// and writes its plaintext to w, which has to allow concurrent writes at different places,
// as [os.File] does. Memory does not depend on the object's size. All parts are of one
// state of the object; if it is replaced meanwhile, the error is [ErrChanged].
//
// The plaintext is written before it is authenticated: w must not be used before Download
// has returned nil. If it returns an error, which is [ErrAuthentication] for an object that
// is not authentic, everything that it has written has been overwritten with zeros; if that
// was not possible the error says so.
//
// The output is what S3 says of the object, as from [Client.Head]. Content in CBC mode is
// refused.
func (c *Client) Download(ctx context.Context, in *s3.GetObjectInput, w io.WriterAt, o *GetOptions) (*s3.HeadObjectOutput, error) {
	object, head, err := c.pin(ctx, in, o.orZero())
	if err != nil {
		return nil, err
	}
	// The tag is read with the last part, which may be empty.
	d := &download{
		object: object, w: w, partSize: c.o.PartSize,
		parts: make([]downloadPart, max(1, (object.length+c.o.PartSize-1)/c.o.PartSize)),
	}
	if err := d.run(ctx, c.o.Concurrency); err != nil {
		return nil, errors.Join(err, d.erase())
	}
	return head, nil
}

// download is one Download.
type download struct {
	object   *pinned
	w        io.WriterAt
	partSize int64
	parts    []downloadPart
	tag      [gcmTagSize]byte
	next     atomic.Int64 // the first part that nobody has taken
}

// downloadPart is owned by who has taken it.
type downloadPart struct {
	piece   gcmstream.Piece // of what was read
	written int64           // or may have been
}

// run fetches all parts and authenticates the whole.
func (d *download) run(ctx context.Context, concurrency int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for range min(concurrency, len(d.parts)) {
		workers.Go(func() {
			for i := d.next.Add(1) - 1; i < int64(len(d.parts)) && ctx.Err() == nil; i = d.next.Add(1) - 1 {
				if err := d.fetch(ctx, i); err != nil {
					cancel(err) // the first one counts
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("s3crypto: download: %w", context.Cause(ctx))
	}
	var whole gcmstream.Piece
	for _, part := range d.parts {
		var err error
		if whole, err = d.object.message.Join(whole, part.piece); err != nil {
			return ErrTooLarge
		}
	}
	return checkTag(d.object.message, whole, d.tag[:])
}

// fetch reads part i. It goes on where a transfer has broken off.
func (d *download) fetch(ctx context.Context, i int64) error {
	part, buf := &d.parts[i], make([]byte, min(pieceSize, d.partSize))
	first := i * d.partSize
	end := min(first+d.partSize, d.object.length)
	for cuts := 0; ; cuts++ {
		before := part.piece.Len()
		cut, err := d.transfer(ctx, part, first, end, buf)
		switch {
		case err == nil:
			return nil
		case !cut || ctx.Err() != nil:
			return err
		case part.piece.Len() > before:
			cuts = 0
		case cuts == maxCuts:
			return err
		}
		if err := pause(ctx, cuts); err != nil {
			return err
		}
	}
}

// transfer reads the part that begins at first from where it was read to up to end, and
// the tag after the last part. It reports whether the error is that the body broke off.
func (d *download) transfer(ctx context.Context, part *downloadPart, first, end int64, buf []byte) (cut bool, err error) {
	m, at, last := d.object.message, first+part.piece.Len(), end == d.object.length
	until := end
	if last {
		until += gcmTagSize
	}
	body, err := d.object.get(ctx, at, until)
	if err != nil {
		return false, err
	}
	defer body.Close()
	for at < end {
		chunk := buf[:min(int64(len(buf)), end-at)]
		if _, err := readFull(body, chunk); err != nil {
			return true, err
		}
		piece, err := m.Join(part.piece, m.Hash(chunk))
		if err != nil {
			return false, ErrTooLarge
		}
		if err := m.XORKeyStream(chunk, chunk, at); err != nil {
			return false, ErrTooLarge
		}
		part.written = piece.Len()
		if err := writeAt(d.w, chunk, at); err != nil {
			return false, err
		}
		part.piece, at = piece, at+int64(len(chunk))
	}
	if last {
		if _, err := readFull(body, d.tag[:]); err != nil {
			return true, err
		}
	}
	return false, nil
}

// erase overwrites what was written, as far as that is possible.
func (d *download) erase() (err error) {
	zeros := make([]byte, min(pieceSize, d.partSize))
	for i, part := range d.parts {
		for at := int64(0); at < part.written; at += int64(len(zeros)) {
			n := min(int64(len(zeros)), part.written-at)
			if failure := writeAt(d.w, zeros[:n], int64(i)*d.partSize+at); err == nil && failure != nil {
				err = fmt.Errorf("s3crypto: plaintext that is not authenticated is left behind: %w", failure)
			}
		}
	}
	return err
}

// writeAt writes all of p.
func writeAt(w io.WriterAt, p []byte, off int64) error {
	n, err := w.WriteAt(p, off)
	if n < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	return err
}
