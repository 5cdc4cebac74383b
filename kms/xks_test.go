package kms_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// TestExternalKey takes a key through its life.
func TestExternalKey(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id := f.createConnected(t, f.externalStore("s"))
		created := do[sdk.CreateKeyOutput](t, f.api, externalKey(id, "key-1")).KeyMetadata
		want := &types.KeyMetadata{
			AWSAccountId:          aws.String(account),
			Arn:                   created.Arn,
			CreationDate:          aws.Time(f.Now()),
			CustomKeyStoreId:      &id,
			CustomerMasterKeySpec: "SYMMETRIC_DEFAULT", //lint:ignore SA1019 AWS still sends it
			Description:           aws.String(""),
			Enabled:               true,
			EncryptionAlgorithms:  []types.EncryptionAlgorithmSpec{"SYMMETRIC_DEFAULT"},
			KeyId:                 created.KeyId,
			KeyManager:            types.KeyManagerTypeCustomer,
			KeySpec:               types.KeySpecSymmetricDefault,
			KeyState:              types.KeyStateEnabled,
			KeyUsage:              types.KeyUsageTypeEncryptDecrypt,
			MultiRegion:           aws.Bool(false),
			Origin:                types.OriginTypeExternalKeyStore,
			XksKeyConfiguration:   &types.XksKeyConfigurationType{Id: aws.String("key-1")},
		}
		require.Equal(t, want, created)
		key := created.Arn

		f.disconnect(t, id)
		want.KeyState, want.Enabled = types.KeyStateUnavailable, false
		require.Equal(t, want, do[sdk.DescribeKeyOutput](t, f.api, &sdk.DescribeKeyInput{KeyId: key}).KeyMetadata)
		refused(t, f.api, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x")}, "KMSInvalidStateException", proxyText("Q"))
		refused(t, f.api, externalKey(id, "key-2"), "CustomKeyStoreInvalidStateException", proxyText("Q"))
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: key})
		require.Equal(t, types.KeyStatePendingDeletion, f.state(t, *key))
		succeeds(t, f.api, &sdk.CancelKeyDeletionInput{KeyId: key})
		require.Equal(t, types.KeyStateUnavailable, f.state(t, *key))
		f.connect(t, id)
		require.Equal(t, types.KeyStateDisabled, f.state(t, *key))
		refused(t, f.api, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x")}, "DisabledException", *key+" is disabled.")
	})
}

var externalContexts = []map[string]string{nil, {"a": "b"}, {"k": strings.Repeat("v", 8191)}}

func TestExternalRoundTrips(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		key := f.createKey(t, externalKey(f.createConnected(t, f.externalStore("s")), "key-1"))
		material := ""
		for _, context := range externalContexts {
			for _, n := range []int{1, 15, 16, 17, 32, 1024, 4095, 4096} {
				plaintext := bytes.Repeat([]byte{byte(n)}, n)
				e := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: plaintext, EncryptionContext: context})
				require.Equal(t, key, *e.KeyId)
				require.Equal(t, symmetric, e.EncryptionAlgorithm)
				require.LessOrEqual(t, len(e.CiphertextBlob), 6144)
				require.LessOrEqual(t, len(e.CiphertextBlob)-54-xks.MaxOverhead-n, 204)
				d := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: e.CiphertextBlob, EncryptionContext: context})
				material = *d.KeyMaterialId
				require.Equal(t, &sdk.DecryptOutput{KeyId: &key, EncryptionAlgorithm: symmetric, KeyMaterialId: &material, Plaintext: plaintext}, d)
			}
		}
		for _, in := range []*sdk.GenerateDataKeyInput{{KeySpec: "AES_128"}, {KeySpec: "AES_256"}, {NumberOfBytes: aws.Int32(1)}, {NumberOfBytes: aws.Int32(1024)}} {
			in.KeyId, in.EncryptionContext = &key, externalContexts[1]
			g := do[sdk.GenerateDataKeyOutput](t, f.api, in)
			require.Equal(t, key, *g.KeyId)
			require.Equal(t, material, *g.KeyMaterialId)
			d := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: g.CiphertextBlob, EncryptionContext: externalContexts[1]})
			require.Equal(t, d.Plaintext, g.Plaintext) // the key that is given out is the one that is encrypted
			again := do[sdk.GenerateDataKeyOutput](t, f.api, in)
			require.NotEqual(t, g.CiphertextBlob, again.CiphertextBlob)
			if in.NumberOfBytes == nil || *in.NumberOfBytes > 1 {
				require.NotEqual(t, g.Plaintext, again.Plaintext)
			}
			w := do[sdk.GenerateDataKeyWithoutPlaintextOutput](t, f.api, &sdk.GenerateDataKeyWithoutPlaintextInput{
				KeyId: &key, KeySpec: in.KeySpec, NumberOfBytes: in.NumberOfBytes,
			})
			hidden := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: w.CiphertextBlob}).Plaintext
			require.Len(t, hidden, len(g.Plaintext))
			if len(hidden) > 1 {
				require.NotEqual(t, make([]byte, len(hidden)), hidden) // wiped too early
			}
		}
	})
}

// TestExternalReEncrypt goes from and to keys of every place.
func TestExternalReEncrypt(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		store := f.createConnected(t, f.externalStore("s"))
		keys := []string{
			f.arn, f.createKey(t, externalKey(store, "key-1")), f.createKey(t, externalKey(store, "key-2")),
			f.createKey(t, hsmKey(f.createConnected(t, f.hsmStore("h")))),
		}
		before, after := map[string]string{"a": "b"}, map[string]string{"c": "d"}
		for _, from := range keys {
			for _, to := range keys {
				blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &from, Plaintext: []byte("secret"), EncryptionContext: before}).CiphertextBlob
				moved := do[sdk.ReEncryptOutput](t, f.api, &sdk.ReEncryptInput{
					CiphertextBlob: blob, DestinationKeyId: &to, SourceEncryptionContext: before, DestinationEncryptionContext: after,
				})
				require.Equal(t, from, *moved.SourceKeyId)
				require.Equal(t, to, *moved.KeyId)
				d := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: moved.CiphertextBlob, EncryptionContext: after})
				require.Equal(t, "secret", string(d.Plaintext))
				require.Equal(t, *moved.DestinationKeyMaterialId, *d.KeyMaterialId)
			}
		}
	})
}

// TestEveryFlippedBitOfAnExternalBlob alters a blob in each place.
func TestEveryFlippedBitOfAnExternalBlob(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	key := f.createKey(t, externalKey(f.createConnected(t, f.externalStore("s")), "key-1"))
	blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret")}).CiphertextBlob
	// where the proxy's part has its metadata of 4 bytes, its IV of 12 and its tag of 16
	const outer, iv, tag = 54, 54 + 2 + 4 + 1, 54 + 2 + 4 + 1 + 12
	answers := map[string]int{}
	for bit := range 8 * len(blob) {
		altered := bytes.Clone(blob)
		altered[bit/8] ^= 1 << (bit % 8)
		_, err := call(t.Context(), f.api, &sdk.DecryptInput{CiphertextBlob: altered, KeyId: &key})
		code, message := codeOf(err), ""
		switch at := bit / 8; {
		case at < 6: // another format
			code, message = "InvalidCiphertextException", ""
		case at < outer && code == "IncorrectKeyException": // another key
			message = "The key ID in the request does not identify a CMK that can perform this operation."
		case at < outer: // an account or a key id of another form
			code, message = "InvalidCiphertextException", ""
		case at == outer, at == outer+1 && code == "InvalidCiphertextException", at == iv-1 && code == "InvalidCiphertextException":
			code, message = "InvalidCiphertextException", "" // other lengths
		default:
			code, message = "KMSInvalidStateException", proxyText("E")
		}
		requireRefusal(t, err, code, message)
		answers[code]++
	}
	require.Positive(t, answers["IncorrectKeyException"])
	require.Greater(t, answers["KMSInvalidStateException"], 8*(len(blob)-tag))
	for n := range blob {
		_, err := call(t.Context(), f.api, &sdk.DecryptInput{CiphertextBlob: blob[:n], KeyId: &key})
		require.Error(t, err, "%d bytes", n)
	}
	_, err := call(t.Context(), f.api, &sdk.DecryptInput{CiphertextBlob: append(blob, 0), KeyId: &key})
	requireRefusal(t, err, "KMSInvalidStateException", proxyText("E"))
	refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: map[string]string{"a": "b"}}, "KMSInvalidStateException", proxyText("E"))
}

// wiretap notes what goes to the proxy and comes from it.
type wiretap struct {
	mu         sync.Mutex
	plaintexts [][]byte // that the proxy encrypted
	aads       [][]byte
	next       http.RoundTripper
}

func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	var request struct {
		Plaintext []byte `json:"plaintext"`
		AAD       []byte `json:"additionalAuthenticatedData"`
	}
	if err := json.NewDecoder(body).Decode(&request); err != nil {
		return nil, err
	}
	w.mu.Lock()
	if request.Plaintext != nil {
		w.plaintexts = append(w.plaintexts, request.Plaintext)
		w.aads = append(w.aads, request.AAD)
	}
	w.mu.Unlock()
	return w.next.RoundTrip(r)
}

// TestBothLayersAreNeeded looks at what the proxy gets, and tries each layer alone.
func TestBothLayersAreNeeded(t *testing.T) {
	t.Parallel()
	f, sealed := newOpenStoreFixture(t)
	tap := &wiretap{next: f.proxy.RoundTripper()}
	f.change(func(s *surroundings) { s.way = tap })
	id := f.createConnected(t, f.externalStore("s"))
	key, other := f.createKey(t, externalKey(id, "key-1")), f.createKey(t, externalKey(id, "key-2"))
	context := map[string]string{"tenant": "42"}
	encrypt := func(key string) (outer, inner []byte) {
		e := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("PLAINTEXT-marker"), EncryptionContext: context})
		return e.CiphertextBlob, tap.plaintexts[len(tap.plaintexts)-1]
	}
	outer, inner := encrypt(key)
	require.Equal(t, "\x01\x02\x02\x00\x78\x02"+account+idOf(key), string(outer[:54]))

	// the proxy gets a blob of the key's own material, and nothing in the clear
	require.NotContains(t, string(inner), "marker")
	require.NotContains(t, string(tap.aads[0]), "42")
	require.Equal(t, sha256.Sum256(associated(string(outer[:54]), context)), [32]byte(tap.aads[0]))
	k := recordOf(t, sealed, key)
	require.Equal(t, "PLAINTEXT-marker", blobKey{account, idOf(key), k.Materials[0].Bytes}.open(t, inner, context))

	// the inner layer alone is no ciphertext of the key, even for who has seen it
	refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: inner, EncryptionContext: context}, "InvalidCiphertextException", "")
	refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: inner, SourceEncryptionContext: context, DestinationKeyId: &f.id}, "InvalidCiphertextException", "")
	// nor is the outer form one of a key that is not external
	foreign := bytes.Replace(outer, []byte(idOf(key)), []byte(f.id), 1)
	refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: foreign, EncryptionContext: context}, "InvalidCiphertextException", "")
	foreign = bytes.Replace(outer, []byte(idOf(key)), []byte(idOf(other)), 1)
	refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: foreign, EncryptionContext: context}, "KMSInvalidStateException", proxyText("E"))

	// a proxy that answers with something else than it was given
	_, another := encrypt(other)
	for name, lie := range map[string][]byte{
		"inner blob of another key": another,
		"the plaintext":             []byte("PLAINTEXT-marker" + strings.Repeat(" ", len(inner)-16)),
		"altered inner blob":        flip(inner, 8*len(inner)-1),
		"an outer blob":             outer[:len(inner)],
		"zeros":                     make([]byte, len(inner)),
	} {
		require.Len(t, lie, len(inner))
		f.proxy.Fail(xkstest.Alter("plaintext", lie))
		_, err := call(t.Context(), f.api, &sdk.DecryptInput{CiphertextBlob: outer, EncryptionContext: context})
		requireRefusal(t, err, "KMSInvalidStateException", proxyText("R"))
		require.NotContains(t, err.Error(), "marker", name)
	}
	f.proxy.Fail(xkstest.Alter("plaintext", inner[1:]))
	refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: outer, EncryptionContext: context}, "KMSInvalidStateException", proxyText("A"))
	f.proxy.Fail(xkstest.WrongIntegrity())
	refused(t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")}, "KMSInvalidStateException", proxyText("A"))
	f.proxy.Fail(nil)

	// a proxy whose key is another one now
	f.proxy.AddKey("key-1")
	refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: outer, EncryptionContext: context}, "KMSInvalidStateException", proxyText("E"))
	f.proxy.RemoveKey("key-1")
	refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: outer, EncryptionContext: context}, "KMSInvalidStateException", proxyText("H"))
}

// newOpenStoreFixture is newStoreFixture for one whose records can be read.
func newOpenStoreFixture(t *testing.T) (*storeFixture, *store.Sealed) {
	t.Helper()
	f := newStoreFixture(t, false)
	sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
	require.NoError(t, err)
	service, err := kms.New(t.Context(), kms.Config{Store: sealed, XKS: f.surroundings, XKSTimeout: time.Minute, CloudHSM: f.cluster, Now: f.Now})
	require.NoError(t, err)
	f.api = service.Client(f.Root())
	f.arn = f.createKey(t, &sdk.CreateKeyInput{})
	f.id = idOf(f.arn)
	return f, sealed
}

// recordOf returns the record of a key.
func recordOf(t *testing.T, s store.Store, key string) *keyrecord.Key {
	t.Helper()
	k, err := keyrecord.UnmarshalKey([]byte(dump(t, s)[keyrecord.KeyName(account, region, idOf(key))]))
	require.NoError(t, err)
	return k
}

// TestRotationOfTheExternalKey is the proxy's own business.
func TestRotationOfTheExternalKey(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, true)
	key := f.createKey(t, externalKey(f.createConnected(t, f.externalStore("s")), "key-1"))
	var blobs [][]byte
	for range 3 {
		blobs = append(blobs, do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret")}).CiphertextBlob)
		f.proxy.RotateKey("key-1")
	}
	for _, b := range blobs {
		require.Equal(t, "secret", string(do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: b}).Plaintext))
	}
}

// TestOneExternalKeyTwice has it in one store, in two, and again when the first is gone.
func TestOneExternalKeyTwice(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id, other := f.createConnected(t, f.externalStore("s")), f.createConnected(t, f.externalStore("t"))
		key := f.createKey(t, externalKey(id, "key-1"))
		taken := func() {
			t.Helper()
			f.unchanged(t, func() {
				refused(t, f.api, externalKey(id, "key-1"), "XksKeyAlreadyInUseException",
					"The external key key-1 is already associated with a KMS key in the custom key store "+id+".")
			})
		}
		taken()
		twin := f.createKey(t, externalKey(other, "key-1"))
		blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret")}).CiphertextBlob
		forged := bytes.Replace(blob, []byte(idOf(key)), []byte(idOf(twin)), 1)
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: forged}, "KMSInvalidStateException", proxyText("E"))

		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &key, PendingWindowInDays: aws.Int32(7)})
		taken()
		f.Advance(7 * day)
		successor := f.createKey(t, externalKey(id, "key-1"))
		forged = bytes.Replace(blob, []byte(idOf(key)), []byte(idOf(successor)), 1)
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: forged}, "KMSInvalidStateException", proxyText("E"))
		taken()
	})
}

// TestWhatProxiesAreTold checks the metadata of requests, and that they are signed for
// the Region of the key.
func TestWhatProxiesAreTold(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	f.proxy.Region = region
	var told []xks.Call
	var keys []string
	f.proxy.Observe = func(operation, key string, c xks.Call) {
		told = append(told, c)
		keys = append(keys, operation+" "+key)
	}
	id := f.createConnected(t, f.externalStore("s"))
	root := f.Root().Principal
	key := f.createKey(t, externalKey(id, "key-1"))
	other := f.createKey(t, externalKey(id, "key-2"))
	require.Equal(t, []string{"health ", "health ", "metadata key-1", "metadata key-2"}, keys)
	require.Equal(t, xks.Call{Operation: "ConnectCustomKeyStore", RequestID: told[1].RequestID}, told[1])
	require.Equal(t, xks.Call{PrincipalARN: root, Operation: "CreateKey", RequestID: told[2].RequestID}, told[2])

	told, keys = nil, nil
	blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")}).CiphertextBlob
	succeeds(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &other})
	succeeds(t, f.api, &sdk.GenerateDataKeyInput{KeyId: &key, KeySpec: "AES_256"})
	require.Equal(t, []string{"encrypt key-1", "decrypt key-1", "encrypt key-2", "encrypt key-1"}, keys)
	events := f.Events()[len(f.Events())-3:]
	require.Equal(t, []xks.Call{
		{PrincipalARN: root, KeyARN: key, Operation: "Encrypt", RequestID: events[0].RequestID},
		{PrincipalARN: root, KeyARN: key, Operation: "ReEncrypt", RequestID: events[1].RequestID},
		{PrincipalARN: root, KeyARN: other, Operation: "ReEncrypt", RequestID: events[1].RequestID},
		{PrincipalARN: root, KeyARN: key, Operation: "GenerateDataKey", RequestID: events[2].RequestID},
	}, told)

	// somebody of another account, through a service
	told, keys = nil, nil
	public := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`
	succeeds(t, f.api, &sdk.PutKeyPolicyInput{KeyId: &key, Policy: &public})
	stranger := identity.Root(otherAccount, region).Through("s3.amazonaws.com")
	succeeds(t, f.Client(stranger), &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
	events = f.Events()
	require.Equal(t, []xks.Call{{
		PrincipalARN: stranger.Principal, KeyARN: key, Operation: "Encrypt", RequestID: events[len(events)-1].RequestID,
		ViaService: "s3.us-east-1.amazonaws.com",
	}}, told)

	// who may not, or asks in vain, does not get as far as the proxy
	told = nil
	nobody := f.Client(identity.Caller{Principal: bob, Account: account, Region: region})
	for _, in := range []any{
		&sdk.EncryptInput{KeyId: &other, Plaintext: []byte("x")}, externalKey(id, "key-3"), f.externalStore("t"),
		&sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id},
	} {
		_, err := call(t.Context(), nobody, in)
		require.Equal(t, "AccessDeniedException", codeOf(err))
	}
	succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &key})
	_, err := call(t.Context(), f.api, &sdk.DecryptInput{CiphertextBlob: blob})
	require.Equal(t, "DisabledException", codeOf(err))
	require.Empty(t, told)
}

// TestExternalDryRuns answers as for other keys.
func TestExternalDryRuns(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		key := f.createKey(t, externalKey(f.createConnected(t, f.externalStore("s")), "key-1"))
		blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret")}).CiphertextBlob
		dry := aws.Bool(true)
		for _, in := range []any{
			&sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x"), DryRun: dry},
			&sdk.DecryptInput{CiphertextBlob: blob, DryRun: dry},
			&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &key, DryRun: dry},
			&sdk.GenerateDataKeyInput{KeyId: &key, KeySpec: "AES_256", DryRun: dry},
			&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &key, KeySpec: "AES_256", DryRun: dry},
			&sdk.DecryptInput{KeyId: &key, DryRun: dry, DryRunModifiers: []types.DryRunModifierType{"IGNORE_CIPHERTEXT"}},
		} {
			refused(t, f.api, in, "DryRunOperationException", wouldHave)
		}
	})
}

// TestWhatKeysInKeyStoresLack has the operations that they do not offer.
func TestWhatKeysInKeyStoresLack(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		hsm, external := f.createConnected(t, f.hsmStore("h")), f.createConnected(t, f.externalStore("s"))
		for origin, key := range map[string]string{
			"AWS_CLOUDHSM":       f.createKey(t, hsmKey(hsm)),
			"EXTERNAL_KEY_STORE": f.createKey(t, externalKey(external, "key-1")),
		} {
			for _, connected := range []bool{true, false} {
				if !connected {
					f.disconnect(t, map[bool]string{true: hsm, false: external}[origin == "AWS_CLOUDHSM"])
				}
				wrongOrigin := key + " origin is " + origin + " which is not valid for this operation."
				for _, in := range []any{
					&sdk.EnableKeyRotationInput{KeyId: &key},
					&sdk.DisableKeyRotationInput{KeyId: &key},
					&sdk.GetKeyRotationStatusInput{KeyId: &key},
					&sdk.ListKeyRotationsInput{KeyId: &key},
					&sdk.RotateKeyOnDemandInput{KeyId: &key},
					&sdk.GetParametersForImportInput{KeyId: &key, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048"},
					&sdk.ImportKeyMaterialInput{KeyId: &key, ImportToken: []byte("x"), EncryptedKeyMaterial: []byte("x"), ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
					&sdk.DeleteImportedKeyMaterialInput{KeyId: &key},
					&sdk.GenerateDataKeyPairInput{KeyId: &key, KeyPairSpec: "ECC_NIST_P256"},
					&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &key, KeyPairSpec: "RSA_4096"},
				} {
					f.unchanged(t, func() { refused(t, f.api, in, "UnsupportedOperationException", wrongOrigin) })
				}
				_, err := call(t.Context(), f.api, &sdk.ReplicateKeyInput{KeyId: &key, ReplicaRegion: aws.String("eu-west-1")})
				require.Equal(t, "UnsupportedOperationException", codeOf(err))
			}
		}
	})
}

func TestGenerateRandomInKeyStores(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		hsm, external := f.create(t, f.hsmStore("h")), f.createConnected(t, f.externalStore("s"))
		in := func(id string) *sdk.GenerateRandomInput {
			return &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(20), CustomKeyStoreId: &id}
		}
		refused(t, f.api, in(hsm), "CustomKeyStoreInvalidStateException", wrongState(hsm, "DISCONNECTED"))
		f.connect(t, hsm)
		require.Len(t, do[sdk.GenerateRandomOutput](t, f.api, in(hsm)).Plaintext, 20)
		refused(t, f.api, in(external), "UnsupportedOperationException", "GenerateRandom is not supported for the external key store "+external+".")
		refused(t, f.api, in(unknownStore), "CustomKeyStoreNotFoundException", storeNotFound(unknownStore))
	})
}

// TestKeyStoresOfTwoServices has two services on one store: what one does the other sees.
func TestKeyStoresOfTwoServices(t *testing.T) {
	t.Parallel()
	f, sealed := newOpenStoreFixture(t)
	second, err := kms.New(t.Context(), kms.Config{Store: sealed, XKSTimeout: time.Minute, XKS: f.surroundings, CloudHSM: f.cluster, Now: f.Now})
	require.NoError(t, err)
	api := second.Client(f.Root())
	id := f.createConnected(t, f.externalStore("s"))
	key := f.createKey(t, externalKey(id, "key-1"))
	blob := do[sdk.EncryptOutput](t, api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret")}).CiphertextBlob
	require.Equal(t, "secret", string(do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext))
	succeeds(t, api, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id})
	require.Equal(t, types.KeyStateUnavailable, f.state(t, key))
}
