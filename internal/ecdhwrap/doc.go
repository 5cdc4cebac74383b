// Package ecdhwrap wraps data keys under a secret that two parties have agreed on,
// in the format that all ECDH keyrings share, raw ones and those of AWS KMS
// (Encryption SDK framework, "Raw ECDH keyring"):
//
//	provider info  the public keys of both parties, see [Info]
//	ciphertext     salt, commitment and AES-256-GCM ciphertext, see [Wrap]
//
// How the parties come to their secret, and which keys they take, is the keyrings'
// business.
package ecdhwrap
