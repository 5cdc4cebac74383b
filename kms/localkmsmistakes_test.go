package kms_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/kms"
)

func TestMistakesOfLocalKMS(t *testing.T) {
	t.Parallel()
	avoided(t, []mistake{
		{"there are grants, MACs, replicas, dry runs, key agreement, rotation on demand and material ids", thereIsMore},
		{"accounts and Regions are apart", accountsAndRegionsAreApart},
		{"Decrypt says what is wrong with the key", decryptSaysWhatIsWrong},
		{"what is absent is a ValidationException", absentMembersFailValidation},
		{"messages name the key's ARN", messagesNameTheARN},
		{"every spec can be imported, in every wrapping", everySpecCanBeImported},
		{"rotation keeps to its schedule", rotationKeepsItsSchedule},
		{"contexts are framed", contextsAreFramed},
		{"an unknown operation is an error of AWS's kind", unknownOperations},
		{"alias/awsome is nobody's", func(t *testing.T, w *world) {
			for _, name := range []string{"alias/awsome", "alias/aws", "alias/aws-keys"} {
				succeeds(t, w.root(), &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &w.key})
				require.Equal(t, w.key, *w.describe(t, name).Arn)
			}
			refused(t, w.root(), &sdk.CreateAliasInput{AliasName: aws.String("alias/aws/mine"), TargetKeyId: &w.key}, "NotAuthorizedException", "")
		}},
	})
}

func thereIsMore(t *testing.T, w *world) {
	grantFor(t, w.root(), w.key, bob, nil, opDecrypt)
	authentication, agreement := w.of(t, "HMAC_512", forAuthentication), w.of(t, "ECC_NIST_P384", forAgreement)
	require.Len(t, do[sdk.GenerateMacOutput](t, w.root(), &sdk.GenerateMacInput{KeyId: &authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_512"}).Mac, 64)
	peer := do[sdk.GetPublicKeyOutput](t, w.root(), &sdk.GetPublicKeyInput{KeyId: &agreement}).PublicKey
	require.Len(t, do[sdk.DeriveSharedSecretOutput](t, w.root(), &sdk.DeriveSharedSecretInput{KeyId: &agreement, PublicKey: peer, KeyAgreementAlgorithm: "ECDH"}).SharedSecret, 48)
	m := w.made(t, sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	succeeds(t, w.root(), &sdk.ReplicateKeyInput{KeyId: m.KeyId, ReplicaRegion: aws.String(otherRegion)})
	blob := w.encrypt(t, *m.KeyId, nil)
	require.Equal(t, strings.Replace(*m.Arn, region, otherRegion, 1), *do[sdk.DecryptOutput](t, w.in(otherRegion), &sdk.DecryptInput{CiphertextBlob: blob}).KeyId)
	succeeds(t, w.root(), &sdk.RotateKeyOnDemandInput{KeyId: &w.key})
	out := do[sdk.GenerateDataKeyOutput](t, w.root(), &sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256})
	require.Regexp(t, materialIDPattern, *out.KeyMaterialId)
	refused(t, w.root(), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &unknownGrant, DryRun: aws.Bool(true)}, "NotFoundException", "Grant ID "+unknownGrant+" not found")
}

func accountsAndRegionsAreApart(t *testing.T, w *world) {
	elsewhere, id := strings.Replace(w.key, region, otherRegion, 1), idOf(w.key)
	refused(t, w.in(otherRegion), &sdk.DescribeKeyInput{KeyId: &w.key}, "NotFoundException", "Invalid arn "+region)
	refused(t, w.in(otherRegion), &sdk.DescribeKeyInput{KeyId: &id}, "NotFoundException", "Key '"+elsewhere+"' does not exist")
	refused(t, w.root(), &sdk.DescribeKeyInput{KeyId: &elsewhere}, "NotFoundException", "Invalid arn "+otherRegion)
	refused(t, w.as(theirs), &sdk.DescribeKeyInput{KeyId: &id}, "NotFoundException", "Key '"+strings.Replace(w.key, account, otherAccount, 1)+"' does not exist")
	_, err := call(t.Context(), w.as(theirs), &sdk.DescribeKeyInput{KeyId: &w.key})
	require.Equal(t, "AccessDeniedException", codeOf(err))
	for _, api := range []kms.API{w.in(otherRegion), w.as(theirs)} {
		require.Empty(t, do[sdk.ListKeysOutput](t, api, &sdk.ListKeysInput{}).Keys)
	}
}

func decryptSaysWhatIsWrong(t *testing.T, w *world) {
	keyIDIsHeeded(t, w)
	in := &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.key, nil)}
	succeeds(t, w.root(), &sdk.DisableKeyInput{KeyId: &w.key})
	refused(t, w.root(), in, "DisabledException", w.key+" is disabled.")
	succeeds(t, w.root(), &sdk.ScheduleKeyDeletionInput{KeyId: &w.key})
	refused(t, w.root(), in, "KMSInvalidStateException", w.key+" is pending deletion.")
}

func absentMembersFailValidation(t *testing.T, w *world) {
	refused(t, w.service.Client(root), &sdk.EncryptInput{Plaintext: []byte("x")}, "ValidationException", one(null("keyId")))
	refused(t, w.root(), &sdk.DecryptInput{}, "ValidationException", one(null("ciphertextBlob")))
	const size = "Please specify either number of bytes or key spec."
	refused(t, w.root(), &sdk.GenerateDataKeyInput{KeyId: &w.key}, "ValidationException", size)
	refused(t, w.root(), &sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes128, NumberOfBytes: aws.Int32(16)}, "ValidationException", size)
	require.Equal(t, "default", *do[sdk.GetKeyPolicyOutput](t, w.root(), &sdk.GetKeyPolicyInput{KeyId: &w.key}).PolicyName)
	succeeds(t, w.root(), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: aws.String(openPolicy)})
}

func messagesNameTheARN(t *testing.T, w *world) {
	succeeds(t, w.root(), &sdk.DisableKeyInput{KeyId: &w.key})
	for _, id := range []string{idOf(w.key), "alias/app", aliasARN("alias/app")} {
		refused(t, w.root(), &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("x")}, "DisabledException", w.key+" is disabled.")
		refused(t, w.root(), &sdk.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256}, "DisabledException", w.key+" is disabled.")
	}
	id := idOf(w.key)
	succeeds(t, w.root(), &sdk.ScheduleKeyDeletionInput{KeyId: &id})
	for _, in := range []any{
		&sdk.EnableKeyInput{KeyId: &id}, &sdk.DisableKeyInput{KeyId: &id}, &sdk.EnableKeyRotationInput{KeyId: &id},
		&sdk.TagResourceInput{KeyId: &id, Tags: tags("a=1")}, &sdk.ScheduleKeyDeletionInput{KeyId: &id},
	} {
		refused(t, w.root(), in, "KMSInvalidStateException", w.key+" is pending deletion.")
	}
}

// everySpecCanBeImported has a key of each usage. RSA keys for wrapping are made of the
// shortest length: longer ones take long.
func everySpecCanBeImported(t *testing.T, w *world) {
	hybrid1 := types.AlgorithmSpecRsaAesKeyWrapSha1
	for _, row := range []struct {
		spec      types.KeySpec
		usage     types.KeyUsageType
		algorithm types.AlgorithmSpec
	}{
		{"SYMMETRIC_DEFAULT", forEncryption, hybrid1}, {"HMAC_384", forAuthentication, oaep256},
		{"ECC_NIST_P256", forSigning, hybrid256}, {"RSA_2048", forEncryption, hybrid256},
	} {
		m := w.made(t, sdk.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: row.spec, KeyUsage: row.usage})
		i := importerFor(t, w.root(), *m.KeyId, row.algorithm, rsa2048)
		material, other := generated(t, row.spec), newMaterialOf(t, row.spec)
		succeeds(t, w.root(), i.imported(t, material))
		require.Equal(t, types.KeyStateEnabled, w.describe(t, *m.KeyId).KeyState)
		_, err := call(t.Context(), w.root(), i.imported(t, other))
		require.Equal(t, "IncorrectKeyMaterialException", codeOf(err))
	}
	m := w.made(t, sdk.CreateKeyInput{Origin: types.OriginTypeExternal})
	_, err := call(t.Context(), w.root(), &sdk.GetParametersForImportInput{KeyId: m.KeyId, WrappingAlgorithm: types.AlgorithmSpecRsaesPkcs1V15, WrappingKeySpec: rsa2048})
	require.Equal(t, "UnsupportedOperationException", codeOf(err))
}

// rotationKeepsItsSchedule has nobody look at a key for two and a half periods.
func rotationKeepsItsSchedule(t *testing.T, w *world) {
	succeeds(t, w.root(), &sdk.EnableKeyRotationInput{KeyId: &w.key, RotationPeriodInDays: aws.Int32(100)})
	start := w.clock()
	w.advance(250 * day)
	var dates []time.Time
	for _, r := range listRotations(t, w.root(), w.key, "") {
		dates = append(dates, *r.RotationDate)
	}
	require.Equal(t, []time.Time{start.Add(100 * day), start.Add(200 * day)}, dates)
	require.Equal(t, &sdk.GetKeyRotationStatusOutput{
		KeyId: &w.key, KeyRotationEnabled: true, RotationPeriodInDays: aws.Int32(100), NextRotationDate: aws.Time(start.Add(300 * day)),
	}, do[sdk.GetKeyRotationStatusOutput](t, w.root(), &sdk.GetKeyRotationStatusInput{KeyId: &w.key}))
}

func unknownOperations(t *testing.T, w *world) {
	handler, err := endpoint.New(endpoint.Config{KMS: w.service, InsecureAnySignature: true})
	require.NoError(t, err)
	for _, target := range []string{"TrentService.Unknown", "Encrypt", ""} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", strings.NewReader("{}"))
		r.RemoteAddr = "127.0.0.1:1024"
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", target)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		require.Equal(t, http.StatusBadRequest, answer.Code)
		require.JSONEq(t, `{"__type":"UnknownOperationException"}`, answer.Body.String())
		require.Regexp(t, uuidPattern, answer.Header().Get("X-Amzn-Requestid"))
	}
}
