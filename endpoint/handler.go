package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sealring/sealring/internal/awsjson"
	"github.com/sealring/sealring/kms"
)

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
	// refused unless they come from this machine, their Host is a loopback address,
	// they have no Origin header and their content type is AWS's, so that no web page
	// can make them.
	InsecureAnySignature bool

	// Limits bounds what clients can ask for. Its zero value is for daily use.
	Limits Limits
}

// Handler is an http.Handler for the services of the local cloud. It is safe for
// concurrent use.
type Handler struct {
	kms      *kms.Service
	keys     *AccessKeys
	insecure bool
	timeout  time.Duration
	gate     *gate
	rate     *rateLimiter // nil if there is none
	heads    authorizationCache
	buffers  buffers
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
	l, err := c.Limits.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Handler{
		kms:      c.KMS,
		keys:     c.Keys,
		insecure: c.InsecureAnySignature,
		timeout:  l.Timeout,
		gate:     newGate(l.Concurrent),
		rate:     newRateLimiter(l),
	}, nil
}

// Format prints nothing of the handler, whatever the verb.
func (h *Handler) Format(f fmt.State, _ rune) { fmt.Fprint(f, "endpoint.Handler{}") }

// ServeHTTP answers one request. Errors have the bodies and statuses of AWS.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Never the service's clock: replay has to stay impossible in a test that stands
	// still.
	now := time.Now()
	ctx := newDeadline(r.Context(), now.Add(h.timeout))
	defer ctx.end()
	c, err := h.claim(r, now) // before the body: a stranger's is not read
	if err != nil {
		write(w, nil, answer{}, err)
		return
	}
	place := h.gate.enter(ctx, c.principal)
	if place == nil {
		write(w, nil, answer{}, unavailable())
		return
	}
	defer h.gate.leave(place)
	b := h.buffers.get()
	defer h.buffers.put(b)
	a, err := h.serve(ctx, w, r, &c, b)
	write(w, b, a, err)
}

// serve has the service answer a request, whose body it reads into b. w is for
// cutting that off.
func (h *Handler) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, c *claim, b *buffer) (a answer, err error) {
	if err := readBody(ctx, w, r, b, !h.cutOffByServer(r)); err != nil {
		return a, err
	}
	caller, err := h.authenticate(r, c, b.bytes)
	if err != nil {
		return a, err
	}
	in := c.operation.NewInput()
	if err := awsjson.Decode(b.bytes, in); err != nil {
		return a, badBody(err)
	}
	a.emptyBody = c.operation.EmptyBody()
	a.output, a.requestID, err = h.kms.Invoke(ctx, caller, c.operation, in)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = serviceTimeout()
	}
	return a, err
}

// route finds the operation that a request is for.
func route(r *http.Request) (kms.Operation, error) {
	targets := r.Header["X-Amz-Target"]
	if len(targets) != 1 || r.Method != http.MethodPost || r.URL.Path != "/" {
		return kms.Operation{}, unknownOperation()
	}
	name, ok := strings.CutPrefix(targets[0], "TrentService.")
	if !ok {
		return kms.Operation{}, unknownOperation()
	}
	op, ok := kms.LookupOperation(name)
	if !ok {
		return kms.Operation{}, unknownOperation()
	}
	return op, nil
}
