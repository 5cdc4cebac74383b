package kms

import (
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/uuid"
	"github.com/sealring/sealring/policy"
)

// Operations on a key as a whole: CreateKey, DescribeKey, ListKeys and
// UpdateKeyDescription.

var createKey = &operation[sdk.CreateKeyInput, sdk.CreateKeyOutput]{
	name:     "CreateKey",
	validate: validateCreateKey,
	targets: func(r *request, in *sdk.CreateKeyInput) ([]target, error) {
		on := []target{r.accountTarget()}
		if len(in.Tags) > 0 {
			tags := r.accountTarget()
			tags.role = onNewTags
			on = append(on, tags)
		}
		return on, nil
	},
	conditions: func(in *sdk.CreateKeyInput, c *policy.Context) {
		setKeySpec(c, types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt, types.OriginTypeAwsKms, false)
		setRequestTags(c, in.Tags)
		setBypass(c, in.BypassPolicyLockoutSafetyCheck)
	},
	run: func(r *request, in *sdk.CreateKeyInput, _ []target) (*sdk.CreateKeyOutput, error) {
		k := &keyrecord.Key{
			Account:     r.caller.Account,
			Region:      r.caller.Region,
			ID:          uuid.New(),
			Description: aws.ToString(in.Description),
			Created:     r.now,
			Enabled:     true,
		}
		if err := setTags(k, in.Tags); err != nil {
			return nil, err
		}
		material := make([]byte, keyrecord.MaterialLen)
		rand.Read(material)
		k.Materials = []keyrecord.Material{keyrecord.NewMaterial(k.ID, material, r.now)}
		if in.Policy != nil {
			if err := r.checkPolicy(k, *in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
				return nil, err
			}
			k.Policy = *in.Policy
		}
		r.event.Resources = append(r.event.Resources, k.ARN())
		if err := r.writeKey(k); err != nil {
			return nil, err
		}
		return &sdk.CreateKeyOutput{KeyMetadata: metadata(k)}, nil
	},
}

func validateCreateKey(c *constraints, in *sdk.CreateKeyInput) {
	if in.Description != nil {
		c.length("description", *in.Description, 0, 8192)
	}
	oneOf(c, "keySpec", in.KeySpec, types.KeySpec("").Values())
	legacySpec := in.CustomerMasterKeySpec //lint:ignore SA1019 old clients still send it
	oneOf(c, "customerMasterKeySpec", legacySpec, types.CustomerMasterKeySpec("").Values())
	oneOf(c, "keyUsage", in.KeyUsage, types.KeyUsageType("").Values())
	oneOf(c, "origin", in.Origin, types.OriginType("").Values())
	c.tags(in.Tags)

	spec := in.KeySpec
	if spec == "" {
		spec = types.KeySpec(legacySpec)
	}
	symmetric := spec == "" || spec == types.KeySpecSymmetricDefault
	c.reject(in.KeySpec != "" && legacySpec != "",
		validation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."))
	c.reject(!symmetric && in.KeyUsage == "",
		validation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."))
	c.reject(symmetric && in.KeyUsage != "" && in.KeyUsage != types.KeyUsageTypeEncryptDecrypt,
		validation("KeyUsage %s is not compatible with KeySpec SYMMETRIC_DEFAULT", in.KeyUsage))
	c.refuse("KeySpec "+string(spec), !symmetric)
	c.refuse("Origin "+string(in.Origin), in.Origin != "" && in.Origin != types.OriginTypeAwsKms)
	c.refuse("MultiRegion", aws.ToBool(in.MultiRegion))
	if in.Policy != nil {
		c.policy(in.Policy)
	}
	c.refuse("CustomKeyStoreId", in.CustomKeyStoreId != nil)
	c.refuse("XksKeyId", in.XksKeyId != nil)
}

// metadata returns what DescribeKey and CreateKey say of a key. Members that do
// not apply are absent.
func metadata(k *keyrecord.Key) *types.KeyMetadata {
	state := keyState(k)
	return &types.KeyMetadata{
		AWSAccountId:          aws.String(k.Account),
		Arn:                   aws.String(k.ARN()),
		CreationDate:          aws.Time(k.Created),
		CurrentKeyMaterialId:  aws.String(k.Current().ID),
		CustomerMasterKeySpec: types.CustomerMasterKeySpecSymmetricDefault, //lint:ignore SA1019 AWS still sends it
		DeletionDate:          k.Deletion,
		Description:           aws.String(k.Description),
		Enabled:               state == types.KeyStateEnabled,
		EncryptionAlgorithms:  []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecSymmetricDefault},
		KeyId:                 aws.String(k.ID),
		KeyManager:            types.KeyManagerTypeCustomer,
		KeySpec:               types.KeySpecSymmetricDefault,
		KeyState:              state,
		KeyUsage:              types.KeyUsageTypeEncryptDecrypt,
		MultiRegion:           aws.Bool(false),
		Origin:                types.OriginTypeAwsKms,
	}
}

var describeKey = &operation[sdk.DescribeKeyInput, sdk.DescribeKeyOutput]{
	name:     "DescribeKey",
	readOnly: true,
	validate: func(c *constraints, in *sdk.DescribeKeyInput) {
		c.keyID("keyId", in.KeyId)
		c.grantTokens(in.GrantTokens)
	},
	tokens: func(in *sdk.DescribeKeyInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.DescribeKeyInput) ([]target, error) {
		return r.oneKey(in.KeyId, anyForm)
	},
	states: inAnyState,
	run: func(_ *request, _ *sdk.DescribeKeyInput, on []target) (*sdk.DescribeKeyOutput, error) {
		return &sdk.DescribeKeyOutput{KeyMetadata: metadata(on[0].key)}, nil
	},
}

var updateKeyDescription = &operation[sdk.UpdateKeyDescriptionInput, sdk.UpdateKeyDescriptionOutput]{
	name:   "UpdateKeyDescription",
	noBody: true,
	validate: func(c *constraints, in *sdk.UpdateKeyDescriptionInput) {
		c.keyID("keyId", in.KeyId)
		c.text("description", in.Description, 0, 8192)
	},
	targets: func(r *request, in *sdk.UpdateKeyDescriptionInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	states: whenNotPending,
	run: func(r *request, in *sdk.UpdateKeyDescriptionInput, on []target) (*sdk.UpdateKeyDescriptionOutput, error) {
		k := on[0].key
		k.Description = *in.Description
		return &sdk.UpdateKeyDescriptionOutput{}, r.writeKey(k)
	},
}

// ListKeys pages, by key id.
const (
	defaultKeysPage = 100
	maxKeysPage     = 1000
)

var listKeys = &operation[sdk.ListKeysInput, sdk.ListKeysOutput]{
	name:     "ListKeys",
	readOnly: true,
	validate: func(c *constraints, in *sdk.ListKeysInput) { c.page(in.Limit, in.Marker) },
	run: func(r *request, in *sdk.ListKeysInput, _ []target) (*sdk.ListKeysOutput, error) {
		p, err := openPage("ListKeys", in.Limit, in.Marker, defaultKeysPage, maxKeysPage)
		if err != nil {
			return nil, err
		}
		out := &sdk.ListKeysOutput{Keys: []types.KeyListEntry{}}
		prefix := keyrecord.KeyPrefix(r.caller.Account, r.caller.Region)
		for e, err := range r.draft.Scan(prefix, prefix+p.after) {
			if err != nil {
				return nil, err
			}
			k, err := keyrecord.UnmarshalKey(e.Value)
			if err != nil {
				return nil, err
			}
			if gone(k, r.now) {
				continue
			}
			if p.full(len(out.Keys)) {
				last := aws.ToString(out.Keys[len(out.Keys)-1].KeyId)
				out.Truncated, out.NextMarker = true, p.next(last)
				break
			}
			out.Keys = append(out.Keys, types.KeyListEntry{KeyId: aws.String(k.ID), KeyArn: aws.String(k.ARN())})
		}
		return out, nil
	},
}
