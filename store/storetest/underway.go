package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealring/sealring/store"
)

// checkUnderWay ends the store while several goroutines update it. Each update writes
// two keys of its goroutine, adds one to a counter that all share, and puts a key that
// is numbered by it. Nothing of that may be there without the rest, nor without what it
// was built on; and everything has to be there that was acknowledged, or that somebody has
// been shown in any way.
func checkUnderWay(l *lives) {
	for life := range 3 {
		l.underWay(life)
	}
}

const (
	underWayWorkers = 6
	underWayUpdates = 40 // before the store ends
	counterKey      = "counter"
	logKey          = "log/"
)

// underWay is one life of checkUnderWay.
func (l *lives) underWay(life int) {
	l.Helper()
	before := l.remember()
	w := &underWay{s: l.s, life: life, enough: make(chan struct{})}
	ctx, cancel := context.WithTimeout(l.Context(), patience(l.TB))
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx) }()
	select {
	case <-w.enough:
	case err := <-ended:
		l.Fatalf("updates end before the store does: %v", err)
	}
	least, shown := w.numbers(&w.acknowledged), w.shown.Load()
	l.end()
	if err := <-ended; err != nil {
		l.Errorf("%v", err)
	}
	if !l.crash { // also what was acknowledged and shown while it was being closed
		least, shown = w.numbers(&w.acknowledged), w.shown.Load()
	}
	l.s = l.place.Open(l.TB)
	is := l.remember()
	if is.revision < before.revision {
		l.Errorf("the revision went back from %d to %d", before.revision, is.revision)
	}
	n := l.expectWhole(is)
	if n < int(shown) {
		l.Errorf("a reader was shown %d updates, and %d are there", shown, n)
	}
	most := w.numbers(&w.attempted)
	for i := range least {
		got, _ := strconv.ParseInt(is.contents[fmt.Sprintf("%d/%d/a", life, i)], 10, 64)
		if got < least[i] || got > most[i] {
			l.Errorf("a worker has begun %d updates and had %d acknowledged, and %d are there", most[i], least[i], got)
		}
	}
}

// expectWhole fails if any update is there in part, and returns how many there are.
func (l *lives) expectWhole(is memory) int {
	l.Helper()
	n, sum, logged := 0, 0, 0
	for key, value := range is.contents {
		i, _ := strconv.Atoi(value)
		switch {
		case key == counterKey:
			n = i
		case strings.HasPrefix(key, logKey):
			logged++
		case strings.HasSuffix(key, "/a"):
			sum += i
			if other := is.contents[strings.TrimSuffix(key, "a")+"b"]; other != value {
				l.Errorf("%q is %q, but its pair %q", key, value, other)
			}
		}
	}
	for i := range n {
		if _, there := is.contents[fmt.Sprintf("%s%06d", logKey, i+1)]; !there {
			l.Errorf("update %d of %d is not there", i+1, n)
		}
	}
	if sum != n || logged != n {
		l.Errorf("%d updates are counted, %d are logged, and the workers have done %d", n, logged, sum)
	}
	return n
}

// underWay is what goes on while a store ends.
type underWay struct {
	s                       store.Store
	life                    int
	attempted, acknowledged [underWayWorkers]atomic.Int64
	total                   atomic.Int64  // of acknowledged
	shown                   atomic.Int64  // the highest counter that a reader has got hold of
	enough                  chan struct{} // closed when the store may end
}

func (u *underWay) numbers(of *[underWayWorkers]atomic.Int64) (n [underWayWorkers]int64) {
	for i := range n {
		n[i] = of[i].Load()
	}
	return n
}

// run runs workers and readers until the store fails, which it has to.
func (u *underWay) run(ctx context.Context) error {
	readers := []func(context.Context) error{u.view, u.read, u.fail, u.watch}
	_ = together(underWayWorkers+len(readers), func(i int) error {
		for {
			err := error(nil)
			if i < underWayWorkers {
				err = u.work(ctx, i)
			} else {
				err = readers[i-underWayWorkers](ctx)
			}
			if err != nil && !errors.Is(err, store.ErrConflict) {
				return err
			}
			if i >= underWayWorkers {
				time.Sleep(200 * time.Microsecond) // there is more to do than to read
			}
		}
	})
	return ctx.Err()
}

// work does the next update of worker w.
func (u *underWay) work(ctx context.Context, w int) error {
	i := u.acknowledged[w].Load() + 1
	u.attempted[w].Store(i)
	err := u.s.Update(ctx, func(tx store.Tx) error {
		n, err := counted(tx)
		if err != nil {
			return err
		}
		own := fmt.Sprintf("%d/%d/", u.life, w)
		return writes(tx, fmt.Sprintf("+%sa=%d", own, i), fmt.Sprintf("+%sb=%d", own, i),
			fmt.Sprintf("+%s=%d", counterKey, n+1), fmt.Sprintf("+%s%06d=%d", logKey, n+1, w))
	})
	if err != nil {
		return err
	}
	u.acknowledged[w].Store(i)
	if u.total.Add(1) == underWayUpdates {
		close(u.enough)
	}
	return nil
}

func counted(tx store.Tx) (int, error) {
	n, err := getInt(tx, counterKey)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return n, err
}

// show notes that a reader has got hold of n.
func (u *underWay) show(n int) {
	for was := u.shown.Load(); int64(n) > was && !u.shown.CompareAndSwap(was, int64(n)); {
		was = u.shown.Load()
	}
}

func (u *underWay) view(ctx context.Context) error {
	n := 0
	err := u.s.View(ctx, func(tx store.Tx) (err error) { n, err = counted(tx); return err })
	if err == nil {
		u.show(n)
	}
	return err
}

// read is an update that only reads.
func (u *underWay) read(ctx context.Context) error {
	n := 0
	err := u.s.Update(ctx, func(tx store.Tx) (err error) { n, err = counted(tx); return err })
	if err == nil {
		u.show(n)
	}
	return err
}

// fail is an update whose function refuses because of what it has read.
func (u *underWay) fail(ctx context.Context) error {
	n := 0
	err := u.s.Update(ctx, func(tx store.Tx) (err error) {
		if n, err = counted(tx); err != nil {
			return err
		}
		return errOwn
	})
	if errors.Is(err, errOwn) {
		u.show(n)
		return nil
	}
	return err
}

func (u *underWay) watch(ctx context.Context) error {
	after := uint64(0)
	err := u.s.View(ctx, func(tx store.Tx) error { after = tx.Revision(); return nil })
	if err != nil {
		return err
	}
	_, err = watch(ctx, u.s, counterKey, after, func(c store.Change) bool {
		n, _ := strconv.Atoi(string(c.Value))
		u.show(n)
		return true
	})
	if errors.Is(err, store.ErrCompacted) {
		return nil // again from the present
	}
	return err
}
