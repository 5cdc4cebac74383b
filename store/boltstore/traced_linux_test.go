package boltstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	traceVariable = "BOLTSTORE_TEST_TRACE"      // where to write the trace
	flushVariable = "BOLTSTORE_TEST_FAIL_FLUSH" // which flush fails, counted from 1
)

// traced builds this test with its calls replaced. It is the program of the tests here.
var traced = sync.OnceValues(buildTraced)

func buildTraced() (program string, err error) {
	if tracedDir, err = os.MkdirTemp("", "boltstore-traced-"); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.etcd.io/bbolt", "github.com/sealring/sealring").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	dirs := strings.Fields(string(out))
	bbolt := filepath.Join(tracedDir, "bbolt")
	if err := copySource(bbolt, dirs[0]); err != nil {
		return "", err
	}
	// A module is replaced by the file that go.mod is taken from, our own files in place.
	mod := filepath.Join(tracedDir, "go.mod")
	err = errors.Join(copyFile(mod, filepath.Join(dirs[1], "go.mod"), replacement{"\ngo 1", "\nreplace go.etcd.io/bbolt => " + bbolt + "\n\ngo 1", 1}),
		copyFile(filepath.Join(tracedDir, "go.sum"), filepath.Join(dirs[1], "go.sum")),
		copyFile(filepath.Join(bbolt, "tracing.go"), "testdata/tracing.go.txt"))
	if err != nil {
		return "", err
	}
	here := filepath.Join(dirs[1], "store", "boltstore")
	overlay := map[string]map[string]string{"Replace": {
		filepath.Join(here, "tracing.go"): filepath.Join(here, "testdata", "tracing_store.go.txt"),
	}}
	for file, changes := range replaced {
		from, to := file, filepath.Join(tracedDir, file)
		if rest, ok := strings.CutPrefix(file, "bbolt/"); ok {
			from = filepath.Join(dirs[0], rest)
		} else {
			overlay["Replace"][filepath.Join(here, file)] = to
		}
		if err := copyFile(to, from, changes...); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	overlaid := filepath.Join(tracedDir, "overlay.json")
	if err := os.WriteFile(overlaid, list, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(tracedDir, "traced.test")
	out, err = exec.Command("go", "test", "-c", "-vet=off", "-modfile", mod, "-overlay", overlaid, "-o", program, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
}

// copySource copies a module without its tests and commands.
func copySource(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, from)
		switch {
		case err != nil:
			return err
		case name == "/cmd" || name == "/tests":
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(to+name, 0o700)
		case strings.HasSuffix(name, "_test.go") || filepath.Ext(name) != ".go" && e.Name() != "go.mod":
			return nil
		}
		return copyFile(to+name, path)
	})
}

// copyFile copies a file with changes, each of which has to be possible.
func copyFile(to, from string, changes ...replacement) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if n := bytes.Count(b, []byte(c.was)); n != c.times {
			return fmt.Errorf("%s has %q %d times, want %d", from, c.was, n, c.times)
		}
		b = bytes.ReplaceAll(b, []byte(c.was), []byte(c.is))
	}
	return os.WriteFile(to, b, 0o600)
}

// tracedDir is removed at the end.
var tracedDir string

type replacement struct {
	was, is string
	times   int
}

// replaced are the calls that change files, in bbolt and here.
var replaced = map[string][]replacement{
	"bbolt/db.go": {
		{"db.ops.writeAt = db.file.WriteAt", "db.ops.writeAt = tracedWriteAt(db.file)", 1},
		{"db.file.Truncate(int64(sz))", "tracedTruncate(db.file, int64(sz))", 1},
		{"db.file.Sync()", "TracedSync(db.file)", 1},
	},
	"bbolt/bolt_linux.go": {
		{"syscall.Fdatasync(int(db.file.Fd()))", "TracedSync(db.file)", 1},
		{"import (\n\t\"syscall\"\n)", "", 1},
	},
	"copy.go": {
		{"os.CreateTemp(", "tracedCreate(", 1},
		{"os.Remove(", "tracedRemove(", 5},
		{"os.Link(", "tracedLink(", 1},
		{"f.Sync()", "bbolt.TracedSync(f)", 1},
	},
	"compact.go": {
		{"os.Rename(", "tracedRename(", 1},
		{"next.f.Sync()", "tracedSync(next.f)", 1},
		{"os.Remove(", "tracedRemove(", 1},
		{"\"os\"\n", "\n", 1},
		{"syncdir.Sync(", "tracedSyncDir(", 1},
		{"\"github.com/sealring/sealring/internal/syncdir\"\n", "\n", 1},
	},
	"store.go": {
		{"syncdir.Sync(", "tracedSyncDir(", 1},
		{"\"github.com/sealring/sealring/internal/syncdir\"\n", "\n", 1},
	},
}

// tracedChild runs the program on a store in dir.
func tracedChild(t *testing.T, child, dir string, env ...string) []byte {
	t.Helper()
	program, err := traced()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, filepath.Join(dir, "store.db"))
	cmd.Env = append(os.Environ(), childVariable+"="+child, traceVariable+"="+filepath.Join(dir, "trace"))
	cmd.Env = append(cmd.Env, env...)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "trace"), nil, 0o600))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	trace, err := os.ReadFile(filepath.Join(dir, "trace"))
	require.NoError(t, err)
	return trace
}
