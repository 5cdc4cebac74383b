package s3crypto

import "github.com/sealring/sealring/internal/gcmstream"

// sealedChunk is a chunk that is encrypted where it lies. Its memory serves many of them,
// one after the other.
type sealedChunk struct {
	number int64  // or -1 if it has none
	room   []byte // for the chunk and a tag
	done   chan struct{}

	// These are set when done is closed.
	ciphertext []byte
	piece      gcmstream.Piece
	err        error
}

// seal encrypts the n bytes that the chunk has.
func (c *sealedChunk) seal(m *gcmstream.Message, n, offset int64) {
	defer close(c.done)
	c.ciphertext, c.piece, c.err = m.Seal(c.room[:0], c.room[:n], offset)
}

// wait returns when the chunk is not being encrypted.
func (c *sealedChunk) wait() {
	if c.done != nil {
		<-c.done
	}
}
