package envelope

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLine runs lines of every shape: each job is worked on once and followed once,
// in order, and none is begun before the window has come to it.
func TestLine(t *testing.T) {
	t.Parallel()
	for _, jobs := range []int{0, 1, 2, 3, 7, 64} {
		for _, window := range []int{1, 2, 3, 64} {
			for _, workers := range []int{1, 2, 3, 8} {
				var followed atomic.Int64
				worked := make([]atomic.Int64, jobs)
				l := line{jobs: jobs, window: window, workers: workers,
					work: func(job int) {
						worked[job].Add(1)
						if job >= int(followed.Load())+window {
							t.Errorf("job %d begun when %d were followed, window %d", job, followed.Load(), window)
						}
					},
					follow: func(job int) error {
						require.EqualValues(t, followed.Load(), job)
						require.EqualValues(t, 1, worked[job].Load(), "followed before its work")
						followed.Add(1)
						return nil
					},
				}
				n, err := l.run(t.Context())
				require.NoError(t, err)
				require.Equal(t, jobs, n)
				require.EqualValues(t, jobs, followed.Load())
			}
		}
	}
}

// bubble runs fn where every goroutine has to end before it returns; one that
// waits for ever fails the test.
func bubble(t *testing.T, fn func(t *testing.T)) { synctest.Test(t, fn) }

// TestLineSharesTheWork: each of three goroutines gets one of three jobs that wait
// for each other.
func TestLineSharesTheWork(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		var all sync.WaitGroup
		all.Add(3)
		l := line{jobs: 3, window: 3, workers: 3, follow: func(int) error { return nil },
			work: func(int) {
				all.Done()
				all.Wait()
			}}
		n, err := l.run(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, n)
	})
}

// TestLineWaitsForNobody: the caller works on what nobody has begun instead of
// waiting for the job that is to be followed next.
func TestLineWaitsForNobody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		start := time.Now()
		l := line{jobs: 9, window: 9, workers: 2, follow: func(int) error { return nil },
			work: func(job int) {
				if job < 2 {
					time.Sleep(time.Minute)
				} else {
					time.Sleep(time.Second)
				}
			}}
		_, err := l.run(t.Context())
		require.NoError(t, err)
		require.Less(t, time.Since(start), 70*time.Second)
	})
}

func TestLineStops(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		for at := range 20 {
			bubble(t, func(t *testing.T) {
				var begun atomic.Int64
				l := line{jobs: 1000, window: 10, workers: workers, work: func(int) { begun.Add(1) },
					follow: func(job int) error {
						if job == at {
							return errDisk
						}
						return nil
					}}
				n, err := l.run(t.Context())
				require.Equal(t, errDisk, err)
				require.Equal(t, at, n)
				require.LessOrEqual(t, begun.Load(), int64(at+10))
			})
		}
	}
}

func TestLineIsCancelled(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var begun atomic.Int64
			l := line{jobs: 1000, window: 1000, workers: workers, follow: func(int) error { return nil },
				work: func(job int) {
					begun.Add(1)
					time.Sleep(time.Second)
					if job == 20 {
						cancel()
					}
				}}
			n, err := l.run(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.LessOrEqual(t, n, 21)
			require.LessOrEqual(t, begun.Load(), int64(21+2*workers))

			n, err = l.run(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, n)
		})
	}
}

// TestLinePanics: what follow panics with reaches the caller when the goroutines
// have ended.
func TestLinePanics(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		bubble(t, func(t *testing.T) {
			var working atomic.Int64
			l := line{jobs: 100, window: 100, workers: workers,
				work: func(int) {
					working.Add(1)
					time.Sleep(time.Second)
					working.Add(-1)
				},
				follow: func(job int) error {
					if job == 5 {
						panic(errDisk)
					}
					return nil
				}}
			require.PanicsWithValue(t, errDisk, func() { l.run(t.Context()) })
			require.Zero(t, working.Load(), "goroutines that still work")
		})
	}
}

func TestGoroutines(t *testing.T) {
	t.Parallel()
	require.Positive(t, goroutines(0))
	for set, want := range map[int]int{-5: 1, -1: 1, 1: 1, 2: 2, 100: 100} {
		require.Equal(t, want, goroutines(set))
	}
}

// TestPool runs alone, because it looks into buffers that it has given back.
func TestPool(t *testing.T) {
	for _, n := range []int{0, 1, 4096, 4097, 1 << 20, 1<<20 + 1} {
		b := getBuffer(n)
		require.Empty(t, b)
		require.GreaterOrEqual(t, cap(b), n)
		require.LessOrEqual(t, cap(b), max(4096, 2*n))
		require.Equal(t, make([]byte, cap(b)), b[:cap(b)])

		b = append(b, "secret"...)
		all := b[:cap(b)]
		bigger := grow(b, cap(b))
		require.Equal(t, "secret", string(bigger))
		require.GreaterOrEqual(t, cap(bigger), 6+len(all))
		require.Equal(t, make([]byte, len(all)), all, "left in the buffer that was outgrown")
		require.Equal(t, &bigger[0], &grow(bigger, cap(bigger)-len(bigger))[0])

		all = bigger[:cap(bigger)]
		putBuffer(bigger[:0])
		require.Equal(t, make([]byte, len(all)), all)
	}
	putBuffer(nil)
	putBuffer(make([]byte, 10))
	require.Equal(t, 1<<26+1, cap(getBuffer(1<<26+1)), "too large to be kept")
}
