package keyspec

import (
	"errors"
	"fmt"
)

var (
	// ErrMaterial is returned by [Spec.Parse] for bytes that are not key material of
	// the spec, and by [Spec.ParsePublic] for those that are not its public key.
	ErrMaterial = errors.New("keyspec: not a key of this spec")

	// ErrDigestLength is returned by [Key.Sign] and [Key.Verify] when a digest, or the
	// µ of ML-DSA, has not the length that the algorithm prescribes.
	ErrDigestLength = errors.New("keyspec: invalid length of a digest")

	// ErrMessageType is returned by [Key.Sign] and [Key.Verify] when the algorithm
	// takes no messages of that type, or there is no such type.
	ErrMessageType = errors.New("keyspec: message type does not go with the algorithm")

	// ErrCiphertext is returned by [Key.Decrypt] for everything that does not decrypt,
	// with no hint why, and by [Key.Decapsulate] for a wrong length.
	ErrCiphertext = errors.New("keyspec: invalid ciphertext")

	// ErrPeer is returned by [Key.Agree] when the peer's public key is not one on the
	// same curve.
	ErrPeer = errors.New("keyspec: invalid public key of the peer")
)

// LengthError is returned by [Key.Encrypt] for a plaintext that is too long.
type LengthError struct {
	Limit int // the longest plaintext of this spec and algorithm, in bytes
}

// Error says how long a plaintext can be.
func (e *LengthError) Error() string {
	return fmt.Sprintf("keyspec: plaintext of more than %d bytes", e.Limit)
}
