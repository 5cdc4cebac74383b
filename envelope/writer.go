package envelope

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/sealring/sealring/keyring"
)

// Writer encrypts what is written to it and writes the message to another
// writer. Memory use does not depend on the length of the message. It is a frame
// that is held back and one that is being sealed or, if that is more, 256 KiB for
// each goroutine of [EncryptOptions.Parallelism], and during ReadFrom 512 KiB for
// each; sizes are rounded up to powers of two. Frames of which no two fit these
// 256 KiB together are sealed one at a time.
//
// The message is complete, and can be decrypted, only after Close has returned
// nil. A Writer that is abandoned needs no Close, except for its plaintext to be
// wiped and the end to be told to [keyring.Hooks]: what it wrote is refused as
// truncated. Every error but [ErrClosed] is final and is returned by all later
// calls. A Writer is not safe for concurrent use.
type Writer struct {
	ctx    context.Context
	end    keyring.DataWorkEnd // nil when it has been called
	dst    io.Writer
	s      *sealer
	length int64  // declared, 0 if unknown
	total  int64  // bytes of plaintext so far
	held   []byte // plaintext held back, at most a frame: it may be the last
	out    []byte // sealed and not yet in dst; its capacity is reused
	err    error
	closed bool
}

var (
	_ io.WriteCloser = (*Writer)(nil)
	_ io.ReaderFrom  = (*Writer)(nil)
)

// NewWriter returns a writer of one new message to dst. It gets the materials
// and so may call a key service, but writes nothing yet: the header goes to dst
// together with the first frame, so that after a failure of NewWriter dst is as
// it was, and the message's size can be announced before ([Writer.EncryptedSize]).
//
// ctx is for the whole life of the Writer; when it is done, the next call
// fails. The errors are those of [Encrypt].
func NewWriter(ctx context.Context, dst io.Writer, m keyring.Manager, o *EncryptOptions) (*Writer, error) {
	if o == nil {
		o = &EncryptOptions{}
	}
	if o.PlaintextLength < 0 {
		return nil, fmt.Errorf("%w: declared were %d bytes", ErrLength, o.PlaintextLength)
	}
	length := cmp.Or(o.PlaintextLength, -1)
	ctx, end := keyring.BeginData(ctx, keyring.DataWork{Operation: keyring.OpEncrypt, Length: length})
	s, err := newSealer(ctx, m, o, length)
	if err == nil && length > 0 {
		_, err = s.encryptedSize(length)
	}
	if err != nil {
		end(0, err)
		return nil, err
	}
	w := &Writer{ctx: ctx, end: end, dst: dst, s: s, length: o.PlaintextLength}
	w.out = append(getBuffer(len(s.header.raw)), s.header.raw...)
	return w, nil
}

// Format prints the suite only, whatever the verb: a Writer holds plaintext.
func (w *Writer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "envelope.Writer{%v}", w.s.header.Suite) }

// EncryptedSize returns the exact length in bytes of the whole message, header
// included, if n bytes of plaintext are written in all. The error is [ErrLimit]
// if so many do not fit.
func (w *Writer) EncryptedSize(n int64) (int64, error) { return w.s.encryptedSize(n) }

// Write encrypts p, which it neither keeps nor changes. All whole frames but the
// last have been given to the underlying writer when it returns; at most one
// frame's plaintext is held back, because the last frame is marked as such. The
// error is [ErrLength] if p exceeds the declared length, of which nothing is
// written then, [ErrLimit], [ErrClosed], or the underlying writer's.
func (w *Writer) Write(p []byte) (int, error) {
	if w.closed {
		return 0, ErrClosed
	}
	n, err := w.write(p)
	if err != nil {
		w.finish()
	}
	return n, err
}

func (w *Writer) write(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	if w.length > 0 && int64(len(p)) > w.length-w.total {
		w.err = fmt.Errorf("%w: more than %d bytes", ErrLength, w.length)
		return 0, w.err
	}
	rest := p
	if frame := w.s.frames.length; len(w.held) > 0 && len(p) > frame-len(w.held) {
		n := frame - len(w.held)
		w.hold(p[:n])
		rest = p[n:]
		w.seal(w.held)
		w.held = w.held[:0]
	}
	rest = w.sealWhole(rest)
	if w.s.seq > firstFrame {
		w.flush()
	}
	if w.err != nil {
		return len(p) - len(rest), w.err
	}
	w.hold(rest)
	w.total += int64(len(p))
	return len(p), nil
}

// ready returns what keeps the Writer from going on.
func (w *Writer) ready() error {
	if w.err == nil {
		if err := w.ctx.Err(); err != nil {
			w.err = fmt.Errorf("envelope: %w", err)
		}
	}
	return w.err
}

// sealWhole seals the whole frames of p but the last and returns the rest.
func (w *Writer) sealWhole(p []byte) []byte {
	frame := w.s.frames.length
	for len(p) > frame && w.ready() == nil {
		whole := (len(p) - 1) / frame * frame
		if len(w.out) == 0 && w.s.parallel(whole) && w.slots() > 1 {
			p = p[w.sealParallel(p[:whole]):]
			continue
		}
		room := (batchLen - len(w.out)) / (frame + frameOverhead)
		if room < 1 && len(w.out) > 0 {
			w.flush()
			continue
		}
		n := min(whole, max(1, room)*frame)
		w.seal(p[:n])
		p = p[n:]
	}
	return p
}

// slots returns how many batches sealParallel has room for.
func (w *Writer) slots() int {
	batch := batchFrames(w.s.frames.length) * (w.s.frames.length + frameOverhead)
	return w.s.workers * ringLen / batch
}

// sealParallel seals regular frames and gives them to dst batch by batch. It
// returns the length of the plaintext that dst has taken.
func (w *Writer) sealParallel(plaintext []byte) (n int) {
	batch := batchFrames(w.s.frames.length) * (w.s.frames.length + frameOverhead)
	w.out = grow(w.out, w.slots()*batch)
	n, w.err = w.s.sealParallel(w.ctx, w.out[:w.slots()*batch], w.slots(), plaintext, w.emit)
	return n
}

// seal adds regular frames to out.
func (w *Writer) seal(plaintext []byte) {
	if w.err == nil {
		size := len(plaintext) / w.s.frames.length * (w.s.frames.length + frameOverhead)
		w.out, w.err = w.s.appendRun(grow(w.out, size), plaintext)
	}
}

// flush gives out to dst in one call.
func (w *Writer) flush() {
	if w.err != nil || len(w.out) == 0 {
		return
	}
	w.err = w.emit(w.out)
	w.out = w.out[:0]
}

// emit gives part of the message to dst. If dst panics, the Writer is done with:
// what would be written next has numbers that may have been used.
func (w *Writer) emit(b []byte) error {
	w.err = errPanicked
	n, err := w.dst.Write(b)
	w.err = nil
	if err == nil && n != len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("envelope: writing the message: %w", err)
	}
	return nil
}

// hold appends p to held, whose room grows with what comes, to that of a frame.
func (w *Writer) hold(p []byte) {
	if n := len(w.held) + len(p); n > cap(w.held) {
		w.held = grow(w.held, min(w.s.frames.length, max(n, 2*cap(w.held)))-len(w.held))
	}
	w.held = append(w.held, p...)
}

// ReadFrom encrypts all of r, as [io.Copy] does with larger pieces. Each piece that
// r gives is encrypted at once, on several goroutines if it has 512 KiB. It returns
// the number of bytes read.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	buf := getBuffer(batchLen)
	defer func() { putBuffer(buf) }()
	var total int64
	for {
		free := buf[:cap(buf)]
		n, err := r.Read(free)
		if n < 0 || n > len(free) {
			return total, fmt.Errorf("envelope: reading the plaintext: %w", errCount)
		}
		total += int64(n)
		if n > 0 {
			if _, err := w.Write(free[:n]); err != nil {
				return total, err
			}
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, err
		case n == len(free) && w.s.workers > 1 && n < w.s.workers*streamLen:
			putBuffer(buf)
			buf = getBuffer(w.s.workers * streamLen)
		}
	}
}

// Close completes the message: it writes the final frame and, in a signed
// message, the footer. It does not close the underlying writer. After an error
// it writes nothing and returns that error. A second Close returns what the
// first did.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	defer w.finish()
	if err := w.ready(); err != nil {
		return err
	}
	if w.length > 0 && w.total != w.length {
		w.err = fmt.Errorf("%w: %d bytes, declared were %d", ErrLength, w.total, w.length)
		return w.err
	}
	size := len(w.held) + finalOverhead + footerOverhead + w.s.suite.SigLen
	w.out, w.err = w.s.appendEnd(grow(w.out, size), w.held)
	w.flush()
	return w.err
}

// finish gives the buffers back and reports the end of the work, the first time
// that it is called.
func (w *Writer) finish() {
	if w.end == nil {
		return
	}
	putBuffer(w.held)
	putBuffer(w.out)
	w.held, w.out = nil, nil
	w.end(w.total, w.err)
	w.end = nil
}
