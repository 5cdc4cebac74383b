package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
)

// logged is a cloud in a file with an audit log.
type logged struct{ store, log string }

// use opens the cloud, makes requests, and closes it.
func (l logged) use(t *testing.T, name string) error {
	t.Helper()
	cloud, err := local.Open(l.store, &local.Options{
		RootKey: rootKey(t, 1), AuditLog: l.log, AuditName: name, SweepEvery: -1,
	})
	if err != nil {
		return err
	}
	roundTrip(t, cloud.SDK("eu-west-1"))
	require.NoError(t, cloud.Close())
	return nil
}

// requireFault expects that the cloud is not opened, and stays as it is.
func (l logged) requireFault(t *testing.T, name string, kind audit.FaultKind) {
	t.Helper()
	before, now := l.keep(t), l.use(t, name)
	var fault *audit.Fault
	require.ErrorAs(t, now, &fault)
	require.Equal(t, kind, fault.Kind, "%v", now)
	require.Equal(t, string(before.log), string(l.keep(t).log))
	_, err := local.Open(l.store, &local.Options{RootKey: rootKey(t, 2)})
	require.ErrorIs(t, err, store.ErrRootKey, "nobody holds the file")
}

// state is the files at one time; nil if one is not there.
type state struct{ store, log []byte }

func (l logged) keep(t *testing.T) (s state) {
	t.Helper()
	s.store = readIfThere(t, l.store)
	s.log = readIfThere(t, l.log)
	return s
}

func readIfThere(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return b
}

// put makes a file what it was.
func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if content == nil {
		require.NoError(t, os.Remove(path))
		return
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

// verified returns the fault of the log, nil if it verifies.
func (l logged) verified(t *testing.T, name string) error {
	t.Helper()
	cloud, err := local.Open(l.store, &local.Options{RootKey: rootKey(t, 1), SweepEvery: -1})
	require.NoError(t, err)
	defer cloud.Close()
	chain, err := local.NewChainState(cloud.Store(), name)
	require.NoError(t, err)
	with, err := chain.Verification(t.Context())
	require.NoError(t, err)
	sources, err := audit.Sources(l.log)
	require.NoError(t, err)
	_, err = audit.VerifyLog(t.Context(), sources, with)
	return err
}

// TestStoreAndLogOutOfStep puts the store or its log back to what it was, or away.
func TestStoreAndLogOutOfStep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := logged{filepath.Join(dir, "cloud.db"), filepath.Join(dir, "audit.jsonl")}
	const name = "default"
	require.NoError(t, l.use(t, name))
	old := l.keep(t)
	require.NoError(t, l.use(t, name))
	now := l.keep(t)
	reset := func() { put(t, l.store, now.store); put(t, l.log, now.log) }

	put(t, l.store, old.store)
	require.NoError(t, l.use(t, name), "the log tells how the chain went on")
	require.NoError(t, l.verified(t, name))

	reset()
	put(t, l.log, old.log)
	l.requireFault(t, name, audit.Truncated)
	put(t, l.log, nil)
	l.requireFault(t, name, audit.Truncated)

	reset()
	require.NoError(t, os.Rename(l.log, l.log+".1"), "by a tool that knows nothing of the chain")
	l.requireFault(t, name, audit.Truncated)
	require.NoError(t, os.Rename(l.log+".1", l.log))

	put(t, l.store, nil)
	l.requireFault(t, name, audit.Foreign)

	reset()
	l.requireFault(t, "another", audit.Foreign)
}

// TestALogThatIsLost goes on as the doc of Options.AuditLog says.
func TestALogThatIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := logged{filepath.Join(dir, "cloud.db"), filepath.Join(dir, "audit.jsonl")}
	require.NoError(t, l.use(t, "default"))
	require.NoError(t, os.Remove(l.log))
	l.requireFault(t, "default", audit.Truncated)
	require.NoError(t, l.use(t, "after"))
	require.NoError(t, l.use(t, "after"))
	require.NoError(t, l.verified(t, "after"))

	require.NoError(t, os.Remove(l.store))
	l.requireFault(t, "after", audit.Foreign)
	require.NoError(t, os.Rename(l.log, filepath.Join(dir, "kept")))
	require.NoError(t, l.use(t, "after"))
	require.NoError(t, l.verified(t, "after"))
}
