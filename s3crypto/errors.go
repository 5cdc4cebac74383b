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
	// not set. The text names both. It is also returned for content in CBC mode, whatever
	// the options, by [Client.Download], [Client.Rewrap] and where a part is read.
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
	// 32 bytes. [Client.Rewrap] returns it too, for an object of more than S3 copies.
	ErrTooLarge = errors.New("s3crypto: object is too large")

	// ErrBodyChanged is returned when a body, or a part of one, does not read as it did
	// the first time. Two plaintexts under one keystream would give each other away, so
	// nothing of the second one has left the process.
	ErrBodyChanged = errors.New("s3crypto: body has changed since it was first read")

	// ErrPart is returned for a part that does not fit an upload: its number or its length
	// is not possible, by S3's rules or by what other parts there are, or all parts are
	// there already, or the upload has ended. It is also returned when an upload is to be
	// completed and a part is missing.
	ErrPart = errors.New("s3crypto: part does not fit the upload")

	// ErrState is returned for a state that is not what State or Save gave, that belongs to
	// another object, or that is older than the upload.
	ErrState = errors.New("s3crypto: state does not fit the upload")

	// ErrResponse is returned for an answer of S3 that is not one to the request: a range
	// of an object where all of it was asked for, another range, a body that is longer than
	// was said, an object without an ETag. For answers of KMS see [KMS].
	ErrResponse = errors.New("s3crypto: S3's answer does not fit the request")

	// ErrChanged is returned when an object that is read in parts was replaced
	// meanwhile, so that its parts would be of different objects.
	ErrChanged = errors.New("s3crypto: the object has changed while it was read")
)
