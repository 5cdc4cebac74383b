package kms

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

// Errors of the engine are the SDK's own: the exception types that the API models,
// and a smithy.GenericAPIError for the codes that it does not model. The texts are
// AWS's.

// apiError returns an exception that the API does not model.
func apiError(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultClient}
}

func validation(format string, args ...any) error {
	return apiError("ValidationException", fmt.Sprintf(format, args...))
}

func accessDenied(message string) error { return apiError("AccessDeniedException", message) }

func text(format string, args ...any) *string {
	s := fmt.Sprintf(format, args...)
	return &s
}

func notFound(format string, args ...any) error {
	return &types.NotFoundException{Message: text(format, args...)}
}

func invalidARN(format string, args ...any) error {
	return &types.InvalidArnException{Message: text(format, args...)}
}

func invalidState(format string, args ...any) error {
	return &types.KMSInvalidStateException{Message: text(format, args...)}
}

func unsupported(format string, args ...any) error {
	return &types.UnsupportedOperationException{Message: text(format, args...)}
}

func tagError(message string) error { return &types.TagException{Message: &message} }

// invalidCiphertext is the one answer to every ciphertext that does not open. It
// has no message, as AWS's has none.
func invalidCiphertext() error { return &types.InvalidCiphertextException{} }

// internalError is KMSInternalException with its cause. The cause stays in the
// process: over the wire only the exception goes out.
type internalError struct {
	exception *types.KMSInternalException
	cause     error
}

// Error returns the exception and its cause, and Unwrap both as errors.
func (e *internalError) Error() string   { return e.exception.Error() + ": " + e.cause.Error() }
func (e *internalError) Unwrap() []error { return []error{e.exception, e.cause} }

// asAPIError returns err as an error of the API: itself if it is one, else what
// [fault] makes of it.
func asAPIError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return err
	}
	return fault(ctx, err)
}

// fault returns an error of the store or the audit sink as a KMSInternalException,
// even if it is an error of some API, which theirs may well be. The error of a
// request that was cancelled stays as it is.
func fault(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return &internalError{
		exception: &types.KMSInternalException{Message: text("The request was rejected because an internal exception occurred. The request can be retried.")},
		cause:     err,
	}
}

// StatusCode returns the HTTP status that AWS answers an error of the API with: 400
// for every refusal and 500 for a fault of the service. It is 0 if err is none of
// them, such as a cancelled context.
func StatusCode(err error) int {
	var api smithy.APIError
	switch {
	case !errors.As(err, &api):
		return 0
	case api.ErrorFault() == smithy.FaultServer:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
