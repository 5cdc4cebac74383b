package s3crypto

import (
	"fmt"

	"github.com/sealring/sealring/internal/gcmstream"
)

// format is the version of an object's format. The zero value is that of an object with
// no format: a plain one, or one that keeps everything in an instruction file.
type format int

const (
	formatV1 format = iota + 1
	formatV2
	formatV3
)

// String returns "V1" and so on.
func (f format) String() string { return fmt.Sprintf("V%d", int(f)) }

// maxEDK is the length of the longest encrypted data key: AWS KMS takes no longer
// ciphertext.
const maxEDK = 6144

func isEDK(b []byte) bool { return len(b) > 0 && len(b) <= maxEDK }

// header is all that is known of an encrypted object besides its content.
type header struct {
	format format
	suite  suite

	// The data key. In an object that has an instruction file, edk is nil until that
	// is read.

	wrap        wrapAlgorithm
	edk         []byte
	description map[string]string // the material description, or KMS's encryption context
	inFile      bool              // they come from an instruction file

	iv         []byte // of formats V1 and V2
	messageID  []byte // of format V3
	commitment []byte // of format V3; nil in a new object until commit

	length int64 // of the plaintext as it is stored, which nothing authenticates; else -1
}

// complete reports whether everything that decryption needs is known. If not, and the
// object is encrypted, the rest is in its instruction file.
func (h *header) complete() bool { return h.edk != nil }

// check returns an error unless the parts of a complete header fit each other.
func (h *header) check() error {
	want := wraps[h.wrap].edkLen
	switch {
	case !isEDK(h.edk) || want != 0 && len(h.edk) != want:
		return fmt.Errorf("%w: data key of %d bytes, wrapped with %v", ErrMetadata, len(h.edk), h.wrap)
	case h.suite == suiteCBC && (h.wrap == wrapAESGCM || h.wrap == wrapRSAOAEP):
		// No writer has made such an object, but some readers do not see that the name
		// of the content algorithm was altered in it.
		return fmt.Errorf("%w: %v with a data key wrapped with %v", ErrMetadata, h.suite, h.wrap)
	}
	bound, binds := h.description[contextSuite]
	switch {
	case h.wrap == wrapKMSContext && bound != h.suite.name():
		return fmt.Errorf("%w: its %s is %.64q and the object's %q", ErrContext, contextSuite, bound, h.suite.name())
	case h.wrap == wrapKMS && binds:
		// The wrap was renamed, so that the content algorithm can be.
		return fmt.Errorf("%w: it has %s, but the data key is wrapped with %v", ErrContext, contextSuite, h.wrap)
	}
	return nil
}

// plaintextLength returns the length of the content of an object of n bytes, or -1 if it
// cannot be known without decrypting. The error is ErrAuthentication for an object that is
// too short, or is not whole blocks, and ErrTooLarge for one that is too long.
func (h *header) plaintextLength(n int64) (int64, error) {
	if h.suite != suiteCBC {
		switch {
		case n < gcmTagSize:
			return 0, fmt.Errorf("%w: %d bytes are too few for a tag", ErrAuthentication, n)
		case n-gcmTagSize > gcmstream.MaxLength:
			return 0, fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
		}
		return n - gcmTagSize, nil
	}
	if n <= 0 || n%cbcBlockSize != 0 {
		return 0, fmt.Errorf("%w: %d bytes are not whole blocks", ErrAuthentication, n)
	}
	if h.length < n-cbcBlockSize || h.length >= n {
		return -1, nil // not stored, or not true
	}
	return h.length, nil
}
