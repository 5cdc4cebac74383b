package integration

import (
	"crypto/ecdh"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"

	keystore "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographykeystoresmithygenerated"
	keystoretypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographykeystoresmithygeneratedtypes"
	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	theirs "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	curves "github.com/aws/aws-cryptographic-material-providers-library/releases/go/primitives/awscryptographyprimitivessmithygeneratedtypes"
	esdk "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygenerated"
	esdktypes "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygeneratedtypes"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// official is AWS's own Encryption SDK for Go, its interface made short. Tests that use
// it do not run in parallel: its clients have data races.
type official struct {
	t         *testing.T
	providers *mpl.Client
	writers   map[bool]*esdk.Client // by whether the suite commits
	reader    *esdk.Client
}

func newOfficial(t *testing.T) official {
	t.Helper()
	providers, err := mpl.NewClient(theirs.MaterialProvidersConfig{})
	require.NoError(t, err)
	client := func(p theirs.ESDKCommitmentPolicy) *esdk.Client {
		c, err := esdk.NewClient(esdktypes.AwsEncryptionSdkConfig{CommitmentPolicy: &p})
		require.NoError(t, err)
		return c
	}
	return official{
		t: t, providers: providers,
		writers: map[bool]*esdk.Client{
			true:  client(theirs.ESDKCommitmentPolicyRequireEncryptRequireDecrypt),
			false: client(theirs.ESDKCommitmentPolicyForbidEncryptAllowDecrypt),
		},
		reader: client(theirs.ESDKCommitmentPolicyRequireEncryptAllowDecrypt),
	}
}

// encrypt returns the official library's message.
func (o official) encrypt(m theirs.ICryptographicMaterialsManager, w writing, plaintext []byte) ([]byte, error) {
	suite := theirs.ESDKAlgorithmSuiteId(fmt.Sprintf("0x%04x", uint16(w.suite)))
	frame := int64(w.frame)
	out, err := o.writers[w.suite.Committing()].Encrypt(o.t.Context(), esdktypes.EncryptInput{
		MaterialsManager: m, AlgorithmSuiteId: &suite, FrameLength: &frame,
		EncryptionContext: w.context, Plaintext: plaintext,
	})
	if err != nil {
		return nil, err
	}
	return out.Ciphertext, nil
}

// decrypt returns what the official library reads in a message, and the context that it
// finds there. required is the context that the reader knows.
func (o official) decrypt(m theirs.ICryptographicMaterialsManager, message []byte, required keyring.EncryptionContext) (plaintext []byte, c keyring.EncryptionContext, err error) {
	out, err := o.reader.Decrypt(o.t.Context(), esdktypes.DecryptInput{
		MaterialsManager: m, Ciphertext: message, EncryptionContext: required,
	})
	if err != nil {
		return nil, nil, err
	}
	return out.Plaintext, out.EncryptionContext, nil
}

func (o official) manager(k theirs.IKeyring) theirs.ICryptographicMaterialsManager {
	o.t.Helper()
	m, err := o.providers.CreateDefaultCryptographicMaterialsManager(o.t.Context(),
		theirs.CreateDefaultCryptographicMaterialsManagerInput{Keyring: k})
	require.NoError(o.t, err)
	return m
}

func (o official) requiredContext(m theirs.ICryptographicMaterialsManager, keys ...string) theirs.ICryptographicMaterialsManager {
	o.t.Helper()
	m, err := o.providers.CreateRequiredEncryptionContextCMM(o.t.Context(),
		theirs.CreateRequiredEncryptionContextCMMInput{UnderlyingCMM: m, RequiredEncryptionContextKeys: keys})
	require.NoError(o.t, err)
	return m
}

func (o official) rawAES(namespace, name string, key []byte) theirs.IKeyring {
	o.t.Helper()
	k, err := o.providers.CreateRawAesKeyring(o.t.Context(), theirs.CreateRawAesKeyringInput{
		KeyNamespace: namespace, KeyName: name, WrappingKey: key,
		WrappingAlg: theirs.AesWrappingAlg(fmt.Sprintf("ALG_AES%d_GCM_IV12_TAG16", len(key)*8)),
	})
	require.NoError(o.t, err)
	return k
}

func (o official) rawRSA(namespace, name string, padding keyring.RSAPadding, key *rsa.PrivateKey) theirs.IKeyring {
	o.t.Helper()
	k, err := o.providers.CreateRawRsaKeyring(o.t.Context(), theirs.CreateRawRsaKeyringInput{
		KeyNamespace: namespace, KeyName: name, PaddingScheme: officialPaddings[padding],
		PrivateKey: o.privatePEM(key),
		PublicKey:  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: o.publicDER(key.Public())}),
	})
	require.NoError(o.t, err)
	return k
}

var officialPaddings = map[keyring.RSAPadding]theirs.PaddingScheme{
	keyring.PKCS1v15:   theirs.PaddingSchemePkcs1,
	keyring.OAEPSHA1:   theirs.PaddingSchemeOaepSha1Mgf1,
	keyring.OAEPSHA256: theirs.PaddingSchemeOaepSha256Mgf1,
	keyring.OAEPSHA384: theirs.PaddingSchemeOaepSha384Mgf1,
	keyring.OAEPSHA512: theirs.PaddingSchemeOaepSha512Mgf1,
}

func (o official) kms(client *sdk.Client, arn string) theirs.IKeyring {
	o.t.Helper()
	k, err := o.providers.CreateAwsKmsKeyring(o.t.Context(),
		theirs.CreateAwsKmsKeyringInput{KmsClient: client, KmsKeyId: arn})
	require.NoError(o.t, err)
	return k
}

func (o official) multi(generator theirs.IKeyring, children ...theirs.IKeyring) theirs.IKeyring {
	o.t.Helper()
	k, err := o.providers.CreateMultiKeyring(o.t.Context(),
		theirs.CreateMultiKeyringInput{Generator: generator, ChildKeyrings: children})
	require.NoError(o.t, err)
	return k
}

// ecdhStatic is between two parties, ecdhEphemeral for a recipient, to write only, and
// ecdhDiscovery for what was written for a key, to read only.
func (o official) ecdhStatic(private *ecdh.PrivateKey, peer *ecdh.PublicKey) theirs.IKeyring {
	o.t.Helper()
	return o.rawECDH(peer.Curve(), &theirs.RawEcdhStaticConfigurationsMemberRawPrivateKeyToStaticPublicKey{
		Value: theirs.RawPrivateKeyToStaticPublicKeyInput{
			SenderStaticPrivateKey: o.privatePEM(private), RecipientPublicKey: o.publicDER(peer),
		},
	})
}

func (o official) ecdhEphemeral(recipient *ecdh.PublicKey) theirs.IKeyring {
	o.t.Helper()
	return o.rawECDH(recipient.Curve(), &theirs.RawEcdhStaticConfigurationsMemberEphemeralPrivateKeyToStaticPublicKey{
		Value: theirs.EphemeralPrivateKeyToStaticPublicKeyInput{RecipientPublicKey: o.publicDER(recipient)},
	})
}

func (o official) ecdhDiscovery(private *ecdh.PrivateKey) theirs.IKeyring {
	o.t.Helper()
	return o.rawECDH(private.Curve(), &theirs.RawEcdhStaticConfigurationsMemberPublicKeyDiscovery{
		Value: theirs.PublicKeyDiscoveryInput{RecipientStaticPrivateKey: o.privatePEM(private)},
	})
}

func (o official) rawECDH(curve ecdh.Curve, scheme theirs.RawEcdhStaticConfigurations) theirs.IKeyring {
	o.t.Helper()
	k, err := o.providers.CreateRawEcdhKeyring(o.t.Context(), theirs.CreateRawEcdhKeyringInput{
		CurveSpec: officialCurves[curve], KeyAgreementScheme: scheme,
	})
	require.NoError(o.t, err)
	return k
}

var officialCurves = map[ecdh.Curve]curves.ECDHCurveSpec{
	ecdh.P256(): curves.ECDHCurveSpecEccNistP256,
	ecdh.P384(): curves.ECDHCurveSpecEccNistP384,
	ecdh.P521(): curves.ECDHCurveSpecEccNistP521,
}

func (o official) privatePEM(key any) []byte {
	o.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(o.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (o official) publicDER(key any) []byte {
	o.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(o.t, err)
	return der
}

// keyStore is the official library's store of branch keys.
func (o official) keyStore(client *sdk.Client, arn string, db *dynamodb.Client, table, logicalName string) *keystore.Client {
	o.t.Helper()
	s, err := keystore.NewClient(keystoretypes.KeyStoreConfig{
		KmsClient: client, KmsConfiguration: &keystoretypes.KMSConfigurationMemberkmsKeyArn{Value: arn},
		DdbClient: db, DdbTableName: table, LogicalKeyStoreName: logicalName,
	})
	require.NoError(o.t, err)
	return s
}

func (o official) createBranchKey(s *keystore.Client, id string, c keyring.EncryptionContext) {
	o.t.Helper()
	_, err := s.CreateKey(o.t.Context(), keystoretypes.CreateKeyInput{BranchKeyIdentifier: &id, EncryptionContext: c})
	require.NoError(o.t, err)
}

func (o official) versionBranchKey(s *keystore.Client, id string) {
	o.t.Helper()
	_, err := s.VersionKey(o.t.Context(), keystoretypes.VersionKeyInput{BranchKeyIdentifier: id})
	require.NoError(o.t, err)
}

func (o official) hierarchical(s *keystore.Client, id string) theirs.IKeyring {
	o.t.Helper()
	k, err := o.providers.CreateAwsKmsHierarchicalKeyring(o.t.Context(),
		theirs.CreateAwsKmsHierarchicalKeyringInput{KeyStore: s, BranchKeyId: &id, TtlSeconds: 600})
	require.NoError(o.t, err)
	return k
}

// kmsRSA is a keyring for an RSA key of KMS whose public half is known.
func (o official) kmsRSA(client *sdk.Client, arn string, algorithm types.EncryptionAlgorithmSpec, public *rsa.PublicKey) theirs.IKeyring {
	o.t.Helper()
	k, err := o.providers.CreateAwsKmsRsaKeyring(o.t.Context(), theirs.CreateAwsKmsRsaKeyringInput{
		KmsClient: client, KmsKeyId: arn, EncryptionAlgorithm: algorithm,
		PublicKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: o.publicDER(public)}),
	})
	require.NoError(o.t, err)
	return k
}

// kmsECDHStatic and kmsECDHDiscovery are what ecdhStatic and ecdhDiscovery are, with the
// private key in KMS.
func (o official) kmsECDHStatic(client *sdk.Client, arn string, public, peer *ecdh.PublicKey) theirs.IKeyring {
	o.t.Helper()
	return o.kmsECDH(client, peer.Curve(), &theirs.KmsEcdhStaticConfigurationsMemberKmsPrivateKeyToStaticPublicKey{
		Value: theirs.KmsPrivateKeyToStaticPublicKeyInput{
			SenderKmsIdentifier: arn, SenderPublicKey: o.publicDER(public), RecipientPublicKey: o.publicDER(peer),
		},
	})
}

func (o official) kmsECDHDiscovery(client *sdk.Client, arn string, curve ecdh.Curve) theirs.IKeyring {
	o.t.Helper()
	return o.kmsECDH(client, curve, &theirs.KmsEcdhStaticConfigurationsMemberKmsPublicKeyDiscovery{
		Value: theirs.KmsPublicKeyDiscoveryInput{RecipientKmsIdentifier: arn},
	})
}

func (o official) kmsECDH(client *sdk.Client, curve ecdh.Curve, scheme theirs.KmsEcdhStaticConfigurations) theirs.IKeyring {
	o.t.Helper()
	k, err := o.providers.CreateAwsKmsEcdhKeyring(o.t.Context(), theirs.CreateAwsKmsEcdhKeyringInput{
		KmsClient: client, CurveSpec: officialCurves[curve], KeyAgreementScheme: scheme,
	})
	require.NoError(o.t, err)
	return k
}
