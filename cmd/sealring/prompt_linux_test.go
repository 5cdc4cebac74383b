package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// pty opens a pseudoterminal: who types, and the terminal.
func pty(t *testing.T) (typist, terminal *os.File) {
	t.Helper()
	typist, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { typist.Close() })
	var number, unlocked int32
	control(t, typist, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	control(t, typist, syscall.TIOCGPTN, unsafe.Pointer(&number))
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { terminal.Close() })
	return typist, terminal
}

func control(t *testing.T, f *os.File, request uintptr, value unsafe.Pointer) {
	t.Helper()
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(value))
	require.Zero(t, errno)
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	var s syscall.Termios
	control(t, terminal, syscall.TCGETS, unsafe.Pointer(&s))
	return s.Lflag&syscall.ECHO != 0
}

func awaitSilence(t *testing.T, terminal *os.File) {
	t.Helper()
	require.Eventually(t, func() bool { return !echoes(t, terminal) }, 10*time.Second, time.Millisecond)
}

// TestPassphraseIsTyped types one, and interrupts a command that waits for one: the
// terminal shows again what is typed then.
func TestPassphraseIsTyped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	plain := b.file("plain", []byte("hello"))
	typist, terminal := pty(t)
	require.True(t, echoes(t, terminal))
	begin := func(ctx context.Context, args ...string) chan int {
		var errs bytes.Buffer
		p := b.process(&bytes.Buffer{}, &errs)
		p.stdin, p.terminal = terminal, func(stream any) bool { return stream == terminal || stream == &errs }
		ended := make(chan int)
		go func() { ended <- run(ctx, args, p) }()
		awaitSilence(t, terminal)
		return ended
	}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := begin(ctx, "encrypt", "-passphrase", "-o", b.path("none"), plain)
	interrupt()
	require.Equal(t, exitFailed, <-ended)
	require.True(t, echoes(t, terminal))
	_, err := typist.WriteString("for the reader that is still there\n")
	require.NoError(t, err)

	typist, terminal = pty(t)
	ended = begin(t.Context(), "encrypt", "-passphrase", "-o", b.path("sealed"), plain)
	_, err = typist.WriteString("open sesame\nopen sesame\n")
	require.NoError(t, err)
	require.Equal(t, exitOK, <-ended)
	require.True(t, echoes(t, terminal))
	b.env[passphraseVariable] = "open sesame"
	require.Equal(t, "hello", b.ok("decrypt", "-passphrase", b.path("sealed")))
	require.ElementsMatch(t, []string{"plain", "sealed"}, b.names())
}
