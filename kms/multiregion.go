package kms

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

// Multi-Region keys: ReplicateKey and UpdatePrimaryRegion. Each copy has a record of
// its own with what it shares with the others, so that one version in the store tells
// whether a copy has changed. A change of what they have in common writes all of these
// records in one transaction. They are small: what is large is in records of its own.

var regionPattern = regexp.MustCompile(`^([a-z]+-){2,3}\d+$`)

// maxCopies is how many copies a multi-Region key can have: more than AWS has Regions,
// and no more than one transaction can write.
const maxCopies = 40

// multiRegionID returns a new id for a multi-Region key.
func multiRegionID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return "mrk-" + hex.EncodeToString(b)
}

// region bounds the name of a Region.
func (c *constraints) region(path string, v *string) {
	c.text(path, v, 1, 32)
	if v != nil {
		c.pattern(path, *v, regionPattern)
	}
}

var replicateKey = &operation[sdk.ReplicateKeyInput, sdk.ReplicateKeyOutput]{
	name: "ReplicateKey",
	validate: func(c *constraints, in *sdk.ReplicateKeyInput) {
		c.keyID("keyId", in.KeyId)
		c.region("replicaRegion", in.ReplicaRegion)
		if in.Description != nil {
			c.length("description", *in.Description, 0, 8192)
		}
		if in.Policy != nil {
			c.policy(in.Policy)
		}
		c.tags(in.Tags)
	},
	targets: func(r *request, in *sdk.ReplicateKeyInput) ([]target, error) {
		on, err := r.oneKey(in.KeyId, keyIDOrARN)
		if err != nil {
			return nil, err
		}
		on[0].conditions = func(c *policy.Context) { c.SetString(policy.KMSReplicaRegion, *in.ReplicaRegion) }
		there := r.accountTarget()
		there.region = *in.ReplicaRegion // where the replica is made
		if k := on[0].key; k.MultiRegion != nil {
			there.made = k.Clone()
			there.made.Region = there.region
		}
		on = append(on, there)
		if len(in.Tags) > 0 {
			there.role = onNewTags
			there.conditions = func(c *policy.Context) { setRequestTags(c, in.Tags) }
			on = append(on, there)
		}
		return on, nil
	},
	conditions: func(in *sdk.ReplicateKeyInput, c *policy.Context) {
		setBypass(c, in.BypassPolicyLockoutSafetyCheck)
	},
	suits: func(in *sdk.ReplicateKeyInput, on []target) error {
		k := on[0].key
		switch {
		case k.MultiRegion == nil:
			return notPrimary(k)
		case arn.Partition(*in.ReplicaRegion) != arn.Partition(k.Region):
			return unsupported("%s is not in the partition of the Region %s.", k.ARN(), *in.ReplicaRegion)
		}
		return nil
	},
	run: func(r *request, in *sdk.ReplicateKeyInput, on []target) (*sdk.ReplicateKeyOutput, error) {
		k := on[0].key
		if !k.Primary() {
			return nil, notPrimary(k)
		}
		replica := &keyrecord.Key{
			Account: k.Account, Region: *in.ReplicaRegion, ID: k.ID,
			Spec: k.Spec, Usage: k.Usage, Origin: k.Origin,
			Local:      keyrecord.Local{Description: aws.ToString(in.Description)},
			Created:    r.now,
			Enabled:    true,
			Transition: r.lasting(types.KeyStateCreating),
		}
		there, err := r.readKey(replica.Account, replica.Region, replica.ID)
		if err != nil {
			return nil, err
		}
		if there != nil {
			return nil, &types.AlreadyExistsException{Message: text("The key %s already exists in the Region %s.", there.ARN(), there.Region)}
		}
		if err := r.countKeys(replica.Account, replica.Region); err != nil {
			return nil, err
		}
		others := slices.DeleteFunc(k.MultiRegion.Copies, func(c keyrecord.Copy) bool {
			return c.Region == replica.Region // one that is gone
		})
		if len(others) >= maxCopies {
			return nil, limitExceeded("The key %s has %d copies, the most that it can have.", k.ARN(), maxCopies)
		}
		k.MultiRegion.Copies = append(others, keyrecord.Copy{Region: replica.Region})
		k.Share(replica)
		if err := setTags(replica, in.Tags); err != nil {
			return nil, err
		}
		if in.Policy != nil {
			if err := r.checkPolicy(replica, *in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
				return nil, err
			}
			replica.Policy = *in.Policy
		}
		if err := r.writeNew(replica); err != nil {
			return nil, err
		}
		r.event.Resources = append(r.event.Resources, replica.ARN())
		m, err := r.metadata(replica)
		if err != nil {
			return nil, err
		}
		// The answer is given while AWS is still at it.
		m.KeyState, m.Enabled, m.CurrentKeyMaterialId = types.KeyStateCreating, false, nil
		return &sdk.ReplicateKeyOutput{
			ReplicaKeyMetadata: m,
			ReplicaPolicy:      aws.String(keyPolicy(replica)),
			ReplicaTags:        tagList(replica),
		}, nil
	},
}

func notPrimary(k *keyrecord.Key) error {
	return unsupported("%s is not a multi-region primary key.", k.ARN())
}

// lasting returns the transition that begins now, nil if the service is set to take no
// time for it.
func (r *request) lasting(s types.KeyState) *keyrecord.Transition {
	if r.service.settling == 0 {
		return nil
	}
	return &keyrecord.Transition{State: string(s), Until: r.now.Add(r.service.settling)}
}

// writeCopies is writeKey, and gives all of k's other copies what they have in common
// with it. A copy that is gone gets it too: to somebody else, whose clock is behind, it
// is not, and what it has would be everybody's again if its deletion were cancelled.
func (r *request) writeCopies(k *keyrecord.Key) error {
	if k.MultiRegion != nil {
		for _, c := range k.MultiRegion.Copies {
			if c.Region == k.Region {
				continue
			}
			other, err := r.service.keys.read(&r.draft, keyPlace{k.Account, c.Region, k.ID})
			if err != nil {
				return err
			}
			if other == nil {
				continue // its record has been deleted
			}
			other = other.Clone()
			k.Share(other)
			if err := r.writeKey(other); err != nil {
				return err
			}
		}
	}
	if err := r.put(keyrecord.MaterialsName(k.Account, k.ID), k.MarshalMaterials); err != nil {
		return err
	}
	return r.writeKey(k)
}

// multiRegion returns what DescribeKey says of a key's copies. Those that are gone are
// left out.
func (r *request) multiRegion(k *keyrecord.Key) *types.MultiRegionConfiguration {
	m := &types.MultiRegionConfiguration{MultiRegionKeyType: types.MultiRegionKeyTypeReplica, ReplicaKeys: []types.MultiRegionKey{}}
	if k.Primary() {
		m.MultiRegionKeyType = types.MultiRegionKeyTypePrimary
	}
	for _, c := range k.MultiRegion.Copies {
		copy := types.MultiRegionKey{Arn: aws.String(keyrecord.KeyARN(c.Region, k.Account, k.ID)), Region: aws.String(c.Region)}
		switch {
		case c.Region == k.MultiRegion.Primary:
			m.PrimaryKey = &copy
		case c.Deletion == nil || r.now.Before(*c.Deletion):
			m.ReplicaKeys = append(m.ReplicaKeys, copy)
		}
	}
	return m
}

var updatePrimaryRegion = &operation[sdk.UpdatePrimaryRegionInput, sdk.UpdatePrimaryRegionOutput]{
	name:   "UpdatePrimaryRegion",
	noBody: true,
	validate: func(c *constraints, in *sdk.UpdatePrimaryRegionInput) {
		c.keyID("keyId", in.KeyId)
		c.region("primaryRegion", in.PrimaryRegion)
	},
	conditions: func(in *sdk.UpdatePrimaryRegionInput, c *policy.Context) {
		c.SetString(policy.KMSPrimaryRegion, *in.PrimaryRegion)
	},
	targets: func(r *request, in *sdk.UpdatePrimaryRegionInput) ([]target, error) {
		on, err := r.oneKey(in.KeyId, keyIDOrARN)
		if err != nil {
			return nil, err
		}
		k := on[0].key
		if !k.Primary() || k.Region == *in.PrimaryRegion {
			return on, nil // refused when the caller has shown that it may know
		}
		replica, err := r.readKey(k.Account, *in.PrimaryRegion, k.ID)
		if err != nil {
			return nil, err
		}
		if replica == nil {
			return on, nil
		}
		t, err := r.targetOf(onReplica, replica)
		return append(on, t), err
	},
	suits: func(_ *sdk.UpdatePrimaryRegionInput, on []target) error {
		if k := on[0].key; k.MultiRegion == nil {
			return notPrimary(k)
		}
		return nil
	},
	run: func(r *request, in *sdk.UpdatePrimaryRegionInput, on []target) (*sdk.UpdatePrimaryRegionOutput, error) {
		k := on[0].key
		switch {
		case !k.Primary():
			return nil, notPrimary(k)
		case *in.PrimaryRegion == k.Region:
			return nil, unsupported("%s is the primary key already.", k.ARN())
		case len(on) == 1:
			return nil, notFound("Key '%s' does not exist", keyrecord.KeyARN(*in.PrimaryRegion, k.Account, k.ID))
		}
		replica := on[1].key
		replica.MultiRegion.Primary = replica.Region
		replica.Transition = r.lasting(types.KeyStateUpdating)
		if err := r.writeCopies(replica); err != nil {
			return nil, err
		}
		k, err := r.readKey(k.Account, k.Region, k.ID)
		if err != nil {
			return nil, err
		}
		k.Transition = r.lasting(types.KeyStateUpdating)
		return &sdk.UpdatePrimaryRegionOutput{}, r.writeKey(k)
	},
}
