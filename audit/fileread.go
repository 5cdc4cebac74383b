package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealring/sealring/internal/syncdir"
)

// Line is a line of a log. Text is without the line feed and is valid only until the
// next line is asked for.
type Line struct {
	File   string
	Number int // from 1
	Text   []byte
}

// Replay returns the log's lines from one on that comes no later than the event after
// number after of that engine, see [LineLog].
func (f *File) Replay(engine string, after uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		files, err := filesFrom(f.path, engine, after)
		if err != nil {
			yield(Line{}, err)
			return
		}
		for _, path := range files {
			for l, err := range linesOf(path) {
				if !yield(l, err) || err != nil {
					return
				}
			}
		}
	}
}

// filesFrom returns the log's files from the newest on whose first line is of engine
// and not beyond the event after number after; all files if there is none.
func filesFrom(path, engine string, after uint64) ([]string, error) {
	files, err := Files(path)
	if err != nil {
		return nil, err
	}
	for i := len(files) - 1; i > 0; i-- {
		for l, err := range linesOf(files[i]) {
			if err != nil {
				return nil, err
			}
			if link, _, ok := parseLink(l.Text); ok && link.Engine == engine && link.Seq <= after+1 {
				return files[i:], nil
			}
			break
		}
	}
	return files, nil
}

// linesOf returns the lines of the file at path.
func linesOf(path string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Line{}, fmt.Errorf("audit: %w", err))
			return
		}
		defer f.Close()
		s := newScanner(f)
		for n := 1; s.Scan(); n++ {
			text, _ := bytes.CutSuffix(s.Bytes(), []byte{'\n'})
			if !yield(Line{File: path, Number: n, Text: text}, nil) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(Line{}, fmt.Errorf("audit: %s: %w", path, err))
		}
	}
}

// newScanner returns a scanner of lines that have their line feeds still, except for a
// last one that never had it.
func newScanner(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), MaxLine+1)
	s.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, data[:i+1], nil
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	return s
}

// firstTime returns the time of the first event in the file at path, or when the file
// was changed last if its first line does not tell.
func firstTime(path string) (time.Time, error) {
	for l, err := range linesOf(path) {
		if err != nil {
			return time.Time{}, err
		}
		var first struct {
			Time time.Time `json:"eventTime"`
		}
		if json.Unmarshal(l.Text, &first) == nil && !first.Time.IsZero() {
			return first.Time, nil
		}
		break
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("audit: %w", err)
	}
	return info.ModTime(), nil
}

// tail is how much of a log's end a crash can leave in disorder: the batch that was
// being written, and a line before it.
const tail = maxBatch + 2*(MaxLine+1)

// cutTorn moves what is not whole lines at the end of the file at path to a file of its
// own: a line without an end, and what begins with a line that holds a NUL, as file
// systems leave behind where a size was stored before its data.
func cutTorn(path string) (Torn, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Torn{}, nil
	}
	if err != nil {
		return Torn{}, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Torn{}, fmt.Errorf("audit: %w", err)
	}
	from := max(0, info.Size()-tail)
	end := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(end, from); err != nil {
		return Torn{}, fmt.Errorf("audit: %s: %w", path, err)
	}
	if ok, err := beginsAsLog(f, end); err != nil {
		return Torn{}, fmt.Errorf("audit: %s: %w", path, err)
	} else if !ok {
		return Torn{}, fmt.Errorf("audit: %s is no log: it does not begin with an event", path)
	}
	whole := end
	if i := bytes.IndexByte(end, 0); i >= 0 {
		whole = end[:i]
	}
	whole = whole[:bytes.LastIndexByte(whole, '\n')+1]
	if len(whole) == 0 && from > 0 {
		return Torn{}, fmt.Errorf("audit: %s is no log: it ends with %d bytes that are no lines", path, len(end))
	}
	if len(whole) == len(end) {
		return Torn{}, nil
	}
	torn := Torn{Size: int64(len(end) - len(whole))}
	if torn.File, err = setAside(path, end[len(whole):]); err != nil {
		return Torn{}, err
	}
	if err := errors.Join(f.Truncate(from+int64(len(whole))), f.Sync()); err != nil {
		return Torn{}, fmt.Errorf("audit: %w", err)
	}
	return torn, nil
}

// beginsAsLog reports whether a file, whose end is given, begins as a log does, or is
// nothing but what a crash has left of one: what is something else is neither cut nor
// appended to.
func beginsAsLog(f io.ReaderAt, end []byte) (bool, error) {
	start := make([]byte, len(lineChained))
	n, err := f.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	start, _, torn := bytes.Cut(start[:n], []byte{0})
	if len(start) == 0 {
		return len(bytes.Trim(end, "\x00")) == 0, nil
	}
	for _, line := range []string{lineChained, lineAlone} {
		short := torn || n < len(line) // and ends there
		if strings.HasPrefix(string(start), line) || short && strings.HasPrefix(line, string(start)) {
			return true, nil
		}
	}
	return false, nil
}

// setAside keeps what is cut off the log at path, durably, in a new file.
func setAside(path string, data []byte) (name string, err error) {
	var f *os.File
	for n := 1; ; n++ {
		name = fmt.Sprintf("%s.torn-%d", path, n)
		f, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("audit: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = syncdir.Sync(filepath.Dir(path))
	}
	if err != nil {
		return "", fmt.Errorf("audit: %w", err)
	}
	return name, nil
}
