package envelope

import (
	"errors"
	"fmt"
	"io"
)

var (
	// ErrAuth is returned when a message is not authentic: its header, key
	// commitment, a frame, a frame's sequence number or the signature is not what
	// the holder of the data key wrote. Which of them failed is not told.
	ErrAuth = errors.New("envelope: message is not authentic")

	// ErrMalformed is matched by a [*FormatError] for bytes that no writer of the
	// format could have produced.
	ErrMalformed = errors.New("envelope: malformed message")

	// ErrUnsupported is matched by a [*FormatError] for a format version, message
	// type or algorithm suite that the package does not know.
	ErrUnsupported = errors.New("envelope: unsupported message")

	// ErrBase64 is returned for a message that is still in base64. Decode it first.
	ErrBase64 = errors.New("envelope: message is base64 text, not bytes")

	// ErrTruncated is returned when the message ends early. It matches
	// [io.ErrUnexpectedEOF] too.
	ErrTruncated = fmt.Errorf("envelope: message is truncated: %w", io.ErrUnexpectedEOF)

	// ErrTrailingData is returned when bytes follow the end of the message.
	ErrTrailingData = errors.New("envelope: data after the end of the message")

	// ErrLimit is matched when a message exceeds a limit of the options or, for
	// encryption, of the format.
	ErrLimit = errors.New("envelope: limit exceeded")

	// ErrSigned is returned for a message of a signed suite when the options refuse
	// these, as they do for [NewReaderAt] unless they say VerifyFirst.
	ErrSigned = errors.New("envelope: signed message refused")

	// ErrUnframed is returned by [NewReaderAt] for a message whose body has a single
	// tag. [Decrypt] and [NewReader] read it.
	ErrUnframed = errors.New("envelope: an unframed message cannot be read in parts")

	// ErrLength is returned when the plaintext is longer or shorter than
	// [EncryptOptions.PlaintextLength] says.
	ErrLength = errors.New("envelope: plaintext is not of the declared length")

	// ErrClosed is returned by Write after Close.
	ErrClosed = errors.New("envelope: write to a closed writer")

	// errPanicked is what a Writer returns after the underlying writer has panicked.
	errPanicked = errors.New("envelope: the underlying writer panicked")
)

// FormatError says where a message cannot be read. It matches [ErrMalformed] or
// [ErrUnsupported], and what caused it if there is a cause.
type FormatError struct {
	Offset int64  // of the field, in bytes from the start of the message
	Field  string // the field's name in the specification
	Reason string // what is wrong with it

	kind  error // ErrMalformed or ErrUnsupported
	cause error // may be nil
}

// Error says which field is wrong, where and why.
func (e *FormatError) Error() string {
	return fmt.Sprintf("%v: %s at byte %d: %s", e.kind, e.Field, e.Offset, e.Reason)
}

// Unwrap returns ErrMalformed or ErrUnsupported, and the cause if there is one.
func (e *FormatError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}
