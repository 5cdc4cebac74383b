package kms_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/kms"
)

// TestGrantsSuitTheirKey asks for every operation on a key of every spec and usage.
func TestGrantsSuitTheirKey(t *testing.T) {
	t.Parallel()
	encrypting := []types.GrantOperation{"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"}
	permitted := map[string][]types.GrantOperation{
		"SIGN_VERIFY":             {"Sign", "Verify"},
		"GENERATE_VERIFY_MAC":     {"GenerateMac", "VerifyMac"},
		"KEY_AGREEMENT":           {"DeriveSharedSecret"},
		"ENCAPSULATE_DECAPSULATE": {"Encapsulate", "Decapsulate"},
		"ENCRYPT_DECRYPT":         encrypting,
	}
	eachWorld(t, func(t *testing.T, w *world) {
		for _, spec := range keyspec.All() {
			for _, usage := range spec.Usages() {
				rewrite(t, w.sealed, w.key, func(k *keyrecord.Key) { k.Spec, k.Usage = spec.Name(), usage })
				want := append([]types.GrantOperation{"CreateGrant", "RetireGrant", "DescribeKey"}, permitted[usage]...)
				switch {
				case spec.Symmetric():
					want = append(want, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
				case !spec.HMAC():
					want = append(want, "GetPublicKey")
				}
				for _, o := range types.GrantOperation("").Values() {
					in := &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{o}, DryRun: aws.Bool(true)}
					if slices.Contains(want, o) {
						refused(t, w.as(root), in, "DryRunOperationException", wouldHave)
						continue
					}
					refused(t, w.as(root), in, "ValidationException",
						"The grant operation "+string(o)+" is not valid for a key with key spec "+spec.Name()+" and key usage "+usage+".")
				}
			}
		}
	})
}

// TestGrantsOnEveryKindOfKey has a user and a service do what they were granted, on keys
// of every usage.
func TestGrantsOnEveryKindOfKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		f.plantKeys(t)
		as := func(c identity.Caller) kms.API {
			if f.viaSDK {
				return f.Service().SDK(c)
			}
			return f.Client(c)
		}
		s3, elsewhere := serviceCaller(t, s3Name, bucket), serviceCaller(t, s3Name, others)
		for _, p := range aboutKeys(f) {
			operation := types.GrantOperation(nameOf(p.in))
			denied(t, as(alice), alice, p.in, p.action, p.resource, noPolicy("identity-based policy", p.action))
			id, _ := grantFor(t, f.api, p.resource, alice.Principal, nil, operation)
			succeeds(t, as(alice), p.in)
			succeeds(t, f.api, &sdk.RevokeGrantInput{KeyId: &p.resource, GrantId: &id})
			denied(t, as(alice), alice, p.in, p.action, p.resource, noPolicy("identity-based policy", p.action))
			grantFor(t, f.api, p.resource, "", forBucket, operation)
			succeeds(t, as(s3), p.in)
			denied(t, as(elsewhere), elsewhere, p.in, p.action, p.resource, deniedToService(p.action))
		}
	})
}

// TestGrantConstraintsSuitTheirKey: only symmetric encryption keys have an encryption
// context; every key has sources.
func TestGrantConstraintsSuitTheirKey(t *testing.T) {
	t.Parallel()
	pair := map[string]string{"a": "b"}
	eachWorld(t, func(t *testing.T, w *world) {
		for _, spec := range keyspec.All() {
			rewrite(t, w.sealed, w.key, func(k *keyrecord.Key) { k.Spec, k.Usage = spec.Name(), spec.Usages()[0] })
			for _, c := range []types.GrantConstraints{{EncryptionContextEquals: pair}, {EncryptionContextSubset: pair}, {SourceArn: aws.String(bucket)}} {
				in := &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDescribe}, Constraints: &c, DryRun: aws.Bool(true)}
				if c.SourceArn != nil || spec.Symmetric() {
					refused(t, w.as(root), in, "DryRunOperationException", wouldHave)
					continue
				}
				refused(t, w.as(root), in, "ValidationException", "An encryption context constraint is not valid for a key with key spec "+spec.Name()+".")
			}
		}
		require.Empty(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key}))
	})
}
