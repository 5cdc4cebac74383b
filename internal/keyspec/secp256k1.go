package keyspec

import (
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// secp256k1Family makes keys on the curve of SEC 2, section 2.4.1, for ECDSA. The
// library's multiplication and inversion take a time that depends on the scalar, so
// that secret ones are blinded here.
type secp256k1Family struct{}

var secp256k1Curve = curve{idSecp256k1, asn1.ObjectIdentifier{1, 3, 132, 0, 10}, 32}

func (secp256k1Family) generate() ([]byte, error) {
	d := randomScalar()
	defer d.Zero()
	scalar := d.Bytes()
	defer clear(scalar[:])
	return secp256k1Curve.marshal(scalar[:], basePoint(d).SerializeUncompressed())
}

func (secp256k1Family) parse(material []byte) (any, error) {
	scalar, inside, beside, err := secp256k1Curve.parsePrivate(material)
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	k := &secp256k1Private{}
	if overflow := k.d.SetByteSlice(scalar); overflow || k.d.IsZero() {
		return nil, errors.New("scalar out of range")
	}
	k.key = basePoint(&k.d)
	point := k.key.SerializeUncompressed()
	if !belong(point, inside, beside) {
		return nil, errPublic
	}
	k.der, err = marshalSPKI(secp256k1Curve.id, point)
	return k, err
}

func (secp256k1Family) parsePublic(spki []byte) (any, error) {
	point, err := secp256k1Curve.parsePoint(spki)
	if err != nil {
		return nil, err
	}
	key, err := secp256k1.ParsePubKey(point)
	if err != nil {
		return nil, errPoint
	}
	der, err := marshalSPKI(secp256k1Curve.id, point)
	return secp256k1Public{key, der}, err
}

// secp256k1Public is the public half of a key on secp256k1.
type secp256k1Public struct {
	key *secp256k1.PublicKey
	der []byte
}

func (k secp256k1Public) spki() []byte { return k.der }

func (k secp256k1Public) verify(input, signature []byte, _ crypto.SignerOpts) bool {
	s, err := ecdsa.ParseDERSignature(signature)
	return err == nil && s.Verify(input, k.key)
}

// secp256k1Private is both halves of a key on secp256k1.
type secp256k1Private struct {
	secp256k1Public
	d secp256k1.ModNScalar // never zero
}

// Sign makes secp256k1Private a signer: ECDSA (SEC 1, section 4.1.3) of a digest of
// 32 bytes. The nonce is RFC 6979's with 32 random bytes as additional data (section
// 3.6), so that it is unpredictable as long as either the key or the random source is.
func (k *secp256k1Private) Sign(random io.Reader, input []byte, _ crypto.SignerOpts) ([]byte, error) {
	if len(input) != 32 {
		return nil, errors.New("digest is not of 32 bytes")
	}
	var entropy [32]byte
	if _, err := io.ReadFull(random, entropy[:]); err != nil {
		return nil, err
	}
	d := k.d.Bytes()
	defer clear(d[:])
	for try := uint32(0); ; try++ {
		nonce := secp256k1.NonceRFC6979(d[:], input, entropy[:], nil, try)
		r, s, ok := k.signWith(nonce, input)
		nonce.Zero()
		if ok {
			return asn1.Marshal(struct{ R, S *big.Int }{integer(&r), integer(&s)})
		}
	}
}

// signWith returns the signature of a digest with a nonce. There is none in the one case
// in 2²⁵⁶ that r or s is zero. AWS does not keep s in the lower half of its range, and
// code that has to must find out before it meets AWS, so neither do we.
func (k *secp256k1Private) signWith(nonce *secp256k1.ModNScalar, digest []byte) (r, s secp256k1.ModNScalar, ok bool) {
	r.SetByteSlice(basePoint(nonce).SerializeCompressed()[1:]) // x, modulo the order
	var e secp256k1.ModNScalar
	e.SetByteSlice(digest)
	s.Mul2(&k.d, &r).Add(&e)

	// s/nonce = s·b/(nonce·b), and nonce·b says nothing of the nonce.
	b := randomScalar()
	defer b.Zero()
	inverse := new(secp256k1.ModNScalar).Mul2(nonce, b).InverseNonConst()
	s.Mul(b).Mul(inverse)
	return r, s, !r.IsZero() && !s.IsZero()
}

// basePoint returns the curve's base point times a scalar that is not zero, as the sum
// of its products with two scalars of which each is random by itself.
func basePoint(scalar *secp256k1.ModNScalar) *secp256k1.PublicKey {
	b := randomScalar()
	defer b.Zero()
	rest := new(secp256k1.ModNScalar).NegateVal(b).Add(scalar)
	defer rest.Zero()
	var p, q, sum secp256k1.JacobianPoint
	secp256k1.ScalarBaseMultNonConst(b, &p)
	secp256k1.ScalarBaseMultNonConst(rest, &q)
	secp256k1.AddNonConst(&p, &q, &sum)
	sum.ToAffine()
	return secp256k1.NewPublicKey(&sum.X, &sum.Y)
}

// randomScalar returns a scalar between 1 and the order of the curve less one.
func randomScalar() *secp256k1.ModNScalar {
	var b [32]byte
	defer clear(b[:])
	for {
		rand.Read(b[:])
		s := new(secp256k1.ModNScalar)
		if overflow := s.SetBytes(&b); overflow == 0 && !s.IsZero() {
			return s
		}
	}
}

func integer(s *secp256k1.ModNScalar) *big.Int {
	b := s.Bytes()
	return new(big.Int).SetBytes(b[:])
}
