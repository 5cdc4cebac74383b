package kms

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// SweepReport says what a sweep has done.
type SweepReport struct {
	Keys      int // deleted keys whose own record and material were removed
	Materials int // keys whose expired imported material was removed
	Records   int // other records that were removed: of deleted keys, of import tokens that have expired

	// Distrust is not zero if the clock may have been set lately: for how long yet nothing
	// is removed because of it.
	Distrust time.Duration
}

// Sweep removes what nobody can use any more: deleted keys, once their deletion date is 24
// hours past, with all that belongs to them; imported material and import tokens that have
// expired; and what an earlier replica with the same id has left. The removal of a key or
// of material is recorded first, as CloudTrail's service events DeleteKey and
// DeleteExpiredKeyMaterial; if that fails, nothing is removed.
//
// Nothing depends on it but the room in the store and that key material is destroyed, and
// nothing else does it: call it from time to time, such as every hour. It may run beside
// requests, and beside sweeps of other services on the same store. It takes small
// transactions and stops at the first error, when ctx is done for instance; the next sweep
// goes on where it stopped.
//
// While the clock cannot be trusted, nothing is removed because of it: until an hour after
// it was found to have been set, or to differ from the clocks of other services on the
// store, by more than an hour forward or a minute back; and within an hour after New, unless
// in the hour before the store was swept by a service that trusted its clock.
func (s *Service) Sweep(ctx context.Context) (SweepReport, error) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	w := &sweep{service: s, now: s.now().UTC().Truncate(time.Millisecond)}
	err := errors.Join(w.run(ctx), s.keys.forgetDeleted(ctx, s.store))
	return w.report, err
}

// sweep is a sweep under way.
type sweep struct {
	service *Service
	now     time.Time
	trusted bool // the clock
	report  SweepReport
}

// sweepPage is how many records a sweep looks at in one transaction.
const sweepPage = 500

func (w *sweep) run(ctx context.Context) error {
	if err := w.lookAtClock(ctx); err != nil {
		return err
	}
	regions, err := w.regions(ctx)
	if err != nil {
		return err
	}
	var primaries []keyPlace
	for _, r := range regions {
		found, err := w.keys(ctx, r)
		if err != nil {
			return err
		}
		primaries = append(primaries, found...)
	}
	for _, at := range primaries { // after their replicas
		if err := w.remove(ctx, at); err != nil {
			return err
		}
	}
	var stones []string
	for _, r := range regions {
		found, err := w.names(ctx, keyrecord.DeletedPrefix(r.account, r.region))
		if err != nil {
			return err
		}
		stones = append(stones, found...)
	}
	if err := w.remains(ctx); err != nil {
		return err
	}
	// Nothing is left of the keys that were deleted by then, and nothing was added.
	for batch := range slices.Chunk(stones, store.MaxKeys) {
		err := w.service.store.Update(ctx, func(tx store.Tx) error {
			for _, name := range batch {
				if err := tx.Delete(name); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.report.Records += len(batch)
	}
	return nil
}

// lookAtClock takes the time of the last sweep from the store and leaves that of this one.
func (w *sweep) lookAtClock(ctx context.Context) error {
	var clock clockWatch
	var distrust time.Duration
	err := w.service.store.Update(ctx, func(tx store.Tx) error {
		last := &keyrecord.Sweep{}
		b, err := tx.Get(keyrecord.SweepName)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		default:
			if last, err = keyrecord.UnmarshalSweep(b); err != nil {
				return err
			}
		}
		clock = w.service.clock // a copy: this may run again
		distrust = clock.look(w.now, *last)
		if b, err = (&keyrecord.Sweep{Time: w.now, Trusted: distrust == 0}).Marshal(); err != nil {
			return err
		}
		return tx.Put(keyrecord.SweepName, b)
	})
	if err != nil {
		return err
	}
	w.service.clock = clock
	w.report.Distrust, w.trusted = distrust, distrust == 0
	return nil
}

// regions returns the accounts and Regions that there are records of.
func (w *sweep) regions(ctx context.Context) (all []keyPlace, err error) {
	err = w.service.store.View(ctx, func(tx store.Tx) error {
		all = nil
		for after := ""; ; {
			name := ""
			for e, err := range tx.Scan(keyrecord.Prefix, after) {
				if err != nil {
					return err
				}
				clear(e.Value)
				name = e.Key
				break
			}
			if name == "" {
				return nil
			}
			after = name
			if n := keyrecord.ParseName(name); n.Account != "" && n.Region != "" && n.Kind != keyrecord.RetiringKind {
				all = append(all, keyPlace{account: n.Account, region: n.Region})
				after = keyrecord.Prefix + n.Account + "/" + n.Region + "0" // '0' follows '/'
			}
		}
	})
	return all, err
}

// pages shows look the records with a prefix, some in each transaction, and has act do
// something about them in between.
func (w *sweep) pages(ctx context.Context, prefix string, look func(store.Tx, *ledger, store.Entry) error, act func() error) error {
	for after, full := "", true; full; {
		err := w.service.store.View(ctx, func(tx store.Tx) error {
			l, n := newLedger(tx.Get), 0
			for e, err := range tx.Scan(prefix, after) {
				if err != nil {
					return err
				}
				if n++; n > sweepPage {
					return nil
				}
				after = e.Key
				err = look(tx, l, e)
				clear(e.Value)
				if err != nil {
					return err
				}
			}
			full = false
			return nil
		})
		if err != nil {
			return err
		}
		if err := act(); err != nil {
			return err
		}
	}
	return nil
}

// names returns the names of the records with a prefix.
func (w *sweep) names(ctx context.Context, prefix string) (all []string, err error) {
	err = w.pages(ctx, prefix, func(_ store.Tx, _ *ledger, e store.Entry) error {
		all = append(all, e.Key)
		return nil
	}, func() error { return nil })
	return all, err
}

// keys does what is due to the keys in a Region. It returns the multi-Region primary keys
// that are to be removed.
func (w *sweep) keys(ctx context.Context, r keyPlace) (primaries []keyPlace, err error) {
	var due, expired, noted []keyPlace
	look := func(tx store.Tx, _ *ledger, e store.Entry) error {
		k, err := keyrecord.UnmarshalKey(e.Value)
		if err != nil {
			return nil // Check finds it
		}
		at := keyPlace{r.account, r.region, k.ID}
		_, gone := removable(k, w.now)
		switch {
		case w.trusted && gone && k.Primary():
			primaries = append(primaries, at)
		case w.trusted && gone:
			due = append(due, at)
		case w.trusted && hasExpired(k, w.now):
			expired = append(expired, at)
		case k.Replica() && k.Origin == keyrecord.OriginExternal && k.LocalChanges > 0:
			if k, err := readAll(tx, at); err == nil && len(strayNotes(k)) > 0 {
				noted = append(noted, at)
			}
		}
		return nil
	}
	err = w.pages(ctx, keyrecord.KeyPrefix(r.account, r.region), look, func() error {
		for _, at := range due {
			if err := w.remove(ctx, at); err != nil {
				return err
			}
		}
		for _, at := range expired {
			written, _, err := w.service.attend(ctx, expiry{}, w.now, at, at)
			if err != nil {
				return err
			}
			w.report.Materials += one(written)
		}
		for _, at := range noted {
			if err := w.dropNotes(ctx, at); err != nil {
				return err
			}
		}
		due, expired, noted = nil, nil, nil
		return nil
	})
	return primaries, err
}

// remove removes a key, if it is still to be removed.
func (w *sweep) remove(ctx context.Context, at keyPlace) error {
	written, _, err := w.service.attend(ctx, removal{}, w.now, at, at)
	w.report.Keys += one(written)
	return err
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// readAll returns a key with all that belongs to it.
func readAll(tx store.Tx, at keyPlace) (*keyrecord.Key, error) {
	return keyrecord.ReadKey(at.account, at.region, at.id, tx.Get)
}

// strayNotes returns the ids of materials that k has notes of and does not have: a replica
// keeps what was noted there of material that was given up on the primary key.
func strayNotes(k *keyrecord.Key) (ids []string) {
	for id := range k.Notes {
		if k.Material(id) == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// dropNotes removes the stray notes of a key.
func (w *sweep) dropNotes(ctx context.Context, at keyPlace) error {
	return w.service.store.Update(ctx, func(tx store.Tx) error {
		k, err := readAll(tx, at)
		if err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}
		stray := strayNotes(k)
		if len(stray) == 0 {
			return nil
		}
		maps.DeleteFunc(k.Notes, func(id, _ string) bool { return slices.Contains(stray, id) })
		local, err := k.MarshalLocal()
		if err != nil {
			return err
		}
		if err := tx.Put(keyrecord.LocalName(at.account, at.region, at.id), local); err != nil {
			return err
		}
		first, err := k.Marshal()
		if err != nil {
			return err
		}
		defer clear(first)
		return tx.Put(keyrecord.KeyName(at.account, at.region, at.id), first)
	})
}
