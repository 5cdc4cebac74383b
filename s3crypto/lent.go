package s3crypto

import (
	"io"
	"sync"
)

// lentBytes are bytes in memory that are lent to the SDK for one call.
type lentBytes struct {
	mu  sync.Mutex
	r   io.ReadSeeker
	err error
}

// Read implements io.Reader.
func (l *lentBytes) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	return l.r.Read(p)
}

// Seek implements io.Seeker.
func (l *lentBytes) Seek(offset int64, whence int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	return l.r.Seek(offset, whence)
}

// release takes the bytes back: they can be written to.
func (l *lentBytes) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.r, l.err = nil, errReturned
}
