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

// setHeader sets what the head of every answer has.
func setHeader(h http.Header, requestID string) {
	values := &[...]string{requestID, "no-cache, no-store, must-revalidate, private", "0", "no-cache", contentType}
	for i, name := range [len(values)]string{"X-Amzn-Requestid", "Cache-Control", "Expires", "Pragma", "Content-Type"} {
		h[name] = values[i : i+1 : i+1]
	}
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
