// Package sealring is the map of the house; there is no code in it.
//
// sealring is envelope encryption with the semantics of AWS KMS, in two halves that
// meet in one small interface. One half encrypts data in the client, in AWS's own
// formats; the other is a local KMS that behaves as AWS's does. Either works
// without the other, and both work against AWS.
//
// # Which package for which task
//
//	encrypt or decrypt messages and streams    envelope
//	hold wrapping keys in memory               keyring (RawAES, RawRSA, RawECDH…, HPKE, Multi)
//	share data keys between messages           keyring (Caching)
//	insist on who a message belongs to         keyring (RequiredContext)
//	wrap data keys with KMS                    keyring/awskms
//	wrap many data keys per KMS request        keyring/branchkey
//	encrypt what is in S3                      s3crypto
//	sign, decrypt or agree with KMS keys       kmscrypto
//	test code that uses KMS                    kms/kmstest
//	run a KMS inside a program                 local, or kms for every detail
//	serve it to other SDKs and the AWS CLI     endpoint
//	decide and explain AWS policies            policy
//	verify Nitro enclaves, seal answers        nitro, nitro/nitrotest in tests
//	know who called and what was answered      identity, audit
//	keep the keys of a local KMS               store, store/boltstore, store/etcdstore
//	run it as a server, look after its store   cmd/sealring
//	test a keyring or a store of your own      keyring/keyringtest, store/storetest
//
// # The floors
//
// Imports only go down.
//
//	floor 4   local                one object that holds a whole local cloud
//	          endpoint             HTTP in AWS's wire protocol
//	floor 2   envelope             AWS Encryption SDK messages
//	          s3crypto             objects of the Amazon S3 Encryption Clients
//	          kms, kms/kmstest     the local KMS engine
//	          kmscrypto            KMS keys behind the interfaces of package crypto
//	floor 1   keyring, …/awskms    keyrings, materials, managers
//	          keyring/branchkey    the hierarchical keyring and its key stores
//	          store, …/boltstore   transactions in memory and in a file, sealing
//	          identity, audit      who calls; what was recorded
//	floor 0   policy               AWS policies, decided and explained
//	          nitro                attestation documents and envelopes of Nitro enclaves
//	          internal/…           mechanism
//
// Modules of their own, beside this one: cmd/sealring is a server and a tool,
// store/etcdstore keeps a store on an etcd cluster, and tinkkms wraps the keysets of Tink
// with KMS keys. So is examples/s3, for the sake of the S3 server that it starts.
//
// Packages policy, envelope, keyring, store, identity and audit need the standard library
// only, packages nitro and store/boltstore a CBOR library and bbolt besides; the AWS SDK is compiled by those that name
// its types: kms, kmscrypto, s3crypto, keyring/awskms, keyring/branchkey, endpoint and local.
//
// # Compatibility
//
// Messages of package envelope are those of the AWS Encryption SDK, objects of package
// s3crypto those of the Amazon S3 Encryption Clients, and both will be readable for ever.
// What this module itself defines (ciphertext blobs of the local KMS, records in a store,
// states of uploads) carries a version, and every version that a release has written can
// be read by later ones; docs/formats.md has the bytes. Until version 1 the Go API may
// still change between minor releases; CHANGELOG.md says how.
package sealring
