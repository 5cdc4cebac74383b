package s3crypto

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// spool holds ciphertext until it is verified: in memory up to a limit, in a private
// temporary file beyond it. The zero value's limit is 0.
type spool struct {
	limit int64  // of what is kept in memory
	dir   string // of the file

	memory [][]byte
	file   *os.File
	name   string // of the file, if it still has one
	size   int64
}

// Write appends ciphertext. It moves what is in memory to a file if the limit is passed.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.size+int64(len(p)) > s.limit {
		if err := s.create(); err != nil {
			return 0, err
		}
	}
	if s.file == nil {
		s.memory = append(s.memory, bytes.Clone(p))
		s.size += int64(len(p))
		return len(p), nil
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	return n, err
}

func (s *spool) create() error {
	file, err := os.CreateTemp(s.dir, "sealring-*") // mode 0600
	if err != nil {
		return err
	}
	s.file, s.name = file, file.Name()
	if os.Remove(s.name) == nil { // else the system does not allow it for open files
		s.name = ""
	}
	for _, p := range s.memory {
		if _, err := file.Write(p); err != nil {
			return err
		}
	}
	s.memory = nil
	return nil
}

// reader returns a reader of all that was written.
func (s *spool) reader() io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, s.size)
	}
	pieces := make([]io.Reader, len(s.memory))
	for i, p := range s.memory {
		pieces[i] = bytes.NewReader(p)
	}
	return io.MultiReader(pieces...)
}

// Close removes the file.
func (s *spool) Close() error {
	s.memory = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
		s.name = ""
	}
	return err
}
