package local_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
)

// TestAChainIsOneProcesss has two processes give their chains one name, on a store that they
// share: the first learns of it at its next anchor, and not from a log that does not verify.
func TestAChainIsOneProcesss(t *testing.T) {
	t.Parallel()
	sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
	require.NoError(t, err)
	defer sealed.Close()
	dir := t.TempDir()
	begin := func(name, file string) *audit.Chain {
		state, err := local.NewChainState(sealed, name)
		require.NoError(t, err)
		f, err := audit.OpenFile(filepath.Join(dir, file), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		c, err := audit.NewChain(t.Context(), f, state, &audit.ChainOptions{Period: -1})
		require.NoError(t, err)
		return c
	}
	record := func(c *audit.Chain) {
		require.NoError(t, c.Record(t.Context(), audit.Event{ID: "x"}))
	}
	first, apart := begin("one", "first"), begin("other", "apart")
	second := begin("one", "second") // of the same chain, as its log is empty still
	for _, c := range []*audit.Chain{first, second, apart} {
		record(c)
	}
	require.ErrorIs(t, first.Anchor(t.Context()), local.ErrChainTaken)
	for range 2 {
		require.NoError(t, second.Anchor(t.Context()))
		require.NoError(t, apart.Anchor(t.Context()))
		record(second)
		record(apart)
	}
	require.ErrorIs(t, first.Close(t.Context()), local.ErrChainTaken)
	require.NoError(t, second.Close(t.Context()))
	require.NoError(t, apart.Close(t.Context()))

	state, err := local.NewChainState(sealed, "one")
	require.NoError(t, err)
	known, err := state.Verification(t.Context())
	require.NoError(t, err)
	sources, err := audit.Sources(filepath.Join(dir, "second"))
	require.NoError(t, err)
	_, err = audit.VerifyLog(t.Context(), sources, known)
	require.NoError(t, err, "the second one's chain is whole")
}
