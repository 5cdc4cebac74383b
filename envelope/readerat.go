package envelope

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/sealring/sealring/keyring"
)

// fetchLen is how much of a message a [ReaderAt] asks its source for at a time, in
// bytes, unless a frame is longer: a source in a network is slow to answer.
const fetchLen = 1 << 20

// ReaderAt decrypts any part of a message, and reads no more of it than the frames
// that the part lies in. It is for framed messages only: an unframed body has one
// tag, and nothing of it is authentic without the rest.
//
// Nothing is released that has not been authenticated. The header and the final
// frame are authenticated at open, which proves the length of the message: one that
// was cut, or to which something was added, is refused there. Each other frame is
// authenticated when it is read, so a frame that was altered is found when it is
// read and not before. That holds for a source that changes too.
//
// The signature of a signed message covers all of it, so such a message is refused
// unless [DecryptOptions.VerifyFirst] is set.
//
// A ReaderAt keeps the frame that was read last, so that reading on within it
// costs neither source nor cipher anything. For each concurrent call, and once more,
// it holds the ciphertext of the frames that were asked for, at most 1 MiB or one
// frame, whichever is more.
//
// All methods are safe for concurrent use if the source is. There is nothing to
// close.
type ReaderAt struct {
	ctx    context.Context
	src    io.ReaderAt
	header *Header
	frames frames
	layout layout

	recent atomic.Pointer[window] // the window that was used last, if it is not in use
	free   sync.Pool              // other windows
}

var _ io.ReaderAt = (*ReaderAt)(nil)

// NewReaderAt returns a reader of any part of the message in the first size bytes of
// src. It reads and authenticates the header, and so may call a key service, and
// the final frame. With [DecryptOptions.VerifyFirst] it reads everything.
//
// [io.NewSectionReader] makes an [io.ReadSeeker] of a ReaderAt, and
// [NewRangeReaderAt] a source of what is read over a network.
//
// ctx is for the whole life of the ReaderAt; when it is done, the next call fails.
// The errors, here and of ReadAt, are those of [Decrypt], [ErrUnframed], and those
// of src, wrapped.
func NewReaderAt(ctx context.Context, src io.ReaderAt, size int64, m keyring.Manager, o *DecryptOptions) (*ReaderAt, error) {
	var options DecryptOptions
	if o != nil {
		options = *o
	}
	size = max(size, 0) // io.NewSectionReader takes a negative one for no limit
	var message io.Reader = io.NewSectionReader(src, 0, size)
	if options.VerifyFirst {
		message = bufio.NewReaderSize(message, int(min(size, fetchLen)))
	} else {
		options.RefuseSigned = true
	}
	start, err := NewReader(ctx, message, m, &options)
	if err != nil {
		return nil, err
	}
	defer func() { start.abandon(err) }()
	if start.op.frames.length == 0 {
		err = ErrUnframed
		return nil, err
	}
	r := &ReaderAt{ctx: ctx, src: src, header: start.op.header, frames: start.op.frames}
	if options.VerifyFirst {
		err = r.verify(start)
	} else {
		err = r.locate(size)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// verify reads the message to its end, which tells how many frames there are.
func (r *ReaderAt) verify(message *Reader) error {
	n, err := message.WriteTo(io.Discard)
	if err != nil {
		return err
	}
	before := int64(message.op.seq - firstFrame)
	r.layout = layout{
		start: int64(r.header.Length()), length: r.frames.length,
		count: before + 1, last: int(n - before*int64(r.frames.length)),
	}
	return nil
}

// locate finds the final frame of an unsigned message and opens it.
func (r *ReaderAt) locate(size int64) error {
	var err error
	if r.layout, err = newLayout(int64(r.header.Length()), size, r.frames.length); err != nil {
		return err
	}
	w := r.take()
	final := r.layout.count - 1
	if err := r.fetch(w, final, 1); err != nil {
		return err
	}
	if err := r.hold(w, final, w.buf); err != nil {
		return err
	}
	r.put(w)
	return nil
}

// Format prints the suite only, whatever the verb: a ReaderAt holds plaintext.
func (r *ReaderAt) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "envelope.ReaderAt{%v}", r.header.Suite)
}

// Header returns the message's header, which is authentic. It is shared by all
// calls.
func (r *ReaderAt) Header() *Header { return r.header }

// Size returns the length of the plaintext in bytes, which is authentic.
func (r *ReaderAt) Size() int64 { return r.layout.size() }

// ReadAt reads len(p) bytes of plaintext from offset off on, as [io.ReaderAt] says:
// if it returns fewer, the error says why, and is [io.EOF] at the end of the
// plaintext. The bytes it returns are authentic, also beside an error. It may use
// all of p as scratch space.
//
// An error is not final. What failed may be tried again, and other parts of the
// message can still be read.
func (r *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("envelope: reading at the negative offset %d", off)
	}
	left := r.Size() - off
	if left <= 0 {
		return 0, io.EOF
	}
	atEnd := int64(len(p)) > left
	if atEnd {
		p = p[:left]
	}
	w := r.take()
	n, err := r.read(w, p, off)
	r.put(w)
	if err == nil && atEnd {
		err = io.EOF
	}
	return n, err
}

// read fills p, which ends within the plaintext.
func (r *ReaderAt) read(w *window, p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		if err := r.ctx.Err(); err != nil {
			return n, fmt.Errorf("envelope: %w", err)
		}
		pos := off + int64(n)
		i, skip := pos/int64(r.layout.length), int(pos%int64(r.layout.length))
		if w.plain != nil && w.index == i {
			n += copy(p[n:], w.plain[skip:])
			continue
		}
		got, err := r.readRun(w, p[n:], i, skip)
		n += got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readRun reads from frame i on, without the first skip bytes, as much of p as one
// fetch gives. A frame that p has room for is opened into p, any other in place.
func (r *ReaderAt) readRun(w *window, p []byte, i int64, skip int) (int, error) {
	want := (int64(skip)+int64(len(p))-1)/int64(r.layout.length) + 1
	want = min(want, max(1, fetchLen/r.layout.stride()))
	if err := r.fetch(w, i, want); err != nil {
		return 0, err
	}
	n := 0
	for rest := w.buf; len(rest) > 0; i++ {
		size := int(r.layout.end(i) - r.layout.offset(i))
		frame := rest[:size]
		rest = rest[size:]
		if skip == 0 && r.layout.plain(i) <= len(p)-n {
			out, err := r.open(p[n:n], &w.aad, i, frame)
			if err != nil {
				return n, err
			}
			n += len(out)
			continue
		}
		if err := r.hold(w, i, frame); err != nil {
			return n, err
		}
		n += copy(p[n:], w.plain[skip:])
		skip = 0
	}
	return n, nil
}

// open appends the plaintext of frame i to dst, which has the room.
func (r *ReaderAt) open(dst []byte, a *aad, i int64, frame []byte) ([]byte, error) {
	if err := r.layout.check(i, frame); err != nil {
		return nil, err
	}
	seq := uint32(i + firstFrame)
	if r.layout.final(i) {
		if out, ok := r.frames.openEnd(dst, a, seq, finalContent, frame); ok {
			return out, nil
		}
	} else if out, n := r.frames.openRun(dst, a, seq, frame); n == 1 {
		return out, nil
	}
	return nil, ErrAuth
}

// A window is a run of frames as they came from the source, of which those that
// were asked for in part have been opened in place. It has one user at a time.
type window struct {
	buf   []byte // its capacity is reused
	aad   aad
	index int64  // of the frame that is held
	plain []byte // its plaintext, a part of buf; nil if none is held
}

// take returns a window, if possible the one that was used last.
func (r *ReaderAt) take() *window {
	if w := r.recent.Swap(nil); w != nil {
		return w
	}
	if w, ok := r.free.Get().(*window); ok {
		return w
	}
	return &window{aad: newAAD(r.header.MessageID)}
}

// put gives a window back.
func (r *ReaderAt) put(w *window) {
	if w = r.recent.Swap(w); w != nil {
		w.drop()
		r.free.Put(w)
	}
}

// drop wipes the plaintext that w holds.
func (w *window) drop() {
	clear(w.plain)
	w.plain = nil
}

// fetch fills w with up to n frames from frame i on.
func (r *ReaderAt) fetch(w *window, i, n int64) error {
	w.drop()
	from := r.layout.offset(i)
	size := int(r.layout.end(min(i+n, r.layout.count)-1) - from)
	if cap(w.buf) < size {
		w.buf = make([]byte, size)
	}
	w.buf = w.buf[:size]
	switch got, err := r.src.ReadAt(w.buf, from); {
	case got == size:
		return nil
	case err == io.EOF && got >= 0 && got < size:
		return ErrTruncated
	case err == nil || got < 0 || got > size:
		return errors.New("envelope: reading the message: the source returned an impossible count")
	default:
		return fmt.Errorf("envelope: reading the message: %w", err)
	}
}

// hold opens frame i in place and keeps its plaintext.
func (r *ReaderAt) hold(w *window, i int64, frame []byte) error {
	w.drop()
	start := regularStart
	if r.layout.final(i) {
		start = finalStart
	}
	plain, err := r.open(frame[start:start], &w.aad, i, frame)
	if err == nil {
		w.index, w.plain = i, plain
	}
	return err
}
