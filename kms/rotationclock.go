package kms

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/store"
)

// Rotation by the clock. Nothing wakes up to rotate a key: the first request that reads
// one whose time has come has it rotated before it is decided, as an update of its own
// with an audit record of its own. If that update fails, the request goes on with the
// material that there is, and the next one tries again.

// maxMissedRotations bounds how many automatic rotations a key makes up for that nobody
// has touched for long. After as many the schedule starts again from now.
const maxMissedRotations = 100

// noteDue remembers a key that something is to become of by now.
func (r *request) noteDue(k *keyrecord.Key) {
	if r.scheduleDue(k) || r.onDemandDue(k) {
		r.due = append(r.due, k)
	}
}

func (r *request) scheduleDue(k *keyrecord.Key) bool {
	return k.Rotation != nil && !r.now.Before(k.Rotation.Next)
}

func (r *request) onDemandDue(k *keyrecord.Key) bool {
	return k.OnDemandStarted != nil && !r.now.Before(k.OnDemandStarted.Add(r.service.settling))
}

// rotateDue rotates the keys that the request has noted, and reports whether any of
// them has changed, so that the request has to be decided again.
func (r *request) rotateDue(ctx context.Context) bool {
	changed := false
	for _, k := range r.due {
		changed = r.service.rotate(ctx, r.now, k) || changed
	}
	return changed
}

// rotate rotates k if it is due, and reports whether its record has changed: by this or
// by another's doing.
func (s *Service) rotate(ctx context.Context, now time.Time, k *keyrecord.Key) bool {
	written, overtaken, _ := s.attend(ctx, rotation{}, now, keyPlace{account: k.Account, region: k.Region}, k)
	return written || overtaken
}

// attend has an operation decided that nobody has asked for but the clock, and applied if
// there is something to write. It reports whether it has written, and whether another was
// faster.
func (s *Service) attend(ctx context.Context, op anyOperation, now time.Time, at keyPlace, in any) (written, overtaken bool, err error) {
	r := s.newRequest(op, identity.Caller{Account: at.account, Region: at.region})
	defer r.release()
	r.now, r.event.Time = now, now
	r.event.Identity = audit.Identity{Type: "AWSService", Account: at.account}
	recorded := false
	for range maxAttempts {
		var by any
		by, err = r.decide(ctx, in)
		if err != nil {
			break
		}
		if !r.draft.Writes() {
			overtaken = overtaken || by == byAnother
			break
		}
		err = r.applyBesideOthers(ctx)
		if !errors.Is(err, store.ErrConflict) {
			if err == nil {
				r.publish(ctx)
			}
			return err == nil, overtaken, err
		}
		overtaken, recorded = true, true
	}
	if recorded { // and has not come to pass
		_ = r.takeBack(ctx, store.ErrConflict)
	}
	return false, overtaken, err
}

// byAnother is what an operation comes to that somebody else was faster with.
const byAnother = "by another"

// rotation is the operation that the clock asks for. CloudTrail calls it RotateKey. Its
// input is a key that may be due, as some request has seen it.
type rotation struct{}

func (rotation) operationName() string { return "RotateKey" }
func (rotation) isReadOnly() bool      { return false }
func (rotation) readsSharedKeys() bool { return false }
func (rotation) emptyBody() bool       { return true }
func (rotation) newInput() any         { return new(keyrecord.Key) }

func (rotation) decide(r *request, in any) (any, error) {
	seen := in.(*keyrecord.Key)
	region := seen.Region
	if seen.MultiRegion != nil {
		region = seen.MultiRegion.Primary // its state is what counts
	}
	k, err := r.readKey(seen.Account, region, seen.ID)
	if err != nil || k == nil || k.Deletion != nil || k.Replica() {
		return nil, err
	}
	if !r.scheduleDue(k) && !r.onDemandDue(k) {
		return byAnother, nil
	}
	changed, err := r.catchUp(k)
	if err != nil || !changed {
		return nil, err
	}
	r.event.Region, r.event.Resources = k.Region, append(r.event.Resources, k.ARN())
	return nil, r.writeCopies(k)
}

// catchUp gives k the materials that it should have by now, in the order of their
// dates, and reports whether there were any. A rotation on demand ends even if the key
// has been disabled meanwhile.
func (r *request) catchUp(k *keyrecord.Key) (changed bool, err error) {
	for missed := 0; err == nil; changed = true {
		schedule, onDemand := k.Enabled && r.scheduleDue(k), r.onDemandDue(k)
		switch {
		case onDemand && !(schedule && k.Rotation.Next.Before(k.OnDemandStarted.Add(r.service.settling))):
			err = r.finishOnDemand(k)
		case !schedule:
			return changed, nil
		case missed == maxMissedRotations:
			k.Rotation.Next = r.now.AddDate(0, 0, int(k.Rotation.Days))
		default:
			missed++
			at := k.Rotation.Next
			k.Rotation.Next = at.AddDate(0, 0, int(k.Rotation.Days))
			err = r.renew(k, types.RotationTypeAutomatic, at)
		}
	}
	return changed, err
}

// finishOnDemand ends k's rotation on demand. Imported material that has been lost
// meanwhile does not become current.
func (r *request) finishOnDemand(k *keyrecord.Key) error {
	at := k.OnDemandStarted.Add(r.service.settling)
	k.OnDemandStarted = nil
	if k.Origin != keyrecord.OriginExternal {
		return r.renew(k, types.RotationTypeOnDemand, at)
	}
	if m := k.PendingMaterial(); m != nil && m.Present(r.now) {
		m.Pending, m.Rotated, m.RotationType = false, &at, string(types.RotationTypeOnDemand)
		r.noteChange(audit.KeyRotated, k, at)
	}
	return nil
}

// restart rotates k, which has just been enabled, if it is overdue: its schedule begins
// anew.
func (r *request) restart(k *keyrecord.Key) error {
	if !r.scheduleDue(k) || k.Replica() {
		return r.writeKey(k)
	}
	if err := r.renew(k, types.RotationTypeAutomatic, r.now); err != nil {
		return err
	}
	k.Rotation.Next = r.now.AddDate(0, 0, int(k.Rotation.Days))
	return r.writeCopies(k)
}

// renew gives k, a symmetric key, new material, which is current from the given time on.
func (r *request) renew(k *keyrecord.Key, how types.RotationType, at time.Time) error {
	spec, ok := keyspec.Lookup(k.Spec)
	if !ok {
		return errors.New("kms: no key spec " + k.Spec)
	}
	b, err := newMaterial(r, spec)
	if err != nil {
		return err
	}
	m := keyrecord.NewMaterial(k.ID, b, at)
	m.Rotated, m.RotationType = &at, string(how)
	k.Materials = append(k.Materials, m)
	r.noteChange(audit.KeyRotated, k, at)
	return nil
}
