package kms

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/policy"
)

// maxPeerKey bounds the public key of DeriveSharedSecret, bytes.
const maxPeerKey = 8192

var deriveSharedSecret = &operation[sdk.DeriveSharedSecretInput, sdk.DeriveSharedSecretOutput]{
	name:       "DeriveSharedSecret",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.DeriveSharedSecretInput) {
		c.keyID("keyId", in.KeyId)
		required(c, "keyAgreementAlgorithm", in.KeyAgreementAlgorithm, in.KeyAgreementAlgorithm.Values())
		c.blob("publicKey", in.PublicKey, 1, maxPeerKey)
		c.grantTokens(in.GrantTokens)
	},
	recipient: func(in *sdk.DeriveSharedSecretInput) *types.RecipientInfo { return in.Recipient },
	tokens:    func(in *sdk.DeriveSharedSecretInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.DeriveSharedSecretInput, c *policy.Context) {
		c.SetString(policy.KMSKeyAgreementAlgorithm, string(in.KeyAgreementAlgorithm))
	},
	targets: func(r *request, in *sdk.DeriveSharedSecretInput) ([]target, error) {
		return r.oneKey(in.KeyId, anyForm)
	},
	suits: func(in *sdk.DeriveSharedSecretInput, on []target) error {
		return checkUsage("DeriveSharedSecret", on[0].key, types.KeyUsageTypeKeyAgreement, in.KeyAgreementAlgorithm)
	},
	dryRun: func(in *sdk.DeriveSharedSecretInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.DeriveSharedSecretInput, on []target) (*sdk.DeriveSharedSecretOutput, error) {
		k := on[0].key
		key, err := r.usable(k)
		if err != nil {
			return nil, err
		}
		secret, err := key.Agree(in.PublicKey)
		if errors.Is(err, keyspec.ErrPeer) {
			return nil, validation("") // AWS sends no message
		}
		if err != nil {
			return nil, err
		}
		secret, forRecipient, err := r.deliver(secret)
		return &sdk.DeriveSharedSecretOutput{
			CiphertextForRecipient: forRecipient,
			KeyAgreementAlgorithm:  in.KeyAgreementAlgorithm,
			KeyId:                  aws.String(k.ARN()),
			KeyOrigin:              types.OriginType(k.Origin),
			SharedSecret:           secret,
		}, err
	},
}
