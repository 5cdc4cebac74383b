package main

import (
	"fmt"
	"io"
)

const (
	lines  = 400_000
	length = int64(lines * len("order 000000: 12 chests of tea\n"))
)

// report returns a report that is made while it is read: its length could be known, but
// it cannot be read twice.
func report() io.Reader {
	r, w := io.Pipe()
	go func() {
		var err error
		for i := 0; i < lines && err == nil; i++ {
			_, err = fmt.Fprintf(w, "order %06d: 12 chests of tea\n", i)
		}
		w.CloseWithError(err)
	}()
	return r
}
