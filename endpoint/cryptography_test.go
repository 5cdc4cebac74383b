package endpoint_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
)

const (
	ecdsa256 = types.SigningAlgorithmSpecEcdsaSha256
	mac256   = types.MacAlgorithmSpecHmacSha256
	mlkem    = types.EncapsulationAlgorithmSpecMlKem
)

// newKeyOf creates a key of a spec and returns its ARN.
func (u user) newKeyOf(spec types.KeySpec, usage types.KeyUsageType) *string {
	u.t.Helper()
	return u.newKeyLike(&sdk.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
}

func (u user) signingKey() *string {
	return u.newKeyOf(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
}

func (u user) macKey() *string {
	return u.newKeyOf(types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)
}

func (u user) kemKey() *string {
	return u.newKeyOf(types.KeySpecMlKem768, types.KeyUsageTypeEncapsulateDecapsulate)
}

// publicKey returns the public key of a key, by the standard library.
func (u user) publicKey(key *string) any {
	u.t.Helper()
	out, err := u.GetPublicKey(u.ctx, &sdk.GetPublicKeyInput{KeyId: key})
	require.NoError(u.t, err)
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	require.NoError(u.t, err)
	return public
}

func (u user) sign(key *string, message string) []byte {
	u.t.Helper()
	out, err := u.Sign(u.ctx, &sdk.SignInput{KeyId: key, Message: []byte(message), SigningAlgorithm: ecdsa256})
	require.NoError(u.t, err)
	require.Equal(u.t, *key, *out.KeyId)
	require.Equal(u.t, ecdsa256, out.SigningAlgorithm)
	return out.Signature
}

func (u user) mac(key *string, message string) []byte {
	u.t.Helper()
	out, err := u.GenerateMac(u.ctx, &sdk.GenerateMacInput{KeyId: key, Message: []byte(message), MacAlgorithm: mac256})
	require.NoError(u.t, err)
	require.Equal(u.t, *key, *out.KeyId)
	require.Equal(u.t, mac256, out.MacAlgorithm)
	return out.Mac
}

// encapsulate returns a shared secret and what it is encapsulated in.
func (u user) encapsulate(key *string) (secret, blob []byte) {
	u.t.Helper()
	out, err := u.Encapsulate(u.ctx, &sdk.EncapsulateInput{KeyId: key, EncapsulationAlgorithm: mlkem})
	require.NoError(u.t, err)
	require.Equal(u.t, *key, *out.KeyId)
	require.Equal(u.t, mlkem, out.EncapsulationAlgorithm)
	return out.SharedSecret, out.SharedSecretCiphertextBlob
}

// cryptography has the operations on keys of every usage but symmetric encryption, and
// key pairs.
var cryptography = map[string]func(t *testing.T, u user){
	"Sign": func(t *testing.T, u user) {
		key := u.signingKey()
		digest := sha256.Sum256([]byte("attack at dawn"))
		require.True(t, ecdsa.VerifyASN1(u.publicKey(key).(*ecdsa.PublicKey), digest[:], u.sign(key, "attack at dawn")))
	},
	"Verify": func(t *testing.T, u user) {
		key := u.signingKey()
		digest := sha256.Sum256([]byte("attack at dawn"))
		out, err := u.Verify(u.ctx, &sdk.VerifyInput{
			KeyId: key, Message: digest[:], MessageType: types.MessageTypeDigest,
			Signature: u.sign(key, "attack at dawn"), SigningAlgorithm: ecdsa256,
		})
		require.NoError(t, err)
		require.True(t, out.SignatureValid)
		require.Equal(t, *key, *out.KeyId)
	},
	"GetPublicKey": func(t *testing.T, u user) {
		key := u.newKeyOf(types.KeySpecEccNistEdwards25519, types.KeyUsageTypeSignVerify)
		out, err := u.GetPublicKey(u.ctx, &sdk.GetPublicKeyInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, *key, *out.KeyId)
		require.Equal(t, types.KeySpecEccNistEdwards25519, out.KeySpec)
		require.Equal(t, u.metadata(key).SigningAlgorithms, out.SigningAlgorithms)
		require.Nil(t, out.EncryptionAlgorithms)
		require.Len(t, out.PublicKey, 44)
	},
	"GenerateMac": func(t *testing.T, u user) {
		key := u.macKey()
		mac := u.mac(key, "attack at dawn")
		require.Len(t, mac, sha256.Size)
		require.False(t, hmac.Equal(mac, u.mac(key, "attack at dusk")))
	},
	"VerifyMac": func(t *testing.T, u user) {
		key := u.macKey()
		out, err := u.VerifyMac(u.ctx, &sdk.VerifyMacInput{
			KeyId: key, Message: []byte("attack at dawn"), Mac: u.mac(key, "attack at dawn"), MacAlgorithm: mac256,
		})
		require.NoError(t, err)
		require.True(t, out.MacValid)
		require.Equal(t, *key, *out.KeyId)
	},
	"DeriveSharedSecret": func(t *testing.T, u user) {
		key := u.newKeyOf(types.KeySpecEccNistP384, types.KeyUsageTypeKeyAgreement)
		peer, err := ecdh.P384().GenerateKey(rand.Reader)
		require.NoError(t, err)
		der, err := x509.MarshalPKIXPublicKey(peer.PublicKey())
		require.NoError(t, err)
		out, err := u.DeriveSharedSecret(u.ctx, &sdk.DeriveSharedSecretInput{
			KeyId: key, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: der,
		})
		require.NoError(t, err)
		point, err := u.publicKey(key).(*ecdsa.PublicKey).ECDH()
		require.NoError(t, err)
		secret, err := peer.ECDH(point)
		require.NoError(t, err)
		require.Equal(t, secret, out.SharedSecret)
		require.Equal(t, types.OriginTypeAwsKms, out.KeyOrigin)
		require.Equal(t, types.KeyAgreementAlgorithmSpecEcdh, out.KeyAgreementAlgorithm)
		require.Nil(t, out.CiphertextForRecipient)
	},
	"Encapsulate": func(t *testing.T, u user) {
		secret, blob := u.encapsulate(u.kemKey())
		require.Len(t, secret, 32)
		require.Len(t, blob, 1088)
	},
	"Decapsulate": func(t *testing.T, u user) {
		key := u.kemKey()
		secret, blob := u.encapsulate(key)
		out, err := u.Decapsulate(u.ctx, &sdk.DecapsulateInput{KeyId: key, EncapsulationAlgorithm: mlkem, SharedSecretCiphertextBlob: blob})
		require.NoError(t, err)
		require.Equal(t, secret, out.SharedSecret)
		require.Equal(t, *key, *out.KeyId)
	},
	"GenerateDataKeyPair": func(t *testing.T, u user) {
		key := u.newKey()
		out, err := u.GenerateDataKeyPair(u.ctx, &sdk.GenerateDataKeyPairInput{
			KeyId: key, KeyPairSpec: types.DataKeyPairSpecEccNistP256, EncryptionContext: tenant,
		})
		require.NoError(t, err)
		require.Equal(t, *key, *out.KeyId)
		require.Equal(t, string(out.PrivateKeyPlaintext), u.decrypt(out.PrivateKeyCiphertextBlob, tenant))
		private, err := x509.ParsePKCS8PrivateKey(out.PrivateKeyPlaintext)
		require.NoError(t, err)
		public, err := x509.ParsePKIXPublicKey(out.PublicKey)
		require.NoError(t, err)
		require.True(t, private.(*ecdsa.PrivateKey).PublicKey.Equal(public))
		require.Equal(t, *u.metadata(key).CurrentKeyMaterialId, *out.KeyMaterialId)
	},
	"GenerateDataKeyPairWithoutPlaintext": func(t *testing.T, u user) {
		out, err := u.GenerateDataKeyPairWithoutPlaintext(u.ctx, &sdk.GenerateDataKeyPairWithoutPlaintextInput{
			KeyId: u.newKey(), KeyPairSpec: types.DataKeyPairSpecEccNistEdwards25519,
		})
		require.NoError(t, err)
		_, err = x509.ParsePKCS8PrivateKey([]byte(u.decrypt(out.PrivateKeyCiphertextBlob, nil)))
		require.NoError(t, err)
		require.Equal(t, types.DataKeyPairSpecEccNistEdwards25519, out.KeyPairSpec)
	},
	"GetKeyLastUsage": func(t *testing.T, u user) {
		key := u.newKey()
		ask := func() *sdk.GetKeyLastUsageOutput {
			out, err := u.GetKeyLastUsage(u.ctx, &sdk.GetKeyLastUsageInput{KeyId: key})
			require.NoError(t, err)
			require.True(t, u.metadata(key).CreationDate.Equal(*out.KeyCreationDate))
			return out
		}
		never := ask()
		require.NotNil(t, never.KeyLastUsage)
		require.Nil(t, never.KeyLastUsage.Timestamp)
		u.encrypt(key, "x", nil)
		used := ask().KeyLastUsage
		require.EqualValues(t, "Encrypt", used.Operation)
		require.NotNil(t, used.Timestamp)
	},
}
