package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
)

// TestAnchorsFailLoudly has two servers on one machine share a cluster, and with it the name
// of their chains: the first says so once, and not with each event.
func TestAnchorsFailLoudly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	root, err := randomRoot()
	require.NoError(t, err)
	sealed, err := store.Seal(t.Context(), store.NewMemory(), root, nil)
	require.NoError(t, err)
	defer sealed.Close()
	said := &lockedBuffer{}
	log := slog.New(slog.NewTextHandler(said, nil))
	first, err := openAuditLog(t.Context(), b.path("first"), "host", false, sealed, log)
	require.NoError(t, err)
	second, err := openAuditLog(t.Context(), b.path("second"), "host", false, sealed, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, first.Record(t.Context(), audit.Event{ID: "x"}))
		require.ErrorIs(t, first.chain.Anchor(t.Context()), local.ErrChainTaken)
	}
	require.Equal(t, 1, strings.Count(said.String(), "cannot be anchored"), said)
	require.NoError(t, second.close())
	require.ErrorIs(t, first.close(), local.ErrChainTaken)
}
