package bench

import (
	"context"
	"io"
	"runtime"
	"testing"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// maxStreamHeap is what streaming may take, whatever the length of the stream.
const maxStreamHeap = 24 << 20

// BenchmarkStream1GiB sends 1 GiB from a Writer through a pipe to a Reader, reports
// the largest heap that was seen and fails if that exceeds maxStreamHeap.
func BenchmarkStream1GiB(b *testing.B) {
	const n = 1 << 30
	m := manager(b)
	runtime.GC() // what earlier benchmarks have left is not the stream's
	b.SetBytes(n)
	var peak uint64
	for b.Loop() {
		pr, pw := io.Pipe()
		go func() { pw.CloseWithError(writeZeros(b.Context(), pw, m, n)) }()
		r, err := envelope.NewReader(b.Context(), pr, m, nil)
		if err != nil {
			b.Fatal(err)
		}
		dst := &heapMeter{}
		if _, err := r.WriteTo(dst); err != nil || dst.n != n {
			b.Fatal(dst.n, err)
		}
		peak = max(peak, dst.peak)
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MiB")
	if peak > maxStreamHeap {
		b.Errorf("heap of %d bytes while streaming, at most %d are allowed", peak, maxStreamHeap)
	}
}

func writeZeros(ctx context.Context, dst io.Writer, m keyring.Manager, n int64) error {
	w, err := envelope.NewWriter(ctx, dst, m, &envelope.EncryptOptions{Suite: keyring.AES256GCMHKDFSHA512CommitKey})
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, io.LimitReader(zeros{}, n)); err != nil {
		return err
	}
	return w.Close()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// heapMeter counts bytes and looks at the heap every 4 MiB.
type heapMeter struct {
	n, next int64
	peak    uint64
}

func (h *heapMeter) Write(p []byte) (int, error) {
	if h.n += int64(len(p)); h.n >= h.next {
		h.next += 4 << 20
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		h.peak = max(h.peak, m.HeapInuse)
	}
	return len(p), nil
}
