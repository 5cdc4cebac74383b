package kms

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyspec"
)

var encapsulate = &operation[sdk.EncapsulateInput, sdk.EncapsulateOutput]{
	name:       "Encapsulate",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.EncapsulateInput) {
		c.keyID("keyId", in.KeyId)
		required(c, "encapsulationAlgorithm", in.EncapsulationAlgorithm, in.EncapsulationAlgorithm.Values())
		c.grantTokens(in.GrantTokens)
	},
	tokens:  func(in *sdk.EncapsulateInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.EncapsulateInput) ([]target, error) { return r.oneKey(in.KeyId, anyForm) },
	suits: func(in *sdk.EncapsulateInput, on []target) error {
		return checkUsage("Encapsulate", on[0].key, types.KeyUsageTypeEncapsulateDecapsulate, in.EncapsulationAlgorithm)
	},
	dryRun: func(in *sdk.EncapsulateInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.EncapsulateInput, on []target) (*sdk.EncapsulateOutput, error) {
		k := on[0].key
		key, err := r.usable(k)
		if err != nil {
			return nil, err
		}
		secret, ciphertext, err := key.Encapsulate()
		if err != nil {
			return nil, err
		}
		return &sdk.EncapsulateOutput{
			EncapsulationAlgorithm:     in.EncapsulationAlgorithm,
			KeyId:                      aws.String(k.ARN()),
			SharedSecret:               secret,
			SharedSecretCiphertextBlob: ciphertext,
		}, nil
	},
}

var decapsulate = &operation[sdk.DecapsulateInput, sdk.DecapsulateOutput]{
	name:       "Decapsulate",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.DecapsulateInput) {
		c.keyID("keyId", in.KeyId)
		required(c, "encapsulationAlgorithm", in.EncapsulationAlgorithm, in.EncapsulationAlgorithm.Values())
		c.blob("sharedSecretCiphertextBlob", in.SharedSecretCiphertextBlob, 1, maxCiphertext)
		c.grantTokens(in.GrantTokens)
	},
	tokens:  func(in *sdk.DecapsulateInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.DecapsulateInput) ([]target, error) { return r.oneKey(in.KeyId, anyForm) },
	suits: func(in *sdk.DecapsulateInput, on []target) error {
		return checkUsage("Decapsulate", on[0].key, types.KeyUsageTypeEncapsulateDecapsulate, in.EncapsulationAlgorithm)
	},
	dryRun: func(in *sdk.DecapsulateInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.DecapsulateInput, on []target) (*sdk.DecapsulateOutput, error) {
		k := on[0].key
		key, err := r.usable(k)
		if err != nil {
			return nil, err
		}
		secret, err := key.Decapsulate(in.SharedSecretCiphertextBlob)
		if errors.Is(err, keyspec.ErrCiphertext) {
			return nil, invalidCiphertext() // of the wrong length: everything else gives some secret
		}
		if err != nil {
			return nil, err
		}
		return &sdk.DecapsulateOutput{
			EncapsulationAlgorithm: in.EncapsulationAlgorithm,
			KeyId:                  aws.String(k.ARN()),
			SharedSecret:           secret,
		}, nil
	},
}
