package envelope

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// parallelFrom is the length of plaintext from which on several goroutines pay: for
// less, waking them takes about as long as they save.
const parallelFrom = 4 * batchLen

// goroutines resolves the Parallelism of the options.
func goroutines(set int) int {
	if set == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return max(1, set)
}

// line is a row of jobs that several goroutines work on within one call. Each
// job's work is done on any of them; what has to be done in order, hashing or
// writing, follows on the caller's, job by job. Where that is the slower part, the
// others are ahead by at most window jobs; where it waits, the caller works too.
type line struct {
	jobs    int
	window  int // how many jobs may be begun and not yet followed
	workers int // goroutines, the caller's included

	// work does one job. It must not panic.
	work func(job int)

	// follow is called in the order of the jobs. After an error no more jobs are
	// begun or followed. It may panic, as a caller's Writer may.
	follow func(job int) error
}

// lineState is what the goroutines of a line share.
type lineState struct {
	*line
	mu       sync.Mutex
	moved    sync.Cond // on mu: a field below has changed
	next     int       // the lowest job that nobody has begun
	followed int       // how many jobs have been followed
	done     []bool    // by job modulo window: its work is done
	stopped  bool      // no job is to be begun any more
}

// errStop ends a line without being a failure.
var errStop = errors.New("envelope: the line was stopped")

// run does the jobs and returns how many have been followed, and why not all of
// them: an error of follow, or the context's. All goroutines have ended when it
// returns or panics.
func (l *line) run(ctx context.Context) (int, error) {
	s := &lineState{line: l, done: make([]bool, min(l.window, l.jobs))}
	s.moved.L = &s.mu
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer s.stop()
	for range min(l.workers, l.jobs) - 1 {
		helpers.Go(func() {
			for ctx.Err() == nil && s.help() {
			}
		})
	}
	for s.followed < l.jobs {
		if err := ctx.Err(); err != nil {
			return s.followed, fmt.Errorf("envelope: %w", err)
		}
		if !s.ready() {
			continue
		}
		if err := l.follow(s.followed); err != nil {
			return s.followed, err
		}
		s.advance()
	}
	return s.followed, nil
}

// begin takes the next job if the window is open.
func (s *lineState) begin() (job int, ok bool) {
	if s.stopped || s.next == s.jobs || s.next-s.followed == len(s.done) {
		return 0, false
	}
	s.next++
	return s.next - 1, true
}

// finish does the work of a job.
func (s *lineState) finish(job int) {
	s.work(job)
	s.mu.Lock()
	s.done[job%len(s.done)] = true
	s.mu.Unlock()
	s.moved.Broadcast()
}

// help waits for a job and does it. It returns false when there will be none.
func (s *lineState) help() bool {
	s.mu.Lock()
	job, ok := s.begin()
	for !ok && !s.stopped && s.next < s.jobs {
		s.moved.Wait()
		job, ok = s.begin()
	}
	s.mu.Unlock()
	if ok {
		s.finish(job)
	}
	return ok
}

// ready reports whether the next job can be followed. If not, it has done a job or
// waited.
func (s *lineState) ready() bool {
	s.mu.Lock()
	if s.done[s.followed%len(s.done)] {
		s.mu.Unlock()
		return true
	}
	job, ok := s.begin()
	if !ok {
		s.moved.Wait()
	}
	s.mu.Unlock()
	if ok {
		s.finish(job)
	}
	return false
}

// advance counts a job that has been followed. Only the caller's goroutine changes
// followed, so it may read it without the lock.
func (s *lineState) advance() {
	s.mu.Lock()
	s.done[s.followed%len(s.done)] = false
	s.followed++
	s.mu.Unlock()
	s.moved.Broadcast()
}

func (s *lineState) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.moved.Broadcast()
}
