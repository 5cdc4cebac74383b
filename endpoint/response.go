package endpoint

import (
	"errors"
	"net/http"

	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/internal/awsjson"
	"github.com/sealring/sealring/internal/uuid"
	"github.com/sealring/sealring/kms"
)

// An answer is what the service has made of a request.
type answer struct {
	output    any
	emptyBody bool   // the success has an empty body instead of output
	requestID string // "" if the request has not reached the service
}

// write sends an answer, which it puts together in b, or an error in its place.
func write(w http.ResponseWriter, b *buffer, a answer, err error) {
	if a.requestID == "" {
		a.requestID = uuid.New()
	}
	header := w.Header()
	setHeader(header, a.requestID)
	if err == nil && !a.emptyBody {
		var body []byte
		body, err = awsjson.Append(b.bytes[:0], a.output)
		b.hold(body)
	}
	switch {
	case err != nil:
		writeError(w, err)
	case a.emptyBody:
		header.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	default:
		_, _ = w.Write(b.bytes) // the client is gone: there is nobody to tell
	}
}

// sameHeaders are what the heads of all answers have in common. Nobody changes the values.
var sameHeaders = [...]struct {
	name  string
	value []string
}{
	{"Cache-Control", []string{"no-cache, no-store, must-revalidate, private"}},
	{"Expires", []string{"0"}},
	{"Pragma", []string{"no-cache"}},
	{"Content-Type", []string{contentType}},
}

// setHeader sets what the head of every answer has.
func setHeader(h http.Header, requestID string) {
	for i := range sameHeaders {
		h[sameHeaders[i].name] = sameHeaders[i].value
	}
	h["X-Amzn-Requestid"] = []string{requestID}
}

// writeError answers with the body of an AWS error: the code, and the message if
// there is one. An error that is not AWS's says nothing of itself.
func writeError(w http.ResponseWriter, err error) {
	code, message, status := "KMSInternalException", "", http.StatusInternalServerError
	var own *refusal
	var api smithy.APIError
	switch {
	case errors.As(err, &own):
		code, message, status = own.code, own.message, own.status
	case errors.As(err, &api):
		code, message, status = api.ErrorCode(), api.ErrorMessage(), kms.StatusCode(err)
	}
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	_, _ = w.Write(awsjson.AppendError(nil, code, message))
}
