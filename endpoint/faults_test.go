package endpoint_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

// errPlanted is a fault whose text must not leave the process.
var errPlanted = errors.New("planted: /var/lib/secret is on fire")

// brokenStore fails every transaction while broken is set.
type brokenStore struct {
	store.Store
	broken atomic.Bool
}

func (s *brokenStore) View(ctx context.Context, fn func(store.Tx) error) error {
	if s.broken.Load() {
		return errPlanted
	}
	return s.Store.View(ctx, fn)
}

func (s *brokenStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	if s.broken.Load() {
		return errPlanted
	}
	return s.Store.Update(ctx, fn)
}

type brokenSink struct{}

func (brokenSink) Record(context.Context, audit.Event) error { return errPlanted }

func TestFaultsBehindTheEndpoint(t *testing.T) {
	t.Parallel()
	broken := &brokenStore{Store: store.NewMemory()}
	faults := map[string]*site{
		"store": newSite(t, &kmstest.Options{Store: broken}),
		"audit": newSite(t, &kmstest.Options{Audit: brokenSink{}}),
	}
	broken.broken.Store(true)
	const message = "The request was rejected because an internal exception occurred. The request can be retried."
	for name, s := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.overHTTP(t, rootCredentials(), region).DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &s.key})
			require.True(t, is[*types.KMSInternalException](err), "%T: %v", err, err)
			requireAPIError(t, err, http.StatusInternalServerError, "KMSInternalException", message)
			require.NotContains(t, err.Error(), "planted")

			a := s.post(t, "CreateKey", "{}")
			requireError(t, a, http.StatusInternalServerError, "KMSInternalException", message)
		})
	}
}

// TestSDKRetries sees the SDK take a fault of the service for what it is: one that
// is worth another attempt.
func TestSDKRetries(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"throttled": kmstest.Throttled(), "outage": kmstest.Outage()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			s.FailTimes("DescribeKey", 1, fault)
			client := s.overTransport(rootCredentials(), region)
			_, err := client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &s.key}, func(o *sdk.Options) {
				o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
					r.MaxAttempts = 2
					r.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
				})
			})
			require.NoError(t, err)
			require.Len(t, s.Events(), 2)
		})
	}
}
