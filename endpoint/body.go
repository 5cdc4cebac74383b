package endpoint

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/sealring/sealring/internal/awsjson"
)

// maxBody bounds the body of a request. The largest that KMS takes, with a key
// policy or an attestation document, is under half of it.
const maxBody = 1 << 20

const contentType = "application/x-amz-json-1.1"

// promptly is how soon nearly every body is there. Only then is the trouble taken to
// watch the context.
const promptly = 10 * time.Millisecond

// readBody reads the body of a request into b. claim has seen that it does not say to
// be too long. When ctx is done, w stops the connection's reading where it can, which
// no context does by itself.
func readBody(ctx context.Context, w http.ResponseWriter, r *http.Request, b *buffer) error {
	read := make(chan struct{})
	watch := time.AfterFunc(promptly, func() {
		select {
		case <-read:
		case <-ctx.Done():
			_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) // long ago
			<-read
		}
	})
	defer func() {
		if !watch.Stop() {
			read <- struct{}{} // w must not be used any more when the request is over
		}
	}()
	err := b.readAll(r.Body, maxBody)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return bodyTimeout()
	case err != nil:
		return clientError("SerializationException", "the body could not be read")
	case len(b.bytes) > maxBody:
		return tooLarge()
	}
	return nil
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
