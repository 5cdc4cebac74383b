package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// finishedTime is the form of the time in the name of a finished file.
const finishedTime = "20060102T150405Z"

// Files returns the paths of the log's files, oldest first: those that are finished, and
// at last path itself if it exists.
func Files(path string) ([]string, error) {
	path = filepath.Clean(path)
	old, err := finished(path)
	if err != nil {
		return nil, err
	}
	files := make([]string, 0, len(old)+1)
	for _, f := range old {
		files = append(files, filepath.Join(filepath.Dir(path), f.name))
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		files = append(files, path)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("audit: %w", err)
	}
	return files, nil
}

// finishedFile is a file of a log that is not appended to any more.
type finishedFile struct {
	name string
	seq  int
}

// finished lists the finished files of the log at path, oldest first.
func finished(path string) ([]finishedFile, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var files []finishedFile
	for _, e := range entries {
		if seq, ok := finishedSeq(path, e.Name()); ok && !e.IsDir() {
			files = append(files, finishedFile{e.Name(), seq})
		}
	}
	slices.SortFunc(files, func(a, b finishedFile) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), strings.Compare(a.name, b.name))
	})
	return files, nil
}

// finishedName returns the path of the finished file with that number.
func finishedName(path string, seq int, at time.Time) string {
	ext := filepath.Ext(path)
	return fmt.Sprintf("%s-%08d-%s%s", strings.TrimSuffix(path, ext), seq, at.UTC().Format(finishedTime), ext)
}

// finishedSeq returns the number in the name of a finished file of the log at path.
func finishedSeq(path, name string) (seq int, ok bool) {
	base := filepath.Base(path)
	ext := filepath.Ext(base)
	name, ok = strings.CutPrefix(name, strings.TrimSuffix(base, ext)+"-")
	if !ok {
		return 0, false
	}
	if name, ok = strings.CutSuffix(name, ext); !ok {
		return 0, false
	}
	digits, at, _ := strings.Cut(name, "-")
	if len(digits) < 8 {
		return 0, false
	}
	seq, err := strconv.Atoi(digits)
	if err != nil || seq < 1 {
		return 0, false
	}
	_, err = time.Parse(finishedTime, at)
	return seq, err == nil
}
