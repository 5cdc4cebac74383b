package xks

import "github.com/sealring/sealring/internal/wire"

const blobVersion = 1

// MaxOverhead is how much longer than the plaintext a blob of Encrypt can be, in
// bytes.
const MaxOverhead = 1 + 1 + maxMetadata + 1 + 16 + tagSize

// sealed is what the external key has made of a plaintext. The specification leaves
// it to KMS how the parts become one blob; here they follow each other like this:
//
//	size   part
//	1      version of the format, 1
//	1      length of the metadata, 0 to 20
//	0-20   metadata, which only the proxy understands
//	1      length of the initialization vector, 12 or 16
//	12/16  initialization vector
//	16     authentication tag
//	rest   ciphertext, 1 to 4300 bytes
//
// Only the proxy can tell whether the parts are authentic.
type sealed struct{ metadata, iv, tag, ciphertext []byte }

// blob returns the parts as one new slice.
func (s *sealed) blob() []byte {
	b := make([]byte, 0, MaxOverhead+len(s.ciphertext))
	b = append(b, blobVersion, byte(len(s.metadata)))
	b = append(b, s.metadata...)
	b = append(b, byte(len(s.iv)))
	b = append(b, s.iv...)
	b = append(b, s.tag...)
	return append(b, s.ciphertext...)
}

// parseBlob returns the parts of a blob, which alias it, or ErrInvalidBlob.
func parseBlob(b []byte) (sealed, error) {
	r := wire.NewReader(b)
	version := r.Uint8()
	s := sealed{
		metadata: r.Bytes(int(r.Uint8())),
		iv:       r.Bytes(int(r.Uint8())),
		tag:      r.Bytes(tagSize),
	}
	s.ciphertext = r.Bytes(r.Len())
	switch {
	case r.Err() != nil, version != blobVersion,
		len(s.metadata) > maxMetadata,
		len(s.iv) != 12 && len(s.iv) != 16,
		len(s.ciphertext) < 1 || len(s.ciphertext) > MaxPlaintext:
		return sealed{}, ErrInvalidBlob
	}
	return s, nil
}
