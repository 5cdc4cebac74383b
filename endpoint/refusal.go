package endpoint

import (
	"fmt"
	"net/http"
)

// A refusal is an answer of the protocol itself, before any service has seen the
// request: its status, its code and, as far as it is known, the text that AWS would
// send. Of the request it quotes dates and header names only.
type refusal struct {
	status  int
	code    string
	message string // may be empty
}

// Error returns the code and the message.
func (e *refusal) Error() string { return "endpoint: " + e.code + ": " + e.message }

func clientError(code, message string) error {
	return &refusal{http.StatusBadRequest, code, message}
}

func unknownOperation() error { return clientError("UnknownOperationException", "") }

func missingToken() error {
	return clientError("MissingAuthenticationTokenException", "Missing Authentication Token")
}

func incomplete(message string) error { return clientError("IncompleteSignatureException", message) }

func invalid(format string, args ...any) error {
	return clientError("InvalidSignatureException", fmt.Sprintf(format, args...))
}

func signatureMismatch() error {
	return invalid("The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. " +
		"Consult the service documentation for details.")
}

func unknownClient() error {
	return clientError("UnrecognizedClientException", "The security token included in the request is invalid.")
}

func expiredToken() error {
	return clientError("ExpiredTokenException", "The security token included in the request is expired")
}

func throttled() error {
	return clientError("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
}

func tooLarge() error {
	return &refusal{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The body is too large."}
}

// bodyTimeout is for a body that did not arrive in time.
func bodyTimeout() error {
	return &refusal{http.StatusRequestTimeout, "RequestTimeoutException", "The body did not arrive in time."}
}

// unavailable is for a request that waited in vain for others to end.
func unavailable() error {
	return &refusal{http.StatusServiceUnavailable, "ServiceUnavailable", "Too many requests are being served. Try again later."}
}

// serviceTimeout is for a request that the service did not answer in time.
func serviceTimeout() error {
	return &refusal{
		http.StatusInternalServerError, "DependencyTimeoutException",
		"The system timed out while trying to fulfill the request. You can retry the request.",
	}
}
