package kms

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

// ReEncrypt is Decrypt under the source key and Encrypt under the destination key,
// each by its own rules and permission. The plaintext never leaves the engine.
var reEncrypt = &operation[sdk.ReEncryptInput, sdk.ReEncryptOutput]{
	name:       "ReEncrypt",
	readOnly:   true,
	sharesKeys: true,
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
	tokens: func(in *sdk.ReEncryptInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.ReEncryptInput) ([]target, error) {
		source, err := r.sourceKey(onSource, in.SourceKeyId, in.CiphertextBlob, in.SourceEncryptionAlgorithm, in.DryRunModifiers)
		if err != nil {
			return nil, err
		}
		destination, err := r.resolve(onDestination, *in.DestinationKeyId, anyForm)
		return []target{
			source.with(in.SourceEncryptionAlgorithm, in.SourceEncryptionContext),
			destination.with(in.DestinationEncryptionAlgorithm, in.DestinationEncryptionContext),
		}, err
	},
	suits: func(in *sdk.ReEncryptInput, on []target) error {
		if err := on[0].checkDecryption("ReEncrypt", in.DryRunModifiers); err != nil {
			return err
		}
		return on[1].checkEncryption("ReEncrypt")
	},
	context: func(in *sdk.ReEncryptInput) map[string]string { return in.SourceEncryptionContext },
	dryRun:  func(in *sdk.ReEncryptInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.ReEncryptInput, on []target) (*sdk.ReEncryptOutput, error) {
		if ignoresCiphertext(in.DryRunModifiers) {
			return &sdk.ReEncryptOutput{}, nil // of a dry run
		}
		source, destination := &on[0], &on[1]
		plaintext, sourceMaterial, err := r.decrypt(source, in.CiphertextBlob)
		if err != nil {
			return nil, err
		}
		defer clear(plaintext)
		b, err := r.encrypt(destination, plaintext)
		if err != nil {
			return nil, err
		}
		out := &sdk.ReEncryptOutput{
			CiphertextBlob:                 b,
			DestinationEncryptionAlgorithm: destination.algorithm,
			KeyId:                          aws.String(destination.arn),
			SourceEncryptionAlgorithm:      source.algorithm,
			SourceKeyId:                    aws.String(source.arn),
			SourceKeyMaterialId:            sourceMaterial,
		}
		if destination.algorithm == symmetricDefault {
			out.DestinationKeyMaterialId = aws.String(destination.key.Current().ID)
		}
		return out, nil
	},
}
