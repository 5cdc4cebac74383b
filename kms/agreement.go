package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var deriveSharedSecret = &operation[sdk.DeriveSharedSecretInput, sdk.DeriveSharedSecretOutput]{
	name:     "DeriveSharedSecret",
	readOnly: true,
	run: func(*request, *sdk.DeriveSharedSecretInput, []target) (*sdk.DeriveSharedSecretOutput, error) {
		return nil, unsupported("DeriveSharedSecret is not built yet.")
	},
}
