package nitro

import "bytes"

// The ASN.1 tags of an envelope, with the bit of a constructed encoding where they
// have it (X.690 §8.1.2).
const (
	tagInteger     = 0x02
	tagOctetString = 0x04
	tagOID         = 0x06
	tagNull        = 0x05
	tagSequence    = 0x30
	tagSet         = 0x31
	tagContext0    = 0x80
	tagContext1    = 0x81

	constructed = 0x20
)

const (
	// maxDepth bounds the nesting of a value; an envelope has eight levels.
	maxDepth = 12
	// indefinite is the length of a value that ends with endOfContents (X.690 §8.1.3.6).
	indefinite    = 0x80
	endOfContents = "\x00\x00"
)

// der returns the DER form of a value whose content is all parts in a row.
func der(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	out := []byte{tag}
	if n := len(content); n < 0x80 {
		out = append(out, byte(n))
	} else {
		var length []byte
		for ; n > 0; n >>= 8 {
			length = append([]byte{byte(n)}, length...)
		}
		out = append(append(out, 0x80|byte(len(length))), length...)
	}
	return append(out, content...)
}

// ber reads values in BER, so in DER too, off the front of a byte slice. After the
// first that is not as expected, in this reader or in one that it has handed out,
// every method returns nothing and ok reports false: a run of values is checked once.
// Returned slices alias the input.
type ber struct {
	rest []byte
	bad  *bool
}

// newBER returns a reader of b.
func newBER(b []byte) ber { return ber{rest: b, bad: new(bool)} }

// ok reports whether everything so far was as expected.
func (r *ber) ok() bool { return !*r.bad }

// end expects that nothing is left.
func (r *ber) end() {
	if len(r.rest) > 0 {
		*r.bad = true
	}
}

// next reports whether the next value has the tag.
func (r *ber) next(tag byte) bool { return r.ok() && len(r.rest) > 0 && r.rest[0] == tag }

// take returns the content of the next value, which must have the tag.
func (r *ber) take(tag byte) []byte {
	if !r.next(tag) {
		*r.bad = true
		return nil
	}
	content, rest, ok := value(r.rest, maxDepth)
	if !ok {
		*r.bad = true
		return nil
	}
	r.rest = rest
	return content
}

// enter returns a reader of the next value's content.
func (r *ber) enter(tag byte) ber { return ber{rest: r.take(tag), bad: r.bad} }

// match expects a value with this content.
func (r *ber) match(tag byte, content string) {
	if string(r.take(tag)) != content {
		*r.bad = true
	}
}

// octets returns an octet string with an implicit tag, which is either primitive or
// constructed of pieces (X.690 §8.7).
func (r *ber) octets(tag byte) []byte {
	if !r.next(tag | constructed) {
		return r.take(tag)
	}
	pieces := r.enter(tag | constructed)
	var whole []byte
	for pieces.ok() && len(pieces.rest) > 0 {
		whole = append(whole, pieces.take(tagOctetString)...)
	}
	return whole
}

// value splits the value at the front of b from what follows, at most depth levels
// deep. It takes no length for true that goes beyond b.
func value(b []byte, depth int) (content, rest []byte, ok bool) {
	if depth == 0 || len(b) < 2 || b[0]&0x1f == 0x1f { // tags over 30 have more bytes
		return nil, nil, false
	}
	tag, first := b[0], b[1]
	b = b[2:]
	if first == indefinite {
		if tag&constructed == 0 {
			return nil, nil, false
		}
		return untilEnd(b, depth)
	}
	n := uint64(first)
	if first > indefinite {
		size := int(first & 0x7f)
		if size > 4 || size > len(b) {
			return nil, nil, false
		}
		n = 0
		for _, c := range b[:size] {
			n = n<<8 | uint64(c)
		}
		b = b[size:]
	}
	if n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// untilEnd returns the content of a value of indefinite length, which ends with its
// own end-of-contents and not with that of a value inside.
func untilEnd(b []byte, depth int) (content, rest []byte, ok bool) {
	for rest = b; !bytes.HasPrefix(rest, []byte(endOfContents)); {
		if _, rest, ok = value(rest, depth-1); !ok {
			return nil, nil, false
		}
	}
	return b[:len(b)-len(rest)], rest[len(endOfContents):], true
}
