package kms

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/policy"
)

var generateMac = &operation[sdk.GenerateMacInput, sdk.GenerateMacOutput]{
	name:       "GenerateMac",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GenerateMacInput) {
		c.authentication(in.KeyId, in.Message, in.MacAlgorithm)
		c.grantTokens(in.GrantTokens)
	},
	tokens: func(in *sdk.GenerateMacInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.GenerateMacInput, c *policy.Context) {
		c.SetString(policy.KMSMACAlgorithm, string(in.MacAlgorithm))
	},
	targets: func(r *request, in *sdk.GenerateMacInput) ([]target, error) { return r.oneKey(in.KeyId, anyForm) },
	suits: func(in *sdk.GenerateMacInput, on []target) error {
		return checkUsage("GenerateMac", on[0].key, types.KeyUsageTypeGenerateVerifyMac, in.MacAlgorithm)
	},
	dryRun: func(in *sdk.GenerateMacInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.GenerateMacInput, on []target) (*sdk.GenerateMacOutput, error) {
		k := on[0].key
		key, err := r.usable(k)
		if err != nil {
			return nil, err
		}
		return &sdk.GenerateMacOutput{
			KeyId:        aws.String(k.ARN()),
			Mac:          key.MAC(string(in.MacAlgorithm), in.Message),
			MacAlgorithm: in.MacAlgorithm,
		}, nil
	},
}

var verifyMac = &operation[sdk.VerifyMacInput, sdk.VerifyMacOutput]{
	name:       "VerifyMac",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.VerifyMacInput) {
		c.authentication(in.KeyId, in.Message, in.MacAlgorithm)
		c.blob("mac", in.Mac, 1, maxSignature)
		c.grantTokens(in.GrantTokens)
	},
	tokens: func(in *sdk.VerifyMacInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.VerifyMacInput, c *policy.Context) {
		c.SetString(policy.KMSMACAlgorithm, string(in.MacAlgorithm))
	},
	targets: func(r *request, in *sdk.VerifyMacInput) ([]target, error) { return r.oneKey(in.KeyId, anyForm) },
	suits: func(in *sdk.VerifyMacInput, on []target) error {
		return checkUsage("VerifyMac", on[0].key, types.KeyUsageTypeGenerateVerifyMac, in.MacAlgorithm)
	},
	dryRun: func(in *sdk.VerifyMacInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.VerifyMacInput, on []target) (*sdk.VerifyMacOutput, error) {
		k := on[0].key
		key, err := r.usable(k)
		if err != nil {
			return nil, err
		}
		if !key.VerifyMAC(string(in.MacAlgorithm), in.Message, in.Mac) {
			return nil, &types.KMSInvalidMacException{} // AWS sends no message
		}
		return &sdk.VerifyMacOutput{
			KeyId:        aws.String(k.ARN()),
			MacAlgorithm: in.MacAlgorithm,
			MacValid:     true,
		}, nil
	},
}

// authentication bounds the members that GenerateMac and VerifyMac share.
func (c *constraints) authentication(id *string, message []byte, a types.MacAlgorithmSpec) {
	c.keyID("keyId", id)
	c.blob("message", message, 1, maxMessage)
	required(c, "macAlgorithm", a, a.Values())
}
