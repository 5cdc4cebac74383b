//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInterruptedAtAPipe interrupts commands that wait for a pipe that nobody writes to:
// they end, and leave nothing behind.
func TestInterruptedAtAPipe(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"encrypt":      {"encrypt", "-key-file", "key", "-o", "out"},
		"decrypt":      {"decrypt", "-key-file", "key", "-o", "out"},
		"verify first": {"decrypt", "-key-file", "key", "-verify-first"},
		"by name":      {"encrypt", "-key-file", "key", "-o", "out", "fifo"},
		"inspect":      {"inspect"},
		"restore":      {"restore", "-data", "out", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.key("key")
			require.NoError(t, syscall.Mkfifo(b.path("fifo"), 0o600))
			hold, err := os.OpenFile(b.path("fifo"), os.O_RDWR, 0) // a writer that writes nothing
			require.NoError(t, err)
			defer hold.Close()
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer w.Close()
			b.stdin = r
			args := slices.Clone(args)
			for i, arg := range args {
				if slices.Contains([]string{"key", "out", "fifo"}, arg) {
					args[i] = b.path(arg)
				}
			}
			ctx, interrupt := context.WithCancel(t.Context())
			ended := make(chan int)
			var errs bytes.Buffer
			go func() { ended <- run(ctx, args, b.process(io.Discard, &errs)) }()
			interrupt()
			require.Equal(t, exitFailed, <-ended)
			require.Contains(t, errs.String(), "context canceled")
			require.ElementsMatch(t, []string{"key", "fifo"}, b.names())
		})
	}
}
