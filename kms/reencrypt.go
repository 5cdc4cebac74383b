package kms

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/policy"
)

// ReEncrypt is Decrypt under the source key and Encrypt under the destination key,
// each by its own rules and permission. The plaintext never leaves the engine.
var reEncrypt = &operation[sdk.ReEncryptInput, sdk.ReEncryptOutput]{
	name:     "ReEncrypt",
	readOnly: true,
	validate: func(c *constraints, in *sdk.ReEncryptInput) {
		c.source("ciphertextBlob", in.CiphertextBlob, in.DryRunModifiers, in.DryRun)
		c.keyID("destinationKeyId", in.DestinationKeyId)
		if in.SourceKeyId != nil {
			c.keyID("sourceKeyId", in.SourceKeyId)
		}
		c.encryptionContext("sourceEncryptionContext", in.SourceEncryptionContext)
		c.encryptionContext("destinationEncryptionContext", in.DestinationEncryptionContext)
		oneOf(c, "sourceEncryptionAlgorithm", in.SourceEncryptionAlgorithm, in.SourceEncryptionAlgorithm.Values())
		oneOf(c, "destinationEncryptionAlgorithm", in.DestinationEncryptionAlgorithm, in.DestinationEncryptionAlgorithm.Values())
		c.grantTokens(in.GrantTokens)
	},
	tokens:     func(in *sdk.ReEncryptInput) []string { return in.GrantTokens },
	conditions: func(_ *sdk.ReEncryptInput, c *policy.Context) { setAlgorithm(c, "") },
	targets: func(r *request, in *sdk.ReEncryptInput) ([]target, error) {
		source, err := r.sourceKey(onSource, in.SourceKeyId, in.CiphertextBlob, in.DryRunModifiers)
		if err != nil {
			return nil, err
		}
		destination, err := r.resolve(onDestination, *in.DestinationKeyId, anyForm)
		if err != nil {
			return nil, err
		}
		source.context, destination.context = in.SourceEncryptionContext, in.DestinationEncryptionContext
		return []target{source, destination}, nil
	},
	suits: func(in *sdk.ReEncryptInput, _ []target) error {
		if err := checkAlgorithm(in.SourceEncryptionAlgorithm); err != nil {
			return err
		}
		return checkAlgorithm(in.DestinationEncryptionAlgorithm)
	},
	dryRun:  func(in *sdk.ReEncryptInput) *bool { return in.DryRun },
	context: func(in *sdk.ReEncryptInput) map[string]string { return in.SourceEncryptionContext },
	run: func(_ *request, in *sdk.ReEncryptInput, on []target) (*sdk.ReEncryptOutput, error) {
		source, destination := on[0].key, on[1].key
		plaintext, m, err := openBlob(source, in.CiphertextBlob, in.SourceEncryptionContext)
		if err != nil {
			return nil, err
		}
		defer clear(plaintext)
		b, err := seal(destination, plaintext, in.DestinationEncryptionContext)
		if err != nil {
			return nil, err
		}
		return &sdk.ReEncryptOutput{
			CiphertextBlob:                 b,
			DestinationEncryptionAlgorithm: symmetricDefault,
			DestinationKeyMaterialId:       aws.String(destination.Current().ID),
			KeyId:                          aws.String(destination.ARN()),
			SourceEncryptionAlgorithm:      symmetricDefault,
			SourceKeyId:                    aws.String(source.ARN()),
			SourceKeyMaterialId:            aws.String(m.ID),
		}, nil
	},
}
