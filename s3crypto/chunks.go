package s3crypto

import "io"

const (
	// pieceSize is the length of the pieces in which a body is read: the ciphertext of
	// one stays in the processor's cache while it is authenticated and decrypted.
	pieceSize = 256 << 10

	// lookahead is what has to follow a piece that is not the last one: a tag, and
	// something before it. So the last piece always has content, unless there is none.
	lookahead = gcmTagSize + 1

	// piecesAhead is how many pieces there are when they are read ahead: one that is
	// decrypted, one that is read, and one between them.
	piecesAhead = 3
)

// chunks reads a body in pieces.
type chunks struct {
	r     io.Reader
	size  int // of all pieces but the last
	taken *chunk

	kept    [lookahead]byte // what follows the piece that was read last
	keptLen int

	// A goroutine reads ahead if these are set, and has r, kept and keptLen to itself.
	// There are piecesAhead chunks in both, so that nobody waits to send.
	free, full chan *chunk
	stop       chan struct{} // closed by wipe
}

// chunk is a piece and the memory that it is in.
type chunk struct {
	buf  []byte // size and lookahead
	n    int    // the length of the piece
	last bool
	err  error // why there is no piece
}

// newChunks reads r, which has n bytes or, if n is negative, it is not known how many.
func newChunks(r io.Reader, n int64) *chunks {
	size := int64(pieceSize)
	if n >= 0 && n < size {
		size = max(n+15, 16) &^ 15
	}
	return &chunks{r: r, size: int(size), taken: &chunk{}}
}

// newChunksAhead reads r ahead of who takes the pieces, unless there is one piece only.
// It does so from the first call of next until the end of r, an error, or wipe.
func newChunksAhead(r io.Reader, n int64) *chunks {
	c := newChunks(r, n)
	if c.size == pieceSize {
		c.free, c.full, c.stop = make(chan *chunk, piecesAhead), make(chan *chunk, piecesAhead), make(chan struct{})
	}
	return c
}

// next returns the next piece, which is the caller's until the next call. All but the
// last one have whole blocks, and at least lookahead bytes follow them. There is no next
// one after the last, or after an error.
func (c *chunks) next() (piece []byte, last bool, err error) {
	switch {
	case c.full == nil:
		c.read(c.taken)
	case c.taken.buf == nil:
		for range piecesAhead {
			c.free <- &chunk{}
		}
		go c.readAhead()
		c.taken = <-c.full
	default:
		c.free <- c.taken
		c.taken = <-c.full
	}
	return c.taken.buf[:c.taken.n], c.taken.last, c.taken.err
}

// readAhead reads as long as there are pieces and nobody stops it.
func (c *chunks) readAhead() {
	for more := true; more; {
		select {
		case <-c.stop:
			more = false
		case next := <-c.free:
			more = c.read(next)
			c.full <- next
		}
	}
	select {
	case <-c.stop:
		c.drain()
	default: // wipe will do that
	}
}

// read reads the next piece, and reports whether another one follows it.
func (c *chunks) read(next *chunk) bool {
	if next.buf == nil {
		next.buf = make([]byte, c.size+lookahead)
	}
	copy(next.buf, c.kept[:c.keptLen])
	n, err := readFull(c.r, next.buf[c.keptLen:])
	switch {
	case err == io.EOF:
		next.n, next.last = c.keptLen+n, true
		return false
	case err != nil:
		next.n, next.err = 0, err
		return false
	}
	next.n = c.size
	c.keptLen = copy(c.kept[:], next.buf[c.size:])
	return true
}

// wipe ends the reading, though not what r is about to read, and clears all pieces.
func (c *chunks) wipe() {
	clear(c.taken.buf)
	if c.stop == nil {
		return
	}
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.drain()
}

// drain clears the chunks that nobody works with.
func (c *chunks) drain() {
	for {
		select {
		case unused := <-c.free:
			clear(unused.buf)
		case unused := <-c.full:
			clear(unused.buf)
		default:
			return
		}
	}
}
