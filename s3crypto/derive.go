package s3crypto

import (
	"crypto/hkdf"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/sealring/sealring/internal/gcmstream"
)

// committingID is the committing suite's number, which begins both labels and is the
// content's associated data.
var committingID = [2]byte{byte(suiteCommitting >> 8), byte(suiteCommitting & 0xff)}

// committingNonce is the nonce of all content of format V3: the key is a new one for each
// message id.
var committingNonce = [gcmNonceSize]byte{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}

// derive returns the commitment to a data key, or the key of the content under it (S3
// Encryption Client specification, "Key derivation").
func (h *header) derive(key dataKey, label string, n int) ([]byte, error) {
	prk, err := hkdf.Extract(sha512.New, key, h.messageID)
	if err != nil {
		return nil, fmt.Errorf("s3crypto: HKDF: %w", err)
	}
	defer clear(prk)
	derived, err := hkdf.Expand(sha512.New, prk, string(committingID[:])+label, n)
	if err != nil {
		return nil, fmt.Errorf("s3crypto: HKDF: %w", err)
	}
	return derived, nil
}

// commit makes a new object's header commit to its data key.
func (h *header) commit(key dataKey) (err error) {
	if h.suite == suiteCommitting {
		h.commitment, err = h.derive(key, "COMMITKEY", commitmentSize)
	}
	return err
}

// verify returns ErrCommitment if the object commits to another data key.
func (h *header) verify(key dataKey) error {
	if h.suite != suiteCommitting {
		return nil
	}
	commitment, err := h.derive(key, "COMMITKEY", commitmentSize)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(commitment, h.commitment) != 1 {
		return ErrCommitment
	}
	return nil
}

// message returns the cipher of the object's content, which is AES-GCM's ciphertext and
// tag. It does not keep key. The error is ErrCommitment if the object commits to another
// one, and ErrLegacy for content in CBC mode.
func (h *header) message(key dataKey) (*gcmstream.Message, error) {
	if h.suite == suiteCBC {
		return nil, fmt.Errorf("%w: %v has no tag", ErrLegacy, h.suite)
	}
	content, nonce, aad := slices.Clone(key), h.iv, []byte(nil)
	defer func() { clear(content) }()
	if h.suite == suiteCommitting {
		if err := h.verify(key); err != nil {
			return nil, err
		}
		derived, err := h.derive(key, "DERIVEKEY", dataKeySize)
		if err != nil {
			return nil, err
		}
		clear(content)
		content, nonce, aad = derived, committingNonce[:], committingID[:]
	}
	m, err := gcmstream.NewMessage(content, nonce, aad)
	if err != nil {
		return nil, fmt.Errorf("s3crypto: AES-GCM: %w", err)
	}
	return m, nil
}
