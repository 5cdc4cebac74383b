package envelope

import (
	"math/bits"
	"sync"
)

// The buffers of streams are used again by later ones, because the first touch of
// memory costs more than what is done with it. They hold plaintext, so they are
// wiped before they wait for their next user. Their sizes are powers of two.
const (
	smallestBuffer = 12 // log2
	largestBuffer  = 26 // log2; what is larger is not kept
)

var pools [largestBuffer + 1]sync.Pool // of *[]byte; by log2 of the capacity

// getBuffer returns an empty buffer with room for n bytes.
func getBuffer(n int) []byte {
	class := max(smallestBuffer, bits.Len(uint(max(n, 1)-1)))
	if class > largestBuffer {
		return make([]byte, 0, n)
	}
	if b, ok := pools[class].Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 0, 1<<class)
}

// putBuffer wipes a buffer of getBuffer, or nil, and gives it to whoever needs one
// next.
func putBuffer(b []byte) {
	b = b[:cap(b)]
	clear(b)
	class := bits.Len(uint(len(b))) - 1
	if class < smallestBuffer || class > largestBuffer || len(b) != 1<<class {
		return
	}
	b = b[:0]
	pools[class].Put(&b)
}

// grow returns a buffer of getBuffer with the bytes of b and room for n more: b
// itself, or a larger one, and then b is gone.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	bigger := append(getBuffer(len(b)+n), b...)
	putBuffer(b)
	return bigger
}
