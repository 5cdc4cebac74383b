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

func tooLarge() error {
	return &refusal{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The body is too large."}
}
