package envelope

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/sealring/sealring/keyring"
)

// Reader decrypts a message that it reads from another reader. Memory use does not
// depend on the length of the message, unless the body is unframed: it is two
// frames or, if that is more, 1 MiB for each goroutine of
// [DecryptOptions.Parallelism]; sizes are rounded up to powers of two.
//
// Each frame is released after its own tag has been verified, and as soon as it
// has arrived. The last piece of a signed message, its final frame or unframed
// body, is released only after the signature has been verified. Read returns
// [io.EOF] only when the message was authentic to its end and nothing follows it.
// On any other error the plaintext that was released is incomplete, and in a
// signed message nobody has signed it: discard it, and undo what was done with
// it. Every error is final and is returned by all later calls.
//
// A Reader is not safe for concurrent use.
type Reader struct {
	ctx   context.Context
	end   keyring.DataWorkEnd
	op    *opener
	buf   []byte // for plaintext; its capacity is reused
	rest  []byte // part of buf that has not been read
	total int64  // bytes of plaintext so far, rest included
	err   error
}

var _ io.WriterTo = (*Reader)(nil)

// NewReader returns a reader of the message in src. It reads and authenticates
// the header, and so may call a key service. From src it reads ahead whatever
// src has, but does not wait for more than the next frame.
//
// ctx is for the whole life of the Reader; when it is done, the next call
// fails. The errors, here and of the methods, are those of [Decrypt] and those of
// src, wrapped.
func NewReader(ctx context.Context, src io.Reader, m keyring.Manager, o *DecryptOptions) (*Reader, error) {
	ctx, end := keyring.BeginData(ctx, keyring.DataWork{Operation: keyring.OpDecrypt, Length: -1})
	in := &input{src: src}
	op, err := newOpener(ctx, in, m, o)
	if err != nil {
		in.release()
		end(0, err)
		return nil, err
	}
	in.ahead = op.ahead()
	return &Reader{ctx: ctx, end: end, op: op}, nil
}

// Format prints the suite only, whatever the verb: a Reader holds plaintext.
func (r *Reader) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "envelope.Reader{%v}", r.op.header.Suite)
}

// Header returns the message's header. It is authentic; that it is signed too
// is known only at the end of the message. It is shared by all calls.
func (r *Reader) Header() *Header { return r.op.header }

// Read reads up to len(p) bytes of plaintext. It may use all of p as scratch
// space.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		next, err := r.op.next(r.ctx, r.room(len(p)))
		if err != nil {
			return 0, r.fail(err)
		}
		if next.plain <= len(p) {
			out, err := r.op.open(r.ctx, p[:0], next)
			if err != nil {
				return 0, r.fail(err)
			}
			if len(out) > 0 {
				r.total += int64(len(out))
				return len(out), nil
			}
			continue
		}
		r.open(next)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// room returns how much plaintext a Read into n bytes opens at a time: so much as
// n bytes hold, or more if it is here already and several goroutines pay for it.
func (r *Reader) room(n int) int {
	if here := r.op.ahead(); r.op.parallel(n) || r.op.parallel(min(here, len(r.op.in.buffered()))) {
		return max(n, here)
	}
	return min(n, batchLen)
}

// WriteTo writes all plaintext that is left to dst and returns its length. An
// error of dst is not final: what dst did not take can still be read.
func (r *Reader) WriteTo(dst io.Writer) (int64, error) {
	var total int64
	for {
		if len(r.rest) > 0 {
			n, err := dst.Write(r.rest)
			if n < 0 || n > len(r.rest) || n < len(r.rest) && err == nil {
				n, err = max(0, min(n, len(r.rest))), io.ErrShortWrite
			}
			total += int64(n)
			r.rest = r.rest[n:]
			if err != nil {
				return total, fmt.Errorf("envelope: writing the plaintext: %w", err)
			}
		}
		switch {
		case r.err == io.EOF:
			return total, nil
		case r.err != nil:
			return total, r.err
		}
		next, err := r.op.next(r.ctx, r.op.ahead())
		if err != nil {
			r.fail(err)
			continue
		}
		r.open(next)
	}
}

// open opens p into the buffer.
func (r *Reader) open(p piece) {
	r.buf = grow(r.buf[:0], p.plain)
	out, err := r.op.open(r.ctx, r.buf, p)
	if err != nil {
		r.fail(err)
		return
	}
	r.rest = out
	r.total += int64(len(out))
}

// fail makes err the Reader's last word and gives its buffers back, wiped. It is
// called once, when everything that was opened has been released.
func (r *Reader) fail(err error) error {
	putBuffer(r.buf)
	r.op.in.release()
	r.buf, r.err = nil, err
	if err == io.EOF {
		r.end(r.total, nil)
	} else {
		r.end(r.total, err)
	}
	return err
}

// abandon ends a Reader from which no more will be read, with err or without one.
func (r *Reader) abandon(err error) {
	if r.err == nil {
		r.fail(cmp.Or(err, io.EOF))
	}
}
