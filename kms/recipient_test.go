package kms_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/nitro"
	"github.com/sealring/sealring/nitro/nitrotest"
)

// enclaveKey is the key pair of the enclave in these tests.
var enclaveKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func publicDER(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return der
}

// enclave is a cloud that trusts an authority, which attests what the enclave is.
type enclave struct {
	*fixture
	authority *nitrotest.Authority
	verified  atomic.Int32 // documents that the engine had verified
	verifier  nitro.Verifier
}

// Verify counts the documents.
func (e *enclave) Verify(document []byte) (*nitro.Document, error) {
	e.verified.Add(1)
	return e.verifier.Verify(document)
}

// eachEnclave runs a test with both kinds of client.
func eachEnclave(t *testing.T, test func(t *testing.T, e *enclave)) {
	t.Helper()
	for name, viaSDK := range map[string]bool{"Client": false, "SDK": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &enclave{fixture: &fixture{viaSDK: viaSDK}}
			var err error
			e.authority, err = nitrotest.NewAuthority()
			require.NoError(t, err)
			e.verifier.Roots = e.authority.Roots()
			e.Cloud = kmstest.New(t, &kmstest.Options{Configure: func(c *kms.Config) { c.Attestation = e }})
			e.arn = e.Seed(kmstest.Key{Alias: "alias/app"})
			e.id = idOf(e.arn)
			e.api = e.as(e.Root())
			e.plantKeys(t)
			test(t, e)
		})
	}
}

func (e *enclave) as(c identity.Caller) kms.API {
	if e.viaSDK {
		return e.Service().SDK(c, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
	}
	return e.Client(c)
}

// attest returns a recipient with a document that says d, of the enclave's key unless d
// has another.
func (e *enclave) attest(t *testing.T, d nitro.Document) *types.RecipientInfo {
	t.Helper()
	if d.PublicKey == nil {
		d.PublicKey = publicDER(t, &enclaveKey().PublicKey)
	}
	document, err := e.authority.Attest(d)
	require.NoError(t, err)
	return recipientOf(document)
}

func recipientOf(document []byte) *types.RecipientInfo {
	return &types.RecipientInfo{AttestationDocument: document, KeyEncryptionAlgorithm: types.KeyEncryptionMechanismRsaesOaepSha256}
}

// requests returns one request of each operation that takes a recipient.
func (e *enclave) requests(t *testing.T, to *types.RecipientInfo) []any {
	t.Helper()
	return []any{
		&sdk.DecryptInput{CiphertextBlob: e.plant(t, "secret", nil), Recipient: to},
		&sdk.DeriveSharedSecretInput{KeyId: &e.keys.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: e.keys.peer, Recipient: to},
		&sdk.GenerateDataKeyInput{KeyId: &e.id, NumberOfBytes: aws.Int32(64), Recipient: to},
		&sdk.GenerateDataKeyPairInput{KeyId: &e.id, KeyPairSpec: "ECC_NIST_P256", Recipient: to},
		&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(24), Recipient: to},
	}
}

// TestRecipients has every answer hold nothing in the clear.
func TestRecipients(t *testing.T) {
	t.Parallel()
	eachEnclave(t, func(t *testing.T, e *enclave) {
		to := e.attest(t, nitro.Document{})
		open := func(sealed []byte) []byte {
			plaintext, err := nitro.Open(enclaveKey(), sealed)
			require.NoError(t, err)
			return plaintext
		}
		decrypt := func(blob []byte) []byte {
			return do[sdk.DecryptOutput](t, e.api, &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext
		}
		key := do[sdk.GenerateDataKeyOutput](t, e.api, &sdk.GenerateDataKeyInput{KeyId: &e.id, NumberOfBytes: aws.Int32(64), Recipient: to})
		require.Equal(t, &sdk.GenerateDataKeyOutput{KeyId: &e.arn, CiphertextBlob: key.CiphertextBlob, CiphertextForRecipient: key.CiphertextForRecipient}, key)
		require.Len(t, open(key.CiphertextForRecipient), 64)
		require.Equal(t, decrypt(key.CiphertextBlob), open(key.CiphertextForRecipient))

		pair := do[sdk.GenerateDataKeyPairOutput](t, e.api, &sdk.GenerateDataKeyPairInput{KeyId: &e.id, KeyPairSpec: "ECC_NIST_P256", Recipient: to})
		require.Equal(t, &sdk.GenerateDataKeyPairOutput{
			KeyId: &e.arn, KeyMaterialId: pair.KeyMaterialId, KeyPairSpec: "ECC_NIST_P256", PublicKey: pair.PublicKey,
			PrivateKeyCiphertextBlob: pair.PrivateKeyCiphertextBlob, CiphertextForRecipient: pair.CiphertextForRecipient,
		}, pair)
		require.NotNil(t, pair.KeyMaterialId)
		requirePair(t, "ECC_NIST_P256", open(pair.CiphertextForRecipient), pair.PublicKey)
		require.Equal(t, decrypt(pair.PrivateKeyCiphertextBlob), open(pair.CiphertextForRecipient))

		secret := do[sdk.DecryptOutput](t, e.api, &sdk.DecryptInput{CiphertextBlob: e.plant(t, "secret", nil), Recipient: to})
		require.Equal(t, &sdk.DecryptOutput{KeyId: &e.arn, EncryptionAlgorithm: "SYMMETRIC_DEFAULT", CiphertextForRecipient: secret.CiphertextForRecipient}, secret)
		require.Equal(t, "secret", string(open(secret.CiphertextForRecipient)))

		in := sdk.DeriveSharedSecretInput{KeyId: &e.keys.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: e.keys.peer}
		agreed := do[sdk.DeriveSharedSecretOutput](t, e.api, &in).SharedSecret
		in.Recipient = to
		shared := do[sdk.DeriveSharedSecretOutput](t, e.api, &in)
		require.Equal(t, &sdk.DeriveSharedSecretOutput{
			KeyId: &e.keys.agreement, KeyAgreementAlgorithm: "ECDH", KeyOrigin: "AWS_KMS", CiphertextForRecipient: shared.CiphertextForRecipient,
		}, shared)
		require.Equal(t, agreed, open(shared.CiphertextForRecipient))

		random := do[sdk.GenerateRandomOutput](t, e.api, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(24), Recipient: to})
		require.Equal(t, &sdk.GenerateRandomOutput{CiphertextForRecipient: random.CiphertextForRecipient}, random)
		require.Len(t, open(random.CiphertextForRecipient), 24)
		require.NotEqual(t, make([]byte, 24), open(random.CiphertextForRecipient))
	})
}

// TestDocumentsAreVerifiedOnce counts, for every operation.
func TestDocumentsAreVerifiedOnce(t *testing.T) {
	t.Parallel()
	eachEnclave(t, func(t *testing.T, e *enclave) {
		for _, in := range e.requests(t, e.attest(t, nitro.Document{})) {
			e.verified.Store(0)
			succeeds(t, e.api, in)
			require.EqualValues(t, 1, e.verified.Load(), nameOf(in))
		}
		dry := &sdk.GenerateDataKeyInput{KeyId: &e.id, NumberOfBytes: aws.Int32(1), DryRun: aws.Bool(true), Recipient: e.attest(t, nitro.Document{})}
		refused(t, e.api, dry, "DryRunOperationException", wouldHave)
		// who is nobody, or asks for nothing, has nothing verified
		e.verified.Store(0)
		for _, in := range e.requests(t, e.attest(t, nitro.Document{})) {
			_, err := call(t.Context(), e.as(identity.Caller{Region: region}), in)
			require.Equal(t, "AccessDeniedException", codeOf(err))
			succeeds(t, e.api, in)
			e.verified.Add(-1)
		}
		_, err := call(t.Context(), e.api, &sdk.GenerateDataKeyInput{KeyId: aws.String(unknownID), NumberOfBytes: aws.Int32(1), Recipient: e.attest(t, nitro.Document{})})
		require.Equal(t, "NotFoundException", codeOf(err))
		require.Zero(t, e.verified.Load())
	})
}

func TestRefusedDocuments(t *testing.T) {
	t.Parallel()
	stranger, err := nitrotest.NewAuthority()
	require.NoError(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	eachEnclave(t, func(t *testing.T, e *enclave) {
		foreign, err := stranger.Attest(nitro.Document{PublicKey: publicDER(t, &enclaveKey().PublicKey)})
		require.NoError(t, err)
		keyless, err := e.authority.Attest(nitro.Document{})
		require.NoError(t, err)
		good := e.attest(t, nitro.Document{}).AttestationDocument
		for name, to := range map[string]*types.RecipientInfo{
			"no document":          recipientOf([]byte("x")),
			"a byte too many":      recipientOf(append(good[:len(good):len(good)], 0)),
			"an hour old":          e.attest(t, nitro.Document{Timestamp: time.Now().Add(-time.Hour)}),
			"of another authority": recipientOf(foreign),
			"no public key":        recipientOf(keyless),
			"another kind of key":  e.attest(t, nitro.Document{PublicKey: publicDER(t, &curve.PublicKey)}),
			"no key":               e.attest(t, nitro.Document{PublicKey: []byte("x")}),
		} {
			for _, in := range e.requests(t, to) {
				e.verified.Store(0)
				_, err := call(t.Context(), e.api, in)
				requireRefusal(t, err, "ValidationException", "The attestation document is not valid.")
				require.EqualValues(t, 1, e.verified.Load(), name)
				events := e.Events()
				require.Equal(t, "The attestation document is not valid.", events[len(events)-1].ErrorMessage)
				if strings.Contains(name, "key") {
					require.ErrorIs(t, err, nitro.ErrPublicKey, name)
					continue
				}
				var reason *nitro.DocumentError // in process, for who runs the service
				require.ErrorAs(t, err, &reason, name)
			}
		}
	})
}

func TestRecipientConstraints(t *testing.T) {
	t.Parallel()
	algorithm := types.KeyEncryptionMechanismRsaesOaepSha256
	eachEnclave(t, func(t *testing.T, e *enclave) {
		for _, row := range []struct {
			to   types.RecipientInfo
			want string
		}{
			{types.RecipientInfo{KeyEncryptionAlgorithm: algorithm}, one(null("recipient.attestationDocument"))},
			{types.RecipientInfo{AttestationDocument: []byte{}, KeyEncryptionAlgorithm: algorithm}, one(hidden("recipient.attestationDocument", "length greater than or equal to 1"))},
			{types.RecipientInfo{AttestationDocument: make([]byte, 262145), KeyEncryptionAlgorithm: algorithm},
				one(hidden("recipient.attestationDocument", "length less than or equal to 262144"))},
			{types.RecipientInfo{AttestationDocument: []byte("x")}, one(null("recipient.keyEncryptionAlgorithm"))},
			{types.RecipientInfo{AttestationDocument: []byte("x"), KeyEncryptionAlgorithm: "RSA"},
				"1 validation error detected: Value 'RSA' at 'recipient.keyEncryptionAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [RSAES_OAEP_SHA_256]"},
		} {
			for _, in := range e.requests(t, &row.to) {
				refused(t, e.api, in, "ValidationException", row.want)
			}
		}
		require.Zero(t, e.verified.Load())
	})
}

// TestRecipientsNeedAVerifier: without one, the member is refused and not ignored.
func TestRecipientsNeedAVerifier(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		e := &enclave{fixture: f}
		e.plantKeys(t)
		for _, in := range e.requests(t, recipientOf([]byte("x"))) {
			refused(t, f.api, in, "ValidationException", "Recipient cannot be used: this service verifies no attestation documents.")
		}
	})
}

// TestRecipientConditions has a user be allowed what runs in one image.
func TestRecipientConditions(t *testing.T) {
	t.Parallel()
	image, other, debug := make([]byte, 48), make([]byte, 48), make([]byte, 48)
	rand.Read(image)
	rand.Read(other)
	ours := map[int][]byte{0: image, 3: other, 17: image[:32]}
	for condition, matches := range map[string]bool{
		`{"StringEqualsIgnoreCase":{"kms:RecipientAttestation:ImageSha384":"` + strings.ToUpper(hex.EncodeToString(image)) + `"}}`: true,
		`{"StringEquals":{"kms:RecipientAttestation:PCR0":"` + hex.EncodeToString(image) + `"}}`:                                   true,
		`{"StringEquals":{"kms:RecipientAttestation:PCR3":"` + hex.EncodeToString(other) + `"}}`:                                   true,
		`{"StringEquals":{"kms:RecipientAttestation:PCR17":"` + hex.EncodeToString(image[:32]) + `"}}`:                             true,
		`{"StringEquals":{"kms:RecipientAttestation:PCR1":"` + hex.EncodeToString(image) + `"}}`:                                   false,
		`{"StringEquals":{"kms:RecipientAttestation:PCR3":"` + hex.EncodeToString(image) + `"}}`:                                   false,
		`{"Null":{"kms:RecipientAttestation:PCR1":"true","kms:RecipientAttestation:PCR3":"false"}}`:                                true,
		`{"Null":{"kms:RecipientAttestation:ImageSha384":"true"}}`:                                                                 false,
		`{"StringEqualsIgnoreCase":{"kms:RecipientAttestation:ImageSha384":"` + hex.EncodeToString(make([]byte, 48)) + `"}}`:       false,
		`{"StringNotEqualsIgnoreCase":{"kms:RecipientAttestation:ImageSha384":"` + hex.EncodeToString(make([]byte, 48)) + `"}}`:    true,
		`{"StringLike":{"kms:RecipientAttestation:PCR0":"*"},"StringNotLike":{"kms:RecipientAttestation:ImageSha384":"0000000*"}}`: true,
	} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			eachEnclave(t, func(t *testing.T, e *enclave) {
				policy := document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:*", when(condition)))
				for _, key := range []*string{&e.id, &e.keys.agreement} {
					succeeds(t, e.api, &sdk.PutKeyPolicyInput{KeyId: key, Policy: &policy})
				}
				ask := func(pcrs map[int][]byte) (codes []string) {
					for _, in := range e.requests(t, e.attest(t, nitro.Document{PCRs: pcrs})) {
						if reflect.ValueOf(in).Elem().FieldByName("KeyId").IsValid() {
							_, err := call(t.Context(), e.as(alice), in)
							codes = append(codes, codeOf(err))
						}
					}
					return codes
				}
				if matches {
					require.Subset(t, []string{""}, ask(ours))
				} else {
					require.Subset(t, []string{"AccessDeniedException"}, ask(ours))
				}
				if strings.Contains(condition, "StringEquals") && matches {
					require.Subset(t, []string{"AccessDeniedException"}, ask(map[int][]byte{0: debug, 1: image}))
				}
			})
		})
	}
	t.Run("no recipient", func(t *testing.T) {
		t.Parallel()
		eachEnclave(t, func(t *testing.T, e *enclave) {
			policy := document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:*", when(`{"Null":{"kms:RecipientAttestation:PCR0":"false"}}`)))
			succeeds(t, e.api, &sdk.PutKeyPolicyInput{KeyId: &e.id, Policy: &policy})
			_, err := call(t.Context(), e.as(alice), &sdk.GenerateDataKeyInput{KeyId: &e.id, NumberOfBytes: aws.Int32(1)})
			require.Equal(t, "AccessDeniedException", codeOf(err))
		})
	})
}
