package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

// stepLog is a log whose commits wait for the test to say how they end.
type stepLog struct {
	lines    []string
	commits  []chan error // of the lines that were staged, in their order
	stage    error        // of every Stage
	recovers int
	panics   any   // of every commit
	recover  error // of every Recover
	replayed []audit.Line
	replay   error
}

func (l *stepLog) Record(context.Context, audit.Event) error { panic("a chain stages") }

func (l *stepLog) Stage(line []byte) (func() error, error) {
	if l.stage != nil {
		return nil, l.stage
	}
	done := make(chan error, 1)
	l.lines, l.commits = append(l.lines, string(line)+"\n"), append(l.commits, done)
	return func() error {
		if l.panics != nil {
			panic(l.panics)
		}
		return <-done
	}, nil
}

func (l *stepLog) Recover() error { l.recovers++; return l.recover }

func (l *stepLog) Replay(string, uint64) iter.Seq2[audit.Line, error] {
	return func(yield func(audit.Line, error) bool) {
		for _, line := range l.replayed {
			if !yield(line, nil) {
				return
			}
		}
		if l.replay != nil {
			yield(audit.Line{}, l.replay)
		}
	}
}

// begin records events in the background, one behind the other, and returns where their
// errors come.
func begin(t *testing.T, c *audit.Chain, from, to int) []chan error {
	var ends []chan error
	for n := from; n <= to; n++ {
		end := make(chan error, 1)
		go func() { end <- c.Record(t.Context(), event(n)) }()
		synctest.Wait() // it has its place
		ends = append(ends, end)
	}
	return ends
}

func TestChainTakesBackWhatIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, state := &stepLog{}, &memoryState{}
		c := newChain(t, log, state, byHand)
		ends := begin(t, c, 1, 4)
		require.Len(t, log.commits, 4)
		lost := errors.Join(audit.ErrNotRecorded, full)

		log.commits[2] <- lost // the third ends before the others
		require.Equal(t, lost, <-ends[2])
		synctest.Wait()
		require.ErrorIs(t, c.Record(t.Context(), event(5)), audit.ErrNotRecorded, "it would rest on the third")
		require.Zero(t, log.recovers, "while others are on their way")
		log.commits[0] <- nil
		require.NoError(t, <-ends[0])
		log.commits[3] <- lost
		require.Equal(t, lost, <-ends[3])
		log.commits[1] <- nil
		require.NoError(t, <-ends[1])
		synctest.Wait()
		require.Equal(t, 1, log.recovers)

		ends = begin(t, c, 6, 7)
		log.commits[5] <- nil // the later one says that both are there
		require.NoError(t, <-ends[1])
		require.NoError(t, c.Anchor(t.Context()))
		log.commits[4] <- nil
		require.NoError(t, <-ends[0])
		require.NoError(t, c.Close(t.Context()))

		kept := strings.Join(append(log.lines[:2:2], log.lines[4:]...), "")
		r, err := audit.VerifyLog(t.Context(), text(kept), state.verification(t))
		require.NoError(t, err)
		require.EqualValues(t, 4, r.Chains[0].Proven)
		require.EqualValues(t, 4, r.Chains[0].Anchored)
	})
}

func TestChainEndsInDoubt(t *testing.T) {
	t.Parallel()
	lost := errors.Join(audit.ErrNotRecorded, full)
	for _, tt := range []struct {
		name         string
		second       error // how the second of three commits ends; the third is lost
		recover      error
		stage        error // of the one after them
		want         error // of the one after that
		wantRecovers int
	}{
		{name: "doubt", second: errDisk, want: errDisk},
		{name: "doubt is not forgotten", second: errDisk, recover: full, want: errDisk},
		{name: "lost", second: lost, wantRecovers: 1},
		{name: "no way back", second: lost, recover: errDisk, want: errDisk, wantRecovers: 1},
		{name: "refused", second: lost, stage: lost, wantRecovers: 2},
		{name: "doubt about staging", second: lost, stage: errDisk, want: errDisk, wantRecovers: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, state := &stepLog{recover: tt.recover}, &memoryState{}
				c := newChain(t, log, state, byHand)
				ends := begin(t, c, 1, 3)
				for i, err := range []error{nil, tt.second, lost} {
					log.commits[i] <- err
					require.Equal(t, err, <-ends[i])
				}
				synctest.Wait()
				log.stage = tt.stage
				if tt.stage != nil {
					require.ErrorIs(t, c.Record(t.Context(), event(4)), tt.stage)
				}
				log.stage = nil
				end := begin(t, c, 5, 5)[0]
				if tt.want == nil {
					log.commits[3] <- nil
					require.NoError(t, <-end)
				} else {
					err := <-end
					require.ErrorIs(t, err, tt.want)
					require.ErrorIs(t, err, audit.ErrNotRecorded)
				}
				require.Equal(t, tt.wantRecovers, log.recovers)
				require.NoError(t, c.Close(t.Context()))

				// What is known to be there is anchored all the same.
				n := uint64(1)
				if tt.want == nil {
					n = 2
				}
				require.Equal(t, n, state.verification(t).Anchors[0].Seq)
			})
		})
	}
}

func TestChainEndsWhenItsSinkPanics(t *testing.T) {
	t.Parallel()
	c := newChain(t, sinkFunc(func(audit.Event) error { panic("sink") }), &memoryState{}, byHand)
	require.Panics(t, func() { _ = c.Record(t.Context(), event(1)) })
	require.ErrorIs(t, c.Record(t.Context(), event(2)), audit.ErrNotRecorded)

	log := &stepLog{}
	c = newChain(t, log, &memoryState{}, byHand)
	end := make(chan any)
	go func() {
		defer func() { end <- recover() }()
		log.panics = "commit"
		_ = c.Record(t.Context(), event(1))
	}()
	require.Equal(t, "commit", <-end)
	require.ErrorContains(t, c.Record(t.Context(), event(2)), "panicked")
	require.NoError(t, c.Close(t.Context()))
}

func TestAnchorText(t *testing.T) {
	t.Parallel()
	a := audit.Anchor{Engine: "e-1", Seq: 7, MAC: [32]byte{0xab}, Time: start}
	b, err := json.Marshal(map[string]any{"a": a})
	require.NoError(t, err)
	const text = "e-1 7 ab00000000000000000000000000000000000000000000000000000000000000 2026-01-02T15:04:05.678Z"
	require.Equal(t, `{"a":"`+text+`"}`, string(b))
	var got audit.Anchor
	require.NoError(t, got.UnmarshalText([]byte(text)))
	require.Equal(t, a, got)
	for _, bad := range []string{"", text + " ", " " + text, text[4:], strings.Replace(text, "7", "-7", 1), strings.Replace(text, "ab00", "ab", 1),
		strings.Replace(text, "ab", "xy", 1), strings.Replace(text, "Z", "", 1), strings.Replace(text, "e-1", `e"1`, 1)} {
		require.Error(t, got.UnmarshalText([]byte(bad)), bad)
	}
	require.Equal(t, a, got)
}

func TestChainCannotBegin(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 3; n++ { // Load, StoreOrigin, StoreHead
		state := &memoryState{}
		calls := 0
		state.fail = func() error {
			if calls++; calls == n {
				return errDisk
			}
			return nil
		}
		_, err := audit.NewChain(t.Context(), &stepLog{}, state, nil)
		require.ErrorIs(t, err, errDisk)
		require.Equal(t, n, calls)
	}
	state := &memoryState{}
	newChain(t, &stepLog{}, state, nil)
	_, err := audit.NewChain(t.Context(), &stepLog{replay: errDisk}, state, nil)
	require.ErrorIs(t, err, errDisk)

	_, err = audit.NewChain(t.Context(), &stepLog{}, state, &audit.ChainOptions{Anchor: func(context.Context, audit.Anchor) error { return errDisk }})
	require.NoError(t, err, "there is no event to publish an anchor of")
	c := newChain(t, &stepLog{}, state, &audit.ChainOptions{Events: -1, Period: -1})
	assert.NoError(t, c.Anchor(t.Context()))
}

func TestChainBeginsThoughAnchorsCannotBePublished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, state := newPath(t), &memoryState{}
		f := openFile(t, path, nil)
		record(t, newChain(t, f, state, byHand), 1, 3)
		var works atomic.Bool
		var published []uint64
		c := newChain(t, f, state, &audit.ChainOptions{Period: time.Hour, Anchor: func(_ context.Context, a audit.Anchor) error {
			if !works.Load() {
				return errDisk
			}
			published = append(published, a.Seq)
			return nil
		}})
		time.Sleep(time.Hour)
		synctest.Wait()
		require.ErrorIs(t, c.Anchor(t.Context()), errDisk)
		works.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []uint64{3}, published, "without an event")
		require.NoError(t, c.Close(t.Context()))
	})
}

// The format is fixed: this log was written once, and is verified for ever.
func TestChainFormatIsFixed(t *testing.T) {
	t.Parallel()
	var o audit.Origin
	require.NoError(t, o.UnmarshalBinary(append([]byte("SRAO1"), "0123456789abcdef0123456789abcdefengine-1"...)))
	const log = `{"chain":{"engine":"engine-1","seq":1,"mac":"524a9209e3405e4493b2990674ce141a0db6be9027f30f773f355fb7000c2bff"},"eventName":"Encrypt"}
{"chain":{"engine":"engine-1","seq":2,"mac":"0042b6a2306aac94041b84ca49ad6499338748c8e89282508020adb84eea176e"},"eventName":"Decrypt"}
`
	r, err := audit.VerifyLog(t.Context(), text(log), audit.Verification{Origins: []audit.Origin{o}})
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Chains[0].Proven)
}

// TestChainDoesNotBeginBehindAnother: a log whose events no state knows of could never be
// verified again. Events without a chain, and an operator who insists, are no matter.
func TestChainDoesNotBeginBehindAnother(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path, nil)
	require.NoError(t, f.Record(t.Context(), event(1)))
	c, err := audit.NewChain(t.Context(), f, &memoryState{}, nil)
	require.NoError(t, err)
	require.NoError(t, c.Record(t.Context(), event(2)))
	require.NoError(t, c.Close(t.Context()))

	state := &memoryState{}
	_, err = audit.NewChain(t.Context(), f, state, nil)
	var fault *audit.Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, audit.Foreign, fault.Kind)
	require.Equal(t, 2, fault.Line)
	require.Equal(t, uint64(1), fault.From)
	origin, _, err := state.Load(t.Context())
	require.NoError(t, err)
	require.Empty(t, origin, "nothing is begun")

	c, err = audit.NewChain(t.Context(), f, state, &audit.ChainOptions{Fresh: true})
	require.NoError(t, err)
	require.NoError(t, c.Close(t.Context()))

	broken := &stepLog{replay: errors.New("unreadable")}
	_, err = audit.NewChain(t.Context(), broken, &memoryState{}, nil)
	require.ErrorIs(t, err, broken.replay)
}
