package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

func lateChecks() []check {
	return []check{
		{name: "Late/Update does not return while its function runs", run: checkReturnsWithin, once: true},
		{name: "Late/no function runs after its Update has returned", run: checkRunsLate, once: true},
	}
}

// tracked is a function of an update that notices when it runs although the update has
// returned.
type tracked struct {
	returned atomic.Bool
	late     atomic.Bool
}

// look is called by the function now and then.
func (t *tracked) look() {
	if t.returned.Load() {
		t.late.Store(true)
	}
}

// checkReturnsWithin ends the context, and then the store, while a function runs.
func checkReturnsWithin(tb testing.TB, s store.Store) {
	put(tb, s, "n", "0")
	for _, c := range []struct {
		name string
		end  func(cancel func())
	}{
		{"its context ends", func(cancel func()) { cancel() }},
		{"the store is closed", func(func()) { go s.Close() }}, // Close may wait
	} {
		ctx, cancel := context.WithCancel(tb.Context())
		var t tracked
		ended := make(chan struct{}, 1)
		err := s.Update(ctx, func(tx store.Tx) error {
			c.end(cancel)
			time.Sleep(5 * time.Millisecond)
			err := add(tx, "n", 1)
			t.look()
			select {
			case ended <- struct{}{}:
			default:
			}
			return err
		})
		t.returned.Store(true)
		<-ended
		cancel()
		if t.late.Load() {
			tb.Errorf("Update returned %v when %s, while its function was running", err, c.name)
		}
	}
}

// checkRunsLate has updates lose to others and end their contexts at every stage of it,
// and looks for functions that run again.
func checkRunsLate(tb testing.TB, s store.Store) {
	const workers, rounds = 4, 12
	put(tb, s, "n", "0")
	all := make([][]*tracked, workers)
	var acknowledged atomic.Int64
	err := together(workers, func(i int) error {
		for round := range rounds {
			ctx, cancel := context.WithCancel(tb.Context())
			t := &tracked{}
			all[i] = append(all[i], t)
			runs := 0
			err := s.Update(ctx, func(tx store.Tx) error {
				t.look()
				runs++
				err := add(tx, "n", 1)
				switch round % 4 {
				case 1: // while the others bring about a conflict, or wait
					go cancel()
				case 2:
					if runs == 2 {
						cancel()
					}
				case 3:
					if runs == 1 {
						time.AfterFunc(time.Millisecond, cancel)
					}
				}
				time.Sleep(200 * time.Microsecond) // the others come up
				t.look()
				return err
			})
			t.returned.Store(true)
			cancel()
			switch {
			case err == nil:
				acknowledged.Add(1)
			case !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrConflict):
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("Update: %v", err)
	}
	n := 0
	for range 2 { // what is late comes before this, or at the latest soon after
		update(tb, s, func(tx store.Tx) (err error) { n, err = getInt(tx, "n"); return err })
		time.Sleep(5 * time.Millisecond)
	}
	for _, list := range all {
		for _, t := range list {
			if t.late.Load() {
				tb.Fatalf("a function ran after its Update had returned")
			}
		}
	}
	// What a context cut short may have been committed, and is counted by nobody.
	if got := int(acknowledged.Load()); n < got || n > workers*rounds {
		tb.Errorf("%d updates were acknowledged, and %d are there", got, n)
	}
}
