package kms

import (
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// connected reports whether the custom key store of k is connected.
func (r *request) connected(*keyrecord.Key) (bool, error) { return true, nil }

// addToKeyStore checks that k, which is about to be made, can be in the custom key
// store that it names, if it names one.
func (r *request) addToKeyStore(k *keyrecord.Key) error {
	if k.KeyStore == "" {
		return nil
	}
	return unsupported("CustomKeyStoreId is not supported.")
}

// setKeyStore sets the members of the metadata that describe k's custom key store.
func (r *request) setKeyStore(*types.KeyMetadata, *keyrecord.Key) error { return nil }
