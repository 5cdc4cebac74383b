package s3crypto_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"io"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/gcmstream"
	"github.com/sealring/sealring/s3crypto"
)

// vast is the body of an object of zeros, which is generated where it is read: the
// ciphertext is the keystream, and the tag follows it.
type vast struct {
	block cipher.Block
	iv    []byte
	n     int64
	tag   []byte
}

// ReadAt generates ciphertext.
func (v *vast) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), max(v.n-off, 0)))
	clear(p[:n])
	counter := append(bytes.Clone(v.iv), 0, 0, 0, 0)
	k := uint32(off/16) + 2
	counter[12], counter[13], counter[14], counter[15] = byte(k>>24), byte(k>>16), byte(k>>8), byte(k)
	stream := cipher.NewCTR(v.block, counter)
	var skip [16]byte
	stream.XORKeyStream(skip[:off%16], skip[:off%16])
	stream.XORKeyStream(p[:n], p[:n])
	if n < len(p) {
		tag := v.tag[min(max(off-v.n, 0), int64(len(v.tag))):]
		n += copy(p[n:], tag)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// storeVast stores an object of n zeros in format V3.
func storeVast(t *testing.T, s *shelf, n int64) {
	key, id := randomBytes(32), randomBytes(28)
	content, iv, aad := kdf(key, id, "DERIVEKEY", 32), bytes.Repeat([]byte{1}, 12), []byte{0, 0x73}
	block, err := aes.NewCipher(content)
	require.NoError(t, err)
	v := &vast{block: block, iv: iv, n: n}
	m, err := gcmstream.NewMessage(content, iv, aad)
	require.NoError(t, err)
	var whole gcmstream.Piece
	for buf, off := make([]byte, 1<<20), int64(0); off < n; off += int64(len(buf)) {
		got, _ := v.ReadAt(buf[:min(int64(len(buf)), n-off)], off)
		whole, err = m.Join(whole, m.Hash(buf[:got]))
		require.NoError(t, err)
	}
	tag := m.Tag(whole)
	v.tag = tag[:]
	thing := s.put("key", nil, map[string]string{
		"x-amz-c": "115", "x-amz-i": base64Of(id), "x-amz-d": base64Of(kdf(key, id, "COMMITKEY", 28)),
		"x-amz-3": wrapped(wrappingKey, key, "115"), "x-amz-w": "02",
	})
	thing.body, thing.size = v, n+16
}

// peak returns the most heap that was in use while fn ran, of what it has added.
func peak(fn func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for ticker := time.NewTicker(5 * time.Millisecond); ; {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most.Store(max(most.Load(), now.HeapInuse))
			select {
			case <-ticker.C:
			case <-done:
				ticker.Stop()
				return
			}
		}
	}()
	fn()
	close(done)
	<-stopped
	return most.Load() - min(most.Load(), before.HeapInuse)
}

// zeroSink counts what is written, and notices what is not zero.
type zeroSink struct{ n, other atomic.Int64 }

func (z *zeroSink) Write(p []byte) (int, error) { return z.WriteAt(p, 0) }

func (z *zeroSink) WriteAt(p []byte, _ int64) (int, error) {
	z.n.Add(int64(len(p)))
	if !bytes.Equal(p, zeroPage[:len(p)]) {
		z.other.Add(1)
	}
	return len(p), nil
}

var zeroPage = make([]byte, 1<<20)

// TestMemoryIsConstant reads giantSize bytes in every mode that does not buffer by choice.
// It runs alone, because it measures the heap.
func TestMemoryIsConstant(t *testing.T) {
	const n, limit = giantSize, 64 << 20
	s := newShelf()
	storeVast(t, s, n)
	dir := t.TempDir()
	c := lenientClient(t, s, func(o *s3crypto.Options) { o.TempDir = dir })
	for name, read := range map[string]func(t *testing.T, z *zeroSink){
		"get": func(t *testing.T, z *zeroSink) {
			out, err := c.Get(t.Context(), getInput("key"), nil)
			require.NoError(t, err)
			_, err = io.Copy(z, out.Body)
			require.NoError(t, err)
			require.NoError(t, out.Body.Close())
			requireEmptyDir(t, dir)
		},
		"stream": func(t *testing.T, z *zeroSink) {
			out, err := c.GetStream(t.Context(), getInput("key"), nil)
			require.NoError(t, err)
			_, err = io.Copy(z, out.Body)
			require.NoError(t, err)
			require.True(t, out.Body.(*s3crypto.UnverifiedBody).Verified())
		},
		"download": func(t *testing.T, z *zeroSink) {
			_, err := c.Download(t.Context(), getInput("key"), z, nil)
			require.NoError(t, err)
		},
		"range": func(t *testing.T, z *zeroSink) {
			out, err := c.GetRangeUnauthenticated(t.Context(), rangeInput("bytes=0-"), nil)
			require.NoError(t, err)
			_, err = io.Copy(z, out.Body)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			z := &zeroSink{}
			added := peak(func() { read(t, z) })
			t.Logf("%d MiB of heap", added>>20)
			require.Less(t, added, uint64(limit))
			require.EqualValues(t, n, z.n.Load())
			require.Zero(t, z.other.Load())
		})
	}
}

// TestClaimedLengthsAllocateNothing has S3 claim to send much, and send little. It runs
// alone, because it measures the heap.
func TestClaimedLengthsAllocateNothing(t *testing.T) {
	s := newShelf()
	sealedAs("V3", numbered(100)).store(s, "key")
	for _, claim := range []int64{60 << 20, 1<<36 - 16} {
		s.get("key").size = claim
		s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) {
			out.Body = io.NopCloser(io.LimitReader(out.Body, 100))
		}
		c := lenientClient(t, s, func(o *s3crypto.Options) { o.Concurrency = 1 })
		for _, get := range []getter{(*s3crypto.Client).Get, (*s3crypto.Client).GetStream} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := readAll(t, c, get, nil)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
		}
	}
}
