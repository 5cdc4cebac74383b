package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := newBench(t)
	p := b.process(io.Discard, &out)
	require.Nil(t, p.newProgress(100, byteUnit), "nobody would see it")
	b.ttys = []any{p.stderr}
	g := p.newProgress(4<<20, byteUnit)
	now := g.start
	g.now = func() time.Time { return now }

	g.at(1 << 20)
	now = now.Add(progressAfter - 1)
	g.at(1 << 20)
	require.Empty(t, out.String(), "short work shows nothing")
	now = g.start.Add(4 * time.Second)
	g.at(1 << 20)
	require.Equal(t, "\r\x1b[K 25% [======                  ] 1.0 MiB of 4.0 MiB, 256.0 KiB/s, 12s left", out.String())
	out.Reset()
	now = now.Add(progressEvery - 1)
	g.at(2 << 20)
	require.Empty(t, out.String(), "not so often")
	now = now.Add(1)
	g.at(5 << 20)
	require.Contains(t, out.String(), "125% [========================] 5.0 MiB of 4.0 MiB")
	require.Contains(t, out.String(), " 0s left")
	out.Reset()
	g.end()
	require.Equal(t, "\r\x1b[K", out.String())
}

func TestProgressOfUnknownLength(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := newBench(t)
	p := b.process(io.Discard, &out)
	b.ttys = []any{p.stderr}
	g := p.newProgress(-1, countUnit("records"))
	g.start = g.start.Add(-2 * progressAfter)
	n, err := io.Copy(io.Discard, g.reader(strings.NewReader("hello")))
	require.NoError(t, err)
	require.Equal(t, int64(5), n)
	require.Contains(t, out.String(), "5 records, 1 records/s")
}

func TestShortWorkDrawsNothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := newBench(t)
	p := b.process(io.Discard, &out)
	b.ttys = []any{p.stderr}
	g := p.newProgress(10, byteUnit)
	g.at(5)
	g.end()
	require.Empty(t, out.String())
	var none *progress
	none.at(1)
	none.end()
	require.Equal(t, io.Reader(&out), none.reader(&out))
}

func TestByteUnit(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 1<<63 - 1: "8.0 EiB"} {
		require.Equal(t, want, byteUnit(n))
	}
}
