package s3crypto

import (
	"fmt"
	"io"
)

// exact reads a body that has to have n bytes.
type exact struct {
	r     io.Reader
	n     int64 // that are left, or -1 if there were more
	short error // if the body ends before
	long  error // if it does not end there
}

// errLonger is returned for a body of S3's that does not end where its length says.
var errLonger = fmt.Errorf("%w: the body is longer than its length", ErrResponse)

// exactAnswer reads a body of S3's: one that ends before its length was cut.
func exactAnswer(r io.Reader, n int64) *exact { return &exact{r, n, io.ErrUnexpectedEOF, errLonger} }

// Read implements io.Reader. It returns no byte after the nth.
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
		return 0, e.long
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.n)])
	e.n -= int64(n)
	if err == io.EOF && e.n > 0 {
		err = e.short
	}
	return n, err
}
