package nitro

import (
	"errors"
	"fmt"
)

var (
	// ErrPublicKey is returned by [Seal] for a public key that is not the DER form
	// of an RSA SubjectPublicKeyInfo of 2,048 to 4,096 bits.
	ErrPublicKey = errors.New("nitro: the public key is not RSA of 2048 to 4096 bits in DER")

	// ErrOpen is returned by [Open] for every envelope that it cannot open: another
	// key, another format or altered bytes. Which one is not said, because the
	// difference between bad padding and bad structure would be an oracle.
	ErrOpen = errors.New("nitro: the envelope cannot be opened")
)

// DocumentError is returned by [Verifier.Verify] for a document that it refuses.
type DocumentError struct {
	// Reason says what is wrong, in words for whoever operates the service. It may
	// name fields and subjects of certificates, and holds no value of any field.
	// What a client is told should be less.
	Reason string
}

// Error returns the reason with a prefix.
func (e *DocumentError) Error() string { return "nitro: attestation document refused: " + e.Reason }

// refuse returns a [*DocumentError].
func refuse(format string, args ...any) error {
	return &DocumentError{Reason: fmt.Sprintf(format, args...)}
}
