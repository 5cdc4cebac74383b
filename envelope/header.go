package envelope

import (
	"crypto/cipher"
	"encoding/binary"
	"io"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/internal/wire"
	"github.com/sealring/sealring/keyring"
)

// Header is the header of a message. The one that [Decrypt] and [NewReader]
// return is authentic; the one of [ReadHeader] is only what the message claims.
// Its slices and maps belong to the caller.
//
// On the wire, integers big-endian ("Message header", and "Header structure"):
//
//	version 1                           version 2
//	size  meaning                       size  meaning
//	1     version, 01                   1     version, 02
//	1     type, 80                      2     algorithm suite
//	2     algorithm suite               32    message id
//	16    message id                    2     length n of the context
//	2     length n of the context       n     encryption context
//	n     encryption context            2     number of encrypted data keys
//	2     number of encrypted data keys ..    encrypted data keys
//	..    encrypted data keys           1     content type
//	1     content type                  4     frame length
//	4     reserved, 0                   32    suite data: commitment to the key
//	1     IV length, 12                 16    tag
//	4     frame length
//	12    IV of the tag
//	16    tag
//
// An encrypted data key is three fields with two-byte lengths: provider, info,
// ciphertext. The content type is 2 for a framed body and 1 for an unframed one.
type Header struct {
	// Version is the version of the message format, 1 or 2.
	Version int
	// Suite is the algorithm suite.
	Suite Suite
	// MessageID is the random id of the message: 16 bytes in version 1, 32 in 2.
	MessageID []byte
	// Context holds the pairs that the header stores. Pairs that are authenticated
	// without being stored are not among them. In a message of a signed suite,
	// "aws-crypto-public-key" is.
	Context keyring.EncryptionContext
	// EncryptedDataKeys are the encryptions of the data key, in order.
	EncryptedDataKeys []keyring.EncryptedDataKey
	// FrameLength is the length in bytes of the plaintext of a regular frame, or 0
	// if the body is not framed.
	FrameLength uint32

	raw        []byte // as it stands in the message, never serialised again
	body       int    // how much of raw the tag authenticates
	context    []byte // part of raw: Context as it was serialised
	commitment []byte // part of raw, version 2 only
	iv, tag    []byte // parts of raw; iv is zero in version 2
}

// Length returns the length of the header in bytes, its tag included.
func (h *Header) Length() int { return len(h.raw) }

const (
	messageType     = 0x80
	maxMessageIDLen = 32
	unframedType    = 1
	framedType      = 2
)

var zeroIV [suite.IVLen]byte

// messageIDLen returns the length of the message ids of a format version.
func messageIDLen(version byte) int {
	if version == 1 {
		return 16
	}
	return maxMessageIDLen
}

// serialize sets raw, all but the tag, from the other fields.
func (h *Header) serialize() {
	const room = 256 // for what surrounds the context and the data keys
	size := room + len(h.context)
	for _, k := range h.EncryptedDataKeys {
		size += 6 + len(k.Provider) + len(k.Info) + len(k.Ciphertext)
	}
	b := append(make([]byte, 0, size), byte(h.Version))
	if h.Version == 1 {
		b = append(b, messageType)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(h.Suite))
	b = append(b, h.MessageID...)
	b, _ = wire.AppendField16(b, h.context)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.EncryptedDataKeys)))
	for _, k := range h.EncryptedDataKeys { // materials admit fields that fit only
		b, _ = wire.AppendField16(b, k.Provider)
		b, _ = wire.AppendField16(b, k.Info)
		b, _ = wire.AppendField16(b, k.Ciphertext)
	}
	if h.FrameLength > 0 {
		b = append(b, framedType)
	} else {
		b = append(b, unframedType)
	}
	if h.Version == 1 {
		b = append(b, 0, 0, 0, 0, suite.IVLen)
	}
	b = binary.BigEndian.AppendUint32(b, h.FrameLength)
	b = append(b, h.commitment...)
	h.body = len(b)
	if h.Version == 1 {
		b = append(b, h.iv...)
	}
	h.raw = b
}

// associated returns what the tag authenticates: the header's body and the pairs
// that are not stored in it.
func (h *Header) associated(unstored keyring.EncryptionContext) ([]byte, error) {
	return unstored.AppendBinary(h.raw[:h.body:h.body])
}

// seal appends the tag.
func (h *Header) seal(aead cipher.AEAD, unstored keyring.EncryptionContext) error {
	associated, err := h.associated(unstored)
	if err != nil {
		return err
	}
	h.raw = aead.Seal(h.raw, h.iv, nil, associated)
	h.tag = h.raw[len(h.raw)-suite.TagLen:]
	return nil
}

// verify returns ErrAuth unless the tag is right.
func (h *Header) verify(aead cipher.AEAD, unstored keyring.EncryptionContext) error {
	associated, err := h.associated(unstored)
	if err != nil {
		return err
	}
	if _, err := aead.Open(nil, h.iv, h.tag, associated); err != nil {
		return ErrAuth
	}
	return nil
}

// ReadHeader reads a header without decrypting anything: which suite, context
// and keys a message claims. It is NOT authenticated; whoever can alter the
// message can make it say anything. From r it takes exactly the bytes of the
// header, as many as [Header.Length] says.
//
// Of the options, the limits on encrypted data keys and on the header apply. The
// errors are [*FormatError], [ErrBase64], [ErrLimit] and [ErrTruncated].
func ReadHeader(r io.Reader, o *DecryptOptions) (*Header, error) {
	if o == nil {
		o = &DecryptOptions{}
	}
	in := &input{src: r, exact: true}
	defer in.release()
	return readHeader(in, o.limits())
}
