package endpoint

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/internal/awsjson"
	"github.com/sealring/sealring/internal/uuid"
	"github.com/sealring/sealring/kms"
)

// maxBody bounds the body of a request. The largest that KMS takes, with a key
// policy or an attestation document, is under half of it.
const maxBody = 1 << 20

const contentType = "application/x-amz-json-1.1"

// Config is what a [Handler] is made of.
type Config struct {
	// KMS answers the operations of AWS KMS. It is required.
	KMS *kms.Service

	// Keys are the access keys that requests may be signed with. It is required
	// unless InsecureAnySignature is set.
	Keys *AccessKeys

	// InsecureAnySignature turns authentication off, for development on one
	// machine: any signature is accepted, and an access key that is not registered
	// stands for the root user of [identity.DefaultAccount]. Requests are then
	// refused unless their Host is a loopback address, they have no Origin header
	// and their content type is AWS's, so that no web page can make them.
	InsecureAnySignature bool
}

// Handler is an http.Handler for the services of the local cloud. It is safe for
// concurrent use.
type Handler struct {
	kms      *kms.Service
	keys     *AccessKeys
	insecure bool
	decoy    string // secret that stands in for those of unknown access keys
}

// New returns a handler.
func New(c Config) (*Handler, error) {
	if c.KMS == nil {
		return nil, errors.New("endpoint: no KMS service")
	}
	if c.Keys == nil {
		if !c.InsecureAnySignature {
			return nil, errors.New("endpoint: no access keys to verify signatures with")
		}
		c.Keys = &AccessKeys{}
	}
	return &Handler{kms: c.KMS, keys: c.Keys, insecure: c.InsecureAnySignature, decoy: rand.Text()}, nil
}

// Format prints nothing of the handler, whatever the verb.
func (h *Handler) Format(f fmt.State, _ rune) { fmt.Fprint(f, "endpoint.Handler{}") }

// ServeHTTP answers one request. Errors have the bodies and statuses of AWS.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, emptyBody, requestID, err := h.serve(r)
	if requestID == "" {
		requestID = uuid.New()
	}
	header := w.Header()
	header.Set("X-Amzn-Requestid", requestID)
	header.Set("Cache-Control", "no-cache, no-store, must-revalidate, private")
	header.Set("Expires", "0")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Type", contentType)
	if err != nil {
		writeError(w, err)
		return
	}
	if emptyBody {
		header.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return
	}
	body, err := awsjson.Append(nil, out)
	if err != nil {
		writeError(w, err)
		return
	}
	_, _ = w.Write(body) // the client is gone: there is nobody to tell
	clear(body)          // it may hold plaintext
}

// serve takes a request apart and has the service answer it.
func (h *Handler) serve(r *http.Request) (out any, emptyBody bool, requestID string, err error) {
	if h.insecure {
		if err := checkLocal(r); err != nil {
			return nil, false, "", err
		}
	}
	op, err := route(r)
	if err != nil {
		return nil, false, "", err
	}
	a, err := authorizationOf(r.Header) // before the body: a stranger's is not read
	if err != nil {
		return nil, false, "", err
	}
	body, err := readBody(r)
	if err != nil {
		return nil, false, "", err
	}
	defer clear(body) // it may hold plaintext
	caller, err := h.authenticate(r, a, body)
	if err != nil {
		return nil, false, "", err
	}
	in := op.NewInput()
	if err := awsjson.Decode(body, in); err != nil {
		return nil, false, "", badBody(err)
	}
	out, requestID, err = h.kms.Invoke(r.Context(), caller, op, in)
	return out, op.EmptyBody(), requestID, err
}

// route finds the operation that a request is for.
func route(r *http.Request) (kms.Operation, error) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	if len(r.Header["X-Amz-Target"]) != 1 || r.Method != http.MethodPost || r.URL.Path != "/" || !ok {
		return kms.Operation{}, clientError("UnknownOperationException", "")
	}
	op, ok := kms.LookupOperation(name)
	if !ok {
		return kms.Operation{}, clientError("UnknownOperationException", "")
	}
	return op, nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errTooLarge
	}
	var body bytes.Buffer
	n, err := body.ReadFrom(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, clientError("SerializationException", "the body could not be read")
	case n > maxBody:
		return nil, errTooLarge
	}
	return body.Bytes(), nil
}

// badBody returns the answer to a body that is not the operation's input. What it
// says of the body is where and why reading stopped, never a value.
func badBody(err error) error {
	var syntax *awsjson.SyntaxError
	if !errors.As(err, &syntax) {
		return err // an input struct that the protocol cannot carry: our fault
	}
	return clientError("SerializationException", strings.TrimPrefix(syntax.Error(), "awsjson: "))
}

// clientError is an error of the protocol itself, before any service has seen the
// request.
func clientError(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultClient}
}

var errTooLarge = clientError("RequestEntityTooLargeException", "The body is too large.")

// writeError answers with the body of an AWS error: the code, and the message if
// there is one. An error that is not AWS's says nothing of itself.
func writeError(w http.ResponseWriter, err error) {
	code, message := "KMSInternalException", ""
	status := http.StatusInternalServerError
	var auth *authError
	var api smithy.APIError
	switch {
	case errors.Is(err, errTooLarge):
		code, message, status = "RequestEntityTooLargeException", "The body is too large.", http.StatusRequestEntityTooLarge
	case errors.As(err, &auth):
		code, message, status = auth.code, auth.message, http.StatusBadRequest
	case errors.As(err, &api):
		code, message, status = api.ErrorCode(), api.ErrorMessage(), kms.StatusCode(err)
	}
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	_, _ = w.Write(awsjson.AppendError(nil, code, message))
}
