package keyring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealring/sealring/internal/cache"
)

// What the zero [FailoverOptions] stand for.
const (
	defaultFailoverTimeout  = 2 * time.Second
	defaultFailoverCooldown = 30 * time.Second
)

// ErrUnavailable is matched by every [*UnavailableError], and by those attempts of a
// [*NoMatchError] of a [Failover] at which a keyring could not be reached. A keyring
// whose own errors match it tells a Failover of its outage.
var ErrUnavailable = errors.New("keyring: unavailable")

// UnavailableError is returned by OnEncrypt of a [Failover] when none of its
// keyrings could be reached. errors.Is finds [ErrUnavailable] and each error in it.
type UnavailableError struct {
	// Errs are the errors of the keyrings, in the order in which they were tried.
	Errs []error
}

// Error gives the error of every keyring.
func (e *UnavailableError) Error() string {
	var b strings.Builder
	b.WriteString("keyring: no keyring is available")
	for _, err := range e.Errs {
		fmt.Fprintf(&b, "; %v", err)
	}
	return b.String()
}

// Is reports whether target is [ErrUnavailable].
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Unwrap returns the errors of the keyrings.
func (e *UnavailableError) Unwrap() []error { return e.Errs }

// FailoverOptions adjust a [Failover].
type FailoverOptions struct {
	// Unavailable reports whether an error of a keyring means that it cannot be
	// reached, rather than that it has refused. It is safe for concurrent use. Errors
	// that match [ErrUnavailable], and attempts that run out of time, always mean
	// that; nil adds nothing to them.
	Unavailable func(error) bool

	// Timeout is how long one attempt may take: 2 seconds if it is zero. When the
	// caller's deadline is nearer than Timeout for each keyring that is left, they
	// share what time there is.
	Timeout time.Duration

	// Cooldown is for how long a keyring that could not be reached is tried after all
	// others: 30 seconds if it is zero. Then one call tries it in its place, while the
	// others wait for how that ends.
	Cooldown time.Duration
}

// Failover joins keyrings any of which will do, such as those of one multi-Region
// key in several Regions, so that messages are encrypted and decrypted while some of
// them cannot be reached. A [Multi], in contrast, needs all of its keyrings to
// encrypt.
//
// To encrypt, one keyring makes and wraps the data key: the first in the given order
// that is not known to be down. The message can be read as long as a keyring can be
// reached that opens what this one has wrapped. Replicas of one multi-Region key
// open each other's; unrelated keys do not. With unrelated keys, let the first
// keyring be a Multi of them and the others those same keyrings: what is encrypted
// while all are up outlives any of them, and encryption goes on when one is down.
//
// Only an outage makes it try the next: what a keyring refuses is refused, because a
// missing permission or a disabled key has to be seen, and who refuses is up. A
// keyring has to return with its context's error when that is done. An attempt that
// ends because the caller's context is done does not count against a keyring, nor does
// one that was given less than half of the Timeout because the caller's deadline was
// near. Below a cache, the deadline is that of the request which began the load.
//
// A Failover is safe for concurrent use.
type Failover struct {
	unavailable       func(error) bool
	timeout, cooldown time.Duration
	rings             []Keyring

	mu sync.Mutex
	// retry is, for each keyring that is down, when it is next tried in its place;
	// zero for one that is up. Guarded by mu.
	retry []time.Time
}

var _ Keyring = (*Failover)(nil)

// NewFailover returns a keyring that uses the first of rings that can be reached.
// There is at least one, none is nil, and they are copied.
func NewFailover(o FailoverOptions, rings ...Keyring) (*Failover, error) {
	if len(rings) == 0 {
		return nil, errors.New("keyring: a failover of no keyrings")
	}
	if i := slices.Index(rings, nil); i >= 0 {
		return nil, fmt.Errorf("keyring: keyring %d of the failover is nil", i)
	}
	if o.Timeout < 0 || o.Cooldown < 0 {
		return nil, errors.New("keyring: a failover with a negative duration")
	}
	if o.Unavailable == nil {
		o.Unavailable = func(error) bool { return false }
	}
	return &Failover{
		unavailable: o.Unavailable,
		timeout:     cmp.Or(o.Timeout, defaultFailoverTimeout),
		cooldown:    cmp.Or(o.Cooldown, defaultFailoverCooldown),
		rings:       slices.Clone(rings),
		retry:       make([]time.Time, len(rings)),
	}, nil
}

// OnEncrypt has the first keyring that can be reached make the data key, if m has
// none, and wrap it. The error is the keyring's if it refuses, a
// [*UnavailableError] if none can be reached, and that of ctx when ctx is done.
func (k *Failover) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	var failed UnavailableError
	for i, left := range k.inOrder() {
		draft := m.draft()
		outage, err := k.attempt(ctx, i, left, func(ctx context.Context) error {
			return encryptWith(ctx, k.rings[i], draft)
		})
		if err == nil {
			m.adopt(draft)
			return nil
		}
		if !m.HasDataKey() {
			draft.Destroy()
		}
		if !outage {
			return err
		}
		failed.Errs = append(failed.Errs, err)
	}
	return &failed
}

// OnDecrypt asks the keyrings, those that are known to be down last, until one sets
// the data key. It goes on to the next when one cannot be reached or finds no match;
// if all do, the error is one [*NoMatchError] with the attempts of all of them in
// order, those that match [ErrUnavailable] being outages: the message may be read
// later. Any other error is returned at once, as is that of ctx when ctx is done.
func (k *Failover) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error {
	if m.HasDataKey() {
		return fmt.Errorf("%w: the data key is already set", ErrMaterials)
	}
	var failed NoMatchError
	for i, left := range k.inOrder() {
		draft := *m // a keyring that fails halfway must not show in m
		outage, err := k.attempt(ctx, i, left, func(ctx context.Context) error {
			if err := k.rings[i].OnDecrypt(ctx, &draft, keys); err != nil {
				return err
			}
			return draft.Complete()
		})
		if err == nil {
			m.dataKey = draft.dataKey
			return nil
		}
		none, noMatch := err.(*NoMatchError)
		switch {
		case noMatch:
			for _, a := range none.Attempts {
				if k.down(a.Err) {
					a.Err = unavailable(a.Err)
				}
				failed.Attempts = append(failed.Attempts, a)
			}
		case outage:
			failed.Attempts = append(failed.Attempts, Attempt{Err: unavailable(err)})
		default:
			return err
		}
	}
	return &failed
}

// unavailable returns err as one that matches ErrUnavailable.
func unavailable(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// inOrder yields every keyring's index once: each time the first that is up or due
// for another try, and those that are down after all others. With it goes how many
// are left, this one included.
func (k *Failover) inOrder() iter.Seq2[int, int] {
	return func(yield func(i, left int) bool) {
		tried := make([]bool, len(k.rings))
		for left := len(k.rings); left > 0; left-- {
			i := k.next(tried)
			tried[i] = true
			if !yield(i, left) {
				return
			}
		}
	}
}

func (k *Failover) next(tried []bool) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	last := -1
	for i, retry := range k.retry {
		switch {
		case tried[i]:
		case retry.IsZero():
			return i
		case !now.Before(retry):
			k.retry[i] = now.Add(k.cooldown) // this call finds out for all of them
			return i
		case last < 0:
			last = i
		}
	}
	return last
}

// attempt lets call use keyring i in its share of the time, and keeps the record of
// the keyring's health. It reports whether an error means that the keyring could not
// be reached. Once ctx is done the error is that of ctx.
func (k *Failover) attempt(ctx context.Context, i, left int, call func(context.Context) error) (outage bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	limit := k.timeout
	if deadline, ok := cache.Deadline(ctx); ok && left > 1 { // a cache's load included
		limit = min(limit, time.Until(deadline)/time.Duration(left))
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = call(within)
	switch {
	case err == nil:
		k.record(i, time.Time{})
		return false, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case within.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		if limit >= k.timeout/2 {
			k.record(i, time.Now().Add(k.cooldown))
		}
		return true, err
	case k.down(err):
		k.record(i, time.Now().Add(k.cooldown))
		return true, err
	}
	if none, ok := err.(*NoMatchError); !ok || len(none.Attempts) > 0 {
		k.record(i, time.Time{}) // who refuses is up; one that had nothing to try may not be
	}
	return false, err
}

func (k *Failover) record(i int, retry time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retry[i] = retry
}

// down reports whether err, or one of the attempts that it consists of, is an
// outage.
func (k *Failover) down(err error) bool {
	if none, ok := err.(*NoMatchError); ok {
		return slices.ContainsFunc(none.Attempts, func(a Attempt) bool { return k.down(a.Err) })
	}
	return errors.Is(err, ErrUnavailable) || k.unavailable(err)
}
