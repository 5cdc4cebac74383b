package kms

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

// ScheduleKeyDeletion and CancelKeyDeletion.

// The waiting period before a key is deleted, in days.
const (
	minDeletionWindow     = 7
	maxDeletionWindow     = 30
	defaultDeletionWindow = 30
)

var scheduleKeyDeletion = &operation[sdk.ScheduleKeyDeletionInput, sdk.ScheduleKeyDeletionOutput]{
	name: "ScheduleKeyDeletion",
	validate: func(c *constraints, in *sdk.ScheduleKeyDeletionInput) {
		c.keyID("keyId", in.KeyId)
		c.number("pendingWindowInDays", in.PendingWindowInDays, 1, 365)
		days := deletionWindow(in)
		c.reject(days < minDeletionWindow || days > maxDeletionWindow,
			validation("PendingWindowInDays must be between %d and %d.", minDeletionWindow, maxDeletionWindow))
	},
	conditions: func(in *sdk.ScheduleKeyDeletionInput, c *policy.Context) {
		c.SetInt(policy.KMSScheduleKeyDeletionPendingWindowInDays, int64(deletionWindow(in)))
	},
	targets: func(r *request, in *sdk.ScheduleKeyDeletionInput) ([]target, error) {
		return r.idleKey(in.KeyId)
	},
	run: func(r *request, in *sdk.ScheduleKeyDeletionInput, on []target) (*sdk.ScheduleKeyDeletionOutput, error) {
		k, days := on[0].key, deletionWindow(in)
		out := &sdk.ScheduleKeyDeletionOutput{
			KeyId:               aws.String(k.ARN()),
			KeyState:            types.KeyStatePendingDeletion,
			PendingWindowInDays: aws.Int32(days),
		}
		k.Enabled = false // a cancelled deletion leaves the key disabled
		k.Transition = nil
		k.Deletion = &keyrecord.Deletion{Days: days}
		if k.Primary() && len(r.multiRegion(k).ReplicaKeys) > 0 {
			out.KeyState = types.KeyStatePendingReplicaDeletion
			return out, r.writeKey(k)
		}
		k.Deletion.At = r.now.AddDate(0, 0, int(days))
		out.DeletionDate = &k.Deletion.At
		return out, r.writeDeletion(k)
	},
}

func deletionWindow(in *sdk.ScheduleKeyDeletionInput) int32 {
	if in.PendingWindowInDays == nil {
		return defaultDeletionWindow
	}
	return *in.PendingWindowInDays
}

var cancelKeyDeletion = &operation[sdk.CancelKeyDeletionInput, sdk.CancelKeyDeletionOutput]{
	name:     "CancelKeyDeletion",
	validate: func(c *constraints, in *sdk.CancelKeyDeletionInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.CancelKeyDeletionInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(r *request, _ *sdk.CancelKeyDeletionInput, on []target) (*sdk.CancelKeyDeletionOutput, error) {
		k := on[0].key
		k.Deletion = nil
		if err := r.keepInStore(k); err != nil {
			return nil, err
		}
		return &sdk.CancelKeyDeletionOutput{KeyId: aws.String(k.ARN())}, r.writeDeletion(k)
	},
}

// writeDeletion stores k, whose waiting period has begun or ended. The other copies of
// a replica learn of it: the primary waits for it.
func (r *request) writeDeletion(k *keyrecord.Key) error {
	if !k.Replica() {
		return r.writeKey(k)
	}
	copies := k.MultiRegion.Copies
	i := slices.IndexFunc(copies, func(c keyrecord.Copy) bool { return c.Region == k.Region })
	copies[i].Deletion = nil
	if k.Deletion != nil {
		copies[i].Deletion = &k.Deletion.At
	}
	return r.writeCopies(k)
}
