package awskms

import "errors"

var (
	// ErrKeyID is returned by constructors for a key that they do not take, and by
	// OnDecrypt when an encrypted data key of the keyring's provider does not name
	// its key by a key ARN.
	ErrKeyID = errors.New("awskms: not the ARN of a KMS key")

	// ErrEncryptOnly is returned by OnDecrypt of a keyring made with
	// [Options].EncryptOnly, or without what decrypts.
	ErrEncryptOnly = errors.New("awskms: the keyring is for encryption only")

	// ErrDecryptOnly is returned by OnEncrypt of a discovery keyring, or of a keyring
	// made without what encrypts.
	ErrDecryptOnly = errors.New("awskms: the keyring is for decryption only")

	// ErrSignedSuite is returned by [RSA] for algorithm suites that sign.
	ErrSignedSuite = errors.New("awskms: the RSA keyring does not take a suite that signs")

	// ErrDuplicateMRK is returned by [NewMRKMulti] for several replicas of one
	// multi-Region key.
	ErrDuplicateMRK = errors.New("awskms: the keys are replicas of one multi-Region key")

	// ErrResponse is returned when the API's response does not belong to the
	// request: it is empty, lacks a field, or names another key.
	ErrResponse = errors.New("awskms: response refused")
)
