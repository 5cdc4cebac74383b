package keyspec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
)

// nistFamily makes keys on a NIST curve, for ECDSA (FIPS 186-5) and ECDH.
type nistFamily struct {
	curve
	group elliptic.Curve
}

var (
	p256 = nistFamily{curve{idP256, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, 32}, elliptic.P256()}
	p384 = nistFamily{curve{idP384, asn1.ObjectIdentifier{1, 3, 132, 0, 34}, 48}, elliptic.P384()}
	p521 = nistFamily{curve{idP521, asn1.ObjectIdentifier{1, 3, 132, 0, 35}, 66}, elliptic.P521()}
)

func (f nistFamily) generate() ([]byte, error) {
	key, err := ecdsa.GenerateKey(f.group, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("keyspec: %v", err)
	}
	scalar, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("keyspec: %v", err)
	}
	defer clear(scalar)
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("keyspec: %v", err)
	}
	return f.marshal(scalar, point)
}

func (f nistFamily) parse(material []byte) (any, error) {
	scalar, inside, beside, err := f.parsePrivate(material)
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	key, err := ecdsa.ParseRawPrivateKey(f.group, scalar)
	if err != nil {
		return nil, errors.New("scalar out of range")
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, errPoint
	}
	if !belong(point, inside, beside) {
		return nil, errPublic
	}
	dh, err := key.ECDH()
	if err != nil {
		return nil, errPoint
	}
	der, err := marshalSPKI(f.id, point)
	return nistPrivate{nistPublic{&key.PublicKey, der}, key, ecdhKey{f.curve, dh}}, err
}

func (f nistFamily) parsePublic(spki []byte) (any, error) {
	point, err := f.parsePoint(spki)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(f.group, point)
	if err != nil {
		return nil, errPoint
	}
	der, err := marshalSPKI(f.id, point)
	return nistPublic{key, der}, err
}

// nistPublic is the public half of a key on a NIST curve.
type nistPublic struct {
	key *ecdsa.PublicKey
	der []byte
}

func (k nistPublic) spki() []byte { return k.der }

func (k nistPublic) verify(input, signature []byte, _ crypto.SignerOpts) bool {
	return ecdsa.VerifyASN1(k.key, input, signature)
}

// nistPrivate is both halves of a key on a NIST curve.
type nistPrivate struct {
	nistPublic
	*ecdsa.PrivateKey // signs
	ecdhKey           // agrees
}
