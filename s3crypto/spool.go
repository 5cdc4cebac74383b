package s3crypto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sealring/sealring/internal/gcmstream"
)

// spool holds ciphertext until it is verified: in memory up to a limit, in a private
// temporary file beyond it. What is read from the file is what was written to it, or an
// error. The zero value's limit is 0.
type spool struct {
	limit int64  // of what is kept in memory
	dir   string // of the file

	memory [][]byte
	file   *os.File
	name   string             // of the file, if it still has one
	hash   *gcmstream.Message // under a key that nobody else has
	pieces []gcmstream.Piece  // in the file
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
	} else if err := s.store(p); err != nil {
		return 0, err
	}
	s.size += int64(len(p))
	return len(p), nil
}

// create makes the file, and moves there what is in memory.
func (s *spool) create() (err error) {
	if s.hash, err = gcmstream.NewMessage(newDataKey(), make([]byte, gcmNonceSize), nil); err != nil {
		return err
	}
	if s.file, err = os.CreateTemp(s.dir, "sealring-*"); err != nil { // mode 0600
		s.file = nil
		return err
	}
	s.name = s.file.Name()
	if os.Remove(s.name) == nil { // else the system does not allow it for open files
		s.name = ""
	}
	for _, p := range s.memory {
		if err := s.store(p); err != nil {
			return err
		}
	}
	s.memory = nil
	return nil
}

// store appends a piece to the file.
func (s *spool) store(p []byte) error {
	s.pieces = append(s.pieces, s.hash.Hash(p))
	_, err := s.file.Write(p)
	return err
}

// reader returns a reader of all that was written.
func (s *spool) reader() io.Reader {
	if s.file != nil {
		return &spoolReader{file: io.NewSectionReader(s.file, 0, s.size), hash: s.hash, pieces: s.pieces}
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

// spoolReader reads the file of a spool, and releases a piece when it was seen to be the
// one that was written: a disk may fail, and the file may be within others' reach.
type spoolReader struct {
	file   io.Reader
	hash   *gcmstream.Message
	pieces []gcmstream.Piece // that were not read yet
	piece  []byte            // the part of the current one that was not
	buf    []byte
}

// Read implements io.Reader.
func (r *spoolReader) Read(p []byte) (int, error) {
	for len(r.piece) == 0 {
		if len(r.pieces) == 0 {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.piece)
	r.piece = r.piece[n:]
	return n, nil
}

// next reads a piece.
func (r *spoolReader) next() error {
	n := int(r.pieces[0].Len())
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	piece := r.buf[:n]
	switch _, err := readFull(r.file, piece); {
	case err == io.EOF:
		return fmt.Errorf("s3crypto: temporary file: %w", io.ErrUnexpectedEOF)
	case err != nil:
		return fmt.Errorf("s3crypto: temporary file: %w", err)
	case !samePiece(r.pieces[0], r.hash.Hash(piece)):
		return fmt.Errorf("%w: the temporary file has changed", ErrAuthentication)
	}
	r.piece, r.pieces = piece, r.pieces[1:]
	return nil
}
