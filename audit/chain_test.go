package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

// byHand makes no anchor that is not asked for.
var byHand = &audit.ChainOptions{Period: -1}

func newChain(t testing.TB, sink audit.Sink, state audit.ChainState, o *audit.ChainOptions) *audit.Chain {
	t.Helper()
	c, err := audit.NewChain(t.Context(), sink, state, o)
	require.NoError(t, err)
	return c
}

// verify verifies a log of which the state has the newest anchor.
func verify(t testing.TB, path string, state *memoryState) (*audit.Report, error) {
	t.Helper()
	sources, err := audit.Sources(path)
	require.NoError(t, err)
	return audit.VerifyLog(t.Context(), sources, state.verification(t))
}

// requireProven verifies a log of one chain with n events.
func requireProven(t testing.TB, path string, state *memoryState, n int) audit.ChainReport {
	t.Helper()
	r, err := verify(t, path, state)
	require.NoError(t, err)
	require.Zero(t, r.Torn)
	require.Len(t, r.Chains, 1)
	require.EqualValues(t, n, r.Chains[0].Proven)
	require.Len(t, ids(t, strings.Join(readAll(t, path), "")), n)
	return r.Chains[0]
}

func TestChainLinksEvents(t *testing.T) {
	t.Parallel()
	path, state := newPath(t), &memoryState{}
	f := openFile(t, path, nil)
	c := newChain(t, f, state, byHand)
	record(t, c, 1, 5)
	report := requireProven(t, path, state, 5)
	require.Zero(t, report.Anchored)
	require.EqualValues(t, 1, report.First)
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, c.Close(t.Context()))
	err := c.Record(t.Context(), event(6))
	require.ErrorIs(t, err, audit.ErrClosed)
	require.ErrorIs(t, err, audit.ErrNotRecorded)
	require.ErrorIs(t, c.Anchor(t.Context()), audit.ErrClosed)
	require.EqualValues(t, 5, requireProven(t, path, state, 5).Anchored)

	seq := uint64(0)
	for line := range strings.Lines(read(t, path)) {
		var e audit.Event
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		seq++
		require.Equal(t, seq, e.Chain.Seq)
		require.Equal(t, report.Engine, e.Chain.Engine)
		require.Equal(t, line, string(e.AppendJSON(nil))+"\n", "an event renders as it was chained")
	}
	require.Equal(t, idsTo(5), ids(t, read(t, path)))
}

func TestChainGoesOn(t *testing.T) {
	t.Parallel()
	path, state := newPath(t), &memoryState{}
	o := &audit.FileOptions{MaxSize: 3000}
	for i := range 5 {
		f := openFile(t, path, o)
		c := newChain(t, f, state, byHand)
		record(t, c, 4*i+1, 4*i+4)
		if i%2 == 0 { // else it ends without an anchor
			require.NoError(t, c.Close(t.Context()))
		}
		require.NoError(t, f.Close())
	}
	require.Greater(t, len(readAll(t, path)), 3)
	requireProven(t, path, state, 20)
	require.Equal(t, idsTo(20), ids(t, strings.Join(readAll(t, path), "")))
}

func TestChainRefusesACancelledRequest(t *testing.T) {
	t.Parallel()
	var ring audit.Ring
	c := newChain(t, &ring, &memoryState{}, byHand)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.Record(ctx, event(1)), context.Canceled)
	record(t, c, 1, 1)
	require.EqualValues(t, 1, ring.Events()[0].Chain.Seq)
}

func TestChainResumesWhereverACrashCutsTheLog(t *testing.T) {
	t.Parallel()
	path, state := newPath(t), &memoryState{}
	f := openFile(t, path, nil)
	c := newChain(t, f, state, byHand)
	for n := range 5 {
		require.NoError(t, c.Record(t.Context(), small(n+1)))
		if n == 2 {
			require.NoError(t, c.Anchor(t.Context()))
		}
	}
	require.NoError(t, f.Close())
	whole := read(t, path)
	anchored := 0
	for range 3 {
		anchored += strings.IndexByte(whole[anchored:], '\n') + 1
	}
	for n := anchored - 50; n <= len(whole); n++ {
		require.NoError(t, os.WriteFile(path, []byte(whole[:n]), 0o600))
		state := state.copy()
		f := openFile(t, path, &audit.FileOptions{Sync: audit.SyncNoneUnsafe})
		c, err := audit.NewChain(t.Context(), f, state, byHand)
		if n < anchored {
			var fault *audit.Fault
			require.ErrorAs(t, err, &fault)
			require.Equal(t, audit.Truncated, fault.Kind)
			require.EqualValues(t, 3, fault.To)
		} else {
			require.NoError(t, err)
			lines := strings.Count(whole[:n], "\n")
			record(t, c, lines+1, lines+3)
			requireProven(t, path, state, lines+3)
			require.Equal(t, idsTo(lines+3), ids(t, read(t, path)))
		}
		if torn := f.Torn().File; torn != "" {
			require.NoError(t, os.Remove(torn))
		}
		require.NoError(t, f.Close())
	}
}

func TestChainRefusesALogThatWasChangedMeanwhile(t *testing.T) {
	t.Parallel()
	path, state := newPath(t), &memoryState{}
	f := openFile(t, path, nil)
	c := newChain(t, f, state, byHand)
	record(t, c, 1, 2)
	require.NoError(t, c.Anchor(t.Context()))
	record(t, c, 3, 6)
	require.NoError(t, f.Close())
	l := strings.SplitAfter(read(t, path), "\n")[:6]
	for _, tt := range []struct {
		name  string
		lines []string
		kind  audit.FaultKind
		line  int
	}{
		{"deleted", []string{l[0], l[1], l[2], l[4], l[5]}, audit.Missing, 4},
		{"edited", []string{l[0], l[1], l[2], strings.Replace(l[3], "Encrypt", "Decrypt", 1), l[4], l[5]}, audit.Altered, 4},
		{"anchored MAC edited", []string{l[0], mac(l[1]), l[2]}, audit.Rewritten, 2},
		{"inserted", []string{l[0], l[1], l[2], "{}\n", l[3]}, audit.Altered, 4},
		{"repeated", []string{l[0], l[1], l[2], l[2], l[3]}, audit.Altered, 4},
		{"anchored repeated", []string{l[0], l[1], l[2], l[0], l[3]}, audit.Altered, 4},
		{"swapped", []string{l[0], l[1], l[3], l[2]}, audit.Missing, 3},
		{"emptied", nil, audit.Truncated, 0},
		{"only later ones left", l[3:], audit.Missing, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(strings.Join(tt.lines, "")), 0o600))
			f := openFile(t, path, nil)
			state := state.copy()
			_, err := audit.NewChain(t.Context(), f, state, byHand)
			var fault *audit.Fault
			require.ErrorAs(t, err, &fault)
			require.Equal(t, tt.kind, fault.Kind)
			require.Equal(t, tt.line, fault.Line)

			// The operator has the last word: a new chain, beside which the old one still shows.
			c := newChain(t, f, state, &audit.ChainOptions{Period: -1, Fresh: true})
			record(t, c, 7, 8)
			require.NoError(t, f.Close())
			_, err = verify(t, path, state)
			if tt.kind != audit.Truncated { // whose anchor is not among those of the new chain
				require.ErrorAs(t, err, &fault)
			}
			f = openFile(t, path, nil)
			c = newChain(t, f, state, byHand)
			record(t, c, 9, 9)
			require.NoError(t, f.Close())
		})
	}
}

// mac changes the first digit of the MAC on a line.
func mac(line string) string {
	i := strings.Index(line, `"mac":"`) + len(`"mac":"`)
	d := "0"
	if line[i] == '0' {
		d = "1"
	}
	return line[:i] + d + line[i+1:]
}

func TestChainBeginsInALogThatHadNone(t *testing.T) {
	t.Parallel()
	path, state := newPath(t), &memoryState{}
	for i := range 3 {
		f := openFile(t, path, nil)
		if i == 0 {
			record(t, f, 1, 2)
		}
		c := newChain(t, f, state, byHand)
		record(t, c, 3+i, 3+i)
		require.NoError(t, f.Close())
	}
	_, err := verify(t, path, state)
	require.ErrorContains(t, err, "altered", "what is in no chain proves nothing")
	chained := strings.SplitAfterN(read(t, path), "\n", 3)[2]
	r, err := audit.VerifyLog(t.Context(), text(chained), state.verification(t))
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Chains[0].Proven)
}

func TestChainConcurrently(t *testing.T) {
	t.Parallel()
	path, state := newPath(t), &memoryState{}
	var published []audit.Anchor // not guarded: calls must not overlap
	f := openFile(t, path, &audit.FileOptions{MaxSize: 20 << 10})
	c := newChain(t, f, state, &audit.ChainOptions{Events: 10, Anchor: func(_ context.Context, a audit.Anchor) error {
		published = append(published, a)
		return nil
	}})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for n := range 25 {
				assert.NoError(t, c.Record(t.Context(), event(g*25+n+1)))
			}
		})
	}
	wg.Wait()
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, f.Close())
	require.EqualValues(t, 400, requireProven(t, path, state, 400).Anchored)
	require.Greater(t, len(published), 1)
	require.EqualValues(t, 400, published[len(published)-1].Seq)
	sources, err := audit.Sources(path)
	require.NoError(t, err)
	with := state.verification(t)
	with.Anchors = append(with.Anchors, published...)
	_, err = audit.VerifyLog(t.Context(), sources, with)
	require.NoError(t, err)
	require.ElementsMatch(t, idsTo(400), ids(t, strings.Join(readAll(t, path), "")))
}

func TestChainAnchorsByNumberAndTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		state := &memoryState{}
		var at []uint64
		f := openFile(t, newPath(t), nil)
		c := newChain(t, f, state, &audit.ChainOptions{Events: 3, Period: time.Hour, Anchor: func(_ context.Context, a audit.Anchor) error {
			require.Equal(t, time.Now().UTC(), a.Time)
			at = append(at, a.Seq)
			return nil
		}})
		step := func(from, to int) {
			for n := from; n <= to; n++ {
				record(t, c, n, n)
				synctest.Wait()
			}
		}
		step(1, 2)
		require.Empty(t, at)
		step(3, 8)
		require.Equal(t, []uint64{3, 6}, at)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []uint64{3, 6, 8}, at)
		stores := state.stores
		time.Sleep(24 * time.Hour)
		require.Equal(t, stores, state.stores, "nothing new, nothing stored")
		step(9, 9)
		require.NoError(t, c.Anchor(t.Context()))
		require.NoError(t, c.Anchor(t.Context()))
		require.Equal(t, []uint64{3, 6, 8, 9}, at)
		step(10, 10)
		require.NoError(t, c.Close(t.Context()))
		require.Equal(t, []uint64{3, 6, 8, 9, 10}, at)
		time.Sleep(24 * time.Hour)
	})
}

func TestChainRefusesEventsWithoutAnchors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, state := newPath(t), &memoryState{}
		var broken atomic.Bool
		f := openFile(t, path, nil)
		c := newChain(t, f, state, &audit.ChainOptions{Events: 2, Period: time.Hour, Anchor: func(context.Context, audit.Anchor) error {
			if broken.Load() {
				return errDisk
			}
			return nil
		}})
		broken.Store(true)
		recorded := 0
		for n := range 30 {
			err := c.Record(t.Context(), event(n+1))
			synctest.Wait()
			if n < 16 {
				require.NoError(t, err, "an anchor may be late")
				recorded++
				continue
			}
			require.ErrorIs(t, err, audit.ErrAnchor)
			require.ErrorIs(t, err, errDisk)
			require.ErrorIs(t, err, audit.ErrNotRecorded)
		}
		require.Equal(t, 16, recorded)
		broken.Store(false)
		record(t, c, 17, 17)
		requireProven(t, path, state, 17)
		// The timer tries again by itself.
		broken.Store(true)
		time.Sleep(3 * time.Hour)
		require.EqualValues(t, 17, requireProven(t, path, state, 17).Anchored, "the state has it, its publication failed")
		broken.Store(false)
		time.Sleep(time.Hour)
		require.NoError(t, c.Close(t.Context()))
	})
}

// faulty is a sink that is no log and fails as told.
type faulty struct {
	audit.Ring
	err     error
	records bool // though it fails
}

func (s *faulty) Record(ctx context.Context, e audit.Event) error {
	if s.err == nil || s.records {
		if err := s.Ring.Record(ctx, e); err != nil {
			return err
		}
	}
	return s.err
}

func TestChainBeforeAnotherSink(t *testing.T) {
	t.Parallel()
	state, sink := &memoryState{}, &faulty{}
	lines := func() string {
		var b strings.Builder
		for _, e := range sink.Events() {
			fmt.Fprintf(&b, "%s\n", e.AppendJSON(nil))
		}
		return b.String()
	}
	c := newChain(t, sink, state, byHand)
	record(t, c, 1, 2)
	sink.err = fmt.Errorf("full: %w", audit.ErrNotRecorded)
	require.Equal(t, sink.err, c.Record(t.Context(), event(3)))
	sink.err = nil
	record(t, c, 3, 4) // in the place of the one that failed
	r, err := audit.VerifyLog(t.Context(), text(lines()), state.verification(t))
	require.NoError(t, err)
	require.EqualValues(t, 4, r.Chains[0].Proven)

	// After Close it goes on.
	require.NoError(t, c.Close(t.Context()))
	c = newChain(t, sink, state, byHand)
	record(t, c, 5, 6)
	r, err = audit.VerifyLog(t.Context(), text(lines()), state.verification(t))
	require.NoError(t, err)
	require.EqualValues(t, 6, r.Chains[0].Proven)

	// After a crash it begins anew.
	c = newChain(t, sink, state, byHand)
	record(t, c, 7, 8)
	r, err = audit.VerifyLog(t.Context(), text(lines()), state.verification(t))
	require.NoError(t, err)
	require.Len(t, r.Chains, 2)
	require.EqualValues(t, 6, r.Chains[0].Proven)
	require.EqualValues(t, 2, r.Chains[1].Proven)

	// In doubt it ends.
	sink.err, sink.records = errDisk, true
	require.Equal(t, errDisk, c.Record(t.Context(), event(9)))
	sink.err = nil
	err = c.Record(t.Context(), event(10))
	require.ErrorIs(t, err, audit.ErrNotRecorded)
	require.ErrorIs(t, err, errDisk)
	require.NoError(t, c.Close(t.Context()))
	c = newChain(t, sink, state, byHand)
	record(t, c, 11, 11)
	r, err = audit.VerifyLog(t.Context(), text(lines()), state.verification(t))
	require.NoError(t, err)
	require.Len(t, r.Chains, 3)
}

func TestChainStateKeepsSecretsAndShapes(t *testing.T) {
	t.Parallel()
	state := &memoryState{}
	c := newChain(t, &audit.Ring{}, state, byHand)
	record(t, c, 1, 3)
	require.NoError(t, c.Close(t.Context()))
	o, h, err := state.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, o.Engine, h.Engine)
	require.EqualValues(t, 3, h.Seq)
	for _, v := range []any{o, h, &o, &h} {
		for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
			s := fmt.Sprintf(form, v)
			require.Contains(t, s, o.Engine)
			require.Less(t, len(s), 120, "no room for a key: %s", s)
		}
	}
	b, err := json.Marshal([]any{o, h})
	require.NoError(t, err)
	require.NotContains(t, string(b), "key")

	for _, b := range [][]byte{state.origins[0], state.head} {
		for n := range b {
			if n < len(b)-36 { // all but the engine's name
				require.Error(t, o.UnmarshalBinary(b[:n]))
				require.Error(t, h.UnmarshalBinary(b[:n]))
			}
		}
		require.Error(t, o.UnmarshalBinary(append(b[:len(b):len(b)], strings.Repeat("x", 64)...)))
		require.Error(t, h.UnmarshalBinary(append(b[:len(b):len(b)], '"')))
	}
	require.Error(t, o.UnmarshalBinary(state.head))
	require.Error(t, h.UnmarshalBinary(state.origins[0]))
}

func FuzzChainState(f *testing.F) {
	state := &memoryState{}
	c := newChain(f, &audit.Ring{}, state, byHand)
	require.NoError(f, c.Close(f.Context()))
	f.Add(state.origins[0])
	f.Add(state.head)
	f.Add([]byte(state.verification(f).Anchors[0].String()))
	f.Fuzz(func(t *testing.T, b []byte) {
		var o audit.Origin
		if o.UnmarshalBinary(b) == nil {
			again, err := o.MarshalBinary()
			require.NoError(t, err)
			require.Equal(t, b, again)
		}
		var h audit.Head
		if h.UnmarshalBinary(b) == nil {
			again, err := h.MarshalBinary()
			require.NoError(t, err)
			require.Equal(t, b, again)
		}
		var a, same audit.Anchor
		if a.UnmarshalText(b) == nil {
			require.NoError(t, same.UnmarshalText([]byte(a.String())))
			require.Equal(t, a, same)
		}
	})
}
