package audit

import "io"

// Handle is what a [File] writes through.
type Handle interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// OpenFileThrough is [OpenFile] with every opened file wrapped. An error of wrap is one of
// opening.
func OpenFileThrough(path string, o *FileOptions, wrap func(Handle) (Handle, error)) (*File, error) {
	return openFile(path, o, func(path string) (handle, int64, error) {
		h, size, err := createFile(path)
		if err != nil {
			return nil, 0, err
		}
		wrapped, err := wrap(h)
		if err != nil {
			_ = h.Close()
			return nil, 0, err
		}
		return wrapped, size, nil
	})
}
