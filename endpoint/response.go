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

// write sends an answer, or an error in its place.
func write(w http.ResponseWriter, a answer, err error) {
	if a.requestID == "" {
		a.requestID = uuid.New()
	}
	header := w.Header()
	header.Set("X-Amzn-Requestid", a.requestID)
	header.Set("Cache-Control", "no-cache, no-store, must-revalidate, private")
	header.Set("Expires", "0")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Type", contentType)
	if err != nil {
		writeError(w, err)
		return
	}
	if a.emptyBody {
		header.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return
	}
	body, err := awsjson.Append(nil, a.output)
	if err != nil {
		writeError(w, err)
		return
	}
	_, _ = w.Write(body) // the client is gone: there is nobody to tell
	clear(body)          // it may hold plaintext
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
