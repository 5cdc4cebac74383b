package mldsamu

import "crypto/sha3"

// unpackBits calls f with each of the n unsigned integers of so many bits, the least
// significant bit first (algorithm 18).
func unpackBits(b []byte, bits int, f func(i int, v uint32)) {
	var buffer uint64
	have := 0
	for i := range n {
		for have < bits {
			buffer |= uint64(b[0]) << have
			b = b[1:]
			have += 8
		}
		f(i, uint32(buffer&(1<<bits-1)))
		buffer >>= bits
		have -= bits
	}
}

// unpackT1 decodes a polynomial of a public key, times 2ᵈ.
func unpackT1(b []byte) (t poly) {
	unpackBits(b, t1Bits, func(i int, v uint32) { t[i] = v << d })
	return t
}

// unpackZ decodes a polynomial of a response, and reports whether its coefficients are
// below γ₁-β in magnitude (algorithm 8, line 13).
func (p *parameters) unpackZ(b []byte) (z poly, ok bool) {
	ok = true
	unpackBits(b, p.zBits(), func(i int, v uint32) {
		// The coefficient is γ₁-v.
		if v <= p.beta || v >= 2*p.gamma1-p.beta {
			ok = false
		}
		z[i] = sub(p.gamma1, v)
	})
	return z, ok
}

// unpackHints decodes k polynomials of ones and zeros, and refuses every other encoding
// than the one that a signer makes (algorithm 21).
func (p *parameters) unpackHints(b []byte) ([][n]bool, bool) {
	hints := make([][n]bool, p.k)
	positions, ends := b[:p.omega], b[p.omega:]
	at := 0
	for i, end := range ends {
		if int(end) < at || int(end) > p.omega {
			return nil, false
		}
		for first := at; at < int(end); at++ {
			if at > first && positions[at-1] >= positions[at] {
				return nil, false
			}
			hints[i][positions[at]] = true
		}
	}
	for _, padding := range positions[at:] {
		if padding != 0 {
			return nil, false
		}
	}
	return hints, true
}

// encodeW1 encodes the high-order bits of w (algorithm 28).
func (p *parameters) encodeW1(w *poly, hints *[n]bool) []byte {
	bits := 4
	if p.gamma2 == (q-1)/88 {
		bits = 6
	}
	b := make([]byte, 0, n*bits/8)
	buffer, have := uint32(0), 0
	for i, r := range w {
		buffer |= p.useHint(r, hints[i]) << have
		for have += bits; have >= 8; have -= 8 {
			b = append(b, byte(buffer))
			buffer >>= 8
		}
	}
	return b
}

// sampleNTT returns the entry of the matrix A in column s and row r, which is in the
// domain of the NTT (algorithms 30 and 32).
func sampleNTT(rho []byte, s, r byte) (a poly) {
	h := sha3.NewSHAKE128()
	h.Write(rho)
	h.Write([]byte{s, r})
	var b [168]byte // the rate of SHAKE128, a multiple of 3
	for i := 0; ; {
		h.Read(b[:])
		for c := b[:]; len(c) > 0; c = c[3:] {
			v := uint32(c[0]) | uint32(c[1])<<8 | uint32(c[2]&0x7f)<<16
			if v >= q {
				continue
			}
			a[i] = v
			if i++; i == n {
				return a
			}
		}
	}
}

// sampleInBall returns the challenge of a commitment hash: tau coefficients of 1 or -1
// and zeros (algorithm 29).
func (p *parameters) sampleInBall(seed []byte) (c poly) {
	h := sha3.NewSHAKE256()
	h.Write(seed)
	var signs [8]byte
	h.Read(signs[:])
	for i := n - p.tau; i < n; i++ {
		var j [1]byte
		for h.Read(j[:]); int(j[0]) > i; h.Read(j[:]) {
		}
		c[i] = c[j[0]]
		c[j[0]] = 1
		if bit := i + p.tau - n; signs[bit/8]>>(bit%8)&1 == 1 {
			c[j[0]] = q - 1
		}
	}
	return c
}
