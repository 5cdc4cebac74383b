package bench

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// BenchmarkReadAt reads 4 KiB at random offsets of a message in frames of 4 KiB: of
// 1 GiB in a file, and of 256 KiB that stay in the processor's cache. It takes turns
// with what the standard library needs and reports the medians of how many times its
// cost a read is:
//
//	times-open       opening a frame that is in the processor's cache
//	times-read-open  reading a frame from a random place of the source and opening it
//	times-bare       reading two neighbours from there and opening both: the same work
//
// Nearly all such reads touch two frames. times-read-open is to be 3 at most. In the file, times-open is mostly the price of the
// system call and of memory that no cache holds; in the cache it is the price of two
// frames and of copying them.
func BenchmarkReadAt(b *testing.B) {
	m := manager(b)
	b.Run("file", func(b *testing.B) {
		src, length := messageFile(b, m, 1<<30)
		readAtRandom(b, m, src, length)
	})
	b.Run("cached", func(b *testing.B) {
		file, length := messageFile(b, m, 256<<10)
		message := make([]byte, length)
		if _, err := file.ReadAt(message, 0); err != nil {
			b.Fatal(err)
		}
		readAtRandom(b, m, bytes.NewReader(message), length)
	})
}

func readAtRandom(b *testing.B, m keyring.Manager, src io.ReaderAt, length int64) {
	b.Helper()
	const turn = 100 // short, so that few turns are interrupted
	r, err := envelope.NewReaderAt(b.Context(), src, length, m, nil)
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, frame)
	read := func() {
		if _, err := r.ReadAt(p, rand.Int64N(r.Size()-frame)); err != nil {
			b.Fatal(err)
		}
	}
	floor := newFrameFloor(b, src, length)
	allocs := testing.AllocsPerRun(turn, read)
	var reads, open, readOpen, bare []float64
	for b.Loop() {
		t := perCall(turn, read)
		reads = append(reads, t)
		open = append(open, t/perCall(turn, floor.open))
		readOpen = append(readOpen, t/perCall(turn, func() { floor.readOpen(1) }))
		bare = append(bare, t/perCall(turn, func() { floor.readOpen(2) }))
	}
	b.ReportMetric(0, "ns/op") // of all turns together: says nothing
	b.ReportMetric(median(reads), "ns/read")
	b.ReportMetric(allocs, "allocs/read")
	b.ReportMetric(median(open), "times-open")
	b.ReportMetric(median(readOpen), "times-read-open")
	b.ReportMetric(median(bare), "times-bare")
}

// BenchmarkReadAtSequential reads 64 MiB from the first byte to the last, in pieces
// smaller and larger than a frame.
func BenchmarkReadAtSequential(b *testing.B) {
	const size = 64 << 20
	m := manager(b)
	src, length := messageFile(b, m, size)
	r, err := envelope.NewReaderAt(b.Context(), src, length, m, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, n := range map[string]int{"512B": 512, "32KiB": 32 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			p := make([]byte, n)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				for off := int64(0); off < size; off += int64(n) {
					if _, err := r.ReadAt(p, off); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// messageFile writes a message of n zeros to a file, which stays in the cache of
// the system, and returns the file and its length.
func messageFile(b *testing.B, m keyring.Manager, n int64) (*os.File, int64) {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "message"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if err := writeZeros(b.Context(), f, m, n); err != nil {
		b.Fatal(err)
	}
	length, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		b.Fatal(err)
	}
	return f, length
}

// frameFloor opens frames with the standard library. All have the same ciphertext,
// since those of the message have a key that nobody has.
type frameFloor struct {
	b              *testing.B
	src            io.ReaderAt
	length         int64
	aead           cipher.AEAD
	iv, ad, sealed []byte
	raw, plaintext []byte
}

func newFrameFloor(b *testing.B, src io.ReaderAt, length int64) *frameFloor {
	b.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	f := &frameFloor{b: b, src: src, length: length, aead: aead, iv: make([]byte, 12), ad: make([]byte, 72)}
	f.sealed = aead.Seal(nil, f.iv, make([]byte, frame), f.ad)
	f.raw, f.plaintext = make([]byte, 2*(frame+32)), make([]byte, 0, frame)
	return f
}

func (f *frameFloor) open() {
	if _, err := f.aead.Open(f.plaintext, f.iv, f.sealed, f.ad); err != nil {
		f.b.Fatal(err)
	}
}

// readOpen reads n frames from one random place, and opens as many.
func (f *frameFloor) readOpen(n int) {
	raw := f.raw[:n*(frame+32)]
	if _, err := f.src.ReadAt(raw, rand.Int64N(f.length-int64(len(raw)))); err != nil {
		f.b.Fatal(err)
	}
	for range n {
		f.open()
	}
}

// perCall returns how many nanoseconds a call of fn takes.
func perCall(calls int, fn func()) float64 {
	start := time.Now()
	for range calls {
		fn()
	}
	return float64(time.Since(start)) / float64(calls)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
