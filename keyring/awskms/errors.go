package awskms

import "errors"

var (
	// ErrKeyID is returned by [New] for a key that it does not take, and by
	// OnDecrypt when an encrypted data key of provider "aws-kms" does not name its
	// key by a key ARN.
	ErrKeyID = errors.New("awskms: not the ARN of a KMS key")

	// ErrEncryptOnly is returned by OnDecrypt of a keyring made with
	// [Options].EncryptOnly.
	ErrEncryptOnly = errors.New("awskms: the keyring is for encryption only")

	// ErrResponse is returned when the API's response does not belong to the
	// request: it is empty, lacks a field, or names another key.
	ErrResponse = errors.New("awskms: response refused")
)
