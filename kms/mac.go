package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var generateMac = &operation[sdk.GenerateMacInput, sdk.GenerateMacOutput]{
	name:     "GenerateMac",
	readOnly: true,
	run: func(*request, *sdk.GenerateMacInput, []target) (*sdk.GenerateMacOutput, error) {
		return nil, unsupported("GenerateMac is not built yet.")
	},
}

var verifyMac = &operation[sdk.VerifyMacInput, sdk.VerifyMacOutput]{
	name:     "VerifyMac",
	readOnly: true,
	run: func(*request, *sdk.VerifyMacInput, []target) (*sdk.VerifyMacOutput, error) {
		return nil, unsupported("VerifyMac is not built yet.")
	},
}
