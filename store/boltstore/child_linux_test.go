package boltstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// children are what this program does when it is run by its own tests, with the path of
// a file. What they print tells how it went.
var children = map[string]func(path string) error{
	"hold":    holdFile,
	"cut off": updateAfterCut,
	"fill":    fillUp,

	"workload":    workload,
	"flush fails": flushFails,
}

const childVariable = "BOLTSTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv(childVariable)]; ok {
		if err := child(os.Args[1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	status := m.Run()
	os.RemoveAll(tracedDir)
	os.Exit(status)
}

func childCommand(t *testing.T, name, path string) *exec.Cmd {
	t.Helper()
	require.Contains(t, children, name)
	cmd := exec.CommandContext(t.Context(), os.Args[0], path)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	return cmd
}

// holdFile has the file open until its input ends.
func holdFile(path string) error {
	s, err := Open(path, nil)
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return s.Close()
}

func TestAnotherProcessHasTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	for _, end := range []string{"by itself", "killed"} {
		cmd := childCommand(t, "hold", path)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "open\n", line)
		for _, o := range []*Options{{LockTimeout: -1}, {ReadOnly: true, LockTimeout: -1}, {Salvage: true, LockTimeout: 1}} {
			_, err = Open(path, o)
			require.ErrorIs(t, err, ErrLocked)
			require.ErrorContains(t, err, path)
		}
		opened := make(chan error, 1)
		go func() { // it waits for the other process to end
			s, err := Open(path, &Options{LockTimeout: 1 << 40})
			if err == nil {
				err = s.Close()
			}
			opened <- err
		}()
		if end == "killed" {
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait())
		} else {
			require.NoError(t, in.Close())
			require.NoError(t, cmd.Wait())
		}
		require.NoError(t, <-opened)
	}
}

// updateAfterCut cuts off a file that is open. What bbolt has mapped is then not there.
func updateAfterCut(path string) error {
	s, err := Open(path, nil)
	if err != nil {
		return err
	}
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		return err
	}
	for range 2 {
		err := s.Update(context.Background(), put("a", 1))
		if !errors.Is(err, ErrFailed) {
			return fmt.Errorf("update: %w", err)
		}
	}
	n := 0
	if err := s.View(context.Background(), func(tx store.Tx) error {
		for range tx.Scan("", "") {
			n++
		}
		return nil
	}); err != nil {
		return err
	}
	if n != 300 {
		return fmt.Errorf("a view sees %d records", n)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if _, err := Open(path, nil); !errors.Is(err, ErrFile) {
		return fmt.Errorf("open: %w", err)
	}
	return nil
}

func TestTheFileIsCutOffWhileItIsOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path, nil)
	require.NoError(t, err)
	for i := range 300 {
		if i%100 == 0 {
			require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
				for j := i; j < i+100; j++ {
					if err := tx.Put(fmt.Sprint(j), []byte(strings.Repeat("x", 300))); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	}
	require.NoError(t, s.Close())
	out, err := childCommand(t, "cut off", path).CombinedOutput()
	require.NoError(t, err, string(out))
}
