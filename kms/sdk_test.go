package kms_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

func lastEvent(f *fixture) audit.Event {
	events := f.Events()
	return events[len(events)-1]
}

func TestSDKErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	client := f.SDK()
	_, err := client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String(unknownID)})

	var notFound *types.NotFoundException
	require.ErrorAs(t, err, &notFound)
	require.Equal(t, smithy.FaultClient, notFound.ErrorFault())
	var operation *smithy.OperationError
	require.ErrorAs(t, err, &operation)
	require.Equal(t, "DescribeKey", operation.Operation())
	require.Equal(t, "KMS", operation.Service())
	var response *awshttp.ResponseError
	require.ErrorAs(t, err, &response)
	require.Equal(t, 400, response.HTTPStatusCode())
	require.Equal(t, lastEvent(f).RequestID, response.ServiceRequestID())
	require.Regexp(t, uuidPattern, response.ServiceRequestID())
	require.Equal(t, response.RequestID, response.Response.Header.Get("X-Amzn-RequestId"))
	require.EqualError(t, err, "operation error KMS: DescribeKey, https response error StatusCode: 400, RequestID: "+response.RequestID+
		", NotFoundException: Key 'arn:aws:kms:us-east-1:111122223333:key/"+unknownID+"' does not exist")

	_, err = client.GenerateRandom(t.Context(), &sdk.GenerateRandomInput{})
	var generic *smithy.GenericAPIError
	require.ErrorAs(t, err, &generic)
	require.Equal(t, "ValidationException", generic.Code)

	f.Fail("GenerateRandom", kmstest.Outage())
	_, err = client.GenerateRandom(t.Context(), &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1)})
	var internal *types.KMSInternalException
	require.ErrorAs(t, err, &internal)
	require.ErrorAs(t, err, &response)
	require.Equal(t, 500, response.HTTPStatusCode())
	require.Equal(t, "500 Internal Server Error", response.Response.Status)
	require.Equal(t, lastEvent(f).RequestID, response.ServiceRequestID())
}

// TestErrorsOfTheDirectClient are those of the SDK without HTTP around them.
func TestErrorsOfTheDirectClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	_, err := f.api.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String(unknownID)})
	require.EqualError(t, err, "operation error KMS: DescribeKey, NotFoundException: Key 'arn:aws:kms:us-east-1:111122223333:key/"+unknownID+"' does not exist")
	var notFound *types.NotFoundException
	require.ErrorAs(t, err, &notFound)
}

func TestStatusCode(t *testing.T) {
	t.Parallel()
	for want, err := range map[int]error{
		400: &types.NotFoundException{}, 500: &types.KMSInternalException{}, 0: context.Canceled,
	} {
		require.Equal(t, want, kms.StatusCode(err))
		require.Equal(t, want, kms.StatusCode(&smithy.OperationError{Err: err}))
	}
	require.Zero(t, kms.StatusCode(nil))
	require.Equal(t, 400, kms.StatusCode(kmstest.Throttled()))
	require.Equal(t, 500, kms.StatusCode(&types.KeyUnavailableException{}))
}

func TestResultMetadata(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	out, err := f.api.ListKeys(t.Context(), &sdk.ListKeysInput{})
	require.NoError(t, err)
	id, ok := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	require.True(t, ok)
	require.Equal(t, lastEvent(f).RequestID, id)
}

func TestSDKRetries(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"throttled": kmstest.Throttled(), "outage": kmstest.Outage()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, true)
			f.FailTimes("Encrypt", 2, failure)
			f.plant(t, "secret", nil)
			events := f.Events()
			require.Len(t, events, 3)
			require.Equal(t, codeOf(failure), events[0].ErrorCode)
			require.Equal(t, codeOf(failure), events[1].ErrorCode)
			require.Empty(t, events[2].ErrorCode)
			require.NotEqual(t, events[0].RequestID, events[1].RequestID)
			require.NotEqual(t, events[0].ID, events[1].ID)

			f.FailTimes("Decrypt", 3, failure) // as many as there are attempts
			_, err := f.api.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: []byte("x")})
			require.Equal(t, codeOf(failure), codeOf(err))
			var exceeded *retry.MaxAttemptsError
			require.ErrorAs(t, err, &exceeded)
			require.Equal(t, 3, exceeded.Attempt)
			require.Len(t, f.Events(), 6)
		})
	}
}

func TestRefusalsAreNotRetried(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	refused(t, f.api, &sdk.DescribeKeyInput{KeyId: aws.String("x")}, "NotFoundException", "Invalid keyId 'x'")
	f.Fail("Encrypt", kmstest.AccessDenied())
	refused(t, f.api, &sdk.EncryptInput{KeyId: &f.id, Plaintext: []byte("x")},
		"AccessDeniedException", "The caller is not authorized to perform this operation.")
	require.Len(t, f.Events(), 2)
}

func TestRetriesCanBeConfigured(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	f.Fail("ListKeys", kmstest.Throttled())
	once := f.Service().SDK(f.Root(), func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
	_, err := once.ListKeys(t.Context(), nil)
	require.Equal(t, "ThrottlingException", codeOf(err))
	require.Len(t, f.Events(), 1)
	_, err = f.SDK().ListKeys(t.Context(), nil, func(o *sdk.Options) { o.RetryMaxAttempts = 2 })
	require.Equal(t, "ThrottlingException", codeOf(err))
	require.Len(t, f.Events(), 3)
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		f.Slow(kmstest.AnyOperation, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := f.api.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &f.id})
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, codeOf(err))
		require.Len(t, f.Events(), 1)
		require.Equal(t, "RequestCanceled", lastEvent(f).ErrorCode)

		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err = f.api.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &f.id})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, f.Events(), 2)
		f.Slow(kmstest.AnyOperation, 0)
		require.True(t, describe(t, f, f.id).Enabled)
	})
}

// TestMiddlewareOfTheUser runs in every step of the SDK's stack that stands before
// the network.
func TestMiddlewareOfTheUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	ran := map[string]int{}
	watch := func(stack *middleware.Stack) error {
		return errors.Join(
			stack.Initialize.Add(middleware.InitializeMiddlewareFunc("TestInitialize",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					ran["initialize"]++
					in.Parameters.(*sdk.EncryptInput).EncryptionContext = map[string]string{"added": "by middleware"}
					return next.HandleInitialize(ctx, in)
				}), middleware.Before),
			stack.Build.Add(middleware.BuildMiddlewareFunc("TestBuild",
				func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
					ran["build"]++
					return next.HandleBuild(ctx, in)
				}), middleware.After),
			stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("TestFinalize",
				func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
					ran["finalize"]++
					out, metadata, err := next.HandleFinalize(ctx, in)
					_, ok := out.Result.(*sdk.EncryptOutput)
					require.Equal(t, err == nil, ok)
					return out, metadata, err
				}), middleware.Before),
		)
	}
	client := f.Service().SDK(f.Root(), func(o *sdk.Options) { o.APIOptions = append(o.APIOptions, watch) })
	out, err := client.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: &f.id, Plaintext: []byte("secret")})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"initialize": 1, "build": 1, "finalize": 1}, ran)
	succeeds(t, f.api, &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: map[string]string{"added": "by middleware"}})
}

// TestSDKNeedsNoEnvironment has neither credentials nor an endpoint, and for the
// anonymous caller no Region.
func TestSDKNeedsNoEnvironment(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	for _, region := range []string{"eu-west-1", "mars-north-1", "cn-north-1"} {
		succeeds(t, f.Service().SDK(identity.Root(account, region)), &sdk.CreateKeyInput{})
	}
	refused(t, f.Service().SDK(identity.Caller{}), &sdk.ListKeysInput{}, "AccessDeniedException",
		denial(identity.Caller{}, "kms:ListKeys", "*", "identity-based"))
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	op, ok := kms.LookupOperation("DescribeKey")
	require.True(t, ok)
	in := op.NewInput().(*sdk.DescribeKeyInput)
	in.KeyId = &f.id
	out, id, err := f.Service().Invoke(t.Context(), f.Root(), op, in)
	require.NoError(t, err)
	require.Equal(t, f.arn, *out.(*sdk.DescribeKeyOutput).KeyMetadata.Arn)
	require.Equal(t, lastEvent(f).RequestID, id)

	in.KeyId = nil
	out, id, err = f.Service().Invoke(t.Context(), f.Root(), op, in)
	require.Nil(t, out)
	require.Equal(t, "ValidationException", codeOf(err))
	require.Equal(t, lastEvent(f).RequestID, id)
}

// TestNothingReachesTheNetwork drops the middleware that answers in process.
func TestNothingReachesTheNetwork(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	client := f.Service().SDK(f.Root(), func(o *sdk.Options) {
		o.APIOptions = nil
		o.Retryer = aws.NopRetryer{}
	})
	_, err := client.ListKeys(t.Context(), nil)
	require.ErrorContains(t, err, "kms: a client in process has no network")
}
