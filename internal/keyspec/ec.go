package keyspec

import "encoding/asn1"

// curve is how the keys of an elliptic curve in Weierstrass form are encoded.
type curve struct {
	id   string // AlgorithmIdentifier
	oid  asn1.ObjectIdentifier
	size int // of a scalar and of a coordinate, in bytes
}

// ecPrivateKey is RFC 5915's structure.
type ecPrivateKey struct {
	Version    int // 1
	PrivateKey []byte
	Parameters asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	PublicKey  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

// marshal encodes a private key with its public key, and without the parameters, which
// the AlgorithmIdentifier already has.
func (c curve) marshal(scalar, point []byte) ([]byte, error) {
	inner, err := asn1.Marshal(ecPrivateKey{
		Version:    1,
		PrivateKey: scalar,
		PublicKey:  asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	})
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	return marshalPKCS8(c.id, inner)
}

// parsePrivate returns the scalar of a private key, which has the right length and is
// not otherwise checked, and the two places for a public key, each of them nil where
// there is none.
func (c curve) parsePrivate(material []byte) (scalar, inside, beside []byte, err error) {
	inner, beside, err := parsePKCS8(c.id, material)
	if err != nil {
		return nil, nil, nil, err
	}
	defer clear(inner)
	k, err := unmarshal[ecPrivateKey](inner)
	if err != nil {
		return nil, nil, nil, err
	}
	inside, err = bits(k.PublicKey)
	if err != nil || k.Version != 1 || len(k.PrivateKey) != c.size {
		return nil, nil, nil, errDER
	}
	if k.Parameters != nil && !k.Parameters.Equal(c.oid) {
		return nil, nil, nil, errAlgorithm
	}
	return k.PrivateKey, inside, beside, nil
}

// parsePoint returns the point of a public key, which has the right length and form and
// is not otherwise checked.
func (c curve) parsePoint(spki []byte) ([]byte, error) {
	point, err := parseSPKI(c.id, spki)
	if err != nil {
		return nil, err
	}
	if len(point) != 1+2*c.size || point[0] != 4 {
		return nil, errPoint
	}
	return point, nil
}
