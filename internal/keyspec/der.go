package keyspec

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"errors"
)

// What an AlgorithmIdentifier is for the keys of a spec, in DER. RSA's has a NULL, that
// of an EC key the curve's name, the others have no parameters.
const (
	idRSA       = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"        // 1.2.840.113549.1.1.1
	idP256      = "\x30\x13" + ecPublicKey + "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07" // 1.2.840.10045.3.1.7
	idP384      = "\x30\x10" + ecPublicKey + "\x06\x05\x2b\x81\x04\x00\x22"             // 1.3.132.0.34
	idP521      = "\x30\x10" + ecPublicKey + "\x06\x05\x2b\x81\x04\x00\x23"             // 1.3.132.0.35
	idSecp256k1 = "\x30\x10" + ecPublicKey + "\x06\x05\x2b\x81\x04\x00\x0a"             // 1.3.132.0.10
	idEd25519   = "\x30\x05\x06\x03\x2b\x65\x70"                                        // 1.3.101.112
	idMLDSA44   = "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11"                // 2.16.840.1.101.3.4.3.17
	idMLDSA65   = "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12"                // 2.16.840.1.101.3.4.3.18
	idMLDSA87   = "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13"                // 2.16.840.1.101.3.4.3.19
	idMLKEM512  = "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x01"                // 2.16.840.1.101.3.4.4.1
	idMLKEM768  = "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02"                // 2.16.840.1.101.3.4.4.2
	idMLKEM1024 = "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x03"                // 2.16.840.1.101.3.4.4.3

	ecPublicKey = "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" // 1.2.840.10045.2.1, which all keys on named curves begin with
)

// maxDER bounds what is parsed, in bytes. The largest key material, RSA_4096, has some
// 2,400, and AWS KMS takes no more than 6,144 of anything here.
const maxDER = 8192

// Reasons to refuse key material, in words that give away nothing of it.
var (
	errDER       = errors.New("not DER of the expected structure")
	errAlgorithm = errors.New("another algorithm or curve")
	errPublic    = errors.New("the public key does not belong to the private key")
	errPoint     = errors.New("not an uncompressed point on the curve")
)

// oneAsymmetricKey is RFC 5958's structure, which is PKCS #8's PrivateKeyInfo in
// version 1, and has the public key in version 2.
type oneAsymmetricKey struct {
	Version    int // 0: version 1; 1: version 2
	Algorithm  asn1.RawValue
	PrivateKey []byte
	Attributes asn1.RawValue  `asn1:"optional,tag:0"`
	PublicKey  asn1.BitString `asn1:"optional,tag:1"`
}

// subjectPublicKeyInfo is RFC 5280's structure.
type subjectPublicKeyInfo struct {
	Algorithm asn1.RawValue
	PublicKey asn1.BitString
}

// marshalPKCS8 encodes a private key under an algorithm identifier.
func marshalPKCS8(id string, privateKey []byte) ([]byte, error) {
	return asn1.Marshal(oneAsymmetricKey{Algorithm: asn1.RawValue{FullBytes: []byte(id)}, PrivateKey: privateKey})
}

// parsePKCS8 returns the private key under an algorithm identifier, and the public key
// that comes with it, or nil.
func parsePKCS8(id string, der []byte) (privateKey, public []byte, err error) {
	k, err := unmarshal[oneAsymmetricKey](der)
	if err != nil {
		return nil, nil, err
	}
	if string(k.Algorithm.FullBytes) != id {
		return nil, nil, errAlgorithm
	}
	public, err = bits(k.PublicKey)
	if err != nil || public == nil && k.Version != 0 || public != nil && k.Version != 1 {
		return nil, nil, errDER
	}
	return k.PrivateKey, public, nil
}

// marshalSPKI encodes a public key under an algorithm identifier.
func marshalSPKI(id string, public []byte) ([]byte, error) {
	return asn1.Marshal(subjectPublicKeyInfo{asn1.RawValue{FullBytes: []byte(id)}, asn1.BitString{Bytes: public, BitLength: 8 * len(public)}})
}

// parseSPKI returns the public key under an algorithm identifier.
func parseSPKI(id string, der []byte) ([]byte, error) {
	k, err := unmarshal[subjectPublicKeyInfo](der)
	if err != nil {
		return nil, err
	}
	if string(k.Algorithm.FullBytes) != id {
		return nil, errAlgorithm
	}
	return bits(k.PublicKey)
}

// bits returns a copy of the bytes of a bit string, which has to have whole ones, or nil
// if there is no bit string.
func bits(s asn1.BitString) ([]byte, error) {
	if s.BitLength%8 != 0 {
		return nil, errDER
	}
	return bytes.Clone(s.Bytes), nil
}

// unmarshal decodes DER strictly: encoding/asn1 tolerates bytes after a structure and
// elements in it that it does not know, which encoding the result again brings to light.
func unmarshal[T any](der []byte) (value T, err error) {
	if len(der) > maxDER {
		return value, errDER
	}
	if _, err := asn1.Unmarshal(der, &value); err != nil {
		return value, errDER
	}
	again, err := asn1.Marshal(value)
	defer clear(again)
	if err != nil || !bytes.Equal(again, der) {
		return value, errDER
	}
	return value, nil
}

// belong reports whether every public key that is claimed to be that of a private key
// is. nil claims nothing.
func belong(public []byte, claims ...[]byte) bool {
	for _, c := range claims {
		if c != nil && !bytes.Equal(c, public) {
			return false
		}
	}
	return true
}

// Tags of a seed in the PKCS #8 private keys that are one.
const (
	octetString = asn1.TagOctetString // Ed25519 (RFC 8410, section 7)
	seedChoice  = 0x80                // [0] of ML-DSA and ML-KEM (RFC 9881 and RFC 9935, section 6)
)

// marshalSeed encodes a private key that is a seed of less than 128 bytes.
func marshalSeed(id string, tag byte, seed []byte) ([]byte, error) {
	inner := append([]byte{tag, byte(len(seed))}, seed...)
	defer clear(inner)
	return marshalPKCS8(id, inner)
}

// parseSeed returns a private key that is a seed of size bytes, and the public key that
// comes with it, or nil.
func parseSeed(id string, tag byte, size int, der []byte) (seed, public []byte, err error) {
	inner, public, err := parsePKCS8(id, der)
	if err != nil {
		return nil, nil, err
	}
	if len(inner) != 2+size || inner[0] != tag || inner[1] != byte(size) {
		return nil, nil, errDER
	}
	return inner[2:], public, nil
}

// newSeed returns a new private key that is a seed of less than 128 bytes.
func newSeed(id string, tag byte, size int) ([]byte, error) {
	seed := make([]byte, size)
	defer clear(seed)
	rand.Read(seed)
	return marshalSeed(id, tag, seed)
}
