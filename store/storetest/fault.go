package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sealring/sealring/store"
)

// ErrInjected is what the call that [FailAt] chose returns.
var ErrInjected = errors.New("storetest: injected fault")

// Fault says how a call fails.
type Fault int

const (
	// Refused fails before the function runs.
	Refused Fault = iota
	// Undone fails after the function has run. An update's writes are lost.
	Undone
	// InDoubt fails after everything has succeeded: an update is committed, but
	// its caller cannot know, as when a connection breaks.
	InDoubt
)

// String returns the fault's name.
func (f Fault) String() string {
	switch f {
	case Refused:
		return "Refused"
	case Undone:
		return "Undone"
	case InDoubt:
		return "InDoubt"
	}
	return fmt.Sprintf("Fault(%d)", int(f))
}

// Faulty is a store that fails once. It is safe for concurrent use if the store
// that it wraps is.
type Faulty struct {
	store.Store
	n     int64
	fault Fault
	calls atomic.Int64
}

// FailAt returns s with the nth call of View or Update, counted together from 1,
// failing with [ErrInjected]. All other calls, and Watch and Close, pass through.
// With n = 0 none fails. A test that tries n = 1, 2, and so on until [Faulty.Calls]
// is less than n has tried every call:
//
//	for n := 1; ; n++ {
//		s := storetest.FailAt(store.NewMemory(), n, storetest.InDoubt)
//		err := work(s)
//		if s.Calls() < n {
//			break // err is that of a run without faults
//		}
//		check(s, err)
//	}
func FailAt(s store.Store, n int, fault Fault) *Faulty {
	return &Faulty{Store: s, n: int64(n), fault: fault}
}

// Calls returns the number of calls of View and Update so far.
func (f *Faulty) Calls() int { return int(f.calls.Load()) }

// View implements [store.Store].
func (f *Faulty) View(ctx context.Context, fn func(store.Tx) error) error {
	return f.call(ctx, f.Store.View, fn)
}

// Update implements [store.Store].
func (f *Faulty) Update(ctx context.Context, fn func(store.Tx) error) error {
	return f.call(ctx, f.Store.Update, fn)
}

func (f *Faulty) call(ctx context.Context, run func(context.Context, func(store.Tx) error) error, fn func(store.Tx) error) error {
	if f.calls.Add(1) != f.n {
		return run(ctx, fn)
	}
	switch f.fault {
	case Refused:
		return ErrInjected
	case Undone:
		return run(ctx, func(tx store.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return ErrInjected
		})
	}
	if err := run(ctx, fn); err != nil {
		return err
	}
	return ErrInjected
}
