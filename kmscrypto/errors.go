package kmscrypto

import "errors"

var (
	// ErrKey is returned by the constructors for a KMS key that the adapter has no
	// use for: one of another usage or key spec, or with a public key that is not
	// what its key spec says.
	ErrKey = errors.New("kmscrypto: not a key for this use")

	// ErrRequest is returned, before anything is sent, when the options or the
	// length of the input ask for what KMS cannot do with the key.
	ErrRequest = errors.New("kmscrypto: not possible with this key")

	// ErrResponse is returned when a response does not belong to the request: it is
	// empty, names another key or algorithm, or holds a result that cannot be right.
	ErrResponse = errors.New("kmscrypto: response refused")
)
