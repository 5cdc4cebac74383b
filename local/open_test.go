package local_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

func rootKey(t *testing.T, fill byte) keyring.Keyring {
	t.Helper()
	root, err := keyring.NewRawAES("test", "root", bytes.Repeat([]byte{fill}, 32))
	require.NoError(t, err)
	return root
}

func open(t *testing.T, path string, o *local.Options) *local.Cloud {
	t.Helper()
	cloud, err := local.Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	return cloud
}

func TestACloudInAFileIsThereAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "cloud.db")
	o := &local.Options{KeyFile: filepath.Join(dir, "root.key"), AuditLog: filepath.Join(dir, "audit.jsonl")}
	cloud := open(t, path, o)
	arn, blob := roundTrip(t, cloud.SDK("eu-west-1"))
	_, err := local.Open(path, o)
	require.ErrorIs(t, err, boltstore.ErrLocked)
	require.NoError(t, cloud.Close())
	require.NoError(t, cloud.Close())
	_, err = cloud.SDK("eu-west-1").DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &arn})
	require.Error(t, err)

	cloud = open(t, path, o)
	out, err := cloud.SDK("eu-west-1").Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: blob})
	require.NoError(t, err)
	require.Equal(t, "attack at dawn", string(out.Plaintext))
	require.Equal(t, arn, *out.KeyId)
	require.Nil(t, cloud.Events(), "they are in the log")

	report, err := cloud.Store().Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, report.Err())
	findings, err := kms.Check(t.Context(), cloud.Store())
	require.NoError(t, err)
	require.Empty(t, findings)
	with, err := cloud.AuditState().Verification(t.Context())
	require.NoError(t, err)
	require.NoError(t, cloud.Close())
	sources, err := audit.Sources(o.AuditLog)
	require.NoError(t, err)
	proven, err := audit.VerifyLog(t.Context(), sources, with)
	require.NoError(t, err)
	require.Len(t, proven.Chains, 1)
	require.Equal(t, uint64(4), proven.Chains[0].Proven)
	require.Equal(t, uint64(3), proven.Chains[0].Anchored, "where the cloud was opened again")

	log, err := os.ReadFile(o.AuditLog)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(o.AuditLog, bytes.Replace(log, []byte(`"Encrypt"`), []byte(`"Decrypt"`), 1), 0o600))
	_, err = audit.VerifyLog(t.Context(), sources, with)
	var fault *audit.Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, audit.Altered, fault.Kind)
}

func TestOpenAsksForARootKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, key := filepath.Join(dir, "cloud.db"), filepath.Join(dir, "root.key")
	_, err := local.Open(path, nil)
	require.ErrorContains(t, err, "needs a root key")
	_, err = local.Open(path, &local.Options{RootKey: rootKey(t, 1), KeyFile: key})
	require.ErrorContains(t, err, "both")
	_, err = local.OpenStore(t.Context(), store.NewMemory(), nil)
	require.ErrorContains(t, err, "needs a root key")
	_, err = local.New(&local.Options{KeyFile: key})
	require.ErrorContains(t, err, "in memory")
	_, err = local.New(&local.Options{RootKey: rootKey(t, 1)})
	require.ErrorContains(t, err, "in memory")
	require.NoFileExists(t, path)
	require.NoFileExists(t, key)

	require.NoError(t, open(t, path, &local.Options{KeyFile: key}).Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = local.Open(path, &local.Options{RootKey: rootKey(t, 1)})
	require.ErrorIs(t, err, store.ErrRootKey)
	require.NoError(t, os.Remove(key))
	_, err = local.Open(path, &local.Options{KeyFile: key})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, key, "a key that opens nothing is not made")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "the store is untouched")

	_, err = local.Open(filepath.Join(dir, "none", "cloud.db"), &local.Options{RootKey: rootKey(t, 1)})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = local.Open(path, &local.Options{RootKey: rootKey(t, 1), Audit: &audit.Ring{}, AuditLog: filepath.Join(dir, "log")})
	require.Error(t, err)
}

func TestACloudUnderAPassphraseIsRekeyed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cloud.db")
	passphrase, err := keyring.NewPassphrase("sealring", "root", []byte("correct horse"))
	require.NoError(t, err)
	cloud := open(t, path, &local.Options{RootKey: passphrase})
	_, blob := roundTrip(t, cloud.SDK("eu-west-1"))
	require.NoError(t, cloud.Store().Rekey(t.Context(), rootKey(t, 1), nil))
	_, again := roundTrip(t, cloud.SDK("eu-west-1"))
	require.NoError(t, cloud.Close())

	_, err = local.Open(path, &local.Options{RootKey: passphrase})
	require.ErrorIs(t, err, store.ErrRootKey)
	cloud = open(t, path, &local.Options{RootKey: rootKey(t, 1)})
	for _, b := range [][]byte{blob, again} {
		out, err := cloud.SDK("eu-west-1").Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: b})
		require.NoError(t, err)
		require.Equal(t, "attack at dawn", string(out.Plaintext))
	}
}

// closing is a store that says when it was closed.
type closing struct {
	store.Store
	closed bool
}

func (s *closing) Close() error {
	s.closed = true
	return s.Store.Close()
}

func TestOpenStoreClosesTheStoreAfterAnError(t *testing.T) {
	t.Parallel()
	inner := &closing{Store: store.NewMemory()}
	_, err := local.OpenStore(t.Context(), inner, &local.Options{RootKey: rootKey(t, 1), Account: "1"})
	require.Error(t, err)
	require.True(t, inner.closed)
	inner = &closing{Store: store.NewMemory()}
	_, err = local.OpenStore(t.Context(), inner, &local.Options{RootKey: rootKey(t, 1), AuditLog: t.TempDir()})
	require.Error(t, err)
	require.True(t, inner.closed)
	inner = &closing{Store: store.NewMemory()}
	_, err = local.OpenStore(t.Context(), inner, nil)
	require.Error(t, err)
	require.True(t, inner.closed)
}

func TestAKeptCloudSweeps(t *testing.T) {
	t.Parallel()
	swept := make(chan error, 100)
	cloud, err := local.OpenStore(t.Context(), store.NewMemory(), &local.Options{
		RootKey: rootKey(t, 1), SweepEvery: time.Millisecond,
		Swept: func(_ kms.SweepReport, err error) { swept <- err },
	})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, <-swept)
	}
	require.NoError(t, cloud.Close())
	n := len(swept)
	require.Len(t, swept, n, "nothing sweeps any more")

	cloud, err = local.OpenStore(t.Context(), store.NewMemory(), &local.Options{
		RootKey: rootKey(t, 1), SweepEvery: -1,
		Swept: func(kms.SweepReport, error) { t.Error("swept") },
	})
	require.NoError(t, err)
	require.NoError(t, cloud.Close())
}

func TestChangesAreToldOfWhatChanges(t *testing.T) {
	t.Parallel()
	bus := &audit.Bus{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := bus.Subscribe(ctx)
	cloud := newCloud(t, &local.Options{Changes: bus})
	client := cloud.SDK("eu-west-1")
	arn, _ := roundTrip(t, client)
	_, err := client.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: aws.String(arn)})
	require.NoError(t, err)
	require.NoError(t, bus.Close())
	var names []string
	for c, err := range changes {
		require.NoError(t, err)
		require.Equal(t, audit.APICall, c.DetailType)
		names = append(names, c.Detail.(audit.Event).Name)
	}
	require.Equal(t, []string{"CreateKey", "ScheduleKeyDeletion"}, names, "what only reads is left out")
}
