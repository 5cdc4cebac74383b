package keyspec

import "crypto/ecdh"

// ecdhKey is the private half of a key on a NIST curve, to agree on secrets with.
type ecdhKey struct {
	curve   curve
	private *ecdh.PrivateKey
}

func (k ecdhKey) agree(peer []byte) ([]byte, error) {
	point, err := k.curve.parsePoint(peer)
	if err != nil {
		return nil, ErrPeer
	}
	// NewPublicKey refuses what is not on the curve; the NIST curves have no other
	// small subgroups, their cofactor is 1.
	public, err := k.private.Curve().NewPublicKey(point)
	if err != nil {
		return nil, ErrPeer
	}
	secret, err := k.private.ECDH(public)
	if err != nil {
		return nil, ErrPeer
	}
	return secret, nil
}
