package s3crypto

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/sealring/sealring/internal/gcmstream"
)

// ErrBodyChanged is returned when a body, or a part of one, does not read as it did the
// first time. Two plaintexts under one keystream would give each other away, so nothing of
// the second one has left the process.
var ErrBodyChanged = errors.New("s3crypto: body has changed since it was first read")

// errReturned is what those get who read a body after the call that it was for.
var errReturned = errors.New("s3crypto: body is no longer to be read")

// chunkSize is how much of a seekable body is encrypted at a time. It is a multiple of
// the block size.
const chunkSize = 1 << 20

// sealedBody reads a seekable plaintext as ciphertext, as often and from wherever the SDK
// likes: for a checksum, for a signature, for the request and for its repetition. It holds
// one chunk in memory.
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
	chunk   []byte // ciphertext
	number  int64  // of chunk, or -1
	tag     []byte
	pos     int64
	sending bool // what is read goes into a request
	err     error
}

// newSealedBody returns the ciphertext of what src has from its position on, which is
// length bytes and stands at offset in the message.
func newSealedBody(m *gcmstream.Message, src io.ReadSeeker, offset, start, length int64) *sealedBody {
	return &sealedBody{
		message: m, offset: offset, start: start, length: length, src: src, at: -1, number: -1,
		pieces: make([]gcmstream.Piece, (length+chunkSize-1)/chunkSize),
	}
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

// load makes chunk the one with the given number.
func (b *sealedBody) load(number int64) error {
	if b.number == number {
		return nil
	}
	begin := number * chunkSize
	n := min(chunkSize, b.length-begin)
	plaintext, err := b.read(begin, n)
	if err != nil {
		return err
	}
	chunk, piece, err := b.message.Seal(plaintext[:0], plaintext, b.offset+begin)
	if err != nil {
		return b.fail(fmt.Errorf("%w: %v", ErrTooLarge, err))
	}
	switch known := &b.pieces[number]; {
	case known.Len() == 0:
		*known = piece
	case !samePiece(*known, piece):
		return b.fail(ErrBodyChanged)
	}
	b.chunk, b.number = chunk, number
	return nil
}

// read reads n bytes of plaintext over the chunk, and sees that nothing follows the last
// ones.
func (b *sealedBody) read(begin, n int64) ([]byte, error) {
	if b.at != b.start+begin {
		b.at = -1
		if _, err := b.src.Seek(b.start+begin, io.SeekStart); err != nil {
			return nil, fmt.Errorf("s3crypto: body: %w", err)
		}
	}
	b.at, b.number = -1, -1
	want := n
	if begin+n == b.length {
		want++
	}
	if b.chunk == nil {
		b.chunk = make([]byte, min(chunkSize, b.length)+gcmTagSize)
	}
	read, err := readFull(b.src, b.chunk[:want])
	switch {
	case err != nil && err != io.EOF:
		return nil, fmt.Errorf("s3crypto: body: %w", err)
	case int64(read) != n:
		return nil, b.fail(ErrBodyChanged)
	}
	b.at = b.start + begin + n
	return b.chunk[:n], nil
}

// fail makes err the answer to all reads, and lets go of what was not to be seen.
func (b *sealedBody) fail(err error) error {
	clear(b.chunk[:cap(b.chunk)])
	b.chunk, b.number, b.err = nil, -1, err
	return err
}

// join returns the piece of the whole ciphertext. It reads what was not read before.
func (b *sealedBody) join() (whole gcmstream.Piece, err error) {
	if b.length == 0 { // nothing else looks for its end
		if _, err := b.read(0, 0); err != nil {
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
// has been given out.
func (b *sealedBody) scan() (gcmstream.Piece, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
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
	clear(b.chunk[:cap(b.chunk)])
	b.src, b.chunk, b.err = nil, nil, errReturned
	return err
}

// samePiece takes the same time whatever the hashes are.
func samePiece(a, b gcmstream.Piece) bool {
	x, _ := a.MarshalBinary()
	y, _ := b.MarshalBinary()
	return subtle.ConstantTimeCompare(x, y) == 1
}

// readFull reads until p is full. Unlike [io.ReadFull] it returns the reader's own error:
// io.EOF is the end of what is read, and io.ErrUnexpectedEOF that of a connection.
func readFull(r io.Reader, p []byte) (n int, err error) {
	const maxEmpty = 100 // reads in a row that give nothing
	for empty := 0; n < len(p) && err == nil; {
		var read int
		read, err = r.Read(p[n:])
		n += read
		if read > 0 {
			empty = 0
		} else if empty++; err == nil && empty == maxEmpty {
			err = io.ErrNoProgress
		}
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}
