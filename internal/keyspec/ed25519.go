package keyspec

import (
	"crypto"
	"crypto/ed25519"
	"errors"
)

// ed25519Family makes keys of Ed25519 and Ed25519ph (RFC 8032).
type ed25519Family struct{}

func (ed25519Family) generate() ([]byte, error) {
	return newSeed(idEd25519, octetString, ed25519.SeedSize)
}

func (ed25519Family) parse(material []byte) (any, error) {
	seed, public, err := parseSeed(idEd25519, octetString, ed25519.SeedSize, material)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	key := ed25519.NewKeyFromSeed(seed)
	p, err := newEd25519Public(key[ed25519.SeedSize:])
	if err != nil {
		return nil, err
	}
	if !belong(p.key, public) {
		return nil, errPublic
	}
	return ed25519Private{p, key}, nil
}

func (ed25519Family) parsePublic(spki []byte) (any, error) {
	key, err := parseSPKI(idEd25519, spki)
	if err != nil {
		return nil, err
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, errors.New("not 32 bytes")
	}
	return newEd25519Public(key)
}

func newEd25519Public(key []byte) (ed25519Public, error) {
	der, err := marshalSPKI(idEd25519, key)
	return ed25519Public{key, der}, err
}

// ed25519Public is the public half of an Ed25519 key.
type ed25519Public struct {
	key ed25519.PublicKey
	der []byte
}

func (k ed25519Public) spki() []byte { return k.der }

func (k ed25519Public) verify(input, signature []byte, opts crypto.SignerOpts) bool {
	return ed25519.VerifyWithOptions(k.key, input, signature, &ed25519.Options{Hash: opts.HashFunc()}) == nil
}

// ed25519Private is both halves of an Ed25519 key.
type ed25519Private struct {
	ed25519Public
	ed25519.PrivateKey // signs
}
