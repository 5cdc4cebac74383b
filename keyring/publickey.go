package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
)

// encodePublicKey returns the padded base64 of k's compressed point (SEC 1,
// section 2.3.3), the value of the context's public key pair.
func encodePublicKey(k *ecdsa.PublicKey) string {
	return base64.StdEncoding.EncodeToString(elliptic.MarshalCompressed(k.Curve, k.X, k.Y))
}

// decodePublicKey reads encodePublicKey's form. A point that is not on the curve
// is refused.
func decodePublicKey(curve elliptic.Curve, encoded string) (*ecdsa.PublicKey, error) {
	point := 1 + (curve.Params().BitSize+7)/8
	if len(encoded) != base64.StdEncoding.EncodedLen(point) {
		return nil, fmt.Errorf("%w: public key of %d characters", ErrEncryptionContext, len(encoded))
	}
	b, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(b) != point {
		return nil, fmt.Errorf("%w: the public key is not base64", ErrEncryptionContext)
	}
	x, y := elliptic.UnmarshalCompressed(curve, b)
	if x == nil {
		return nil, fmt.Errorf("%w: the public key is not a point of %s", ErrEncryptionContext, curve.Params().Name)
	}
	return &ecdsa.PublicKey{Curve: curve, X: x, Y: y}, nil
}
