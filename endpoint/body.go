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

// readBody reads the body of a request into b, until ctx is done; if the server sees to
// that by itself it need not be watched. claim has seen that the body does not say to be
// too long.
func readBody(ctx context.Context, w http.ResponseWriter, r *http.Request, b *buffer, watched bool) error {
	if watched {
		b.watch.start(ctx, w)
		defer b.watch.stop()
	}
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

// cutOffByServer reports whether the server itself stops reading the body by the time
// that the request's context is done: it counts from the beginning of the head, and the
// handler from its end. Of a connection that goes away nothing is read anyway; a context
// that somebody else cancels without a deadline waits for the server.
func (h *Handler) cutOffByServer(r *http.Request) bool {
	s, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || s.ReadTimeout <= 0 || s.ReadTimeout > h.timeout {
		return false
	}
	_, sooner := r.Context().Deadline()
	return !sooner
}

// promptly is how soon nearly every body is there. Only then is the trouble taken to
// watch the context.
const promptly = 10 * time.Millisecond

// A bodyWatch stops the reading of a body when a context is done, which no context
// does by itself. It can be started again when it was stopped.
type bodyWatch struct {
	timer *time.Timer   // calls wait; nil before the first start
	read  chan struct{} // for the end of a wait

	// Of the request whose body is read.
	ctx context.Context
	w   http.ResponseWriter
}

// start has the connection of w stop reading, where it can, when ctx is done.
func (v *bodyWatch) start(ctx context.Context, w http.ResponseWriter) {
	v.ctx, v.w = ctx, w
	if v.timer == nil {
		v.read = make(chan struct{})
		v.timer = time.AfterFunc(promptly, v.wait)
		return
	}
	v.timer.Reset(promptly)
}

// stop ends the watch. Then w is not used any more, as it must not be when the
// request is over.
func (v *bodyWatch) stop() {
	if !v.timer.Stop() {
		v.read <- struct{}{}
	}
	v.ctx, v.w = nil, nil
}

// wait watches a body that has not come promptly, until it is stopped.
func (v *bodyWatch) wait() {
	select {
	case <-v.read:
	case <-v.ctx.Done():
		_ = http.NewResponseController(v.w).SetReadDeadline(time.Unix(1, 0)) // long ago
		<-v.read
	}
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
