package kmscrypto

import (
	"crypto"
	"crypto/sha3"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// mldsaSizes is the length of a signature by key spec (FIPS 204, table 2).
var mldsaSizes = map[types.KeySpec]int{
	types.KeySpecMlDsa44: 2420,
	types.KeySpecMlDsa65: 3309,
	types.KeySpecMlDsa87: 4627,
}

// mldsaScheme is pure ML-DSA with an empty context (FIPS 204, section 5.2). The
// standard library cannot verify it: a signature is checked for its length only.
type mldsaScheme struct {
	key OpaquePublicKey
	raw []byte
}

func (s mldsaScheme) public() crypto.PublicKey { return s.key }

func (s mldsaScheme) method(opts crypto.SignerOpts) (method, error) {
	if hash := opts.HashFunc(); hash != 0 {
		return method{}, fmt.Errorf("signatures of messages, not of %s", hash)
	}
	return method{algorithm: types.SigningAlgorithmSpecMlDsaShake256}, nil
}

func (s mldsaScheme) valid(_ method, _, signature []byte) bool {
	return len(signature) == mldsaSizes[s.key.spec]
}

// representative returns µ, of 64 bytes, which KMS signs in place of a message that
// is too long for it (FIPS 204, algorithm 2, line 10, and algorithm 7, line 6).
func (s mldsaScheme) representative(message []byte) []byte {
	h := sha3.NewSHAKE256()
	h.Write(sha3.SumSHAKE256(s.raw, 64))
	h.Write([]byte{0, 0}) // pure, with a context of no bytes
	h.Write(message)
	mu := make([]byte, 64)
	h.Read(mu)
	return mu
}
