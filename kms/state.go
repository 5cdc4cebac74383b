package kms

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// keyState returns the state of a key at a time. State that depends on the clock
// is computed, never stored.
func keyState(k *keyrecord.Key) types.KeyState {
	switch {
	case k.Deletion != nil:
		return types.KeyStatePendingDeletion
	case k.Enabled:
		return types.KeyStateEnabled
	}
	return types.KeyStateDisabled
}

// gone reports whether a key's waiting period has passed. To every operation it is
// as if the key had never been.
func gone(k *keyrecord.Key, now time.Time) bool {
	return k.Deletion != nil && !now.Before(*k.Deletion)
}

// verdict is what an operation answers to a key in some state.
type verdict func(arn string) error

func allow(string) error { return nil }

func refuseDisabled(arn string) error {
	return &types.DisabledException{Message: text("%s is disabled.", arn)}
}

func refusePending(arn string) error { return invalidState("%s is pending deletion.", arn) }

func refuseNotPending(arn string) error { return invalidState("%s is not pending deletion.", arn) }

// states is one row of the table of key states and operations.
type states struct{ enabled, disabled, pendingDeletion verdict }

// The rows of the table (AWS KMS Developer Guide, "Key states of AWS KMS keys").
// Where the guide allows DisabledException or KMSInvalidStateException for a key
// that is pending deletion, the latter is sent.
var (
	inAnyState     = states{allow, allow, allow}                       // DescribeKey, ListAliases, ListResourceTags, DeleteAlias
	whenUsable     = states{allow, refuseDisabled, refusePending}      // Encrypt, Decrypt, ReEncrypt, GenerateDataKey…
	whenNotPending = states{allow, allow, refusePending}               // CreateAlias, UpdateAlias (new target), EnableKey, DisableKey, ScheduleKeyDeletion, TagResource, UntagResource, UpdateKeyDescription
	whenPending    = states{refuseNotPending, refuseNotPending, allow} // CancelKeyDeletion
)

// check returns the row's answer to k in its present state.
func (s states) check(k *keyrecord.Key) error {
	switch keyState(k) {
	case types.KeyStateEnabled:
		return s.enabled(k.ARN())
	case types.KeyStateDisabled:
		return s.disabled(k.ARN())
	case types.KeyStatePendingDeletion:
		return s.pendingDeletion(k.ARN())
	}
	return invalidState("%s is in a state in which no operation is possible.", k.ARN())
}
