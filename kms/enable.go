package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

// EnableKey and DisableKey. Both succeed on a key that already is as asked.

var enableKey = &operation[sdk.EnableKeyInput, sdk.EnableKeyOutput]{
	name:     "EnableKey",
	noBody:   true,
	validate: func(c *constraints, in *sdk.EnableKeyInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.EnableKeyInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(r *request, _ *sdk.EnableKeyInput, on []target) (*sdk.EnableKeyOutput, error) {
		return &sdk.EnableKeyOutput{}, r.setEnabled(on[0], true)
	},
}

var disableKey = &operation[sdk.DisableKeyInput, sdk.DisableKeyOutput]{
	name:     "DisableKey",
	noBody:   true,
	validate: func(c *constraints, in *sdk.DisableKeyInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.DisableKeyInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(r *request, _ *sdk.DisableKeyInput, on []target) (*sdk.DisableKeyOutput, error) {
		return &sdk.DisableKeyOutput{}, r.setEnabled(on[0], false)
	},
}

func (r *request) setEnabled(t target, enabled bool) error {
	if t.key.Enabled == enabled {
		return nil
	}
	t.key.Enabled = enabled
	return r.writeKey(t.key)
}
