package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var getParametersForImport = &operation[sdk.GetParametersForImportInput, sdk.GetParametersForImportOutput]{
	name:     "GetParametersForImport",
	readOnly: true,
	run: func(*request, *sdk.GetParametersForImportInput, []target) (*sdk.GetParametersForImportOutput, error) {
		return nil, unsupported("GetParametersForImport is not built yet.")
	},
}

var importKeyMaterial = &operation[sdk.ImportKeyMaterialInput, sdk.ImportKeyMaterialOutput]{
	name: "ImportKeyMaterial",
	run: func(*request, *sdk.ImportKeyMaterialInput, []target) (*sdk.ImportKeyMaterialOutput, error) {
		return nil, unsupported("ImportKeyMaterial is not built yet.")
	},
}

var deleteImportedKeyMaterial = &operation[sdk.DeleteImportedKeyMaterialInput, sdk.DeleteImportedKeyMaterialOutput]{
	name: "DeleteImportedKeyMaterial",
	run: func(*request, *sdk.DeleteImportedKeyMaterialInput, []target) (*sdk.DeleteImportedKeyMaterialOutput, error) {
		return nil, unsupported("DeleteImportedKeyMaterial is not built yet.")
	},
}
