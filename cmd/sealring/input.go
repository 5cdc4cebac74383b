package main

import (
	"context"
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

	opened []io.Closer // to be closed at the end
}

// open returns the input for a path; "" and "-" are standard input. To wait for a pipe or
// a terminal ends with ctx.
func (p *process) open(ctx context.Context, path string) (*input, error) {
	if path == "" || path == "-" {
		in := &input{Reader: p.stdin, name: "standard input", size: -1}
		if f, ok := p.stdin.(*os.File); ok {
			in.measure(f)
		}
		in.wait(ctx)
		return in, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in := &input{Reader: f, name: path, size: -1, opened: []io.Closer{f}}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s: is a directory", path)
	}
	in.measure(f)
	in.wait(ctx)
	return in, nil
}

// wait has what is not a file be read by a goroutine, so that to wait for it can end with
// ctx: a command that is interrupted takes away what it has begun to write.
func (in *input) wait(ctx context.Context) {
	if in.file != nil {
		return
	}
	source := in.Reader
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, source)
		w.CloseWithError(err) // io.EOF without an error
	}()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	in.Reader, in.opened = r, append(in.opened, r)
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
	for _, c := range in.opened {
		c.Close()
	}
}
