package s3crypto

import (
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// body decrypts a body as it is read.
type body struct {
	source io.Closer // may be closed while it is read; nil if there is none
	spool  *spool    // may not; nil if there is none

	turn sync.Mutex // held by who reads, and never taken by Close

	mu       sync.Mutex // held while the fields below are used
	lent     bool       // plain is with a writer, and may not be wiped
	chunks   *chunks
	content  decrypter
	checked  bool   // the whole was authenticated before
	verified bool   // and so it is now
	plain    []byte // the part of the current piece that was not read yet
	err      error  // what follows it
	closed   bool
}

// Read reads plaintext.
func (b *body) Read(p []byte) (int, error) {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if !b.fill() {
		return 0, b.err
	}
	n := copy(p, b.plain)
	b.plain = b.plain[n:]
	return n, nil
}

// WriteTo writes what is left of the plaintext to w, without a buffer between.
func (b *body) WriteTo(w io.Writer) (written int64, err error) {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.fill() {
		n, err := b.lend(w)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	if b.err == io.EOF {
		return written, nil
	}
	return written, b.err
}

// lend has w write what there is to read. It holds mu before and after, but not meanwhile:
// whoever closes the body does not wait for w.
func (b *body) lend(w io.Writer) (n int, err error) {
	plain := b.plain
	b.lent = true
	b.mu.Unlock()
	defer func() { // also if w panics
		b.mu.Lock()
		if b.lent = false; b.closed {
			b.chunks.wipe()
		} else {
			b.plain = plain[n:]
		}
	}()
	n, err = w.Write(plain)
	if n < len(plain) && err == nil {
		err = io.ErrShortWrite
	}
	return n, err
}

// fill reports whether there is plaintext to read, after having decrypted a further piece
// if that was needed. If there is none, err says why.
func (b *body) fill() bool {
	for len(b.plain) == 0 && b.err == nil {
		b.err = b.decrypt()
	}
	return len(b.plain) > 0
}

// decrypt decrypts the next piece. Nothing of the last one is released unless the whole
// is authentic.
func (b *body) decrypt() error {
	piece, last, err := b.chunks.next()
	if err != nil {
		return err
	}
	if !b.checked {
		if err := b.content.authenticate(piece, last); err != nil {
			b.chunks.wipe()
			return err
		}
	}
	if b.plain, err = b.content.decrypt(piece, last); err != nil {
		b.plain = nil
		b.chunks.wipe()
		return err
	}
	if last {
		_, cbc := b.content.(*cbcContent)
		b.verified = !cbc
		return io.EOF
	}
	return nil
}

// Close ends the reading, whether all was read or not, and wipes what was decrypted. It
// does not wait for a writer.
func (b *body) Close() (err error) {
	if b.source != nil {
		err = b.source.Close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	b.plain, b.err = nil, fs.ErrClosed
	if !b.lent {
		b.chunks.wipe()
	}
	if b.spool != nil {
		err = b.spool.Close()
	}
	return err
}

// Format prints nothing of the plaintext, whatever the verb.
func (b *body) Format(f fmt.State, _ rune) { fmt.Fprint(f, "s3crypto.body") }
