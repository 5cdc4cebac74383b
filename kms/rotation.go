package kms

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

// The operations of rotation. What the clock does is in rotationclock.go.

// The period of automatic rotation, in days.
const (
	minRotationPeriod     = 90
	maxRotationPeriod     = 2560
	defaultRotationPeriod = 365
)

// rotationLead is how long before an automatic rotation none on demand may begin.
const rotationLead = 20 * time.Minute

var enableKeyRotation = &operation[sdk.EnableKeyRotationInput, sdk.EnableKeyRotationOutput]{
	name:   "EnableKeyRotation",
	noBody: true,
	validate: func(c *constraints, in *sdk.EnableKeyRotationInput) {
		c.keyID("keyId", in.KeyId)
		c.number("rotationPeriodInDays", in.RotationPeriodInDays, minRotationPeriod, maxRotationPeriod)
	},
	conditions: func(in *sdk.EnableKeyRotationInput, c *policy.Context) {
		c.SetInt(policy.KMSRotationPeriodInDays, int64(rotationPeriod(in)))
	},
	targets: func(r *request, in *sdk.EnableKeyRotationInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	suits: func(_ *sdk.EnableKeyRotationInput, on []target) error { return checkSchedule(on[0].key) },
	run: func(r *request, in *sdk.EnableKeyRotationInput, on []target) (*sdk.EnableKeyRotationOutput, error) {
		k, days := on[0].key, rotationPeriod(in)
		if k.Replica() {
			return nil, notPrimary(k)
		}
		k.Rotation = &keyrecord.Rotation{Days: days, Next: r.now.AddDate(0, 0, int(days))}
		return &sdk.EnableKeyRotationOutput{}, r.writeCopies(k)
	},
}

func rotationPeriod(in *sdk.EnableKeyRotationInput) int32 {
	if in.RotationPeriodInDays == nil {
		return defaultRotationPeriod
	}
	return *in.RotationPeriodInDays
}

var disableKeyRotation = &operation[sdk.DisableKeyRotationInput, sdk.DisableKeyRotationOutput]{
	name:     "DisableKeyRotation",
	noBody:   true,
	validate: func(c *constraints, in *sdk.DisableKeyRotationInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.DisableKeyRotationInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	suits: func(_ *sdk.DisableKeyRotationInput, on []target) error { return checkSchedule(on[0].key) },
	run: func(r *request, _ *sdk.DisableKeyRotationInput, on []target) (*sdk.DisableKeyRotationOutput, error) {
		k := on[0].key
		switch {
		case k.Replica():
			return nil, notPrimary(k)
		case k.Rotation == nil:
			return &sdk.DisableKeyRotationOutput{}, nil
		}
		k.Rotation = nil
		return &sdk.DisableKeyRotationOutput{}, r.writeCopies(k)
	},
}

// checkSchedule refuses keys that have no automatic rotation.
func checkSchedule(k *keyrecord.Key) error {
	if err := checkRotatable(k); err != nil {
		return err
	}
	if k.Origin == keyrecord.OriginExternal {
		return wrongOrigin(k)
	}
	return nil
}

// checkRotatable refuses keys that have one material for good.
func checkRotatable(k *keyrecord.Key) error {
	switch {
	case k.Spec != keyrecord.SpecSymmetric:
		return &types.UnsupportedOperationException{} // AWS's has no message
	case k.KeyStore != "":
		return wrongOrigin(k)
	}
	return nil
}

func wrongOrigin(k *keyrecord.Key) error {
	return unsupported("%s origin is %s which is not valid for this operation.", k.ARN(), k.Origin)
}

var getKeyRotationStatus = &operation[sdk.GetKeyRotationStatusInput, sdk.GetKeyRotationStatusOutput]{
	name:       "GetKeyRotationStatus",
	readOnly:   true,
	sharesKeys: true,
	validate:   func(c *constraints, in *sdk.GetKeyRotationStatusInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.GetKeyRotationStatusInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	suits: func(_ *sdk.GetKeyRotationStatusInput, on []target) error {
		if k := on[0].key; k.Origin == keyrecord.OriginExternal || k.KeyStore != "" {
			return wrongOrigin(k)
		}
		return nil // one that cannot be rotated has a status too: it is not
	},
	run: func(_ *request, _ *sdk.GetKeyRotationStatusInput, on []target) (*sdk.GetKeyRotationStatusOutput, error) {
		k := on[0].key
		out := &sdk.GetKeyRotationStatusOutput{KeyId: aws.String(k.ARN())}
		if k.Deletion != nil {
			return out, nil // meanwhile nothing is rotated
		}
		if k.Rotation != nil {
			out.KeyRotationEnabled = true
			out.RotationPeriodInDays = aws.Int32(k.Rotation.Days)
			out.NextRotationDate = aws.Time(k.Rotation.Next)
		}
		if k.OnDemandStarted != nil {
			out.OnDemandRotationStartDate = aws.Time(*k.OnDemandStarted)
		}
		return out, nil
	},
}

var rotateKeyOnDemand = &operation[sdk.RotateKeyOnDemandInput, sdk.RotateKeyOnDemandOutput]{
	name:     "RotateKeyOnDemand",
	validate: func(c *constraints, in *sdk.RotateKeyOnDemandInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.RotateKeyOnDemandInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	suits: func(_ *sdk.RotateKeyOnDemandInput, on []target) error { return checkRotatable(on[0].key) },
	run: func(r *request, _ *sdk.RotateKeyOnDemandInput, on []target) (*sdk.RotateKeyOnDemandOutput, error) {
		k := on[0].key
		if err := r.mayRotate(k); err != nil {
			return nil, err
		}
		k.OnDemandRotations++
		k.OnDemandStarted = aws.Time(r.now)
		if r.service.settling == 0 {
			if err := r.finishOnDemand(k); err != nil {
				return nil, err
			}
		}
		return &sdk.RotateKeyOnDemandOutput{KeyId: aws.String(k.ARN())}, r.writeCopies(k)
	},
}

// mayRotate refuses a rotation on demand that cannot begin now.
func (r *request) mayRotate(k *keyrecord.Key) error {
	if k.Replica() {
		return notPrimary(k)
	}
	if k.Origin == keyrecord.OriginExternal {
		there, err := r.everywhere(k, k.PendingMaterial())
		if err != nil {
			return err
		}
		if !there {
			return invalidState("No available key material pending rotation for the key: %s.", k.ARN())
		}
	}
	switch {
	case k.OnDemandStarted != nil:
		return &types.ConflictException{Message: text("An on-demand rotation of the key %s is in progress.", k.ARN())}
	case k.Rotation != nil && !r.now.Add(rotationLead).Before(k.Rotation.Next):
		return &types.ConflictException{Message: text("An automatic rotation of the key %s is in progress or scheduled to begin within the next 20 minutes.", k.ARN())}
	case k.OnDemandRotations >= r.service.quotas.OnDemandRotations:
		return limitExceeded("The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: %s", k.ARN())
	}
	return nil
}

// everywhere reports whether k and all its copies but those that are to be deleted
// hold the imported material m, which may be nil.
func (r *request) everywhere(k *keyrecord.Key, m *keyrecord.Material) (bool, error) {
	if m == nil || !m.Present(r.now) {
		return false, nil
	}
	if k.MultiRegion == nil {
		return true, nil
	}
	for _, c := range k.MultiRegion.Copies {
		other, err := r.readKey(k.Account, c.Region, k.ID)
		if err != nil {
			return false, err
		}
		if other == nil || other.Deletion != nil {
			continue
		}
		if own := other.Material(m.ID); own == nil || !own.Present(r.now) {
			return false, nil
		}
	}
	return true, nil
}

// ListKeyRotations pages, oldest material first.
const (
	defaultRotationsPage = 100
	maxRotationsPage     = 1000
)

var listKeyRotations = &operation[sdk.ListKeyRotationsInput, sdk.ListKeyRotationsOutput]{
	name:       "ListKeyRotations",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.ListKeyRotationsInput) {
		c.keyID("keyId", in.KeyId)
		oneOf(c, "includeKeyMaterial", in.IncludeKeyMaterial, in.IncludeKeyMaterial.Values())
		c.page(in.Limit, in.Marker)
	},
	targets: func(r *request, in *sdk.ListKeyRotationsInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	suits: func(_ *sdk.ListKeyRotationsInput, on []target) error { return checkRotatable(on[0].key) },
	run: func(r *request, in *sdk.ListKeyRotationsInput, on []target) (*sdk.ListKeyRotationsOutput, error) {
		k := on[0].key
		p, err := openPage("ListKeyRotations", in.Limit, in.Marker, defaultRotationsPage, maxRotationsPage)
		if err != nil {
			return nil, err
		}
		rest := k.Materials
		if p.after != "" {
			last := slices.IndexFunc(rest, func(m keyrecord.Material) bool { return m.ID == p.after })
			if last < 0 {
				last = len(rest) - 1 // only pending material, which comes last, can go
			}
			rest = rest[last+1:]
		}
		out := &sdk.ListKeyRotationsOutput{Rotations: []types.RotationsListEntry{}}
		for i := range rest {
			m := &rest[i]
			if in.IncludeKeyMaterial != types.IncludeKeyMaterialAllKeyMaterial && m.Rotated == nil {
				continue
			}
			if p.full(len(out.Rotations)) {
				last := aws.ToString(out.Rotations[len(out.Rotations)-1].KeyMaterialId)
				out.Truncated, out.NextMarker = true, p.next(last)
				break
			}
			entry, err := r.rotation(k, m)
			if err != nil {
				return nil, err
			}
			out.Rotations = append(out.Rotations, entry)
		}
		return out, nil
	},
}

// rotation returns what ListKeyRotations says of a material of k.
func (r *request) rotation(k *keyrecord.Key, m *keyrecord.Material) (types.RotationsListEntry, error) {
	e := types.RotationsListEntry{
		KeyId:            aws.String(k.ARN()),
		KeyMaterialId:    aws.String(m.ID),
		KeyMaterialState: types.KeyMaterialStateNonCurrent,
		RotationType:     types.RotationType(m.RotationType),
	}
	if m.Rotated != nil {
		e.RotationDate = aws.Time(*m.Rotated)
	}
	switch {
	case m.Pending:
		e.KeyMaterialState = types.KeyMaterialStatePendingRotation
		there, err := r.everywhere(k, m)
		if err != nil {
			return e, err
		}
		if k.MultiRegion != nil && !there {
			e.KeyMaterialState = types.KeyMaterialStatePendingMultiRegionImportAndRotation
		}
	case m.ID == k.Current().ID:
		e.KeyMaterialState = types.KeyMaterialStateCurrent
	}
	if k.Origin != keyrecord.OriginExternal {
		return e, nil
	}
	e.ImportState = types.ImportStatePendingImport
	if m.Present(r.now) {
		e.ImportState = types.ImportStateImported
		e.ExpirationModel = expirationModel(m)
		if m.ValidTo != nil {
			e.ValidTo = aws.Time(*m.ValidTo)
		}
	}
	if note, ok := k.Notes[m.ID]; ok {
		e.KeyMaterialDescription = &note
	}
	return e, nil
}
