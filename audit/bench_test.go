package audit_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

// writers is how many goroutines record events at once.
const writers = 16

func BenchmarkEventJSON(b *testing.B) {
	e := event(1)
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line = e.AppendJSON(line[:0])
	}
	b.SetBytes(int64(len(line)))
}

func BenchmarkRecord(b *testing.B) {
	chained := func(o *audit.FileOptions) func(b *testing.B) audit.Sink {
		return func(b *testing.B) audit.Sink {
			return newChain(b, openFile(b, newPath(b), o), &memoryState{}, nil)
		}
	}
	for _, bb := range []struct {
		name string
		sink func(b *testing.B) audit.Sink
	}{
		{"Ring", func(b *testing.B) audit.Sink { return &audit.Ring{} }},
		{"File", func(b *testing.B) audit.Sink { return openFile(b, newPath(b), nil) }},
		{"File+Chain", chained(nil)},
		{"File+Chain/SyncEach", chained(&audit.FileOptions{Sync: audit.SyncEach})},
		{"File+Chain/SyncNone", chained(&audit.FileOptions{Sync: audit.SyncNoneUnsafe})},
	} {
		b.Run(bb.name, func(b *testing.B) {
			sink, e := bb.sink(b), event(1)
			b.ReportAllocs()
			b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := sink.Record(context.Background(), e); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkVerifyLog(b *testing.B) {
	const events = 1000
	path, state := newPath(b), &memoryState{}
	c := newChain(b, openFile(b, path, &audit.FileOptions{Sync: audit.SyncNoneUnsafe}), state, nil)
	record(b, c, 1, events)
	sources, with := text(read(b, path)), state.verification(b)
	b.SetBytes(int64(len(read(b, path))))
	b.ReportAllocs()
	for b.Loop() {
		r, err := audit.VerifyLog(b.Context(), sources, with)
		require.NoError(b, err)
		require.EqualValues(b, events, r.Chains[0].Proven)
	}
}
