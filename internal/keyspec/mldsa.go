package keyspec

import (
	"crypto"

	"filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"

	"github.com/sealring/sealring/internal/mldsamu"
)

// mldsaFamily makes keys of a parameter set of ML-DSA (FIPS 204).
type mldsaFamily struct {
	id         string
	parameters mldsa.Parameters
}

var (
	mldsa44 = mldsaFamily{idMLDSA44, mldsa.MLDSA44()}
	mldsa65 = mldsaFamily{idMLDSA65, mldsa.MLDSA65()}
	mldsa87 = mldsaFamily{idMLDSA87, mldsa.MLDSA87()}
)

func (f mldsaFamily) generate() ([]byte, error) {
	return newSeed(f.id, seedChoice, mldsa.PrivateKeySize)
}

func (f mldsaFamily) parse(material []byte) (any, error) {
	seed, public, err := parseSeed(f.id, seedChoice, mldsa.PrivateKeySize, material)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	key, err := mldsa.NewPrivateKey(f.parameters, seed)
	if err != nil {
		return nil, errDER
	}
	p, err := f.public(key.PublicKey())
	if err != nil {
		return nil, err
	}
	if !belong(p.key.Bytes(), public) {
		return nil, errPublic
	}
	return mldsaPrivate{p, key}, nil
}

func (f mldsaFamily) parsePublic(spki []byte) (any, error) {
	b, err := parseSPKI(f.id, spki)
	if err != nil {
		return nil, err
	}
	key, err := mldsa.NewPublicKey(f.parameters, b)
	if err != nil {
		return nil, errDER
	}
	return f.public(key)
}

func (f mldsaFamily) public(key *mldsa.PublicKey) (mldsaPublic, error) {
	der, err := marshalSPKI(f.id, key.Bytes())
	return mldsaPublic{key, der}, err
}

// mldsaPublic is the public half of an ML-DSA key.
type mldsaPublic struct {
	key *mldsa.PublicKey
	der []byte
}

func (k mldsaPublic) spki() []byte { return k.der }

func (k mldsaPublic) verify(input, signature []byte, opts crypto.SignerOpts) bool {
	if opts.HashFunc() == mldsacrypto.MLDSAMu {
		return mldsamu.Verify(k.key.Bytes(), input, signature)
	}
	return mldsa.Verify(k.key, input, signature, nil) == nil
}

// mldsaPrivate is both halves of an ML-DSA key.
type mldsaPrivate struct {
	mldsaPublic
	*mldsa.PrivateKey // signs
}
