package main

import (
	"fmt"
	"io"
	"os"
)

// input is what a command reads.
type input struct {
	io.Reader
	name string
	file *os.File // nil if it is not a regular file
	size int64    // of a regular file; -1 if it is something else
}

// open returns the input for a path; "" and "-" are standard input.
func (p *process) open(path string) (*input, error) {
	if path == "" || path == "-" {
		in := &input{Reader: p.stdin, name: "standard input", size: -1}
		if f, ok := p.stdin.(*os.File); ok {
			in.measure(f)
		}
		return in, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in := &input{Reader: f, name: path, size: -1}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s: is a directory", path)
	}
	in.measure(f)
	return in, nil
}

// measure finds out how much there is to read, if f is a regular file.
func (in *input) measure(f *os.File) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil || offset != 0 {
		return // the rest of a file is read like a pipe
	}
	in.file, in.size = f, info.Size()
}

func (in *input) close() {
	if f, ok := in.Reader.(*os.File); ok && f != os.Stdin {
		f.Close()
	}
}
