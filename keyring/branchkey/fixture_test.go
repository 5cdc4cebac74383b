package branchkey_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/keyring/branchkey/kvstore"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

const (
	logicalName = "orders"
	prefix      = "branchkeys/"
	ttl         = time.Minute

	typeActive  = "branch:ACTIVE"
	typeBeacon  = "beacon:ACTIVE"
	typeVersion = "branch:version:"
)

// tenant is the encryption context of branch keys.
var tenant = keyring.EncryptionContext{"tenant": "42", "näme": "世界"}

// rig is a key store over a local KMS and a table in memory.
type rig struct {
	*branchkey.KeyStore
	cloud  *kmstest.Cloud
	api    *recordingKMS
	table  *tamperedTable
	keyARN string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{cloud: kmstest.New(t, nil)}
	r.keyARN = r.cloud.Seed(kmstest.Key{Alias: "alias/branch-keys"})
	r.api = &recordingKMS{API: r.cloud.Client(r.cloud.Root())}
	inner := store.NewMemory()
	t.Cleanup(func() { require.NoError(t, inner.Close()) })
	table, err := kvstore.New(inner, prefix)
	require.NoError(t, err)
	r.table = &tamperedTable{Table: table}
	r.KeyStore = r.keyStore(t, branchkey.ExactKey(r.keyARN))
	return r
}

// keyStore returns a key store over the same KMS and table.
func (r *rig) keyStore(t *testing.T, k branchkey.KMSKey) *branchkey.KeyStore {
	t.Helper()
	s, err := branchkey.NewKeyStore(branchkey.Config{
		LogicalName: logicalName, Table: r.table, KMS: r.api, KMSKey: k, GrantTokens: []string{"a-grant-token"},
	})
	require.NoError(t, err)
	return s
}

// create returns the id of a new branch key.
func (r *rig) create(t *testing.T) string {
	t.Helper()
	id, err := r.CreateKey(t.Context(), "", tenant)
	require.NoError(t, err)
	return id
}

func (r *rig) active(t *testing.T, id string) *branchkey.Key {
	t.Helper()
	k, err := r.ActiveBranchKey(t.Context(), id)
	require.NoError(t, err)
	return k
}

// recordingKMS records inputs, and changes outputs where a test wants it.
type recordingKMS struct {
	branchkey.API

	mu    sync.Mutex
	calls []any // guarded by mu

	generated   func(*kms.GenerateDataKeyWithoutPlaintextOutput) *kms.GenerateDataKeyWithoutPlaintextOutput
	reencrypted func(*kms.ReEncryptOutput) *kms.ReEncryptOutput
	decrypted   func(*kms.DecryptOutput) *kms.DecryptOutput
	handedOut   [][]byte // plaintexts, guarded by mu
}

func (r *recordingKMS) record(in any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, in)
}

// take returns the inputs since the last take.
func (r *recordingKMS) take() []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

func (r *recordingKMS) GenerateDataKeyWithoutPlaintext(ctx context.Context, in *kms.GenerateDataKeyWithoutPlaintextInput, o ...func(*kms.Options)) (*kms.GenerateDataKeyWithoutPlaintextOutput, error) {
	r.record(in)
	out, err := r.API.GenerateDataKeyWithoutPlaintext(ctx, withoutTokens(in, func(c *kms.GenerateDataKeyWithoutPlaintextInput) { c.GrantTokens = nil }), o...)
	if err == nil && r.generated != nil {
		out = r.generated(out)
	}
	return out, err
}

func (r *recordingKMS) ReEncrypt(ctx context.Context, in *kms.ReEncryptInput, o ...func(*kms.Options)) (*kms.ReEncryptOutput, error) {
	r.record(in)
	out, err := r.API.ReEncrypt(ctx, withoutTokens(in, func(c *kms.ReEncryptInput) { c.GrantTokens = nil }), o...)
	if err == nil && r.reencrypted != nil {
		out = r.reencrypted(out)
	}
	return out, err
}

func (r *recordingKMS) Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	r.record(in)
	out, err := r.API.Decrypt(ctx, withoutTokens(in, func(c *kms.DecryptInput) { c.GrantTokens = nil }), o...)
	if err == nil {
		r.mu.Lock()
		r.handedOut = append(r.handedOut, out.Plaintext)
		r.mu.Unlock()
	}
	if err == nil && r.decrypted != nil {
		out = r.decrypted(out)
	}
	return out, err
}

// withoutTokens returns a copy of in without grant tokens, which the tests make up.
func withoutTokens[T any](in *T, drop func(*T)) *T {
	c := *in
	drop(&c)
	return &c
}

// tamperedTable is a table whose items a test changes on the way out.
type tamperedTable struct {
	branchkey.Table
	change func(branchkey.Item) branchkey.Item // may be nil
	rotate func() error                        // called before Rotate; may be nil
}

func (t *tamperedTable) Get(ctx context.Context, id, itemType string) (branchkey.Item, error) {
	item, err := t.Table.Get(ctx, id, itemType)
	if err == nil && t.change != nil {
		item = t.change(item)
	}
	return item, err
}

func (t *tamperedTable) Rotate(ctx context.Context, version, active branchkey.Item, previous []byte) error {
	if t.rotate != nil {
		if err := t.rotate(); err != nil {
			return err
		}
	}
	return t.Table.Rotate(ctx, version, active, previous)
}

// with returns m and more.
func with(m map[string]string, pairs ...string) map[string]string {
	out := maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// staticStore has one branch key with several versions, the last of which is active.
type staticStore struct {
	id       string
	versions []string
	secrets  map[string][]byte
	name     string

	mu    sync.Mutex
	loads int   // guarded by mu
	err   error // guarded by mu
}

func (s *staticStore) LogicalName() string { return s.name }

func (s *staticStore) ActiveBranchKey(ctx context.Context, id string) (*branchkey.Key, error) {
	return s.BranchKeyVersion(ctx, id, s.versions[len(s.versions)-1])
}

func (s *staticStore) BranchKeyVersion(ctx context.Context, id, version string) (*branchkey.Key, error) {
	s.mu.Lock()
	s.loads++
	err := s.err
	s.mu.Unlock()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	secret, ok := s.secrets[version]
	if id != s.id || !ok {
		return nil, branchkey.ErrNotFound
	}
	return branchkey.NewKey(id, version, secret, nil)
}

func (s *staticStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

func (s *staticStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// encryption returns materials without a data key.
func encryption(t *testing.T, c keyring.EncryptionContext) *keyring.EncryptionMaterials {
	t.Helper()
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{Context: c, Suite: keyring.AES256GCMHKDFSHA512CommitKey})
	require.NoError(t, err)
	return m
}

// decryption returns materials for what m was encrypted under.
func decryption(t *testing.T, m *keyring.EncryptionMaterials) *keyring.DecryptionMaterials {
	t.Helper()
	d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{Context: m.Context(), Suite: m.Suite()})
	require.NoError(t, err)
	return d
}

func newRing(t *testing.T, s branchkey.Store, id string, o *branchkey.Options) *branchkey.Keyring {
	t.Helper()
	ring, err := branchkey.New(s, id, ttl, o)
	require.NoError(t, err)
	return ring
}

// sealed returns materials that ring has made complete.
func sealed(t *testing.T, ring keyring.Keyring) *keyring.EncryptionMaterials {
	t.Helper()
	m := encryption(t, keyring.EncryptionContext{"purpose": "test"})
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	return m
}

// opens reports whether ring gives m's data key back.
func opens(t *testing.T, ring keyring.Keyring, m *keyring.EncryptionMaterials) error {
	t.Helper()
	d := decryption(t, m)
	if err := ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()); err != nil {
		return err
	}
	require.Equal(t, m.DataKey(), d.DataKey())
	return nil
}
