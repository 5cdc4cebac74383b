package main

import (
	"fmt"
	"io"
)

// lines is how many orders there are.
const lines = 400_000

// report is a report that is made while it is read. It cannot seek, and nobody has said how
// long it is.
type report struct {
	line int
	rest []byte // of the line before
}

// Read implements io.Reader.
func (r *report) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.line == lines {
			return 0, io.EOF
		}
		r.rest = fmt.Appendf(nil, "order %06d: 12 chests of tea\n", r.line)
		r.line++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
