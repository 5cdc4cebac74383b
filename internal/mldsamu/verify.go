// Package mldsamu verifies ML-DSA signatures (FIPS 204) of a message of which only the
// representative µ is known: the 64 bytes of SHAKE256 over the hash of the public key
// and the message. Package filippo.io/mldsa, as crypto/mldsa of Go 1.27, signs µ but
// verifies messages only (golang.org/issue/80272).
//
// Nothing that it handles is secret, and it takes no care to hide anything.
package mldsamu

import (
	"bytes"
	"crypto/sha3"
)

// MuSize is the length of a message representative in bytes.
const MuSize = 64

// parameters are a set of FIPS 204, table 1.
type parameters struct {
	k, l   int    // rows and columns of the matrix
	tau    int    // coefficients of the challenge that are not zero
	cSize  int    // of the commitment hash, λ/4 bytes
	gamma1 uint32 // bound of the mask
	gamma2 uint32 // low-order rounding range
	beta   uint32 // tau times the largest coefficient of a secret
	omega  int    // most ones in a hint
}

var sets = []parameters{
	{k: 4, l: 4, tau: 39, cSize: 32, gamma1: 1 << 17, gamma2: (q - 1) / 88, beta: 78, omega: 80},
	{k: 6, l: 5, tau: 49, cSize: 48, gamma1: 1 << 19, gamma2: (q - 1) / 32, beta: 196, omega: 55},
	{k: 8, l: 7, tau: 60, cSize: 64, gamma1: 1 << 19, gamma2: (q - 1) / 32, beta: 120, omega: 75},
}

// Sizes of encodings in bytes.
const (
	seedSize = 32             // ρ
	t1Bits   = 10             // of a coefficient of t₁
	t1Size   = n * t1Bits / 8 // of a polynomial of t₁
)

func (p *parameters) zBits() int {
	if p.gamma1 == 1<<17 {
		return 18
	}
	return 20
}

func (p *parameters) zSize() int { return n * p.zBits() / 8 }

func (p *parameters) publicKeySize() int { return seedSize + p.k*t1Size }

func (p *parameters) signatureSize() int { return p.cSize + p.l*p.zSize() + p.omega + p.k }

// Verify reports whether signature is valid for the message that mu represents. The
// length of publicKey tells whether it is one of ML-DSA-44, ML-DSA-65 or ML-DSA-87. It
// is false for whatever has the wrong length.
func Verify(publicKey, mu, signature []byte) bool {
	for i := range sets {
		p := &sets[i]
		if len(publicKey) == p.publicKeySize() {
			return len(mu) == MuSize && len(signature) == p.signatureSize() && p.verify(publicKey, mu, signature)
		}
	}
	return false
}

// verify is algorithm 8 from line 5 on, with µ given and all lengths checked.
func (p *parameters) verify(publicKey, mu, signature []byte) bool {
	rho, t1 := publicKey[:seedSize], publicKey[seedSize:]
	c, rest := signature[:p.cSize], signature[p.cSize:]
	z := make([]poly, p.l)
	for i := range z {
		var ok bool
		if z[i], ok = p.unpackZ(rest[:p.zSize()]); !ok {
			return false
		}
		z[i].ntt()
		rest = rest[p.zSize():]
	}
	hints, ok := p.unpackHints(rest)
	if !ok {
		return false
	}

	challenge := p.sampleInBall(c)
	challenge.ntt()
	h := sha3.NewSHAKE256()
	h.Write(mu)
	for r := range p.k {
		// w = A∘z - c∘t₁·2ᵈ
		var w poly
		for s := range p.l {
			a := sampleNTT(rho, byte(s), byte(r))
			w.addProduct(&a, &z[s])
		}
		t := unpackT1(t1[r*t1Size:][:t1Size])
		t.ntt()
		t.negate()
		w.addProduct(&challenge, &t)
		w.inverseNTT()
		h.Write(p.encodeW1(&w, &hints[r]))
	}
	again := make([]byte, p.cSize)
	h.Read(again)
	return bytes.Equal(c, again)
}

// useHint returns the high-order bits of a coefficient, as the hint corrects them
// (algorithms 36 and 40).
func (p *parameters) useHint(r uint32, hint bool) uint32 {
	m := (q - 1) / (2 * p.gamma2)
	// r is r1·2γ₂ + r0 with -γ₂ < r0 ≤ γ₂, and the topmost r1 wraps to zero.
	r1 := (r + p.gamma2 - 1) / (2 * p.gamma2)
	positive := r > r1*2*p.gamma2
	if r1 == m {
		r1, positive = 0, false
	}
	switch {
	case !hint:
		return r1
	case positive:
		return (r1 + 1) % m
	}
	return (r1 + m - 1) % m
}
