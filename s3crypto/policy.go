package s3crypto

import (
	"fmt"
	"maps"

	"github.com/sealring/sealring/keyring"
)

// CommitmentPolicy says which formats may be written and read; the constants are
// [keyring]'s. The zero value, RequireEncryptRequireDecrypt, writes and reads V3 only.
// RequireEncryptAllowDecrypt writes V3 and reads all, ForbidEncryptAllowDecrypt writes V2
// and reads all.
type CommitmentPolicy = keyring.CommitmentPolicy

// writes returns the suite that new objects have under the policy.
func writes(p CommitmentPolicy) (suite, error) {
	switch p {
	case keyring.RequireEncryptRequireDecrypt, keyring.RequireEncryptAllowDecrypt:
		return suiteCommitting, nil
	case keyring.ForbidEncryptAllowDecrypt:
		return suiteGCM, nil
	}
	return 0, fmt.Errorf("%w: %v is not a policy", ErrPolicy, p)
}

// rules say which objects may be read. The zero value is the strictest.
type rules struct {
	policy     CommitmentPolicy
	allowCBC   bool
	context    map[string]string // that the object has to have
	anyContext bool              // it may have any
}

// check returns an error if the header is not to be unwrapped with w. Nothing but the
// header and the options decides that, so nobody learns anything from asking.
func (r *rules) check(h *header, w Wrapper) error {
	if _, err := writes(r.policy); err != nil {
		return err
	}
	if r.policy == keyring.RequireEncryptRequireDecrypt && h.suite != suiteCommitting {
		return fmt.Errorf("%w: %v does not decrypt %v", ErrPolicy, r.policy, h.suite)
	}
	if h.suite == suiteCBC && !r.allowCBC {
		return fmt.Errorf("%w: the content is encrypted with %v, which takes AllowLegacyCBC", ErrLegacy, h.suite)
	}
	if err := w.admits(h.wrap); err != nil {
		return err
	}
	switch {
	case !h.wrap.byKMS():
		return noContext(h.wrap, r.context)
	case !r.anyContext && !maps.Equal(callersContext(h.description), r.context):
		return fmt.Errorf("%w: it is not the one that is required", ErrContext)
	}
	return nil
}
