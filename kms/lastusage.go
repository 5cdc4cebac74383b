package kms

import (
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
	"github.com/sealring/sealring/store"
)

// GetKeyLastUsage. Uses are counted from a key's creation on, each copy of a multi-Region
// key for itself.
var getKeyLastUsage = &operation[sdk.GetKeyLastUsageInput, sdk.GetKeyLastUsageOutput]{
	name:       "GetKeyLastUsage",
	readOnly:   true,
	sharesKeys: true,
	validate:   func(c *constraints, in *sdk.GetKeyLastUsageInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.GetKeyLastUsageInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(r *request, _ *sdk.GetKeyLastUsageInput, on []target) (*sdk.GetKeyLastUsageOutput, error) {
		k := on[0].key
		u, err := r.lastUsage(k)
		if err != nil {
			return nil, err
		}
		out := &sdk.GetKeyLastUsageOutput{
			KeyCreationDate:   aws.Time(k.Created),
			KeyId:             aws.String(k.ID),
			KeyLastUsage:      &types.KeyLastUsageData{},
			TrackingStartDate: aws.Time(k.Created),
		}
		if u != nil {
			*out.KeyLastUsage = types.KeyLastUsageData{
				CloudTrailEventId: aws.String(u.EventID),
				KmsRequestId:      aws.String(u.RequestID),
				Operation:         types.KeyLastUsageTrackingOperation(u.Operation),
				Timestamp:         aws.Time(u.Time),
			}
		}
		return out, nil
	},
}

// lastUsage returns the last use of k, nil if there is none. An earlier key with k's id,
// a replica that was deleted, may have had some.
func (r *request) lastUsage(k *keyrecord.Key) (*keyrecord.Usage, error) {
	u, err := r.storedUsage(k)
	if err != nil {
		return nil, err
	}
	if recent := r.service.usage.recent(k.ARN()); recent != nil && (u == nil || !recent.Time.Before(u.Time)) {
		u = recent
	}
	if u != nil && u.Time.Before(k.Created) {
		return nil, nil
	}
	return u, nil
}

// storedUsage is lastUsage as far as the store knows.
func (r *request) storedUsage(k *keyrecord.Key) (*keyrecord.Usage, error) {
	b, err := r.draft.Get(keyrecord.UsageName(k.Account, k.Region, k.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return keyrecord.UnmarshalUsage(b)
}

// idleKey is oneKey for an operation that policies can refuse while the key is in use.
func (r *request) idleKey(id *string) ([]target, error) {
	on, err := r.oneKey(id, keyIDOrARN)
	if err != nil {
		return nil, err
	}
	days, err := r.idleDays(on[0].key)
	on[0].conditions = func(c *policy.Context) { c.SetInt(policy.KMSTrailingDaysWithoutKeyUsage, days) }
	return on, err
}

// idleDays returns for how many whole days k has not been used.
func (r *request) idleDays(k *keyrecord.Key) (int64, error) {
	u, err := r.lastUsage(k)
	if err != nil {
		return 0, err
	}
	since := k.Created
	if u != nil {
		since = u.Time
	}
	return int64(r.now.Sub(since) / (24 * time.Hour)), nil
}
