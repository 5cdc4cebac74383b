package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/sealring/sealring/store"
)

var (
	// ErrStale is matched by the error of a View or an Update that could not be certain
	// in time that its state was recent enough. Nothing was written.
	ErrStale = errors.New("etcdstore: the state could not be confirmed")

	// ErrInDoubt is matched by the error of an Update that may or may not have been
	// committed, or be committed later: the cluster did not answer, and did not answer the
	// question what became of it either.
	ErrInDoubt = errors.New("etcdstore: the update may or may not be committed")

	// ErrUnavailable is matched by the error of an Update or of Open that the cluster did
	// not answer. Nothing was written.
	ErrUnavailable = errors.New("etcdstore: the cluster did not answer")

	// ErrFull is matched by the error of an Update when the cluster's quota is used up.
	// Nothing was written. The cluster takes writes again after it was compacted and
	// defragmented, or given a larger quota, and its alarm was disarmed.
	ErrFull = errors.New("etcdstore: the cluster's space is used up")

	// ErrRefused is matched by the error of an Update or of Open that the cluster refuses,
	// such as for lack of a permission. Nothing was written.
	ErrRefused = errors.New("etcdstore: the cluster refuses the request")

	// ErrRestored is matched by the errors of a store whose namespace has an older
	// revision than it had before: the cluster was restored from a backup, or its keys
	// were written by hand. The store must be opened again.
	ErrRestored = errors.New("etcdstore: the cluster has gone back to an older state")

	// ErrFormat is returned by Open for a namespace that was written in another format.
	ErrFormat = errors.New("etcdstore: the namespace has an unknown format")
)

// refusals are the answers of etcd that say for certain that a request had no effect. A
// used up quota is not among them: etcd gives that answer to the request that uses it
// up, too, which it has carried out.
var refusals = []struct{ answer, means error }{
	{rpctypes.ErrTooManyOps, store.ErrLimit},
	{rpctypes.ErrRequestTooLarge, store.ErrLimit},
	{rpctypes.ErrPermissionDenied, ErrRefused},
	{rpctypes.ErrInvalidAuthToken, ErrRefused},
	{rpctypes.ErrAuthFailed, ErrRefused},
	{rpctypes.ErrUserEmpty, ErrRefused},
	{rpctypes.ErrDuplicateKey, ErrRefused},
	{rpctypes.ErrEmptyKey, ErrRefused},
	{rpctypes.ErrKeyNotFound, ErrRefused},
	{rpctypes.ErrTooManyRequests, ErrUnavailable},
}

// refusal returns the error that a refusal of etcd's means, nil if err does not tell
// for certain that the request had no effect.
func refusal(err error) error {
	err = rpctypes.Error(err)
	for _, r := range refusals {
		if errors.Is(err, r.answer) {
			return fmt.Errorf("%w: %v", r.means, err)
		}
	}
	return nil
}

// failure returns the error for a request that was not carried out, as is known by
// other means than err, the answer to it.
func failure(err error) error {
	if r := refusal(err); r != nil {
		return r
	}
	if errors.Is(rpctypes.Error(err), rpctypes.ErrNoSpace) {
		return fmt.Errorf("%w: %v", ErrFull, err)
	}
	return fmt.Errorf("%w: %v", ErrUnavailable, err)
}

// during returns err, or if ctx is done an error that matches ctx's error, too.
func during(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil {
		return fmt.Errorf("%w: %w", err, end)
	}
	return err
}
