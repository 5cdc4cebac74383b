package kms_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms/kmstest"
)

// answer is what the table of key states says: a key's ARN is to be put in front.
type answer struct{ code, message string }

var (
	yes        = answer{}
	disabled   = answer{"DisabledException", " is disabled."}
	pending    = answer{"KMSInvalidStateException", " is pending deletion."}
	notPending = answer{"KMSInvalidStateException", " is not pending deletion."}
	pendingToo = answer{"KMSInvalidStateException", " is pending replica deletion."}
	madeByKMS  = answer{"UnsupportedOperationException", " origin is AWS_KMS which is not valid for this operation."}
	oneRegion  = answer{"UnsupportedOperationException", " is not a multi-region primary key."}
)

// stateRow is a row of the table "Key states of AWS KMS keys" in the Developer
// Guide. A key that is gone is answered as if it had never been: with notFound, the
// alias's text, that of an unseen ciphertext's key, or, if the operation does not
// look at the key, not at all.
type stateRow struct {
	in                       func(f *stateFixture) any
	enabled, disabled, going answer
	gone                     goneAnswer
}

type goneAnswer int

const (
	noSuchKey goneAnswer = iota
	noSuchAlias
	noSuchSource
	noSuchToken
	allTheSame
)

// stateFixture has a key in some state, its alias and a ciphertext of it, and
// another key in good order.
type stateFixture struct {
	*fixture
	blob, otherBlob []byte
	other           string
	token           string // of a grant
}

const stateAlias = "alias/app"

var stateTable = map[string]stateRow{
	"CancelKeyDeletion": {
		func(f *stateFixture) any { return &sdk.CancelKeyDeletionInput{KeyId: &f.id} },
		notPending, notPending, yes, noSuchKey,
	},
	"CreateAlias": {
		func(f *stateFixture) any {
			return &sdk.CreateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: &f.id}
		},
		yes, yes, pending, noSuchKey,
	},
	"CreateGrant": {
		func(f *stateFixture) any {
			return &sdk.CreateGrantInput{KeyId: &f.id, GranteePrincipal: &bob, Operations: []types.GrantOperation{types.GrantOperationDecrypt}}
		},
		yes, disabled, pending, noSuchKey,
	},
	"CreateKey": {
		func(*stateFixture) any { return &sdk.CreateKeyInput{} },
		yes, yes, yes, allTheSame,
	},
	"Decrypt": {
		func(f *stateFixture) any { return &sdk.DecryptInput{CiphertextBlob: f.blob} },
		yes, disabled, pending, noSuchSource,
	},
	"Decrypt with the key named": {
		func(f *stateFixture) any { return &sdk.DecryptInput{CiphertextBlob: f.blob, KeyId: &f.id} },
		yes, disabled, pending, noSuchKey,
	},
	"DeleteAlias": {
		func(*stateFixture) any { return &sdk.DeleteAliasInput{AliasName: aws.String(stateAlias)} },
		yes, yes, yes, noSuchAlias,
	},
	"DeleteImportedKeyMaterial of material of AWS KMS": {
		func(f *stateFixture) any { return &sdk.DeleteImportedKeyMaterialInput{KeyId: &f.id} },
		madeByKMS, madeByKMS, madeByKMS, noSuchKey,
	},
	"GetParametersForImport of material of AWS KMS": {
		func(f *stateFixture) any {
			return &sdk.GetParametersForImportInput{KeyId: &f.id, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048}
		},
		madeByKMS, madeByKMS, madeByKMS, noSuchKey,
	},
	"ImportKeyMaterial of material of AWS KMS": {
		func(f *stateFixture) any {
			return &sdk.ImportKeyMaterialInput{KeyId: &f.id, ImportToken: []byte("x"), EncryptedKeyMaterial: []byte("x"), ExpirationModel: noExpiry}
		},
		madeByKMS, madeByKMS, madeByKMS, noSuchKey,
	},
	"DeleteImportedKeyMaterial": {
		func(f *stateFixture) any { return &sdk.DeleteImportedKeyMaterialInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"GetParametersForImport": {
		func(f *stateFixture) any {
			return &sdk.GetParametersForImportInput{KeyId: &f.id, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048}
		},
		yes, yes, pending, noSuchKey,
	},
	"ImportKeyMaterial": {
		func(f *stateFixture) any {
			if f.importing == nil {
				return &sdk.ImportKeyMaterialInput{}
			}
			return f.importing
		},
		yes, yes, pending, noSuchKey,
	},
	"ReplicateKey": {
		func(f *stateFixture) any {
			return &sdk.ReplicateKeyInput{KeyId: &f.id, ReplicaRegion: aws.String(tokyo)}
		},
		yes, disabled, pendingToo, noSuchKey,
	},
	"ReplicateKey of a key of one Region": {
		func(f *stateFixture) any {
			return &sdk.ReplicateKeyInput{KeyId: &f.id, ReplicaRegion: aws.String(tokyo)}
		},
		oneRegion, oneRegion, oneRegion, noSuchKey,
	},
	"UpdatePrimaryRegion": {
		func(f *stateFixture) any {
			return &sdk.UpdatePrimaryRegionInput{KeyId: &f.id, PrimaryRegion: aws.String(frankfurt)}
		},
		yes, disabled, pendingToo, noSuchKey,
	},
	"UpdatePrimaryRegion of a key of one Region": {
		func(f *stateFixture) any {
			return &sdk.UpdatePrimaryRegionInput{KeyId: &f.id, PrimaryRegion: aws.String(frankfurt)}
		},
		oneRegion, oneRegion, oneRegion, noSuchKey,
	},
	"ConnectCustomKeyStore": {
		func(f *stateFixture) any { return &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: f.store()} },
		yes, yes, yes, allTheSame,
	},
	"CreateCustomKeyStore": {
		func(*stateFixture) any { return hsmStore("another", clusterID) },
		yes, yes, yes, allTheSame,
	},
	"DeleteCustomKeyStore": {
		func(f *stateFixture) any { return &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: f.store()} },
		yes, yes, yes, allTheSame,
	},
	"DescribeCustomKeyStores": {
		func(*stateFixture) any { return &sdk.DescribeCustomKeyStoresInput{} },
		yes, yes, yes, allTheSame,
	},
	"DisconnectCustomKeyStore": {
		func(f *stateFixture) any {
			return &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &f.connectedStore}
		},
		yes, yes, yes, allTheSame,
	},
	"UpdateCustomKeyStore": {
		func(f *stateFixture) any {
			return &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: f.store(), NewCustomKeyStoreName: aws.String("renamed")}
		},
		yes, yes, yes, allTheSame,
	},
	"DisableKeyRotation": {
		func(f *stateFixture) any { return &sdk.DisableKeyRotationInput{KeyId: &f.id} },
		yes, disabled, pending, noSuchKey,
	},
	"EnableKeyRotation": {
		func(f *stateFixture) any { return &sdk.EnableKeyRotationInput{KeyId: &f.id} },
		yes, disabled, pending, noSuchKey,
	},
	"GetKeyRotationStatus": {
		func(f *stateFixture) any { return &sdk.GetKeyRotationStatusInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"ListKeyRotations": {
		func(f *stateFixture) any { return &sdk.ListKeyRotationsInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"RotateKeyOnDemand": {
		func(f *stateFixture) any { return &sdk.RotateKeyOnDemandInput{KeyId: &f.id} },
		yes, disabled, pending, noSuchKey,
	},
	"DescribeKey": {
		func(f *stateFixture) any { return &sdk.DescribeKeyInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"DescribeKey by alias": {
		func(*stateFixture) any { return &sdk.DescribeKeyInput{KeyId: aws.String(stateAlias)} },
		yes, yes, yes, noSuchAlias,
	},
	"DisableKey": {
		func(f *stateFixture) any { return &sdk.DisableKeyInput{KeyId: &f.id} },
		yes, yes, pending, noSuchKey,
	},
	"EnableKey": {
		func(f *stateFixture) any { return &sdk.EnableKeyInput{KeyId: &f.id} },
		yes, yes, pending, noSuchKey,
	},
	"Encrypt": {
		func(f *stateFixture) any { return &sdk.EncryptInput{KeyId: &f.id, Plaintext: []byte("x")} },
		yes, disabled, pending, noSuchKey,
	},
	"Encrypt by alias": {
		func(*stateFixture) any {
			return &sdk.EncryptInput{KeyId: aws.String(stateAlias), Plaintext: []byte("x")}
		},
		yes, disabled, pending, noSuchAlias,
	},
	"GenerateDataKey": {
		func(f *stateFixture) any {
			return &sdk.GenerateDataKeyInput{KeyId: &f.id, KeySpec: types.DataKeySpecAes256}
		},
		yes, disabled, pending, noSuchKey,
	},
	"GenerateDataKeyWithoutPlaintext": {
		func(f *stateFixture) any {
			return &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &f.id, KeySpec: types.DataKeySpecAes256}
		},
		yes, disabled, pending, noSuchKey,
	},
	"GenerateDataKeyPair": {
		func(f *stateFixture) any {
			return &sdk.GenerateDataKeyPairInput{KeyId: &f.id, KeyPairSpec: types.DataKeyPairSpecEccNistP256}
		},
		yes, disabled, pending, noSuchKey,
	},
	"GenerateDataKeyPairWithoutPlaintext": {
		func(f *stateFixture) any {
			return &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &f.id, KeyPairSpec: types.DataKeyPairSpecEccNistP256}
		},
		yes, disabled, pending, noSuchKey,
	},
	"GenerateRandom": {
		func(*stateFixture) any { return &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(8)} },
		yes, yes, yes, allTheSame,
	},
	"GetKeyLastUsage": {
		func(f *stateFixture) any { return &sdk.GetKeyLastUsageInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"GetKeyPolicy": {
		func(f *stateFixture) any { return &sdk.GetKeyPolicyInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"PutKeyPolicy": {
		func(f *stateFixture) any { return &sdk.PutKeyPolicyInput{KeyId: &f.id, Policy: aws.String(openPolicy)} },
		yes, yes, yes, noSuchKey,
	},
	"ListKeyPolicies": {
		func(f *stateFixture) any { return &sdk.ListKeyPoliciesInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"ListGrants": {
		func(f *stateFixture) any { return &sdk.ListGrantsInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"ListRetirableGrants": {
		func(*stateFixture) any { return &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob} },
		yes, yes, yes, allTheSame,
	},
	"RetireGrant": {
		func(f *stateFixture) any { return &sdk.RetireGrantInput{KeyId: &f.id, GrantId: f.grant(0)} },
		yes, yes, yes, noSuchKey,
	},
	"RetireGrant by token": {
		func(f *stateFixture) any { return &sdk.RetireGrantInput{GrantToken: &f.token} },
		yes, yes, yes, noSuchToken,
	},
	"RevokeGrant": {
		func(f *stateFixture) any { return &sdk.RevokeGrantInput{KeyId: &f.id, GrantId: f.grant(1)} },
		yes, yes, yes, noSuchKey,
	},
	"ListAliases": {
		func(*stateFixture) any { return &sdk.ListAliasesInput{} },
		yes, yes, yes, allTheSame,
	},
	"ListAliases of the key": {
		func(f *stateFixture) any { return &sdk.ListAliasesInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"ListKeys": {
		func(*stateFixture) any { return &sdk.ListKeysInput{} },
		yes, yes, yes, allTheSame,
	},
	"ListResourceTags": {
		func(f *stateFixture) any { return &sdk.ListResourceTagsInput{KeyId: &f.id} },
		yes, yes, yes, noSuchKey,
	},
	"ReEncrypt from": {
		func(f *stateFixture) any {
			return &sdk.ReEncryptInput{CiphertextBlob: f.blob, DestinationKeyId: &f.other}
		},
		yes, disabled, pending, noSuchSource,
	},
	"ReEncrypt from, named": {
		func(f *stateFixture) any {
			return &sdk.ReEncryptInput{CiphertextBlob: f.blob, SourceKeyId: &f.arn, DestinationKeyId: &f.other}
		},
		yes, disabled, pending, noSuchKey,
	},
	"ReEncrypt to": {
		func(f *stateFixture) any {
			return &sdk.ReEncryptInput{CiphertextBlob: f.otherBlob, DestinationKeyId: &f.id}
		},
		yes, disabled, pending, noSuchKey,
	},
	"ScheduleKeyDeletion": {
		func(f *stateFixture) any { return &sdk.ScheduleKeyDeletionInput{KeyId: &f.id} },
		yes, yes, pending, noSuchKey,
	},
	"TagResource": {
		func(f *stateFixture) any { return &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("a=b")} },
		yes, yes, pending, noSuchKey,
	},
	"UntagResource": {
		func(f *stateFixture) any { return &sdk.UntagResourceInput{KeyId: &f.id, TagKeys: []string{"a"}} },
		yes, yes, pending, noSuchKey,
	},
	"UpdateAlias to": {
		func(f *stateFixture) any {
			return &sdk.UpdateAliasInput{AliasName: aws.String("alias/other"), TargetKeyId: &f.id}
		},
		yes, yes, pending, noSuchKey,
	},
	"UpdateAlias from": {
		func(f *stateFixture) any {
			return &sdk.UpdateAliasInput{AliasName: aws.String(stateAlias), TargetKeyId: &f.other}
		},
		yes, yes, yes, noSuchAlias,
	},
	"UpdateKeyDescription": {
		func(f *stateFixture) any {
			return &sdk.UpdateKeyDescriptionInput{KeyId: &f.id, Description: aws.String("")}
		},
		yes, yes, pending, noSuchKey,
	},
}

// stateKeys is how the key of a row is made that is not a key of one Region and of
// material of AWS KMS's own, and what a request needs that is about none.
var stateKeys = map[string]func(t *testing.T, f *stateFixture) (arn string){
	"ConnectCustomKeyStore":     beside,
	"DeleteCustomKeyStore":      beside,
	"DescribeCustomKeyStores":   beside,
	"DisconnectCustomKeyStore":  beside,
	"UpdateCustomKeyStore":      beside,
	"DeleteImportedKeyMaterial": imported,
	"GetParametersForImport":    imported,
	"ImportKeyMaterial":         imported,
	"ReplicateKey":              copied,
	"UpdatePrimaryRegion":       copied,
}

// beside is the fixture's key, with key stores beside it.
func beside(t *testing.T, f *stateFixture) string {
	f.plantKeyStores(t)
	return f.arn
}

// imported is a key whose material has been imported.
func imported(t *testing.T, f *stateFixture) string {
	f.plantImport(t)
	succeeds(t, f.api, f.importing)
	return f.external
}

// copied is a primary key with a replica.
func copied(t *testing.T, f *stateFixture) string {
	f.plantCopies(t)
	return f.copies
}

// newStateFixture returns a fixture for a row of the table, whose key is in the state.
func newStateFixture(t *testing.T, row string, viaSDK bool, state types.KeyState) *stateFixture {
	t.Helper()
	f := &stateFixture{fixture: newFixture(t, viaSDK)}
	f.blob = f.plant(t, "secret", nil)
	f.other = f.Seed(kmstest.Key{Alias: "alias/other"})
	f.otherBlob = do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &f.other, Plaintext: []byte("x")}).CiphertextBlob
	f.plantGrants(t)
	f.token = *do[sdk.CreateGrantOutput](t, f.api, &sdk.CreateGrantInput{
		KeyId: &f.id, GranteePrincipal: &bob, Operations: []types.GrantOperation{types.GrantOperationDecrypt},
	}).GrantToken
	if plant := stateKeys[row]; plant != nil {
		f.arn = plant(t, f)
		f.id = idOf(f.arn)
	}
	f.bring(t, state)
	return f
}

// bring brings the key into the state.
func (f *stateFixture) bring(t *testing.T, state types.KeyState) {
	t.Helper()
	days := aws.Int32(7)
	switch state {
	case types.KeyStateEnabled:
	case types.KeyStateDisabled:
		succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.id})
	case types.KeyStatePendingDeletion:
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id, PendingWindowInDays: days})
	case gone:
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id, PendingWindowInDays: days})
		if f.copies != "" { // for which the primary waits
			succeeds(t, f.Client(identity.Root(account, frankfurt)), &sdk.ScheduleKeyDeletionInput{KeyId: &f.id, PendingWindowInDays: days})
			f.Advance(7 * day)
		}
		f.Advance(7 * day)
	}
}

const gone = types.KeyState("gone")

// want is the row's answer to a key in the state, with its text complete.
func (row stateRow) want(f *stateFixture, state types.KeyState) answer {
	a := map[types.KeyState]answer{
		types.KeyStateEnabled: row.enabled, types.KeyStateDisabled: row.disabled, types.KeyStatePendingDeletion: row.going,
	}[state]
	if a.code != "" {
		return answer{a.code, f.arn + a.message}
	}
	if state != gone {
		return yes
	}
	return map[goneAnswer]answer{
		noSuchKey:    {"NotFoundException", "Key '" + f.arn + "' does not exist"},
		noSuchAlias:  {"NotFoundException", "Alias " + aliasARN(stateAlias) + " is not found."},
		noSuchSource: {"AccessDeniedException", unseenKey},
		noSuchToken:  {"InvalidGrantTokenException", badToken},
		allTheSame:   yes,
	}[row.gone]
}

func TestStates(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for name, row := range keyStateTable { // which has a test of its own
		operation, _, _ := strings.Cut(name, " ")
		covered[operation] = row.in != nil
	}
	for name, row := range stateTable {
		covered[nameOf(row.in(&stateFixture{fixture: &fixture{}}))] = true
		for _, viaSDK := range []bool{false, true} {
			t.Run(name+map[bool]string{false: "/Client", true: "/SDK"}[viaSDK], func(t *testing.T) {
				t.Parallel()
				for _, state := range []types.KeyState{types.KeyStateEnabled, types.KeyStateDisabled, types.KeyStatePendingDeletion, gone} {
					f := newStateFixture(t, name, viaSDK, state)
					before := dump(t, f.inner)
					want := row.want(f, state)
					if want == yes {
						succeeds(t, f.api, row.in(f))
						continue
					}
					refused(t, f.api, row.in(f), want.code, want.message)
					if after := dump(t, f.inner); len(after) != len(before) {
						t.Fatalf("%s refuses a key in state %s and changes the store", name, state)
					}
				}
			})
		}
	}
	requireEveryOperation(t, covered)
}
