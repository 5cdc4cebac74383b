package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var encapsulate = &operation[sdk.EncapsulateInput, sdk.EncapsulateOutput]{
	name:     "Encapsulate",
	readOnly: true,
	run: func(*request, *sdk.EncapsulateInput, []target) (*sdk.EncapsulateOutput, error) {
		return nil, unsupported("Encapsulate is not built yet.")
	},
}

var decapsulate = &operation[sdk.DecapsulateInput, sdk.DecapsulateOutput]{
	name:     "Decapsulate",
	readOnly: true,
	run: func(*request, *sdk.DecapsulateInput, []target) (*sdk.DecapsulateOutput, error) {
		return nil, unsupported("Decapsulate is not built yet.")
	},
}
