package kms

import (
	"bytes"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyspec"
)

var getPublicKey = &operation[sdk.GetPublicKeyInput, sdk.GetPublicKeyOutput]{
	name:       "GetPublicKey",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GetPublicKeyInput) {
		c.keyID("keyId", in.KeyId)
		c.grantTokens(in.GrantTokens)
	},
	tokens:  func(in *sdk.GetPublicKeyInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.GetPublicKeyInput) ([]target, error) { return r.oneKey(in.KeyId, anyForm) },
	suits: func(_ *sdk.GetPublicKeyInput, on []target) error {
		if spec, ok := keyspec.Lookup(on[0].key.Spec); !ok || !spec.Asymmetric() {
			return &types.UnsupportedOperationException{}
		}
		return nil
	},
	run: func(r *request, _ *sdk.GetPublicKeyInput, on []target) (*sdk.GetPublicKeyOutput, error) {
		k := on[0].key
		key, err := r.usable(k)
		if err != nil {
			return nil, err
		}
		var m types.KeyMetadata
		setAlgorithms(&m, k)
		return &sdk.GetPublicKeyOutput{
			CustomerMasterKeySpec:   types.CustomerMasterKeySpec(k.Spec), //lint:ignore SA1019 AWS still sends it
			EncapsulationAlgorithms: m.EncapsulationAlgorithms,
			EncryptionAlgorithms:    m.EncryptionAlgorithms,
			KeyAgreementAlgorithms:  m.KeyAgreementAlgorithms,
			KeyId:                   aws.String(k.ARN()),
			KeySpec:                 types.KeySpec(k.Spec),
			KeyUsage:                types.KeyUsageType(k.Usage),
			PublicKey:               bytes.Clone(key.PublicKey()),
			SigningAlgorithms:       m.SigningAlgorithms,
		}, nil
	},
}
