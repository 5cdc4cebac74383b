package s3crypto

import (
	"fmt"
	"io"
)

const (
	// pieceSize is the length of the pieces in which a body is read: the ciphertext of
	// one stays in the processor's cache while it is authenticated and decrypted.
	pieceSize = 256 << 10

	// lookahead is what has to follow a piece that is not the last one: a tag, and
	// something before it. So the last piece always has content, unless there is none.
	lookahead = gcmTagSize + 1
)

// chunks reads a body in pieces.
type chunks struct {
	r      io.Reader
	size   int    // of all pieces but the last
	buf    []byte // size and lookahead
	given  int    // the piece that next has returned
	filled int    // what follows it
}

// newChunks reads r, which has n bytes or, if n is negative, it is not known how many.
func newChunks(r io.Reader, n int64) *chunks {
	size := int64(pieceSize)
	if n >= 0 && n < size {
		size = max(n+15, 16) &^ 15
	}
	return &chunks{r: r, size: int(size), buf: make([]byte, size+lookahead)}
}

// next returns the next piece, which is the caller's until the next call. All but the
// last one have whole blocks, and at least lookahead bytes follow them.
func (c *chunks) next() (piece []byte, last bool, err error) {
	kept := copy(c.buf, c.buf[c.given:c.filled])
	n, err := readFull(c.r, c.buf[kept:])
	c.given, c.filled = 0, kept+n
	switch {
	case err == io.EOF:
		c.given = c.filled
		return c.buf[:c.filled], true, nil
	case err != nil:
		return nil, false, err
	}
	c.given = c.size
	return c.buf[:c.size], false, nil
}

func (c *chunks) wipe() {
	clear(c.buf)
	c.given, c.filled = 0, 0
}

// exact reads a body that has to have n bytes: one that ends earlier was cut, and one that
// does not end is not what S3 has announced.
type exact struct {
	r io.Reader
	n int64 // that are left, or -1 if there were more
}

func (e *exact) Read(p []byte) (int, error) {
	if e.n == 0 {
		var more [1]byte
		n, err := readFull(e.r, more[:])
		if n == 0 {
			return 0, err
		}
		e.n = -1
	}
	if e.n < 0 {
		return 0, fmt.Errorf("%w: the body is longer than its length", ErrResponse)
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.n)])
	e.n -= int64(n)
	if err == io.EOF && e.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
