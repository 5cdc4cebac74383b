package kmscrypto

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// ed25519 parses the public key of the key spec ECC_NIST_EDWARDS25519.
func (k *key) ed25519() (ed25519.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(k.der)
	if err != nil {
		return nil, k.unfit("%v", err)
	}
	public, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, k.unfit("its public key is another")
	}
	return public, nil
}

// ed25519Scheme is Ed25519 (RFC 8032, section 5.1), without prehash and context.
type ed25519Scheme struct{ key ed25519.PublicKey }

func (s ed25519Scheme) public() crypto.PublicKey { return s.key }

func (s ed25519Scheme) method(opts crypto.SignerOpts) (method, error) {
	if o, ok := opts.(*ed25519.Options); ok && (o == nil || o.Context != "") {
		return method{}, errors.New("Ed25519 with a context, or nil options")
	}
	switch hash := opts.HashFunc(); hash {
	case 0:
		return method{algorithm: types.SigningAlgorithmSpecEd25519Sha512}, nil
	case crypto.SHA512:
		return method{}, errors.New("KMS does not make the Ed25519ph of RFC 8032: it hashes the digest again")
	default:
		return method{}, fmt.Errorf("signatures of messages, not of %s", hash)
	}
}

func (s ed25519Scheme) valid(_ method, message, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(s.key, message, signature)
}
