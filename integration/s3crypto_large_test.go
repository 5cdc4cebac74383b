package integration

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// vastBody is a body of n bytes that is made where it is read: the keystream of AES in
// counter mode.
type vastBody struct {
	block  cipher.Block
	n, pos int64
}

func newVastBody(n int64) *vastBody {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err)
	}
	return &vastBody{block: block, n: n}
}

// ReadAt implements io.ReaderAt.
func (v *vastBody) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), max(v.n-off, 0)))
	var counter [16]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(off/16))
	stream := cipher.NewCTR(v.block, counter[:])
	var skipped [16]byte
	stream.XORKeyStream(skipped[:off%16], skipped[:off%16])
	clear(p[:n])
	stream.XORKeyStream(p[:n], p[:n])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (v *vastBody) Read(p []byte) (int, error) {
	n, err := v.ReadAt(p, v.pos)
	if v.pos += int64(n); n > 0 {
		err = nil
	}
	return n, err
}

func (v *vastBody) Seek(offset int64, whence int) (int64, error) {
	v.pos = offset + []int64{io.SeekStart: 0, io.SeekCurrent: v.pos, io.SeekEnd: v.n}[whence]
	return v.pos, nil
}

// vastCheck compares what is written with a vastBody.
type vastCheck struct {
	want *vastBody
	n    atomic.Int64
}

var errOtherContent = errors.New("other content")

func (c *vastCheck) Write(p []byte) (int, error) { return c.WriteAt(p, c.n.Load()) }

func (c *vastCheck) WriteAt(p []byte, off int64) (int, error) {
	buf := make([]byte, 32<<10)
	for done := 0; done < len(p); {
		n, _ := c.want.ReadAt(buf[:min(len(buf), len(p)-done)], off+int64(done))
		if n == 0 || !bytes.Equal(buf[:n], p[done:done+n]) {
			return 0, errOtherContent
		}
		done += n
	}
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// heapPeak returns how much the heap grows while fn runs, at most.
func heapPeak(fn func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before, most := stats.HeapInuse, stats.HeapInuse
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for again := time.NewTicker(10 * time.Millisecond); ; {
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapInuse)
			select {
			case <-again.C:
			case <-done:
				again.Stop()
				return
			}
		}
	}()
	fn()
	close(done)
	<-stopped
	return most - before
}

// TestVersityGWVastObject writes and reads 1 GiB in every way that is meant for that, in
// little memory. It runs alone, because it measures the heap.
func TestVersityGWVastObject(t *testing.T) {
	if testing.Short() {
		t.Skip("1 GiB")
	}
	const n, limit = 1 << 30, 64 << 20
	s := versityGW(t, versityOptions{})
	wraps := newS3Wraps(t)
	o := &s3Object{server: s, wrap: wraps[0], policy: s3Formats[0], key: "vast"}
	c := o.client(t, func(o *s3crypto.Options) {
		o.PartSize, o.MultipartAbove, o.TempDir = s3crypto.DefaultPartSize, 2<<30, t.TempDir()
	})
	step := func(name string, fn func() error) {
		t.Helper()
		var err error
		begin := time.Now()
		added := heapPeak(func() { err = fn() })
		t.Logf("%s: %d MiB of heap, %v", name, added>>20, time.Since(begin).Round(time.Millisecond))
		require.NoError(t, err, name)
		require.Less(t, added, uint64(limit), name)
	}
	// read compares what a body has.
	read := func(out *s3.GetObjectOutput, err error) error {
		if err != nil {
			return err
		}
		defer out.Body.Close()
		check := &vastCheck{want: newVastBody(n)}
		if _, err := io.Copy(check, out.Body); err != nil {
			return err
		}
		if check.n.Load() != n {
			return fmt.Errorf("%d bytes", check.n.Load())
		}
		return nil
	}
	put := func(body io.Reader) error {
		in := o.putInput()
		in.Body = body
		_, err := c.Put(t.Context(), in, nil)
		return err
	}

	step("put, unseekable", func() error { return put(onlyReader{newVastBody(n)}) })
	step("get, streamed", func() error { return read(c.GetStream(t.Context(), o.getInput(), nil)) })
	step("put, seekable", func() error { return put(newVastBody(n)) })
	step("get, verified", func() error { return read(c.Get(t.Context(), o.getInput(), nil)) })
	step("download", func() error {
		check := &vastCheck{want: newVastBody(n)}
		_, err := c.Download(t.Context(), o.getInput(), check, nil)
		if err == nil && check.n.Load() != n {
			err = fmt.Errorf("%d bytes", check.n.Load())
		}
		return err
	})
	step("rewrap", func() error {
		_, err := c.Rewrap(t.Context(), &s3crypto.RewrapInput{Bucket: s.bucket, Key: o.key}, wraps[1].wrapper, nil)
		return err
	})
	o.wrap = wraps[1]
	in := o.getInput()
	in.Range = aws.String(fmt.Sprintf("bytes=%d-", n-100))
	content, err := drain(o.client(t).GetRangeUnauthenticated(t.Context(), in, nil))
	require.NoError(t, err)
	want := make([]byte, 100)
	_, err = newVastBody(n).ReadAt(want, n-100)
	require.NoError(t, err)
	require.Equal(t, want, content)
}
