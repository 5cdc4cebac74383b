package local_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
)

// The walk of every operation over every state of a key, against the table "Key states
// of AWS KMS keys" of the Developer Guide as the project's reference transcribes it:
// once over the direct client, once over the SDK's in process, once over HTTP.

// The answers of the table. A letter stands for what an operation answers to a key.
const (
	yes         = 'Y' // it works
	disabled    = 'd' // DisabledException "<arn> is disabled."
	going       = 'p' // KMSInvalidStateException "<arn> is pending deletion." or "… pending replica deletion."
	importing   = 'i' // KMSInvalidStateException "<arn> is pending import."
	unavailable = 'u' // KMSInvalidStateException "<arn> is unavailable."
	creating    = 'c' // KMSInvalidStateException "<arn> is creating."
	updating    = 'r' // KMSInvalidStateException "<arn> is updating."
	notGoing    = 'n' // KMSInvalidStateException "<arn> is not pending deletion."
	unsupported = 'U' // UnsupportedOperationException: the key's origin or store does not allow it
	never       = '-' // no such key can be in this state
)

// keyStates are the columns of the table.
var keyStates = []types.KeyState{
	types.KeyStateEnabled, types.KeyStateDisabled, types.KeyStatePendingDeletion, types.KeyStatePendingReplicaDeletion,
	types.KeyStatePendingImport, types.KeyStateUnavailable, types.KeyStateCreating, types.KeyStateUpdating,
}

// walked is a key in some state, and what a request on it may need.
type walked struct {
	id, arn, region string
	otherRegion     string  // where the other copy is, if there is one
	alias           string  // refers to the key
	store           string  // the custom key store that it is in, if it is
	grant, token    *string // a grant on the key
	blob            []byte  // a ciphertext, if the key encrypts
	signature, mac  []byte
	encapsulated    []byte
	peer            []byte // a public key on P-256
	imported        []byte // its material, wrapped, and the token for it
	importToken     []byte

	other string // a symmetric key in good order; alias/other refers to it
}

// row is one operation: the kind of key that it is about, the request, and its answers
// in the order of keyStates.
type row struct {
	kind    kind
	input   func(w *walked) any
	answers string
}

// kind is a kind of key.
type kind struct {
	spec     types.KeySpec
	usage    types.KeyUsageType
	external bool // imported material in every state
	copies   bool // a multi-Region key with a replica
}

var (
	symmetric   = kind{spec: types.KeySpecSymmetricDefault, usage: types.KeyUsageTypeEncryptDecrypt}
	imported    = kind{spec: types.KeySpecSymmetricDefault, usage: types.KeyUsageTypeEncryptDecrypt, external: true}
	multiRegion = kind{spec: types.KeySpecSymmetricDefault, usage: types.KeyUsageTypeEncryptDecrypt, copies: true}
	signing     = kind{spec: types.KeySpecEccNistP256, usage: types.KeyUsageTypeSignVerify}
	agreeing    = kind{spec: types.KeySpecEccNistP256, usage: types.KeyUsageTypeKeyAgreement}
	macking     = kind{spec: types.KeySpecHmac256, usage: types.KeyUsageTypeGenerateVerifyMac}
	kemming     = kind{spec: types.KeySpecMlKem768, usage: types.KeyUsageTypeEncapsulateDecapsulate}
)

var message = []byte("a message")

const anyState = "YYYYYYYY"

var walk = map[string]row{
	"CancelKeyDeletion": {symmetric, func(w *walked) any { return &sdk.CancelKeyDeletionInput{KeyId: &w.id} }, "nnYYnnnn"},
	"ConnectCustomKeyStore": {symmetric, func(*walked) any {
		return &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: aws.String("cks-none")}
	}, anyState},
	"CreateAlias": {symmetric, func(w *walked) any {
		return &sdk.CreateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: &w.id}
	}, "YYppYYYY"},
	"CreateCustomKeyStore": {symmetric, func(*walked) any {
		return &sdk.CreateCustomKeyStoreInput{
			CustomKeyStoreName: aws.String("another"), CloudHsmClusterId: aws.String("cluster-222222222222222"),
			TrustAnchorCertificate: aws.String("x"), KeyStorePassword: aws.String("password"),
		}
	}, anyState},
	"CreateGrant": {symmetric, func(w *walked) any {
		return &sdk.CreateGrantInput{KeyId: &w.id, GranteePrincipal: &grantee, Operations: []types.GrantOperation{types.GrantOperationDescribeKey}}
	}, "YdppiYcY"},
	"CreateKey":   {symmetric, func(*walked) any { return &sdk.CreateKeyInput{} }, anyState},
	"Decapsulate": {kemming, decapsulate, "Ydppi-cY"},
	"Decrypt":     {symmetric, func(w *walked) any { return &sdk.DecryptInput{CiphertextBlob: w.blob} }, "YdppiucY"},
	"DeleteAlias": {symmetric, func(w *walked) any { return &sdk.DeleteAliasInput{AliasName: &w.alias} }, anyState},
	"DeleteCustomKeyStore": {symmetric, func(*walked) any {
		return &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: aws.String("cks-none")}
	}, anyState},
	"DeleteImportedKeyMaterial": {imported, func(w *walked) any { return &sdk.DeleteImportedKeyMaterialInput{KeyId: &w.id} }, "YYYYYUcr"},
	"DeriveSharedSecret": {agreeing, func(w *walked) any {
		return &sdk.DeriveSharedSecretInput{KeyId: &w.id, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: w.peer}
	}, "Ydppi-cY"},
	"DescribeCustomKeyStores": {symmetric, func(*walked) any { return &sdk.DescribeCustomKeyStoresInput{} }, anyState},
	"DescribeKey":             {symmetric, func(w *walked) any { return &sdk.DescribeKeyInput{KeyId: &w.id} }, anyState},
	"DisableKey":              {symmetric, func(w *walked) any { return &sdk.DisableKeyInput{KeyId: &w.id} }, "YYppiYcr"},
	"DisableKeyRotation":      {symmetric, func(w *walked) any { return &sdk.DisableKeyRotationInput{KeyId: &w.id} }, "YdppUUcY"},
	"DisconnectCustomKeyStore": {symmetric, func(*walked) any {
		return &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: aws.String("cks-none")}
	}, anyState},
	"EnableKey":         {symmetric, func(w *walked) any { return &sdk.EnableKeyInput{KeyId: &w.id} }, "YYppiYcr"},
	"EnableKeyRotation": {symmetric, func(w *walked) any { return &sdk.EnableKeyRotationInput{KeyId: &w.id} }, "YdppUUcY"},
	"Encapsulate": {kemming, func(w *walked) any {
		return &sdk.EncapsulateInput{KeyId: &w.id, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem}
	}, "Ydppi-cY"},
	"Encrypt": {symmetric, func(w *walked) any { return &sdk.EncryptInput{KeyId: &w.id, Plaintext: message} }, "YdppiucY"},
	"GenerateDataKey": {symmetric, func(w *walked) any {
		return &sdk.GenerateDataKeyInput{KeyId: &w.id, KeySpec: types.DataKeySpecAes256}
	}, "YdppiucY"},
	"GenerateDataKeyPair": {symmetric, func(w *walked) any {
		return &sdk.GenerateDataKeyPairInput{KeyId: &w.id, KeyPairSpec: types.DataKeyPairSpecEccNistP256}
	}, "YdppiUcY"}, // the store is the wrong one whether it is connected or not
	"GenerateDataKeyPairWithoutPlaintext": {symmetric, func(w *walked) any {
		return &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &w.id, KeyPairSpec: types.DataKeyPairSpecEccNistP256}
	}, "YdppiUcY"},
	"GenerateDataKeyWithoutPlaintext": {symmetric, func(w *walked) any {
		return &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &w.id, KeySpec: types.DataKeySpecAes256}
	}, "YdppiucY"},
	"GenerateMac": {macking, func(w *walked) any {
		return &sdk.GenerateMacInput{KeyId: &w.id, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: message}
	}, "Ydppi-cY"},
	"GenerateRandom":       {symmetric, func(*walked) any { return &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1)} }, anyState},
	"GetKeyLastUsage":      {symmetric, func(w *walked) any { return &sdk.GetKeyLastUsageInput{KeyId: &w.id} }, anyState},
	"GetKeyPolicy":         {symmetric, func(w *walked) any { return &sdk.GetKeyPolicyInput{KeyId: &w.id} }, anyState},
	"GetKeyRotationStatus": {symmetric, func(w *walked) any { return &sdk.GetKeyRotationStatusInput{KeyId: &w.id} }, "YYYYUUYY"},
	"GetParametersForImport": {imported, func(w *walked) any {
		return &sdk.GetParametersForImportInput{KeyId: &w.id, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048}
	}, "YYppYUcr"},
	"GetPublicKey": {signing, func(w *walked) any { return &sdk.GetPublicKeyInput{KeyId: &w.id} }, "Ydppi-cY"},
	"ImportKeyMaterial": {imported, func(w *walked) any {
		return &sdk.ImportKeyMaterialInput{
			KeyId: &w.id, ImportToken: w.importToken, EncryptedKeyMaterial: w.imported,
			ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
		}
	}, "YYppYUcY"},
	"ListAliases":         {symmetric, func(w *walked) any { return &sdk.ListAliasesInput{KeyId: &w.id} }, anyState},
	"ListGrants":          {symmetric, func(w *walked) any { return &sdk.ListGrantsInput{KeyId: &w.id} }, anyState},
	"ListKeyPolicies":     {symmetric, func(w *walked) any { return &sdk.ListKeyPoliciesInput{KeyId: &w.id} }, anyState},
	"ListKeyRotations":    {symmetric, func(w *walked) any { return &sdk.ListKeyRotationsInput{KeyId: &w.id} }, "YYYYYUYY"},
	"ListKeys":            {symmetric, func(*walked) any { return &sdk.ListKeysInput{} }, anyState},
	"ListResourceTags":    {symmetric, func(w *walked) any { return &sdk.ListResourceTagsInput{KeyId: &w.id} }, anyState},
	"ListRetirableGrants": {symmetric, func(*walked) any { return &sdk.ListRetirableGrantsInput{RetiringPrincipal: &grantee} }, anyState},
	"PutKeyPolicy": {symmetric, func(w *walked) any {
		return &sdk.PutKeyPolicyInput{KeyId: &w.id, Policy: aws.String(openPolicy)}
	}, anyState},
	"ReEncrypt": {symmetric, func(w *walked) any {
		return &sdk.ReEncryptInput{CiphertextBlob: w.blob, DestinationKeyId: &w.other}
	}, "YdppiucY"},
	"ReplicateKey": {multiRegion, func(w *walked) any {
		return &sdk.ReplicateKeyInput{KeyId: &w.id, ReplicaRegion: aws.String("eu-west-3")}
	}, "YdppiUcr"},
	"RetireGrant": {symmetric, func(w *walked) any {
		if w.token == nil {
			return &sdk.RetireGrantInput{KeyId: &w.id, GrantId: w.grant}
		}
		return &sdk.RetireGrantInput{GrantToken: w.token}
	}, anyState},
	"RevokeGrant": {symmetric, func(w *walked) any { return &sdk.RevokeGrantInput{KeyId: &w.id, GrantId: w.grant} }, anyState},
	"RotateKeyOnDemand": {symmetric, func(w *walked) any {
		return &sdk.RotateKeyOnDemandInput{KeyId: &w.id}
	}, "YdppiUcr"},
	"ScheduleKeyDeletion": {symmetric, func(w *walked) any { return &sdk.ScheduleKeyDeletionInput{KeyId: &w.id} }, "YYppYYYr"},
	"Sign": {signing, func(w *walked) any {
		return &sdk.SignInput{KeyId: &w.id, Message: message, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}
	}, "Ydppi-cY"},
	"TagResource": {symmetric, func(w *walked) any {
		return &sdk.TagResourceInput{KeyId: &w.id, Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}}
	}, "YYppYYYY"},
	"UntagResource": {symmetric, func(w *walked) any { return &sdk.UntagResourceInput{KeyId: &w.id, TagKeys: []string{"a"}} }, "YYppYYYY"},
	"UpdateAlias": {symmetric, func(w *walked) any {
		return &sdk.UpdateAliasInput{AliasName: aws.String("alias/other"), TargetKeyId: &w.id}
	}, "YYppYYYY"},
	"UpdateCustomKeyStore": {symmetric, func(*walked) any {
		return &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: aws.String("cks-none"), NewCustomKeyStoreName: aws.String("new")}
	}, anyState},
	"UpdateKeyDescription": {symmetric, func(w *walked) any {
		return &sdk.UpdateKeyDescriptionInput{KeyId: &w.id, Description: aws.String("new")}
	}, "YYppYYYY"},
	"UpdatePrimaryRegion": {multiRegion, func(w *walked) any {
		return &sdk.UpdatePrimaryRegionInput{KeyId: &w.id, PrimaryRegion: &w.otherRegion}
	}, "YdppiUcY"},
	"Verify": {signing, func(w *walked) any {
		return &sdk.VerifyInput{KeyId: &w.id, Message: message, Signature: w.signature, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}
	}, "Ydppi-cY"},
	"VerifyMac": {macking, func(w *walked) any {
		return &sdk.VerifyMacInput{KeyId: &w.id, Message: message, Mac: w.mac, MacAlgorithm: types.MacAlgorithmSpecHmacSha256}
	}, "Ydppi-cY"},
}

// usedBefore lists the operations whose requests need something that was made with the
// key.
var usedBefore = []string{"Decapsulate", "Decrypt", "ReEncrypt", "RetireGrant", "RevokeGrant", "UpdatePrimaryRegion", "Verify", "VerifyMac"}

func decapsulate(w *walked) any {
	return &sdk.DecapsulateInput{KeyId: &w.id, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem, SharedSecretCiphertextBlob: w.encapsulated}
}

const (
	homeRegion    = "us-east-1"
	replicaRegion = "eu-west-1"

	openPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`
)

var grantee = "arn:aws:iam::111122223333:user/bob"

// ways are the ways of Go code to the engine.
var ways = map[string]func(t *testing.T, c *local.Cloud, region string) kms.API{
	"Client": func(_ *testing.T, c *local.Cloud, region string) kms.API {
		return c.KMS().Client(identity.Root(identity.DefaultAccount, region))
	},
	"SDK":  func(_ *testing.T, c *local.Cloud, region string) kms.API { return c.SDK(region) },
	"HTTP": overHTTP,
}

// overHTTP returns a client that talks to the cloud over a socket.
func overHTTP(t *testing.T, c *local.Cloud, region string) kms.API {
	server := httptest.NewServer(c.Handler())
	t.Cleanup(server.Close)
	return sdk.NewFromConfig(c.AWSConfig(region), func(o *sdk.Options) {
		o.BaseEndpoint, o.HTTPClient = &server.URL, server.Client()
	})
}

func TestEveryOperationInEveryState(t *testing.T) {
	t.Parallel()
	operations := []string{}
	for _, o := range kms.Operations() {
		operations = append(operations, o.Name())
	}
	require.Len(t, operations, 56)
	require.Equal(t, operations, slices.Sorted(maps.Keys(walk)))
	for way, api := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			for _, name := range operations {
				t.Run(name, func(t *testing.T) {
					row := walk[name]
					for i, state := range keyStates {
						want := row.answers[i]
						if want == never {
							continue
						}
						l := newLaboratory(t, state)
						w := l.make(row.kind, state, slices.Contains(usedBefore, name))
						_, err := invoke(t, api(t, l.cloud, w.region), row.input(w))
						requireAnswer(t, fmt.Sprintf("%s of a key that is %s", name, state), rune(want), w, state, err)
					}
				})
			}
		})
	}
}

// requireAnswer holds an error to a letter of the table.
func requireAnswer(t *testing.T, what string, want rune, w *walked, state types.KeyState, err error) {
	t.Helper()
	code, text := "", ""
	var api smithy.APIError
	if errors.As(err, &api) {
		code, text = api.ErrorCode(), api.ErrorMessage()
	}
	const invalidState = "KMSInvalidStateException"
	switch want {
	case yes:
		if code == "CustomKeyStoreNotFoundException" || code == "CloudHsmClusterNotFoundException" {
			return // the request is about a key store that does not exist, not about the key
		}
		if state == types.KeyStateCreating && code == "NotFoundException" && strings.HasPrefix(text, "Grant ID") {
			return // a key that is being made has no grants yet
		}
		require.NoError(t, err, what)
	case disabled:
		require.Equal(t, "DisabledException: "+w.arn+" is disabled.", code+": "+text, what)
	case unsupported:
		require.Equal(t, "UnsupportedOperationException", code, what)
	case notGoing:
		require.Equal(t, invalidState+": "+w.arn+" is not pending deletion.", code+": "+text, what)
	case going:
		phrase := " is pending deletion."
		if state == types.KeyStatePendingReplicaDeletion {
			phrase = " is pending replica deletion."
		}
		require.Equal(t, invalidState+": "+w.arn+phrase, code+": "+text, what)
	default:
		phrase := map[rune]string{importing: " is pending import.", unavailable: " is unavailable.", creating: " is creating.", updating: " is updating."}[want]
		require.NotEmpty(t, phrase, what)
		require.Equal(t, invalidState+": "+w.arn+phrase, code+": "+text, what)
	}
}

// invoke makes the request that in is the input of.
func invoke(t *testing.T, api kms.API, in any) (any, error) {
	t.Helper()
	name := strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
	out := reflect.ValueOf(api).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(in)})
	err, _ := out[1].Interface().(error)
	return out[0].Interface(), err
}

// laboratory is a cloud that makes keys in any state.
type laboratory struct {
	t     *testing.T
	cloud *local.Cloud
	now   time.Time
}

const (
	clusterID = "cluster-2a23b4cdefg"
	settling  = time.Hour
)

// newLaboratory returns a laboratory whose unfinished work takes an hour if the state
// to be made is one that passes by itself.
func newLaboratory(t *testing.T, state types.KeyState) *laboratory {
	t.Helper()
	l := &laboratory{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	cloud, err := local.New(&local.Options{Configure: func(c *kms.Config) {
		c.Now = func() time.Time { return l.now }
		if state == types.KeyStateCreating || state == types.KeyStateUpdating {
			c.Settling = settling
		}
		c.CloudHSM = func(id string) (kms.CloudHSMCluster, bool) {
			return kms.CloudHSMCluster{TrustAnchor: "anchor", Password: "password", Active: true, HSMs: 2}, id == clusterID
		}
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	l.cloud = cloud
	return l
}

// must makes a request of the root user in a Region that has to succeed.
func must[O any](l *laboratory, region string, in any) *O {
	l.t.Helper()
	out, err := invoke(l.t, l.cloud.KMS().Client(identity.Root(identity.DefaultAccount, region)), in)
	require.NoError(l.t, err, "%T", in)
	return out.(*O)
}

// make returns a key of the kind in the state. One that waits for its first material has
// never been used, unless it has to be.
func (l *laboratory) make(k kind, state types.KeyState, used bool) *walked {
	l.t.Helper()
	w := &walked{region: homeRegion, otherRegion: replicaRegion, alias: "alias/walked"}
	if state != types.KeyStatePendingImport || k.external {
		used = true
	}
	material := l.create(w, k, state, used)
	if used {
		l.use(w, k)
	}
	replicate := func() {
		must[sdk.ReplicateKeyOutput](l, homeRegion, &sdk.ReplicateKeyInput{KeyId: &w.id, ReplicaRegion: aws.String(replicaRegion)})
	}
	// elsewhere turns to the replica, once it is there.
	elsewhere := func() {
		w.region, w.otherRegion = replicaRegion, homeRegion
		w.arn = strings.Replace(w.arn, homeRegion, replicaRegion, 1)
		l.alias(w)
	}
	settled := func() {
		l.now = l.now.Add(settling)
		if k.external {
			l.importInto(w, replicaRegion, material)
		}
	}
	if k.copies && used && state != types.KeyStateCreating && state != types.KeyStateUpdating && state != types.KeyStatePendingReplicaDeletion && state != types.KeyStateUnavailable {
		replicate()
	}
	switch state {
	case types.KeyStateDisabled:
		must[sdk.DisableKeyOutput](l, w.region, &sdk.DisableKeyInput{KeyId: &w.id})
	case types.KeyStatePendingDeletion:
		if k.copies {
			elsewhere() // a primary would wait for it
		}
		must[sdk.ScheduleKeyDeletionOutput](l, w.region, &sdk.ScheduleKeyDeletionInput{KeyId: &w.id})
	case types.KeyStatePendingReplicaDeletion:
		replicate()
		must[sdk.ScheduleKeyDeletionOutput](l, w.region, &sdk.ScheduleKeyDeletionInput{KeyId: &w.id})
	case types.KeyStatePendingImport:
		if !used {
			break
		}
		must[sdk.DeleteImportedKeyMaterialOutput](l, w.region, &sdk.DeleteImportedKeyMaterialInput{KeyId: &w.id})
	case types.KeyStateUnavailable:
		must[sdk.DisconnectCustomKeyStoreOutput](l, w.region, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &w.store})
	case types.KeyStateCreating:
		replicate()
		elsewhere()
		w.token, w.grant = nil, aws.String(strings.Repeat("0123456789abcdef", 4))
	case types.KeyStateUpdating:
		replicate()
		settled()
		elsewhere()
		l.grant(w)
		must[sdk.UpdatePrimaryRegionOutput](l, homeRegion, &sdk.UpdatePrimaryRegionInput{KeyId: &w.id, PrimaryRegion: aws.String(replicaRegion)})
	}
	l.others(w)
	require.Equal(l.t, state, must[sdk.DescribeKeyOutput](l, w.region, &sdk.DescribeKeyInput{KeyId: &w.id}).KeyMetadata.KeyState)
	return w
}

// create makes the key, enabled in the home Region, and returns the material that was
// imported into it, if it was.
func (l *laboratory) create(w *walked, k kind, state types.KeyState, used bool) (material []byte) {
	l.t.Helper()
	in := &sdk.CreateKeyInput{KeySpec: k.spec, KeyUsage: k.usage}
	switch state {
	case types.KeyStatePendingReplicaDeletion, types.KeyStateCreating, types.KeyStateUpdating:
		in.MultiRegion = aws.Bool(true)
	case types.KeyStateUnavailable:
		w.store = *must[sdk.CreateCustomKeyStoreOutput](l, w.region, &sdk.CreateCustomKeyStoreInput{
			CustomKeyStoreName: aws.String("store"), CloudHsmClusterId: aws.String(clusterID),
			TrustAnchorCertificate: aws.String("anchor"), KeyStorePassword: aws.String("password"),
		}).CustomKeyStoreId
		must[sdk.ConnectCustomKeyStoreOutput](l, w.region, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &w.store})
		in.Origin, in.CustomKeyStoreId = types.OriginTypeAwsCloudhsm, &w.store
	}
	if k.copies && in.CustomKeyStoreId == nil {
		in.MultiRegion = aws.Bool(true)
	}
	external := (k.external || state == types.KeyStatePendingImport) && in.CustomKeyStoreId == nil
	if external {
		in.Origin = types.OriginTypeExternal
	}
	m := must[sdk.CreateKeyOutput](l, w.region, in).KeyMetadata
	w.id, w.arn = *m.KeyId, *m.Arn
	if external && used {
		spec, ok := keyspec.Lookup(string(k.spec))
		require.True(l.t, ok)
		var err error
		material, err = spec.Generate()
		require.NoError(l.t, err)
		l.importInto(w, w.region, material)
	}
	l.alias(w)
	return material
}

// importInto imports material into the copy of the key in a Region. The wrapped material
// and its token stay good for a day.
func (l *laboratory) importInto(w *walked, region string, material []byte) {
	l.t.Helper()
	p := must[sdk.GetParametersForImportOutput](l, region, &sdk.GetParametersForImportInput{
		KeyId: &w.id, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	public, err := x509.ParsePKIXPublicKey(p.PublicKey)
	require.NoError(l.t, err)
	w.imported, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), material, nil)
	require.NoError(l.t, err)
	w.importToken = p.ImportToken
	must[sdk.ImportKeyMaterialOutput](l, region, &sdk.ImportKeyMaterialInput{
		KeyId: &w.id, ImportToken: w.importToken, EncryptedKeyMaterial: w.imported,
		ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
	})
}

// use makes with the key what requests may need of it later.
func (l *laboratory) use(w *walked, k kind) {
	l.t.Helper()
	switch k.usage {
	case types.KeyUsageTypeEncryptDecrypt:
		w.blob = must[sdk.EncryptOutput](l, w.region, &sdk.EncryptInput{KeyId: &w.id, Plaintext: message}).CiphertextBlob
	case types.KeyUsageTypeSignVerify:
		w.signature = must[sdk.SignOutput](l, w.region, &sdk.SignInput{
			KeyId: &w.id, Message: message, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
		}).Signature
	case types.KeyUsageTypeGenerateVerifyMac:
		w.mac = must[sdk.GenerateMacOutput](l, w.region, &sdk.GenerateMacInput{
			KeyId: &w.id, Message: message, MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
		}).Mac
	case types.KeyUsageTypeEncapsulateDecapsulate:
		w.encapsulated = must[sdk.EncapsulateOutput](l, w.region, &sdk.EncapsulateInput{
			KeyId: &w.id, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem,
		}).SharedSecretCiphertextBlob
	}
	l.grant(w)
}

func (l *laboratory) grant(w *walked) {
	l.t.Helper()
	g := must[sdk.CreateGrantOutput](l, w.region, &sdk.CreateGrantInput{
		KeyId: &w.id, GranteePrincipal: &grantee, RetiringPrincipal: &grantee, Operations: []types.GrantOperation{types.GrantOperationDescribeKey},
	})
	w.grant, w.token = g.GrantId, g.GrantToken
}

func (l *laboratory) alias(w *walked) {
	l.t.Helper()
	must[sdk.CreateAliasOutput](l, w.region, &sdk.CreateAliasInput{AliasName: &w.alias, TargetKeyId: &w.id})
}

// others makes what some requests need beside the key in question: a key in good order,
// and somebody else's public key.
func (l *laboratory) others(w *walked) {
	l.t.Helper()
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(l.t, err)
	w.peer, err = x509.MarshalPKIXPublicKey(peer.PublicKey())
	require.NoError(l.t, err)
	if w.importToken == nil {
		w.importToken, w.imported = []byte("none"), []byte("none")
	}
	w.other = *must[sdk.CreateKeyOutput](l, w.region, &sdk.CreateKeyInput{}).KeyMetadata.KeyId
	must[sdk.CreateAliasOutput](l, w.region, &sdk.CreateAliasInput{AliasName: aws.String("alias/other"), TargetKeyId: &w.other})
}
