package envelope

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/keyring"
)

// headerParser takes a header off an input, field by field, and collects its
// bytes in raw. The first error sticks; the methods then return zero values.
//
// Fields alias raw, or what raw was before it grew; both belong to the header.
type headerParser struct {
	in     *input
	limits limits
	raw    []byte
	last   int // where the field that was taken last begins
	err    error
}

// readHeader reads a header in the order in which the specification wants it
// checked ("Decrypt: Parse the header").
func readHeader(in *input, l limits) (*Header, error) {
	p := &headerParser{in: in, limits: l, raw: make([]byte, 0, 512)}
	h := &Header{iv: zeroIV[:]}
	for _, step := range []func(*Header){
		p.prologue, p.context, p.dataKeys, p.content, p.authentication,
	} {
		if step(h); p.err != nil {
			return nil, p.err
		}
	}
	h.raw = p.raw
	return h, nil
}

// prologue takes version, type, suite and message id.
func (p *headerParser) prologue(h *Header) {
	version := p.uint8()
	if p.err == nil && version != 1 && version != 2 {
		p.unknownVersion(version)
		return
	}
	if version == 1 {
		if t := p.uint8(); t != messageType {
			p.fail(ErrUnsupported, "type", fmt.Sprintf("%#02x is not %#02x", t, messageType))
		}
	}
	id := p.uint16()
	switch s := suite.Lookup(id); {
	case s == nil:
		p.fail(ErrUnsupported, "algorithm suite", fmt.Sprintf("%#04x is unknown", id))
	case s.Version != version:
		p.fail(ErrMalformed, "algorithm suite", fmt.Sprintf("%#04x does not belong to version %d", id, version))
	}
	h.Version, h.Suite = int(version), Suite(id)
	h.MessageID = p.take(messageIDLen(version))
}

// unknownVersion tells a message that nobody has decoded from an unknown one. The
// first bytes of version 1 are 01 80 and a suite from 00 to 03, those of version
// 2 are 02 and 0478 or 0578; neither begins with 'A' unless it is base64.
func (p *headerParser) unknownVersion(version byte) {
	if version == 'A' {
		if b, err := p.in.peek(3); err == nil {
			switch string(b) {
			case "YAA", "YAB", "YAC", "YAD", "gR4", "gV4":
				p.err = ErrBase64
				return
			}
		}
	}
	p.fail(ErrUnsupported, "version", fmt.Sprintf("%#02x is unknown", version))
}

// context takes the encryption context. Its bytes are kept, because readers
// accept more forms than writers produce.
func (p *headerParser) context(h *Header) {
	h.context = p.field16()
	if p.err != nil {
		return
	}
	c, err := keyring.ParseEncryptionContext(h.context)
	if err != nil {
		p.err = &FormatError{int64(p.last), "encryption context", err.Error(), ErrMalformed, err}
	}
	h.Context = c
}

// dataKeys takes the encrypted data keys. Their number is checked first: each may
// cost a request to a key service.
func (p *headerParser) dataKeys(h *Header) {
	count := int(p.uint16())
	switch {
	case count == 0:
		p.fail(ErrMalformed, "encrypted data key count", "0 keys")
	case count > p.limits.keys:
		p.exceeds("%d encrypted data keys, at most %d are accepted", count, p.limits.keys)
	}
	for range count {
		provider := p.field16()
		if !utf8.Valid(provider) {
			p.fail(ErrMalformed, "key provider id", "not UTF-8")
		}
		k := keyring.EncryptedDataKey{Provider: string(provider), Info: p.field16(), Ciphertext: p.field16()}
		if p.err != nil {
			return
		}
		h.EncryptedDataKeys = append(h.EncryptedDataKeys, k)
	}
}

// content takes the content type and the frame length.
func (p *headerParser) content(h *Header) {
	kind := p.uint8()
	if kind != unframedType && kind != framedType {
		p.fail(ErrMalformed, "content type", fmt.Sprintf("%d is neither %d nor %d", kind, unframedType, framedType))
	}
	if h.Version == 1 {
		if reserved := p.uint32(); reserved != 0 {
			p.fail(ErrMalformed, "reserved", "not zero")
		}
		if n := p.uint8(); n != suite.IVLen {
			p.fail(ErrMalformed, "IV length", fmt.Sprintf("%d is not %d", n, suite.IVLen))
		}
	}
	h.FrameLength = p.uint32()
	if (kind == framedType) != (h.FrameLength > 0) {
		p.fail(ErrMalformed, "frame length", fmt.Sprintf("%d does not go with content type %d", h.FrameLength, kind))
	}
}

// authentication takes the suite data, the IV and the tag.
func (p *headerParser) authentication(h *Header) {
	if h.Version == 2 {
		h.commitment = p.take(suite.CommitLen)
	}
	h.body = len(p.raw)
	if h.Version == 1 {
		h.iv = p.take(suite.IVLen)
	}
	h.tag = p.take(suite.TagLen)
}

// take takes n bytes, nil if there was an error.
func (p *headerParser) take(n int) []byte {
	if p.err != nil {
		return nil
	}
	if n > p.limits.header-len(p.raw) {
		p.exceeds("a header of more than %d bytes", p.limits.header)
		return nil
	}
	b, err := p.in.peek(n)
	if err != nil {
		p.err = err
		return nil
	}
	p.last = len(p.raw)
	p.raw = append(p.raw, b...)
	p.in.skip(n)
	return p.raw[p.last:len(p.raw):len(p.raw)]
}

func (p *headerParser) uint8() uint8 {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *headerParser) uint16() uint16 {
	if b := p.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (p *headerParser) uint32() uint32 {
	if b := p.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (p *headerParser) field16() []byte { return p.take(int(p.uint16())) }

// fail records that the field that was taken last is wrong.
func (p *headerParser) fail(kind error, field, reason string) {
	if p.err == nil {
		p.err = &FormatError{Offset: int64(p.last), Field: field, Reason: reason, kind: kind}
	}
}

func (p *headerParser) exceeds(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: "+format, append([]any{ErrLimit}, args...)...)
	}
}
