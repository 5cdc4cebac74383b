package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var generateDataKeyPair = &operation[sdk.GenerateDataKeyPairInput, sdk.GenerateDataKeyPairOutput]{
	name:     "GenerateDataKeyPair",
	readOnly: true,
	run: func(*request, *sdk.GenerateDataKeyPairInput, []target) (*sdk.GenerateDataKeyPairOutput, error) {
		return nil, unsupported("GenerateDataKeyPair is not built yet.")
	},
}

var generateDataKeyPairWithoutPlaintext = &operation[sdk.GenerateDataKeyPairWithoutPlaintextInput, sdk.GenerateDataKeyPairWithoutPlaintextOutput]{
	name:     "GenerateDataKeyPairWithoutPlaintext",
	readOnly: true,
	run: func(*request, *sdk.GenerateDataKeyPairWithoutPlaintextInput, []target) (*sdk.GenerateDataKeyPairWithoutPlaintextOutput, error) {
		return nil, unsupported("GenerateDataKeyPairWithoutPlaintext is not built yet.")
	},
}
