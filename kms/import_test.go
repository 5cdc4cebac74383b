package kms_test

//lint:file-ignore SA1019 The deprecated member is part of the API and is answered.

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/kms/kmstest"
)

const (
	noValidTo     = "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"
	pendingImport = " is pending import."
)

// TestImportedSymmetricKey is the recorded life of one, to the last member.
func TestImportedSymmetricKey(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		want := types.KeyMetadata{
			AWSAccountId: aws.String(account), Arn: &r.arn, CreationDate: aws.Time(kmstest.Start), CustomerMasterKeySpec: "SYMMETRIC_DEFAULT",
			Description: aws.String(""), EncryptionAlgorithms: []types.EncryptionAlgorithmSpec{"SYMMETRIC_DEFAULT"}, KeyId: &r.id,
			KeyManager: types.KeyManagerTypeCustomer, KeySpec: "SYMMETRIC_DEFAULT", KeyState: types.KeyStatePendingImport,
			KeyUsage: types.KeyUsageTypeEncryptDecrypt, MultiRegion: aws.Bool(false), Origin: types.OriginTypeExternal,
		}
		require.Equal(t, &want, describe(t, &r.fixture, r.id))
		encrypt := &sdk.EncryptInput{KeyId: &r.id, Plaintext: []byte("secret")}
		refused(t, r.api, encrypt, "KMSInvalidStateException", r.arn+pendingImport)

		parameters := do[sdk.GetParametersForImportOutput](t, r.api, &sdk.GetParametersForImportInput{
			KeyId: &r.id, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048,
		})
		require.Equal(t, &sdk.GetParametersForImportOutput{
			KeyId: &r.arn, ParametersValidTo: aws.Time(kmstest.Start.Add(day)), ImportToken: parameters.ImportToken, PublicKey: parameters.PublicKey,
		}, parameters)
		_, err := x509.ParsePKIXPublicKey(parameters.PublicKey)
		require.NoError(t, err)

		material := random(32)
		in := r.importer(t).imported(t, material)
		in.ExpirationModel = ""
		refused(t, r.api, in, "ValidationException", noValidTo)
		in.ValidTo = aws.Time(kmstest.Start.Add(30*day + 1500*time.Microsecond))
		id := keyrecord.MaterialID(r.id, material)
		require.Equal(t, &sdk.ImportKeyMaterialOutput{KeyId: &r.arn, KeyMaterialId: &id}, do[sdk.ImportKeyMaterialOutput](t, r.api, in))

		want.KeyState, want.Enabled, want.CurrentKeyMaterialId = types.KeyStateEnabled, true, &id
		want.ExpirationModel, want.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, aws.Time(kmstest.Start.Add(30*day+time.Millisecond))
		require.Equal(t, &want, describe(t, &r.fixture, r.id))
		blob := r.encrypted(t, region)
		r.requireOpens(t, region, blob, id)

		for range 2 { // the second time changes nothing
			require.Equal(t, &sdk.DeleteImportedKeyMaterialOutput{KeyId: &r.arn, KeyMaterialId: &id},
				do[sdk.DeleteImportedKeyMaterialOutput](t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id}))
			want.KeyState, want.Enabled, want.ExpirationModel, want.ValidTo = types.KeyStatePendingImport, false, "", nil
			require.Equal(t, &want, describe(t, &r.fixture, r.id))
			require.Empty(t, r.record(t, region).Materials[0].Bytes)
		}
		refused(t, r.api, encrypt, "KMSInvalidStateException", r.arn+pendingImport)
		refused(t, r.api, &sdk.DecryptInput{CiphertextBlob: blob}, "KMSInvalidStateException", r.arn+pendingImport)

		require.Equal(t, id, importID(t, r.api, r.importer(t).imported(t, material)))
		want.KeyState, want.Enabled, want.ExpirationModel = types.KeyStateEnabled, true, noExpiry
		require.Equal(t, &want, describe(t, &r.fixture, r.id))
		r.requireOpens(t, region, blob, id)
	})
}

func TestWrappingAlgorithms(t *testing.T) {
	t.Parallel()
	rows := []struct {
		algorithm types.AlgorithmSpec
		spec      types.WrappingKeySpec
		size      int
	}{
		{types.AlgorithmSpecRsaesOaepSha1, rsa2048, 2048}, {oaep256, rsa2048, 2048},
		{types.AlgorithmSpecRsaAesKeyWrapSha1, rsa2048, 2048}, {hybrid256, rsa2048, 2048},
		{oaep256, types.WrappingKeySpecRsa3072, 3072}, {hybrid256, types.WrappingKeySpecRsa4096, 4096},
	}
	eachRig(t, 0, func(t *testing.T, r *rig) {
		for _, row := range rows {
			if row.size > 2048 && r.viaSDK {
				continue // they take long to find
			}
			r.external(t, sdk.CreateKeyInput{})
			i := importerFor(t, r.api, r.id, row.algorithm, row.spec)
			require.Equal(t, row.size, i.public.N.BitLen())
			material := random(32)
			require.Equal(t, keyrecord.MaterialID(r.id, material), importID(t, r.api, i.imported(t, material)), row)
			require.Equal(t, material, r.record(t, region).Current().Bytes)
		}
	})
}

// TestImportedKeySpecs imports material of every key spec but RSA's longer ones.
func TestImportedKeySpecs(t *testing.T) {
	t.Parallel()
	for _, spec := range keyspec.All() {
		name, usage := types.KeySpec(spec.Name()), types.KeyUsageType(spec.Usages()[0])
		algorithm := oaep256
		switch name {
		case types.KeySpecRsa3072, types.KeySpecRsa4096:
			continue
		case types.KeySpecRsa2048, types.KeySpecEccNistP521:
			algorithm = hybrid256
		}
		t.Run(spec.Name(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, false, 0)
			r.external(t, sdk.CreateKeyInput{KeySpec: name, KeyUsage: usage})
			require.Equal(t, types.KeyStatePendingImport, describe(t, &r.fixture, r.id).KeyState)
			i, material := importerFor(t, r.api, r.id, algorithm, rsa2048), newMaterialOf(t, name)
			want := &sdk.ImportKeyMaterialOutput{KeyId: &r.arn}
			if spec.Symmetric() {
				want.KeyMaterialId = aws.String(keyrecord.MaterialID(r.id, material))
			}
			require.Equal(t, want, do[sdk.ImportKeyMaterialOutput](t, r.api, i.imported(t, material)))
			require.Equal(t, material, r.record(t, region).Current().Bytes)
			m := describe(t, &r.fixture, r.id)
			require.Equal(t, types.KeyStateEnabled, m.KeyState)
			require.Equal(t, noExpiry, m.ExpirationModel)
			require.Equal(t, want.KeyMaterialId, m.CurrentKeyMaterialId)
			requireWorks(t, r, spec, material)

			// the same again, and nothing else, for keys that have one material
			deleted := do[sdk.DeleteImportedKeyMaterialOutput](t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id})
			require.Equal(t, &sdk.DeleteImportedKeyMaterialOutput{KeyId: &r.arn, KeyMaterialId: want.KeyMaterialId}, deleted)
			refused(t, r.api, i.imported(t, newMaterialOf(t, name)), "IncorrectKeyMaterialException",
				"The key material is not one that was imported into the key "+r.arn+" before.")
			require.Equal(t, want, do[sdk.ImportKeyMaterialOutput](t, r.api, i.imported(t, material)))
			if !spec.Symmetric() {
				const only = "ImportType, KeyMaterialId and KeyMaterialDescription are valid only for symmetric encryption keys."
				for _, change := range []func(in *sdk.ImportKeyMaterialInput){
					func(in *sdk.ImportKeyMaterialInput) { in.ImportType = asExisting },
					func(in *sdk.ImportKeyMaterialInput) {
						in.KeyMaterialId = aws.String(keyrecord.MaterialID(r.id, material))
					},
					func(in *sdk.ImportKeyMaterialInput) { in.KeyMaterialDescription = aws.String("mine") },
				} {
					in := i.imported(t, material)
					change(in)
					refused(t, r.api, in, "ValidationException", only)
				}
				refused(t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: aws.String(strings.Repeat("a", 64))},
					"ValidationException", "KeyMaterialId is valid only for symmetric encryption keys.")
			}
		})
	}
}

// requireWorks has the rig's key do something that its owner can check.
func requireWorks(t *testing.T, r *rig, spec *keyspec.Spec, material []byte) {
	t.Helper()
	own, err := spec.Parse(material)
	require.NoError(t, err)
	switch {
	case spec.Symmetric():
		r.requireOpens(t, region, r.encrypted(t, region), keyrecord.MaterialID(r.id, material))
	case spec.HMAC():
		algorithm := spec.Algorithms("GENERATE_VERIFY_MAC")[0]
		out := do[sdk.GenerateMacOutput](t, r.api, &sdk.GenerateMacInput{KeyId: &r.id, Message: []byte("m"), MacAlgorithm: types.MacAlgorithmSpec(algorithm)})
		require.Equal(t, own.MAC(algorithm, []byte("m")), out.Mac)
	default:
		require.Equal(t, own.PublicKey(), do[sdk.GetPublicKeyOutput](t, r.api, &sdk.GetPublicKeyInput{KeyId: &r.id}).PublicKey)
	}
}

// TestImportOfALongRSAKey is the recorded import of an RSA_4096 key.
func TestImportOfALongRSAKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	r.external(t, sdk.CreateKeyInput{KeySpec: types.KeySpecRsa4096, KeyUsage: types.KeyUsageTypeSignVerify})
	material := newMaterialOf(t, types.KeySpecRsa4096)
	i := importerFor(t, r.api, r.id, hybrid256, rsa2048)
	require.Equal(t, &sdk.ImportKeyMaterialOutput{KeyId: &r.arn}, do[sdk.ImportKeyMaterialOutput](t, r.api, i.imported(t, material)))
	spec, ok := keyspec.Lookup("RSA_4096")
	require.True(t, ok)
	requireWorks(t, r, spec, material)
}

// TestWrongMaterial has material that is none of the key's spec.
func TestWrongMaterial(t *testing.T) {
	t.Parallel()
	p256, p384 := newMaterialOf(t, types.KeySpecEccNistP256), newMaterialOf(t, types.KeySpecEccNistP384)
	for spec, row := range map[types.KeySpec]struct {
		usage types.KeyUsageType
		wrong [][]byte
	}{
		types.KeySpecSymmetricDefault: {"", [][]byte{{}, random(16), random(31), random(33), p256}},
		types.KeySpecHmac256:          {types.KeyUsageTypeGenerateVerifyMac, [][]byte{{}, random(31), random(65)}},
		types.KeySpecEccNistP256:      {types.KeyUsageTypeSignVerify, [][]byte{{}, random(32), p384, append(slices.Clone(p256), 0), p256[:len(p256)-1]}},
		types.KeySpecEccSecgP256k1:    {types.KeyUsageTypeSignVerify, [][]byte{p256}},
	} {
		t.Run(string(spec), func(t *testing.T) {
			t.Parallel()
			eachRig(t, 0, func(t *testing.T, r *rig) {
				r.external(t, sdk.CreateKeyInput{KeySpec: spec, KeyUsage: row.usage})
				i := r.importer(t)
				for _, wrong := range row.wrong {
					refused(t, r.api, i.imported(t, wrong), "IncorrectKeyMaterialException",
						fmt.Sprintf("The key material is not valid for the key spec %s of the key %s.", spec, r.arn))
				}
				require.Empty(t, r.record(t, region).Materials)
			})
		})
	}
}

// TestImportParameters refuses wrappings that are not offered for a key.
func TestImportParameters(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		ask := func(algorithm types.AlgorithmSpec, spec types.WrappingKeySpec) any {
			return &sdk.GetParametersForImportInput{KeyId: &r.id, WrappingAlgorithm: algorithm, WrappingKeySpec: spec}
		}
		const unsupported = "UnsupportedOperationException"
		r.external(t, sdk.CreateKeyInput{})
		for _, algorithm := range []types.AlgorithmSpec{types.AlgorithmSpecRsaesPkcs1V15, types.AlgorithmSpecSm2pke} {
			refused(t, r.api, ask(algorithm, rsa2048), unsupported, "WrappingAlgorithm "+string(algorithm)+" is not supported.")
		}
		refused(t, r.api, ask(oaep256, types.WrappingKeySpecSm2), unsupported, "WrappingKeySpec SM2 is not supported in this Region.")
		_, err := call(t.Context(), r.api, ask("RSA", "RSA_1024"))
		require.Equal(t, "ValidationException", codeOf(err))
		require.ErrorContains(t, err, "2 validation errors detected: Value 'RSA' at 'wrappingAlgorithm' failed to satisfy constraint")

		for spec, refusedSpecs := range map[types.KeySpec][]types.WrappingKeySpec{
			types.KeySpecRsa2048:     {rsa2048, types.WrappingKeySpecRsa3072, types.WrappingKeySpecRsa4096},
			types.KeySpecEccNistP521: {rsa2048},
		} {
			r.external(t, sdk.CreateKeyInput{KeySpec: spec, KeyUsage: types.KeyUsageTypeSignVerify})
			for _, algorithm := range []types.AlgorithmSpec{oaep256, types.AlgorithmSpecRsaesOaepSha1} {
				for _, wrapping := range refusedSpecs {
					refused(t, r.api, ask(algorithm, wrapping), unsupported,
						fmt.Sprintf("WrappingAlgorithm %s with WrappingKeySpec %s is not valid for key spec %s.", algorithm, wrapping, spec))
				}
			}
		}
	})
}

// TestImportNeedsAnExternalKey has keys that KMS made refuse all three operations, in
// every state.
func TestImportNeedsAnExternalKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, change := range []any{nil, &sdk.DisableKeyInput{KeyId: &f.id}, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id}} {
			if change != nil {
				succeeds(t, f.api, change)
			}
			for _, in := range []any{
				&sdk.GetParametersForImportInput{KeyId: &f.id, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048},
				&sdk.ImportKeyMaterialInput{KeyId: &f.id, ImportToken: []byte("x"), EncryptedKeyMaterial: []byte("x"), ExpirationModel: noExpiry},
				&sdk.DeleteImportedKeyMaterialInput{KeyId: &f.id},
			} {
				refused(t, f.api, in, "UnsupportedOperationException", f.arn+" origin is AWS_KMS which is not valid for this operation.")
			}
		}
	})
}

// TestStatesOfExternalKeys is the part of the table of key states that only they have.
func TestStatesOfExternalKeys(t *testing.T) {
	t.Parallel()
	invalid := func(text string) answer { return answer{"KMSInvalidStateException", text} }
	rows := map[string]struct {
		in                             func(t *testing.T, r *rig) any
		empty, enabled, disabled, gone answer // gone is pending deletion
	}{
		"GetParametersForImport": {func(_ *testing.T, r *rig) any {
			return &sdk.GetParametersForImportInput{KeyId: &r.id, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048}
		}, yes, yes, yes, pending},
		"ImportKeyMaterial": {func(t *testing.T, r *rig) any { return r.importer(t).imported(t, bytes.Repeat([]byte{1}, 32)) }, yes, yes, yes, pending},
		"DeleteImportedKeyMaterial": {func(_ *testing.T, r *rig) any {
			return &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id}
		}, yes, yes, yes, yes},
		"EnableKey":        {func(_ *testing.T, r *rig) any { return &sdk.EnableKeyInput{KeyId: &r.id} }, invalid(pendingImport), yes, yes, pending},
		"DisableKey":       {func(_ *testing.T, r *rig) any { return &sdk.DisableKeyInput{KeyId: &r.id} }, invalid(pendingImport), yes, yes, pending},
		"ListKeyRotations": {func(_ *testing.T, r *rig) any { return &sdk.ListKeyRotationsInput{KeyId: &r.id} }, yes, yes, yes, yes},
		"RotateKeyOnDemand": {func(_ *testing.T, r *rig) any { return &sdk.RotateKeyOnDemandInput{KeyId: &r.id} },
			invalid(pendingImport), invalid("rotation"), disabled, pending},
		"CreateGrant": {func(_ *testing.T, r *rig) any {
			return &sdk.CreateGrantInput{KeyId: &r.id, GranteePrincipal: &bob, Operations: []types.GrantOperation{types.GrantOperationDecrypt}}
		}, invalid(pendingImport), yes, disabled, pending},
		"GenerateDataKey": {func(_ *testing.T, r *rig) any {
			return &sdk.GenerateDataKeyInput{KeyId: &r.id, KeySpec: types.DataKeySpecAes256}
		}, invalid(pendingImport), yes, disabled, pending},
		"ScheduleKeyDeletion": {func(_ *testing.T, r *rig) any { return &sdk.ScheduleKeyDeletionInput{KeyId: &r.id} }, yes, yes, yes, pending},
		"CancelKeyDeletion":   {func(_ *testing.T, r *rig) any { return &sdk.CancelKeyDeletionInput{KeyId: &r.id} }, notPending, notPending, notPending, yes},
		"TagResource":         {func(_ *testing.T, r *rig) any { return &sdk.TagResourceInput{KeyId: &r.id, Tags: tags("a=b")} }, yes, yes, yes, pending},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachRig(t, 0, func(t *testing.T, r *rig) {
				for state, want := range []answer{row.empty, row.enabled, row.disabled, row.gone} {
					r.external(t, sdk.CreateKeyInput{})
					if state > 0 {
						k := r.record(t, region)
						k.Materials = []keyrecord.Material{keyrecord.NewMaterial(k.ID, bytes.Repeat([]byte{1}, 32), k.Created)}
						r.plantRecord(t, k)
					}
					in := row.in(t, r) // while there still are parameters for an import
					switch state {
					case 2:
						succeeds(t, r.api, &sdk.DisableKeyInput{KeyId: &r.id})
					case 3:
						succeeds(t, r.api, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id})
					}
					switch {
					case want == yes:
						succeeds(t, r.api, in)
					case want.message == "rotation":
						refused(t, r.api, in, want.code, "No available key material pending rotation for the key: "+r.arn+".")
					default:
						refused(t, r.api, in, want.code, r.arn+want.message)
					}
				}
			})
		})
	}
}

func TestValidTo(t *testing.T) {
	t.Parallel()
	const outside = "ValidTo must be a date in the future, at most 365 days from now."
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		in, now := r.importer(t).imported(t, random(32)), r.clock()
		in.ExpirationModel = types.ExpirationModelTypeKeyMaterialExpires
		for _, after := range []time.Duration{0, -time.Millisecond, -day, 365*day + time.Millisecond, 100 * 365 * day} {
			in.ValidTo = aws.Time(now.Add(after))
			refused(t, r.api, in, "ValidationException", outside)
		}
		for _, after := range []time.Duration{time.Millisecond, 365 * day} {
			in.ValidTo = aws.Time(now.Add(after).In(time.FixedZone("", 3600)))
			succeeds(t, r.api, in)
			require.Equal(t, now.Add(after), *describe(t, &r.fixture, r.id).ValidTo)
		}
		in.ExpirationModel = noExpiry
		refused(t, r.api, in, "ValidationException", "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")
		in.ValidTo = nil
		succeeds(t, r.api, in)
		require.Nil(t, describe(t, &r.fixture, r.id).ValidTo)
	})
}

// TestExpiredMaterial has it gone to the millisecond, and from the record when that is
// next written.
func TestExpiredMaterial(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		material := random(32)
		in := r.importer(t).imported(t, material)
		in.ExpirationModel, in.ValidTo = "", aws.Time(r.clock().Add(time.Hour))
		id := importID(t, r.api, in)
		blob := r.encrypted(t, region)

		r.advance(time.Hour - time.Millisecond)
		r.requireOpens(t, region, blob, id)
		r.advance(time.Millisecond)
		m := describe(t, &r.fixture, r.id)
		require.Equal(t, types.KeyStatePendingImport, m.KeyState)
		require.False(t, m.Enabled)
		require.Empty(t, m.ExpirationModel)
		require.Nil(t, m.ValidTo)
		require.Equal(t, id, *m.CurrentKeyMaterialId)
		refused(t, r.api, &sdk.DecryptInput{CiphertextBlob: blob}, "KMSInvalidStateException", r.arn+pendingImport)
		require.Equal(t, []types.RotationsListEntry{{
			KeyId: &r.arn, KeyMaterialId: &id, KeyMaterialState: types.KeyMaterialStateCurrent, ImportState: types.ImportStatePendingImport,
		}}, listRotations(t, r.api, r.id, allMaterial))

		require.Equal(t, material, r.record(t, region).Materials[0].Bytes)
		succeeds(t, r.api, &sdk.TagResourceInput{KeyId: &r.id, Tags: tags("a=b")})
		require.Empty(t, r.record(t, region).Materials[0].Bytes)
		require.Equal(t, id, r.record(t, region).Materials[0].ID)

		in.ValidTo = aws.Time(r.clock().Add(time.Hour))
		require.Equal(t, id, importID(t, r.api, in))
		r.requireOpens(t, region, blob, id)
	})
}

// TestImportEnables has the import of what a key lacks enable it, and no other.
func TestImportEnables(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		in := r.importer(t).imported(t, random(32))
		succeeds(t, r.api, in)
		state := func() types.KeyState { return describe(t, &r.fixture, r.id).KeyState }
		succeeds(t, r.api, &sdk.DisableKeyInput{KeyId: &r.id})
		succeeds(t, r.api, in)
		require.Equal(t, types.KeyStateDisabled, state())
		succeeds(t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id})
		require.Equal(t, types.KeyStatePendingImport, state())
		succeeds(t, r.api, in)
		require.Equal(t, types.KeyStateEnabled, state())

		succeeds(t, r.api, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id})
		succeeds(t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id})
		require.Equal(t, types.KeyStatePendingDeletion, state())
		succeeds(t, r.api, &sdk.CancelKeyDeletionInput{KeyId: &r.id})
		require.Equal(t, types.KeyStatePendingImport, state())
		succeeds(t, r.api, in)
		require.Equal(t, types.KeyStateEnabled, state())
	})
}

func TestImportConstraints(t *testing.T) {
	t.Parallel()
	id, blob := aws.String(unknownID), []byte("x")
	const enum = "Member must satisfy enum value set: ["
	ok := func(change func(in *sdk.ImportKeyMaterialInput)) any {
		in := &sdk.ImportKeyMaterialInput{KeyId: id, ImportToken: blob, EncryptedKeyMaterial: blob, ExpirationModel: noExpiry}
		change(in)
		return in
	}
	pattern := func(value, path, pattern string) string {
		return "Value '" + value + "' at '" + path + "' failed to satisfy constraint: Member must satisfy regular expression pattern: " + pattern
	}
	long := strings.Repeat("d", 257)
	rows := []struct {
		in   any
		want string
	}{
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.ImportToken = []byte{} }), one(hidden("importToken", "length greater than or equal to 1"))},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.ImportToken = make([]byte, 6145) }), one(hidden("importToken", "length less than or equal to 6144"))},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.EncryptedKeyMaterial = []byte{} }), one(hidden("encryptedKeyMaterial", "length greater than or equal to 1"))},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.EncryptedKeyMaterial = make([]byte, 6145) }), one(hidden("encryptedKeyMaterial", "length less than or equal to 6144"))},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.ExpirationModel = "NEVER" }),
			one("Value 'NEVER' at 'expirationModel' failed to satisfy constraint: " + enum + "KEY_MATERIAL_EXPIRES, KEY_MATERIAL_DOES_NOT_EXPIRE]")},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.ImportType = "OLD" }),
			one("Value 'OLD' at 'importType' failed to satisfy constraint: " + enum + "NEW_KEY_MATERIAL, EXISTING_KEY_MATERIAL]")},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.KeyMaterialDescription = &long }), one(bound(long, "keyMaterialDescription", "length less than or equal to 256"))},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.KeyMaterialDescription = aws.String("a+b") }),
			one(pattern("a+b", "keyMaterialDescription", `^[a-zA-Z0-9:/_\s.-]+$`))},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.KeyMaterialId = aws.String(strings.Repeat("a", 63)) }),
			one(bound(strings.Repeat("a", 63), "keyMaterialId", "length greater than or equal to 64"))},
		{ok(func(in *sdk.ImportKeyMaterialInput) { in.KeyMaterialId = aws.String(strings.Repeat("A", 64)) }),
			one(pattern(strings.Repeat("A", 64), "keyMaterialId", `^[a-f0-9]+$`))},
		{&sdk.DeleteImportedKeyMaterialInput{KeyId: id, KeyMaterialId: aws.String(strings.Repeat("a", 65))},
			one(bound(strings.Repeat("a", 65), "keyMaterialId", "length less than or equal to 64"))},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, row := range rows {
			refused(t, f.api, row.in, "ValidationException", row.want)
		}
		for _, in := range []any{
			&sdk.GetParametersForImportInput{WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048}, &sdk.GetParametersForImportInput{KeyId: id},
			&sdk.ImportKeyMaterialInput{KeyId: id, ExpirationModel: noExpiry}, &sdk.DeleteImportedKeyMaterialInput{},
		} {
			_, err := call(t.Context(), f.api, in)
			if f.viaSDK {
				requireInvalidParams(t, err)
			} else {
				require.Equal(t, "ValidationException", codeOf(err))
				require.ErrorContains(t, err, "failed to satisfy constraint: Member must not be null")
			}
		}
		refused(t, f.api, ok(func(*sdk.ImportKeyMaterialInput) {}), "NotFoundException", "Key 'arn:aws:kms:us-east-1:111122223333:key/"+unknownID+"' does not exist")
	})
}

// TestImportConditions has policies look at the parameters of the operations.
func TestImportConditions(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		key := *do[sdk.CreateKeyOutput](t, w.as(root), &sdk.CreateKeyInput{Origin: types.OriginTypeExternal}).KeyMetadata.Arn
		w.attach(alice.Principal, allowing(t,
			own("Allow", "kms:GetParametersForImport", key, when(`{"StringEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_256","kms:WrappingKeySpec":"RSA_2048"}}`)),
			own("Allow", "kms:ImportKeyMaterial", key, when(`{"StringEquals":{"kms:ExpirationModel":"KEY_MATERIAL_EXPIRES"},"DateLessThan":{"kms:ValidTo":"2026-01-10T00:00:00Z"}}`)),
		))
		api := w.as(alice)
		i := importerFor(t, api, key, oaep256, rsa2048)
		for _, in := range []*sdk.GetParametersForImportInput{
			{KeyId: &key, WrappingAlgorithm: hybrid256, WrappingKeySpec: rsa2048},
			{KeyId: &key, WrappingAlgorithm: oaep256, WrappingKeySpec: types.WrappingKeySpecRsa3072},
		} {
			denied(t, api, alice, in, "kms:GetParametersForImport", key, noPolicy("identity-based policy", "kms:GetParametersForImport"))
		}
		forGood := i.imported(t, random(32))
		denied(t, api, alice, forGood, "kms:ImportKeyMaterial", key, noPolicy("identity-based policy", "kms:ImportKeyMaterial"))
		in := *forGood
		in.ExpirationModel, in.ValidTo = "", aws.Time(kmstest.Start.Add(9*day))
		denied(t, api, alice, &in, "kms:ImportKeyMaterial", key, noPolicy("identity-based policy", "kms:ImportKeyMaterial"))
		in.ValidTo = aws.Time(kmstest.Start.Add(9*day - time.Millisecond))
		succeeds(t, api, &in)
	})
}
