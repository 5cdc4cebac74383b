package kmscrypto

import (
	"bytes"
	"crypto"
	"encoding/asn1"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// OpaquePublicKey is a public key for which the standard library has no type
// (secp256k1, ML-DSA, ML-KEM-512). It is comparable.
type OpaquePublicKey struct {
	spec types.KeySpec
	der  string
}

// KeySpec returns the key spec that KMS gave.
func (p OpaquePublicKey) KeySpec() types.KeySpec { return p.spec }

// DER returns a copy of the DER encoding of the key's SubjectPublicKeyInfo.
func (p OpaquePublicKey) DER() []byte { return []byte(p.der) }

// Equal reports whether x is an OpaquePublicKey of the same key spec and encoding.
func (p OpaquePublicKey) Equal(x crypto.PublicKey) bool { return x == crypto.PublicKey(p) }

// opaque parses the public key of a key spec for which the standard library has no
// type. raw is the key without its SubjectPublicKeyInfo.
func (k *key) opaque() (public OpaquePublicKey, raw []byte, err error) {
	raw, ok := parseOpaque(k.spec, k.der)
	if !ok {
		return OpaquePublicKey{}, nil, k.unfit("its public key is another")
	}
	return OpaquePublicKey{k.spec, string(k.der)}, raw, nil
}

// opaqueSpec is what the SubjectPublicKeyInfo of a key spec holds for which the
// standard library has no type.
type opaqueSpec struct {
	algorithm asn1.ObjectIdentifier
	curve     asn1.ObjectIdentifier // the parameters; nil: there are none
	size      int                   // of the key in bytes
}

var opaqueSpecs = map[types.KeySpec]opaqueSpec{
	// SEC 1, section 2.3.3 (uncompressed point); SEC 2, section 2.4.1.
	types.KeySpecEccSecgP256k1: {asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.ObjectIdentifier{1, 3, 132, 0, 10}, 65},
	// RFC 9881, section 2; FIPS 204, table 2.
	types.KeySpecMlDsa44: {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 17}, nil, 1312},
	types.KeySpecMlDsa65: {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}, nil, 1952},
	types.KeySpecMlDsa87: {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 19}, nil, 2592},
	// RFC 9935, section 3; FIPS 203, table 3.
	types.KeySpecMlKem512:  {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, 1}, nil, 800},
	types.KeySpecMlKem768:  {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, 2}, nil, 1184},
	types.KeySpecMlKem1024: {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, 3}, nil, 1568},
}

// parseOpaque returns the key inside of a SubjectPublicKeyInfo (RFC 5280, section
// 4.1) of the given spec. It reports false for a spec that is not in the table. All
// that stands before the key is known, so there is nothing to parse.
func parseOpaque(spec types.KeySpec, der []byte) ([]byte, bool) {
	want, ok := opaqueSpecs[spec]
	if !ok {
		return nil, false
	}
	var info struct {
		Algorithm struct {
			Algorithm asn1.ObjectIdentifier
			Curve     asn1.ObjectIdentifier `asn1:"optional"`
		}
		Key asn1.BitString
	}
	info.Algorithm.Algorithm, info.Algorithm.Curve = want.algorithm, want.curve
	info.Key = asn1.BitString{Bytes: make([]byte, want.size), BitLength: 8 * want.size}
	form, err := asn1.Marshal(info)
	if err != nil || len(der) != len(form) {
		return nil, false
	}
	head := len(form) - want.size
	return der[head:], bytes.Equal(der[:head], form[:head])
}
