package kmscrypto

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// curves is the curve by key spec.
var curves = map[types.KeySpec]elliptic.Curve{
	types.KeySpecEccNistP256: elliptic.P256(),
	types.KeySpecEccNistP384: elliptic.P384(),
	types.KeySpecEccNistP521: elliptic.P521(),
}

// ecdsaMethods has the one method of each curve.
var ecdsaMethods = map[types.KeySpec]method{
	types.KeySpecEccNistP256: {types.SigningAlgorithmSpecEcdsaSha256, crypto.SHA256},
	types.KeySpecEccNistP384: {types.SigningAlgorithmSpecEcdsaSha384, crypto.SHA384},
	types.KeySpecEccNistP521: {types.SigningAlgorithmSpecEcdsaSha512, crypto.SHA512},
}

// ecdsa parses the public key of a NIST curve's key spec.
func (k *key) ecdsa() (*ecdsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(k.der)
	if err != nil {
		return nil, k.unfit("%v", err)
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.Curve != curves[k.spec] {
		return nil, k.unfit("its public key is another")
	}
	return public, nil
}

// ecdsaScheme is ECDSA over a NIST curve (FIPS 186-5, section 6).
type ecdsaScheme struct {
	key  *ecdsa.PublicKey
	only method
}

func (s ecdsaScheme) public() crypto.PublicKey { return s.key }

func (s ecdsaScheme) method(opts crypto.SignerOpts) (method, error) {
	return onlyWith(s.only, opts)
}

// onlyWith returns m if opts ask for its hash.
func onlyWith(m method, opts crypto.SignerOpts) (method, error) {
	if hash := opts.HashFunc(); hash != m.hash {
		return method{}, fmt.Errorf("signatures of %s, not of %s", m.hash, hash)
	}
	return m, nil
}

func (s ecdsaScheme) valid(_ method, digest, signature []byte) bool {
	return ecdsa.VerifyASN1(s.key, digest, signature)
}

// secp256k1Scheme is ECDSA over the curve secp256k1, which the standard library
// does not have: a signature is checked for its form only.
type secp256k1Scheme struct{ key OpaquePublicKey }

func (s secp256k1Scheme) public() crypto.PublicKey { return s.key }

func (s secp256k1Scheme) method(opts crypto.SignerOpts) (method, error) {
	return onlyWith(method{types.SigningAlgorithmSpecEcdsaSha256, crypto.SHA256}, opts)
}

func (s secp256k1Scheme) valid(_ method, _, signature []byte) bool {
	var v struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(signature, &v)
	if err != nil || len(rest) > 0 {
		return false
	}
	inRange := func(x *big.Int) bool { return x.Sign() > 0 && x.BitLen() <= 256 }
	return inRange(v.R) && inRange(v.S)
}
