package kms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms/kmstest"
)

// TestRecordsOfKeyOperations looks at the audit records of requests about keys of all
// usages.
func TestRecordsOfKeyOperations(t *testing.T) {
	t.Parallel()
	f, r := newRecorded(t, nil)
	f.plantKeys(t)
	r.take()
	for _, p := range aboutKeys(f) {
		succeeds(t, f.api, p.in)
		e := r.take()
		require.Len(t, e, 1)
		require.Equal(t, nameOf(p.in), e[0].Name)
		require.Equal(t, []string{p.resource}, e[0].Resources)
		require.True(t, e[0].ReadOnly)
		require.Nil(t, e[0].EncryptionContext)
	}
	in := &sdk.VerifyInput{KeyId: &f.keys.signing, Message: []byte("x"), Signature: f.keys.signature, SigningAlgorithm: "ECDSA_SHA_256"}
	refused(t, f.api, in, "KMSInvalidSignatureException", "")
	e := r.take()
	require.Len(t, e, 1)
	require.Equal(t, "KMSInvalidSignatureException", e[0].ErrorCode)
	require.Empty(t, e[0].ErrorMessage)
}

// TestSecretsOfKeyOperations searches records and errors for messages, key material and
// what was made with it, in the forms that they could take.
func TestSecretsOfKeyOperations(t *testing.T) {
	t.Parallel()
	f, r := newRecorded(t, nil)
	f.plantKeys(t)
	rsa, marked := newRecord(t, "RSA_2048", forEncryption), newRecord(t, "HMAC_256", forAuthentication)
	marked.Materials = []keyrecord.Material{keyrecord.NewMaterial(marked.ID, []byte("MATERIAL-marker-0123456789abcdef"), kmstest.Start)}
	rsaKey, markedKey := putKey(t, f.Service(), rsa), putKey(t, f.Service(), marked)
	message := []byte("MESSAGE-marker, which nobody is to see")
	s := f.keys
	texts := []string{}
	note := func(in any) {
		if _, err := call(t.Context(), f.api, in); err != nil {
			texts = append(texts, err.Error())
		}
	}
	secret := do[sdk.DecapsulateOutput](t, f.api, &sdk.DecapsulateInput{KeyId: &s.encapsulation, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: s.sealed}).SharedSecret
	shared := do[sdk.DeriveSharedSecretOutput](t, f.api, &sdk.DeriveSharedSecretInput{KeyId: &s.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: s.peer}).SharedSecret
	mac := do[sdk.GenerateMacOutput](t, f.api, &sdk.GenerateMacInput{KeyId: &markedKey, Message: message, MacAlgorithm: "HMAC_SHA_256"}).Mac
	long := bytes.Repeat(message, 10)
	for _, dryRun := range []*bool{nil, aws.Bool(true)} {
		for _, in := range []any{
			&sdk.SignInput{KeyId: &s.signing, Message: message, SigningAlgorithm: "ECDSA_SHA_256", DryRun: dryRun},
			&sdk.SignInput{KeyId: &s.signing, Message: message, SigningAlgorithm: "ECDSA_SHA_256", MessageType: typeDigest, DryRun: dryRun},
			&sdk.SignInput{KeyId: &s.signing, Message: message, SigningAlgorithm: "ECDSA_SHA_384", DryRun: dryRun},
			&sdk.SignInput{KeyId: &markedKey, Message: message, SigningAlgorithm: "ECDSA_SHA_384", DryRun: dryRun},
			&sdk.SignInput{Message: bytes.Repeat(message, 200), SigningAlgorithm: "ECDSA_SHA_384", DryRun: dryRun},
			&sdk.VerifyInput{KeyId: &s.signing, Message: message, Signature: message, SigningAlgorithm: "ECDSA_SHA_256", DryRun: dryRun},
			&sdk.VerifyMacInput{KeyId: &markedKey, Message: message, Mac: message, MacAlgorithm: "HMAC_SHA_256", DryRun: dryRun},
			&sdk.DeriveSharedSecretInput{KeyId: &s.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: message, DryRun: dryRun},
			&sdk.DeriveSharedSecretInput{KeyId: &s.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: s.peer, DryRun: dryRun},
			&sdk.DecapsulateInput{KeyId: &s.encapsulation, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: message, DryRun: dryRun},
			&sdk.DecapsulateInput{KeyId: &s.encapsulation, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: s.sealed, DryRun: dryRun},
			&sdk.EncryptInput{KeyId: &rsaKey, Plaintext: long, EncryptionAlgorithm: sha256OAEP, DryRun: dryRun},
			&sdk.EncryptInput{KeyId: &rsaKey, Plaintext: message, EncryptionAlgorithm: sha256OAEP, DryRun: dryRun},
			&sdk.DecryptInput{KeyId: &rsaKey, CiphertextBlob: message, EncryptionAlgorithm: sha256OAEP, DryRun: dryRun},
		} {
			note(in)
		}
	}
	require.Greater(t, len(texts), 20)
	for _, e := range r.take() {
		b, err := json.Marshal(e)
		require.NoError(t, err)
		texts = append(texts, string(b))
	}
	everything := strings.Join(texts, "\n")
	require.Contains(t, everything, idOf(markedKey)) // the search can find something
	for name, hidden := range map[string][]byte{
		"message": message, "HMAC key": marked.Materials[0].Bytes, "RSA key": rsa.Materials[0].Bytes[300:],
		"encapsulated secret": secret, "shared secret": shared, "MAC": mac, "signature": s.signature[8:],
	} {
		for _, form := range []string{
			string(hidden[:12]), hex.EncodeToString(hidden[:12]), strings.ToUpper(hex.EncodeToString(hidden[:12])),
			base64.StdEncoding.EncodeToString(hidden[:12]), base64.URLEncoding.EncodeToString(hidden[:12]),
			base64.StdEncoding.EncodeToString(hidden[1:13]), base64.StdEncoding.EncodeToString(hidden[2:14]),
		} {
			require.NotContains(t, everything, form, name)
		}
	}
}
