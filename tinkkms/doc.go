// Package tinkkms lets Tink (github.com/tink-crypto/tink-go) wrap keysets and data
// keys with the symmetric keys of AWS KMS, or of anything that answers like it: the
// local engine of sealring, for one.
//
//	client, err := tinkkms.NewClient(api, "aws-kms://", nil) // api: *kms.Client of aws-sdk-go-v2
//	wrap, err := client.AEAD("aws-kms://arn:aws:kms:eu-west-1:111122223333:key/…")
//	err = handle.WriteWithContext(ctx, writer, wrap, associatedData)
//
// Key URIs and ciphertexts are those of Tink's own extension for AWS,
// github.com/tink-crypto/tink-go-awskms: each reads what the other has written.
//
// Associated data becomes the encryption context: one pair, named "associatedData",
// with the data in hexadecimal. KMS binds it to the ciphertext and writes it into its
// audit log, so that it must hold no secrets. Without associated data there is no
// pair. KMS encrypts 1 to 4096 bytes; for more there is Tink's envelope AEAD.
//
// The types are immutable and safe for concurrent use if the API is.
package tinkkms
