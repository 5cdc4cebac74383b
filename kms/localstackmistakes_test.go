package kms_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/awsjson"
)

func TestMistakesOfLocalStack(t *testing.T) {
	t.Parallel()
	avoided(t, []mistake{
		{"RSA keys encrypt and decrypt as others do, with either hash", rsaWithEitherHash},
		{"data keys have the size that is asked for", dataKeysHaveTheirSize},
		{"nothing is padded, and every pair of a context counts", everyPairCounts},
		{"there are all key states, and all operations keep to them", thereAreAllStates},
		{"metadata and public keys are complete, and their keys enabled", metadataIsComplete},
		{"rotation has its limits, and happens", rotationHasItsLimits},
		{"imports are held to their token, their date and their material", importsAreStrict},
		{"grants are held to all of their parameters", grantsAreHeldToTheirParameters},
		{"policies are validated and evaluated, by their one name", func(t *testing.T, w *world) {
			policiesAreEvaluated(t, w)
			require.Equal(t, "default", *do[sdk.GetKeyPolicyOutput](t, w.root(), &sdk.GetKeyPolicyInput{KeyId: &w.other}).PolicyName)
			refused(t, w.root(), &sdk.GetKeyPolicyInput{KeyId: &w.other, PolicyName: aws.String("other")}, "NotFoundException", "No such policy exists")
		}},
		{"copies of a key know each other and share its material", copiesKnowEachOther},
		{"dry runs are dry, and recipients get no plaintext", dryRunsAreDry},
		{"aliases are dated, paged, and kept to keys of their kind", aliasesAreStrict},
		{"there are all specs, and material ids where AWS has them", func(t *testing.T, w *world) {
			thereAreAllSpecs(t, w)
			answersNameTheAlgorithm(t, w)
			require.Regexp(t, materialIDPattern, *w.describe(t, w.key).CurrentKeyMaterialId)
		}},
	})
}

func rsaWithEitherHash(t *testing.T, w *world) {
	rsaIsRSA(t, w)
	key := w.of(t, "RSA_2048", forEncryption)
	public, err := x509.ParsePKIXPublicKey(do[sdk.GetPublicKeyOutput](t, w.root(), &sdk.GetPublicKeyInput{KeyId: &key}).PublicKey)
	require.NoError(t, err)
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public.(*rsa.PublicKey), []byte("outside"), nil)
	require.NoError(t, err)
	in := &sdk.DecryptInput{KeyId: &key, CiphertextBlob: sealed, EncryptionAlgorithm: sha1OAEP}
	require.Equal(t, "outside", string(do[sdk.DecryptOutput](t, w.root(), in).Plaintext))
	in.EncryptionAlgorithm = sha256OAEP
	refused(t, w.root(), in, "InvalidCiphertextException", "")
}

func dataKeysHaveTheirSize(t *testing.T, w *world) {
	absentMembersFailValidation(t, w)
	for size, in := range map[int]*sdk.GenerateDataKeyInput{
		16: {KeySpec: types.DataKeySpecAes128}, 32: {KeySpec: types.DataKeySpecAes256}, 1: {NumberOfBytes: aws.Int32(1)}, 1024: {NumberOfBytes: aws.Int32(1024)},
	} {
		in.KeyId = &w.key
		out := do[sdk.GenerateDataKeyOutput](t, w.root(), in)
		require.Len(t, out.Plaintext, size)
		require.Equal(t, out.Plaintext, do[sdk.DecryptOutput](t, w.root(), &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob}).Plaintext)
	}
}

func everyPairCounts(t *testing.T, w *world) {
	contextsAreFramed(t, w)
	blob := w.encrypt(t, w.key, map[string]string{"aws-crypto-public-key": "a", "b": "c"})
	for _, wrong := range []map[string]string{{"b": "c"}, {"aws-crypto-public-key": "x", "b": "c"}} {
		refused(t, w.root(), &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: wrong}, "InvalidCiphertextException", "")
	}
	encrypt := func(n int) *sdk.EncryptOutput {
		return do[sdk.EncryptOutput](t, w.root(), &sdk.EncryptInput{KeyId: &w.key, Plaintext: make([]byte, n)})
	}
	overhead := len(encrypt(1).CiphertextBlob) - 1
	for _, n := range []int{2, 15, 16, 17, 4096} {
		out := encrypt(n)
		require.Len(t, out.CiphertextBlob, n+overhead)
		require.Equal(t, symmetric, out.EncryptionAlgorithm)
	}
}

func thereAreAllStates(t *testing.T, w *world) {
	r := newRig(t, w.viaSDK, time.Minute)
	r.create(t, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	replica, there := r.replicate(t, otherRegion), r.in(otherRegion)
	encrypt := &sdk.EncryptInput{KeyId: &r.id, Plaintext: []byte("x")}
	refused(t, there, encrypt, "KMSInvalidStateException", replica+" is creating.")
	r.advance(time.Minute)
	succeeds(t, there, encrypt)
	succeeds(t, r.api, &sdk.UpdatePrimaryRegionInput{KeyId: &r.id, PrimaryRegion: aws.String(otherRegion)})
	require.Equal(t, types.KeyStateUpdating, describe(t, &r.fixture, r.id).KeyState)
	succeeds(t, r.api, encrypt)
	refused(t, r.api, &sdk.DisableKeyInput{KeyId: &r.id}, "KMSInvalidStateException", r.arn+" is updating.")
	r.advance(time.Minute)
	out := do[sdk.ScheduleKeyDeletionOutput](t, there, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id})
	require.Equal(t, types.KeyStatePendingReplicaDeletion, out.KeyState)
	require.Nil(t, out.DeletionDate)
	refused(t, there, encrypt, "KMSInvalidStateException", replica+" is pending replica deletion.")

	external := func(spec types.KeySpec, usage types.KeyUsageType) *string {
		return w.made(t, sdk.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: spec, KeyUsage: usage}).Arn
	}
	plain, signing, authentication := external("", ""), external("ECC_NIST_P256", forSigning), external("HMAC_256", forAuthentication)
	for _, in := range []any{
		&sdk.EncryptInput{KeyId: plain, Plaintext: []byte("x")}, &sdk.GenerateDataKeyInput{KeyId: plain, KeySpec: types.DataKeySpecAes256},
		&sdk.EnableKeyInput{KeyId: plain}, &sdk.DisableKeyInput{KeyId: plain},
		&sdk.CreateGrantInput{KeyId: plain, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt}},
		&sdk.SignInput{KeyId: signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"},
		&sdk.VerifyInput{KeyId: signing, Message: messageOfTests, Signature: []byte("x"), SigningAlgorithm: "ECDSA_SHA_256"},
		&sdk.GenerateMacInput{KeyId: authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"},
		&sdk.VerifyMacInput{KeyId: authentication, Message: messageOfTests, Mac: []byte("x"), MacAlgorithm: "HMAC_SHA_256"},
	} {
		arn := member(in, "KeyId").Interface().(*string)
		refused(t, w.root(), in, "KMSInvalidStateException", *arn+pendingImport)
	}
}

func metadataIsComplete(t *testing.T, w *world) {
	succeeds(t, w.root(), &sdk.ScheduleKeyDeletionInput{KeyId: &w.key})
	require.NotNil(t, w.describe(t, w.key).DeletionDate)
	succeeds(t, w.root(), &sdk.CancelKeyDeletionInput{KeyId: &w.key})
	require.Nil(t, w.describe(t, w.key).DeletionDate)

	m := w.made(t, sdk.CreateKeyInput{KeySpec: "ECC_NIST_P256", KeyUsage: forAgreement})
	ecdh := []types.KeyAgreementAlgorithmSpec{"ECDH"}
	require.Equal(t, ecdh, m.KeyAgreementAlgorithms)
	public := do[sdk.GetPublicKeyOutput](t, w.root(), &sdk.GetPublicKeyInput{KeyId: m.KeyId})
	require.Equal(t, ecdh, public.KeyAgreementAlgorithms)
	require.EqualValues(t, "ECC_NIST_P256", public.CustomerMasterKeySpec) //lint:ignore SA1019 AWS still sends it
	derive := &sdk.DeriveSharedSecretInput{KeyId: m.KeyId, PublicKey: public.PublicKey, KeyAgreementAlgorithm: "ECDH"}
	require.Equal(t, m.Arn, do[sdk.DeriveSharedSecretOutput](t, w.root(), derive).KeyId)
	succeeds(t, w.root(), &sdk.DisableKeyInput{KeyId: m.KeyId})
	refused(t, w.root(), derive, "DisabledException", *m.Arn+" is disabled.")
	refused(t, w.root(), &sdk.GetPublicKeyInput{KeyId: m.KeyId}, "DisabledException", *m.Arn+" is disabled.")
	refused(t, w.root(), &sdk.CreateKeyInput{KeySpec: "ECC_SECG_P256K1", KeyUsage: forAgreement}, "ValidationException",
		"KeyUsage KEY_AGREEMENT is not compatible with KeySpec ECC_SECG_P256K1")
}

func rotationHasItsLimits(t *testing.T, w *world) {
	rotationIsReal(t, w) // 25 times on demand after one by the clock
	for _, days := range []int32{89, 2561} {
		_, err := call(t.Context(), w.root(), &sdk.EnableKeyRotationInput{KeyId: &w.key, RotationPeriodInDays: &days})
		require.Equal(t, "ValidationException", codeOf(err))
	}
	external := *w.made(t, sdk.CreateKeyInput{Origin: types.OriginTypeExternal}).Arn
	text := map[string]string{
		w.of(t, "RSA_2048", forSigning): "", w.of(t, "HMAC_224", forAuthentication): "",
		external: external + " origin is EXTERNAL which is not valid for this operation.",
	}
	for key, text := range text {
		refused(t, w.root(), &sdk.EnableKeyRotationInput{KeyId: &key}, "UnsupportedOperationException", text)
		refused(t, w.root(), &sdk.DisableKeyRotationInput{KeyId: &key}, "UnsupportedOperationException", text)
	}
}

func importsAreStrict(t *testing.T, w *world) {
	tokensAreBound(t, w)
	everySpecCanBeImported(t, w)
	m, material := w.made(t, sdk.CreateKeyInput{Origin: types.OriginTypeExternal}), random(32)
	i := importerFor(t, w.root(), *m.KeyId, types.AlgorithmSpecRsaAesKeyWrapSha1, rsa2048)
	in := i.as(t, asNew, material)
	in.ExpirationModel, in.ValidTo, in.KeyMaterialDescription = types.ExpirationModelTypeKeyMaterialExpires, aws.Time(w.clock().Add(time.Hour)), aws.String("a text")
	id := importID(t, w.root(), in)
	require.Equal(t, "a text", *listRotations(t, w.root(), *m.KeyId, allMaterial)[0].KeyMaterialDescription)
	w.advance(time.Hour)
	require.Equal(t, types.KeyStatePendingImport, w.describe(t, *m.KeyId).KeyState)

	_, err := call(t.Context(), w.root(), i.imported(t, random(32)))
	require.Equal(t, "IncorrectKeyMaterialException", codeOf(err))
	again := i.as(t, asExisting, material)
	again.KeyMaterialId = aws.String(strings.Repeat("0", 64))
	_, err = call(t.Context(), w.root(), again)
	require.Equal(t, "IncorrectKeyMaterialException", codeOf(err))
	again.KeyMaterialId = &id
	succeeds(t, w.root(), again)
	deleted := do[sdk.DeleteImportedKeyMaterialOutput](t, w.root(), &sdk.DeleteImportedKeyMaterialInput{KeyId: m.KeyId})
	require.Equal(t, &sdk.DeleteImportedKeyMaterialOutput{KeyId: m.Arn, KeyMaterialId: &id}, deleted)
	refused(t, w.root(), &sdk.DeleteImportedKeyMaterialInput{KeyId: &w.key}, "UnsupportedOperationException",
		w.key+" origin is AWS_KMS which is not valid for this operation.")

	w.advance(23 * time.Hour)
	_, err = call(t.Context(), w.root(), again)
	require.Equal(t, "ExpiredImportTokenException", codeOf(err))
	again.ImportToken = bytes.Repeat([]byte("x"), 100)
	_, err = call(t.Context(), w.root(), again)
	require.Equal(t, "InvalidImportTokenException", codeOf(err))
}

func grantsAreHeldToTheirParameters(t *testing.T, w *world) {
	grantsAreComplete(t, w)
	named := func(in *sdk.CreateGrantInput) { in.Name = aws.String("another") }
	one, _ := grantFor(t, w.root(), w.key, bob, named, opDecrypt)
	for _, other := range []*sdk.CreateGrantInput{
		{GranteePrincipal: &alice.Principal, Operations: []types.GrantOperation{opDecrypt}}, {GranteePrincipal: &bob, Operations: []types.GrantOperation{opEncrypt}},
		{GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt}, RetiringPrincipal: &bob},
		{
			GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt},
			Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}},
		},
	} {
		named(other)
		other.KeyId = &w.key
		require.NotEqual(t, one, *do[sdk.CreateGrantOutput](t, w.root(), other).GrantId)
	}
	signing := w.of(t, "ECC_NIST_P256", forSigning)
	nine := map[string]string{}
	for _, k := range strings.Split("123456789", "") {
		nine[k] = "x"
	}
	for _, bad := range []*sdk.CreateGrantInput{
		{KeyId: &signing, Operations: []types.GrantOperation{opDecrypt}}, {KeyId: &w.key, Operations: []types.GrantOperation{types.GrantOperationSign}},
		{KeyId: &w.key, Operations: []types.GrantOperation{opDecrypt}, Constraints: &types.GrantConstraints{EncryptionContextEquals: nine}},
	} {
		bad.GranteePrincipal = &bob
		_, err := call(t.Context(), w.root(), bad)
		require.Equal(t, "ValidationException", codeOf(err))
	}
	b, err := awsjson.Append(nil, do[sdk.ListGrantsOutput](t, w.root(), &sdk.ListGrantsInput{KeyId: &w.key}))
	require.NoError(t, err)
	require.NotContains(t, string(b), "KeyArn")
	require.Contains(t, string(b), `"KeyId":"`+w.key+`"`)
}

func copiesKnowEachOther(t *testing.T, w *world) {
	replicasAreTheirOwn(t, w)
	m := w.made(t, sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	for _, r := range []string{otherRegion, tokyo} {
		out := do[sdk.ReplicateKeyOutput](t, w.root(), &sdk.ReplicateKeyInput{KeyId: m.KeyId, ReplicaRegion: &r})
		require.Equal(t, types.KeyStateCreating, out.ReplicaKeyMetadata.KeyState)
	}
	in := &sdk.DescribeKeyInput{KeyId: m.KeyId}
	configuration := func(region string) *types.MultiRegionConfiguration {
		c := do[sdk.DescribeKeyOutput](t, w.in(region), in).KeyMetadata.MultiRegionConfiguration
		require.Equal(t, region == *c.PrimaryKey.Region, c.MultiRegionKeyType == types.MultiRegionKeyTypePrimary)
		c.MultiRegionKeyType = ""
		return c
	}
	require.Equal(t, configuration(region), configuration(otherRegion))
	require.Equal(t, configuration(region), configuration(tokyo))
	succeeds(t, w.root(), &sdk.UpdatePrimaryRegionInput{KeyId: m.KeyId, PrimaryRegion: aws.String(tokyo)})
	require.Equal(t, tokyo, *configuration(region).PrimaryKey.Region)
	require.Equal(t, configuration(region), configuration(otherRegion))

	blob := w.encrypt(t, *m.KeyId, nil)
	succeeds(t, w.in(tokyo), &sdk.RotateKeyOnDemandInput{KeyId: m.KeyId})
	after := do[sdk.EncryptOutput](t, w.in(tokyo), &sdk.EncryptInput{KeyId: m.KeyId, Plaintext: []byte("secret")}).CiphertextBlob
	for _, r := range []string{region, otherRegion, tokyo} {
		old, current := do[sdk.DecryptOutput](t, w.in(r), &sdk.DecryptInput{CiphertextBlob: blob}), do[sdk.DecryptOutput](t, w.in(r), &sdk.DecryptInput{CiphertextBlob: after})
		require.Equal(t, m.CurrentKeyMaterialId, old.KeyMaterialId)
		require.Equal(t, do[sdk.DescribeKeyOutput](t, w.in(r), in).KeyMetadata.CurrentKeyMaterialId, current.KeyMaterialId)
		require.NotEqual(t, old.KeyMaterialId, current.KeyMaterialId)
	}
	out := do[sdk.ScheduleKeyDeletionOutput](t, w.in(tokyo), &sdk.ScheduleKeyDeletionInput{KeyId: m.KeyId})
	require.Equal(t, types.KeyStatePendingReplicaDeletion, out.KeyState)
}

func dryRunsAreDry(t *testing.T, w *world) {
	blob, dry := w.encrypt(t, w.key, nil), aws.Bool(true)
	id, token := grantFor(t, w.root(), w.key, bob, func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &root.Principal }, opDecrypt)
	signing, agreement, peer := w.of(t, "ECC_NIST_P256", forSigning), w.of(t, "ECC_NIST_P256", forAgreement), w.of(t, "ECC_NIST_P256", forAgreement)
	public := do[sdk.GetPublicKeyOutput](t, w.root(), &sdk.GetPublicKeyInput{KeyId: &peer}).PublicKey
	for _, in := range []any{
		&sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), DryRun: dry}, &sdk.DecryptInput{CiphertextBlob: blob, DryRun: dry},
		&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &w.other, DryRun: dry},
		&sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256, DryRun: dry},
		&sdk.SignInput{KeyId: &signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256", DryRun: dry},
		&sdk.DeriveSharedSecretInput{KeyId: &agreement, PublicKey: public, KeyAgreementAlgorithm: "ECDH", DryRun: dry},
		&sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt}, DryRun: dry},
		&sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id, DryRun: dry}, &sdk.RetireGrantInput{GrantToken: &token, DryRun: dry},
	} {
		refused(t, w.root(), in, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	}
	require.Equal(t, []string{id}, listGrants(t, w.root(), &sdk.ListGrantsInput{KeyId: &w.key}))

	to := &types.RecipientInfo{AttestationDocument: []byte("none"), KeyEncryptionAlgorithm: types.KeyEncryptionMechanismRsaesOaepSha256}
	for _, in := range []any{
		&sdk.DecryptInput{CiphertextBlob: blob, Recipient: to}, &sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256, Recipient: to},
		&sdk.GenerateDataKeyPairInput{KeyId: &w.key, KeyPairSpec: types.DataKeyPairSpecEccNistP256, Recipient: to},
		&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(8), Recipient: to},
		&sdk.DeriveSharedSecretInput{KeyId: &agreement, PublicKey: public, KeyAgreementAlgorithm: "ECDH", Recipient: to},
	} {
		out, err := call(t.Context(), w.root(), in)
		require.Equal(t, "ValidationException", codeOf(err))
		require.Nil(t, out)
	}
}

func aliasesAreStrict(t *testing.T, w *world) {
	succeeds(t, w.root(), &sdk.UpdateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &w.other}) // by ARN
	out := do[sdk.ListAliasesOutput](t, w.root(), &sdk.ListAliasesInput{KeyId: &w.other})
	require.Equal(t, idOf(w.other), *out.Aliases[0].TargetKeyId)
	b, err := awsjson.Append(nil, out)
	require.NoError(t, err)
	require.Contains(t, string(b), `"LastUpdatedDate":`)

	one, two := w.of(t, "ECC_NIST_P256", forSigning), w.of(t, "RSA_2048", forEncryption)
	for _, key := range []string{one, two} {
		_, err := call(t.Context(), w.root(), &sdk.UpdateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &key})
		require.Equal(t, "ValidationException", codeOf(err))
	}
	for i := range 51 {
		succeeds(t, w.root(), &sdk.CreateAliasInput{AliasName: aws.String("alias/" + strings.Repeat("x", i+1)), TargetKeyId: []*string{&w.key, &one}[i%2]})
	}
	page := do[sdk.ListAliasesOutput](t, w.root(), &sdk.ListAliasesInput{})
	require.Len(t, page.Aliases, 50)
	require.True(t, page.Truncated)
	refused(t, w.root(), &sdk.SignInput{KeyId: &one, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_384"}, "InvalidKeyUsageException",
		"Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.")
}
