package keyring

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrUnknownSuite is returned for an algorithm suite id that is not in the table.
	ErrUnknownSuite = errors.New("keyring: unknown algorithm suite")

	// ErrCommitmentPolicy is returned when the commitment policy forbids a suite,
	// for encryption or for decryption.
	ErrCommitmentPolicy = errors.New("keyring: commitment policy forbids the algorithm suite")

	// ErrEncryptionContext is returned for an encryption context that cannot be
	// serialised or parsed, that uses the reserved prefix, or that is not the one
	// the caller requires.
	ErrEncryptionContext = errors.New("keyring: encryption context refused")

	// ErrMaterials is returned for a transition of materials that is not legal: a
	// data key set twice or of the wrong length, a signing key that does not fit
	// the suite, materials that a keyring has left incomplete.
	ErrMaterials = errors.New("keyring: illegal materials")

	// ErrNoMatch is matched by every [*NoMatchError].
	ErrNoMatch = errors.New("keyring: no encrypted data key could be decrypted")

	// ErrUnwrap is the attempt's error when a wrapping key did not open an
	// encrypted data key: another key, another encryption context, or altered
	// bytes. Which one cannot be told.
	ErrUnwrap = errors.New("keyring: encrypted data key is not authentic")
)

// NoMatchError is returned by OnDecrypt when none of the encrypted data keys
// gave the data key. errors.Is finds [ErrNoMatch] and the error of every attempt
// in it.
type NoMatchError struct {
	// Attempts are the data keys that a keyring tried to decrypt, in order. It is
	// empty when none was addressed to the keyring.
	Attempts []Attempt
}

// Attempt is one encrypted data key that a keyring could not decrypt, or, with
// neither provider nor info, a keyring of a [Multi] that failed as a whole.
type Attempt struct {
	Provider string
	Info     []byte
	Err      error
}

// Error names every attempt, by the first 200 characters of provider and info, with
// its error: a message may hold much of both.
func (e *NoMatchError) Error() string {
	if len(e.Attempts) == 0 {
		return ErrNoMatch.Error() + ": none is addressed to this keyring"
	}
	var b strings.Builder
	b.WriteString(ErrNoMatch.Error())
	for _, a := range e.Attempts {
		if a.Provider == "" && len(a.Info) == 0 {
			fmt.Fprintf(&b, "; %v", a.Err)
			continue
		}
		fmt.Fprintf(&b, "; %.200q %.200q: %v", a.Provider, a.Info, a.Err)
	}
	return b.String()
}

// Is reports whether target is [ErrNoMatch].
func (e *NoMatchError) Is(target error) bool { return target == ErrNoMatch }

// Unwrap returns the error of every attempt, in order.
func (e *NoMatchError) Unwrap() []error {
	errs := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		errs[i] = a.Err
	}
	return errs
}
