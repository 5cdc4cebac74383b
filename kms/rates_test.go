package kms_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

const tooFast = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."

// paced is a fixture whose clients are held to rates.
func paced(t *testing.T, rates kms.Rates) *fixture {
	t.Helper()
	f := &fixture{}
	f.Cloud = kmstest.New(t, &kmstest.Options{Configure: func(c *kms.Config) { c.Rates = rates }})
	f.arn = f.Seed(kmstest.Key{Alias: "alias/app"})
	f.id = idOf(f.arn)
	f.api = f.Client(f.Root())
	return f
}

// admits makes the request until it is throttled and returns how often it was not.
func admits(t *testing.T, api kms.API, in any) (n int) {
	t.Helper()
	for ; n < 100; n++ {
		_, err := call(t.Context(), api, in)
		if codeOf(err) == "ThrottlingException" {
			requireRefusal(t, err, "ThrottlingException", tooFast)
			return n
		}
	}
	require.Fail(t, "nothing limits "+nameOf(in))
	return n
}

func encryptBy(key string) *sdk.EncryptInput {
	return &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")}
}

func TestNothingIsLimitedByDefault(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for range 200 {
		succeeds(t, f.api, &sdk.ListKeysInput{})
	}
}

func TestBucketsFillUp(t *testing.T) {
	t.Parallel()
	f := paced(t, kms.Rates{"ListKeys": 5, "DescribeKey": 0.25})
	list, describe := &sdk.ListKeysInput{}, &sdk.DescribeKeyInput{KeyId: &f.id}
	require.Equal(t, 5, admits(t, f.api, list))
	require.Equal(t, 1, admits(t, f.api, describe), "operations are counted apart")
	succeeds(t, f.api, &sdk.ListAliasesInput{})
	require.Equal(t, 0, admits(t, f.api, list))
	f.Advance(199 * time.Millisecond)
	require.Equal(t, 0, admits(t, f.api, list))
	f.Advance(time.Millisecond)
	require.Equal(t, 1, admits(t, f.api, list))
	for range 10 { // in steps that no float64 adds up exactly
		f.Advance(20 * time.Millisecond)
	}
	require.Equal(t, 1, admits(t, f.api, list))
	f.Advance(3799 * time.Millisecond)
	f.Advance(-600 * time.Millisecond) // requests overtake each other
	require.Equal(t, 5, admits(t, f.api, list))
	f.Advance(600*time.Millisecond - 200*time.Millisecond)
	require.Equal(t, 2, admits(t, f.api, list))
	f.Advance(-24 * time.Hour) // the clock is set back
	require.Equal(t, 0, admits(t, f.api, list))
	f.Advance(400 * time.Millisecond)
	require.Equal(t, 2, admits(t, f.api, list))
	f.Advance(time.Hour)
	require.Equal(t, 5, admits(t, f.api, list), "a bucket holds a second's requests")
	require.Equal(t, 0, admits(t, f.api, describe), "which has seen the clock set back only now")
	f.Advance(4 * time.Second)
	require.Equal(t, 1, admits(t, f.api, describe))
}

// TestCallersAreCounted, not the owners of keys, by account and Region; a service by its
// name.
func TestCallersAreCounted(t *testing.T) {
	t.Parallel()
	f := paced(t, kms.Rates{kms.RateSymmetric: 2})
	s3 := serviceCaller(t, s3Name, "")
	policy := document(statement("Allow", account, "kms:*"), statement("Allow", otherAccount, "kms:*"), `{"Effect":"Allow","Principal":{"Service":"`+s3Name+`"},"Action":"kms:*","Resource":"*"}`)
	succeeds(t, f.api, &sdk.PutKeyPolicyInput{KeyId: &f.id, Policy: &policy})
	require.Equal(t, 2, admits(t, f.api, encryptBy(f.arn)))
	require.Equal(t, 0, admits(t, f.Client(alice), encryptBy(f.arn)), "a user counts for the account, allowed or not")
	require.Equal(t, 2, admits(t, f.Client(theirs), encryptBy(f.arn)))
	require.Equal(t, 2, admits(t, f.Client(s3), encryptBy(f.arn)))
	require.Equal(t, 2, admits(t, f.Client(root.In("eu-west-1")), &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1)}))
	_, err := call(t.Context(), f.Client(identity.Caller{}), encryptBy(f.arn))
	require.Equal(t, "AccessDeniedException", codeOf(err))
}

// TestClassesOfKeys has each class be counted by itself, over all its operations.
func TestClassesOfKeys(t *testing.T) {
	t.Parallel()
	rates := kms.Rates{kms.RateSymmetric: 7, kms.RateECC: 6, kms.RateRSA: 3, kms.RateMLDSA: 2, kms.RateMLKEM: 4}
	f := paced(t, rates)
	blob := f.plant(t, "x", nil) // one of the symmetric ones
	f.plantKeys(t)               // Sign, GenerateMac and Encapsulate, each once
	rsa, dsa := f.newKey(t, "RSA_2048", forEncryption), f.newKey(t, "ML_DSA_44", forSigning)
	hmac := &sdk.VerifyMacInput{KeyId: &f.keys.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256", Mac: f.keys.mac}
	sign := &sdk.SignInput{KeyId: &f.keys.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"}
	agree := &sdk.DeriveSharedSecretInput{KeyId: &f.keys.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: f.keys.peer}
	for range 2 {
		succeeds(t, f.api, hmac)
		succeeds(t, f.api, sign)
		succeeds(t, f.api, agree)
	}
	require.Equal(t, 1, admits(t, f.api, agree)) // after 5
	require.Equal(t, 0, admits(t, f.api, sign))
	require.Equal(t, 3, admits(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob})) // after 4
	require.Equal(t, 0, admits(t, f.api, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1)}))
	require.Equal(t, 0, admits(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id}))
	require.Equal(t, 3, admits(t, f.api, &sdk.EncryptInput{KeyId: &rsa, Plaintext: []byte("x"), EncryptionAlgorithm: "RSAES_OAEP_SHA_256"}))
	require.Equal(t, 2, admits(t, f.api, &sdk.SignInput{KeyId: &dsa, Message: messageOfTests, SigningAlgorithm: "ML_DSA_SHAKE_256"}))
	require.Equal(t, 3, admits(t, f.api, &sdk.EncapsulateInput{KeyId: &f.keys.encapsulation, EncapsulationAlgorithm: "ML_KEM"})) // after 1
	for range 20 {                                                                                                               // the key is not used
		succeeds(t, f.api, &sdk.GetPublicKeyInput{KeyId: &rsa})
		succeeds(t, f.api, &sdk.DescribeKeyInput{KeyId: &f.id})
	}
}

// TestReEncryptOfTwoClasses takes from both or from none.
func TestReEncryptOfTwoClasses(t *testing.T) {
	t.Parallel()
	f := paced(t, kms.Rates{kms.RateSymmetric: 10, kms.RateRSA: 2})
	rsa, blob := f.newKey(t, "RSA_2048", forEncryption), f.plant(t, "x", nil)
	in := &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &rsa, DestinationEncryptionAlgorithm: "RSAES_OAEP_SHA_256"}
	require.Equal(t, 2, admits(t, f.api, in))
	require.Equal(t, 0, admits(t, f.api, in))
	succeeds(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id}) // one of one class
	require.Equal(t, 6, admits(t, f.api, encryptBy(f.id)))
}

// TestEachRequestIsCountedOnce, however often it is decided, and dry runs like any other.
func TestEachRequestIsCountedOnce(t *testing.T) {
	t.Parallel()
	f := paced(t, kms.Rates{"GenerateDataKeyPair (ECC_NIST_P256)": 4, "GenerateDataKeyPair (ECC_NIST_P384)": 1, kms.RateSymmetric: 3, "CreateKey": 5, "ReplicateKey": 5})
	pair := &sdk.GenerateDataKeyPairInput{KeyId: &f.id, KeyPairSpec: "ECC_NIST_P256"}
	succeeds(t, f.api, &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &f.id, KeyPairSpec: "ECC_NIST_P256"})
	require.Equal(t, 3, admits(t, f.api, pair))
	pair.KeyPairSpec = "ECC_NIST_P384"
	require.Equal(t, 1, admits(t, f.api, pair))
	dry := encryptBy(f.id)
	dry.DryRun = aws.Bool(true)
	refused(t, f.api, dry, "DryRunOperationException", wouldHave)
	refused(t, f.Client(alice), encryptBy(f.arn), "AccessDeniedException", denial(alice, "kms:Encrypt", f.arn, "identity-based"))
	refused(t, f.api, encryptBy(unknownID), "NotFoundException", "Key 'arn:aws:kms:us-east-1:111122223333:key/"+unknownID+"' does not exist") // no class
	require.Equal(t, 1, admits(t, f.api, encryptBy(f.id)))

	// a key of a slow spec is decided twice; a replica is three requests
	primary := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{KeySpec: "ECC_NIST_P256", KeyUsage: forSigning, MultiRegion: aws.Bool(true)}).KeyMetadata.Arn
	succeeds(t, f.api, &sdk.ReplicateKeyInput{KeyId: primary, ReplicaRegion: aws.String("eu-west-1")})
	require.Equal(t, 2, admits(t, f.api, &sdk.CreateKeyInput{}))
	refused(t, f.api, &sdk.ReplicateKeyInput{KeyId: primary, ReplicaRegion: aws.String("eu-west-2")}, "ThrottlingException", tooFast)
	f.Advance(200 * time.Millisecond)
	succeeds(t, f.api, &sdk.ReplicateKeyInput{KeyId: primary, ReplicaRegion: aws.String("eu-west-2")}) // with one token for two, which is owed
	f.Advance(200 * time.Millisecond)
	require.Equal(t, 0, admits(t, f.api, &sdk.CreateKeyInput{}))
	f.Advance(200 * time.Millisecond)
	require.Equal(t, 1, admits(t, f.api, &sdk.CreateKeyInput{}))
}

func TestOperationsOfCryptographyCanBeLimitedToo(t *testing.T) {
	t.Parallel()
	f := paced(t, kms.Rates{"Encrypt": 1, kms.RateSymmetric: 3})
	require.Equal(t, 1, admits(t, f.api, encryptBy(f.id)))
	require.Equal(t, 2, admits(t, f.api, &sdk.GenerateDataKeyInput{KeyId: &f.id, NumberOfBytes: aws.Int32(1)}))
}

// TestKeyStoresAreCounted each for itself, for all accounts together.
func TestKeyStoresAreCounted(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false, func(c *kms.Config) { c.Rates = kms.Rates{kms.RateCustomKeyStore: 3, kms.RateSymmetric: 1} })
	one := f.createConnected(t, f.externalStore("one"))
	key := f.createKey(t, externalKey(one, "key-1"))
	policy := document(statement("Allow", account, "kms:*"), statement("Allow", otherAccount, "kms:*"))
	succeeds(t, f.api, &sdk.PutKeyPolicyInput{KeyId: &key, Policy: &policy})
	succeeds(t, f.Client(theirs), encryptBy(key))
	require.Equal(t, 2, admits(t, f.api, encryptBy(key)))
	require.Equal(t, 0, admits(t, f.Client(theirs), encryptBy(key)))
	require.Equal(t, 1, admits(t, f.api, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1)}))
}

// TestThrottlingIsRecorded, and comes before the request is looked at.
func TestThrottlingIsRecorded(t *testing.T) {
	t.Parallel()
	f := paced(t, kms.Rates{"ListKeys": 1})
	succeeds(t, f.api, &sdk.ListKeysInput{})
	refused(t, f.api, &sdk.ListKeysInput{Limit: aws.Int32(0)}, "ThrottlingException", tooFast)
	events := f.Events()
	require.Equal(t, "ThrottlingException", events[len(events)-1].ErrorCode)
	require.Equal(t, tooFast, events[len(events)-1].ErrorMessage)
	f.Advance(time.Second)
	out, err := f.SDK().ListKeys(t.Context(), nil) // the SDK's client has it by its code
	require.NoError(t, err)
	require.Len(t, out.Keys, 1)
}

func TestDefaultRates(t *testing.T) {
	t.Parallel()
	rates := kms.DefaultRates()
	for name, want := range map[string]float64{
		kms.RateSymmetric: 5500, kms.RateRSA: 1000, kms.RateCustomKeyStore: 1800, "CreateKey": 5, "DescribeKey": 2000, "GetParametersForImport": 0.25,
		"GenerateDataKeyPair (RSA_4096)": 0.1, "GenerateDataKeyPair (ECC_NIST_P256)": 25, "EnableKeyRotation": 15, "UpdateAlias": 5, "GetKeyLastUsage": 5,
	} {
		require.Equal(t, want, rates[name], name)
	}
	for _, spec := range keyspec.All() {
		_, ok := rates["GenerateDataKeyPair ("+spec.Name()+")"]
		require.Equal(t, spec.DataKeyPair(), ok, spec.Name())
	}
	cryptography := []string{"GenerateRandom"}
	for _, o := range types.KeyLastUsageTrackingOperation("").Values() {
		cryptography = append(cryptography, string(o))
	}
	for _, op := range kms.Operations() {
		_, ok := rates[op.Name()]
		require.Equal(t, !slices.Contains(cryptography, op.Name()), ok, op.Name())
	}
	rates["CreateKey"] = 1
	require.Equal(t, 5.0, kms.DefaultRates()["CreateKey"], "the map is the caller's")
	f := paced(t, kms.DefaultRates())
	require.Equal(t, 5, admits(t, f.api, &sdk.CreateKeyInput{}))
}

func TestRefusedRates(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Encript": "neither an operation nor a class", "": "neither an operation nor a class", "GenerateDataKeyPair (SM2)": "neither an operation nor a class",
	} {
		_, err := kms.New(t.Context(), kms.Config{Rates: kms.Rates{name: 1}})
		require.ErrorContains(t, err, want, name)
	}
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := kms.New(t.Context(), kms.Config{Rates: kms.Rates{"Encrypt": rate}})
		require.ErrorContains(t, err, "is no rate for Encrypt")
	}
	rates := kms.Rates{"ListKeys": 2}
	f := paced(t, rates)
	maps.DeleteFunc(rates, func(name string, _ float64) bool { return strings.HasPrefix(name, "List") })
	require.Equal(t, 2, admits(t, f.api, &sdk.ListKeysInput{}), "the map was copied")
}
