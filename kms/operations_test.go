package kms_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
)

// apiNames returns the operations of kms.API, sorted.
func apiNames() []string {
	names := []string{}
	api := reflect.TypeFor[kms.API]()
	for i := range api.NumMethod() {
		names = append(names, api.Method(i).Name)
	}
	return names
}

func requireEveryOperation(t *testing.T, covered map[string]bool) {
	t.Helper()
	require.Equal(t, apiNames(), slices.Sorted(maps.Keys(covered)))
}

func TestOperationsAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	names := []string{}
	empty := []string{}
	for _, op := range kms.Operations() {
		names = append(names, op.Name())
		require.Equal(t, op.Name(), nameOf(op.NewInput()))
		found, ok := kms.LookupOperation(op.Name())
		require.True(t, ok)
		require.Equal(t, op.Name(), found.Name())
		if op.EmptyBody() {
			empty = append(empty, op.Name())
		}
	}
	require.Equal(t, apiNames(), names)
	require.Equal(t, []string{
		"CreateAlias", "DeleteAlias", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation", "PutKeyPolicy", "RetireGrant", "RevokeGrant",
		"TagResource", "UntagResource", "UpdateAlias", "UpdateKeyDescription", "UpdatePrimaryRegion",
	}, empty)
	for _, name := range []string{"", "encrypt", "Encrypt ", "ENCRYPT", "zzz"} {
		_, ok := kms.LookupOperation(name)
		require.False(t, ok, name)
	}
}

func TestInputsAreNew(t *testing.T) {
	t.Parallel()
	op, ok := kms.LookupOperation("Encrypt")
	require.True(t, ok)
	require.NotSame(t, op.NewInput(), op.NewInput())
}
