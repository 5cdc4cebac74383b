package envelope

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"
)

// The footer of a signed message ("Message footer"):
//
//	size  meaning
//	2     length of the signature
//	      DER ECDSA-Sig-Value, over every byte before the footer
const footerOverhead = 2

// appendFooter appends the footer whose signature is of the given length.
func appendFooter(dst []byte, key *ecdsa.PrivateKey, digest []byte, length int) ([]byte, error) {
	signature, err := sign(key, digest, length)
	if err != nil {
		return nil, fmt.Errorf("envelope: signing the message: %w", err)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(signature)))
	return append(dst, signature...), nil
}

// sign returns a DER signature of digest that is exactly length bytes long, so
// that the size of a message is known before it is written. AWS's libraries do
// the same and sign again until it fits.
//
// The lengths of the suites, 71 and 103, belong to the signatures in which one
// of r and s has its top bit set and the other has none of its bytes missing.
// (r, N-s) verifies wherever (r, s) does, and almost always just one of s and
// N-s has the top bit set, so one signing in 256 has to be repeated.
func sign(key *ecdsa.PrivateKey, digest []byte, length int) ([]byte, error) {
	for {
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
		if err != nil || len(signature) == length {
			return signature, err
		}
		signature, err = negate(signature, key.Params().N)
		if err != nil || len(signature) == length {
			return signature, err
		}
	}
}

// negate replaces s by n-s.
func negate(signature []byte, n *big.Int) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &v); err != nil {
		return nil, err
	}
	v.S.Sub(n, v.S)
	return asn1.Marshal(v)
}
