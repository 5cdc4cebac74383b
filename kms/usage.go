package kms

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
)

// What the operations that use a key have in common, whatever they do with it.

// required is oneOf for a member that has to be there.
func required[E ~string](c *constraints, path string, v E, values []E) {
	if c.present(path, v != "") {
		oneOf(c, path, v, values)
	}
}

// checkUsage refuses a key that was made for another usage than the operation's, and an
// algorithm that the key's spec does not have.
func checkUsage[A ~string](operation string, k *keyrecord.Key, usage types.KeyUsageType, algorithm A) error {
	if k.Usage != string(usage) {
		return &types.InvalidKeyUsageException{Message: text("%s key usage is %s which is not valid for %s.", k.ARN(), k.Usage, operation)}
	}
	if spec, ok := keyspec.Lookup(k.Spec); !ok || !slices.Contains(spec.Algorithms(k.Usage), string(algorithm)) {
		return &types.InvalidKeyUsageException{Message: text("Algorithm %s is incompatible with key spec %s.", algorithm, k.Spec)}
	}
	return nil
}

// usable returns k's current material in the form that the primitives take.
func (r *request) usable(k *keyrecord.Key) (*keyspec.Key, error) {
	return r.service.materials.usable(k, k.Current())
}

// conclude returns the output of a request that has been worked out to the end, and to a
// dry run that it would have been. An operation whose cryptography can refuse a request
// ends with it, in place of the dryRun hook: a dry run does not promise what the request
// would not get. The secrets that a dry run does not hand out are wiped.
func conclude[O any](dryRun *bool, out *O, secrets ...[]byte) (*O, error) {
	if !aws.ToBool(dryRun) {
		return out, nil
	}
	for _, s := range secrets {
		clear(s)
	}
	return nil, &types.DryRunOperationException{Message: text("The request would have succeeded, but the DryRun option is set.")}
}
