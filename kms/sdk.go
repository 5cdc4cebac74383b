package kms

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/uuid"
)

// SDK returns a client of aws-sdk-go-v2 whose requests are answered in the process
// and are made by c, in c's Region. The engine stands in for signing, the network
// and parsing only: the SDK's own validation, retries, errors, request ids and
// middleware work as they do against AWS. No credentials are needed.
func (s *Service) SDK(c identity.Caller, optFns ...func(*sdk.Options)) *sdk.Client {
	o := sdk.Options{
		Region:     c.Region,
		HTTPClient: offline{},
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			if err := stack.Initialize.Add(keepInput{}, middleware.After); err != nil {
				return err
			}
			// Behind this one the SDK would look for credentials, sign and send.
			return stack.Finalize.Insert(&inProcess{service: s, caller: c}, "InterceptAttempt", middleware.After)
		}},
	}
	return sdk.New(o, optFns...)
}

// offline answers a request that gets past inProcess, because an option of the
// caller's has replaced the client's middleware: it must not reach AWS.
type offline struct{}

// Do implements the SDK's HTTPClient.
func (offline) Do(*http.Request) (*http.Response, error) {
	return nil, errors.New("kms: a client in process has no network; append to APIOptions, do not replace them")
}

// keepInput carries the typed input past the serialiser, to inProcess.
type keepInput struct{}

type inputKey struct{}

// ID and HandleInitialize implement middleware.InitializeMiddleware.
func (keepInput) ID() string { return "SealringInput" }

func (keepInput) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	return next.HandleInitialize(middleware.WithStackValue(ctx, inputKey{}, in.Parameters), in)
}

// inProcess answers one attempt of a request.
type inProcess struct {
	service *Service
	caller  identity.Caller
}

// ID and HandleFinalize implement middleware.FinalizeMiddleware.
func (*inProcess) ID() string { return "SealringInProcess" }

func (p *inProcess) HandleFinalize(ctx context.Context, _ middleware.FinalizeInput, _ middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	name := awsmiddleware.GetOperationName(ctx)
	op, ok := LookupOperation(name)
	if !ok {
		return out, metadata, responseError(apiError("UnknownOperationException", fmt.Sprintf("%s is not offered", name)), uuid.New())
	}
	result, requestID, err := p.service.newRequest(op.op, p.caller).invoke(ctx, middleware.GetStackValue(ctx, inputKey{}))
	awsmiddleware.SetRequestIDMetadata(&metadata, requestID)
	if err != nil {
		return out, metadata, responseError(err, requestID)
	}
	out.Result = result
	return out, metadata, nil
}

// responseError wraps an error of the API as the SDK does with one that came over
// HTTP, so that its retries and its users find the status and the request id.
func responseError(err error, requestID string) error {
	status := StatusCode(err)
	if status == 0 { // a context that has ended, which the SDK's transport reports so
		return &smithy.CanceledError{Err: err}
	}
	response := &http.Response{
		StatusCode: status,
		Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Header:     http.Header{"X-Amzn-Requestid": {requestID}},
		Body:       http.NoBody,
	}
	return &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: response}, Err: err},
		RequestID:     requestID,
	}
}
