package kms_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/awsjson"
)

func TestMistakesOfMoto(t *testing.T) {
	t.Parallel()
	avoided(t, []mistake{
		{"key states hold for cryptography", statesHoldForCryptography},
		{"answers name the algorithm and the material", answersNameTheAlgorithm},
		{"a digest is not hashed again", digestsAreNotHashedAgain},
		{"Verify throws", falseIsAnException},
		{"a wrong KeyId is an IncorrectKeyException", keyIDIsHeeded},
		{"a wrong usage is an InvalidKeyUsageException with a text", usageHasAText},
		{"contexts are framed, and EXTERNAL keys wait for their material", func(t *testing.T, w *world) {
			contextsAreFramed(t, w)
			m := w.made(t, sdk.CreateKeyInput{Origin: types.OriginTypeExternal})
			require.Equal(t, types.KeyStatePendingImport, m.KeyState)
			require.False(t, m.Enabled)
			require.Nil(t, m.CurrentKeyMaterialId)
			refused(t, w.root(), &sdk.EncryptInput{KeyId: m.KeyId, Plaintext: []byte("x")}, "KMSInvalidStateException", *m.Arn+" is pending import.")
		}},
		{"rotation gives new material, on a schedule that is told", rotationIsReal},
		{"answers have ARNs, and waiting periods are bounded", answersHaveARNs},
		{"grants are enforced, named, dated, and not retired twice", grantsAreComplete},
		{"listings have pages", listingsHavePages},
		{"replicas are keys of their own", replicasAreTheirOwn},
		{"KeyUsage is required, no member is null, and mrk- ids have a form", newKeysAreHeldToTheirForm},
		{"policies are validated and evaluated", policiesAreEvaluated},
		{"there are all specs, dry runs, and grant tokens", thereAreAllSpecs},
	})
}

// cryptography has requests to two keys, the first one for encryption and the second for
// signing, that succeed while they are enabled.
func cryptography(t *testing.T, w *world, key, signing string) map[string][]any {
	t.Helper()
	sign := &sdk.SignInput{KeyId: &signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"}
	signature := do[sdk.SignOutput](t, w.root(), sign).Signature
	return map[string][]any{
		key: {
			&sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")},
			&sdk.DecryptInput{CiphertextBlob: w.encrypt(t, key, nil)},
			&sdk.ReEncryptInput{CiphertextBlob: w.encrypt(t, key, nil), DestinationKeyId: &w.other},
			&sdk.ReEncryptInput{CiphertextBlob: w.encrypt(t, w.other, nil), DestinationKeyId: &key},
			&sdk.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256},
		},
		signing: {sign, &sdk.VerifyInput{KeyId: &signing, Message: messageOfTests, Signature: signature, SigningAlgorithm: "ECDSA_SHA_256"}},
	}
}

func statesHoldForCryptography(t *testing.T, w *world) {
	for key, requests := range cryptography(t, w, w.key, w.of(t, "ECC_NIST_P256", forSigning)) {
		for _, in := range requests {
			succeeds(t, w.root(), in)
		}
		succeeds(t, w.root(), &sdk.DisableKeyInput{KeyId: &key})
		for _, in := range requests {
			refused(t, w.root(), in, "DisabledException", key+" is disabled.")
		}
		succeeds(t, w.root(), &sdk.ScheduleKeyDeletionInput{KeyId: &key})
		for _, in := range requests {
			refused(t, w.root(), in, "KMSInvalidStateException", key+" is pending deletion.")
		}
	}
}

func answersNameTheAlgorithm(t *testing.T, w *world) {
	rsaIsRSA(t, w)
	key, material := w.of(t, "RSA_2048", forEncryption), w.describe(t, w.key).CurrentKeyMaterialId
	require.NotNil(t, material)
	sealed := do[sdk.EncryptOutput](t, w.root(), &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionAlgorithm: sha1OAEP})
	require.Equal(t, sha1OAEP, sealed.EncryptionAlgorithm)
	opened := do[sdk.DecryptOutput](t, w.root(), &sdk.DecryptInput{KeyId: &key, CiphertextBlob: sealed.CiphertextBlob, EncryptionAlgorithm: sha1OAEP})
	require.Equal(t, sha1OAEP, opened.EncryptionAlgorithm)
	require.Nil(t, opened.KeyMaterialId)
	opened = do[sdk.DecryptOutput](t, w.root(), &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.key, nil)})
	require.Equal(t, symmetric, opened.EncryptionAlgorithm)
	require.Equal(t, material, opened.KeyMaterialId)
	require.Equal(t, material, do[sdk.GenerateDataKeyOutput](t, w.root(), &sdk.GenerateDataKeyInput{KeyId: &w.key, NumberOfBytes: aws.Int32(1)}).KeyMaterialId)
}

func digestsAreNotHashedAgain(t *testing.T, w *world) {
	key, digest := w.of(t, "ECC_NIST_P256", forSigning), sha256.Sum256(messageOfTests)
	public, err := x509.ParsePKIXPublicKey(do[sdk.GetPublicKeyOutput](t, w.root(), &sdk.GetPublicKeyInput{KeyId: &key}).PublicKey)
	require.NoError(t, err)
	for _, f := range []form{{typeRaw, messageOfTests}, {typeDigest, digest[:]}} {
		out := do[sdk.SignOutput](t, w.root(), &sdk.SignInput{KeyId: &key, Message: f.message, MessageType: f.kind, SigningAlgorithm: "ECDSA_SHA_256"})
		require.True(t, ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], out.Signature), f.kind)
	}
}

func usageHasAText(t *testing.T, w *world) {
	signing, authentication := w.of(t, "ECC_NIST_P256", forSigning), w.of(t, "HMAC_256", forAuthentication)
	const code = "InvalidKeyUsageException"
	refused(t, w.root(), &sdk.SignInput{KeyId: &authentication, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"}, code,
		authentication+" key usage is GENERATE_VERIFY_MAC which is not valid for Sign.")
	refused(t, w.root(), &sdk.VerifyInput{KeyId: &w.key, Message: messageOfTests, Signature: []byte("x"), SigningAlgorithm: "ECDSA_SHA_256"}, code,
		w.key+" key usage is ENCRYPT_DECRYPT which is not valid for Verify.")
	refused(t, w.root(), &sdk.GenerateMacInput{KeyId: &signing, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"}, code,
		signing+" key usage is SIGN_VERIFY which is not valid for GenerateMac.")
	refused(t, w.root(), &sdk.GenerateMacInput{KeyId: &authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_224"}, code,
		"Algorithm HMAC_SHA_224 is incompatible with key spec HMAC_256.")
}

func rotationIsReal(t *testing.T, w *world) {
	id, first, old := idOf(w.key), *w.describe(t, w.key).CurrentKeyMaterialId, w.encrypt(t, w.key, nil)
	succeeds(t, w.root(), &sdk.EnableKeyRotationInput{KeyId: &id, RotationPeriodInDays: aws.Int32(90)})
	status := do[sdk.GetKeyRotationStatusOutput](t, w.root(), &sdk.GetKeyRotationStatusInput{KeyId: &id})
	require.Equal(t, int32(90), *status.RotationPeriodInDays)
	due := *status.NextRotationDate
	require.Equal(t, w.clock().Add(90*day), due)

	w.advance(91 * day)
	second := *w.describe(t, w.key).CurrentKeyMaterialId
	require.NotEqual(t, first, second)
	require.Equal(t, []types.RotationsListEntry{
		{KeyId: &w.key, KeyMaterialId: &first, KeyMaterialState: types.KeyMaterialStateNonCurrent},
		{KeyId: &w.key, KeyMaterialId: &second, KeyMaterialState: types.KeyMaterialStateCurrent, RotationDate: &due, RotationType: types.RotationTypeAutomatic},
	}, listRotations(t, w.root(), id, allMaterial))
	for blob, material := range map[string]string{string(old): first, string(w.encrypt(t, w.key, nil)): second} {
		require.Equal(t, material, *do[sdk.DecryptOutput](t, w.root(), &sdk.DecryptInput{CiphertextBlob: []byte(blob)}).KeyMaterialId)
	}
	for range 25 {
		succeeds(t, w.root(), &sdk.RotateKeyOnDemandInput{KeyId: &id})
	}
	_, err := call(t.Context(), w.root(), &sdk.RotateKeyOnDemandInput{KeyId: &id})
	require.Equal(t, "LimitExceededException", codeOf(err))
	signing := w.of(t, "ECC_NIST_P256", forSigning)
	refused(t, w.root(), &sdk.EnableKeyRotationInput{KeyId: &signing}, "UnsupportedOperationException", "")
	refused(t, w.root(), &sdk.RotateKeyOnDemandInput{KeyId: &signing}, "UnsupportedOperationException", "")
}

func answersHaveARNs(t *testing.T, w *world) {
	id, signing, authentication := idOf(w.key), w.of(t, "ECC_NIST_P256", forSigning), w.of(t, "HMAC_256", forAuthentication)
	require.Equal(t, w.key, *do[sdk.RotateKeyOnDemandOutput](t, w.root(), &sdk.RotateKeyOnDemandInput{KeyId: &id}).KeyId)
	for _, days := range []int32{1, 6, 31, 365} {
		_, err := call(t.Context(), w.root(), &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: &days})
		require.Equal(t, "ValidationException", codeOf(err))
	}
	scheduled := do[sdk.ScheduleKeyDeletionOutput](t, w.root(), &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)})
	require.Equal(t, w.key, *scheduled.KeyId)
	require.Equal(t, w.clock().Add(7*day), *scheduled.DeletionDate)
	refused(t, w.root(), &sdk.ScheduleKeyDeletionInput{KeyId: &id}, "KMSInvalidStateException", w.key+" is pending deletion.")
	require.Equal(t, w.key, *do[sdk.CancelKeyDeletionOutput](t, w.root(), &sdk.CancelKeyDeletionInput{KeyId: &id}).KeyId)

	public := do[sdk.GetPublicKeyOutput](t, w.root(), &sdk.GetPublicKeyInput{KeyId: aws.String(idOf(signing))})
	require.Equal(t, signing, *public.KeyId)
	require.Equal(t, types.KeySpec("ECC_NIST_P256"), public.KeySpec)
	mac := do[sdk.GenerateMacOutput](t, w.root(), &sdk.GenerateMacInput{KeyId: aws.String(idOf(authentication)), Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"})
	require.Equal(t, authentication, *mac.KeyId)
}

func grantsAreComplete(t *testing.T, w *world) {
	grantsAreEnforced(t, w)
	named := func(in *sdk.CreateGrantInput) { in.Name, in.RetiringPrincipal = aws.String("name"), &root.Principal }
	one, token := grantFor(t, w.root(), w.key, bob, named, opDecrypt)
	same, again := grantFor(t, w.root(), w.key, bob, named, opDecrypt)
	require.Equal(t, one, same)
	require.NotEqual(t, token, again)
	g := do[sdk.ListGrantsOutput](t, w.root(), &sdk.ListGrantsInput{KeyId: aws.String(idOf(w.key))}).Grants
	require.Len(t, g, 1)
	require.Equal(t, w.key, *g[0].KeyId)
	require.Equal(t, w.clock(), *g[0].CreationDate)
	require.Equal(t, root.Principal, *g[0].IssuingAccount)
	succeeds(t, w.root(), &sdk.RetireGrantInput{GrantToken: &token})
	refused(t, w.root(), &sdk.RetireGrantInput{GrantToken: &token}, "InvalidGrantTokenException", badToken)
	refused(t, w.root(), &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &one}, "NotFoundException", "Grant ID "+one+" not found")
}

func listingsHavePages(t *testing.T, w *world) {
	succeeds(t, w.root(), &sdk.CreateAliasInput{AliasName: aws.String("alias/two"), TargetKeyId: &w.key})
	succeeds(t, w.root(), &sdk.TagResourceInput{KeyId: &w.key, Tags: tags("a=1", "b=2")})
	retiring := func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &bob }
	grantFor(t, w.root(), w.key, bob, retiring, opDecrypt)
	grantFor(t, w.root(), w.key, bob, retiring, opDecrypt)
	for range 2 {
		succeeds(t, w.root(), &sdk.RotateKeyOnDemandInput{KeyId: &w.key})
	}
	for _, in := range []any{
		&sdk.ListKeysInput{}, &sdk.ListAliasesInput{KeyId: &w.key}, &sdk.ListGrantsInput{KeyId: &w.key}, &sdk.ListResourceTagsInput{KeyId: &w.key},
		&sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob}, &sdk.ListKeyRotationsInput{KeyId: &w.key},
	} {
		member(in, "Limit").Set(reflect.ValueOf(aws.Int32(1)))
		for page := range 2 {
			out, err := call(t.Context(), w.root(), in)
			require.NoError(t, err)
			marker := member(out, "NextMarker")
			require.Equal(t, page == 0, member(out, "Truncated").Bool(), "%T", in)
			require.Equal(t, page == 1, marker.IsNil(), "%T", in)
			b, err := awsjson.Append(nil, out)
			require.NoError(t, err)
			require.NotContains(t, string(b), "null")
			member(in, "Marker").Set(marker)
		}
	}
}

func replicasAreTheirOwn(t *testing.T, w *world) {
	m, there := w.made(t, sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}), w.in(otherRegion)
	policy := document(statement("Allow", "*", "kms:*"))
	replicate := &sdk.ReplicateKeyInput{KeyId: m.KeyId, ReplicaRegion: aws.String(otherRegion), Policy: &policy}
	out := do[sdk.ReplicateKeyOutput](t, w.root(), replicate)
	require.Equal(t, policy, *out.ReplicaPolicy)
	require.Equal(t, types.KeyStateCreating, out.ReplicaKeyMetadata.KeyState)
	succeeds(t, there, &sdk.DisableKeyInput{KeyId: m.KeyId})
	succeeds(t, there, &sdk.UpdateKeyDescriptionInput{KeyId: m.KeyId, Description: aws.String("of the replica")})
	succeeds(t, there, &sdk.TagResourceInput{KeyId: m.KeyId, Tags: tags("a=1")})
	primary := w.describe(t, *m.KeyId)
	require.True(t, primary.Enabled)
	require.Empty(t, *primary.Description)
	require.Empty(t, listTags(t, w.root(), *m.KeyId))
	_, err := call(t.Context(), w.root(), replicate)
	require.Equal(t, "AlreadyExistsException", codeOf(err))
	_, err = call(t.Context(), w.root(), &sdk.ReplicateKeyInput{KeyId: &w.key, ReplicaRegion: aws.String(otherRegion)})
	require.Equal(t, "UnsupportedOperationException", codeOf(err))
}

func newKeysAreHeldToTheirForm(t *testing.T, w *world) {
	for _, spec := range []types.KeySpec{"RSA_2048", "HMAC_256"} {
		refused(t, w.root(), &sdk.CreateKeyInput{KeySpec: spec}, "ValidationException",
			"You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	}
	b, err := awsjson.Append(nil, w.made(t, sdk.CreateKeyInput{}))
	require.NoError(t, err)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b, &members))
	for name, value := range members {
		require.NotEqual(t, "null", string(value), name)
	}
	odd := "mrk-" + unknownID
	refused(t, w.root(), &sdk.DescribeKeyInput{KeyId: &odd}, "NotFoundException", "Invalid keyId '"+odd+"'")
}

func policiesAreEvaluated(t *testing.T, w *world) {
	w.setPolicy(t, w.key, document(statement("Allow", root.Principal, "kms:*"), statement("Deny", root.Principal, "kms:Encrypt")))
	denied(t, w.root(), root, &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")}, "kms:Encrypt", w.key, explicit(" resource-based policy"))
	succeeds(t, w.root(), &sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256})
	for _, bad := range []string{"{", `{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}`} {
		_, err := call(t.Context(), w.root(), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &bad})
		require.Equal(t, "MalformedPolicyDocumentException", codeOf(err))
	}
	refused(t, w.root(), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: aws.String(document(statement("Allow", bob, "kms:*")))},
		"MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	start := w.clock()
	w.advance(time.Hour)
	succeeds(t, w.root(), &sdk.UpdateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &w.other})
	entry := do[sdk.ListAliasesOutput](t, w.root(), &sdk.ListAliasesInput{KeyId: &w.other}).Aliases[0]
	require.Equal(t, start, *entry.CreationDate)
	require.Equal(t, w.clock(), *entry.LastUpdatedDate)
}

func thereAreAllSpecs(t *testing.T, w *world) {
	for _, k := range kinds {
		if strings.HasPrefix(string(k.spec), "RSA_") {
			continue // made in other tests: they take long
		}
		m := w.made(t, sdk.CreateKeyInput{KeySpec: k.spec, KeyUsage: k.usage})
		require.Equal(t, k.spec, m.KeySpec)
		require.Equal(t, k.usage, m.KeyUsage)
	}
	encrypt := &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), DryRun: aws.Bool(true)}
	refused(t, w.root(), encrypt, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	_, token := grantFor(t, w.root(), w.key, bob, nil, opEncrypt)
	for _, tokens := range [][]string{{token}, slices.Repeat([]string{token}, 10)} {
		succeeds(t, w.as(bobby), &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), GrantTokens: tokens})
	}
	refused(t, w.root(), &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), GrantTokens: []string{token + "x"}}, "InvalidGrantTokenException", badToken)
}

// member returns a member of an input or output.
func member(of any, name string) reflect.Value { return reflect.ValueOf(of).Elem().FieldByName(name) }
