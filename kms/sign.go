package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var sign = &operation[sdk.SignInput, sdk.SignOutput]{
	name:     "Sign",
	readOnly: true,
	run: func(*request, *sdk.SignInput, []target) (*sdk.SignOutput, error) {
		return nil, unsupported("Sign is not built yet.")
	},
}

var verify = &operation[sdk.VerifyInput, sdk.VerifyOutput]{
	name:     "Verify",
	readOnly: true,
	run: func(*request, *sdk.VerifyInput, []target) (*sdk.VerifyOutput, error) {
		return nil, unsupported("Verify is not built yet.")
	},
}
