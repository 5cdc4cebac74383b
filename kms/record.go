package kms

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
)

// unchanging returns the encryption context of the request's input for its event, which
// nobody may change any more.
func (r *request) unchanging(context map[string]string) map[string]string {
	if r.ownsInput || r.service.audit == nil {
		return context
	}
	return maps.Clone(context)
}

// record writes the audit event of a decision.
func (r *request) record(ctx context.Context, outcome error) error {
	r.event.ErrorCode, r.event.ErrorMessage = "", ""
	if outcome != nil {
		r.event.ErrorCode = "RequestCanceled"
		var api smithy.APIError
		if errors.As(outcome, &api) {
			r.event.ErrorCode, r.event.ErrorMessage = api.ErrorCode(), api.ErrorMessage()
		}
	}
	if r.service.audit == nil {
		return nil
	}
	return r.service.audit.Record(ctx, r.event)
}

// refuse records a refusal and returns it, or the failure to record it. A request
// that was cancelled is recorded too.
func (r *request) refuse(ctx context.Context, refusal error) error {
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	if err := r.record(ctx, refusal); err != nil {
		return fault(ctx, err)
	}
	return refusal
}

// takeBack answers a request whose decision is recorded as a success but could not
// be stored: a second record under the same event id says so.
func (r *request) takeBack(ctx context.Context, cause error) error {
	return r.refuse(context.WithoutCancel(ctx), fault(ctx, cause))
}

func auditIdentity(c *identity.Caller) audit.Identity {
	id := audit.Identity{Type: "IAMUser", ARN: c.Principal, Account: c.Account, AccessKeyID: c.AccessKeyID}
	if n := len(c.Via); n > 0 {
		id.InvokedBy = c.Via[n-1]
	}
	switch {
	case c.Anonymous():
		id = audit.Identity{Type: "Anonymous"}
	case c.Service != "":
		id = audit.Identity{Type: "AWSService", InvokedBy: c.Service}
	case c.Root():
		id.Type = "Root"
	case strings.Contains(c.Principal, ":assumed-role/"):
		id.Type = "AssumedRole"
	case strings.Contains(c.Principal, ":role/"):
		id.Type = "Role"
	case strings.Contains(c.Principal, ":federated-user/"):
		id.Type = "FederatedUser"
	}
	return id
}
