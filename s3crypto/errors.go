package s3crypto

import (
	"errors"
	"fmt"

	"github.com/sealring/sealring/keyring"
)

var (
	// ErrNotEncrypted is returned for an object that has nothing of an encryption
	// client in its metadata, and no instruction file.
	ErrNotEncrypted = errors.New("s3crypto: object is not encrypted")

	// ErrMetadata is returned for metadata or an instruction file that no writer of
	// the formats could have made: something is missing, malformed, unknown, or belongs
	// to another format than the rest. It is also returned for a caller's own metadata
	// that uses the formats' names.
	ErrMetadata = errors.New("s3crypto: malformed encryption metadata")

	// ErrAuthentication is returned for an object that is not what the holder of its
	// data key has written, or whose data key was not wrapped with the wrapping key.
	// Which of them it is cannot be told. Where AWS KMS unwraps, its own exception is
	// returned for a data key that it refuses.
	ErrAuthentication = errors.New("s3crypto: object is not authentic")

	// ErrCommitment is returned for an object that commits to another data key than
	// the one that was unwrapped. It matches [ErrAuthentication] too.
	ErrCommitment = fmt.Errorf("%w: it commits to another data key", ErrAuthentication)

	// ErrPolicy is returned when the commitment policy forbids an object's content
	// algorithm. It is [keyring.ErrCommitmentPolicy].
	ErrPolicy = keyring.ErrCommitmentPolicy

	// ErrLegacy is returned for an object that uses an old algorithm whose option is
	// not set. The text names both.
	ErrLegacy = errors.New("s3crypto: legacy algorithm refused")

	// ErrContext is returned for an encryption context that is not the one that the
	// caller requires, that does not fit the object's content algorithm, or that
	// cannot be used. It is [keyring.ErrEncryptionContext].
	ErrContext = keyring.ErrEncryptionContext

	// ErrWrapper is returned for a wrapper that cannot do what is asked of it: unwrap
	// what another kind of wrapper has wrapped, wrap without a key for that, or unwrap
	// without one.
	ErrWrapper = errors.New("s3crypto: the wrapper does not fit")

	// ErrTooLarge is returned for more content than one object can hold: 64 GiB less
	// 32 bytes.
	ErrTooLarge = errors.New("s3crypto: object is too large")
)
