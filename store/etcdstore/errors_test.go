package etcdstore

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sealring/sealring/store"
)

// TestRefusal says which answers are certain. Every other one leaves open whether the
// request was carried out.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for answer, means := range map[error]error{
		rpctypes.ErrGRPCTooManyOps:             store.ErrLimit,
		rpctypes.ErrTooManyOps:                 store.ErrLimit,
		rpctypes.ErrGRPCRequestTooLarge:        store.ErrLimit,
		rpctypes.ErrGRPCPermissionDenied:       ErrRefused,
		rpctypes.ErrGRPCInvalidAuthToken:       ErrRefused,
		rpctypes.ErrGRPCRequestTooManyRequests: ErrUnavailable,
	} {
		require.ErrorIs(t, refusal(answer), means)
		require.ErrorIs(t, failure(answer), means)
	}
	for _, answer := range []error{
		rpctypes.ErrGRPCNoSpace, rpctypes.ErrNoSpace, // the request that uses up the quota is carried out
		rpctypes.ErrGRPCTimeout, rpctypes.ErrGRPCTimeoutDueToLeaderFail, rpctypes.ErrGRPCTimeoutDueToConnectionLost,
		rpctypes.ErrGRPCStopped, rpctypes.ErrGRPCNoLeader, rpctypes.ErrGRPCLeaderChanged, rpctypes.ErrGRPCUnhealthy,
		rpctypes.ErrGRPCCanceled, context.Canceled, context.DeadlineExceeded, errors.New("raft: stopped"),
		status.Error(codes.Unavailable, "transport is closing"), status.Error(codes.Unknown, "raft: stopped"),
		status.Error(codes.ResourceExhausted, "grpc: received message larger than max"),
	} {
		require.NoError(t, refusal(answer))
		require.Error(t, failure(answer))
	}
	require.ErrorIs(t, failure(rpctypes.ErrGRPCNoSpace), ErrFull)
	require.ErrorIs(t, failure(rpctypes.ErrGRPCNoLeader), ErrUnavailable)
}

func TestDuring(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	require.Equal(t, ErrStale, during(ctx, ErrStale))
	cancel()
	require.ErrorIs(t, during(ctx, ErrStale), ErrStale)
	require.ErrorIs(t, during(ctx, ErrStale), context.Canceled)
}
