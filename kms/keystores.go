package kms

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var connectCustomKeyStore = &operation[sdk.ConnectCustomKeyStoreInput, sdk.ConnectCustomKeyStoreOutput]{
	name: "ConnectCustomKeyStore",
	run: func(*request, *sdk.ConnectCustomKeyStoreInput, []target) (*sdk.ConnectCustomKeyStoreOutput, error) {
		return nil, unsupported("ConnectCustomKeyStore is not built yet.")
	},
}

var createCustomKeyStore = &operation[sdk.CreateCustomKeyStoreInput, sdk.CreateCustomKeyStoreOutput]{
	name: "CreateCustomKeyStore",
	run: func(*request, *sdk.CreateCustomKeyStoreInput, []target) (*sdk.CreateCustomKeyStoreOutput, error) {
		return nil, unsupported("CreateCustomKeyStore is not built yet.")
	},
}

var deleteCustomKeyStore = &operation[sdk.DeleteCustomKeyStoreInput, sdk.DeleteCustomKeyStoreOutput]{
	name: "DeleteCustomKeyStore",
	run: func(*request, *sdk.DeleteCustomKeyStoreInput, []target) (*sdk.DeleteCustomKeyStoreOutput, error) {
		return nil, unsupported("DeleteCustomKeyStore is not built yet.")
	},
}

var describeCustomKeyStores = &operation[sdk.DescribeCustomKeyStoresInput, sdk.DescribeCustomKeyStoresOutput]{
	name:     "DescribeCustomKeyStores",
	readOnly: true,
	run: func(*request, *sdk.DescribeCustomKeyStoresInput, []target) (*sdk.DescribeCustomKeyStoresOutput, error) {
		return nil, unsupported("DescribeCustomKeyStores is not built yet.")
	},
}

var disconnectCustomKeyStore = &operation[sdk.DisconnectCustomKeyStoreInput, sdk.DisconnectCustomKeyStoreOutput]{
	name: "DisconnectCustomKeyStore",
	run: func(*request, *sdk.DisconnectCustomKeyStoreInput, []target) (*sdk.DisconnectCustomKeyStoreOutput, error) {
		return nil, unsupported("DisconnectCustomKeyStore is not built yet.")
	},
}

var updateCustomKeyStore = &operation[sdk.UpdateCustomKeyStoreInput, sdk.UpdateCustomKeyStoreOutput]{
	name: "UpdateCustomKeyStore",
	run: func(*request, *sdk.UpdateCustomKeyStoreInput, []target) (*sdk.UpdateCustomKeyStoreOutput, error) {
		return nil, unsupported("UpdateCustomKeyStore is not built yet.")
	},
}
