package envelope

import (
	"errors"
	"fmt"
	"io"
)

// errCount is a source's that breaks io.Reader's contract.
var errCount = errors.New("the source returned an impossible count")

// firstRead is the size of the first read: a header and a short body.
const firstRead = 4096

// input is the source of a message: bytes that are here, buf[r:w], and a reader
// for those to come. It asks the reader only when what is here does not suffice
// for the next field or frame, and then takes whatever it gives, so that a frame
// is available as soon as it has arrived. The buffer grows with the bytes that
// arrive, not with the length that a message claims.
type input struct {
	src    io.Reader
	buf    []byte
	r, w   int
	err    error // of src: no more bytes will come
	exact  bool  // never read past what is asked for
	ahead  int   // how large the buffer may become without need; 0: batchLen
	filled bool  // the last read filled the buffer: a larger one pays
}

// newInput returns the input of a whole message, which it does not modify.
func newInput(message []byte) *input {
	return &input{buf: message, w: len(message), err: io.EOF}
}

// peek returns the next n bytes, which stay valid until the next call. The error
// is ErrTruncated if the source ends before.
func (in *input) peek(n int) ([]byte, error) {
	for in.w-in.r < n {
		switch {
		case in.err == io.EOF:
			return nil, ErrTruncated
		case in.err != nil:
			return nil, fmt.Errorf("envelope: reading the message: %w", in.err)
		}
		in.fill(n)
	}
	return in.buf[in.r : in.r+n], nil
}

// buffered returns all bytes that are here.
func (in *input) buffered() []byte { return in.buf[in.r:in.w] }

// skip drops n bytes that are here.
func (in *input) skip(n int) { in.r += n }

// end returns nil if the source ends here, else ErrTrailingData or its error.
func (in *input) end() error {
	switch _, err := in.peek(1); {
	case err == nil:
		return ErrTrailingData
	case errors.Is(err, ErrTruncated):
		return nil
	default:
		return err
	}
}

// fill reads once, into a buffer that moves towards a size of n bytes or as many
// as may be read ahead, whichever is more.
func (in *input) fill(n int) {
	if in.r > 0 {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	most := max(n, batchLen, in.ahead)
	if in.w == len(in.buf) || in.filled && len(in.buf) < most {
		size := min(max(2*len(in.buf), firstRead), most)
		in.buf = grow(in.buf[:in.w], size-in.w)
		in.buf = in.buf[:min(cap(in.buf), most)]
	}
	free := in.buf[in.w:]
	if in.exact {
		free = free[:min(len(free), n-in.w)]
	}
	var got int
	for range 100 {
		if got, in.err = in.src.Read(free); got != 0 || in.err != nil {
			break
		}
	}
	switch {
	case got < 0 || got > len(free):
		got, in.err = 0, errCount
	case got == 0 && in.err == nil:
		in.err = io.ErrNoProgress
	}
	in.w += got
	in.filled = got == len(free)
}

// release gives the buffer back. No more can be taken from the input.
func (in *input) release() {
	putBuffer(in.buf)
	in.buf, in.r, in.w = nil, 0, 0
}
