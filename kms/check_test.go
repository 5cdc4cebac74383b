package kms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// requireSound checks that a store breaks no rule.
func requireSound(t *testing.T, s store.Store) {
	t.Helper()
	findings, err := kms.Check(t.Context(), s)
	require.NoError(t, err)
	require.Empty(t, findings)
}

// TestCheckOfASession has every operation leave the store in order.
func TestCheckOfASession(t *testing.T) {
	t.Parallel()
	f, sealed := newSealed(t)
	blob := f.plant(t, "secret", nil)
	f.plantAll(t)
	requireSound(t, sealed)
	for _, in := range session(f, blob) {
		succeeds(t, f.api, in)
		requireSound(t, sealed)
	}
}

// newSealed is newFixture, and returns the store that the service has.
func newSealed(t *testing.T) (f *fixture, sealed store.Store) {
	t.Helper()
	f = newFixture(t, false, func(c *kms.Config) { sealed = c.Store })
	return f, sealed
}
