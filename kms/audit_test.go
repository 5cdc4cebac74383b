package kms_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

const internalText = "The request was rejected because an internal exception occurred. The request can be retried."

// recorder keeps records and does something about each.
type recorder struct {
	mu     sync.Mutex
	events []audit.Event
	before func(audit.Event) error
}

func (r *recorder) Record(_ context.Context, e audit.Event) error {
	if r.before != nil {
		if err := r.before(e); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) take() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.events
	r.events = nil
	return taken
}

// newRecorded is newFixture with a recorder that sees every record.
func newRecorded(t *testing.T, s store.Store) (*fixture, *recorder) {
	t.Helper()
	r := &recorder{}
	f := &fixture{}
	f.Cloud = kmstest.New(t, &kmstest.Options{Audit: r, Store: s, Configure: func(c *kms.Config) { c.CloudHSM = anyCluster }})
	f.arn = f.Seed(kmstest.Key{Alias: "alias/app"})
	f.id = idOf(f.arn)
	f.api = f.Client(f.Root())
	return f, r
}

// session is one request of every operation, all of which succeed in this order.
func session(f *fixture, blob []byte) []any {
	name, id := aws.String("alias/new"), &f.arn
	spec := types.DataKeySpecAes256
	return append(inputs(slices.Concat(aboutKeys(f), aboutCopies(f), aboutKeyStores(f))), []any{
		&sdk.CreateKeyInput{},
		&sdk.DescribeKeyInput{KeyId: id},
		&sdk.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("changed")},
		&sdk.TagResourceInput{KeyId: id, Tags: tags("a=b", "c=d")},
		&sdk.UntagResourceInput{KeyId: id, TagKeys: []string{"a"}},
		&sdk.ListResourceTagsInput{KeyId: id},
		&sdk.CreateAliasInput{AliasName: name, TargetKeyId: id},
		&sdk.UpdateAliasInput{AliasName: name, TargetKeyId: id},
		&sdk.ListAliasesInput{},
		&sdk.ListKeysInput{},
		&sdk.EncryptInput{KeyId: name, Plaintext: []byte("x")},
		&sdk.DecryptInput{CiphertextBlob: blob},
		&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: id},
		&sdk.GenerateDataKeyInput{KeyId: id, KeySpec: spec},
		&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: id, KeySpec: spec},
		&sdk.GenerateDataKeyPairInput{KeyId: id, KeyPairSpec: "ECC_NIST_P256"},
		&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: id, KeyPairSpec: "ECC_NIST_P256"},
		&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(16)},
		&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: []types.GrantOperation{types.GrantOperationDecrypt}},
		&sdk.ListGrantsInput{KeyId: id},
		&sdk.ListRetirableGrantsInput{RetiringPrincipal: aws.String(callerOf(account).Principal)},
		&sdk.RevokeGrantInput{KeyId: id, GrantId: f.grant(0)},
		&sdk.RetireGrantInput{KeyId: id, GrantId: f.grant(1)},
		&sdk.GetKeyLastUsageInput{KeyId: id},
		&sdk.GetKeyPolicyInput{KeyId: id},
		&sdk.ListKeyPoliciesInput{KeyId: id},
		&sdk.PutKeyPolicyInput{KeyId: id, Policy: aws.String(openPolicy)},
		&sdk.EnableKeyRotationInput{KeyId: id},
		&sdk.GetKeyRotationStatusInput{KeyId: id},
		&sdk.RotateKeyOnDemandInput{KeyId: id},
		&sdk.ListKeyRotationsInput{KeyId: id},
		&sdk.DisableKeyRotationInput{KeyId: id},
		&sdk.GetParametersForImportInput{KeyId: &f.external, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048},
		f.importing,
		&sdk.DeleteImportedKeyMaterialInput{KeyId: &f.external},
		&sdk.DisableKeyInput{KeyId: id},
		&sdk.EnableKeyInput{KeyId: id},
		&sdk.ScheduleKeyDeletionInput{KeyId: id},
		&sdk.CancelKeyDeletionInput{KeyId: id},
		&sdk.DeleteAliasInput{AliasName: name},
	}...)
}

func TestOneRecordForEachRequest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blob := f.plant(t, "secret", nil)
		f.plantAll(t)
		covered := map[string]bool{}
		ids := map[string]bool{}
		for _, in := range session(f, blob) {
			seen := len(f.Events())
			succeeds(t, f.api, in)
			events := f.Events()[seen:]
			require.Len(t, events, 1)
			e := events[0]
			require.Equal(t, nameOf(in), e.Name)
			require.Empty(t, e.ErrorCode)
			require.Empty(t, e.ErrorMessage)
			require.Equal(t, audit.Identity{Type: "Root", ARN: "arn:aws:iam::111122223333:root", Account: account}, e.Identity)
			require.Equal(t, kmstest.Start, e.Time)
			require.Equal(t, "kms.amazonaws.com", e.Source)
			require.Equal(t, region, e.Region)
			covered[e.Name], ids[e.ID], ids[e.RequestID] = true, true, true
		}
		requireEveryOperation(t, covered)
		require.Len(t, ids, 2*len(covered))
	})
}

func TestRecordsOfSuccesses(t *testing.T) {
	t.Parallel()
	f, r := newRecorded(t, nil)
	blob := f.plant(t, "secret", map[string]string{"tenant": "42"})
	require.Equal(t, map[string]string{"tenant": "42"}, r.take()[0].EncryptionContext)
	other := f.Seed(kmstest.Key{Alias: "alias/other"})
	alias := aliasARN("alias/new")
	readOnly := []string{
		"Decapsulate", "Decrypt", "DeriveSharedSecret", "DescribeCustomKeyStores", "DescribeKey", "Encapsulate", "Encrypt", "GenerateDataKey",
		"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GenerateRandom",
		"GetKeyLastUsage", "GetKeyPolicy", "GetKeyRotationStatus", "GetParametersForImport", "GetPublicKey", "ListAliases", "ListGrants",
		"ListKeyPolicies", "ListKeyRotations", "ListKeys", "ListResourceTags", "ListRetirableGrants", "ReEncrypt", "Sign", "Verify", "VerifyMac",
	}
	for _, test := range []struct {
		in        any
		resources []string
	}{
		{&sdk.ListKeysInput{}, nil},
		{&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1)}, nil},
		{&sdk.DescribeKeyInput{KeyId: aws.String("alias/app")}, []string{f.arn}},
		{&sdk.CreateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: &f.id}, []string{alias, f.arn}},
		{&sdk.UpdateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: &other}, []string{alias, other, f.arn}},
		{&sdk.ListAliasesInput{KeyId: &f.id}, []string{f.arn}},
		{&sdk.DeleteAliasInput{AliasName: aws.String("alias/new")}, []string{alias, other}},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionContext: map[string]string{"tenant": "42"}, DestinationKeyId: &other}, []string{f.arn, other}},
		{&sdk.TagResourceInput{KeyId: &f.id, Tags: tags("a=b")}, []string{f.arn}},
	} {
		succeeds(t, f.api, test.in)
		e := r.take()
		require.Len(t, e, 1)
		require.Equal(t, test.resources, e[0].Resources, e[0].Name)
		require.Equal(t, slices.Contains(readOnly, e[0].Name), e[0].ReadOnly, e[0].Name)
	}
	created := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{}).KeyMetadata
	require.Equal(t, []string{*created.Arn}, r.take()[0].Resources)

	f.plantAll(t)
	blob = f.plant(t, "secret", nil)
	r.take()
	copyIn := func(region string) string { return keyrecord.KeyARN(region, account, idOf(f.copies)) }
	resources := map[string][]string{
		"CreateAlias":               {alias, f.arn},
		"UpdateAlias":               {alias, f.arn, f.arn},
		"DeleteAlias":               {alias, f.arn},
		"ReEncrypt":                 {f.arn, f.arn},
		"ReplicateKey":              {f.copies, copyIn(tokyo)},
		"UpdatePrimaryRegion":       {f.copies, copyIn(frankfurt)},
		"GetParametersForImport":    {f.external},
		"ImportKeyMaterial":         {f.external},
		"DeleteImportedKeyMaterial": {f.external},
	}
	for _, p := range permissions(f, blob) {
		if name := nameOf(p.in); p.resource != "*" && resources[name] == nil {
			resources[name] = []string{p.resource}
		}
	}
	for _, in := range session(f, blob) {
		if _, ok := in.(*sdk.CreateKeyInput); ok {
			continue // see above
		}
		succeeds(t, f.api, in)
		e := r.take()
		require.Len(t, e, 1)
		require.Equal(t, resources[e[0].Name], e[0].Resources, e[0].Name)
		require.Equal(t, slices.Contains(readOnly, e[0].Name), e[0].ReadOnly, e[0].Name)
	}
}

func TestRecordsOfRefusals(t *testing.T) {
	t.Parallel()
	f, r := newRecorded(t, nil)
	blob := f.plant(t, "secret", nil)
	r.take()
	user := identity.Caller{
		Principal: "arn:aws:iam::111122223333:user/alice", Account: account, Region: region,
		AccessKeyID: "AKIAEXAMPLE", SourceIP: netip.MustParseAddr("192.0.2.7"), UserAgent: "test/1",
	}
	_, err := f.Client(user).DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &f.id})
	requireRefusal(t, err, "AccessDeniedException", denial(user, "kms:DescribeKey", f.arn, "identity-based"))
	e := r.take()
	require.Len(t, e, 1)
	require.NotEmpty(t, e[0].ID)
	require.NotEmpty(t, e[0].RequestID)
	require.Equal(t, audit.Event{
		ID: e[0].ID, RequestID: e[0].RequestID, Time: kmstest.Start, Source: "kms.amazonaws.com", Name: "DescribeKey",
		Region: region, ReadOnly: true,
		Identity:  audit.Identity{Type: "IAMUser", ARN: user.Principal, Account: account, AccessKeyID: "AKIAEXAMPLE"},
		SourceIP:  "192.0.2.7",
		UserAgent: "test/1",
		Resources: []string{f.arn},
		ErrorCode: "AccessDeniedException", ErrorMessage: denial(user, "kms:DescribeKey", f.arn, "identity-based"),
	}, e[0])

	_, err = f.Client(identity.Caller{}).Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: blob})
	require.Error(t, err)
	e = r.take()
	require.Len(t, e, 1)
	require.Equal(t, audit.Identity{Type: "Anonymous"}, e[0].Identity)
	require.Empty(t, e[0].Resources)

	for _, test := range []struct {
		in            any
		code, message string
	}{
		{&sdk.EncryptInput{KeyId: &f.id}, "ValidationException", one(null("plaintext"))},
		{&sdk.DescribeKeyInput{KeyId: aws.String("x")}, "NotFoundException", "Invalid keyId 'x'"},
		{&sdk.DecryptInput{CiphertextBlob: flip(blob, 900)}, "InvalidCiphertextException", ""},
		{&sdk.CancelKeyDeletionInput{KeyId: &f.id}, "KMSInvalidStateException", f.arn + " is not pending deletion."},
		{&sdk.EncryptInput{KeyId: &f.id, Plaintext: []byte("x"), DryRun: aws.Bool(true)}, "DryRunOperationException", wouldHave},
	} {
		refused(t, f.api, test.in, test.code, test.message)
		e := r.take()
		require.Len(t, e, 1)
		require.Equal(t, test.code, e[0].ErrorCode)
		require.Equal(t, test.message, e[0].ErrorMessage)
	}
	f.Fail("ListKeys", kmstest.Throttled())
	_, err = f.api.ListKeys(t.Context(), nil)
	require.Error(t, err)
	require.Equal(t, "ThrottlingException", r.take()[0].ErrorCode)
}

// TestSinkFails has every operation fail if its record cannot be written, whatever
// the sink's error is, and change nothing.
func TestSinkFails(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"plain error":    errors.New("disk full"),
		"an API's error": &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "of CloudWatch Logs"},
		"a KMS error":    &types.NotFoundException{Message: aws.String("of another key")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := store.NewMemory()
			f, r := newRecorded(t, inner)
			blob := f.plant(t, "secret", nil)
			f.plantAll(t)
			for _, in := range session(f, blob) {
				before := dump(t, inner)
				r.before = func(audit.Event) error { return failure }
				_, err := call(t.Context(), f.api, in)
				requireRefusal(t, err, "KMSInternalException", internalText)
				require.ErrorIs(t, err, failure)
				require.Equal(t, before, dump(t, inner), "%s", nameOf(in))
				_, err = call(t.Context(), f.Client(identity.Caller{}), in)
				requireRefusal(t, err, "KMSInternalException", internalText) // a refusal has to be recorded too
				r.before = nil
				succeeds(t, f.api, in)
			}
		})
	}
}

// TestRecordComesBeforeTheCommit looks into the store while the record is written.
func TestRecordComesBeforeTheCommit(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	f, r := newRecorded(t, inner)
	blob := f.plant(t, "secret", nil)
	f.plantAll(t)
	for _, in := range session(f, blob) {
		before := dump(t, inner)
		seen := false
		r.before = func(e audit.Event) error {
			seen = true
			require.Empty(t, e.ErrorCode)
			require.Equal(t, before, dump(t, inner))
			return nil
		}
		succeeds(t, f.api, in)
		require.True(t, seen)
		e := r.take()
		unchanged := e[len(e)-1].ReadOnly && !writesAside(in)
		require.Equal(t, unchanged, equalDumps(before, dump(t, inner)), "%s", nameOf(in))
	}
}

// writesAside reports whether a request changes no key, and yet the store.
func writesAside(in any) bool {
	_, ok := in.(*sdk.GetParametersForImportInput) // leaves the token's record
	return ok
}

func equalDumps(a, b map[string]string) bool {
	same := len(a) == len(b)
	for k, v := range a {
		same = same && b[k] == v
	}
	return same
}

// brittle is a store whose commits fail on demand.
type brittle struct {
	store.Store
	err error
}

func (b *brittle) Update(ctx context.Context, fn func(store.Tx) error) error {
	if b.err != nil {
		return b.err
	}
	return b.Store.Update(ctx, fn)
}

func TestCommitFails(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"plain error":    errors.New("disk full"),
		"a conflict":     store.ErrConflict,
		"an API's error": &smithy.GenericAPIError{Code: "ThrottlingException", Message: "of DynamoDB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := &brittle{Store: store.NewMemory()}
			f, r := newRecorded(t, inner)
			blob := f.plant(t, "secret", nil)
			f.plantAll(t)
			for _, in := range session(f, blob) {
				r.take()
				before := dump(t, inner)
				inner.err = failure
				_, err := call(t.Context(), f.api, in)
				inner.err = nil
				events := r.take()
				require.NotEmpty(t, events)
				if events[0].ReadOnly && !writesAside(in) {
					require.NoError(t, err)
					continue
				}
				requireRefusal(t, err, "KMSInternalException", internalText)
				require.ErrorIs(t, err, failure)
				require.Equal(t, before, dump(t, inner))
				require.GreaterOrEqual(t, len(events), 2)
				last := events[len(events)-1]
				for _, e := range events[:len(events)-1] {
					require.Empty(t, e.ErrorCode)
				}
				require.Equal(t, "KMSInternalException", last.ErrorCode)
				require.Equal(t, internalText, last.ErrorMessage)
				for _, e := range events {
					require.Equal(t, last.ID, e.ID)
					require.Equal(t, last.RequestID, e.RequestID)
				}
				succeeds(t, f.api, in)
			}
		})
	}
}

// TestConflictIsDecidedAgain has another request come between a decision and its
// commit. The second decision counts, under the same event id.
func TestConflictIsDecidedAgain(t *testing.T) {
	t.Parallel()
	f, r := newRecorded(t, nil)
	meanwhile := func(in any) {
		once := true
		r.before = func(e audit.Event) error {
			if once {
				once = false
				_, err := call(context.Background(), f.api, in)
				return err
			}
			return nil
		}
	}
	meanwhile(&sdk.TagResourceInput{KeyId: &f.id, Tags: tags("b=2")})
	succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("a=1")})
	require.Equal(t, tags("b=2", "a=1"), listTags(t, f.api, f.id))
	e := r.take()
	require.Equal(t, []string{"TagResource", "TagResource", "TagResource", "ListResourceTags"}, []string{e[0].Name, e[1].Name, e[2].Name, e[3].Name})
	require.Equal(t, e[1].ID, e[2].ID)
	require.NotEqual(t, e[0].ID, e[1].ID)
	require.Equal(t, []string{f.arn}, e[2].Resources)

	// the second decision may be another one
	meanwhile(&sdk.ScheduleKeyDeletionInput{KeyId: &f.id})
	refused(t, f.api, &sdk.UpdateKeyDescriptionInput{KeyId: &f.id, Description: aws.String("late")},
		"KMSInvalidStateException", f.arn+" is pending deletion.")
	e = r.take()
	require.Len(t, e, 3)
	require.Empty(t, e[1].ErrorCode)
	require.Equal(t, "KMSInvalidStateException", e[2].ErrorCode)
	require.Equal(t, e[1].ID, e[2].ID)
	require.Empty(t, *describe(t, f, f.id).Description)

	meanwhile(&sdk.CreateAliasInput{AliasName: aws.String("alias/raced"), TargetKeyId: aws.String(f.Seed(kmstest.Key{ID: unknownID}))})
	other := f.Seed(kmstest.Key{Alias: "alias/other"})
	refused(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/raced"), TargetKeyId: &other},
		"AlreadyExistsException", "An alias with the name "+aliasARN("alias/raced")+" already exists")
}

// TestCancelledRequestsAreRecorded ends the context between the record and the
// commit.
func TestCancelledRequestsAreRecorded(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	f, r := newRecorded(t, inner)
	before := dump(t, inner)
	ctx, cancel := context.WithCancel(t.Context())
	r.before = func(audit.Event) error { cancel(); return nil }
	_, err := f.api.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &f.id})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, codeOf(err))
	require.Equal(t, before, dump(t, inner))
	e := r.take()
	require.Len(t, e, 2)
	require.Equal(t, "RequestCanceled", e[1].ErrorCode)
	require.Equal(t, e[0].ID, e[1].ID)

	// the ring refuses a context that is done, and gets the record all the same
	g := newFixture(t, false)
	_, err = g.api.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &g.id})
	require.ErrorIs(t, err, context.Canceled)
	events := g.Events()
	require.Len(t, events, 1)
	require.Equal(t, "RequestCanceled", events[0].ErrorCode)
}

func TestNoAudit(t *testing.T) {
	t.Parallel()
	service, err := kms.New(t.Context(), kms.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	succeeds(t, service.Client(identity.Root(account, region)), &sdk.CreateKeyInput{})
}

// An event is the sink's for good: what it says does not change with the caller's own
// maps, whichever way the request came.
func TestEventsDoNotChange(t *testing.T) {
	t.Parallel()
	f, r := newRecorded(t, nil)
	for name, api := range map[string]kms.API{"direct": f.api, "SDK": f.SDK()} {
		in := &sdk.EncryptInput{KeyId: &f.arn, Plaintext: []byte("x"), EncryptionContext: map[string]string{"k": "v"}}
		_, err := api.Encrypt(t.Context(), in)
		require.NoError(t, err, name)
		in.EncryptionContext["k"] = "changed"
		events := r.take()
		require.Len(t, events, 1, name)
		require.Equal(t, map[string]string{"k": "v"}, events[0].EncryptionContext, name)
		_, err = api.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &f.arn})
		require.NoError(t, err, name)
		require.Equal(t, []string{f.arn}, events[0].Resources, name)
		r.take()
	}
}
