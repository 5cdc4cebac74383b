package audit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

func record(t testing.TB, s audit.Sink, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		require.NoError(t, s.Record(t.Context(), event(n)))
	}
}

func TestFileHoldsOneLineForEachEvent(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path, nil)
	record(t, f, 1, 3)
	info, err := os.Stat(path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
	require.Equal(t, idsTo(3), ids(t, read(t, path)), "before it is closed")
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	err = f.Record(t.Context(), event(4))
	require.ErrorIs(t, err, audit.ErrClosed)
	require.ErrorIs(t, err, audit.ErrNotRecorded)
	_, err = f.Stage([]byte("{}"))
	require.ErrorIs(t, err, audit.ErrClosed)

	f = openFile(t, path, nil)
	record(t, f, 4, 5)
	require.Zero(t, f.Torn())
	require.Equal(t, idsTo(5), ids(t, read(t, path)))
}

func TestFileRefusesWhatIsNoLine(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := f.Record(ctx, event(1))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, audit.ErrNotRecorded)
	for _, line := range []string{"a\nb", strings.Repeat("x", audit.MaxLine+1)} {
		_, err = f.Stage([]byte(line))
		require.ErrorIs(t, err, audit.ErrNotRecorded)
	}
	commit, err := f.Stage([]byte(strings.Repeat("x", audit.MaxLine)))
	require.NoError(t, err)
	require.NoError(t, commit())
	require.Len(t, read(t, path), audit.MaxLine+1)
	for l, err := range f.Replay("", 0) {
		require.NoError(t, err)
		require.Len(t, l.Text, audit.MaxLine)
	}
}

func TestFileIsLocked(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files are not locked here")
	}
	path := newPath(t)
	f := openFile(t, path, nil)
	_, err := audit.OpenFile(path, nil)
	require.ErrorIs(t, err, audit.ErrLocked)
	require.NoError(t, f.Close())
	openFile(t, path, nil)
}

func TestFileCannotBeOpened(t *testing.T) {
	t.Parallel()
	_, err := audit.OpenFile(filepath.Join(t.TempDir(), "missing", "audit.jsonl"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)

	path := newPath(t)
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = audit.OpenFile(path, nil)
	require.Error(t, err)
	require.NoError(t, os.Remove(path))
	openFile(t, path, nil) // the lock was given back
}

func TestFileRotatesBySize(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	line := int64(len(ref(event(1)).AppendJSON(nil)) + 1)
	f := openFile(t, path, &audit.FileOptions{MaxSize: 3 * line, Now: func() time.Time { return start }})
	record(t, f, 1, 8)
	files, err := audit.Files(path)
	require.NoError(t, err)
	dir := filepath.Dir(path)
	require.Equal(t, []string{
		filepath.Join(dir, "audit-00000001-20260102T150405Z.jsonl"),
		filepath.Join(dir, "audit-00000002-20260102T150405Z.jsonl"),
		path,
	}, files)
	texts := readAll(t, path)
	require.Equal(t, idsTo(3), ids(t, texts[0]))
	require.Equal(t, idsTo(8), ids(t, strings.Join(texts, "")))

	// It goes on with the numbers and the size after a restart.
	require.NoError(t, f.Close())
	f = openFile(t, path, &audit.FileOptions{MaxSize: 3 * line, Now: func() time.Time { return start }})
	record(t, f, 9, 10)
	texts = readAll(t, path)
	require.Len(t, texts, 4)
	require.Equal(t, idsTo(10), ids(t, strings.Join(texts, "")))
}

func ref[T any](v T) *T { return &v }

func TestFileRotatesByAge(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	now := start
	o := &audit.FileOptions{MaxAge: time.Hour, Now: func() time.Time { return now }}
	f := openFile(t, path, o)
	now = now.Add(24 * time.Hour) // an empty file does not age
	record(t, f, 1, 1)
	now = now.Add(time.Hour - 1)
	record(t, f, 2, 2)
	require.Len(t, readAll(t, path), 1)
	now = now.Add(1)
	record(t, f, 3, 3)
	require.Len(t, readAll(t, path), 2)

	// The first event tells the age after a restart.
	require.NoError(t, f.Close())
	now = event(3).Time.Add(time.Hour - 1)
	f = openFile(t, path, o)
	record(t, f, 4, 4)
	require.Len(t, readAll(t, path), 2)
	now = now.Add(1)
	record(t, f, 5, 5)
	texts := readAll(t, path)
	require.Len(t, texts, 3)
	require.Equal(t, idsTo(5), ids(t, strings.Join(texts, "")))
}

func TestFileKeepsAllUnlessTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ keep, want int }{{0, 10}, {-1, 10}, {1, 2}, {3, 4}} {
		path := newPath(t)
		f := openFile(t, path, &audit.FileOptions{MaxSize: 1, MaxFiles: tt.keep})
		other := filepath.Join(filepath.Dir(path), "audit-1-x.jsonl")
		require.NoError(t, os.WriteFile(other, nil, 0o600))
		record(t, f, 1, 10)
		require.FileExists(t, other)
		texts := readAll(t, path)
		require.Len(t, texts, tt.want)
		require.Equal(t, idsTo(10)[10-tt.want:], ids(t, strings.Join(texts, "")))
	}
}

func TestFileRefusesEventsWhileItCannotRotate(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path, &audit.FileOptions{MaxSize: 1, Now: func() time.Time { return start }})
	record(t, f, 1, 1)
	inTheWay := filepath.Join(filepath.Dir(path), "audit-00000001-20260102T150405Z.jsonl")
	require.NoError(t, os.Mkdir(inTheWay, 0o700))
	for range 3 {
		require.ErrorIs(t, f.Record(t.Context(), event(2)), audit.ErrNotRecorded)
	}
	require.Equal(t, []string{read(t, path)}, readAll(t, path))
	require.NoError(t, os.Remove(inTheWay))
	record(t, f, 2, 2)
	require.Equal(t, idsTo(2), ids(t, strings.Join(readAll(t, path), "")))
}

func TestFileSharesSyncs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		d := &disk{sync: func() { time.Sleep(time.Millisecond) }}
		f, err := d.open(path, nil)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for n := range 50 {
			wg.Go(func() { assert.NoError(t, f.Record(t.Context(), event(n))) })
		}
		wg.Wait()
		require.LessOrEqual(t, d.count("sync"), 2, "the first event has one for itself, the others share one")
		require.Len(t, ids(t, read(t, path)), 50)
		require.NoError(t, f.Close())
	})
}

func TestFileSyncsAsTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sync audit.Sync
		want int
	}{{audit.SyncEach, 20}, {audit.SyncNoneUnsafe, 0}} {
		path := newPath(t)
		d := &disk{}
		f, err := d.open(path, &audit.FileOptions{Sync: tt.sync})
		require.NoError(t, err)
		var commits []func() error
		for n := range 20 {
			commit, err := f.Stage(ref(event(n + 1)).AppendJSON(nil))
			require.NoError(t, err)
			commits = append(commits, commit)
		}
		require.NoError(t, commits[19]())
		require.Equal(t, tt.want, d.count("sync"))
		for _, commit := range commits[:19] {
			require.NoError(t, commit())
		}
		require.Equal(t, tt.want, d.count("sync"))
		require.Equal(t, idsTo(20), ids(t, read(t, path)))
		require.NoError(t, f.Close())
	}
}

func TestFileConcurrently(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path, &audit.FileOptions{MaxSize: 8 << 10, Sync: audit.SyncNoneUnsafe})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for n := range 50 {
				assert.NoError(t, f.Record(t.Context(), event(g*50+n+1)))
			}
		})
	}
	wg.Wait()
	require.NoError(t, f.Close())
	require.ElementsMatch(t, idsTo(800), ids(t, strings.Join(readAll(t, path), "")))
}

func TestFileFailsAtEachCall(t *testing.T) {
	t.Parallel()
	const events = 6
	for _, op := range []string{"open", "write", "sync", "truncate"} {
		for n := 1; n <= events; n++ {
			for _, written := range []int{0, 1, 100, 1 << 20} {
				path := newPath(t)
				d := &disk{}
				size := int64(len(ref(event(1)).AppendJSON(nil))+1) * 2
				f, err := d.open(path, &audit.FileOptions{MaxSize: size})
				require.NoError(t, err)
				fail := once(op, n, written, full)
				if op == "truncate" { // which only comes after a failed write
					writes := once("write", n, max(written, 1), errDisk)
					fail = func(o string) (int, error) {
						if o == "truncate" {
							return 0, full
						}
						return writes(o)
					}
				}
				d.set(fail)
				var kept []string
				failed := 0
				for i := range events {
					switch err := f.Record(t.Context(), event(i+1)); {
					case err == nil:
						kept = append(kept, event(i+1).ID)
					case op == "open" || op == "write":
						require.ErrorIs(t, err, full)
						require.ErrorIs(t, err, audit.ErrNotRecorded)
						failed++
					default:
						// Nobody knows, and nobody may write behind it.
						require.Equal(t, failed > 0, errors.Is(err, audit.ErrNotRecorded))
						require.Equal(t, i+1-failed, n)
						failed++
					}
				}
				switch {
				case op == "open" && n > 2: // there are but two more files
					require.Zero(t, failed)
				case op == "open" || op == "write":
					require.Equal(t, 1, failed, "%s %d", op, n)
					require.Equal(t, kept, ids(t, strings.Join(readAll(t, path), "")))
				default:
					require.Equal(t, events-n+1, failed)
					require.ErrorContains(t, f.Recover(), "must be opened anew")
				}
				_ = f.Close()

				f = openFile(t, path, &audit.FileOptions{MaxSize: size})
				record(t, f, events+1, events+1)
				require.NoError(t, f.Close())
				got := ids(t, strings.Join(readAll(t, path), ""))
				require.Subset(t, got, append(kept, event(events+1).ID))
				if len(got) > len(kept)+1 {
					require.Contains(t, []string{"sync", "truncate"}, op, "only after doubt there is an event more")
					require.Len(t, got, len(kept)+2)
				}
			}
		}
	}
}

func TestFileLosesStagedLinesTogether(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	d := &disk{}
	f, err := d.open(path, &audit.FileOptions{Sync: audit.SyncEach}) // a batch for each
	require.NoError(t, err)
	var commits []func() error
	for n := range 5 {
		commit, err := f.Stage(ref(event(n + 1)).AppendJSON(nil))
		require.NoError(t, err)
		commits = append(commits, commit)
	}
	d.set(once("write", 3, 10, full))
	for i, commit := range commits {
		if err := commit(); i < 2 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, audit.ErrNotRecorded)
			require.ErrorIs(t, err, full)
		}
	}
	_, err = f.Stage([]byte("{}"))
	require.ErrorIs(t, err, audit.ErrNotRecorded, "it may rest on what is lost")
	record(t, f, 3, 3) // which rests on nothing
	require.NoError(t, f.Recover())
	commit, err := f.Stage(ref(event(4)).AppendJSON(nil))
	require.NoError(t, err)
	require.NoError(t, commit())
	require.Equal(t, idsTo(4), ids(t, read(t, path)))
	require.NoError(t, f.Close())
}

func TestFileWritesWhatIsStagedWhenClosed(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path, nil)
	commit, err := f.Stage(ref(event(1)).AppendJSON(nil))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, commit())
	require.Equal(t, idsTo(1), ids(t, read(t, path)))
}

func TestFilesOfALogOnly(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	dir := filepath.Dir(path)
	for _, name := range []string{
		"audit.jsonl", "audit.jsonl.lock", "audit.jsonl.torn-1", "other-00000001-20260102T150405Z.jsonl",
		"audit-00000010-20260102T150405Z.jsonl", "audit-00000009-20270102T150405Z.jsonl", "audit-100000000-20250102T150405Z.jsonl",
		"audit-0000001-20260102T150405Z.jsonl", "audit-00000000-20260102T150405Z.jsonl", "audit-00000002-20260102T150405Z.json",
		"audit-00000003-2026.jsonl", "audit-0000000x-20260102T150405Z.jsonl",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	files, err := audit.Files(path)
	require.NoError(t, err)
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	require.Equal(t, []string{
		"audit-00000009-20270102T150405Z.jsonl", "audit-00000010-20260102T150405Z.jsonl",
		"audit-100000000-20250102T150405Z.jsonl", "audit.jsonl",
	}, files)
	_, err = audit.Files(filepath.Join(dir, "missing", "x"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
