package kms

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/xks"
)

// xksFailure is what AWS KMS makes of a failure of an external key store proxy (AWS KMS
// Developer Guide, "Troubleshooting external key stores"). In a cryptographic operation
// every one is a KMSInvalidStateException.
type xksFailure struct {
	// settings is the exception of CreateCustomKeyStore and UpdateCustomKeyStore.
	settings func(message *string) error
	// newKey is that of CreateKey, CustomKeyStoreInvalidStateException if it is nil.
	newKey func(message *string) error
	// code is the connection error code.
	code types.ConnectionErrorCodeType
	text string
	// newKeyText is the text in CreateKey, if it is another one.
	newKeyText string
}

// The parts of texts that occur again and again.
const (
	rejected = "The external key store proxy rejected the request because "
	toAdmin  = " If you see this error repeatedly, report it to your external key store proxy administrator."
)

const (
	notConnected = "This KMS key is in a custom key store that is not connected to its external key store proxy. " +
		"Connect the external key store and try the request again."
	wrongInnerBlob = "The ciphertext that the external key store proxy submitted for decryption, or the encryption context, " +
		"is corrupted, missing, or otherwise invalid."
)

// Failures without an error of the proxy.
var (
	unreadable = xksFailure{
		settings: invalidResponse, code: types.ConnectionErrorCodeTypeXksProxyInvalidResponse,
		text: "AWS KMS cannot interpret the response from the external key store proxy." + toAdmin,
	}
	unreachable = xksFailure{
		settings: proxyUnreachable, code: types.ConnectionErrorCodeTypeXksProxyNotReachable,
		text: "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. " +
			"If you see this error repeatedly, verify that your external key store proxy is active and is connected to the network, " +
			"and that its endpoint URI is correct in your external key store.",
	}
	insecure = xksFailure{
		settings: proxyUnreachable, code: types.ConnectionErrorCodeTypeXksProxyInvalidTlsConfiguration,
		text: "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, including its certificate.",
	}
	late = xksFailure{
		settings: proxyUnreachable, code: types.ConnectionErrorCodeTypeXksProxyTimedOut,
		text: "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request." + toAdmin,
	}
	unhealthy = xksFailure{
		settings: proxyUnreachable, code: types.ConnectionErrorCodeTypeXksProxyNotReachable,
		text: "The external key store proxy is in an unhealthy state. If you see this message repeatedly, notify your external key store proxy administrator.",
	}
)

// xksFailures has the errors that a proxy answers with.
var xksFailures = map[string]xksFailure{
	xks.ValidationException: unreadable,
	xks.InternalException: {
		settings: invalidResponse, code: types.ConnectionErrorCodeTypeXksProxyInvalidResponse,
		text: rejected + "it cannot communicate with the external key manager. " +
			"Verify that the external key store proxy configuration is correct and that the external key manager is available.",
	},
	xks.InvalidStateException: {
		settings: invalidResponse, newKey: unfitExternalKey, code: types.ConnectionErrorCodeTypeXksProxyInvalidResponse,
		text: "The external key associated with this KMS key in an external key store is not enabled in the external key manager. " +
			"Enable the external key in the external key manager and retry the request.",
	},
	xks.InvalidKeyUsageException: {
		settings: invalidResponse, newKey: unfitExternalKey, code: types.ConnectionErrorCodeTypeXksProxyInvalidResponse,
		text: "The external key associated with this KMS key in an external key store does not support the requested operation. " +
			"Enable the operation on the key in your external key manager, and try the request again.",
	},
	xks.InvalidCiphertextException: {
		settings: invalidResponse, code: types.ConnectionErrorCodeTypeXksProxyInvalidResponse,
		text: rejected + "the specified ciphertext or encryption context is corrupted, missing, or otherwise invalid.",
	},
	xks.AuthenticationFailedException: {
		settings: incorrectCredential, code: types.ConnectionErrorCodeTypeInvalidCredentials,
		text: rejected + "it could not authenticate AWS KMS. Verify the XKS proxy authentication credentials for your external key store and update if necessary.",
	},
	xks.AccessDeniedException: {
		settings: invalidConfiguration, code: types.ConnectionErrorCodeTypeXksProxyAccessDenied,
		text: "The external key store proxy denied access to the operation. " +
			"Verify that the user and the external key are both authorized for this operation, and try the request again.",
	},
	xks.KeyNotFoundException: {
		settings: invalidResponse, newKey: noExternalKey, code: types.ConnectionErrorCodeTypeXksProxyInvalidResponse,
		text: "The external key associated with this KMS key in an external key store was not found in its external key manager. " +
			"If the external key ID associated with this KMS key is incorrect, create a new KMS key with the correct external key ID.",
		newKeyText: rejected + "it could not find the external key.",
	},
	xks.InvalidURIPathException: {
		settings: invalidConfiguration, code: types.ConnectionErrorCodeTypeXksProxyInvalidConfiguration,
		text: rejected + "of an invalid URI path. Verify the URI path for your external key store and update if necessary.",
	},
	xks.UnsupportedOperationException: {
		settings: invalidResponse, code: types.ConnectionErrorCodeTypeXksProxyInvalidResponse,
		text: rejected + "it does not support the requested operation." + toAdmin,
	},
	xks.DependencyTimeoutException: {
		settings: proxyUnreachable, code: types.ConnectionErrorCodeTypeXksProxyTimedOut,
		text: "The external key store proxy did not respond to the request in the time allotted. Retry the request." + toAdmin,
	},
	xks.ThrottlingException: {
		settings: proxyUnreachable, code: types.ConnectionErrorCodeTypeXksProxyNotReachable,
		text: "The external key store proxy rejected the request due to a very high request rate. " +
			"Reduce the frequency of your calls using KMS keys in this external key store.",
	},
}

// xksFailureOf returns what an error of package xks means, nil for any other error.
func xksFailureOf(err error) *xksFailure {
	var answered *xks.Error
	switch {
	case errors.As(err, &answered):
		f, ok := xksFailures[answered.Name]
		if !ok {
			f = unreadable
		}
		return &f
	case errors.Is(err, xks.ErrTLS): // is an ErrUnreachable too
		return &insecure
	case errors.Is(err, xks.ErrUnreachable):
		return &unreachable
	case errors.Is(err, xks.ErrTimeout):
		return &late
	case errors.Is(err, xks.ErrInvalidResponse):
		return &unreadable
	}
	return nil
}

// inSettings returns the exception of CreateCustomKeyStore and UpdateCustomKeyStore.
func (f *xksFailure) inSettings() error { return f.settings(text("%s", f.text)) }

// inCreateKey returns the exception of CreateKey.
func (f *xksFailure) inCreateKey() error {
	if f.newKey == nil {
		return &types.CustomKeyStoreInvalidStateException{Message: text("%s", f.text)}
	}
	if f.newKeyText != "" {
		return f.newKey(text("%s", f.newKeyText))
	}
	return f.newKey(text("%s", f.text))
}

// inCryptography returns the exception of a cryptographic operation.
func (f *xksFailure) inCryptography() error { return invalidState("%s", f.text) }

func invalidResponse(m *string) error { return &types.XksProxyInvalidResponseException{Message: m} }
func proxyUnreachable(m *string) error {
	return &types.XksProxyUriUnreachableException{Message: m}
}
func incorrectCredential(m *string) error {
	return &types.XksProxyIncorrectAuthenticationCredentialException{Message: m}
}
func invalidConfiguration(m *string) error {
	return &types.XksProxyInvalidConfigurationException{Message: m}
}
func unfitExternalKey(m *string) error {
	return &types.XksKeyInvalidConfigurationException{Message: m}
}
func noExternalKey(m *string) error { return &types.XksKeyNotFoundException{Message: m} }
