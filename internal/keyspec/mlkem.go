package keyspec

import (
	"crypto/mlkem"
	"crypto/rand"

	"github.com/cloudflare/circl/kem/mlkem/mlkem512"
)

// mlkemFamily makes keys of a parameter set of ML-KEM (FIPS 203).
type mlkemFamily struct {
	id      string
	private func(seed []byte) (kemPrivate, kemPublic, error)
	public  func(key []byte) (kemPublic, error)
}

// What keys of crypto/mlkem can do.
type (
	kemPublic interface {
		Bytes() []byte
		Encapsulate() (secret, ciphertext []byte)
	}
	kemPrivate interface {
		Decapsulate(ciphertext []byte) (secret []byte, err error)
	}
)

var (
	mlkem512Set  = mlkemFamily{idMLKEM512, private512, public512}
	mlkem768Set  = mlkemFamily{idMLKEM768, private768, public768}
	mlkem1024Set = mlkemFamily{idMLKEM1024, private1024, public1024}
)

func (f mlkemFamily) generate() ([]byte, error) {
	return newSeed(f.id, seedChoice, mlkem.SeedSize)
}

func (f mlkemFamily) parse(material []byte) (any, error) {
	seed, public, err := parseSeed(f.id, seedChoice, mlkem.SeedSize, material)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	private, key, err := f.private(seed)
	if err != nil {
		return nil, errDER
	}
	b := key.Bytes()
	if !belong(b, public) {
		return nil, errPublic
	}
	der, err := marshalSPKI(f.id, b)
	return mlkemPrivate{mlkemPublic{key, der}, private}, err
}

func (f mlkemFamily) parsePublic(spki []byte) (any, error) {
	b, err := parseSPKI(f.id, spki)
	if err != nil {
		return nil, err
	}
	key, err := f.public(b)
	if err != nil {
		return nil, errDER
	}
	der, err := marshalSPKI(f.id, b)
	return mlkemPublic{key, der}, err
}

// mlkemPublic is the public half of an ML-KEM key.
type mlkemPublic struct {
	key kemPublic
	der []byte
}

func (k mlkemPublic) spki() []byte { return k.der }

func (k mlkemPublic) encapsulate() (secret, ciphertext []byte) { return k.key.Encapsulate() }

// mlkemPrivate is both halves of an ML-KEM key.
type mlkemPrivate struct {
	mlkemPublic
	private kemPrivate
}

func (k mlkemPrivate) decapsulate(ciphertext []byte) ([]byte, error) {
	secret, err := k.private.Decapsulate(ciphertext)
	if err != nil {
		return nil, ErrCiphertext
	}
	return secret, nil
}

func private768(seed []byte) (kemPrivate, kemPublic, error) {
	key, err := mlkem.NewDecapsulationKey768(seed)
	if err != nil {
		return nil, nil, err
	}
	return key, key.EncapsulationKey(), nil
}

func public768(key []byte) (kemPublic, error) { return mlkem.NewEncapsulationKey768(key) }

func private1024(seed []byte) (kemPrivate, kemPublic, error) {
	key, err := mlkem.NewDecapsulationKey1024(seed)
	if err != nil {
		return nil, nil, err
	}
	return key, key.EncapsulationKey(), nil
}

func public1024(key []byte) (kemPublic, error) { return mlkem.NewEncapsulationKey1024(key) }

// crypto/mlkem has no ML-KEM-512. These give it the methods that the other sets have.

func private512(seed []byte) (kemPrivate, kemPublic, error) {
	if len(seed) != mlkem512.KeySeedSize {
		return nil, nil, errDER
	}
	public, private := mlkem512.NewKeyFromSeed(seed)
	return decapsulationKey512{private}, encapsulationKey512{public}, nil
}

func public512(key []byte) (kemPublic, error) {
	if len(key) != mlkem512.PublicKeySize {
		return nil, errDER
	}
	public := new(mlkem512.PublicKey)
	if err := public.Unpack(key); err != nil {
		return nil, err
	}
	return encapsulationKey512{public}, nil
}

type encapsulationKey512 struct{ key *mlkem512.PublicKey }

func (k encapsulationKey512) Bytes() []byte {
	b := make([]byte, mlkem512.PublicKeySize)
	k.key.Pack(b)
	return b
}

func (k encapsulationKey512) Encapsulate() (secret, ciphertext []byte) {
	var seed [mlkem512.EncapsulationSeedSize]byte
	defer clear(seed[:])
	rand.Read(seed[:])
	secret = make([]byte, mlkem512.SharedKeySize)
	ciphertext = make([]byte, mlkem512.CiphertextSize)
	k.key.EncapsulateTo(ciphertext, secret, seed[:])
	return secret, ciphertext
}

type decapsulationKey512 struct{ key *mlkem512.PrivateKey }

func (k decapsulationKey512) Decapsulate(ciphertext []byte) ([]byte, error) {
	if len(ciphertext) != mlkem512.CiphertextSize {
		return nil, ErrCiphertext
	}
	secret := make([]byte, mlkem512.SharedKeySize)
	k.key.DecapsulateTo(secret, ciphertext)
	return secret, nil
}
