package kms

import (
	"cmp"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/policy"
)

var sign = &operation[sdk.SignInput, sdk.SignOutput]{
	name:       "Sign",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.SignInput) {
		c.signing(in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm)
		c.grantTokens(in.GrantTokens)
	},
	tokens:     func(in *sdk.SignInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.SignInput, c *policy.Context) { setSigning(c, in.SigningAlgorithm, in.MessageType) },
	targets:    func(r *request, in *sdk.SignInput) ([]target, error) { return r.oneKey(in.KeyId, anyForm) },
	suits: func(in *sdk.SignInput, on []target) error {
		return checkUsage("Sign", on[0].key, types.KeyUsageTypeSignVerify, in.SigningAlgorithm)
	},
	dryRun: func(in *sdk.SignInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.SignInput, on []target) (*sdk.SignOutput, error) {
		k := on[0].key
		key, err := r.usable(k)
		if err != nil {
			return nil, err
		}
		signature, err := key.Sign(string(in.SigningAlgorithm), string(in.MessageType), in.Message)
		if err != nil {
			return nil, messageError(err, k, in.SigningAlgorithm, in.MessageType)
		}
		return &sdk.SignOutput{
			KeyId:            aws.String(k.ARN()),
			Signature:        signature,
			SigningAlgorithm: in.SigningAlgorithm,
		}, nil
	},
}

var verify = &operation[sdk.VerifyInput, sdk.VerifyOutput]{
	name:       "Verify",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.VerifyInput) {
		c.signing(in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm)
		c.blob("signature", in.Signature, 1, maxSignature)
		c.grantTokens(in.GrantTokens)
	},
	tokens:     func(in *sdk.VerifyInput) []string { return in.GrantTokens },
	conditions: func(in *sdk.VerifyInput, c *policy.Context) { setSigning(c, in.SigningAlgorithm, in.MessageType) },
	targets:    func(r *request, in *sdk.VerifyInput) ([]target, error) { return r.oneKey(in.KeyId, anyForm) },
	suits: func(in *sdk.VerifyInput, on []target) error {
		return checkUsage("Verify", on[0].key, types.KeyUsageTypeSignVerify, in.SigningAlgorithm)
	},
	dryRun: func(in *sdk.VerifyInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.VerifyInput, on []target) (*sdk.VerifyOutput, error) {
		k := on[0].key
		key, err := r.usable(k)
		if err != nil {
			return nil, err
		}
		valid, err := key.Verify(string(in.SigningAlgorithm), string(in.MessageType), in.Message, in.Signature)
		if err != nil {
			return nil, messageError(err, k, in.SigningAlgorithm, in.MessageType)
		}
		if !valid {
			return nil, &types.KMSInvalidSignatureException{} // AWS sends no message
		}
		return &sdk.VerifyOutput{
			KeyId:            aws.String(k.ARN()),
			SignatureValid:   true,
			SigningAlgorithm: in.SigningAlgorithm,
		}, nil
	},
}

// Bounds of the messages that are signed or authenticated, and of what comes of it.
const (
	maxMessage   = 4096
	maxSignature = 6144 // a MAC too
)

// signing bounds the members that Sign and Verify share.
func (c *constraints) signing(id *string, message []byte, t types.MessageType, a types.SigningAlgorithmSpec) {
	c.keyID("keyId", id)
	c.blob("message", message, 1, maxMessage)
	oneOf(c, "messageType", t, t.Values())
	required(c, "signingAlgorithm", a, a.Values())
}

// setSigning sets the condition keys of Sign and Verify; no message type means RAW.
func setSigning(c *policy.Context, a types.SigningAlgorithmSpec, t types.MessageType) {
	c.SetString(policy.KMSSigningAlgorithm, string(a))
	c.SetString(policy.KMSMessageType, string(cmp.Or(t, types.MessageTypeRaw)))
}

// messageError is the API's answer to a message that k does not take.
func messageError(err error, k *keyrecord.Key, a types.SigningAlgorithmSpec, t types.MessageType) error {
	t = cmp.Or(t, types.MessageTypeRaw)
	switch {
	case errors.Is(err, keyspec.ErrDigestLength) && t == types.MessageTypeExternalMu:
		return validation("External Mu is invalid length for algorithm %s.", a)
	case errors.Is(err, keyspec.ErrDigestLength):
		return validation("Digest is invalid length for algorithm %s.", a)
	case !errors.Is(err, keyspec.ErrMessageType):
		return err
	case k.Spec == string(types.KeySpecEccNistEdwards25519): // whose algorithms differ in it
		return validation("Message type %s is incompatible with algorithm %s.", t, a)
	}
	return validation("Message type %s is incompatible with key spec %s.", t, k.Spec)
}
