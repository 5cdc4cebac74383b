package kms_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

// Emulators of AWS KMS make mistakes that programs come to rely on. Those that have been
// found in the source of three of them are subtests here, under their numbers in our
// notes: moto's are in motomistakes_test.go, and so on. The first list has what all of
// them do.

// mistake is one that another emulator makes, by the name of what is right.
type mistake struct {
	name string
	test func(t *testing.T, w *world)
}

// avoided checks that none of the mistakes is made, with both kinds of client.
func avoided(t *testing.T, mistakes []mistake) {
	t.Helper()
	for i, m := range mistakes {
		t.Run(fmt.Sprintf("%02d %s", i+1, m.name), func(t *testing.T) {
			t.Parallel()
			eachWorld(t, m.test)
		})
	}
}

// root returns a client of the account's root user.
func (w *world) root() kms.API { return w.as(root) }

// in returns that of the root user in another Region.
func (w *world) in(region string) kms.API { return w.as(root.In(region)) }

// made makes a key.
func (w *world) made(t *testing.T, in sdk.CreateKeyInput) *types.KeyMetadata {
	t.Helper()
	return do[sdk.CreateKeyOutput](t, w.root(), &in).KeyMetadata
}

// of makes a key of a spec and returns its ARN. RSA keys are quickly made.
func (w *world) of(t *testing.T, spec types.KeySpec, usage types.KeyUsageType) string {
	t.Helper()
	return putKey(t, w.service, newRecord(t, spec, usage))
}

func (w *world) describe(t *testing.T, key string) *types.KeyMetadata {
	t.Helper()
	return do[sdk.DescribeKeyOutput](t, w.root(), &sdk.DescribeKeyInput{KeyId: &key}).KeyMetadata
}

func TestMistakesOfAllEmulators(t *testing.T) {
	t.Parallel()
	avoided(t, []mistake{
		{"encryption contexts are framed", contextsAreFramed},
		{"KeyId is heeded on Decrypt", keyIDIsHeeded},
		{"ciphertexts are never the same", func(t *testing.T, w *world) {
			rsa := w.of(t, "RSA_2048", forEncryption)
			for _, in := range []*sdk.EncryptInput{
				{KeyId: &w.key, Plaintext: []byte("x")}, {KeyId: &rsa, Plaintext: []byte("x"), EncryptionAlgorithm: sha256OAEP},
			} {
				seen := map[string]bool{}
				for range 20 {
					seen[string(do[sdk.EncryptOutput](t, w.root(), in).CiphertextBlob)] = true
				}
				require.Len(t, seen, 20)
			}
		}},
		{"Verify and VerifyMac never answer false", falseIsAnException},
		{"RSA keys do RSA", rsaIsRSA},
		{"errors are of many types", errorsAreOfManyTypes},
		{"Decrypt is decided on the key of the ciphertext", decidedOnTheCiphertext},
		{"grants are enforced", grantsAreEnforced},
		{"import tokens are bound to their key", tokensAreBound},
	})
}

func contextsAreFramed(t *testing.T, w *world) {
	contexts := []map[string]string{
		{"ab": "c"}, {"a": "bc"}, {"abc": "x"}, {"a": "b", "c": "x"}, {"a": "bcx"}, {"a": "bc", "x": "y"}, {"a": "bcxy"}, {"x": "y", "a": "b", "c": "z"},
	}
	for i, sealed := range contexts {
		blob := w.encrypt(t, w.key, sealed)
		for j, opened := range contexts {
			in := &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: opened}
			if i == j {
				succeeds(t, w.root(), in)
				continue
			}
			refused(t, w.root(), in, "InvalidCiphertextException", "")
		}
	}
}

func keyIDIsHeeded(t *testing.T, w *world) {
	blob := w.encrypt(t, w.key, nil)
	succeeds(t, w.root(), &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &w.key})
	refused(t, w.root(), &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &w.other}, "IncorrectKeyException", incorrectKey)
	unknown := idOf(w.key)[:35] + "x"
	refused(t, w.root(), &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &unknown}, "NotFoundException", "Invalid keyId '"+unknown+"'")
}

func falseIsAnException(t *testing.T, w *world) {
	signing, authentication := w.of(t, "ECC_NIST_P256", forSigning), w.of(t, "HMAC_256", forAuthentication)
	signature := do[sdk.SignOutput](t, w.root(), &sdk.SignInput{KeyId: &signing, Message: []byte("a"), SigningAlgorithm: "ECDSA_SHA_256"}).Signature
	mac := do[sdk.GenerateMacOutput](t, w.root(), &sdk.GenerateMacInput{KeyId: &authentication, Message: []byte("a"), MacAlgorithm: "HMAC_SHA_256"}).Mac
	refused(t, w.root(), &sdk.VerifyInput{KeyId: &signing, Message: []byte("b"), Signature: signature, SigningAlgorithm: "ECDSA_SHA_256"}, "KMSInvalidSignatureException", "")
	refused(t, w.root(), &sdk.VerifyInput{KeyId: &signing, Message: []byte("a"), Signature: []byte("b"), SigningAlgorithm: "ECDSA_SHA_256"}, "KMSInvalidSignatureException", "")
	refused(t, w.root(), &sdk.VerifyMacInput{KeyId: &authentication, Message: []byte("b"), Mac: mac, MacAlgorithm: "HMAC_SHA_256"}, "KMSInvalidMacException", "")
}

// rsaIsRSA decrypts outside what the engine has encrypted, and has it decrypt what was
// encrypted outside.
func rsaIsRSA(t *testing.T, w *world) {
	key := w.of(t, "RSA_2048", forEncryption)
	parsed, err := x509.ParsePKCS8PrivateKey(generated(t, "RSA_2048"))
	require.NoError(t, err)
	private := parsed.(*rsa.PrivateKey)
	out := do[sdk.EncryptOutput](t, w.root(), &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret"), EncryptionAlgorithm: sha256OAEP})
	require.Len(t, out.CiphertextBlob, 256)
	plaintext, err := rsa.DecryptOAEP(sha256.New(), nil, private, out.CiphertextBlob, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plaintext))

	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &private.PublicKey, []byte("outside"), nil)
	require.NoError(t, err)
	opened := do[sdk.DecryptOutput](t, w.root(), &sdk.DecryptInput{KeyId: &key, CiphertextBlob: sealed, EncryptionAlgorithm: sha256OAEP})
	require.Equal(t, "outside", string(opened.Plaintext))
}

func errorsAreOfManyTypes(t *testing.T, w *world) {
	blob, id, alias := w.encrypt(t, w.key, nil), idOf(w.other), "alias/app"
	signing := w.of(t, "ECC_NIST_P256", forSigning)
	succeeds(t, w.root(), &sdk.DisableKeyInput{KeyId: &w.other})
	gone := *w.made(t, sdk.CreateKeyInput{}).Arn
	succeeds(t, w.root(), &sdk.ScheduleKeyDeletionInput{KeyId: &gone})
	malformed, unknown, garbage := "arn:aws:s3:::b", unknownID, "garbage"
	codes := map[string]bool{}
	for want, in := range map[string]any{
		"AlreadyExistsException":        &sdk.CreateAliasInput{AliasName: &alias, TargetKeyId: &w.key},
		"DisabledException":             &sdk.EncryptInput{KeyId: &id, Plaintext: blob},
		"IncorrectKeyException":         &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &signing},
		"InvalidArnException":           &sdk.DescribeKeyInput{KeyId: &malformed},
		"InvalidCiphertextException":    &sdk.DecryptInput{CiphertextBlob: flip(blob, 8*len(blob)-1)},
		"InvalidGrantTokenException":    &sdk.EncryptInput{KeyId: &w.key, Plaintext: blob, GrantTokens: []string{garbage}},
		"InvalidKeyUsageException":      &sdk.EncryptInput{KeyId: &signing, Plaintext: blob},
		"InvalidMarkerException":        &sdk.ListKeysInput{Marker: &garbage},
		"KMSInvalidStateException":      &sdk.EncryptInput{KeyId: &gone, Plaintext: blob},
		"NotFoundException":             &sdk.DescribeKeyInput{KeyId: &unknown},
		"TagException":                  &sdk.TagResourceInput{KeyId: &w.key, Tags: tags("a=1", "a=2")},
		"UnsupportedOperationException": &sdk.GetPublicKeyInput{KeyId: &w.key},
		"ValidationException":           &sdk.EncryptInput{KeyId: &w.key, Plaintext: make([]byte, 4097)},
	} {
		_, err := call(t.Context(), w.root(), in)
		require.Equal(t, want, codeOf(err))
		codes[codeOf(err)] = true
	}
	require.Len(t, codes, 13)
}

// decidedOnTheCiphertext has a user who may use one key and sends a ciphertext of the
// other one.
func decidedOnTheCiphertext(t *testing.T, w *world) {
	w.attach(bobby.Principal, allowing(t, own("Allow", "kms:*", w.other)))
	api, blob := w.as(bobby), w.encrypt(t, w.key, nil)
	succeeds(t, api, &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.other, nil)})
	denied(t, api, bobby, &sdk.DecryptInput{CiphertextBlob: blob}, "kms:Decrypt", w.key, noPolicy("identity-based policy", "kms:Decrypt"))
	denied(t, api, bobby, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &w.other}, "kms:ReEncryptFrom", w.key,
		noPolicy("identity-based policy", "kms:ReEncryptFrom"))
	refused(t, api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &w.other}, "IncorrectKeyException", incorrectKey)
	refused(t, api, &sdk.ReEncryptInput{CiphertextBlob: blob, SourceKeyId: &w.other, DestinationKeyId: &w.other}, "IncorrectKeyException", incorrectKey)
}

func grantsAreEnforced(t *testing.T, w *world) {
	api, tenant := w.as(bobby), map[string]string{"tenant": "1"}
	decrypt := &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.key, tenant), EncryptionContext: tenant}
	other := &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.key, nil)}
	encrypt := &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), EncryptionContext: tenant}
	requireDenied := func(c identity.Caller, in any, action string) {
		t.Helper()
		denied(t, w.as(c), c, in, action, w.key, noPolicy("identity-based policy", action))
	}
	requireDenied(bobby, decrypt, "kms:Decrypt")
	id, _ := grantFor(t, w.root(), w.key, bobby.Principal, func(in *sdk.CreateGrantInput) {
		in.Constraints = &types.GrantConstraints{EncryptionContextEquals: tenant}
	}, opDecrypt)
	succeeds(t, api, decrypt)
	requireDenied(bobby, other, "kms:Decrypt")
	requireDenied(bobby, encrypt, "kms:Encrypt")
	requireDenied(alice, decrypt, "kms:Decrypt")
	succeeds(t, w.root(), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id})
	requireDenied(bobby, decrypt, "kms:Decrypt")
}

func tokensAreBound(t *testing.T, w *world) {
	one, two := w.made(t, sdk.CreateKeyInput{Origin: types.OriginTypeExternal}), w.made(t, sdk.CreateKeyInput{Origin: types.OriginTypeExternal})
	i := importerFor(t, w.root(), *one.KeyId, oaep256, rsa2048)
	in := i.imported(t, random(32))
	in.KeyId = two.KeyId
	_, err := call(t.Context(), w.root(), in)
	require.Equal(t, "InvalidImportTokenException", codeOf(err))
	in.KeyId = one.KeyId
	succeeds(t, w.root(), in)
}
