package envelope

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/sealring/sealring/internal/suite"
)

// layout says where the frames of a body stand in a message. All regular frames
// are equally long, and longer than the final frame's plaintext can vary, so the
// length of an unsigned message determines it. Frames are counted from 0 here;
// their sequence numbers are higher by one.
type layout struct {
	start  int64 // of the first frame, in the message
	length int   // of a regular frame's plaintext
	count  int64 // of frames, the final one included
	last   int   // length of the final frame's plaintext
}

// newLayout returns the layout of a body that reaches from start to end, if there
// is one. What stands at the place of the final frame has to be checked yet: last
// may exceed length by what a frame has of overhead.
func newLayout(start, end int64, length int) (layout, error) {
	body := end - start - finalOverhead
	if body < 0 {
		return layout{}, ErrTruncated
	}
	l := layout{start: start, length: length}
	l.count, l.last = body/l.stride()+1, int(body%l.stride())
	if l.count > math.MaxUint32 {
		return layout{}, ErrTrailingData // no message is that long
	}
	return l, nil
}

// stride is the length of a regular frame in the message.
func (l *layout) stride() int64 { return int64(l.length) + frameOverhead }

// offset returns where frame i begins in the message.
func (l *layout) offset(i int64) int64 { return l.start + i*l.stride() }

// end returns where frame i ends in the message.
func (l *layout) end(i int64) int64 {
	if l.final(i) {
		return l.offset(i) + finalOverhead + int64(l.last)
	}
	return l.offset(i + 1)
}

func (l *layout) final(i int64) bool { return i == l.count-1 }

// size returns the length of the whole plaintext.
func (l *layout) size() int64 { return (l.count-1)*int64(l.length) + int64(l.last) }

// plain returns the length of the plaintext of frame i.
func (l *layout) plain(i int64) int {
	if l.final(i) {
		return l.last
	}
	return l.length
}

// check returns nil if frame, which fills the place of frame i, begins as that
// frame has to. Nothing of it is authentic yet.
func (l *layout) check(i int64, frame []byte) error {
	marker, seq := binary.BigEndian.Uint32(frame), uint32(i+firstFrame)
	switch {
	case !l.final(i) && marker == seq:
		return nil
	case !l.final(i):
		return ErrAuth
	case marker == finalMarker:
		return l.checkFinal(frame)
	case marker == seq:
		return ErrTruncated // a regular frame: the message goes on
	}
	return ErrAuth
}

// checkFinal checks what a final frame says of itself.
func (l *layout) checkFinal(frame []byte) error {
	if binary.BigEndian.Uint32(frame[sequenceLen:]) != uint32(l.count) {
		return ErrAuth
	}
	const field = 2*sequenceLen + suite.IVLen
	switch n := int64(binary.BigEndian.Uint32(frame[field:])); {
	case n > int64(l.length):
		return &FormatError{
			Offset: l.offset(l.count-1) + field, Field: "final frame length", kind: ErrMalformed,
			Reason: fmt.Sprintf("%d exceeds the frame length %d", n, l.length),
		}
	case n > int64(l.last):
		return ErrTruncated
	case n < int64(l.last):
		return ErrTrailingData
	}
	return nil
}
