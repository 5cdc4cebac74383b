package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var enableKeyRotation = &operation[sdk.EnableKeyRotationInput, sdk.EnableKeyRotationOutput]{
	name:   "EnableKeyRotation",
	noBody: true,
	run: func(*request, *sdk.EnableKeyRotationInput, []target) (*sdk.EnableKeyRotationOutput, error) {
		return nil, unsupported("EnableKeyRotation is not built yet.")
	},
}

var disableKeyRotation = &operation[sdk.DisableKeyRotationInput, sdk.DisableKeyRotationOutput]{
	name:   "DisableKeyRotation",
	noBody: true,
	run: func(*request, *sdk.DisableKeyRotationInput, []target) (*sdk.DisableKeyRotationOutput, error) {
		return nil, unsupported("DisableKeyRotation is not built yet.")
	},
}

var getKeyRotationStatus = &operation[sdk.GetKeyRotationStatusInput, sdk.GetKeyRotationStatusOutput]{
	name:     "GetKeyRotationStatus",
	readOnly: true,
	run: func(*request, *sdk.GetKeyRotationStatusInput, []target) (*sdk.GetKeyRotationStatusOutput, error) {
		return nil, unsupported("GetKeyRotationStatus is not built yet.")
	},
}

var listKeyRotations = &operation[sdk.ListKeyRotationsInput, sdk.ListKeyRotationsOutput]{
	name:     "ListKeyRotations",
	readOnly: true,
	run: func(*request, *sdk.ListKeyRotationsInput, []target) (*sdk.ListKeyRotationsOutput, error) {
		return nil, unsupported("ListKeyRotations is not built yet.")
	},
}

var rotateKeyOnDemand = &operation[sdk.RotateKeyOnDemandInput, sdk.RotateKeyOnDemandOutput]{
	name: "RotateKeyOnDemand",
	run: func(*request, *sdk.RotateKeyOnDemandInput, []target) (*sdk.RotateKeyOnDemandOutput, error) {
		return nil, unsupported("RotateKeyOnDemand is not built yet.")
	},
}
