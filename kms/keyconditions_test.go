package kms_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
)

// worldKeys is a key of each kind that the conditions tell apart.
type worldKeys struct {
	rsa, signing, ed25519, authentication, agreement string
}

func newWorldKeys(t *testing.T, w *world) *worldKeys {
	t.Helper()
	put := func(spec types.KeySpec, usage types.KeyUsageType) string {
		return putKey(t, w.service, newRecord(t, spec, usage))
	}
	return &worldKeys{
		put("RSA_2048", forEncryption), put("RSA_2048", forSigning), put("ECC_NIST_EDWARDS25519", forSigning), put("HMAC_512", forAuthentication), put("ECC_NIST_P256", forAgreement),
	}
}

// TestConditionsOfAlgorithms has the caller's own policy allow everything under a
// condition. A dry run is decided like any other request, and so are requests that fail
// for another reason afterwards.
func TestConditionsOfAlgorithms(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		k := newWorldKeys(t, w)
		encrypt := func(key string, a types.EncryptionAlgorithmSpec) *sdk.EncryptInput {
			return &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionAlgorithm: a}
		}
		blob := do[sdk.EncryptOutput](t, w.as(root), encrypt(k.rsa, sha1OAEP)).CiphertextBlob
		decrypt := func(a types.EncryptionAlgorithmSpec) *sdk.DecryptInput {
			return &sdk.DecryptInput{KeyId: &k.rsa, CiphertextBlob: blob, EncryptionAlgorithm: a}
		}
		signed := func(key string, a types.SigningAlgorithmSpec, kind types.MessageType) []any {
			message := make([]byte, 64) // which is of the length of SHA-512
			return []any{
				&sdk.SignInput{KeyId: &key, Message: message, SigningAlgorithm: a, MessageType: kind},
				&sdk.VerifyInput{KeyId: &key, Message: message, Signature: []byte("x"), SigningAlgorithm: a, MessageType: kind},
			}
		}
		mac := []any{
			&sdk.GenerateMacInput{KeyId: &k.authentication, Message: []byte("x"), MacAlgorithm: "HMAC_SHA_512"},
			&sdk.VerifyMacInput{KeyId: &k.authentication, Message: []byte("x"), Mac: []byte("x"), MacAlgorithm: "HMAC_SHA_512"},
		}
		derive := &sdk.DeriveSharedSecretInput{KeyId: &k.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: []byte("x")}
		const pkcs1, pss = "RSASSA_PKCS1_V1_5_SHA_512", "RSASSA_PSS_SHA_512"
		for _, row := range []struct {
			condition  string
			meet, fail []any
		}{
			{`{"StringEquals":{"kms:EncryptionAlgorithm":"RSAES_OAEP_SHA_1"}}`,
				[]any{encrypt(k.rsa, sha1OAEP), decrypt(sha1OAEP)},
				append(signed(k.signing, pkcs1, ""), encrypt(k.rsa, sha256OAEP), decrypt(sha256OAEP), decrypt(""), encrypt(w.key, ""), encrypt(w.key, symmetric))},
			{`{"StringEquals":{"kms:EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}}`,
				[]any{encrypt(w.key, ""), encrypt(w.key, symmetric), decrypt("")}, []any{encrypt(k.rsa, sha1OAEP), mac[0]}},
			{`{"StringEquals":{"kms:SigningAlgorithm":"RSASSA_PSS_SHA_512"}}`,
				append(signed(k.signing, pss, ""), signed(k.signing, pss, typeDigest)...),
				append(signed(k.signing, pkcs1, ""), encrypt(w.key, ""), mac[0], &sdk.GetPublicKeyInput{KeyId: &k.signing})},
			{`{"StringEquals":{"kms:MessageType":"RAW"}}`,
				append(signed(k.signing, pss, ""), signed(k.ed25519, "ED25519_SHA_512", typeRaw)...),
				append(signed(k.signing, pss, typeDigest), append(signed(k.ed25519, "ED25519_PH_SHA_512", typeDigest), mac[0])...)},
			{`{"StringEquals":{"kms:MessageType":"DIGEST"}}`, signed(k.signing, pkcs1, typeDigest), signed(k.signing, pkcs1, "")},
			{`{"StringEquals":{"kms:MessageType":"EXTERNAL_MU"}}`, signed(k.signing, pkcs1, typeExternalMu), signed(k.signing, pkcs1, "")},
			{`{"StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_512"}}`, mac, append(signed(k.signing, pkcs1, ""), encrypt(w.key, ""))},
			{`{"StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_256"}}`, nil, mac},
			{`{"StringEquals":{"kms:KeyAgreementAlgorithm":"ECDH"}}`, []any{derive}, append(mac, &sdk.GetPublicKeyInput{KeyId: &k.agreement})},
			{`{"StringEquals":{"kms:KeySpec":"RSA_2048","kms:KeyUsage":"SIGN_VERIFY"}}`, signed(k.signing, pkcs1, ""), append(mac, encrypt(k.rsa, sha1OAEP))},
		} {
			w.attach(alice.Principal, allowing(t, own("Allow", "kms:*", "*", when(row.condition))))
			for _, in := range row.meet {
				_, err := call(t.Context(), w.as(alice), in)
				require.NotEqual(t, "AccessDeniedException", codeOf(err), "%s: %s", row.condition, nameOf(in))
			}
			for _, in := range row.fail {
				_, err := call(t.Context(), w.as(alice), in)
				require.Equal(t, "AccessDeniedException", codeOf(err), "%s: %s", row.condition, nameOf(in))
			}
		}
	})
}

// TestEachSideOfReEncryptHasItsAlgorithm allows each side one algorithm.
func TestEachSideOfReEncryptHasItsAlgorithm(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		k := newWorldKeys(t, w)
		rsaBlob := do[sdk.EncryptOutput](t, w.as(root), &sdk.EncryptInput{KeyId: &k.rsa, Plaintext: []byte("x"), EncryptionAlgorithm: sha1OAEP}).CiphertextBlob
		blob := w.encrypt(t, w.key, nil)
		toRSA := &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &k.rsa, DestinationEncryptionAlgorithm: sha256OAEP}
		fromRSA := &sdk.ReEncryptInput{SourceKeyId: &k.rsa, CiphertextBlob: rsaBlob, SourceEncryptionAlgorithm: sha1OAEP, DestinationKeyId: &w.key}
		within := &sdk.ReEncryptInput{SourceKeyId: &k.rsa, CiphertextBlob: rsaBlob, SourceEncryptionAlgorithm: sha1OAEP, DestinationKeyId: &k.rsa, DestinationEncryptionAlgorithm: sha256OAEP}
		allow := func(from, to string) {
			w.attach(alice.Principal, allowing(t,
				own("Allow", "kms:ReEncryptFrom", "*", when(`{"StringEquals":{"kms:EncryptionAlgorithm":"`+from+`"}}`)),
				own("Allow", "kms:ReEncryptTo", "*", when(`{"StringEquals":{"kms:EncryptionAlgorithm":"`+to+`"}}`))))
		}
		for _, row := range []struct {
			from, to string
			in       *sdk.ReEncryptInput
		}{{"SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256", toRSA}, {"RSAES_OAEP_SHA_1", "SYMMETRIC_DEFAULT", fromRSA}, {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", within}} {
			allow(row.from, row.to)
			succeeds(t, w.as(alice), row.in)
			source, destination := w.key, *row.in.DestinationKeyId
			if row.in.SourceKeyId != nil {
				source = *row.in.SourceKeyId
			}
			allow(row.to, row.to)
			denied(t, w.as(alice), alice, row.in, "kms:ReEncryptFrom", source, noPolicy("identity-based policy", "kms:ReEncryptFrom"))
			allow(row.from, row.from)
			denied(t, w.as(alice), alice, row.in, "kms:ReEncryptTo", destination, noPolicy("identity-based policy", "kms:ReEncryptTo"))
		}
	})
}
