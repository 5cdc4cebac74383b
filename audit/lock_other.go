//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package audit

import (
	"io"
	"strings"
)

// lockFile locks nothing here.
func lockFile(string) (io.Closer, error) {
	return io.NopCloser(strings.NewReader("")), nil
}
