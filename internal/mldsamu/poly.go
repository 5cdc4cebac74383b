package mldsamu

// Constants of FIPS 204, section 4.
const (
	q    = 8380417 // 2²³ - 2¹³ + 1
	n    = 256     // coefficients of a polynomial
	d    = 13      // bits dropped from t
	zeta = 1753    // a 512th root of unity modulo q
	invN = 8347681 // 256⁻¹ modulo q
)

// poly is a polynomial modulo X²⁵⁶+1, or its NTT. Coefficients are below q.
type poly [n]uint32

func add(a, b uint32) uint32 {
	if a += b; a >= q {
		a -= q
	}
	return a
}

// sub takes a below q and b at most q.
func sub(a, b uint32) uint32 { return add(a, q-b) }

func mul(a, b uint32) uint32 { return uint32(uint64(a) * uint64(b) % q) }

// zetas are the powers of zeta whose exponents are the numbers below 256 with their bits
// reversed (appendix B).
var zetas = func() (z [n]uint32) {
	power := uint32(1)
	for i := range n {
		reversed := 0
		for bit := range 8 {
			reversed |= i >> bit & 1 << (7 - bit)
		}
		z[reversed] = power
		power = mul(power, zeta)
	}
	return z
}()

// ntt is algorithm 41.
func (p *poly) ntt() {
	m := 0
	for size := n / 2; size >= 1; size /= 2 {
		for start := 0; start < n; start += 2 * size {
			m++
			for j := start; j < start+size; j++ {
				t := mul(zetas[m], p[j+size])
				p[j+size] = sub(p[j], t)
				p[j] = add(p[j], t)
			}
		}
	}
}

// inverseNTT is algorithm 42.
func (p *poly) inverseNTT() {
	m := n
	for size := 1; size < n; size *= 2 {
		for start := 0; start < n; start += 2 * size {
			m--
			for j := start; j < start+size; j++ {
				t := p[j]
				p[j] = add(t, p[j+size])
				p[j+size] = mul(zetas[m], sub(p[j+size], t))
			}
		}
	}
	for i := range p {
		p[i] = mul(p[i], invN)
	}
}

// addProduct adds the product of two polynomials in the domain of the NTT.
func (p *poly) addProduct(a, b *poly) {
	for i := range p {
		p[i] = add(p[i], mul(a[i], b[i]))
	}
}

func (p *poly) negate() {
	for i := range p {
		p[i] = sub(0, p[i])
	}
}
