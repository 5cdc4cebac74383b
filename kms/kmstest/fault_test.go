package kmstest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// codes makes requests of an operation and returns their error codes.
func codes(t *testing.T, api kms.API, operation string, n int) []string {
	t.Helper()
	list := []string{}
	for range n {
		var err error
		switch operation {
		case "ListKeys":
			_, err = api.ListKeys(t.Context(), nil)
		case "CreateKey":
			_, err = api.CreateKey(t.Context(), nil)
		default:
			t.Fatalf("no request of %s", operation)
		}
		var apiError smithy.APIError
		switch {
		case errors.As(err, &apiError):
			list = append(list, apiError.ErrorCode())
		default:
			require.NoError(t, err)
			list = append(list, "")
		}
	}
	return list
}

const (
	throttled = "ThrottlingException"
	outage    = "KMSInternalException"
	denied    = "AccessDeniedException"
)

func direct(t *testing.T) (*kmstest.Cloud, kms.API) {
	t.Helper()
	cloud := kmstest.New(t, nil)
	return cloud, cloud.Client(cloud.Root())
}

func TestFailIsForOneOperation(t *testing.T) {
	t.Parallel()
	cloud, api := direct(t)
	cloud.Fail("ListKeys", kmstest.Throttled())
	require.Equal(t, []string{throttled, throttled, throttled}, codes(t, api, "ListKeys", 3))
	require.Equal(t, []string{""}, codes(t, api, "CreateKey", 1))
	cloud.Fail("ListKeys", kmstest.AccessDenied()) // replaces the other one
	require.Equal(t, []string{denied}, codes(t, api, "ListKeys", 1))
	cloud.Fail("ListKeys", nil)
	require.Equal(t, []string{"", ""}, codes(t, api, "ListKeys", 2))
}

func TestFailTimes(t *testing.T) {
	t.Parallel()
	cloud, api := direct(t)
	cloud.FailTimes("ListKeys", 2, kmstest.Outage())
	require.Equal(t, []string{outage, outage, "", ""}, codes(t, api, "ListKeys", 4))
	cloud.FailTimes("ListKeys", 0, kmstest.Outage())
	require.Equal(t, []string{""}, codes(t, api, "ListKeys", 1))
	cloud.FailTimes("ListKeys", 5, kmstest.Outage())
	cloud.Fail("ListKeys", nil)
	require.Equal(t, []string{""}, codes(t, api, "ListKeys", 1))
}

func TestAnOperationsOwnFaultComesFirst(t *testing.T) {
	t.Parallel()
	cloud, api := direct(t)
	cloud.FailTimes(kmstest.AnyOperation, 2, kmstest.Outage())
	cloud.FailTimes("ListKeys", 1, kmstest.Throttled())
	require.Equal(t, []string{throttled, outage}, codes(t, api, "ListKeys", 2))
	require.Equal(t, []string{outage, ""}, codes(t, api, "CreateKey", 2))
	require.Equal(t, []string{""}, codes(t, api, "ListKeys", 1))
	cloud.Fail(kmstest.AnyOperation, kmstest.AccessDenied())
	require.Equal(t, []string{denied}, codes(t, api, "ListKeys", 1))
	cloud.Fail(kmstest.AnyOperation, nil)
	require.Equal(t, []string{""}, codes(t, api, "ListKeys", 1))
}

func TestFaultsHitEveryCaller(t *testing.T) {
	t.Parallel()
	cloud, _ := direct(t)
	cloud.Fail("ListKeys", kmstest.Throttled())
	require.Equal(t, []string{throttled}, codes(t, cloud.Client(identity.Caller{}), "ListKeys", 1))
	require.Equal(t, []string{throttled}, codes(t, cloud.SDK(), "ListKeys", 1))
	events := cloud.Events()
	require.Len(t, events, 1+3) // the SDK tries three times
	for _, e := range events {
		require.Equal(t, throttled, e.ErrorCode)
	}
}

func TestFaultTypes(t *testing.T) {
	t.Parallel()
	cloud, api := direct(t)
	own := errors.New("out of order")
	cloud.Fail("ListKeys", own)
	_, err := api.ListKeys(t.Context(), nil)
	var internal *types.KMSInternalException
	require.ErrorAs(t, err, &internal)
	require.ErrorIs(t, err, own)

	typed := &types.KMSInvalidStateException{}
	cloud.Fail("ListKeys", typed)
	_, err = api.ListKeys(t.Context(), nil)
	require.ErrorIs(t, err, typed)

	cloud.Fail("ListKeys", kmstest.Outage())
	_, err = api.ListKeys(t.Context(), nil)
	require.ErrorAs(t, err, &internal)
	require.Equal(t, 500, kms.StatusCode(err))
	cloud.Fail("ListKeys", kmstest.Throttled())
	_, err = api.ListKeys(t.Context(), nil)
	require.EqualError(t, err, "operation error KMS: ListKeys, api error ThrottlingException: "+
		"You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
	require.Equal(t, 400, kms.StatusCode(err))
}

// TestManyThrottlesDoNotExhaustTheSDK injects more faults than the retry quota of
// an SDK client allows by default.
func TestManyThrottlesDoNotExhaustTheSDK(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	client := cloud.SDK()
	for range 200 {
		cloud.FailTimes("ListKeys", 2, kmstest.Throttled())
		require.Equal(t, []string{""}, codes(t, client, "ListKeys", 1))
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	cloud, api := direct(t)
	const delay = 5 * time.Millisecond
	cloud.Slow("ListKeys", delay)
	start := time.Now()
	require.Equal(t, []string{""}, codes(t, api, "ListKeys", 1))
	require.GreaterOrEqual(t, time.Since(start), delay)

	cloud.Slow("ListKeys", 0)
	cloud.Slow(kmstest.AnyOperation, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := api.ListKeys(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = cloud.SDK().CreateKey(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)

	cloud.Slow(kmstest.AnyOperation, delay) // slow and then broken
	cloud.Fail("ListKeys", kmstest.Throttled())
	start = time.Now()
	require.Equal(t, []string{throttled}, codes(t, api, "ListKeys", 1))
	require.GreaterOrEqual(t, time.Since(start), delay)
}

func TestFaultOfNoOperationFailsTheTest(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*kmstest.Cloud){
		"Fail":      func(c *kmstest.Cloud) { c.Fail("Generaterandom", kmstest.Throttled()) },
		"FailTimes": func(c *kmstest.Cloud) { c.FailTimes("", 1, kmstest.Throttled()) },
		"Slow":      func(c *kmstest.Cloud) { c.Slow("encrypt", 1) },
	} {
		require.Contains(t, fails(func(t testing.TB) { use(kmstest.New(t, nil)) }), "there is no operation", name)
	}
	require.Contains(t, fails(func(t testing.TB) { kmstest.New(t, &kmstest.Options{Account: "abc"}) }), "no account and Region")
	require.Contains(t, fails(func(t testing.TB) { kmstest.New(t, &kmstest.Options{Region: "Mars/1"}) }), "no account and Region")
}
