package s3crypto

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/sealring/sealring/internal/gcmstream"
)

// errReturned is what those get who read a body after the call that it was for.
var errReturned = errors.New("s3crypto: body is no longer to be read")

// chunkSize is how much of a seekable body is encrypted at a time. It is a multiple of
// the block size.
const chunkSize = 1 << 20

// sealedBody reads a seekable plaintext as ciphertext, as often and from wherever the SDK
// likes: for a checksum, for a signature, for the request and for its repetition. It holds
// two chunks in memory.
//
// The first time that a chunk is encrypted its piece is noted. After that nothing of the
// chunk is given out before the piece is seen to be the same.
//
// It is safe for concurrent use, because a transport may still read from it when the
// SDK's call has returned. After release it does not touch the plaintext any more.
type sealedBody struct {
	message *gcmstream.Message
	offset  int64 // of the plaintext in the message
	start   int64 // of the plaintext in src
	length  int64 // of the plaintext
	tagged  bool  // the message's tag follows
	sent    func(done int64)

	mu      sync.Mutex // guards all that follows
	src     io.ReadSeeker
	at      int64 // where src is, or -1
	pieces  []gcmstream.Piece
	chunks  []sealedChunk // one or two; a chunk's place is its number modulo that
	chunk   []byte        // the ciphertext that is read, which was compared
	number  int64         // of chunk, or -1
	tag     []byte
	pos     int64
	sending bool // what is read goes into a request
	err     error
}

// newSealedBody returns the ciphertext of what src has from its position on, which is
// length bytes and stands at offset in the message.
func newSealedBody(m *gcmstream.Message, src io.ReadSeeker, offset, start, length int64) *sealedBody {
	b := &sealedBody{
		message: m, offset: offset, start: start, length: length, src: src, at: -1, number: -1,
		pieces: make([]gcmstream.Piece, (length+chunkSize-1)/chunkSize),
		chunks: []sealedChunk{{number: -1}},
	}
	if len(b.pieces) > 1 && runtime.GOMAXPROCS(0) > 1 {
		b.chunks = append(b.chunks, sealedChunk{number: -1})
	}
	return b
}

// errMoved is returned for a body that went to its end and does not come back.
var errMoved = errors.New("s3crypto: body cannot be read from where it was")

// measure returns the position of a body and how many bytes follow it. The position stays
// the same, unless the error is errMoved.
func measure(body io.ReadSeeker) (start, length int64, err error) {
	if start, err = body.Seek(0, io.SeekCurrent); err != nil {
		return 0, 0, err
	}
	end, err := body.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, err
	}
	if _, err = body.Seek(start, io.SeekStart); err != nil {
		return 0, 0, fmt.Errorf("%w: %v", errMoved, err)
	}
	return start, max(end-start, 0), nil
}

// Format prints nothing of the body, whatever the verb: the pieces are secret.
func (b *sealedBody) Format(f fmt.State, _ rune) { fmt.Fprint(f, "s3crypto body") }

func (b *sealedBody) size() int64 {
	if b.tagged {
		return b.length + gcmTagSize
	}
	return b.length
}

// Read implements io.Reader. The error is ErrBodyChanged, from then on, if the plaintext
// has another length or content than before.
func (b *sealedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	case b.pos >= b.size():
		return 0, io.EOF
	}
	ciphertext, err := b.ahead()
	if err != nil {
		return 0, err
	}
	n := copy(p, ciphertext)
	b.pos += int64(n)
	if b.sending && b.sent != nil {
		b.sent(min(b.pos, b.length))
	}
	return n, nil
}

// ahead returns what comes at pos: the rest of its chunk, or of the tag.
func (b *sealedBody) ahead() ([]byte, error) {
	if b.pos < b.length {
		if err := b.load(b.pos / chunkSize); err != nil {
			return nil, err
		}
		return b.chunk[b.pos%chunkSize:], nil
	}
	if b.tag == nil {
		whole, err := b.join()
		if err != nil {
			return nil, err
		}
		tag := b.message.Tag(whole)
		b.tag = tag[:]
	}
	return b.tag[b.pos-b.length:], nil
}

// load makes chunk the one with the given number, and has the next one encrypted.
func (b *sealedBody) load(number int64) error {
	if b.number == number {
		return nil
	}
	b.number = -1
	c, err := b.prepare(number)
	switch {
	case err == ErrBodyChanged:
		return b.fail(err)
	case err != nil:
		return err
	}
	if len(b.chunks) > 1 && number+1 < int64(len(b.pieces)) {
		_, _ = b.prepare(number + 1) // what is wrong with it is seen when it is its turn
	}
	c.wait()
	if c.err != nil {
		return b.fail(fmt.Errorf("%w: %v", ErrTooLarge, c.err))
	}
	switch known := &b.pieces[number]; {
	case known.Len() == 0:
		*known = c.piece
	case !samePiece(*known, c.piece):
		return b.fail(ErrBodyChanged)
	}
	b.chunk, b.number = c.ciphertext, number
	return nil
}

// prepare reads a chunk, unless it is there already, and begins to encrypt it.
func (b *sealedBody) prepare(number int64) (*sealedChunk, error) {
	c := &b.chunks[number%int64(len(b.chunks))]
	if c.number == number {
		return c, nil
	}
	c.wait()
	c.number = -1
	begin := number * chunkSize
	n := min(chunkSize, b.length-begin)
	if c.room == nil {
		c.room = make([]byte, min(chunkSize, b.length)+gcmTagSize)
	}
	if err := b.read(c.room, begin, n); err != nil {
		return nil, err
	}
	c.number, c.done = number, make(chan struct{})
	if len(b.chunks) > 1 {
		go c.seal(b.message, n, b.offset+begin)
	} else {
		c.seal(b.message, n, b.offset+begin)
	}
	return c, nil
}

// read reads the n bytes of plaintext that come after the first begin ones, and sees that
// nothing follows the last ones. room has place for them and for a tag. The error is
// ErrBodyChanged if there are more bytes or less.
func (b *sealedBody) read(room []byte, begin, n int64) error {
	if b.at != b.start+begin {
		b.at = -1
		if _, err := b.src.Seek(b.start+begin, io.SeekStart); err != nil {
			return fmt.Errorf("s3crypto: body: %w", err)
		}
	}
	b.at = -1
	want := n
	if begin+n == b.length {
		want++
	}
	read, err := readFull(b.src, room[:want])
	switch {
	case err != nil && err != io.EOF:
		return fmt.Errorf("s3crypto: body: %w", err)
	case int64(read) != n:
		return ErrBodyChanged
	}
	b.at = b.start + begin + n
	return nil
}

// fail makes err the answer to all reads, and lets go of what was not to be seen.
func (b *sealedBody) fail(err error) error {
	b.wipe()
	b.err = err
	return err
}

// wipe waits until nothing is encrypted any more, and clears all chunks.
func (b *sealedBody) wipe() {
	for i := range b.chunks {
		b.chunks[i].wait()
		clear(b.chunks[i].room)
		b.chunks[i] = sealedChunk{number: -1}
	}
	b.chunk, b.number = nil, -1
}

// join returns the piece of the whole ciphertext. It reads what was not read before.
func (b *sealedBody) join() (whole gcmstream.Piece, err error) {
	if b.length == 0 { // nothing else looks for its end
		if err := b.read(make([]byte, gcmTagSize), 0, 0); err == ErrBodyChanged {
			return whole, b.fail(err)
		} else if err != nil {
			return whole, err
		}
	}
	for number, piece := range b.pieces {
		if piece.Len() == 0 {
			if err := b.load(int64(number)); err != nil {
				return whole, err
			}
			piece = b.pieces[number]
		}
		if whole, err = b.message.Join(whole, piece); err != nil {
			return whole, b.fail(fmt.Errorf("%w: %v", ErrTooLarge, err))
		}
	}
	return whole, nil
}

// scan reads the plaintext once and returns the piece of the ciphertext, of which nothing
// has been given out. It stops when ctx ends.
func (b *sealedBody) scan(ctx context.Context) (whole gcmstream.Piece, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for number := range b.pieces {
		if err := context.Cause(ctx); err != nil {
			return whole, err
		}
		if err := b.load(int64(number)); err != nil {
			return whole, err
		}
	}
	return b.join()
}

// Seek implements io.Seeker, for the ciphertext.
func (b *sealedBody) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += b.pos
	case io.SeekEnd:
		offset += b.size()
	default:
		return 0, fmt.Errorf("s3crypto: seek with whence %d", whence)
	}
	if offset < 0 {
		return 0, errors.New("s3crypto: seek before the beginning of the body")
	}
	b.pos = offset
	return offset, nil
}

// begin tells the body that it is read for a request from now on.
func (b *sealedBody) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sending = true
}

// release ends the use of the plaintext. It returns ErrBodyChanged if that was seen.
func (b *sealedBody) release() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.err
	b.wipe()
	b.src, b.err = nil, errReturned
	return err
}

// samePiece takes the same time whatever the hashes are.
func samePiece(a, b gcmstream.Piece) bool {
	x, _ := a.MarshalBinary()
	y, _ := b.MarshalBinary()
	return subtle.ConstantTimeCompare(x, y) == 1
}
