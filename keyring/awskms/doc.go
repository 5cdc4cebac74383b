// Package awskms wraps data keys with the keys of AWS KMS, or of anything that
// answers like it: [API] is satisfied by *kms.Client of aws-sdk-go-v2 and by the
// clients of the local engine.
//
//	ring, err := awskms.New(client, keyARN, nil)
//	m := keyring.NewManager(ring)
//
// Which keyring for which task:
//
//	one key                                          New
//	a multi-Region key, in one of its Regions        NewMRK
//	the same, and go on when a Region is down        NewMRKFailover
//	several keys, each of which can decrypt          NewMulti, NewMRKMulti
//	decrypt with any key of known accounts           NewDiscovery, NewMRKDiscovery
//	the same in several Regions                      NewDiscoveryMulti, NewMRKDiscoveryMulti
//	encrypt without access to KMS, by a public key   NewRSA
//	between a KMS key and a key of another party     NewECDH, NewECDHDiscovery
//
// Those of multi-Region keys also decrypt what was encrypted under a replica in another
// Region; the others take each replica for a key of its own.
//
// The whole encryption context goes to KMS with every call, but for [RSA] and [ECDH].
// There it is bound to the data key, and it stands in clear text in the audit log: it
// must hold no secrets. The region of the client has to be the region of the key.
//
// The keyrings are safe for concurrent use if the API is. Each call they make ends
// when its context does; retries are the API's.
package awskms
