package main

import (
	"errors"
	"fmt"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

// The exit statuses. exitStatuses says the same to users.
const (
	exitOK           = 0
	exitFailed       = 1
	exitUsage        = 2
	exitNotAuthentic = 3
	exitNoKey        = 4
	exitInUse        = 5
)

const exitStatuses = `Exit status: 0 done; 1 failed, or something was found to be wrong; 2 wrong usage;
3 a message, a store or a log is not authentic; 4 no key opens it; 5 the store is in use.
`

// usageError is a command that was called in a wrong way.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// exitCode returns the exit status for what a command has returned.
func exitCode(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case isAny(err, notAuthentic()), isFault(err):
		return exitNotAuthentic
	case isAny(err, noKey()):
		return exitNoKey
	case isAny(err, inUse()):
		return exitInUse
	default:
		return exitFailed
	}
}

func notAuthentic() []error {
	return []error{
		envelope.ErrAuth, envelope.ErrMalformed, envelope.ErrUnsupported, envelope.ErrBase64,
		envelope.ErrTruncated, envelope.ErrTrailingData,
		store.ErrDamaged, store.ErrRollback, boltstore.ErrFile,
	}
}

func inUse() []error { return []error{boltstore.ErrLocked, audit.ErrLocked} }

func noKey() []error { return []error{keyring.ErrNoMatch, store.ErrRootKey} }

func isAny(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
