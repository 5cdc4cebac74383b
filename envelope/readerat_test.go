package envelope

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// at opens message for reading in parts.
func at(t testing.TB, message []byte, o *DecryptOptions) (*ReaderAt, error) {
	return NewReaderAt(t.Context(), bytes.NewReader(message), int64(len(message)), openManager, o)
}

// verifyFirst are options under which every framed message is read.
func verifyFirst() *DecryptOptions {
	o := readAll()
	o.VerifyFirst = true
	return o
}

// unsigned returns a message of plaintext in an unsigned suite, and extra empty
// final frames as an old writer would make them.
func unsigned(t testing.TB, plaintext []byte, frame int, emptyEnd bool) []byte {
	f := newForge(t, 0x0478, uint32(frame), nil)
	seq, rest := uint32(1), plaintext
	for ; len(rest) > frame || emptyEnd && len(rest) == frame; seq++ {
		f.regular(seq, rest[:frame])
		rest = rest[frame:]
	}
	return f.final(seq, rest).message()
}

// readAllAt reads the whole plaintext, n bytes at a time.
func readAllAt(r *ReaderAt, n int) ([]byte, error) {
	var out []byte
	p := make([]byte, n)
	for {
		got, err := r.ReadAt(p, int64(len(out)))
		out = append(out, p[:got]...)
		switch {
		case err == io.EOF:
			return out, nil
		case err != nil:
			return out, err
		case got < n:
			return out, io.ErrNoProgress
		}
	}
}

// requireSame reads every part of r and of want, and compares.
func requireSame(t *testing.T, want []byte, r io.ReaderAt, where string) {
	t.Helper()
	plain := bytes.NewReader(want)
	for off := range len(want) + 3 {
		for n := range len(want) - off + 3 {
			a, b := make([]byte, max(0, n)), make([]byte, max(0, n))
			wantN, wantErr := plain.ReadAt(a, int64(off))
			n, err := r.ReadAt(b, int64(off))
			if n != wantN || err != wantErr || !bytes.Equal(a, b) {
				t.Fatalf("%s: %d bytes at %d: got %d, %v, want %d, %v", where, len(a), off, n, err, wantN, wantErr)
			}
		}
	}
}

// TestReadAtGrid reads every part of messages of every small length.
func TestReadAtGrid(t *testing.T) {
	t.Parallel()
	for _, frame := range []int{1, 2, 3, 7, 10, 32, 33} {
		t.Run(fmt.Sprint(frame), func(t *testing.T) {
			t.Parallel()
			for size := range min(3*frame, 35) + 3 {
				for _, emptyEnd := range []bool{false, true} {
					plaintext := counted(size)
					r, err := at(t, unsigned(t, plaintext, frame, emptyEnd), nil)
					require.NoError(t, err)
					require.EqualValues(t, size, r.Size())
					requireSame(t, plaintext, r, fmt.Sprintf("%d bytes, empty end %v", size, emptyEnd))
				}
			}
		})
	}
}

// TestReadAtEverySuite reads messages of every suite, whole and in parts.
func TestReadAtEverySuite(t *testing.T) {
	t.Parallel()
	for _, s := range keyring.Suites() {
		for _, n := range []int{0, 1, 16, 17, 31, 32, 33, 50} {
			o := write(s, 16)
			o.Context = keyring.EncryptionContext{"purpose": "test"}
			message, err := Encrypt(t.Context(), openManager, counted(n), o)
			require.NoError(t, err)
			for _, o := range []*DecryptOptions{readAll(), verifyFirst()} {
				o.Context = keyring.EncryptionContext{"purpose": "test"}
				r, err := at(t, message, o)
				if s.Signed() && !o.VerifyFirst {
					require.ErrorIs(t, err, ErrSigned)
					require.Nil(t, r)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, s, r.Header().Suite)
				require.EqualValues(t, n, r.Size())
				requireSame(t, counted(n), r, s.String())
			}
		}
	}
}

// TestReadAtConformance holds a ReaderAt to what the standard library demands of
// readers and seekers.
func TestReadAtConformance(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 100, 5000, 70_000} {
		message, err := Encrypt(t.Context(), openManager, counted(n), write(0x0478, 1000))
		require.NoError(t, err)
		r, err := at(t, message, nil)
		require.NoError(t, err)
		require.NoError(t, iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), counted(n)))
	}
}

func TestReadAtArguments(t *testing.T) {
	t.Parallel()
	r, err := at(t, unsigned(t, counted(10), 4, false), nil)
	require.NoError(t, err)
	for _, off := range []int64{-1, math.MinInt64} {
		n, err := r.ReadAt(make([]byte, 4), off)
		require.Zero(t, n)
		require.ErrorContains(t, err, "envelope: reading at the negative offset")
	}
	for _, off := range []int64{10, 11, math.MaxInt64} {
		n, err := r.ReadAt(make([]byte, 4), off)
		require.Zero(t, n)
		require.Equal(t, io.EOF, err)
	}
	n, err := r.ReadAt(nil, 3)
	require.Zero(t, n)
	require.NoError(t, err)
}

// TestReadAtLarge reads at random in messages of several fetches, with frames that
// are much shorter than a fetch, a bit shorter and longer.
func TestReadAtLarge(t *testing.T) {
	t.Parallel()
	plaintext := counted(3*fetchLen + 12345)
	for _, frame := range []int{4096, 1000, fetchLen - frameOverhead, fetchLen, 2*fetchLen + 1} {
		t.Run(fmt.Sprint(frame), func(t *testing.T) {
			t.Parallel()
			message, err := Encrypt(t.Context(), openManager, plaintext, write(0x0478, frame))
			require.NoError(t, err)
			src := &recorder{src: bytes.NewReader(message)}
			r, err := NewReaderAt(t.Context(), src, int64(len(message)), openManager, nil)
			require.NoError(t, err)
			got, err := readAllAt(r, len(plaintext)+1)
			require.NoError(t, err)
			require.True(t, bytes.Equal(plaintext, got))
			random := rand.New(rand.NewPCG(1, uint64(frame)))
			for range 50 {
				off := random.IntN(len(plaintext))
				p := make([]byte, random.IntN(len(plaintext)-off)+1)
				n, err := r.ReadAt(p, int64(off))
				require.NoError(t, err)
				require.True(t, n == len(p) && bytes.Equal(plaintext[off:off+n], p), "%d bytes at %d", len(p), off)
			}
			for _, n := range src.lengths {
				require.LessOrEqual(t, n, max(fetchLen, frame+finalOverhead))
			}
		})
	}
}

// recorder is a source that remembers what was asked of it.
type recorder struct {
	src     io.ReaderAt
	mu      sync.Mutex
	lengths []int
}

func (r *recorder) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	r.lengths = append(r.lengths, len(p))
	r.mu.Unlock()
	return r.src.ReadAt(p, off)
}

// TestReadAtFetches counts what is asked of the source.
func TestReadAtFetches(t *testing.T) {
	t.Parallel()
	message := unsigned(t, counted(1000), 100, false)
	src := &recorder{src: bytes.NewReader(message)}
	r, err := NewReaderAt(t.Context(), src, int64(len(message)), openManager, nil)
	require.NoError(t, err)
	require.Equal(t, finalOverhead+100, src.lengths[len(src.lengths)-1], "the final frame, alone")

	regular := 100 + frameOverhead
	for _, c := range []struct {
		off, n int
		want   []int
	}{
		{950, 50, nil}, // the final frame is here since it was opened
		{0, 1, []int{regular}},
		{1, 99, nil},
		{99, 2, []int{regular}},
		{150, 10, nil},
		{160, 340, []int{3 * regular}}, // from behind the frame that is here
		{499, 1, []int{regular}},       // whole frames are not kept
		{500, 200, []int{2 * regular}},
		{50, 900, []int{9*regular + finalOverhead - frameOverhead + regular}},
	} {
		src.lengths = nil
		_, err := r.ReadAt(make([]byte, c.n), int64(c.off))
		require.NoError(t, err)
		require.Equal(t, c.want, src.lengths, "%+v", c)
	}

	// Small reads in a row ask for each frame once.
	src.lengths = nil
	got, err := readAllAt(r, 7)
	require.NoError(t, err)
	require.Equal(t, counted(1000), got)
	require.Len(t, src.lengths, 10)
}

// TestReadAtPublishedMessages reads published messages from the end.
func TestReadAtPublishedMessages(t *testing.T) {
	t.Parallel()
	files := archive(t, "v4-Net-4.0.1.zip")
	var manifest struct{ Tests map[string]vector }
	decodeJSON(t, files["manifest.json"], &manifest)
	var keys struct{ Keys map[string]vectorKey }
	decodeJSON(t, files["keys.json"], &keys)
	read := 0
	for name, v := range manifest.Tests {
		if !v.offline() {
			continue
		}
		var rings []keyring.Keyring
		for _, k := range v.MasterKeys {
			rings = append(rings, vectorKeyring(t, k, keys.Keys))
		}
		ring, err := keyring.NewMulti(nil, rings...)
		require.NoError(t, err)
		o := verifyFirst()
		o.Context = v.Context
		message := files[strings.TrimPrefix(v.Ciphertext, "file://")]
		want := files[strings.TrimPrefix(v.Result.Output.Plaintext, "file://")]
		r, err := NewReaderAt(t.Context(), bytes.NewReader(message), int64(len(message)), keyring.NewManager(ring), o)
		require.NoError(t, err, name)
		require.EqualValues(t, len(want), r.Size(), name)
		p := make([]byte, 1000)
		for off := len(want) - len(p); off >= 0; off -= 660 {
			n, err := r.ReadAt(p, int64(off))
			require.NoError(t, err, name)
			require.True(t, bytes.Equal(want[off:off+n], p), "%s at %d", name, off)
		}
		read++
	}
	require.Equal(t, 99, read)
}

// TestReadAtConcurrent lets goroutines read all over a message.
func TestReadAtConcurrent(t *testing.T) {
	t.Parallel()
	plaintext := counted(10_000)
	for _, s := range []Suite{0x0478, 0x0578} {
		message, err := Encrypt(t.Context(), openManager, plaintext, write(s, 100))
		require.NoError(t, err)
		r, err := at(t, message, verifyFirst())
		require.NoError(t, err)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(g), 0))
				for range 1000 {
					off := random.IntN(len(plaintext))
					p := make([]byte, 1+random.IntN(min(300, len(plaintext)-off)))
					n, err := r.ReadAt(p, int64(off))
					if n != len(p) || err != nil || !bytes.Equal(plaintext[off:off+n], p) {
						t.Errorf("%d bytes at %d: %d, %v", len(p), off, n, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestReadAtAllocatesNothing counts what a read allocates, in a frame that is held,
// across two, and in many.
func TestReadAtAllocatesNothing(t *testing.T) {
	r, err := at(t, unsigned(t, counted(100_000), 1000, false), nil)
	require.NoError(t, err)
	p := make([]byte, 50_000)
	for _, n := range []int{1, 1000, 50_000} {
		off := 0
		allocs := testing.AllocsPerRun(100, func() {
			off = (off + 777) % 49_000
			if _, err := r.ReadAt(p[:n], int64(off)); err != nil {
				t.Fatal(err)
			}
		})
		require.Zero(t, allocs, "%d bytes", n)
	}
}

func TestReadAtContext(t *testing.T) {
	t.Parallel()
	message := unsigned(t, counted(3*fetchLen), 1000, false)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	src := readerAtFunc(func(p []byte, off int64) (int, error) {
		if calls++; calls == 4 { // after the header, the final frame and one fetch
			cancel()
		}
		return bytes.NewReader(message).ReadAt(p, off)
	})
	r, err := NewReaderAt(ctx, src, int64(len(message)), openManager, nil)
	require.NoError(t, err)
	require.Equal(t, 2, calls)
	p := make([]byte, r.Size())
	n, err := r.ReadAt(p, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 4, calls)
	require.Equal(t, 2*(fetchLen/(1000+frameOverhead))*1000, n)
	require.True(t, bytes.Equal(counted(3 * fetchLen)[:n], p[:n]))
	_, err = r.ReadAt(p[:1], 0)
	require.ErrorIs(t, err, context.Canceled)

	for _, o := range []*DecryptOptions{nil, {VerifyFirst: true}} {
		_, err = NewReaderAt(ctx, bytes.NewReader(message), int64(len(message)), noManager{}, o)
		require.ErrorIs(t, err, context.Canceled)
	}
}

// TestReadAtShowsNothing prints a ReaderAt that holds plaintext.
func TestReadAtShowsNothing(t *testing.T) {
	t.Parallel()
	r, err := at(t, unsigned(t, []byte("the secret"), 100, false), nil)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		require.Equal(t, "envelope.ReaderAt{ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY}", fmt.Sprintf(verb, r))
	}
}

// TestReadAtWipes: a window that nobody will read from holds no plaintext.
func TestReadAtWipes(t *testing.T) {
	t.Parallel()
	r, err := at(t, unsigned(t, bytes.Repeat([]byte("secret"), 100), 100, false), nil)
	require.NoError(t, err)
	_, err = r.ReadAt(make([]byte, 220), 150) // the first and the last of three in part
	require.NoError(t, err)
	w := r.take()
	require.EqualValues(t, 3, w.index)
	require.Equal(t, 100/6, bytes.Count(w.buf, []byte("secret")), "only one frame is held")
	r.put(r.take())
	r.put(w)
	r.put(&window{})
	require.Nil(t, w.plain)
	require.Zero(t, bytes.Count(w.buf, []byte("secret")))
}
