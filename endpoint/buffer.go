package endpoint

import (
	"io"
	"sync"
)

const (
	newBuffer = 4 << 10 // holds the bodies of all but a few requests

	// maxKeptBuffer bounds the memory that is used again.
	maxKeptBuffer = 16 << 10
)

// buffers lends buffers to requests. Its zero value is ready to use.
type buffers struct{ pool sync.Pool } // of *buffer

// A buffer holds the body of a request and then that of its answer. Either may be
// plaintext: no memory that held it is let go before it is wiped.
type buffer struct {
	bytes []byte
	watch bodyWatch // of the reading of a body
}

func (p *buffers) get() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		return b
	}
	return &buffer{bytes: make([]byte, 0, newBuffer)}
}

// put takes a buffer back. Nobody may have a part of it any more.
func (p *buffers) put(b *buffer) {
	b.wipe()
	if cap(b.bytes) <= maxKeptBuffer {
		p.pool.Put(b)
	}
}

// wipe empties the buffer.
func (b *buffer) wipe() {
	clear(b.bytes[:cap(b.bytes)])
	b.bytes = b.bytes[:0]
}

// readAll fills the buffer with what r has. It stops, without an error, when that is
// more than limit bytes.
func (b *buffer) readAll(r io.Reader, limit int) error {
	for len(b.bytes) <= limit {
		if len(b.bytes) == cap(b.bytes) {
			b.grow()
		}
		n, err := r.Read(b.bytes[len(b.bytes):min(cap(b.bytes), limit+1)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
	return nil
}

// grow makes room in the buffer.
func (b *buffer) grow() {
	bigger := append(make([]byte, 0, 2*cap(b.bytes)), b.bytes...)
	b.wipe()
	b.bytes = bigger
}

// hold makes what came of appending to the buffer its contents.
func (b *buffer) hold(bytes []byte) {
	if cap(bytes) != cap(b.bytes) { // it has outgrown the old memory
		b.wipe()
	}
	b.bytes = bytes
}
