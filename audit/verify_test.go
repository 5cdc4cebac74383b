package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

// small returns an event whose line is short.
func small(n int) audit.Event { return audit.Event{ID: event(n).ID, Time: start} }

// chained returns the lines of a log of n events whose newest anchor is at one of them,
// and what it is verified with.
func chained(t testing.TB, n, anchored int) ([]string, audit.Verification) {
	t.Helper()
	path, state := newPath(t), &memoryState{}
	f := openFile(t, path, &audit.FileOptions{Sync: audit.SyncNoneUnsafe})
	c := newChain(t, f, state, byHand)
	for i := range n {
		require.NoError(t, c.Record(t.Context(), small(i+1)))
		if i+1 == anchored {
			require.NoError(t, c.Anchor(t.Context()))
		}
	}
	require.NoError(t, f.Close())
	return strings.SplitAfter(read(t, path), "\n")[:n], state.verification(t)
}

func join(lines ...string) string { return strings.Join(lines, "") }

// check verifies a log in parts and returns the fault, nil if there is none.
func check(t testing.TB, with audit.Verification, parts ...string) (*audit.Report, *audit.Fault) {
	t.Helper()
	r, err := audit.VerifyLog(t.Context(), text(parts...), with)
	require.NotNil(t, r)
	if err == nil {
		return r, nil
	}
	var fault *audit.Fault
	require.ErrorAs(t, err, &fault)
	return r, fault
}

func TestVerifyNamesTheFault(t *testing.T) {
	t.Parallel()
	l, with := chained(t, 8, 7)
	other, _ := chained(t, 2, 0)
	engine := with.Origins[0].Engine
	for _, tt := range []struct {
		name   string
		parts  []string
		want   *audit.Fault
		proven uint64
	}{
		{"as it is", []string{join(l...)}, nil, 8},
		{"in files", []string{join(l[:3]...), "", join(l[3:4]...), join(l[4:]...)}, nil, 8},
		{"cut behind the anchor", []string{join(l[:7]...)}, nil, 7},
		{"cut in a line behind the anchor", []string{join(l[:7]...) + l[7][:20]}, nil, 7},
		{"empty", []string{""}, &audit.Fault{Kind: audit.Truncated, From: 1, To: 7}, 0},
		{"no sources", nil, &audit.Fault{Kind: audit.Truncated, From: 1, To: 7}, 0},
		{"cut before the anchor", []string{join(l[:6]...)}, &audit.Fault{Kind: audit.Truncated, From: 7, To: 7}, 6},
		{"cut in the anchored line", []string{join(l[:6]...) + l[6][:len(l[6])-1]}, &audit.Fault{Kind: audit.Truncated, From: 7, To: 7}, 6},
		{"first deleted", []string{join(l[1:]...)}, &audit.Fault{Kind: audit.Missing, File: "part 0", Line: 1, From: 1, To: 1}, 0},
		{"two deleted", []string{join(l[0], l[3], l[4])}, &audit.Fault{Kind: audit.Missing, File: "part 0", Line: 2, From: 2, To: 3}, 1},
		{"file deleted", []string{join(l[:2]...), join(l[5:]...)}, &audit.Fault{Kind: audit.Missing, File: "part 1", Line: 1, From: 3, To: 5}, 2},
		{"swapped", []string{join(l[0], l[2], l[1], l[3])}, &audit.Fault{Kind: audit.Reordered, File: "part 0", Line: 2, From: 3, To: 3}, 1},
		{"files swapped", []string{join(l[4:]...), join(l[:4]...)}, &audit.Fault{Kind: audit.Reordered, File: "part 0", Line: 1, From: 5, To: 5}, 0},
		{"repeated", []string{join(l[0], l[1], l[1], l[2])}, &audit.Fault{Kind: audit.Duplicate, File: "part 0", Line: 3, From: 2, To: 2}, 2},
		{"file repeated", []string{join(l[:2]...), join(l[:2]...)}, &audit.Fault{Kind: audit.Duplicate, File: "part 1", Line: 1, From: 1, To: 1}, 2},
		{"renumbered", []string{join(l[0], strings.Replace(l[2], `"seq":3`, `"seq":2`, 1))}, &audit.Fault{Kind: audit.Altered, File: "part 0", Line: 2, From: 2, To: 2}, 1},
		{"of another engine", []string{join(l[0], other[1])}, &audit.Fault{Kind: audit.Foreign, File: "part 0", Line: 2, From: 2, To: 2}, 1},
		{"said to be of this engine", []string{join(l[0], other[1][:len(`{"chain":{"engine":"`)], engine, other[1][strings.Index(other[1], `","seq"`):])}, &audit.Fault{Kind: audit.Altered, File: "part 0", Line: 2, From: 2, To: 2}, 1},
		{"not chained", []string{join(l[0], "{}\n", l[1])}, &audit.Fault{Kind: audit.Altered, File: "part 0", Line: 2}, 1},
		{"empty line", []string{join(l[0], "\n", l[1])}, &audit.Fault{Kind: audit.Altered, File: "part 0", Line: 2}, 1},
		{"torn in the middle", []string{l[0] + l[1][:30], join(l[1:]...)}, &audit.Fault{Kind: audit.Altered, File: "part 0", Line: 2}, 1},
		{"endless line", []string{l[0], strings.Repeat("x", 2<<20)}, &audit.Fault{Kind: audit.Altered, File: "part 1", Line: 1}, 1},
		{"huge number", []string{l[0], strings.Replace(l[1], `"seq":2`, `"seq":18446744073709551615`, 1)}, &audit.Fault{Kind: audit.Missing, File: "part 1", Line: 1, From: 2, To: 18446744073709551614}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, fault := check(t, with, tt.parts...)
			if tt.want != nil && (tt.want.From > 0 || tt.want.Kind == audit.Truncated) {
				tt.want.Engine = engine
				if tt.want.Kind == audit.Foreign {
					tt.want.Engine = fault.Engine
					require.NotEqual(t, engine, fault.Engine)
				}
			}
			require.Equal(t, tt.want, fault)
			require.Equal(t, tt.proven, r.Chains[0].Proven)
			if fault != nil {
				require.Contains(t, fault.Error(), fault.Kind.String())
				require.NotContains(t, fault.Error(), "FaultKind")
			}
		})
	}
}

// An anchor that was published and whose chain nobody knows any more is what is left of a
// log and a store that were exchanged for others.
func TestVerifyMissesTheChainOfAnAnchor(t *testing.T) {
	t.Parallel()
	l, with := chained(t, 3, 3)
	_, published := chained(t, 2, 2)
	strange := published.Anchors[0]
	with.Anchors = append([]audit.Anchor{strange}, with.Anchors...)
	r, fault := check(t, with, join(l...))
	require.Equal(t, &audit.Fault{Kind: audit.Foreign, Engine: strange.Engine, From: 2, To: 2}, fault)
	require.EqualValues(t, 3, r.Chains[0].Proven, "what is there is verified all the same")

	with.Anchors[0].Seq, with.Anchors[0].MAC = 0, [32]byte{} // where a chain begins, before it has said anything
	_, fault = check(t, with, join(l...))
	require.Nil(t, fault)

	_, fault = check(t, audit.Verification{Anchors: []audit.Anchor{strange}})
	require.Equal(t, &audit.Fault{Kind: audit.Foreign, Engine: strange.Engine, From: 2, To: 2}, fault)
}

func TestVerifySeesEveryByte(t *testing.T) {
	t.Parallel()
	l, with := chained(t, 3, 3)
	log := join(l...)
	for i := range len(log) {
		for _, bit := range []byte{1, 4, 0x20, 0x80} {
			changed := []byte(log)
			changed[i] ^= bit
			r, fault := check(t, with, string(changed))
			require.NotNil(t, fault, "byte %d", i)
			require.LessOrEqual(t, int(r.Chains[0].Proven), strings.Count(log[:i], "\n"))
		}
		_, fault := check(t, with, log[:i]+log[i+1:])
		require.NotNil(t, fault, "without byte %d", i)
		for _, c := range []string{" ", "\n", "\x00", "0", log[i : i+1]} {
			_, fault := check(t, with, log[:i]+c+log[i:])
			require.NotNil(t, fault, "%q at byte %d", c, i)
		}
	}
	_, fault := check(t, with, log)
	require.Nil(t, fault)
	r, fault := check(t, with, log+"x")
	require.Nil(t, fault)
	require.EqualValues(t, 1, r.Torn, "what does not end proves nothing, and is told")
}

func TestVerifySeesEveryLine(t *testing.T) {
	t.Parallel()
	const n = 8
	l, with := chained(t, n, n)
	for i := range n {
		deleted := slices.Delete(slices.Clone(l), i, i+1)
		_, fault := check(t, with, join(deleted...))
		require.NotNil(t, fault, "without line %d", i)
		require.Contains(t, []audit.FaultKind{audit.Missing, audit.Truncated}, fault.Kind)
		for j := range n + 1 {
			_, fault := check(t, with, join(slices.Insert(slices.Clone(l), j, l[i])...))
			require.NotNil(t, fault, "line %d again at %d", i, j)
			require.Contains(t, []audit.FaultKind{audit.Duplicate, audit.Reordered}, fault.Kind)
			if j < n && j != i {
				swapped := slices.Clone(l)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				_, fault := check(t, with, join(swapped...))
				require.NotNil(t, fault)
				require.Equal(t, audit.Reordered, fault.Kind)
			}
		}
	}
}

func TestVerifyCannotSeeWhatIsCutBehindTheAnchor(t *testing.T) {
	t.Parallel()
	const n, anchored = 6, 4
	l, with := chained(t, n, anchored)
	for keep := range n + 1 {
		r, fault := check(t, with, join(l[:keep]...))
		if keep < anchored {
			require.Equal(t, &audit.Fault{Kind: audit.Truncated, Engine: with.Origins[0].Engine, From: uint64(keep + 1), To: anchored}, fault)
			continue
		}
		require.Nil(t, fault)
		require.EqualValues(t, keep, r.Chains[0].Proven)
		require.EqualValues(t, anchored, r.Chains[0].Anchored)
	}
}

func TestVerifySeesALogWrittenAnewWithTheKey(t *testing.T) {
	t.Parallel()
	l, with := chained(t, 3, 2)

	// Somebody who has the origin writes another log.
	o, err := with.Origins[0].MarshalBinary()
	require.NoError(t, err)
	forger := &memoryState{origins: [][]byte{o}}
	h := with.Anchors[0]
	h.Seq, h.MAC = 0, [32]byte{}
	forger.head = headAtOrigin(t, o, h)
	path := newPath(t)
	f := openFile(t, path, nil)
	c := newChain(t, f, forger, byHand)
	record(t, c, 11, 13)
	require.NoError(t, f.Close())
	forged := read(t, path)

	_, fault := check(t, with, join(l...))
	require.Nil(t, fault)
	r, fault := check(t, with, forged)
	require.Equal(t, &audit.Fault{Kind: audit.Rewritten, File: "part 0", Line: 2, Engine: h.Engine, From: 2, To: 2}, fault)
	require.Contains(t, fault.Error(), "rewritten event 2")
	require.EqualValues(t, 1, r.Chains[0].Proven)
	with.Anchors = nil
	_, fault = check(t, with, forged)
	require.Nil(t, fault, "only an anchor elsewhere tells")
}

// headAtOrigin returns the encoding of the head of a chain that has no events yet.
func headAtOrigin(t testing.TB, origin []byte, a audit.Anchor) []byte {
	t.Helper()
	b, err := audit.Head{Anchor: a}.MarshalBinary()
	require.NoError(t, err)
	copy(b[len("SRAH1")+8+32:], origin[len("SRAO1"):][:32])
	return b
}

func TestVerifyAPrunedLog(t *testing.T) {
	t.Parallel()
	const n = 9
	l, with := chained(t, n, 6)
	anchors := with.Anchors
	for first := 2; first <= n; first++ {
		with.Anchors, with.AllowPruned = anchors, false
		_, fault := check(t, with, join(l[first-1:]...))
		require.Equal(t, audit.Missing, fault.Kind)

		with.AllowPruned = true
		r, fault := check(t, with, join(l[first-1:]...))
		if first > 7 { // an anchor that far is not known
			require.Equal(t, audit.Missing, fault.Kind)
			continue
		}
		require.Nil(t, fault)
		require.EqualValues(t, first, r.Chains[0].First)
		require.EqualValues(t, n, r.Chains[0].Proven)
		require.Equal(t, first != 7, r.Chains[0].FirstUnproven, "an anchor proves the line behind it")

		changed := slices.Clone(l[first-1:])
		changed[0] = mac(changed[0])
		_, fault = check(t, with, join(changed...))
		require.NotNil(t, fault)
		changed = slices.Clone(l[first-1:])
		changed[1] = strings.Replace(changed[1], "Management", "management", 1)
		_, fault = check(t, with, join(changed...))
		require.Equal(t, audit.Altered, fault.Kind)
		_, fault = check(t, with, join(slices.Delete(changed, 1, 2)...))
		require.NotNil(t, fault)
	}
	with.Anchors, with.AllowPruned = nil, true
	_, fault := check(t, with, join(l[2:]...))
	require.Equal(t, audit.Missing, fault.Kind)
	r, fault := check(t, with, join(l...))
	require.Nil(t, fault)
	require.EqualValues(t, 1, r.Chains[0].First)
}

func TestVerifySeveralEngines(t *testing.T) {
	t.Parallel()
	a, with := chained(t, 3, 3)
	b, more := chained(t, 3, 2)
	with.Origins = append(with.Origins, more.Origins...)
	with.Anchors = append(with.Anchors, more.Anchors...)
	r, fault := check(t, with, join(a[0], b[0], b[1]), join(a[1], b[2], a[2]))
	require.Nil(t, fault)
	require.EqualValues(t, 3, r.Chains[0].Proven)
	require.EqualValues(t, 3, r.Chains[1].Proven)
	require.EqualValues(t, 2, r.Chains[1].Anchored)
	_, fault = check(t, with, join(a[0], b[0], b[2]), join(a[1], a[2]))
	require.Equal(t, &audit.Fault{Kind: audit.Missing, File: "part 0", Line: 3, Engine: more.Origins[0].Engine, From: 2, To: 2}, fault)
}

func TestVerifyTellsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	l, with := chained(t, 3, 3)
	sources := text(join(l[0], l[2]), "")
	sources[1].Open = func() (io.ReadCloser, error) { return nil, errDisk }
	_, err := audit.VerifyLog(t.Context(), sources[1:], with)
	require.ErrorIs(t, err, errDisk)
	_, err = audit.VerifyLog(t.Context(), sources, with) // while it looks for what is missing
	require.ErrorIs(t, err, errDisk)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = audit.VerifyLog(ctx, text(join(l...)), with)
	require.ErrorIs(t, err, context.Canceled)

	sources[0].Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(l[0]), brokenReader{})), nil
	}
	r, err := audit.VerifyLog(t.Context(), sources, with)
	require.ErrorIs(t, err, errDisk)
	require.False(t, errors.As(err, new(*audit.Fault)), "what cannot be read is not said to be changed")
	require.EqualValues(t, 1, r.Chains[0].Proven)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errDisk }

func TestFaultKindsHaveNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for k := audit.Altered; k <= audit.Foreign; k++ {
		require.False(t, seen[k.String()])
		seen[k.String()] = true
		require.NotContains(t, k.String(), "FaultKind")
	}
	require.Equal(t, "FaultKind(0)", audit.FaultKind(0).String())
	require.Equal(t, "FaultKind(8)", audit.FaultKind(8).String())
}

func FuzzVerifyLog(f *testing.F) {
	l, with := chained(f, 3, 2)
	log := join(l...)
	f.Add([]byte(log))
	f.Add([]byte(log[:len(log)-5]))
	f.Add([]byte(strings.Replace(log, `"seq":2`, `"seq":02`, 1)))
	f.Add([]byte(fmt.Sprintf(`{"chain":{"engine":%q,"seq":99999999999999999999,"mac":""},`, with.Origins[0].Engine)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, fault := check(t, with, string(b))
		if fault == nil && !strings.HasPrefix(string(b), join(l[:2]...)) {
			t.Fatalf("%q verifies", b)
		}
		if n := r.Chains[0].Proven; !strings.HasPrefix(string(b), join(l[:n]...)) {
			t.Fatalf("%d events of %q are proven", n, b)
		}
		with := with
		with.AllowPruned = true
		check(t, with, string(b))
	})
}
