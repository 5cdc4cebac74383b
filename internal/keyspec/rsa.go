package keyspec

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
)

// rsaFamily makes RSA keys with a modulus of so many bits.
type rsaFamily struct{ bits int }

func (f rsaFamily) generate() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, f.bits)
	if err != nil {
		return nil, fmt.Errorf("keyspec: %v", err)
	}
	inner := x509.MarshalPKCS1PrivateKey(key)
	defer clear(inner)
	return marshalPKCS8(idRSA, inner)
}

// rsaPrivateKey is RFC 8017's structure without the primes after the second.
type rsaPrivateKey struct {
	Version             int
	N                   *big.Int
	E                   int
	D, P, Q, DP, DQ, QI *big.Int
}

func (f rsaFamily) parse(material []byte) (any, error) {
	inner, public, err := parsePKCS8(idRSA, material)
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	// What crypto/x509 does grows with the modulus, so that has to be the right one.
	k, err := unmarshal[rsaPrivateKey](inner)
	if err != nil || k.Version != 0 {
		return nil, errDER
	}
	if err := f.checkModulus(k.N); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PrivateKey(inner)
	if err != nil {
		return nil, errors.New("inconsistent values")
	}
	if !belong(x509.MarshalPKCS1PublicKey(&key.PublicKey), public) {
		return nil, errPublic
	}
	// The values can be consistent with each other while a factor is not prime. Such a
	// key cannot sign, so sign something.
	if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, make([]byte, crypto.SHA256.Size())); err != nil {
		return nil, errors.New("not an RSA key pair")
	}
	p, err := f.public(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return rsaPrivate{p, key}, nil
}

func (f rsaFamily) parsePublic(spki []byte) (any, error) {
	public, err := parseSPKI(idRSA, spki)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PublicKey(public)
	if err != nil {
		return nil, errDER
	}
	p, err := f.public(key)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(p.der, spki) {
		return nil, errDER
	}
	return p, nil
}

// public returns a public half.
func (f rsaFamily) public(key *rsa.PublicKey) (rsaPublic, error) {
	if err := f.checkModulus(key.N); err != nil {
		return rsaPublic{}, err
	}
	der, err := marshalSPKI(idRSA, x509.MarshalPKCS1PublicKey(key))
	return rsaPublic{key, der}, err
}

func (f rsaFamily) checkModulus(n *big.Int) error {
	if n.BitLen() != f.bits {
		return fmt.Errorf("modulus of %d bits", n.BitLen())
	}
	return nil
}

// rsaPublic is the public half of an RSA key.
type rsaPublic struct {
	key *rsa.PublicKey
	der []byte
}

func (k rsaPublic) spki() []byte { return k.der }

func (k rsaPublic) verify(input, signature []byte, opts crypto.SignerOpts) bool {
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		return rsa.VerifyPSS(k.key, pss.Hash, input, signature, pss) == nil
	}
	return rsa.VerifyPKCS1v15(k.key, opts.HashFunc(), input, signature) == nil
}

func (k rsaPublic) encrypt(h crypto.Hash, plaintext []byte) ([]byte, error) {
	// RFC 8017, section 7.1.1, step 1.b.
	if limit := k.key.Size() - 2*h.Size() - 2; len(plaintext) > limit {
		return nil, &LengthError{limit}
	}
	ciphertext, err := rsa.EncryptOAEP(h.New(), rand.Reader, k.key, plaintext, nil)
	if err != nil {
		return nil, fmt.Errorf("keyspec: %v", err)
	}
	return ciphertext, nil
}

// rsaPrivate is both halves of an RSA key.
type rsaPrivate struct {
	rsaPublic
	*rsa.PrivateKey // signs
}

func (k rsaPrivate) decrypt(h crypto.Hash, ciphertext []byte) ([]byte, error) {
	// A shorter ciphertext would be taken for one with leading zeros (RFC 8017,
	// section 7.1.2, step 1.b).
	if len(ciphertext) != k.Size() {
		return nil, ErrCiphertext
	}
	plaintext, err := rsa.DecryptOAEP(h.New(), nil, k.PrivateKey, ciphertext, nil)
	if err != nil {
		return nil, ErrCiphertext
	}
	return plaintext, nil
}
