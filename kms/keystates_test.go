package kms_test

import (
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// keyStateRow is an operation on keys of one kind. First it is asked about the enabled
// key, for what the later requests need; what it gives back is the request about the
// same key in another state.
type keyStateRow struct {
	spec  types.KeySpec
	usage types.KeyUsageType
	in    func(t *testing.T, f *fixture, key *string) any
}

// keyStateTable has the operations that stateTable does not, and those whose keys can
// be of several kinds.
var keyStateTable = map[string]keyStateRow{
	"Sign": {"ECC_NIST_P256", forSigning, func(_ *testing.T, _ *fixture, key *string) any {
		return &sdk.SignInput{KeyId: key, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"}
	}},
	"Verify": {"ECC_NIST_P256", forSigning, func(t *testing.T, f *fixture, key *string) any {
		out := do[sdk.SignOutput](t, f.api, &sdk.SignInput{KeyId: key, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"})
		return &sdk.VerifyInput{KeyId: key, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256", Signature: out.Signature}
	}},
	"GenerateMac": {"HMAC_256", forAuthentication, func(_ *testing.T, _ *fixture, key *string) any {
		return &sdk.GenerateMacInput{KeyId: key, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"}
	}},
	"VerifyMac": {"HMAC_256", forAuthentication, func(t *testing.T, f *fixture, key *string) any {
		out := do[sdk.GenerateMacOutput](t, f.api, &sdk.GenerateMacInput{KeyId: key, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"})
		return &sdk.VerifyMacInput{KeyId: key, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256", Mac: out.Mac}
	}},
	"GetPublicKey": {"ECC_NIST_EDWARDS25519", forSigning, func(_ *testing.T, _ *fixture, key *string) any {
		return &sdk.GetPublicKeyInput{KeyId: key}
	}},
	"DeriveSharedSecret": {"ECC_NIST_P256", forAgreement, func(t *testing.T, f *fixture, key *string) any {
		return &sdk.DeriveSharedSecretInput{KeyId: key, KeyAgreementAlgorithm: "ECDH", PublicKey: publicKeyOf(t, f, *key)}
	}},
	"Encapsulate": {"ML_KEM_512", forEncapsulation, func(_ *testing.T, _ *fixture, key *string) any {
		return &sdk.EncapsulateInput{KeyId: key, EncapsulationAlgorithm: "ML_KEM"}
	}},
	"Decapsulate": {"ML_KEM_512", forEncapsulation, func(t *testing.T, f *fixture, key *string) any {
		out := do[sdk.EncapsulateOutput](t, f.api, &sdk.EncapsulateInput{KeyId: key, EncapsulationAlgorithm: "ML_KEM"})
		return &sdk.DecapsulateInput{KeyId: key, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: out.SharedSecretCiphertextBlob}
	}},
	"Encrypt": {"RSA_2048", forEncryption, func(_ *testing.T, _ *fixture, key *string) any {
		return &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x"), EncryptionAlgorithm: sha256OAEP}
	}},
	// whatever is wrong with a ciphertext or a plaintext, the key's state comes first
	"Encrypt too much": {"RSA_2048", forEncryption, func(_ *testing.T, _ *fixture, key *string) any {
		return &sdk.EncryptInput{KeyId: key, Plaintext: make([]byte, 4096), EncryptionAlgorithm: sha256OAEP}
	}},
	"Decrypt": {"RSA_2048", forEncryption, func(t *testing.T, f *fixture, key *string) any {
		return &sdk.DecryptInput{KeyId: key, CiphertextBlob: oaepBlob(t, f, key), EncryptionAlgorithm: sha256OAEP}
	}},
	"Decrypt garbage": {"RSA_2048", forEncryption, func(_ *testing.T, _ *fixture, key *string) any {
		return &sdk.DecryptInput{KeyId: key, CiphertextBlob: []byte("x"), EncryptionAlgorithm: sha256OAEP}
	}},
	"Decrypt without the algorithm": {"RSA_2048", forEncryption, func(t *testing.T, f *fixture, key *string) any {
		return &sdk.DecryptInput{KeyId: key, CiphertextBlob: oaepBlob(t, f, key)}
	}},
	"ReEncrypt from": {"RSA_2048", forEncryption, func(t *testing.T, f *fixture, key *string) any {
		return &sdk.ReEncryptInput{SourceKeyId: key, CiphertextBlob: oaepBlob(t, f, key), SourceEncryptionAlgorithm: sha256OAEP, DestinationKeyId: &f.arn}
	}},
	"ReEncrypt to": {"RSA_2048", forEncryption, func(t *testing.T, f *fixture, key *string) any {
		return &sdk.ReEncryptInput{CiphertextBlob: f.plant(t, "x", nil), DestinationKeyId: key, DestinationEncryptionAlgorithm: sha256OAEP}
	}},
}

func oaepBlob(t *testing.T, f *fixture, key *string) []byte {
	t.Helper()
	return do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x"), EncryptionAlgorithm: sha256OAEP}).CiphertextBlob
}

// refusingStates are the states in which none of these operations is possible, and what
// puts a key into them.
var refusingStates = map[string]struct {
	change        func(k *keyrecord.Key, now time.Time)
	code, message string // the key's ARN goes in front of the message
}{
	"Disabled": {func(k *keyrecord.Key, _ time.Time) { k.Enabled = false }, "DisabledException", " is disabled."},
	"PendingDeletion": {func(k *keyrecord.Key, now time.Time) {
		k.Deletion = &keyrecord.Deletion{Days: 7, At: now.AddDate(0, 0, 7)}
	}, "KMSInvalidStateException", " is pending deletion."},
	"PendingReplicaDeletion": {func(k *keyrecord.Key, _ time.Time) {
		k.MultiRegion = &keyrecord.MultiRegion{Primary: region, Copies: []keyrecord.Copy{{Region: region}, {Region: "eu-west-1"}}}
		k.Deletion = &keyrecord.Deletion{Days: 7}
	}, "KMSInvalidStateException", " is pending replica deletion."},
	"PendingImport": {func(k *keyrecord.Key, _ time.Time) {
		k.Origin = keyrecord.OriginExternal
		k.Materials[0].Bytes = nil
	}, "KMSInvalidStateException", " is pending import."},
	"PendingImport, expired": {func(k *keyrecord.Key, now time.Time) {
		k.Origin = keyrecord.OriginExternal
		k.Materials[0].ValidTo = &now
	}, "KMSInvalidStateException", " is pending import."},
	"Creating": {func(k *keyrecord.Key, now time.Time) {
		k.Transition = &keyrecord.Transition{State: "Creating", Until: now.Add(time.Minute)}
	}, "KMSInvalidStateException", " is creating."},
}

func TestStatesOfKeysOfAllKinds(t *testing.T) {
	t.Parallel()
	for name, row := range keyStateTable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, f *fixture) {
				record := newRecord(t, row.spec, row.usage)
				key := putKey(t, f.Service(), record)
				in := row.in(t, f, &key)
				for state, s := range refusingStates {
					changed := record.Clone()
					s.change(changed, f.Now())
					putKey(t, f.Service(), changed)
					t.Log(state)
					refused(t, f.api, in, s.code, key+s.message)
				}
				gone := record.Clone()
				now := f.Now()
				gone.Deletion = &keyrecord.Deletion{Days: 7, At: now}
				putKey(t, f.Service(), gone)
				refused(t, f.api, in, "NotFoundException", "Key '"+key+"' does not exist")

				for _, until := range []time.Time{now.Add(time.Minute), now} {
					updating := record.Clone()
					updating.Transition = &keyrecord.Transition{State: "Updating", Until: until}
					putKey(t, f.Service(), updating)
					_, err := call(t.Context(), f.api, in)
					switch name {
					case "Encrypt too much":
						requireRefusal(t, err, "ValidationException", "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.")
					case "Decrypt garbage", "Decrypt without the algorithm":
						requireRefusal(t, err, "InvalidCiphertextException", "")
					default:
						if err != nil {
							t.Fatal(err)
						}
					}
				}
			})
		})
	}
}
