package endpoint_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
)

// The operations on keys that are not symmetric, not of one Region, or not of AWS's own
// material, and on key stores.

// keyFor creates a key and returns its ARN.
func (u user) keyFor(in sdk.CreateKeyInput) *string {
	u.t.Helper()
	out, err := u.CreateKey(u.ctx, &in)
	require.NoError(u.t, err)
	return out.KeyMetadata.Arn
}

func (u user) signingKey() *string {
	u.t.Helper()
	return u.keyFor(sdk.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify})
}

func (u user) macKey() *string {
	u.t.Helper()
	return u.keyFor(sdk.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac})
}

func (u user) kemKey() *string {
	u.t.Helper()
	return u.keyFor(sdk.CreateKeyInput{KeySpec: types.KeySpecMlKem768, KeyUsage: types.KeyUsageTypeEncapsulateDecapsulate})
}

func (u user) sign(key *string) []byte {
	u.t.Helper()
	out, err := u.Sign(u.ctx, &sdk.SignInput{KeyId: key, Message: []byte("message"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	require.NoError(u.t, err)
	require.Equal(u.t, *key, *out.KeyId)
	return out.Signature
}

// importedKey creates a key, imports material into it and returns the key's ARN and the
// import's outcome.
func (u user) importedKey() (*string, *sdk.ImportKeyMaterialOutput) {
	u.t.Helper()
	key := u.keyFor(sdk.CreateKeyInput{Origin: types.OriginTypeExternal})
	p, err := u.GetParametersForImport(u.ctx, &sdk.GetParametersForImportInput{
		KeyId: key, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	require.NoError(u.t, err)
	require.Equal(u.t, *key, *p.KeyId)
	public, err := x509.ParsePKIXPublicKey(p.PublicKey)
	require.NoError(u.t, err)
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), make([]byte, 32), nil)
	require.NoError(u.t, err)
	out, err := u.ImportKeyMaterial(u.ctx, &sdk.ImportKeyMaterialInput{
		KeyId: key, ImportToken: p.ImportToken, EncryptedKeyMaterial: wrapped,
		ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
	})
	require.NoError(u.t, err)
	require.Equal(u.t, types.KeyStateEnabled, u.metadata(key).KeyState)
	return key, out
}

// rotation returns a key's rotation status.
func (u user) rotation(key *string) *sdk.GetKeyRotationStatusOutput {
	u.t.Helper()
	out, err := u.GetKeyRotationStatus(u.ctx, &sdk.GetKeyRotationStatusInput{KeyId: key})
	require.NoError(u.t, err)
	return out
}

// clusters is an engine's setting with a CloudHSM cluster for every id.
func clusters(c *kms.Config) {
	c.CloudHSM = func(string) (kms.CloudHSMCluster, bool) {
		return kms.CloudHSMCluster{TrustAnchor: "anchor", Password: "password", Active: true, HSMs: 2}, true
	}
}

// keyStore creates a custom key store, connected if it has to be, and returns its id.
func (u user) keyStore(connected bool) *string {
	u.t.Helper()
	out, err := u.CreateCustomKeyStore(u.ctx, &sdk.CreateCustomKeyStoreInput{
		CustomKeyStoreName:     u.name(),
		CloudHsmClusterId:      aws.String("cluster-" + strings.ToLower(rand.Text()[:12])),
		TrustAnchorCertificate: aws.String("anchor"),
		KeyStorePassword:       aws.String("password"),
	})
	require.NoError(u.t, err)
	if connected {
		_, err := u.ConnectCustomKeyStore(u.ctx, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: out.CustomKeyStoreId})
		require.NoError(u.t, err)
	}
	return out.CustomKeyStoreId
}

// connection returns the state of a custom key store.
func (u user) connection(id *string) types.ConnectionStateType {
	u.t.Helper()
	out, err := u.DescribeCustomKeyStores(u.ctx, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: id})
	require.NoError(u.t, err)
	require.Len(u.t, out.CustomKeyStores, 1)
	return out.CustomKeyStores[0].ConnectionState
}

// moreOperations has one use of each of them, by name.
var moreOperations = map[string]func(t *testing.T, u user){
	"ConnectCustomKeyStore": func(t *testing.T, u user) {
		require.Equal(t, types.ConnectionStateTypeConnected, u.connection(u.keyStore(true)))
	},
	"CreateCustomKeyStore": func(t *testing.T, u user) {
		require.Regexp(t, "^cks-[0-9a-f]+$", *u.keyStore(false))
	},
	"Decapsulate": func(t *testing.T, u user) {
		key := u.kemKey()
		made, err := u.Encapsulate(u.ctx, &sdk.EncapsulateInput{KeyId: key, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
		require.NoError(t, err)
		out, err := u.Decapsulate(u.ctx, &sdk.DecapsulateInput{
			KeyId: key, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem, SharedSecretCiphertextBlob: made.SharedSecretCiphertextBlob,
		})
		require.NoError(t, err)
		require.Equal(t, made.SharedSecret, out.SharedSecret)
		require.Len(t, out.SharedSecret, 32)
	},
	"DeleteCustomKeyStore": func(t *testing.T, u user) {
		id := u.keyStore(false)
		_, err := u.DeleteCustomKeyStore(u.ctx, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: id})
		require.NoError(t, err)
		_, err = u.DescribeCustomKeyStores(u.ctx, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: id})
		require.True(t, is[*types.CustomKeyStoreNotFoundException](err))
	},
	"DeleteImportedKeyMaterial": func(t *testing.T, u user) {
		key, imported := u.importedKey()
		out, err := u.DeleteImportedKeyMaterial(u.ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, imported.KeyMaterialId, out.KeyMaterialId)
		require.Equal(t, types.KeyStatePendingImport, u.metadata(key).KeyState)
	},
	"DeriveSharedSecret": func(t *testing.T, u user) {
		key := u.keyFor(sdk.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeKeyAgreement})
		peer, err := ecdh.P256().GenerateKey(rand.Reader)
		require.NoError(t, err)
		der, err := x509.MarshalPKIXPublicKey(peer.PublicKey())
		require.NoError(t, err)
		out, err := u.DeriveSharedSecret(u.ctx, &sdk.DeriveSharedSecretInput{
			KeyId: key, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: der,
		})
		require.NoError(t, err)
		public, err := u.GetPublicKey(u.ctx, &sdk.GetPublicKeyInput{KeyId: key})
		require.NoError(t, err)
		parsed, err := x509.ParsePKIXPublicKey(public.PublicKey)
		require.NoError(t, err)
		theirs, err := parsed.(*ecdsa.PublicKey).ECDH()
		require.NoError(t, err)
		want, err := peer.ECDH(theirs)
		require.NoError(t, err)
		require.Equal(t, want, out.SharedSecret)
	},
	"DescribeCustomKeyStores": func(t *testing.T, u user) {
		require.Equal(t, types.ConnectionStateTypeDisconnected, u.connection(u.keyStore(false)))
	},
	"DisableKeyRotation": func(t *testing.T, u user) {
		key := u.newKey()
		_, err := u.EnableKeyRotation(u.ctx, &sdk.EnableKeyRotationInput{KeyId: key})
		require.NoError(t, err)
		_, err = u.DisableKeyRotation(u.ctx, &sdk.DisableKeyRotationInput{KeyId: key})
		require.NoError(t, err)
		require.False(t, u.rotation(key).KeyRotationEnabled)
	},
	"DisconnectCustomKeyStore": func(t *testing.T, u user) {
		id := u.keyStore(true)
		_, err := u.DisconnectCustomKeyStore(u.ctx, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: id})
		require.NoError(t, err)
		require.Equal(t, types.ConnectionStateTypeDisconnected, u.connection(id))
	},
	"EnableKeyRotation": func(t *testing.T, u user) {
		key := u.newKey()
		_, err := u.EnableKeyRotation(u.ctx, &sdk.EnableKeyRotationInput{KeyId: key, RotationPeriodInDays: aws.Int32(90)})
		require.NoError(t, err)
		require.Equal(t, int32(90), *u.rotation(key).RotationPeriodInDays)
	},
	"Encapsulate": func(t *testing.T, u user) {
		out, err := u.Encapsulate(u.ctx, &sdk.EncapsulateInput{KeyId: u.kemKey(), EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
		require.NoError(t, err)
		require.Len(t, out.SharedSecretCiphertextBlob, 1088)
	},
	"GenerateDataKeyPair": func(t *testing.T, u user) {
		out, err := u.GenerateDataKeyPair(u.ctx, &sdk.GenerateDataKeyPairInput{
			KeyId: u.newKey(), KeyPairSpec: types.DataKeyPairSpecEccNistP256, EncryptionContext: tenant,
		})
		require.NoError(t, err)
		require.Equal(t, string(out.PrivateKeyPlaintext), u.decrypt(out.PrivateKeyCiphertextBlob, tenant))
		private, err := x509.ParsePKCS8PrivateKey(out.PrivateKeyPlaintext)
		require.NoError(t, err)
		public, err := x509.ParsePKIXPublicKey(out.PublicKey)
		require.NoError(t, err)
		require.True(t, private.(*ecdsa.PrivateKey).PublicKey.Equal(public))
	},
	"GenerateDataKeyPairWithoutPlaintext": func(t *testing.T, u user) {
		out, err := u.GenerateDataKeyPairWithoutPlaintext(u.ctx, &sdk.GenerateDataKeyPairWithoutPlaintextInput{
			KeyId: u.newKey(), KeyPairSpec: types.DataKeyPairSpecEccNistP256, EncryptionContext: tenant,
		})
		require.NoError(t, err)
		_, err = x509.ParsePKCS8PrivateKey([]byte(u.decrypt(out.PrivateKeyCiphertextBlob, tenant)))
		require.NoError(t, err)
	},
	"GenerateMac": func(t *testing.T, u user) {
		out, err := u.GenerateMac(u.ctx, &sdk.GenerateMacInput{KeyId: u.macKey(), Message: []byte("message"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
		require.NoError(t, err)
		require.Len(t, out.Mac, 32)
	},
	"GetKeyLastUsage": func(t *testing.T, u user) {
		key := u.newKey()
		out, err := u.GetKeyLastUsage(u.ctx, &sdk.GetKeyLastUsageInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, &types.KeyLastUsageData{}, out.KeyLastUsage)
		u.encrypt(key, "x", nil)
		out, err = u.GetKeyLastUsage(u.ctx, &sdk.GetKeyLastUsageInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, types.KeyLastUsageTrackingOperation("Encrypt"), out.KeyLastUsage.Operation)
	},
	"GetKeyRotationStatus": func(t *testing.T, u user) {
		key := u.newKey()
		out := u.rotation(key)
		require.False(t, out.KeyRotationEnabled)
		require.Nil(t, out.NextRotationDate)
	},
	"GetParametersForImport": func(t *testing.T, u user) {
		key := u.keyFor(sdk.CreateKeyInput{Origin: types.OriginTypeExternal})
		out, err := u.GetParametersForImport(u.ctx, &sdk.GetParametersForImportInput{
			KeyId: key, WrappingAlgorithm: types.AlgorithmSpecRsaAesKeyWrapSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
		})
		require.NoError(t, err)
		require.NotEmpty(t, out.ImportToken)
		require.False(t, out.ParametersValidTo.IsZero())
	},
	"GetPublicKey": func(t *testing.T, u user) {
		key := u.signingKey()
		out, err := u.GetPublicKey(u.ctx, &sdk.GetPublicKeyInput{KeyId: key})
		require.NoError(t, err)
		public, err := x509.ParsePKIXPublicKey(out.PublicKey)
		require.NoError(t, err)
		digest := sha256.Sum256([]byte("message"))
		require.True(t, ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], u.sign(key)))
	},
	"ImportKeyMaterial": func(t *testing.T, u user) {
		key, out := u.importedKey()
		require.Equal(t, *key, *out.KeyId)
		require.Equal(t, out.KeyMaterialId, u.metadata(key).CurrentKeyMaterialId)
		require.Equal(t, "secret", u.decrypt(u.encrypt(key, "secret", nil), nil))
	},
	"ListKeyRotations": func(t *testing.T, u user) {
		key := u.newKey()
		out, err := u.ListKeyRotations(u.ctx, &sdk.ListKeyRotationsInput{KeyId: key, IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial})
		require.NoError(t, err)
		require.Len(t, out.Rotations, 1)
		require.Equal(t, types.KeyMaterialStateCurrent, out.Rotations[0].KeyMaterialState)
	},
	"ReplicateKey": func(t *testing.T, u user) {
		key := u.keyFor(sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
		out, err := u.ReplicateKey(u.ctx, &sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String("eu-west-1")})
		require.NoError(t, err)
		require.Equal(t, strings.Replace(*key, region, "eu-west-1", 1), *out.ReplicaKeyMetadata.Arn)
		require.Equal(t, types.KeyStateCreating, out.ReplicaKeyMetadata.KeyState)
		require.Len(t, u.metadata(key).MultiRegionConfiguration.ReplicaKeys, 1)
	},
	"RotateKeyOnDemand": func(t *testing.T, u user) {
		key := u.newKey()
		before, blob := *u.metadata(key).CurrentKeyMaterialId, u.encrypt(key, "old", nil)
		out, err := u.RotateKeyOnDemand(u.ctx, &sdk.RotateKeyOnDemandInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, *key, *out.KeyId)
		require.NotEqual(t, before, *u.metadata(key).CurrentKeyMaterialId)
		require.Equal(t, "old", u.decrypt(blob, nil))
	},
	"Sign": func(t *testing.T, u user) {
		require.NotEmpty(t, u.sign(u.signingKey()))
	},
	"UpdateCustomKeyStore": func(t *testing.T, u user) {
		id := u.keyStore(false)
		_, err := u.UpdateCustomKeyStore(u.ctx, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: id, NewCustomKeyStoreName: aws.String(*u.name() + "-new")})
		require.NoError(t, err)
		out, err := u.DescribeCustomKeyStores(u.ctx, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreName: aws.String(*u.name() + "-new")})
		require.NoError(t, err)
		require.Equal(t, id, out.CustomKeyStores[0].CustomKeyStoreId)
	},
	"UpdatePrimaryRegion": func(t *testing.T, u user) {
		key := u.keyFor(sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
		_, err := u.ReplicateKey(u.ctx, &sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String("eu-west-1")})
		require.NoError(t, err)
		_, err = u.UpdatePrimaryRegion(u.ctx, &sdk.UpdatePrimaryRegionInput{KeyId: key, PrimaryRegion: aws.String("eu-west-1")})
		require.NoError(t, err)
		require.Equal(t, types.MultiRegionKeyTypeReplica, u.metadata(key).MultiRegionConfiguration.MultiRegionKeyType)
	},
	"Verify": func(t *testing.T, u user) {
		key := u.signingKey()
		in := &sdk.VerifyInput{KeyId: key, Message: []byte("message"), Signature: u.sign(key), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}
		out, err := u.Verify(u.ctx, in)
		require.NoError(t, err)
		require.True(t, out.SignatureValid)
		in.Message = []byte("another")
		_, err = u.Verify(u.ctx, in)
		require.True(t, is[*types.KMSInvalidSignatureException](err))
	},
	"VerifyMac": func(t *testing.T, u user) {
		key := u.macKey()
		made, err := u.GenerateMac(u.ctx, &sdk.GenerateMacInput{KeyId: key, Message: []byte("message"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
		require.NoError(t, err)
		out, err := u.VerifyMac(u.ctx, &sdk.VerifyMacInput{KeyId: key, Message: []byte("message"), Mac: made.Mac, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
		require.NoError(t, err)
		require.True(t, out.MacValid)
	},
}
