package kms_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

// changeRecorder keeps what it is told of.
type changeRecorder struct {
	mu     sync.Mutex
	events []audit.ChangeEvent
	err    error
	gone   error // of a request's context, see leaving
}

func (r *changeRecorder) Publish(ctx context.Context, e audit.ChangeEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return errors.Join(r.err, ctx.Err())
}

// take returns the events since the last call, of one detail type if it is not empty.
func (r *changeRecorder) take(detailType string) (taken []audit.ChangeEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if detailType == "" || e.DetailType == detailType {
			taken = append(taken, e)
		}
	}
	r.events = nil
	return taken
}

// sweepCloud is a cloud full of what a sweep has to remove, made once and copied into
// the store of each run. Its clock is kmstest.Start, and every key is scheduled for
// deletion.
type sweepCloud struct {
	records map[string]string
	arns    []string // of all keys
	dates   map[string]time.Time
	stores  []string // names of the records of custom key stores
}

func newSweepCloud(t *testing.T) *sweepCloud {
	t.Helper()
	var sealed store.Store
	f := newFixture(t, false, func(c *kms.Config) { sealed = c.Store })
	f.plantAll(t)
	hsm := do[sdk.CreateKeyOutput](t, f.api, hsmKey(f.connectedStore)).KeyMetadata
	for _, name := range []string{"alias/b", "alias/c", "alias/a/b"} {
		succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &f.id})
	}
	succeeds(t, f.api, &sdk.CreateGrantInput{KeyId: &f.arn, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}, Name: aws.String("named")})
	succeeds(t, f.api, f.importing)
	abroad := f.Client(root.In(frankfurt))
	succeeds(t, abroad, &sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: aws.String(idOf(f.copies))})
	succeeds(t, abroad, &sdk.CreateGrantInput{KeyId: aws.String(idOf(f.copies)), GranteePrincipal: &bob, RetiringPrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}})
	succeeds(t, f.api, &sdk.EncryptInput{KeyId: &f.arn, Plaintext: []byte("x")})
	f.Advance(time.Hour) // whose uses are then stored
	succeeds(t, f.api, &sdk.EncryptInput{KeyId: &f.copies, Plaintext: []byte("x")})
	require.Eventually(t, func() bool {
		return strings.Contains(strings.Join(slices.Collect(maps.Keys(dump(t, sealed))), " "), "/usage/")
	}, 10*time.Second, time.Millisecond)
	f.Advance(-time.Hour)

	c := &sweepCloud{dates: map[string]time.Time{}}
	for name := range dump(t, sealed) {
		switch n := keyrecord.ParseName(name); n.Kind {
		case keyrecord.KeyKind:
			c.arns = append(c.arns, keyrecord.KeyARN(n.Region, n.Account, n.KeyID))
		case keyrecord.KeyStoresKind:
			c.stores = append(c.stores, name)
		}
	}
	slices.Sort(c.arns)
	require.Contains(t, c.arns, *hsm.Arn)
	require.Greater(t, len(c.arns), 6)
	for _, arn := range c.arns {
		succeeds(t, f.Client(root.In(regionOf(arn))), &sdk.ScheduleKeyDeletionInput{KeyId: &arn, PendingWindowInDays: aws.Int32(7)})
		c.dates[arn] = kmstest.Start.AddDate(0, 0, 7)
	}
	c.dates[f.copies] = kmstest.Start.AddDate(0, 0, 14) // it waits for its replica
	c.records = dump(t, sealed)
	requireSound(t, sealed)
	return c
}

// sweepRig is a service on a copy of a sweepCloud.
type sweepRig struct {
	sealed  *store.Sealed
	service *kms.Service
	events  *recorder
	changes *changeRecorder
	now     time.Time
}

// open copies the cloud into a store; wrap may have its calls fail.
func (c *sweepCloud) open(t *testing.T, wrap func(store.Store) store.Store) *sweepRig {
	t.Helper()
	inner := store.NewMemory()
	r := &sweepRig{events: &recorder{}, changes: &changeRecorder{}, now: kmstest.Start}
	var err error
	r.sealed, err = store.Seal(t.Context(), inner, rootKey(t, 1), nil)
	require.NoError(t, err)
	names := slices.Sorted(maps.Keys(c.records))
	for batch := range slices.Chunk(names, 50) {
		require.NoError(t, r.sealed.Update(t.Context(), func(tx store.Tx) error {
			for _, name := range batch {
				if err := tx.Put(name, []byte(c.records[name])); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	r.service, err = kms.New(t.Context(), kms.Config{
		Store: wrap(inner), RootKey: rootKey(t, 1), Audit: r.events, Changes: r.changes, Now: func() time.Time { return r.now },
	})
	require.NoError(t, err)
	return r
}

func asItIs(s store.Store) store.Store { return s }

// keys returns the ARNs of the keys that have a record.
func (r *sweepRig) keys(t *testing.T) (arns []string) {
	t.Helper()
	for name := range dump(t, r.sealed) {
		if n := keyrecord.ParseName(name); n.Kind == keyrecord.KeyKind {
			arns = append(arns, keyrecord.KeyARN(n.Region, n.Account, n.KeyID))
		}
	}
	slices.Sort(arns)
	return arns
}

// requireSwept checks that nothing is left but what belongs to no key.
func (r *sweepRig) requireSwept(t *testing.T, c *sweepCloud) {
	t.Helper()
	requireSound(t, r.sealed)
	require.ElementsMatch(t, append([]string{keyrecord.SweepName}, c.stores...), slices.Collect(maps.Keys(dump(t, r.sealed))))
}

// TestSweep removes every key when its time has come, and not before.
func TestSweep(t *testing.T) {
	t.Parallel()
	c := newSweepCloud(t)
	r := c.open(t, asItIs)
	sweep := func() kms.SweepReport {
		report, err := r.service.Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Distrust)
		requireSound(t, r.sealed)
		return report
	}
	r.now = kmstest.Start.AddDate(0, 0, 8).Add(-time.Millisecond)
	report := sweep()
	require.Zero(t, report.Keys)
	require.Equal(t, c.arns, r.keys(t))
	require.Empty(t, r.changes.take(""))
	require.Empty(t, r.events.take())

	r.now = r.now.Add(time.Millisecond)
	report = sweep()
	require.Equal(t, len(c.arns)-1, report.Keys, "all but the one that waits for its replica")
	require.Len(t, r.keys(t), 1)
	r.requireDeletions(t, c, report.Keys, r.changes)

	r.now = kmstest.Start.AddDate(0, 0, 15).Add(-time.Millisecond)
	require.Equal(t, kms.SweepReport{}, sweep())
	r.now = r.now.Add(time.Millisecond)
	report = sweep()
	require.Equal(t, 1, report.Keys)
	r.requireDeletions(t, c, 1, r.changes)
	r.requireSwept(t, c)
	require.Equal(t, kms.SweepReport{}, sweep())
}

// requireDeletions checks what was recorded and told of some deletions.
func (r *sweepRig) requireDeletions(t *testing.T, c *sweepCloud, n int, told *changeRecorder) {
	t.Helper()
	events := r.events.take()
	require.Len(t, events, n)
	changes := told.take("")
	require.Len(t, changes, 2*n)
	for i, e := range events {
		require.Equal(t, "DeleteKey", e.Name)
		require.Equal(t, audit.Identity{Type: "AWSService", Account: account}, e.Identity)
		require.Equal(t, r.now, e.Time)
		require.Empty(t, e.ErrorCode)
		require.False(t, e.ReadOnly)
		require.Len(t, e.Resources, 1)
		arn := e.Resources[0]
		require.Equal(t, regionOf(arn), e.Region)
		require.Equal(t, audit.Recorded(e), changes[2*i])
		require.Equal(t, audit.ServiceEvent, changes[2*i].DetailType)
		require.Equal(t, audit.KeyChange(audit.KeyDeleted, arn, c.dates[arn]), changes[2*i+1])
	}
}

// TestEverySweepFault has a sweep fail at each call of the store and each record, and the
// next one end what it began. No key goes without a record, and nothing is ever out of
// order.
func TestEverySweepFault(t *testing.T) {
	t.Parallel()
	c := newSweepCloud(t)
	end := kmstest.Start.AddDate(0, 0, 15)
	again := func(t *testing.T, r *sweepRig) {
		t.Helper()
		requireSound(t, r.sealed)
		left := r.keys(t)
		recorded := map[string]bool{}
		for _, e := range r.events.take() {
			require.Equal(t, "DeleteKey", e.Name)
			recorded[e.Resources[0]] = true
		}
		for _, arn := range c.arns {
			require.True(t, slices.Contains(left, arn) || recorded[arn], arn)
		}
		_, err := r.service.Sweep(t.Context())
		require.NoError(t, err)
		for _, e := range r.events.take() {
			recorded[e.Resources[0]] = true
		}
		require.Len(t, recorded, len(c.arns))
		r.requireSwept(t, c)
	}
	for _, fault := range []storetest.Fault{storetest.Refused, storetest.Undone, storetest.InDoubt} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			var faulty *storetest.Faulty
			failAt := func(n int) *sweepRig {
				return c.open(t, func(s store.Store) store.Store {
					faulty = storetest.FailAt(storetest.Twice(s), n, fault)
					return faulty
				})
			}
			failAt(0)
			opened := faulty.Calls()
			for n := opened + 1; ; n++ {
				r := failAt(n)
				r.now = end
				_, err := r.service.Sweep(t.Context())
				if faulty.Calls() < n {
					require.NoError(t, err)
					require.Greater(t, n, opened+25)
					return
				}
				require.ErrorIs(t, err, storetest.ErrInjected, "call %d", n)
				again(t, r)
			}
		})
	}
	t.Run("Audit", func(t *testing.T) {
		t.Parallel()
		full := errors.New("disk full")
		for n := range c.arns {
			r := c.open(t, asItIs)
			r.now = end
			calls := 0
			r.events.before = func(audit.Event) error {
				if calls++; calls == n+1 {
					return full
				}
				return nil
			}
			report, err := r.service.Sweep(t.Context())
			require.ErrorIs(t, err, full)
			require.Equal(t, n, report.Keys)
			require.Len(t, r.keys(t), len(c.arns)-n)
			require.Len(t, r.changes.take(audit.KeyDeleted), n)
			again(t, r)
		}
	})
}

// TestSweepOfALostKey removes nothing of a key that was not deleted but lost.
func TestSweepOfALostKey(t *testing.T) {
	t.Parallel()
	c := newSweepCloud(t)
	r := c.open(t, asItIs)
	for name := range c.records {
		if n := keyrecord.ParseName(name); n.Kind == keyrecord.KeyKind {
			require.NoError(t, r.sealed.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(name) }))
		}
	}
	before := dump(t, r.sealed)
	r.now = kmstest.Start.AddDate(1, 0, 0)
	report, err := r.service.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Keys)
	after := dump(t, r.sealed)
	delete(after, keyrecord.SweepName)
	maps.DeleteFunc(before, func(name, _ string) bool { return strings.Contains(name, "/import/") }) // they have expired
	maps.DeleteFunc(after, func(name, _ string) bool { return strings.Contains(name, "/import/") })
	require.Equal(t, before, after)
}

// TestSweepWaitsForTheClock sets the clock to a time at which everything would go.
func TestSweepWaitsForTheClock(t *testing.T) {
	t.Parallel()
	c := newSweepCloud(t)
	r := c.open(t, asItIs)
	var up time.Duration
	service, err := kms.New(t.Context(), kms.Config{
		Store: r.sealed, Audit: r.events, Now: func() time.Time { return r.now }, Uptime: func() time.Duration { return up },
	})
	require.NoError(t, err)
	pass := func(d time.Duration) { r.now, up = r.now.Add(d), up+d }
	sweep := func(distrust time.Duration, keys int) {
		t.Helper()
		report, err := service.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, distrust, report.Distrust)
		require.Equal(t, keys, report.Keys)
	}
	sweep(time.Hour, 0)
	pass(time.Hour)
	sweep(0, 0)
	right := r.now
	r.now = kmstest.Start.AddDate(1, 0, 0)
	sweep(time.Hour, 0)
	pass(time.Minute)
	sweep(59*time.Minute, 0)
	r.now = right.Add(time.Minute) // somebody notices
	sweep(time.Hour, 0)
	pass(time.Hour)
	sweep(0, 0)
	require.Equal(t, c.arns, r.keys(t))
	r.now = kmstest.Start.AddDate(1, 0, 0) // and now it is true
	sweep(time.Hour, 0)
	pass(time.Hour)
	sweep(0, len(c.arns))
	r.requireSwept(t, c)
}

// TestSweepAfterTwoStarts: that a process which was started with a wrong clock has swept
// does not make the next one with the same clock trust it.
func TestSweepAfterTwoStarts(t *testing.T) {
	t.Parallel()
	c := newSweepCloud(t)
	r := c.open(t, asItIs)
	up := time.Duration(0)
	start := func(distrust time.Duration, keys int) *kms.Service {
		t.Helper()
		s, err := kms.New(t.Context(), kms.Config{
			Store: r.sealed, Audit: r.events, Now: func() time.Time { return r.now }, Uptime: func() time.Duration { return up },
		})
		require.NoError(t, err)
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, distrust, report.Distrust)
		require.Equal(t, keys, report.Keys)
		return s
	}
	r.now = r.now.Add(time.Hour)
	report, err := r.service.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Distrust)
	start(0, 0)
	r.now = kmstest.Start.AddDate(1, 0, 0)
	start(time.Hour, 0)
	r.now = r.now.Add(time.Minute)
	s := start(time.Hour, 0)
	require.Equal(t, c.arns, r.keys(t))
	r.now, up = r.now.Add(time.Hour), up+time.Hour
	report, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(c.arns), report.Keys)
	start(0, 0)
	r.requireSwept(t, c)
}

// TestSweepOfAReplicaMadeAgain removes what the earlier replica had and leaves what the new
// one has.
func TestSweepOfAReplicaMadeAgain(t *testing.T) {
	t.Parallel()
	for _, swept := range []bool{false, true} {
		r := newRig(t, false, 0)
		changes := &changeRecorder{}
		service, err := kms.New(t.Context(), kms.Config{Store: r.sealed, Audit: r.events, Changes: changes, Now: r.clock})
		require.NoError(t, err)
		yes := true
		r.create(t, &sdk.CreateKeyInput{MultiRegion: &yes})
		there := r.in(otherRegion)
		make := func(alias string) (grant string) {
			succeeds(t, there, &sdk.CreateAliasInput{AliasName: &alias, TargetKeyId: &r.id})
			return *do[sdk.CreateGrantOutput](t, there, &sdk.CreateGrantInput{
				KeyId: &r.id, GranteePrincipal: &bob, RetiringPrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}, Name: aws.String("g"),
			}).GrantId
		}
		r.replicate(t, otherRegion)
		old := make("alias/old")
		make("alias/kept")
		r.encrypted(t, otherRegion)
		succeeds(t, there, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id, PendingWindowInDays: aws.Int32(7)})
		r.advance(9 * day)
		if swept {
			report, err := service.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, report.Keys)
			require.Len(t, changes.take(audit.KeyDeleted), 1)
		}
		r.replicate(t, otherRegion)
		kept := make("alias/kept")
		require.NotEqual(t, old, kept)
		requireSound(t, r.sealed)
		report, err := service.Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Keys)
		require.Equal(t, swept, report.Records == 0)
		requireSound(t, r.sealed)
		raw := strings.Join(slices.Collect(maps.Keys(dump(t, r.sealed))), " ")
		require.NotContains(t, raw, old)
		require.NotContains(t, raw, "alias/old")
		require.Equal(t, 3, strings.Count(raw, kept), "the grant, and what leads to it from its principals")
		require.Contains(t, raw, "/grantname/")
		require.Contains(t, raw, "alias/kept")
		grants := do[sdk.ListGrantsOutput](t, there, &sdk.ListGrantsInput{KeyId: &r.id}).Grants
		require.Len(t, grants, 1)
		require.Equal(t, kept, *grants[0].GrantId)
		r.requireOpens(t, otherRegion, r.encrypted(t, region), r.current(t, region))
	}
}

// TestSweepOfImports removes import tokens and material that have expired, and notes of
// material that was given up.
func TestSweepOfImports(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	changes := &changeRecorder{}
	service, err := kms.New(t.Context(), kms.Config{Store: r.sealed, Audit: r.events, Changes: changes, Now: r.clock})
	require.NoError(t, err)
	yes := true
	r.external(t, sdk.CreateKeyInput{MultiRegion: &yes})
	material := random(32)
	in := plantToken(t, r.service, r.arn, r.clock()).imported(t, material)
	in.ExpirationModel, in.ValidTo = "", aws.Time(r.clock().Add(2*day))
	first := importID(t, r.api, in)
	replica := r.replicate(t, otherRegion)
	there := plantToken(t, r.service, replica, r.clock())
	importID(t, r.in(otherRegion), there.imported(t, material))
	second := random(32)
	pending := importID(t, r.api, plantToken(t, r.service, r.arn, r.clock()).as(t, asNew, second))
	noted := there.as(t, asExisting, second)
	noted.KeyMaterialDescription = aws.String("to be given up")
	importID(t, r.in(otherRegion), noted)
	succeeds(t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: &pending})
	require.Len(t, r.record(t, otherRegion).Notes, 1)
	requireSound(t, r.sealed)
	r.events.take()

	r.advance(time.Hour) // a new clock is on trial so long
	report, err := service.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.SweepReport{}, report)
	require.Empty(t, r.record(t, otherRegion).Notes)
	require.Len(t, r.tokens(t), 2)
	r.advance(day - time.Hour - time.Millisecond)
	plantToken(t, r.service, r.arn, r.clock())
	r.advance(time.Millisecond)
	report, err = service.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.SweepReport{Records: 2 + 2}, report, "two tokens of the one, and the one of the other with the list")
	require.Len(t, r.tokens(t), 1)
	require.Empty(t, r.events.take())
	require.True(t, r.record(t, region).Has(first))

	r.advance(day)
	report, err = service.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.SweepReport{Materials: 1, Records: 2}, report)
	require.False(t, r.record(t, region).Has(first))
	require.True(t, r.record(t, otherRegion).Has(first))
	events := r.events.take()
	require.Len(t, events, 1)
	require.Equal(t, "DeleteExpiredKeyMaterial", events[0].Name)
	require.Equal(t, []string{r.arn}, events[0].Resources)
	require.Equal(t, audit.Identity{Type: "AWSService", Account: account}, events[0].Identity)
	require.Equal(t, []audit.ChangeEvent{audit.Recorded(events[0]), audit.KeyChange(audit.KeyMaterialExpired, r.arn, kmstest.Start.Add(2*day))}, changes.take(""))
	require.Equal(t, types.KeyStatePendingImport, do[sdk.DescribeKeyOutput](t, r.api, &sdk.DescribeKeyInput{KeyId: &r.id}).KeyMetadata.KeyState)
	requireSound(t, r.sealed)
}

// TestSweepBesideSlowClocks has a service whose clock is behind cancel deletions while
// another sweeps: each key is there with all it had, or gone.
func TestSweepBesideSlowClocks(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	const keys = 40
	var ids []string
	for i := range keys {
		r.create(t, &sdk.CreateKeyInput{Tags: tags("a=b")})
		ids = append(ids, r.id)
		succeeds(t, r.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/" + strconv.Itoa(i)), TargetKeyId: &r.id})
		succeeds(t, r.api, &sdk.CreateGrantInput{KeyId: &r.id, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}})
		succeeds(t, r.api, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id, PendingWindowInDays: aws.Int32(7)})
	}
	now := kmstest.Start
	var ahead []*kms.Service
	for range 2 {
		s, err := kms.New(t.Context(), kms.Config{Store: r.sealed, Audit: r.events, Now: func() time.Time { return now }})
		require.NoError(t, err)
		ahead = append(ahead, s)
	}
	now = now.Add(8 * day)
	var work sync.WaitGroup
	kept := map[string]bool{}
	work.Go(func() {
		for i := range ids {
			id := ids[keys-1-i]
			_, err := r.api.CancelKeyDeletion(t.Context(), &sdk.CancelKeyDeletionInput{KeyId: &id})
			if err != nil {
				require.Equal(t, "NotFoundException", codeOf(err))
				continue
			}
			kept[id] = true
			_, err = r.api.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &id})
			require.NoError(t, err)
		}
	})
	removed := 0
	var mu sync.Mutex
	for _, s := range ahead {
		work.Go(func() {
			report, err := s.Sweep(t.Context())
			require.NoError(t, err)
			require.Zero(t, report.Distrust)
			mu.Lock()
			defer mu.Unlock()
			removed += report.Keys
		})
	}
	work.Wait()
	requireSound(t, r.sealed)
	require.Equal(t, keys, removed+len(kept))
	t.Logf("%d keys were removed, %d kept", removed, len(kept))
	for id := range kept {
		out := do[sdk.ListAliasesOutput](t, r.api, &sdk.ListAliasesInput{KeyId: &id})
		require.Len(t, out.Aliases, 1)
		require.Len(t, do[sdk.ListGrantsOutput](t, r.api, &sdk.ListGrantsInput{KeyId: &id}).Grants, 1)
	}
	require.Len(t, do[sdk.ListAliasesOutput](t, r.api, &sdk.ListAliasesInput{Limit: aws.Int32(100)}).Aliases, len(kept))
}

// TestSweepOfMany has what is left of one key take many transactions.
func TestSweepOfMany(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	r.create(t, &sdk.CreateKeyInput{})
	for i := range 600 {
		who := []string{bob, strings.Replace(bob, "bob", "eve", 1)}[i%2]
		succeeds(t, r.api, &sdk.CreateGrantInput{KeyId: &r.id, GranteePrincipal: &who, RetiringPrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}})
	}
	name := "alias/kept"
	succeeds(t, r.api, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &r.id})
	succeeds(t, r.api, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id, PendingWindowInDays: aws.Int32(7)})
	r.advance(8 * day)
	other := *do[sdk.CreateKeyOutput](t, r.api, &sdk.CreateKeyInput{}).KeyMetadata.KeyId
	succeeds(t, r.api, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &other}) // taken over
	requireSound(t, r.sealed)
	report, err := r.service.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.SweepReport{Keys: 1, Records: 3*600 + 1}, report)
	requireSound(t, r.sealed)
	require.Len(t, dump(t, r.sealed), 4, "the other key, its list of aliases, the alias and the sweep")
	require.Equal(t, other, *do[sdk.DescribeKeyOutput](t, r.api, &sdk.DescribeKeyInput{KeyId: &name}).KeyMetadata.KeyId)
}
