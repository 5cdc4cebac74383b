package nitro

import (
	"errors"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// The bounds of AWS's attestation process, section 3.2.2.2, and for the bundle, which
// has none there, twice the length of the bundles that AWS sends.
const (
	digestSHA384   = "SHA384"
	maxRegisters   = 32
	maxCertificate = 1024
	maxBundle      = 8
	maxPublicKey   = 1024
	maxUserData    = 512
)

// Document is what an attestation document says of an enclave. Its slices and its map
// belong to the caller.
type Document struct {
	// ModuleID names the enclave: the instance's id and the enclave's.
	ModuleID string
	// Digest is the hash behind the registers: SHA384.
	Digest string
	// Timestamp is when the document was made, in UTC, to the millisecond.
	Timestamp time.Time
	// PCRs are the platform configuration registers that were locked, by index from
	// 0 to 31, with 32, 48 or 64 bytes each. Registers 0 to 2 measure the enclave's
	// image; they are zero in an enclave that runs in debug mode.
	PCRs map[int][]byte
	// PublicKey is what the enclave has asked to be attested as its public key, up
	// to 1,024 bytes, which for KMS is an RSA SubjectPublicKeyInfo in DER. Nil if
	// the document has none. It is not parsed here; [Seal] does that.
	PublicKey []byte
	// UserData is up to 512 bytes of the enclave's choice. Nil if there are none.
	UserData []byte
	// Nonce is up to 512 bytes that a service has given to the enclave, so that it
	// can tell a new document from one that it has seen. Nil if there are none.
	Nonce []byte
}

// payloadMode decodes the payload. Newer hypervisors write maps of indefinite length;
// the map of a payload and that of its registers are the only nesting there is.
var payloadMode = mode(cbor.DecOptions{
	TagsMd:            cbor.TagsForbidden,
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	MaxNestedLevels:   4,
	MaxArrayElements:  16,
	MaxMapPairs:       maxRegisters,
})

// payload is the signed part of a document (AWS's attestation process, section 2.2).
//
// The types are those that the decoder fills from one CBOR type only: it would take
// an array of numbers for a []byte, and null for a zero.
type payload struct {
	ModuleID    string                  `cbor:"module_id"`
	Digest      string                  `cbor:"digest"`
	Timestamp   any                     `cbor:"timestamp"`
	PCRs        map[any]cbor.ByteString `cbor:"pcrs"`
	Certificate cbor.ByteString         `cbor:"certificate"`
	CABundle    []cbor.ByteString       `cbor:"cabundle"`

	// AWS's text says that no field is null; its hypervisors write null for each of
	// these that the enclave has not given.
	PublicKey *cbor.ByteString `cbor:"public_key"`
	UserData  *cbor.ByteString `cbor:"user_data"`
	Nonce     *cbor.ByteString `cbor:"nonce"`
}

// parsePayload decodes a payload and holds it to the syntactical rules.
func parsePayload(b cbor.ByteString) (*payload, error) {
	var p payload
	if err := payloadMode.Unmarshal([]byte(b), &p); err != nil {
		return nil, refuse("the payload %s", fault(err))
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &p, nil
}

// fault says what is wrong with a payload without the values that the decoder's own
// messages may have in them.
func fault(err error) string {
	var (
		duplicate *cbor.DupMapKeyError
		unknown   *cbor.UnknownFieldError
		wrong     *cbor.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &duplicate):
		return "has a key twice"
	case errors.As(err, &unknown):
		return "has an unknown field"
	case errors.As(err, &wrong):
		return "has a field or a key of the wrong type"
	}
	return "is not well-formed, or beyond the limits"
}

// check applies the rules of section 3.2.2 to the fields that [payload.document] and
// [payload.certificates] use.
func (p *payload) check() error {
	switch {
	case p.ModuleID == "":
		return refuse("module_id is missing or empty")
	case p.Digest != digestSHA384:
		return refuse("digest is not %s", digestSHA384)
	case len(p.PCRs) == 0: // payloadMode has seen to there being no more than 32
		return refuse("pcrs is missing or empty")
	case !within(p.Certificate, 1, maxCertificate):
		return refuse("certificate has not 1 to %d bytes", maxCertificate)
	case len(p.CABundle) == 0 || len(p.CABundle) > maxBundle:
		return refuse("cabundle has not 1 to %d certificates", maxBundle)
	case p.PublicKey != nil && !within(*p.PublicKey, 1, maxPublicKey):
		return refuse("public_key has not 1 to %d bytes", maxPublicKey)
	case p.UserData != nil && !within(*p.UserData, 0, maxUserData):
		return refuse("user_data has more than %d bytes", maxUserData)
	case p.Nonce != nil && !within(*p.Nonce, 0, maxUserData):
		return refuse("nonce has more than %d bytes", maxUserData)
	}
	for _, c := range p.CABundle {
		if !within(c, 1, maxCertificate) {
			return refuse("a certificate of cabundle has not 1 to %d bytes", maxCertificate)
		}
	}
	return nil
}

// within reports whether the length of b is from least to most.
func within(b cbor.ByteString, least, most int) bool { return len(b) >= least && len(b) <= most }

// document returns what the payload says.
func (p *payload) document() (*Document, error) {
	millis, ok := p.Timestamp.(uint64)
	if !ok || millis == 0 || millis > math.MaxInt64 {
		return nil, refuse("timestamp is not a positive number of milliseconds")
	}
	d := &Document{
		ModuleID:  p.ModuleID,
		Digest:    p.Digest,
		Timestamp: time.UnixMilli(int64(millis)).UTC(),
		PCRs:      make(map[int][]byte, len(p.PCRs)),
		PublicKey: optional(p.PublicKey),
		UserData:  optional(p.UserData),
		Nonce:     optional(p.Nonce),
	}
	for key, value := range p.PCRs {
		index, ok := key.(uint64)
		if !ok || index >= maxRegisters {
			return nil, refuse("pcrs has an index that is not 0 to %d", maxRegisters-1)
		}
		if n := len(value); n != 32 && n != 48 && n != 64 {
			return nil, refuse("register %d has %d bytes, not 32, 48 or 64", index, n)
		}
		d.PCRs[int(index)] = []byte(value)
	}
	return d, nil
}

// optional returns the bytes of a field, nil if it is absent.
func optional(b *cbor.ByteString) []byte {
	if b == nil {
		return nil
	}
	return []byte(*b)
}
