package kms

import (
	"context"
	"time"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/internal/keyrecord"
)

// The stream of changes, beside the audit records: see [Config.Changes]. Unlike a record, an
// event comes after its change has been committed, and a request does not depend on it.

// noteChange has a change of k told when the request's draft is committed.
func (r *request) noteChange(detailType string, k *keyrecord.Key, at time.Time) {
	if r.service.changes != nil {
		r.changes = append(r.changes, audit.KeyChange(detailType, k.ARN(), at))
	}
}

// noteExpired is noteChange for the imported material of k that has expired and is about to
// be deleted.
func (r *request) noteExpired(k *keyrecord.Key) {
	for i := range k.Materials {
		if m := &k.Materials[i]; len(m.Bytes) > 0 && !m.Present(r.now) {
			r.noteChange(audit.KeyMaterialExpired, k, *m.ValidTo)
		}
	}
}

// publish tells of a request that has succeeded, and of what it has changed.
func (r *request) publish(ctx context.Context) {
	sink := r.service.changes
	if sink == nil || r.event.ReadOnly && len(r.changes) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx) // what has changed has changed
	if !r.event.ReadOnly {
		_ = sink.Publish(ctx, audit.Recorded(r.event))
	}
	for _, e := range r.changes {
		_ = sink.Publish(ctx, e)
	}
}
