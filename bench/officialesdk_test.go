package bench

import (
	"crypto/rand"
	"testing"

	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpltypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	esdk "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygenerated"
	esdktypes "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygeneratedtypes"
)

// officialESDK is AWS's Encryption SDK for Go with a raw AES keyring, suite 0478 and
// our frame length. It has no streaming interface.
func officialESDK(b *testing.B) peer {
	b.Helper()
	providers, err := mpl.NewClient(mpltypes.MaterialProvidersConfig{})
	if err != nil {
		b.Fatal(err)
	}
	key := make([]byte, 32)
	rand.Read(key)
	ring, err := providers.CreateRawAesKeyring(b.Context(), mpltypes.CreateRawAesKeyringInput{
		KeyNamespace: "bench",
		KeyName:      "key",
		WrappingAlg:  mpltypes.AesWrappingAlgAlgAes256GcmIv12Tag16,
		WrappingKey:  key,
	})
	if err != nil {
		b.Fatal(err)
	}
	client, err := esdk.NewClient(esdktypes.AwsEncryptionSdkConfig{})
	if err != nil {
		b.Fatal(err)
	}
	suite, length := mpltypes.ESDKAlgorithmSuiteIdAlgAes256GcmHkdfSha512CommitKey, int64(frame)
	return peer{
		name: "official",
		seal: func(plaintext []byte) ([]byte, error) {
			out, err := client.Encrypt(b.Context(), esdktypes.EncryptInput{
				Plaintext: plaintext, Keyring: ring, AlgorithmSuiteId: &suite, FrameLength: &length,
			})
			if err != nil {
				return nil, err
			}
			return out.Ciphertext, nil
		},
		open: func(message []byte, _ int) ([]byte, error) {
			out, err := client.Decrypt(b.Context(), esdktypes.DecryptInput{Ciphertext: message, Keyring: ring})
			if err != nil {
				return nil, err
			}
			return out.Plaintext, nil
		},
	}
}
