// Package awskms wraps data keys with the keys of AWS KMS, or of anything that
// answers like it: [API] is satisfied by *kms.Client of aws-sdk-go-v2 and by the
// clients of the local engine.
//
//	ring, err := awskms.New(client, keyARN, nil)
//	m := keyring.NewManager(ring)
//
// The whole encryption context goes to KMS with every call. There it is bound to
// the data key, and it stands in clear text in the audit log: it must hold no
// secrets. The region of the client has to be the region of the key.
//
// The keyrings are safe for concurrent use if the API is. Each call they make ends
// when its context does; retries are the API's.
package awskms
