package kms_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
)

// need is one of the permissions of an operation.
type need struct{ action, resource string }

// newPrimary makes a multi-Region key with a replica in Frankfurt and returns its ARN.
func (w *world) newPrimary(t *testing.T) string {
	t.Helper()
	key := do[sdk.CreateKeyOutput](t, w.as(root), &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.Arn
	succeeds(t, w.as(root), &sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(frankfurt)})
	return *key
}

// TestEachPermissionIsNeeded takes one permission at a time away from operations that
// need several.
func TestEachPermissionIsNeeded(t *testing.T) {
	t.Parallel()
	app, fresh := aliasARN("alias/app"), aliasARN("alias/fresh")
	for name, row := range map[string]func(t *testing.T, w *world) (any, []need){
		"CreateAlias": func(_ *testing.T, w *world) (any, []need) {
			return &sdk.CreateAliasInput{AliasName: aws.String("alias/fresh"), TargetKeyId: &w.key},
				[]need{{"kms:CreateAlias", fresh}, {"kms:CreateAlias", w.key}}
		},
		"DeleteAlias": func(_ *testing.T, w *world) (any, []need) {
			return &sdk.DeleteAliasInput{AliasName: aws.String("alias/app")}, []need{{"kms:DeleteAlias", app}, {"kms:DeleteAlias", w.key}}
		},
		"UpdateAlias": func(_ *testing.T, w *world) (any, []need) {
			return &sdk.UpdateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &w.other},
				[]need{{"kms:UpdateAlias", app}, {"kms:UpdateAlias", w.key}, {"kms:UpdateAlias", w.other}}
		},
		"ReEncrypt": func(t *testing.T, w *world) (any, []need) {
			return &sdk.ReEncryptInput{CiphertextBlob: w.encrypt(t, w.key, nil), DestinationKeyId: &w.other},
				[]need{{"kms:ReEncryptFrom", w.key}, {"kms:ReEncryptTo", w.other}}
		},
		"ReEncrypt on one key": func(t *testing.T, w *world) (any, []need) {
			return &sdk.ReEncryptInput{CiphertextBlob: w.encrypt(t, w.key, nil), DestinationKeyId: &w.key},
				[]need{{"kms:ReEncryptFrom", w.key}, {"kms:ReEncryptTo", w.key}}
		},
		"ReplicateKey": func(t *testing.T, w *world) (any, []need) {
			key := w.newPrimary(t)
			return &sdk.ReplicateKeyInput{KeyId: &key, ReplicaRegion: aws.String(tokyo)},
				[]need{{"kms:ReplicateKey", key}, {"kms:CreateKey", "*"}}
		},
		"ReplicateKey with tags": func(t *testing.T, w *world) (any, []need) {
			key := w.newPrimary(t)
			return &sdk.ReplicateKeyInput{KeyId: &key, ReplicaRegion: aws.String(tokyo), Tags: tags("a=b")},
				[]need{{"kms:ReplicateKey", key}, {"kms:CreateKey", "*"}, {"kms:TagResource", "*"}}
		},
		"UpdatePrimaryRegion": func(t *testing.T, w *world) (any, []need) {
			key := w.newPrimary(t)
			return &sdk.UpdatePrimaryRegionInput{KeyId: &key, PrimaryRegion: aws.String(frankfurt)},
				[]need{{"kms:UpdatePrimaryRegion", key}, {"kms:UpdatePrimaryRegion", keyrecord.KeyARN(frankfurt, account, idOf(key))}}
		},
		"CreateKey with tags": func(*testing.T, *world) (any, []need) {
			return &sdk.CreateKeyInput{Tags: tags("a=b")}, []need{{"kms:CreateKey", "*"}, {"kms:TagResource", "*"}}
		},
		"CreateKey": func(*testing.T, *world) (any, []need) {
			return &sdk.CreateKeyInput{}, []need{{"kms:CreateKey", "*"}}
		},
		"ListAliases of a key": func(_ *testing.T, w *world) (any, []need) {
			return &sdk.ListAliasesInput{KeyId: &w.key}, []need{{"kms:ListAliases", "*"}}
		},
		"Decrypt": func(t *testing.T, w *world) (any, []need) {
			return &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.key, nil)}, []need{{"kms:Decrypt", w.key}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				in, needed := row(t, w)
				statements := func(of []need) (all []string) {
					for _, n := range of {
						all = append(all, own("Allow", n.action, n.resource))
					}
					return append(all, own("Allow", "s3:*", "*"))
				}
				before := dump(t, w.inner)
				for i, missing := range needed {
					w.attach(alice.Principal, allowing(t, statements(slices.Delete(slices.Clone(needed), i, i+1))...))
					denied(t, w.as(alice), alice, in, missing.action, missing.resource, noPolicy("identity-based policy", missing.action))
				}
				require.Equal(t, before, dump(t, w.inner))
				w.attach(alice.Principal, allowing(t, statements(needed)...))
				succeeds(t, w.as(alice), in)
			})
		})
	}
}

// TestCreateKeyHasNoResource has permissions on keys say nothing of keys to be made.
func TestCreateKeyHasNoResource(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		in := &sdk.CreateKeyInput{}
		w.attach(alice.Principal, allowing(t, own("Allow", "kms:CreateKey", "arn:aws:kms:us-east-1:111122223333:key/*")))
		denied(t, w.as(alice), alice, in, "kms:CreateKey", "*", noPolicy("identity-based policy", "kms:CreateKey"))
		w.attach(alice.Principal, allowing(t, own("Allow", "kms:CreateKey", "arn:aws:kms:us-east-1:111122223333:*")))
		succeeds(t, w.as(alice), in)
	})
}

// TestDecryptIsDecidedOnTheKeyOfTheCiphertext has one who may use another key, and
// names it, get nothing of this one.
func TestDecryptIsDecidedOnTheKeyOfTheCiphertext(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.attach(alice.Principal, allowing(t, own("Allow", "kms:*", w.other)))
		blob := w.encrypt(t, w.key, nil)
		denied(t, w.as(alice), alice, &sdk.DecryptInput{CiphertextBlob: blob}, "kms:Decrypt", w.key, noPolicy("identity-based policy", "kms:Decrypt"))
		denied(t, w.as(alice), alice, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &w.other},
			"kms:ReEncryptFrom", w.key, noPolicy("identity-based policy", "kms:ReEncryptFrom"))
		_, err := call(t.Context(), w.as(alice), &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &w.other})
		require.Equal(t, "IncorrectKeyException", codeOf(err))
		succeeds(t, w.as(alice), &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.other, nil)})
	})
}

// TestSourceIsAskedAboutTheCaller has two callers of one service not get each other's
// policies.
func TestSourceIsAskedAboutTheCaller(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.attach(alice.Principal, allowing(t, own("Allow", "kms:*", "*")))
		succeeds(t, w.as(alice), encryptKey(w))
		for _, c := range []identity.Caller{bobby, svc, carol} {
			_, err := call(t.Context(), w.as(c), encryptKey(w))
			require.Equal(t, "AccessDeniedException", codeOf(err), c)
		}
	})
}
