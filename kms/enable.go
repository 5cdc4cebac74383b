package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

// EnableKey and DisableKey. Both succeed on a key that already is as asked. A disabled
// key is not rotated; one that is overdue is when it is enabled.

var enableKey = &operation[sdk.EnableKeyInput, sdk.EnableKeyOutput]{
	name:     "EnableKey",
	noBody:   true,
	validate: func(c *constraints, in *sdk.EnableKeyInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.EnableKeyInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(r *request, _ *sdk.EnableKeyInput, on []target) (*sdk.EnableKeyOutput, error) {
		k := on[0].key
		if k.Enabled {
			return &sdk.EnableKeyOutput{}, nil
		}
		k.Enabled = true
		return &sdk.EnableKeyOutput{}, r.restart(k)
	},
}

var disableKey = &operation[sdk.DisableKeyInput, sdk.DisableKeyOutput]{
	name:     "DisableKey",
	noBody:   true,
	validate: func(c *constraints, in *sdk.DisableKeyInput) { c.keyID("keyId", in.KeyId) },
	targets: func(r *request, in *sdk.DisableKeyInput) ([]target, error) {
		return r.idleKey(in.KeyId)
	},
	run: func(r *request, _ *sdk.DisableKeyInput, on []target) (*sdk.DisableKeyOutput, error) {
		k := on[0].key
		if !k.Enabled {
			return &sdk.DisableKeyOutput{}, nil
		}
		k.Enabled = false
		return &sdk.DisableKeyOutput{}, r.writeKey(k)
	},
}
