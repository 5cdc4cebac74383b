package s3crypto

import "io"

// readFull reads until p is full. Unlike [io.ReadFull] it returns the reader's own error:
// io.EOF is the end of what is read, and io.ErrUnexpectedEOF that of a connection that was
// cut. If p is full the error is nil: the next call gets it, if it is one for good.
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
