package endpoint

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type keyOfTest struct{}

// ends are the ways in which a context may come to its end.
var ends = map[string]struct {
	parent func(context.Context) (context.Context, context.CancelCauseFunc)
	end    func(cancelParent context.CancelCauseFunc, end func())
	want   error
	cause  error
}{
	"time": {
		end:  func(context.CancelCauseFunc, func()) { time.Sleep(time.Minute) },
		want: context.DeadlineExceeded,
	},
	"just not": {
		end: func(context.CancelCauseFunc, func()) { time.Sleep(time.Minute - 1) },
	},
	"end": {
		end:  func(_ context.CancelCauseFunc, end func()) { end() },
		want: context.Canceled,
	},
	"end, twice, and then time": {
		end:  func(_ context.CancelCauseFunc, end func()) { end(); end(); time.Sleep(time.Hour) },
		want: context.Canceled,
	},
	"parent": {
		end:  func(cancelParent context.CancelCauseFunc, _ func()) { cancelParent(nil) },
		want: context.Canceled,
	},
	"parent, for a reason": {
		end:   func(cancelParent context.CancelCauseFunc, _ func()) { cancelParent(errBoring) },
		want:  context.Canceled,
		cause: errBoring,
	},
	"parent's time": {
		parent: func(ctx context.Context) (context.Context, context.CancelCauseFunc) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			return ctx, func(error) { cancel() }
		},
		end:  func(context.CancelCauseFunc, func()) { time.Sleep(time.Second) },
		want: context.DeadlineExceeded,
	},
}

var errBoring = errors.New("boring")

// TestDeadlineIsLikeContextWithDeadline compares the two, asked before the end and
// after it, or only after it.
func TestDeadlineIsLikeContextWithDeadline(t *testing.T) {
	t.Parallel()
	for name, way := range ends {
		for _, early := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, cancelParent := context.WithCancelCause(context.WithValue(t.Context(), keyOfTest{}, "value"))
					if way.parent != nil {
						parent, cancelParent = way.parent(parent)
					}
					defer cancelParent(nil)
					theirs, cancel := context.WithTimeout(parent, time.Minute)
					defer cancel()
					ours := newDeadline(parent, time.Now().Add(time.Minute))
					defer ours.end()
					if early {
						requireAlike(t, theirs, ours)
					}
					way.end(cancelParent, func() { cancel(); ours.end() })
					synctest.Wait()
					require.Equal(t, way.want, ours.Err())
					if way.cause != nil {
						require.Equal(t, way.cause, context.Cause(ours))
					}
					requireAlike(t, theirs, ours)
					requireAlike(t, theirs, ours)
				})
			})
		}
	}
}

func requireAlike(t *testing.T, want, got context.Context) {
	t.Helper()
	wantAt, _ := want.Deadline()
	gotAt, ok := got.Deadline()
	require.True(t, ok)
	require.True(t, wantAt.Equal(gotAt))
	require.Equal(t, want.Err(), got.Err())
	require.Equal(t, context.Cause(want), context.Cause(got))
	child, cancel := context.WithCancel(got)
	defer cancel()
	for _, ctx := range []context.Context{got, child, context.WithValue(got, keyOfTest{}, "another")} {
		select {
		case <-ctx.Done():
			require.Error(t, want.Err())
		default:
			require.NoError(t, want.Err())
		}
		require.Equal(t, want.Err(), ctx.Err())
	}
	require.Equal(t, "value", got.Value(keyOfTest{}))
	require.Nil(t, got.Value(0))
	require.NoError(t, context.WithoutCancel(got).Err())
}

// Those who wait are woken, and nothing of theirs is left.
func TestDeadlineWakesWhoWaits(t *testing.T) {
	t.Parallel()
	for name, way := range ends {
		if way.want == nil || way.parent != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancelParent := context.WithCancelCause(t.Context())
				ours := newDeadline(parent, time.Now().Add(time.Minute))
				child, cancel := context.WithTimeout(ours, time.Hour)
				defer cancel()
				woken := make(chan error)
				context.AfterFunc(ours, func() { woken <- ours.Err() })
				for _, ctx := range []context.Context{ours, child} {
					go func() { <-ctx.Done(); woken <- ctx.Err() }()
				}
				way.end(cancelParent, ours.end)
				for range 3 {
					require.Equal(t, way.want, <-woken)
				}
			})
		})
	}
}

// TestDeadlineAtOnce is for the race detector.
func TestDeadlineAtOnce(t *testing.T) {
	t.Parallel()
	for range 50 {
		parent, cancelParent := context.WithCancel(t.Context())
		ours := newDeadline(parent, time.Now().Add(time.Hour))
		var wg sync.WaitGroup
		for _, f := range []func(){
			func() { _ = ours.Err() },
			func() { <-ours.Done() },
			func() { child, cancel := context.WithCancel(ours); <-child.Done(); cancel() },
			func() { _ = ours.Value(keyOfTest{}) },
			ours.end,
			cancelParent,
		} {
			wg.Add(1)
			go func() { defer wg.Done(); f() }()
		}
		wg.Wait()
		require.Equal(t, context.Canceled, ours.Err())
	}
}
