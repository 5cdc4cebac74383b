package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/sealring/sealring/store"
)

// sample returns the bytes of a file with all kinds of pages: branches, leaves, some of
// several pages, free ones; and what is in it.
func sample(t testing.TB, records int) ([]byte, map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path, nil)
	require.NoError(t, err)
	step := func(fn func(i int, tx store.Tx) error) {
		for at := 0; at < records; at += 50 {
			require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
				for i := at; i < min(at+50, records); i++ {
					if err := fn(i, tx); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	}
	step(func(i int, tx store.Tx) error {
		size := 200
		if i%40 == 7 {
			size = 9000
		}
		return tx.Put(fmt.Sprintf("key/%04d", i), bytes.Repeat([]byte{byte(i)}, size))
	})
	step(func(i int, tx store.Tx) error {
		if i%3 == 0 {
			return tx.Delete(fmt.Sprintf("key/%04d", i))
		}
		return nil
	})
	want := snapshotState(t, s.durable)
	require.NoError(t, s.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b, want
}

func snapshotState(t testing.TB, s *store.Snapshot) map[string]string {
	t.Helper()
	all := map[string]string{"": fmt.Sprint(s.Revision())}
	require.NoError(t, s.View(func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			version, err := tx.Version(e.Key)
			if err != nil {
				return err
			}
			all[e.Key] = fmt.Sprintf("%d %s", version, e.Value)
		}
		return nil
	}))
	return all
}

func strictly(err error) error { return err }

// readAll is read of bytes in memory.
func readAll(b []byte) (*contents, error) { return read(bytes.NewReader(b), int64(len(b)), strictly) }

// openBytes opens a file with the given bytes.
func openBytes(t testing.TB, b []byte, o *Options) (*Store, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return Open(path, o)
}

// same fails unless the outcome of reading a damaged file is an error about the file, or
// everything.
func same(t *testing.T, want map[string]string, c *contents, err error, what string, args ...any) (damaged bool) {
	t.Helper()
	switch {
	case errors.Is(err, ErrFile), errors.Is(err, ErrVersion):
		return true
	case err != nil:
		require.NoError(t, err, fmt.Sprintf(what, args...))
	case c.version != formatVersion:
		require.FailNow(t, "another version", append([]any{what}, args...)...)
	}
	if got := snapshotState(t, c.snapshot); !maps.Equal(want, got) {
		require.Equal(t, want, got, fmt.Sprintf(what, args...))
	}
	return false
}

func TestTruncatedFile(t *testing.T) {
	t.Parallel()
	b, want := sample(t, 300)
	page := os.Getpagesize()
	refused := 0
	for at := 0; at < len(b); at += page {
		for _, n := range []int{at - 1, at, at + 1, at + 100} {
			if n < 0 {
				continue
			}
			c, err := readAll(b[:n])
			if !same(t, want, c, err, "%d bytes", n) {
				continue
			}
			refused++
			_, err = openBytes(t, b[:n], nil)
			require.ErrorIs(t, err, ErrFile)
			require.ErrorContains(t, err, "store.db")
		}
	}
	require.Greater(t, refused, 30)
}

// TestFlippedBits flips a bit of each of the first bytes of each page, where its numbers
// are, and of every few bytes of the rest.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	b, want := sample(t, 60)
	page := os.Getpagesize()
	refused := 0
	for at := 0; at < len(b); at++ {
		if within := at % page; within >= 300 && within%41 != 0 {
			continue
		}
		b[at] ^= 1 << (at % 8)
		c, err := readAll(b)
		damaged := same(t, want, c, err, "bit at %d", at)
		if damaged {
			refused++
		}
		if at%997 == 0 || !damaged && at%211 == 0 {
			s, err := openBytes(t, b, nil)
			require.Equal(t, damaged, err != nil)
			if err == nil {
				require.NoError(t, s.Update(t.Context(), put("key/0001", "new")))
				require.NoError(t, s.Close())
				_, err = Open(s.path, nil)
				require.NoError(t, err)
			}
		}
		b[at] ^= 1 << (at % 8)
	}
	require.Greater(t, refused, 1000)
}

// TestZeroedAndSwappedPages is what a disk may do that loses writes or mixes them up.
func TestZeroedAndSwappedPages(t *testing.T) {
	t.Parallel()
	b, want := sample(t, 300)
	page := os.Getpagesize()
	refused := 0
	for at := 0; at+2*page <= len(b); at += page {
		for _, change := range []func(b []byte){
			func(b []byte) { clear(b[:page]) },
			func(b []byte) { clear(b[page/2 : page]) },
			func(b []byte) { copy(b[:page], b[page:]) },
			func(b []byte) { copy(b[:page:page], bytes.Repeat([]byte{0xFF}, page)) },
		} {
			damaged := bytes.Clone(b)
			change(damaged[at:])
			c, err := readAll(damaged)
			if same(t, want, c, err, "page %d", at/page) {
				refused++
			}
		}
	}
	require.Greater(t, refused, 50)
}

// TestBothMetasCount: a damaged meta page may be that of the last commit, so the file is
// refused although bbolt would go on with the other one.
func TestBothMetasCount(t *testing.T) {
	t.Parallel()
	b, want := sample(t, 120)
	page := os.Getpagesize()
	metas, err := readMetas(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	require.Len(t, metas, 2)
	newest := 0
	if metas[1].tx > metas[0].tx {
		newest = 1
	}
	b[newest*page+pageHeader+40] ^= 1
	_, err = openBytes(t, b, nil)
	require.ErrorIs(t, err, ErrFile)
	require.ErrorContains(t, err, "meta page")

	s, err := openBytes(t, b, &Options{Salvage: true})
	require.NoError(t, err)
	require.Len(t, s.Damage(), 1)
	require.NotEqual(t, want[""], snapshotState(t, s.durable)[""], "it is the state before")
	require.NoError(t, s.Close())
}

// copies returns where a record of a sample lies, beginning with its name: once in a page in
// use, and maybe in free ones.
func copies(t *testing.T, b []byte, key, state string) (all []int) {
	t.Helper()
	revision, value, _ := strings.Cut(state, " ")
	n, err := strconv.ParseUint(revision, 10, 64)
	require.NoError(t, err)
	record := append([]byte(key), encodeRecord(store.Change{Key: key, Revision: n, Value: []byte(value)})...)
	for at := 0; ; at++ {
		next := bytes.Index(b[at:], record)
		if next < 0 {
			require.NotEmpty(t, all)
			return all
		}
		at += next
		all = append(all, at)
	}
}

func TestSalvage(t *testing.T) {
	t.Parallel()
	b, want := sample(t, 120)
	whole, err := openBytes(t, b, &Options{Salvage: true})
	require.NoError(t, err)
	require.Empty(t, whole.Damage())
	require.Equal(t, want, snapshotState(t, whole.durable))
	require.ErrorIs(t, whole.Update(t.Context(), put("a", 1)), store.ErrReadOnly)
	require.NoError(t, whole.Close())

	for _, key := range []string{"key/0001", "key/0007", "key/0050", "key/0119"} { // 7 has pages of its own
		damaged := bytes.Clone(b)
		for _, at := range copies(t, b, key, want[key]) {
			damaged[at+len(key)+recordHeader+5] ^= 0x10
		}
		_, err := openBytes(t, damaged, nil)
		require.ErrorIs(t, err, ErrFile)
		require.ErrorContains(t, err, fmt.Sprintf("record %q", key))

		s, err := openBytes(t, damaged, &Options{Salvage: true})
		require.NoError(t, err)
		require.Len(t, s.Damage(), 2, "the record, and that one is missing")
		require.ErrorIs(t, s.Damage()[0], ErrFile)
		require.ErrorContains(t, s.Damage()[0], fmt.Sprintf("record %q", key))
		rest := snapshotState(t, s.durable)
		require.Len(t, rest, len(want)-1)
		require.NotContains(t, rest, key)

		var copied bytes.Buffer
		_, err = s.Backup(t.Context(), &copied)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		again, err := openBytes(t, copied.Bytes(), nil)
		require.NoError(t, err)
		require.Equal(t, rest, snapshotState(t, again.durable))
		require.NoError(t, again.Close())
	}
}

// TestSalvageOfADamagedName loses the record whose name was damaged, and not those which
// come after it in order.
func TestSalvageOfADamagedName(t *testing.T) {
	t.Parallel()
	b, want := sample(t, 120)
	for _, key := range []string{"key/0001", "key/0050", "key/0119"} {
		places := copies(t, b, key, want[key])
		for at := range len(key) {
			for bit := range 8 {
				damaged := bytes.Clone(b)
				for _, place := range places {
					damaged[place+at] ^= 1 << bit
				}
				s, err := openBytes(t, damaged, &Options{Salvage: true})
				require.NoError(t, err)
				require.NotEmpty(t, s.Damage())
				rest := snapshotState(t, s.durable)
				require.NoError(t, s.Close())
				require.Equal(t, len(want)-1, len(rest), "byte %d, bit %d of %s: %v", at, bit, key, s.Damage())
				require.NotContains(t, rest, key)
			}
		}
	}
}

// TestSalvageOfAnything: what is said to be left is a part of what there was.
func TestSalvageOfAnything(t *testing.T) {
	t.Parallel()
	b, want := sample(t, 300)
	page := os.Getpagesize()
	for at := 2 * page; at+page <= len(b); at += page {
		damaged := bytes.Clone(b)
		clear(damaged[at : at+page])
		s, err := openBytes(t, damaged, &Options{Salvage: true})
		require.NoError(t, err)
		left := snapshotState(t, s.durable)
		for key, value := range left {
			if key != "" {
				require.Equal(t, want[key], value)
			}
		}
		if len(left) < len(want) {
			require.NotEmpty(t, s.Damage(), "losses are told")
		}
		require.NoError(t, s.Close())
	}
}

func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	db, err := bbolt.Open(foreign, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	empty, err := os.ReadFile(foreign)
	require.NoError(t, err)
	db, err = bbolt.Open(foreign, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("users"))
		return err
	}))
	require.NoError(t, db.Close())
	users, err := os.ReadFile(foreign)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		bytes []byte
		text  string
	}{
		"empty":          {nil, "empty"},
		"text":           {[]byte("This is my diary."), "no meta page"},
		"long text":      {bytes.Repeat([]byte("This is my diary. "), 5000), "no meta page"},
		"zeros":          {make([]byte, 1<<16), "no meta page"},
		"bbolt, empty":   {empty, "head"},
		"bbolt, foreign": {users, `bucket "users"`},
	} {
		_, err := openBytes(t, c.bytes, nil)
		require.ErrorIs(t, err, ErrFile, name)
		require.ErrorContains(t, err, c.text, name)
	}
	_, err = Open(t.TempDir(), nil)
	require.Error(t, err, "a directory")
}

// TestBboltAgrees has bbolt look at a file by itself.
func TestBboltAgrees(t *testing.T) {
	t.Parallel()
	b, want := sample(t, 300)
	path := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		n := 0
		require.NoError(t, tx.Bucket(dataBucket).ForEach(func(k, v []byte) error {
			n++
			require.True(t, strings.HasSuffix(want[string(k)], " "+string(v[recordHeader:])))
			return nil
		}))
		require.Equal(t, len(want)-1, n)
		return nil
	}))
}

// FuzzRead puts other bytes into a file at two places: reading it never panics, what is
// taken without a problem is everything, and what is salvaged has a problem. If mend is
// set the sums of the meta pages are made right again, so that wrong numbers in them are
// read, too: those of an older state, for example, are then taken.
func FuzzRead(f *testing.F) {
	b, want := sample(f, 30)
	page := os.Getpagesize()
	f.Add(uint32(page-2), []byte{1}, uint32(0), []byte{}, false)
	f.Add(uint32(page+pageHeader+16), []byte{3, 0, 0}, uint32(pageHeader+40), []byte{200, 0}, true)
	f.Add(uint32(3*page+8), []byte{2, 0, 7, 0}, uint32(5*page+8), []byte{1, 0, 1, 0}, false)
	f.Add(uint32(2*page+pageHeader), []byte{255, 255, 255, 255}, uint32(4*page+12), []byte{255, 0}, true)
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, at2 uint32, patch2 []byte, mend bool) {
		b := bytes.Clone(b)
		copy(b[int(at)%len(b):], patch)
		copy(b[int(at2)%len(b):], patch2)
		for meta := 0; mend && meta < 2*page; meta += page {
			sum := fnv.New64a()
			sum.Write(b[meta+pageHeader : meta+pageHeader+metaLen-8])
			native.PutUint64(b[meta+pageHeader+metaLen-8:], sum.Sum64())
		}
		c, err := readAll(b)
		var problems []error
		left, serr := read(bytes.NewReader(b), int64(len(b)), func(err error) error {
			problems = append(problems, err)
			return nil
		})
		if err == nil && c.version == formatVersion {
			require.NoError(t, serr)
			require.Empty(t, problems)
			if !mend {
				same(t, want, c, err, "%d and %d", at, at2)
			}
			return
		}
		if serr != nil || left.snapshot == nil {
			return
		}
		require.NotEmpty(t, problems)
		require.ErrorIs(t, errors.Join(problems...), ErrFile)
	})
}
