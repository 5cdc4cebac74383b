package kms

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/uuid"
	"github.com/sealring/sealring/nitro"
	"github.com/sealring/sealring/policy"
	"github.com/sealring/sealring/store"
)

// operation is what is peculiar to one operation of the API. The pipeline takes a
// request through its parts in this order:
//
//	validate → targets → attest → authorise → suits → states → dry run → run → audit → store
//
// Everything up to run is decided on one snapshot of the store, with run's writes
// kept in a draft. The audit record is written next, and only then the draft.
type operation[I, O any] struct {
	name       string
	readOnly   bool // as CloudTrail says of it
	sharesKeys bool // it changes no key: those it reads may be shared with other requests
	noBody     bool // a success answers with an empty body instead of an object

	// validate holds the request's members to their constraints.
	validate func(*constraints, *I)

	// targets names the resources that the request is about. Without it, the target is
	// the account.
	targets func(*request, *I) ([]target, error)

	// recipient returns the request's Recipient member.
	recipient func(*I) *types.RecipientInfo

	// conditions sets the condition keys that the request's own parameters give.
	conditions func(*I, *policy.Context)

	// tokens returns the request's grant tokens.
	tokens func(*I) []string

	// suits answers whether the request's parameters fit the targets' keys.
	suits func(*I, []target) error

	// dryRun returns the request's DryRun member. A dry run is worked out to the end, and
	// what came of it is dropped.
	dryRun func(*I) *bool

	// context returns the encryption context for the audit record.
	context func(*I) map[string]string

	// run does the work and returns the output. It reads and writes through the
	// request's draft.
	run func(*request, *I, []target) (*O, error)
}

// target is a resource that a request is about.
type target struct {
	role    role   // which of the operation's permissions are needed on it
	account string // the resource's owner
	region  string // where the permission is needed: aws:RequestedRegion
	arn     string // "*" for the account itself
	key     *keyrecord.Key
	made    *keyrecord.Key // that the request is to make, as far as conditions ask for it
	state   types.KeyState // of key
	alias   string         // the alias that the request named the key by, if it did

	// context is the encryption context that the request has for this target.
	context map[string]string
	// algorithm is the one that the request encrypts or decrypts with for this target.
	algorithm types.EncryptionAlgorithmSpec
	// grant is the grant that a request is to make or to retire.
	grant *policy.Grant
	// conditions sets the condition keys that the request gives for this target alone.
	conditions func(*policy.Context)
	// own is set for what belongs to a service that asks for it: no policy is asked.
	own bool
	// anyState lifts the operation's row in the table of key states from the target.
	anyState bool
}

// request is one request on its way through the pipeline.
type request struct {
	service *Service
	op      anyOperation
	caller  identity.Caller
	now     time.Time
	id      string // x-amzn-RequestId
	event   audit.Event
	in      any                 // what the attempt in progress is about
	draft   store.Draft         // of the attempt in progress
	due     []*keyrecord.Key    // to be rotated; may be shared
	changes []audit.ChangeEvent // that the draft brings about
	written []writtenKey        // keys in the draft

	decideOn func(store.Tx) error // decides on a snapshot; made once for the memory

	constraints constraints
	asked       policy.Request // of the policy engine, the last question
	bearing     policy.Layers  // what bears on it
	targets     []target       // of the attempt
	one         [1]target      // room for them, as there is seldom another
	out         any            // what the attempt came to
	err         error
	inquiry     inquiry         // what the attempts had to ask
	ownsInput   bool            // nobody else may change the input
	charged     bool            // the rate of the keys' class
	recipient   *nitro.Document // who the answer is encrypted for, nil if it is not

	principal policy.Caller      // the caller as the policy engine sees it
	bound     identity.Principal // what is attached to the caller
	home      identity.Account   // the caller's
}

// maxAttempts bounds how often a request is decided again that other writers have
// overtaken. Within one service once is enough.
const maxAttempts = 8

// requests keeps requests that are over, empty, for their memory: some kilobytes each.
var requests = sync.Pool{New: func() any {
	r := new(request)
	r.decideOn = func(tx store.Tx) error {
		r.draft.Reset(tx)
		r.event.Resources, r.changes, r.written = nil, nil, nil // sinks may have kept those of an attempt before
		r.out, r.err = r.op.decide(r, r.in)
		return nil
	}
	return r
}}

// newRequest returns a request of the caller's. Who has it served releases it then.
func (s *Service) newRequest(op anyOperation, caller identity.Caller) *request {
	r := requests.Get().(*request)
	r.service, r.op, r.caller = s, op, caller
	r.now = s.now().UTC().Truncate(time.Millisecond)
	id, event := uuid.Two()
	r.id = id
	r.event = audit.Event{
		ID:        event,
		RequestID: r.id,
		Time:      r.now,
		Source:    "kms.amazonaws.com",
		Name:      op.operationName(),
		Region:    caller.Region,
		ReadOnly:  op.isReadOnly(),
		Identity:  auditIdentity(&r.caller),
		UserAgent: caller.UserAgent,
	}
	if caller.SourceIP.IsValid() {
		r.event.SourceIP = caller.SourceIP.String()
	}
	return r
}

// release ends a request. Nothing may refer to it any more; what it was answered, and
// its event, do not.
func (r *request) release() {
	r.draft.Reset(nil)
	draft, decideOn := r.draft, r.decideOn
	*r = request{} // a literal with the two in it would be put together elsewhere and copied
	r.draft, r.decideOn = draft, decideOn
	requests.Put(r)
}

// serve takes the request through the pipeline. The result is a pointer to the
// operation's output, or an error of the API.
func (r *request) serve(ctx context.Context, in any) (any, error) {
	if err := r.admit(ctx); err != nil {
		return nil, r.refuse(ctx, err)
	}
	r.bind()
	out, err := r.decide(ctx, in)
	if r.rotateDue(ctx) {
		out, err = r.decide(ctx, in)
	}
	switch {
	case err != nil:
		return nil, r.refuse(ctx, err)
	case !r.draft.Writes():
		if err := r.record(ctx, nil); err != nil {
			return nil, fault(ctx, err)
		}
		r.noteUsage()
		return out, nil
	}
	err = r.applyBesideOthers(ctx)
	switch {
	case err == nil:
		r.noteUsage()
		return out, nil
	case errors.Is(err, store.ErrConflict):
		return r.again(ctx, in)
	}
	return nil, err
}

// applyBesideOthers is apply for a request that has not been overtaken yet.
func (r *request) applyBesideOthers(ctx context.Context) error {
	leave, err := r.service.gate.enter(ctx, 1)
	if err != nil {
		return r.refuse(ctx, err)
	}
	defer leave() // a sink may panic, and its server go on
	return r.apply(ctx)
}

// apply records the decision and commits its draft. The error is
// [store.ErrConflict] alone if another writer was faster; the record is then wrong,
// and a later one under the same event id says what became of the request.
func (r *request) apply(ctx context.Context) error {
	if err := r.record(ctx, nil); err != nil {
		return fault(ctx, err)
	}
	err := r.draft.Commit(ctx, r.service.store)
	if err == nil {
		r.service.keys.wrote(r.written)
	}
	if err == nil || errors.Is(err, store.ErrConflict) {
		return err
	}
	return r.takeBack(ctx, err)
}

// again takes a request that was overtaken through the pipeline once more, while no
// other request of the service commits.
func (r *request) again(ctx context.Context, in any) (any, error) {
	leave, err := r.service.gate.enter(ctx, gateWidth)
	if err != nil {
		return nil, r.takeBack(ctx, err)
	}
	defer leave()
	for attempt := range maxAttempts {
		if err := standBack(ctx, attempt); err != nil {
			return nil, r.takeBack(ctx, err)
		}
		out, err := r.decide(ctx, in)
		if err != nil {
			return nil, r.refuse(ctx, err)
		}
		if err = r.apply(ctx); err == nil {
			r.noteUsage()
			return out, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, err
		}
	}
	return nil, r.takeBack(ctx, store.ErrConflict)
}

// admit checks that the caller is one that keys can belong to and asks the
// service's gate, if it has one.
func (r *request) admit(ctx context.Context) error {
	if c := r.caller; !c.Anonymous() && (c.Service == "" && !arn.IsAccount(c.Account) || !arn.IsRegion(c.Region)) {
		return validation("The request is not made in a valid account and Region.")
	}
	if r.service.admit != nil {
		if err := r.service.admit(ctx, r.op.operationName(), r.caller); err != nil {
			return asAPIError(ctx, err)
		}
	}
	return r.chargeOperation()
}

// decide computes the answer and the draft on one snapshot, on a later one if there is
// something to ask meanwhile.
func (r *request) decide(ctx context.Context, in any) (any, error) {
	for range maxQuestions {
		out, err := r.attempt(ctx, in)
		if !errors.Is(err, errAsked) {
			return out, err
		}
		r.inquiry.ask(ctx)
	}
	return nil, fault(ctx, errAsked)
}

// attempt is decide until there is something to ask: then the error is errAsked.
func (r *request) attempt(ctx context.Context, in any) (any, error) {
	r.in, r.out, r.err = in, nil, nil // a View that fails has no attempt
	viewErr := r.service.store.View(ctx, r.decideOn)
	switch {
	case errors.Is(r.err, errAsked):
		return nil, r.err
	case r.err == nil && viewErr != nil:
		return nil, fault(ctx, viewErr)
	}
	return r.out, asAPIError(ctx, r.err)
}

func (o *operation[I, O]) decide(r *request, input any) (any, error) {
	in, ok := input.(*I)
	if !ok && input != nil {
		return nil, apiError("SerializationException", "The input is not that of "+o.name+".")
	}
	if in == nil {
		in = new(I)
	}
	r.constraints = constraints{}
	if o.validate != nil {
		o.validate(&r.constraints, in)
	}
	if o.recipient != nil {
		r.constraints.recipient(o.recipient(in))
	}
	if err := r.constraints.err(); err != nil {
		return nil, err
	}
	if o.context != nil { // bounded now: events are kept
		r.event.EncryptionContext = r.unchanging(o.context(in))
	}
	if o.tokens != nil {
		if err := r.checkGrantTokens(o.tokens(in)); err != nil {
			return nil, err
		}
	}
	targets, err := o.resolve(r, in)
	if err != nil {
		return nil, err
	}
	r.targets = targets
	for _, t := range targets {
		if t.arn != "*" {
			r.event.Resources = append(r.event.Resources, t.arn)
		}
	}
	if err := r.chargeClass(in, targets); err != nil {
		return nil, err
	}
	if o.recipient != nil {
		if err := r.attest(o.recipient(in)); err != nil {
			return nil, err
		}
	}
	if err := o.authorize(r, in, targets); err != nil {
		return nil, err
	}
	if o.suits != nil {
		if err := o.suits(in, targets); err != nil {
			return nil, err
		}
	}
	for i := range targets {
		if t := &targets[i]; t.key != nil && !t.anyState {
			if err := checkState(o.name, t); err != nil {
				return nil, err
			}
		}
	}
	out, err := o.run(r, in, targets)
	if err == nil && o.dryRun != nil && aws.ToBool(o.dryRun(in)) {
		err = &types.DryRunOperationException{Message: text("The request would have succeeded, but the DryRun option is set.")}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// resolve returns the operation's targets. An anonymous caller learns nothing of
// what exists.
func (o *operation[I, O]) resolve(r *request, in *I) ([]target, error) {
	switch {
	case r.principal.Kind == policy.AnonymousCaller:
		return nil, accessDenied("User: anonymous is not authorized to perform: kms:" + o.name + " on resource: * because no identity-based policy allows the kms:" + o.name + " action")
	case o.targets == nil:
		return r.only(r.accountTarget()), nil
	}
	return o.targets(r, in)
}

// accountTarget is the target of an operation that has no resource of its own.
func (r *request) accountTarget() target {
	return target{role: onAccount, account: r.caller.Account, region: r.caller.Region, arn: "*"}
}

// only returns the targets of an operation that is about t alone.
func (r *request) only(t target) []target {
	r.one[0] = t
	return r.one[:]
}
