package xks

import (
	"errors"
	"fmt"
)

var (
	// ErrUnreachable is returned when no connection to the proxy came about, or when
	// it broke before an answer began. So is it if there is no transport.
	ErrUnreachable = errors.New("xks: the proxy cannot be reached")

	// ErrTLS is returned when the proxy was reached, but TLS could not be agreed on
	// with it, for its certificate or otherwise. It is an ErrUnreachable.
	ErrTLS = fmt.Errorf("%w over TLS", ErrUnreachable)

	// ErrTimeout is returned when there is a connection to the proxy, but no complete
	// answer before the time limit. A limit of the caller's context is not a timeout:
	// the context's own error is returned for it.
	ErrTimeout = errors.New("xks: the proxy did not answer in time")

	// ErrInvalidResponse is returned when the proxy's answer is not what the
	// specification says: too long, cut short, not the JSON that was asked for,
	// against a rule for a member, an unknown error, a wrong integrity value.
	ErrInvalidResponse = errors.New("xks: the answer of the proxy cannot be interpreted")

	// ErrInvalidBlob is returned by Decrypt for a blob that Encrypt cannot have made.
	// The proxy is not asked.
	ErrInvalidBlob = errors.New("xks: invalid ciphertext blob")
)

// invalid returns an ErrInvalidResponse. The reason must not repeat anything of the
// response: it could be a plaintext.
func invalid(reason string) error {
	return fmt.Errorf("%w: %s", ErrInvalidResponse, reason)
}

// Names of the errors that a proxy answers with (specification, "Error codes").
const (
	ValidationException           = "ValidationException"
	InvalidStateException         = "InvalidStateException"
	InvalidCiphertextException    = "InvalidCiphertextException"
	InvalidKeyUsageException      = "InvalidKeyUsageException"
	AuthenticationFailedException = "AuthenticationFailedException"
	AccessDeniedException         = "AccessDeniedException"
	KeyNotFoundException          = "KeyNotFoundException"
	InvalidURIPathException       = "InvalidUriPathException"
	ThrottlingException           = "ThrottlingException"
	UnsupportedOperationException = "UnsupportedOperationException"
	DependencyTimeoutException    = "DependencyTimeoutException"
	InternalException             = "InternalException"
)

// Status returns the HTTP status that the specification gives to the error of that
// name, or 0 if there is no such error.
func Status(name string) int {
	switch name {
	case ValidationException, InvalidStateException, InvalidCiphertextException, InvalidKeyUsageException:
		return 400
	case AuthenticationFailedException:
		return 401
	case AccessDeniedException:
		return 403
	case KeyNotFoundException, InvalidURIPathException:
		return 404
	case ThrottlingException:
		return 429
	case InternalException:
		return 500
	case UnsupportedOperationException:
		return 501
	case DependencyTimeoutException:
		return 503
	}
	return 0
}

// Error is an error that the proxy answered with. The message that may come with it
// is not kept, as KMS does not pass it on.
type Error struct {
	Name   string // one of the names above
	Status int    // the HTTP status of the answer, 400 to 599, not necessarily the one of Status
}

// Error returns the status and the name.
func (e *Error) Error() string {
	return fmt.Sprintf("xks: the proxy answered %d %s", e.Status, e.Name)
}
