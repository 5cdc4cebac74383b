package branchkey_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/kms/kmstest"
)

const frankfurt = "eu-central-1"

// regions is a rig whose KMS key is a multi-Region key with a copy in Frankfurt.
type regions struct {
	*rig
	replicaARN string
}

func newRegions(t *testing.T) *regions {
	t.Helper()
	r := newRig(t)
	yes, region := true, frankfurt
	created, err := r.cloud.SDK().CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: &yes})
	require.NoError(t, err)
	replica, err := r.cloud.SDK().ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: created.KeyMetadata.Arn, ReplicaRegion: &region})
	require.NoError(t, err)
	r.keyARN = *created.KeyMetadata.Arn
	r.KeyStore = r.keyStore(t, branchkey.ExactKey(r.keyARN))
	return &regions{r, *replica.ReplicaKeyMetadata.Arn}
}

// in returns a key store whose KMS is that of Frankfurt.
func (r *regions) in(t *testing.T, k branchkey.KMSKey) (*branchkey.KeyStore, *recordingKMS) {
	t.Helper()
	api := &recordingKMS{API: r.cloud.Client(identity.Root(identity.DefaultAccount, frankfurt))}
	s, err := branchkey.NewKeyStore(branchkey.Config{LogicalName: logicalName, Table: r.table, KMS: api, KMSKey: k})
	require.NoError(t, err)
	return s, api
}

// usedKeys returns the KMS keys of calls of Decrypt.
func usedKeys(calls []any) (arns []string) {
	for _, c := range calls {
		if d, ok := c.(*kms.DecryptInput); ok {
			arns = append(arns, *d.KeyId)
		}
	}
	return arns
}

func TestKMSKeysForReading(t *testing.T) {
	t.Parallel()
	r := newRegions(t)
	id := r.create(t)
	want := r.active(t, id)
	plain := r.cloud.Seed(kmstest.Key{Alias: "alias/other"})

	for name, c := range map[string]struct {
		key  branchkey.KMSKey
		used string // "": refused
	}{
		"exact":                       {branchkey.ExactKey(r.keyARN), r.keyARN},
		"exact replica":               {branchkey.ExactKey(r.replicaARN), ""},
		"exact other":                 {branchkey.ExactKey(plain), ""},
		"multi-Region":                {branchkey.MultiRegionKey(r.keyARN), r.keyARN},
		"multi-Region other":          {branchkey.MultiRegionKey(plain), ""},
		"any":                         {branchkey.AnyKey(), r.keyARN},
		"any in the Region":           {branchkey.AnyKeyInRegion(identity.DefaultRegion), r.keyARN},
		"multi-Region, other account": {branchkey.MultiRegionKey("arn:aws:kms:us-east-1:444455556666:key/" + r.keyARN[len(r.keyARN)-36:]), ""},
	} {
		r.api.take()
		got, err := r.keyStore(t, c.key).ActiveBranchKey(t.Context(), id)
		if c.used == "" {
			require.ErrorIs(t, err, branchkey.ErrKMSKey, name)
			require.Empty(t, r.api.take(), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
		require.Equal(t, []string{c.used}, usedKeys(r.api.take()), name)
	}

	for name, key := range map[string]branchkey.KMSKey{
		"multi-Region":      branchkey.MultiRegionKey(r.replicaARN),
		"any in the Region": branchkey.AnyKeyInRegion(frankfurt),
	} {
		s, api := r.in(t, key)
		got, err := s.ActiveBranchKey(t.Context(), id)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
		require.Equal(t, []string{r.replicaARN}, usedKeys(api.take()), name)
	}
}

// A key that has no copies is called where it is, whatever the Region.
func TestAnyKeyInRegionForSingleRegionKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	got, err := r.keyStore(t, branchkey.AnyKeyInRegion(identity.DefaultRegion)).ActiveBranchKey(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, r.active(t, id), got)
	r.api.take()
	_, err = r.keyStore(t, branchkey.AnyKeyInRegion(frankfurt)).ActiveBranchKey(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []string{r.keyARN}, usedKeys(r.api.take()))
}

// What is versioned in another Region goes on naming the KMS key that it was created
// with.
func TestVersioningInAnotherRegion(t *testing.T) {
	t.Parallel()
	r := newRegions(t)
	id := r.create(t)
	old := r.active(t, id)
	s, _ := r.in(t, branchkey.MultiRegionKey(r.replicaARN))
	v, err := s.VersionKey(t.Context(), id)
	require.NoError(t, err)
	for _, itemType := range []string{typeActive, typeVersion + v, typeVersion + old.Version(), typeBeacon} {
		item, err := r.table.Get(t.Context(), id, itemType)
		require.NoError(t, err)
		require.Equal(t, r.keyARN, item.Attributes["kms-arn"], itemType)
	}
	now := r.active(t, id)
	require.Equal(t, v, now.Version())
	require.NotEqual(t, old.Bytes(), now.Bytes())
	_, err = r.BranchKeyVersion(t.Context(), id, old.Version())
	require.NoError(t, err)

	created, err := s.CreateKey(t.Context(), "", nil)
	require.NoError(t, err)
	item, err := r.table.Get(t.Context(), created, typeActive)
	require.NoError(t, err)
	require.Equal(t, r.replicaARN, item.Attributes["kms-arn"])
}

func TestStoresForAnyKeyDoNotWrite(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	r.api.take()
	for _, k := range []branchkey.KMSKey{branchkey.AnyKey(), branchkey.AnyKeyInRegion(frankfurt)} {
		s := r.keyStore(t, k)
		_, err := s.CreateKey(t.Context(), "", nil)
		require.ErrorIs(t, err, branchkey.ErrKMSKey)
		_, err = s.VersionKey(t.Context(), id)
		require.ErrorIs(t, err, branchkey.ErrKMSKey)
	}
	require.Empty(t, r.api.take())
}

func TestKMSKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "alias/x", "arn:aws:kms:us-east-1:111122223333:alias/x", "1234abcd-12ab-34cd-56ef-1234567890ab",
		"arn:aws:kms::111122223333:key/x", "arn:aws:s3:us-east-1:111122223333:key/x",
	} {
		for _, k := range []branchkey.KMSKey{branchkey.ExactKey(name), branchkey.MultiRegionKey(name)} {
			_, err := branchkey.NewKeyStore(branchkey.Config{LogicalName: "x", Table: &tamperedTable{}, KMS: &recordingKMS{}, KMSKey: k})
			require.ErrorIs(t, err, branchkey.ErrKMSKey, name)
		}
	}
}
