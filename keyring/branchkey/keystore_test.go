package branchkey_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/kms/kmstest"
)

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestNewKeyStoreRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := branchkey.Config{LogicalName: "x", Table: r.table, KMS: r.api, KMSKey: branchkey.ExactKey(r.keyARN)}
	_, err := branchkey.NewKeyStore(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*branchkey.Config){
		"no name":            func(c *branchkey.Config) { c.LogicalName = "" },
		"a name not in UTF8": func(c *branchkey.Config) { c.LogicalName = "\xff" },
		"no table":           func(c *branchkey.Config) { c.Table = nil },
		"no KMS":             func(c *branchkey.Config) { c.KMS = nil },
		"no KMS key":         func(c *branchkey.Config) { c.KMSKey = branchkey.KMSKey{} },
		"an alias":           func(c *branchkey.Config) { c.KMSKey = branchkey.ExactKey("alias/branch-keys") },
		"no Region":          func(c *branchkey.Config) { c.KMSKey = branchkey.AnyKeyInRegion("") },
	} {
		c := good
		change(&c)
		_, err := branchkey.NewKeyStore(c)
		require.Error(t, err, name)
	}
}

// The three items of a new branch key, and the calls of KMS that made them, are those
// of the public schema.
func TestCreateKeyWritesThePublicSchema(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := time.Now()
	id := r.create(t)
	require.Regexp(t, uuidForm, id)
	calls := r.api.take()

	activeItem, err := r.table.Get(t.Context(), id, typeActive)
	require.NoError(t, err)
	marker := activeItem.Attributes["version"]
	v, ok := strings.CutPrefix(marker, typeVersion)
	require.True(t, ok, marker)
	require.Regexp(t, uuidForm, v)
	created := activeItem.Attributes["create-time"]
	at, err := time.Parse("2006-01-02T15:04:05.000000Z", created)
	require.NoError(t, err)
	require.WithinRange(t, at, before.Add(-time.Microsecond), time.Now())

	common := map[string]string{
		"branch-key-id": id, "create-time": created, "kms-arn": r.keyARN, "hierarchy-version": "1",
		"aws-crypto-ec:tenant": "42", "aws-crypto-ec:näme": "世界",
	}
	require.Equal(t, with(common, "type", typeActive, "version", marker), activeItem.Attributes)
	versionItem, err := r.table.Get(t.Context(), id, marker)
	require.NoError(t, err)
	require.Equal(t, with(common, "type", marker), versionItem.Attributes)
	beaconItem, err := r.table.Get(t.Context(), id, typeBeacon)
	require.NoError(t, err)
	require.Equal(t, with(common, "type", typeBeacon), beaconItem.Attributes)

	size, tokens := int32(32), []string{"a-grant-token"}
	require.Equal(t, []any{
		&kms.GenerateDataKeyWithoutPlaintextInput{
			KeyId: &r.keyARN, NumberOfBytes: &size, GrantTokens: tokens,
			EncryptionContext: with(common, "type", marker, "tablename", logicalName),
		},
		&kms.ReEncryptInput{
			SourceKeyId: &r.keyARN, DestinationKeyId: &r.keyARN, GrantTokens: tokens,
			CiphertextBlob:               versionItem.Ciphertext,
			SourceEncryptionContext:      with(common, "type", marker, "tablename", logicalName),
			DestinationEncryptionContext: with(common, "type", typeActive, "version", marker, "tablename", logicalName),
		},
		&kms.GenerateDataKeyWithoutPlaintextInput{
			KeyId: &r.keyARN, NumberOfBytes: &size, GrantTokens: tokens,
			EncryptionContext: with(common, "type", typeBeacon, "tablename", logicalName),
		},
	}, calls)
}

func TestKeysComeBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	r.api.take()
	active := r.active(t, id)
	require.Equal(t, id, active.ID())
	require.Regexp(t, uuidForm, active.Version())
	require.Equal(t, tenant, active.Context())
	require.Len(t, active.Bytes(), branchkey.KeyLen)
	item, err := r.table.Get(t.Context(), id, typeActive)
	require.NoError(t, err)
	require.Equal(t, []any{&kms.DecryptInput{
		KeyId: &r.keyARN, CiphertextBlob: item.Ciphertext, GrantTokens: []string{"a-grant-token"},
		EncryptionContext: with(item.Attributes, "tablename", logicalName),
	}}, r.api.take())

	same, err := r.BranchKeyVersion(t.Context(), id, active.Version())
	require.NoError(t, err)
	require.Equal(t, active, same)

	beacon, err := r.BeaconKey(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, id, beacon.ID())
	require.Equal(t, tenant, beacon.Context())
	require.Len(t, beacon.Bytes(), branchkey.KeyLen)
	require.NotEqual(t, active.Bytes(), beacon.Bytes())

	// What KMS handed out is overwritten, but for the beacon key, which is the slice.
	require.Len(t, r.api.handedOut, 3)
	for _, plaintext := range r.api.handedOut[:2] {
		require.Equal(t, make([]byte, branchkey.KeyLen), plaintext)
	}
}

func TestCustomIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, err := r.CreateKey(t.Context(), "tenant/42 ü", tenant)
	require.NoError(t, err)
	require.Equal(t, "tenant/42 ü", id)
	require.Equal(t, id, r.active(t, id).ID())
	calls := len(r.api.take())
	require.Positive(t, calls)

	_, err = r.CreateKey(t.Context(), id, keyring.EncryptionContext{"other": "context"})
	require.ErrorIs(t, err, branchkey.ErrExists)
	require.Equal(t, tenant, r.active(t, id).Context(), "the first stays")
	r.api.take()

	for _, c := range []struct {
		id      string
		context keyring.EncryptionContext
		want    error
	}{
		{"mine", nil, branchkey.ErrContext},
		{"mine", keyring.EncryptionContext{}, branchkey.ErrContext},
		{"mine", keyring.EncryptionContext{"a": ""}, branchkey.ErrContext},
		{"", keyring.EncryptionContext{"": "a"}, branchkey.ErrContext},
		{"mine", keyring.EncryptionContext{"a": "\xff"}, branchkey.ErrContext},
		{"mine", keyring.EncryptionContext{"a": strings.Repeat("x", 1<<16)}, branchkey.ErrContext},
		{"\xff", tenant, branchkey.ErrKeyID},
		{strings.Repeat("x", branchkey.MaxIDLen+1), tenant, branchkey.ErrKeyID},
	} {
		_, err := r.CreateKey(t.Context(), c.id, c.context)
		require.ErrorIs(t, err, c.want)
	}
	require.Empty(t, r.api.take(), "KMS is not called in vain")

	// A generated id needs no context.
	id, err = r.CreateKey(t.Context(), "", nil)
	require.NoError(t, err)
	require.Nil(t, r.active(t, id).Context())
}

func TestAbsentKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	const other = "abcdefab-2222-4333-8444-555555555555"
	_, err := r.ActiveBranchKey(t.Context(), other)
	require.ErrorIs(t, err, branchkey.ErrNotFound)
	_, err = r.BeaconKey(t.Context(), other)
	require.ErrorIs(t, err, branchkey.ErrNotFound)
	_, err = r.BranchKeyVersion(t.Context(), id, other)
	require.ErrorIs(t, err, branchkey.ErrNotFound)
	_, err = r.VersionKey(t.Context(), other)
	require.ErrorIs(t, err, branchkey.ErrNotFound)
	for _, bad := range []string{"", "\xff", strings.Repeat("x", branchkey.MaxIDLen+1)} {
		_, err = r.ActiveBranchKey(t.Context(), bad)
		require.ErrorIs(t, err, branchkey.ErrKeyID)
		_, err = r.VersionKey(t.Context(), bad)
		require.ErrorIs(t, err, branchkey.ErrKeyID)
	}
	for _, bad := range []string{"", "ACTIVE", strings.ToUpper(other), other + "0", other[1:], strings.ReplaceAll(other, "-", ""), strings.Replace(other, "-", "0", 1)} {
		_, err = r.BranchKeyVersion(t.Context(), id, bad)
		require.ErrorIs(t, err, branchkey.ErrVersion, bad)
	}
}

// Another logical name is another encryption context.
func TestTheLogicalNameIsBound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	other, err := branchkey.NewKeyStore(branchkey.Config{
		LogicalName: logicalName + "2", Table: r.table, KMS: r.api, KMSKey: branchkey.ExactKey(r.keyARN),
	})
	require.NoError(t, err)
	var invalid *types.InvalidCiphertextException
	_, err = other.ActiveBranchKey(t.Context(), id)
	require.ErrorAs(t, err, &invalid)
	_, err = other.BeaconKey(t.Context(), id)
	require.ErrorAs(t, err, &invalid)
	_, err = other.VersionKey(t.Context(), id)
	require.ErrorAs(t, err, &invalid)
}

func TestFaultsOfKMS(t *testing.T) {
	t.Parallel()
	for op, uses := range map[string]func(*rig, string) error{
		"GenerateDataKeyWithoutPlaintext": func(r *rig, _ string) error {
			_, err := r.CreateKey(t.Context(), "mine", tenant)
			return err
		},
		"ReEncrypt": func(r *rig, id string) error {
			_, err := r.VersionKey(t.Context(), id)
			return err
		},
		"Decrypt": func(r *rig, id string) error {
			_, err := r.ActiveBranchKey(t.Context(), id)
			return err
		},
	} {
		r := newRig(t)
		id := r.create(t)
		version := r.active(t, id).Version()
		denied := kmstest.AccessDenied()
		r.cloud.FailTimes(op, 1, denied)
		err := uses(r, id)
		require.ErrorIs(t, err, denied, op)
		require.ErrorContains(t, err, "branchkey: "+op)
		_, err = r.ActiveBranchKey(t.Context(), "mine")
		require.ErrorIs(t, err, branchkey.ErrNotFound)
		require.Equal(t, version, r.active(t, id).Version(), "nothing was written")
		require.NoError(t, uses(r, id), "once the fault is over")
	}
}

func TestDisabledKMSKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	_, err := r.cloud.SDK().DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &r.keyARN})
	require.NoError(t, err)
	var disabled *types.DisabledException
	_, err = r.ActiveBranchKey(t.Context(), id)
	require.ErrorAs(t, err, &disabled)
	_, err = r.VersionKey(t.Context(), id)
	require.ErrorAs(t, err, &disabled)
	_, err = r.CreateKey(t.Context(), "", nil)
	require.ErrorAs(t, err, &disabled)
}

func TestResponsesOfKMSAreChecked(t *testing.T) {
	t.Parallel()
	another := "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
	type generated = kms.GenerateDataKeyWithoutPlaintextOutput
	type reencrypted = kms.ReEncryptOutput
	type decrypted = kms.DecryptOutput
	for name, change := range map[string]func(*recordingKMS){
		"generated nothing":        func(a *recordingKMS) { a.generated = func(*generated) *generated { return nil } },
		"generated without key id": func(a *recordingKMS) { a.generated = func(o *generated) *generated { o.KeyId = nil; return o } },
		"generated with another":   func(a *recordingKMS) { a.generated = func(o *generated) *generated { o.KeyId = &another; return o } },
		"generated no ciphertext": func(a *recordingKMS) {
			a.generated = func(o *generated) *generated { o.CiphertextBlob = nil; return o }
		},
		"reencrypted nothing": func(a *recordingKMS) { a.reencrypted = func(*reencrypted) *reencrypted { return nil } },
		"reencrypted from another": func(a *recordingKMS) {
			a.reencrypted = func(o *reencrypted) *reencrypted { o.SourceKeyId = &another; return o }
		},
		"reencrypted for another": func(a *recordingKMS) {
			a.reencrypted = func(o *reencrypted) *reencrypted { o.KeyId = &another; return o }
		},
		"reencrypted to nothing": func(a *recordingKMS) {
			a.reencrypted = func(o *reencrypted) *reencrypted { o.CiphertextBlob = nil; return o }
		},
	} {
		r := newRig(t)
		id := r.create(t)
		version := r.active(t, id).Version()
		change(r.api)
		_, err := r.CreateKey(t.Context(), "mine", tenant)
		require.ErrorIs(t, err, branchkey.ErrResponse, name)
		_, err = r.VersionKey(t.Context(), id)
		require.ErrorIs(t, err, branchkey.ErrResponse, name)
		_, err = r.ActiveBranchKey(t.Context(), "mine")
		require.ErrorIs(t, err, branchkey.ErrNotFound, name)
		require.Equal(t, version, r.active(t, id).Version(), name)
	}
	for name, change := range map[string]func(*decrypted) *decrypted{
		"nothing":        func(*decrypted) *decrypted { return nil },
		"without key id": func(o *decrypted) *decrypted { o.KeyId = nil; return o },
		"with another":   func(o *decrypted) *decrypted { o.KeyId = &another; return o },
		"a short key":    func(o *decrypted) *decrypted { o.Plaintext = o.Plaintext[1:]; return o },
		"a long key":     func(o *decrypted) *decrypted { o.Plaintext = make([]byte, 33); return o },
		"no key":         func(o *decrypted) *decrypted { o.Plaintext = nil; return o },
	} {
		r := newRig(t)
		id := r.create(t)
		r.api.decrypted = change
		_, err := r.ActiveBranchKey(t.Context(), id)
		require.ErrorIs(t, err, branchkey.ErrResponse, name)
		_, err = r.BeaconKey(t.Context(), id)
		require.ErrorIs(t, err, branchkey.ErrResponse, name)
	}
}

// A cancelled context reaches KMS and the table.
func TestCancelledCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.CreateKey(ctx, "", nil)
	require.Error(t, err)
	_, err = r.VersionKey(ctx, id)
	require.Error(t, err)
	_, err = r.ActiveBranchKey(ctx, id)
	require.ErrorIs(t, err, ctx.Err())
}

func TestPrintedKeysShowNoSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	k := r.active(t, id)
	beacon, err := r.BeaconKey(t.Context(), id)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, fmt.Sprintf("branchkey.Key{%q, %s}", id, k.Version()), fmt.Sprintf(verb, k))
		require.Equal(t, fmt.Sprintf("branchkey.Key{%q, %s}", id, k.Version()), fmt.Sprintf(verb, *k))
		require.Equal(t, fmt.Sprintf("branchkey.BeaconKey{%q}", id), fmt.Sprintf(verb, beacon))
		require.Equal(t, `branchkey.KeyStore{"orders"}`, fmt.Sprintf(verb, r.KeyStore))
	}
}

func TestKeysAreCopied(t *testing.T) {
	t.Parallel()
	const version = "11111111-2222-4333-8444-555555555555"
	secret, bound := make([]byte, branchkey.KeyLen), maps.Clone(tenant)
	k, err := branchkey.NewKey("id", version, secret, bound)
	require.NoError(t, err)
	secret[0] = 1
	clear(bound)
	k.Bytes()[0] = 2
	clear(k.Context())
	require.Equal(t, make([]byte, branchkey.KeyLen), k.Bytes())
	require.Equal(t, tenant, k.Context())
	k.Destroy()
	require.Nil(t, k.Bytes())
	k.Destroy()

	_, err = branchkey.NewKey("", version, secret, nil)
	require.ErrorIs(t, err, branchkey.ErrKeyID)
	_, err = branchkey.NewKey("id", "1", secret, nil)
	require.ErrorIs(t, err, branchkey.ErrVersion)
	for _, n := range []int{0, 16, 31, 33} {
		_, err = branchkey.NewKey("id", version, make([]byte, n), nil)
		require.ErrorIs(t, err, branchkey.ErrResponse)
	}
}
