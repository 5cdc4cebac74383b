package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var getKeyLastUsage = &operation[sdk.GetKeyLastUsageInput, sdk.GetKeyLastUsageOutput]{
	name:     "GetKeyLastUsage",
	readOnly: true,
	run: func(*request, *sdk.GetKeyLastUsageInput, []target) (*sdk.GetKeyLastUsageOutput, error) {
		return nil, unsupported("GetKeyLastUsage is not built yet.")
	},
}
