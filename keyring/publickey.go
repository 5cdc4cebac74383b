package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
)

// encodePublicKey returns the padded base64 of k's compressed point (SEC 1,
// section 2.3.3), the value of the context's public key pair.
func encodePublicKey(k *ecdsa.PublicKey) (string, error) {
	b, err := k.Bytes() // 04, x, y
	if err != nil {
		return "", fmt.Errorf("keyring: the signing key: %w", err)
	}
	compressed := b[:1+len(b)/2]
	compressed[0] = 2 | b[len(b)-1]&1
	return base64.StdEncoding.EncodeToString(compressed), nil
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
	size := point - 1
	b = append(b[:1], make([]byte, 2*size)...)
	b[0] = 4
	x.FillBytes(b[1 : 1+size])
	y.FillBytes(b[1+size:])
	k, err := ecdsa.ParseUncompressedPublicKey(curve, b)
	if err != nil {
		return nil, fmt.Errorf("%w: the public key: %v", ErrEncryptionContext, err)
	}
	return k, nil
}
