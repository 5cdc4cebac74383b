package kms

import (
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
	if spec, ok := keyspec.Lookup(k.Spec); !ok || !spec.Takes(k.Usage, string(algorithm)) {
		return &types.InvalidKeyUsageException{Message: text("Algorithm %s is incompatible with key spec %s.", algorithm, k.Spec)}
	}
	return nil
}

// usable returns k's current material in the form that the primitives take.
func (r *request) usable(k *keyrecord.Key) (*keyspec.Key, error) {
	return r.service.keys.usable(k, k.Current())
}
