package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var getPublicKey = &operation[sdk.GetPublicKeyInput, sdk.GetPublicKeyOutput]{
	name:     "GetPublicKey",
	readOnly: true,
	run: func(*request, *sdk.GetPublicKeyInput, []target) (*sdk.GetPublicKeyOutput, error) {
		return nil, unsupported("GetPublicKey is not built yet.")
	},
}
