package store

import (
	"context"
	"errors"
	"fmt"
)

// TallyState is what [Sealed.Verify] found about a store's tally.
type TallyState int

const (
	// TallyAbsent is the state of a store that was made with AllowRollback.
	TallyAbsent TallyState = iota
	// TallyMatches says that the records are those that were written last.
	TallyMatches
	// TallyDiffers says that records were put back, deleted, added or altered, or the
	// tally itself.
	TallyDiffers
)

// String returns the state in a word or two.
func (t TallyState) String() string {
	switch t {
	case TallyAbsent:
		return "no tally"
	case TallyMatches:
		return "matches"
	case TallyDiffers:
		return "differs"
	}
	return fmt.Sprintf("TallyState(%d)", int(t))
}

// Report is what [Sealed.Verify] found.
type Report struct {
	// Records is the number of records, damaged ones included.
	Records int

	// Damaged are the keys of records that cannot be authenticated, in ascending order,
	// and of reserved ones that do not belong there.
	Damaged []string

	// Tally tells whether the records are those that were written last. It differs if a
	// record is damaged in a way that shows without decrypting it.
	Tally TallyState

	// Revision is the revision that the newest update had read, which the tally vouches
	// for: it grows with each. It can be kept outside of the store and given to a later
	// [Seal] as AtLeast. Without a tally it is the inner store's, and proves nothing.
	Revision uint64

	// Digest names this state of the store, in hexadecimal: a copy that gives the same one
	// holds the same records. It is no secret. It is empty unless the tally matches.
	Digest string

	// Epochs are the numbers of the sealing keys that the store has: one, or two if
	// [Sealed.Rekey] has not finished.
	Epochs []uint32

	rollback error // set if Tally is TallyDiffers
}

// Err returns nil if nothing is wrong. Else the error matches [ErrDamaged] if records
// are damaged and [ErrRollback] if the tally differs, or both.
func (r *Report) Err() error {
	var broken error
	switch len(r.Damaged) {
	case 0:
	case 1:
		broken = damaged(r.Damaged[0])
	default:
		broken = fmt.Errorf("%w, and %d more", damaged(r.Damaged[0]), len(r.Damaged)-1)
	}
	switch {
	case broken == nil:
		return r.rollback
	case r.rollback == nil:
		return broken
	}
	return fmt.Errorf("%w; %w", r.rollback, broken)
}

// Verify reads every record of the store in one view, decrypts it, and compares all of
// them with the tally. What is wrong is in the report; the error is about what kept
// Verify from looking.
func (s *Sealed) Verify(ctx context.Context) (*Report, error) {
	var r *Report
	err := s.view(ctx, func(k *sealKeys, tx Tx) error {
		r = &Report{Revision: tx.Revision()}
		for _, s := range k.sealers {
			r.Epochs = append(r.Epochs, s.epoch)
		}
		found, err := r.walk(ctx, k, tx)
		if err != nil || !k.tallied {
			return err
		}
		return r.compare(k, tx, found)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// walk opens every record and returns the tally of those that look like records.
func (r *Report) walk(ctx context.Context, k *sealKeys, tx Tx) (tally, error) {
	const pause = 256 // records between two looks at ctx
	counter, found, n := teller{keys: k}, tally{}, 0
	for e, err := range tx.Scan("", "") {
		if err != nil {
			return nil, err
		}
		if n++; n%pause == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		switch {
		case e.Key == headKey, e.Key == tallyKey && k.tallied:
			continue
		case reserved(e.Key):
			r.Damaged = append(r.Damaged, e.Key)
			continue
		}
		r.Records++
		_ = counter.add(&found, e.Key, e.Value, false) // what does not count will not open
		switch _, err := k.open(e.Key, e.Value); {
		case errors.Is(err, ErrDamaged):
			r.Damaged = append(r.Damaged, e.Key)
		case err != nil:
			return nil, err
		}
	}
	return found, nil
}

// compare fills in what the tally says.
func (r *Report) compare(k *sealKeys, tx Tx, found tally) error {
	t, revision, err := k.loadTally(tx)
	switch {
	case errors.Is(err, ErrDamaged):
		r.Damaged = append([]string{tallyKey}, r.Damaged...)
		r.Tally, r.rollback = TallyDiffers, fmt.Errorf("%w: its tally is damaged", ErrRollback)
		return nil
	case errors.Is(err, ErrRollback):
		r.Tally, r.rollback = TallyDiffers, err
		return nil
	case err != nil:
		return err
	}
	r.Revision = revision
	if r.rollback = t.compare(found); r.rollback != nil {
		r.Tally = TallyDiffers
		return nil
	}
	r.Tally = TallyMatches
	r.Digest, err = k.digest(t, revision)
	return err
}

// admit compares the tally of a store that is being opened. It reads what shows without
// decrypting, and only if that is wrong the rest, to name what is damaged.
func (s *Sealed) admit(ctx context.Context, atLeast uint64) error {
	return s.view(ctx, func(k *sealKeys, tx Tx) error {
		switch {
		case k.tallied:
		case atLeast > 0:
			return errors.New("store: AtLeast for a store that keeps no tally")
		default:
			return nil
		}
		counter, found := teller{keys: k}, tally{}
		for e, err := range tx.Scan("", reservedEnd) {
			if err != nil {
				return err
			}
			_ = counter.add(&found, e.Key, e.Value, false) // what does not count is missing
		}
		r := &Report{}
		if err := r.compare(k, tx, found); err != nil {
			return err
		}
		if r.rollback == nil && r.Revision < atLeast {
			return fmt.Errorf("%w: the store is at revision %d instead of %d or later", ErrRollback, r.Revision, atLeast)
		}
		if r.rollback != nil {
			if _, err := r.walk(ctx, k, tx); err != nil {
				return err
			}
		}
		return r.Err()
	})
}
