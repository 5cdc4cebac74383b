package kms

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// states is a set of key states: those in which an operation is possible.
type states uint8

const (
	enabled states = 1 << iota
	disabled
	pendingDeletion // PendingReplicaDeletion too
	pendingImport
	unavailable
	creating
	updating

	anyState   = enabled | disabled | pendingDeletion | pendingImport | unavailable | creating | updating
	notPending = anyState &^ pendingDeletion
	inUse      = enabled | updating // the copies of a multi-Region key work while their roles change
)

// keyStates is the table of key states (AWS KMS Developer Guide, "Key states of AWS
// KMS keys"). An operation without a row needs no key, or one in whatever state.
// Where the guide allows DisabledException or KMSInvalidStateException for a key that
// is pending deletion, the latter is sent. UpdateAlias looks at the alias's new key.
var keyStates = map[string]states{
	"CancelKeyDeletion":                   pendingDeletion,
	"CreateAlias":                         notPending,
	"CreateGrant":                         inUse | unavailable,
	"Decapsulate":                         inUse,
	"Decrypt":                             inUse,
	"DeleteAlias":                         anyState,
	"DeleteImportedKeyMaterial":           enabled | disabled | pendingDeletion | pendingImport,
	"DeriveSharedSecret":                  inUse,
	"DescribeKey":                         anyState,
	"DisableKey":                          enabled | disabled | unavailable,
	"DisableKeyRotation":                  inUse,
	"EnableKey":                           enabled | disabled | unavailable,
	"EnableKeyRotation":                   inUse,
	"Encapsulate":                         inUse,
	"Encrypt":                             inUse,
	"GenerateDataKey":                     inUse,
	"GenerateDataKeyPair":                 inUse,
	"GenerateDataKeyPairWithoutPlaintext": inUse,
	"GenerateDataKeyWithoutPlaintext":     inUse,
	"GenerateMac":                         inUse,
	"GetKeyLastUsage":                     anyState,
	"GetKeyPolicy":                        anyState,
	"GetKeyRotationStatus":                anyState,
	"GetParametersForImport":              enabled | disabled | pendingImport,
	"GetPublicKey":                        inUse,
	"ImportKeyMaterial":                   enabled | disabled | pendingImport | updating,
	"ListAliases":                         anyState,
	"ListGrants":                          anyState,
	"ListKeyPolicies":                     anyState,
	"ListKeyRotations":                    anyState,
	"ListResourceTags":                    anyState,
	"PutKeyPolicy":                        anyState,
	"ReEncrypt":                           inUse,
	"ReplicateKey":                        enabled,
	"RetireGrant":                         anyState,
	"RevokeGrant":                         anyState,
	"RotateKeyOnDemand":                   enabled,
	"ScheduleKeyDeletion":                 notPending &^ updating,
	"Sign":                                inUse,
	"TagResource":                         notPending,
	"UntagResource":                       notPending,
	"UpdateAlias":                         notPending,
	"UpdateKeyDescription":                notPending,
	"UpdatePrimaryRegion":                 inUse,
	"Verify":                              inUse,
	"VerifyMac":                           inUse,
}

// checkState holds the key of a target to the operation's row of the table.
func checkState(operation string, t *target) error {
	row := keyStates[operation]
	arn := t.key.ARN()
	switch {
	case row&setOf(t.state) != 0:
		return nil
	case row == pendingDeletion:
		return invalidState("%s is not pending deletion.", arn)
	case t.state == types.KeyStateDisabled:
		return &types.DisabledException{Message: text("%s is disabled.", arn)}
	case t.state == types.KeyStateUnavailable && t.key.XksKey != "":
		return invalidState(notConnected)
	}
	return invalidState("%s is %s.", arn, phrase(t.state))
}

// setOf returns the set of one state.
func setOf(s types.KeyState) states {
	switch s {
	case types.KeyStateEnabled:
		return enabled
	case types.KeyStateDisabled:
		return disabled
	case types.KeyStatePendingDeletion, types.KeyStatePendingReplicaDeletion:
		return pendingDeletion
	case types.KeyStatePendingImport:
		return pendingImport
	case types.KeyStateUnavailable:
		return unavailable
	case types.KeyStateCreating:
		return creating
	case types.KeyStateUpdating:
		return updating
	}
	return 0
}

// phrase returns what messages call a state: PendingReplicaDeletion is "pending
// replica deletion".
func phrase(s types.KeyState) string {
	var b strings.Builder
	for i, c := range string(s) {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}

// stateOf returns the state of a key now. What depends on the clock is computed, never
// stored.
func (r *request) stateOf(k *keyrecord.Key) (types.KeyState, error) {
	changing := k.Transition != nil && r.now.Before(k.Transition.Until)
	switch {
	case k.Deletion != nil:
		if _, ok := k.DeletionDate(r.now); !ok {
			return types.KeyStatePendingReplicaDeletion, nil
		}
		return types.KeyStatePendingDeletion, nil
	case changing && k.Transition.State == string(types.KeyStateCreating):
		return types.KeyStateCreating, nil
	case !k.Complete(r.now): // even while it is Updating: what has expired is not used
		return types.KeyStatePendingImport, nil
	case changing:
		return types.KeyState(k.Transition.State), nil
	}
	if k.KeyStore != "" {
		connected, err := r.connected(k)
		if err != nil {
			return "", err
		}
		if !connected {
			return types.KeyStateUnavailable, nil
		}
	}
	if k.Enabled {
		return types.KeyStateEnabled, nil
	}
	return types.KeyStateDisabled, nil
}
