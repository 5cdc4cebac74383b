// Package suite is the table of algorithm suites: the one place that says which
// primitives, lengths and message version belong to a two-byte suite id.
package suite

import (
	"crypto"
	"crypto/elliptic"
	_ "crypto/sha256" // crypto.SHA256 in the table
	_ "crypto/sha512" // crypto.SHA384 and crypto.SHA512 in the table
)

// Lengths shared by every suite of the AWS Encryption SDK, in bytes.
const (
	IVLen     = 12
	TagLen    = 16
	CommitLen = 32 // the committing suites' suite data
)

// Suite holds the properties of one algorithm suite. Values come from [Lookup]
// and [All] only and are never modified.
type Suite struct {
	ID         uint16
	Name       string      // the Encryption SDK's enumeration name
	Version    byte        // message format version, 1 or 2
	KeyLen     int         // data key and content key, bytes
	KDF        crypto.Hash // HKDF's hash; 0: the data key is the content key
	Committing bool

	Curve     elliptic.Curve // nil: unsigned
	Signature crypto.Hash    // hash of the signed bytes
	SigLen    int            // length of the DER signatures we write, bytes
}

// Signed reports whether messages of the suite end in an ECDSA signature.
func (s *Suite) Signed() bool { return s.Curve != nil }

var table = [...]Suite{
	{ID: 0x0014, Name: "ALG_AES_128_GCM_IV12_TAG16_NO_KDF", Version: 1, KeyLen: 16},
	{ID: 0x0046, Name: "ALG_AES_192_GCM_IV12_TAG16_NO_KDF", Version: 1, KeyLen: 24},
	{ID: 0x0078, Name: "ALG_AES_256_GCM_IV12_TAG16_NO_KDF", Version: 1, KeyLen: 32},
	{ID: 0x0114, Name: "ALG_AES_128_GCM_IV12_TAG16_HKDF_SHA256", Version: 1, KeyLen: 16, KDF: crypto.SHA256},
	{ID: 0x0146, Name: "ALG_AES_192_GCM_IV12_TAG16_HKDF_SHA256", Version: 1, KeyLen: 24, KDF: crypto.SHA256},
	{ID: 0x0178, Name: "ALG_AES_256_GCM_IV12_TAG16_HKDF_SHA256", Version: 1, KeyLen: 32, KDF: crypto.SHA256},
	{ID: 0x0214, Name: "ALG_AES_128_GCM_IV12_TAG16_HKDF_SHA256_ECDSA_P256", Version: 1, KeyLen: 16, KDF: crypto.SHA256,
		Curve: elliptic.P256(), Signature: crypto.SHA256, SigLen: 71},
	{ID: 0x0346, Name: "ALG_AES_192_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384", Version: 1, KeyLen: 24, KDF: crypto.SHA384,
		Curve: elliptic.P384(), Signature: crypto.SHA384, SigLen: 103},
	{ID: 0x0378, Name: "ALG_AES_256_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384", Version: 1, KeyLen: 32, KDF: crypto.SHA384,
		Curve: elliptic.P384(), Signature: crypto.SHA384, SigLen: 103},
	{ID: 0x0478, Name: "ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY", Version: 2, KeyLen: 32, KDF: crypto.SHA512, Committing: true},
	{ID: 0x0578, Name: "ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384", Version: 2, KeyLen: 32, KDF: crypto.SHA512, Committing: true,
		Curve: elliptic.P384(), Signature: crypto.SHA384, SigLen: 103},
}

// Lookup returns the suite with the given id, or nil if there is none.
func Lookup(id uint16) *Suite {
	for i := range table {
		if table[i].ID == id {
			return &table[i]
		}
	}
	return nil
}

// All returns every suite in ascending order of id.
func All() []*Suite {
	all := make([]*Suite, len(table))
	for i := range table {
		all[i] = &table[i]
	}
	return all
}
