package kms_test

import (
	"reflect"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
)

// TestGrantsOnKeysOfEveryUsage gives a user one operation at a time, with and without
// the grant's token in the request.
func TestGrantsOnKeysOfEveryUsage(t *testing.T) {
	t.Parallel()
	eachCaller(t, alice, func(t *testing.T, f *fixture, api kms.API) {
		f.plantKeys(t)
		all := aboutKeys(f)
		for _, granted := range all {
			id, token := grantFor(t, f.api, granted.resource, alice.Principal, nil, types.GrantOperation(nameOf(granted.in)))
			for _, p := range all {
				if p != granted {
					refused(t, api, p.in, "AccessDeniedException", denial(alice, p.action, p.resource, "identity-based"))
					continue
				}
				for _, tokens := range [][]string{{token}, nil} {
					reflect.ValueOf(p.in).Elem().FieldByName("GrantTokens").Set(reflect.ValueOf(tokens))
					succeeds(t, api, p.in)
				}
			}
			succeeds(t, f.api, &sdk.RevokeGrantInput{KeyId: &granted.resource, GrantId: &id})
			reflect.ValueOf(granted.in).Elem().FieldByName("GrantTokens").Set(reflect.ValueOf([]string{token}))
			refused(t, api, granted.in, "InvalidGrantTokenException", badToken)
			reflect.ValueOf(granted.in).Elem().FieldByName("GrantTokens").SetZero()
		}
	})
}

// TestGrantsOnRSAKeys has each side of ReEncrypt be given by a grant of its own.
func TestGrantsOnRSAKeys(t *testing.T) {
	t.Parallel()
	eachCaller(t, alice, func(t *testing.T, f *fixture, api kms.API) {
		key := f.newKey(t, "RSA_2048", forEncryption)
		encrypt := &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionAlgorithm: sha256OAEP}
		blob := do[sdk.EncryptOutput](t, f.api, encrypt).CiphertextBlob
		requests := map[types.GrantOperation]any{
			opEncrypt:       encrypt,
			opDecrypt:       &sdk.DecryptInput{KeyId: &key, CiphertextBlob: blob, EncryptionAlgorithm: sha256OAEP},
			"GetPublicKey":  &sdk.GetPublicKeyInput{KeyId: &key},
			"ReEncryptFrom": &sdk.ReEncryptInput{SourceKeyId: &key, CiphertextBlob: blob, SourceEncryptionAlgorithm: sha256OAEP, DestinationKeyId: &f.arn},
			"ReEncryptTo":   &sdk.ReEncryptInput{CiphertextBlob: f.plant(t, "x", nil), DestinationKeyId: &key, DestinationEncryptionAlgorithm: sha256OAEP},
		}
		grantFor(t, f.api, f.arn, alice.Principal, nil, "ReEncryptFrom", "ReEncryptTo")
		for granted, in := range requests {
			refused(t, api, in, "AccessDeniedException", denial(alice, "kms:"+string(granted), key, "identity-based"))
			id, _ := grantFor(t, f.api, key, alice.Principal, nil, granted)
			for operation, in := range requests {
				_, err := call(t.Context(), api, in)
				if operation == granted {
					require.NoError(t, err)
					continue
				}
				require.Equal(t, "AccessDeniedException", codeOf(err), "%s by a grant of %s", operation, granted)
				require.ErrorContains(t, err, "kms:"+string(operation)+" on resource: "+key)
			}
			succeeds(t, f.api, &sdk.RevokeGrantInput{KeyId: &key, GrantId: &id})
		}
	})
}
