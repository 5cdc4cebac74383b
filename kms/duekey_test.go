package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/nitro"
)

// TestKeyPairsUnderADueKey has requests for key pairs be the first to meet a key that is
// due for rotation: they are decided twice, on the same key pair. What the first decision
// wipes the second must not find.
func TestKeyPairsUnderADueKey(t *testing.T) {
	t.Parallel()
	eachEnclave(t, func(t *testing.T, e *enclave) {
		for _, recipient := range []bool{false, true} {
			key := *do[sdk.CreateKeyOutput](t, e.api, &sdk.CreateKeyInput{}).KeyMetadata.KeyId
			succeeds(t, e.api, &sdk.EnableKeyRotationInput{KeyId: &key, RotationPeriodInDays: aws.Int32(90)})
			for _, spec := range quickPairSpecs {
				e.Advance(90 * day)
				quiet := do[sdk.GenerateDataKeyPairWithoutPlaintextOutput](t, e.api, &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &key, KeyPairSpec: spec})
				requirePair(t, spec, do[sdk.DecryptOutput](t, e.api, &sdk.DecryptInput{CiphertextBlob: quiet.PrivateKeyCiphertextBlob}).Plaintext, quiet.PublicKey)

				e.Advance(90 * day)
				in := &sdk.GenerateDataKeyPairInput{KeyId: &key, KeyPairSpec: spec}
				if recipient {
					in.Recipient = e.attest(t, nitro.Document{})
				}
				got := do[sdk.GenerateDataKeyPairOutput](t, e.api, in)
				requirePair(t, spec, do[sdk.DecryptOutput](t, e.api, &sdk.DecryptInput{CiphertextBlob: got.PrivateKeyCiphertextBlob}).Plaintext, got.PublicKey)
				require.Equal(t, recipient, got.PrivateKeyPlaintext == nil)
			}
		}
	})
}
