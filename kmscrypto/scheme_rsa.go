package kmscrypto

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// rsaBits is the length of the modulus by key spec.
var rsaBits = map[types.KeySpec]int{
	types.KeySpecRsa2048: 2048,
	types.KeySpecRsa3072: 3072,
	types.KeySpecRsa4096: 4096,
}

// rsa parses the public key of an RSA key spec.
func (k *key) rsa() (*rsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(k.der)
	if err != nil {
		return nil, k.unfit("%v", err)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok || public.N.BitLen() != rsaBits[k.spec] {
		return nil, k.unfit("its public key is another")
	}
	return public, nil
}

// rsaScheme is RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017, section 8).
type rsaScheme struct{ key *rsa.PublicKey }

var pkcs1Algorithms = map[crypto.Hash]types.SigningAlgorithmSpec{
	crypto.SHA256: types.SigningAlgorithmSpecRsassaPkcs1V15Sha256,
	crypto.SHA384: types.SigningAlgorithmSpecRsassaPkcs1V15Sha384,
	crypto.SHA512: types.SigningAlgorithmSpecRsassaPkcs1V15Sha512,
}

var pssAlgorithms = map[crypto.Hash]types.SigningAlgorithmSpec{
	crypto.SHA256: types.SigningAlgorithmSpecRsassaPssSha256,
	crypto.SHA384: types.SigningAlgorithmSpecRsassaPssSha384,
	crypto.SHA512: types.SigningAlgorithmSpecRsassaPssSha512,
}

func (s rsaScheme) public() crypto.PublicKey { return s.key }

func (s rsaScheme) method(opts crypto.SignerOpts) (method, error) {
	algorithms := pkcs1Algorithms
	pss, isPSS := opts.(*rsa.PSSOptions)
	if isPSS {
		if pss == nil {
			return method{}, errors.New("PSS options are nil")
		}
		algorithms = pssAlgorithms
	}
	hash := opts.HashFunc()
	algorithm, ok := algorithms[hash]
	if !ok {
		return method{}, fmt.Errorf("no signatures of %s", hash)
	}
	if isPSS {
		switch pss.SaltLength {
		case rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, hash.Size():
		default:
			return method{}, fmt.Errorf("a PSS salt of %d bytes, not %d", pss.SaltLength, hash.Size())
		}
	}
	return method{algorithm, hash}, nil
}

func (s rsaScheme) valid(m method, digest, signature []byte) bool {
	if m.algorithm == pssAlgorithms[m.hash] {
		salt := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.VerifyPSS(s.key, m.hash, digest, signature, salt) == nil
	}
	return rsa.VerifyPKCS1v15(s.key, m.hash, digest, signature) == nil
}
