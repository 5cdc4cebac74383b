package gcmstream

import "encoding/binary"

// element is an element of GF(2^128) as GCM has it (NIST SP 800-38D, section 6.3): the
// coefficient of x^0 is the most significant bit of the first byte.
type element struct{ hi, lo uint64 }

// one is the element 1.
var one = element{hi: 1 << 63}

func newElement(b []byte) element {
	return element{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// append appends the element's 16 bytes.
func (a element) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, a.hi), a.lo)
}

func (a element) add(b element) element { return element{a.hi ^ b.hi, a.lo ^ b.lo} }

// mul takes the same time whatever the elements are.
func (a element) mul(b element) (z element) {
	for _, word := range [2]uint64{a.hi, a.lo} {
		for range 64 {
			take := -(word >> 63)
			z.hi ^= b.hi & take
			z.lo ^= b.lo & take
			reduce := -(b.lo & 1) & (0xe1 << 56)
			b.lo = b.lo>>1 | b.hi<<63
			b.hi = b.hi>>1 ^ reduce
			word <<= 1
		}
	}
	return z
}

// square returns a·a, n times over: a^(2^n).
func (a element) square(n int) element {
	for range n {
		a = a.mul(a)
	}
	return a
}

// inverse returns the element whose product with a is 1, or 0 for 0: a^(2^128 - 2), with
// the exponent's 127 ones put together by doubling their number.
func (a element) inverse() element {
	ones, n := a, 1 // a^(2^n - 1)
	for n < 127 {   // 1, 3, 7, 15, 31, 63, 127
		ones = ones.square(n).mul(ones)
		ones, n = ones.square(1).mul(a), 2*n+1
	}
	return ones.square(1)
}

// power returns a^n, in a time that depends on n alone.
func (a element) power(n uint64) element {
	z := one
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			z = z.mul(a)
		}
		a = a.mul(a)
	}
	return z
}
