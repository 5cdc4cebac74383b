package nitro

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"math/big"

	"github.com/fxamacker/cbor/v2"
)

const (
	// maxPayload is the longest payload (AWS, attestation process, section 3.1).
	maxPayload = 16384
	// maxDocument leaves room for what is around the payload: the tag, the heads,
	// the headers and the signature.
	maxDocument = maxPayload + 128
	// signatureSize is the length of an ES384 signature: r and s of 48 bytes each
	// (RFC 9053 §2.1).
	signatureSize = 96
	// tagSign1 is how CBOR tag 18 is written, which may precede a COSE_Sign1
	// (RFC 9052 §4.2).
	tagSign1 = 0xd2

	// protectedES384 is the protected header {1: -35}, the algorithm ES384 and
	// nothing else. The bytes are compared, so that no other way to write the same
	// map, and no parameter that is not understood, passes.
	protectedES384 = "\xa1\x01\x38\x22"
	// unprotectedNone is the empty map.
	unprotectedNone = "\xa0"
)

// sign1Mode decodes the outermost array, which Nitro writes with definite lengths.
var sign1Mode = mode(cbor.DecOptions{
	IndefLength:      cbor.IndefLengthForbidden,
	TagsMd:           cbor.TagsForbidden,
	DupMapKey:        cbor.DupMapKeyEnforcedAPF,
	MaxNestedLevels:  4, // the least that the decoder accepts, as are the next two
	MaxArrayElements: 16,
	MaxMapPairs:      16,
})

// sign1 is a COSE_Sign1 structure (RFC 9052 §4.2).
type sign1 struct {
	_           struct{} `cbor:",toarray"`
	Protected   cbor.ByteString
	Unprotected cbor.RawMessage
	Payload     cbor.ByteString
	Signature   cbor.ByteString
}

// parseSign1 decodes a document, with or without its tag, as far as the payload.
func parseSign1(document []byte) (*sign1, error) {
	if len(document) > maxDocument {
		return nil, refuse("it is longer than %d bytes", maxDocument)
	}
	if len(document) > 0 && document[0] == tagSign1 {
		document = document[1:]
	}
	var s sign1
	if err := sign1Mode.Unmarshal(document, &s); err != nil {
		return nil, refuse("it is not a COSE_Sign1 structure")
	}
	switch {
	case s.Protected != protectedES384:
		return nil, refuse("the protected header is not the algorithm ES384 alone")
	case string(s.Unprotected) != unprotectedNone:
		return nil, refuse("the unprotected header is not empty")
	case len(s.Payload) == 0 || len(s.Payload) > maxPayload:
		return nil, refuse("the payload has %d bytes, not 1 to %d", len(s.Payload), maxPayload)
	case len(s.Signature) != signatureSize:
		return nil, refuse("the signature has %d bytes, not %d", len(s.Signature), signatureSize)
	}
	return &s, nil
}

// signedBy reports whether key has made the signature.
func (s *sign1) signedBy(key any) bool {
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P384() {
		return false
	}
	// RFC 9052 §4.4: the context, the protected header, no external data, the payload.
	signed, err := cbor.Marshal([]any{"Signature1", s.Protected, cbor.ByteString(""), s.Payload})
	if err != nil {
		return false
	}
	digest := sha512.Sum384(signed)
	r := new(big.Int).SetBytes([]byte(s.Signature[:signatureSize/2]))
	v := new(big.Int).SetBytes([]byte(s.Signature[signatureSize/2:]))
	return ecdsa.Verify(public, digest[:], r, v)
}

// mode returns the decoder for options that are constants of this package.
func mode(o cbor.DecOptions) cbor.DecMode {
	m, err := o.DecMode()
	if err != nil {
		panic("nitro: " + err.Error())
	}
	return m
}
