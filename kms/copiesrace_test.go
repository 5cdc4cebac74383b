package kms_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

const sydney = "ap-southeast-2"

// rivals is two services on one store, with a multi-Region key and its replicas in
// Frankfurt and Tokyo. The first service's requests can be overtaken by the second's.
type rivals struct {
	*rig
	second *kms.Service
	blobs  map[string][]byte // ciphertexts by what made them

	mu   sync.Mutex
	name string // of the event that is to be overtaken; guarded by mu
	act  func()
}

func newRivals(t *testing.T, settling time.Duration) *rivals {
	t.Helper()
	v := &rivals{rig: newRig(t, false, settling), blobs: map[string][]byte{}}
	v.second = v.serve(t, settling)
	v.events.before = v.before
	v.create(t, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	for _, r := range []string{frankfurt, tokyo} {
		v.replicate(t, r)
	}
	v.advance(settling)
	v.blobs["at first"] = v.encrypted(t, tokyo)
	return v
}

func (v *rivals) before(e audit.Event) error {
	v.mu.Lock()
	act := v.act
	if e.Name != v.name {
		act = nil
	}
	if act != nil {
		v.act = nil
	}
	v.mu.Unlock()
	if act != nil {
		act()
	}
	return nil
}

// overtake makes a request of the first service, and another one of the second between
// the first's decision, which the event records, and its commit.
func (v *rivals) overtake(t *testing.T, event string, in elsewhere, by elsewhere) (err, byErr error) {
	t.Helper()
	overtaken := false
	v.mu.Lock()
	v.name, v.act = event, func() {
		overtaken = true
		_, byErr = call(context.Background(), v.second.Client(root.In(by.region)), by.in)
	}
	v.mu.Unlock()
	_, err = call(t.Context(), v.in(in.region), in.in)
	require.True(t, overtaken)
	return err, byErr
}

// requireWhole checks the copies and opens every ciphertext everywhere, but in Regions
// whose copy cannot be used.
func (v *rivals) requireWhole(t *testing.T) observed {
	t.Helper()
	o := observe(t, v.sealed)
	o.requireConsistent(t)
	for _, in := range append(slices.Collect(maps.Values(o.elsewhere)), o) {
		k := in.keys[v.id]
		if k == nil || k.Deletion != nil {
			continue
		}
		for made, blob := range v.blobs {
			_, err := call(t.Context(), v.in(in.region), &sdk.DecryptInput{CiphertextBlob: blob})
			require.NoError(t, err, "what was made %s, in %s", made, in.region)
		}
	}
	return o
}

// rotated returns how often the rig's key has been rotated in a way.
func (v *rivals) rotated(t *testing.T, how types.RotationType) (n int) {
	t.Helper()
	for _, m := range v.record(t, region).Materials {
		if m.RotationType == string(how) {
			n++
		}
	}
	return n
}

// changes is requests that change a copy of the key or all of them, by name.
func (v *rivals) changes() map[string]elsewhere {
	id, name := &v.id, aws.String("alias/copies")
	return map[string]elsewhere{
		"rotate":     {region, &sdk.RotateKeyOnDemandInput{KeyId: id}},
		"replicate":  {region, &sdk.ReplicateKeyInput{KeyId: id, ReplicaRegion: aws.String(sydney)}},
		"promote":    {region, &sdk.UpdatePrimaryRegionInput{KeyId: id, PrimaryRegion: aws.String(frankfurt)}},
		"schedule":   {region, &sdk.EnableKeyRotationInput{KeyId: id}},
		"unschedule": {region, &sdk.DisableKeyRotationInput{KeyId: id}},
		"delete":     {frankfurt, &sdk.ScheduleKeyDeletionInput{KeyId: id}},
		"tag":        {frankfurt, &sdk.TagResourceInput{KeyId: id, Tags: tags("a=b")}},
		"alias":      {frankfurt, &sdk.CreateAliasInput{AliasName: name, TargetKeyId: id}},
		"grant":      {frankfurt, &sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}}},
		"describe":   {frankfurt, &sdk.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("changed")}},
	}
}

// overtaken is what becomes of a change that another one has overtaken: yes, if it is
// still possible.
func (v *rivals) overtaken(change, other string) answer {
	arn := func(region string) string { return keyrecord.KeyARN(region, account, v.id) }
	needsPrimary := slices.Contains([]string{"rotate", "replicate", "promote", "schedule", "unschedule"}, change)
	switch {
	case needsPrimary && other == "promote":
		return answer{"UnsupportedOperationException", arn(region) + " is not a multi-region primary key."}
	case change == "replicate" && other == "replicate":
		return answer{"AlreadyExistsException", "The key " + arn(sydney) + " already exists in the Region " + sydney + "."}
	case other == "delete" && (!needsPrimary || change == "promote"):
		return answer{"KMSInvalidStateException", arn(frankfurt) + " is pending deletion."}
	case change == "alias" && other == "alias":
		return answer{"AlreadyExistsException", "An alias with the name " + keyrecord.AliasARN(frankfurt, account, "alias/copies") + " already exists"}
	}
	return yes
}

// TestChangesOfCopiesOvertakeEachOther has every change overtaken by every other one,
// which always stands; the one that was overtaken is decided again.
func TestChangesOfCopiesOvertakeEachOther(t *testing.T) {
	t.Parallel()
	for change := range (&rivals{rig: &rig{}}).changes() {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			for other := range (&rivals{rig: &rig{}}).changes() {
				v := newRivals(t, 0)
				succeeds(t, v.api, &sdk.EnableKeyRotationInput{KeyId: &v.id, RotationPeriodInDays: aws.Int32(100)})
				all := v.changes()
				err, otherErr := v.overtake(t, nameOf(all[change].in), all[change], all[other])
				require.NoError(t, otherErr, "%s by %s", change, other)
				want, rotations := v.overtaken(change, other), 0
				if want == yes {
					require.NoError(t, err, "%s by %s", change, other)
				} else {
					requireRefusal(t, err, want.code, want.message)
				}
				if other == "rotate" {
					rotations++
				}
				if change == "rotate" && want == yes {
					rotations++
				}
				v.blobs["at last"] = v.encrypted(t, tokyo)
				o := v.requireWhole(t)
				require.Equal(t, rotations, v.rotated(t, types.RotationTypeOnDemand), "%s by %s", change, other)
				require.Len(t, o.keys[v.id].Materials, 1+rotations)
				v.requireHappened(t, o, other)
				if want == yes {
					v.requireHappened(t, o, change)
				}
			}
		})
	}
}

// requireHappened looks for a change in the records. One of the two that make and end a
// schedule has not the last word.
func (v *rivals) requireHappened(t *testing.T, o observed, change string) {
	t.Helper()
	k, replica := o.keys[v.id], o.elsewhere[frankfurt].keys[v.id]
	switch change {
	case "replicate":
		require.NotNil(t, o.elsewhere[sydney].keys[v.id])
	case "promote":
		require.Equal(t, frankfurt, k.MultiRegion.Primary)
	case "delete":
		require.NotNil(t, replica.Deletion)
	case "tag":
		require.Len(t, replica.Tags, 1)
	case "alias":
		require.Len(t, replica.Aliases, 1)
	case "grant":
		require.Positive(t, replica.Grants)
	case "describe":
		require.Equal(t, "changed", replica.Description)
	}
}

// TestRotationByTheClockIsOvertaken has a rotation that is due overtaken by what another
// service does to the key. Whoever comes first rotates it, and nobody does it twice.
func TestRotationByTheClockIsOvertaken(t *testing.T) {
	t.Parallel()
	for other := range (&rivals{rig: &rig{}}).changes() {
		t.Run(other, func(t *testing.T) {
			t.Parallel()
			v := newRivals(t, 0)
			succeeds(t, v.api, &sdk.EnableKeyRotationInput{KeyId: &v.id})
			due := v.clock().AddDate(0, 0, 365)
			v.advance(due.Sub(v.clock()))
			err, otherErr := v.overtake(t, "RotateKey", elsewhere{tokyo, &sdk.EncryptInput{KeyId: &v.id, Plaintext: []byte("secret")}}, v.changes()[other])
			require.NoError(t, err)
			require.NoError(t, otherErr)
			v.blobs["at last"] = v.encrypted(t, tokyo)
			o := v.requireWhole(t)
			v.requireHappened(t, o, other)
			require.Equal(t, 1, v.rotated(t, types.RotationTypeAutomatic))
			require.True(t, due.Equal(*v.record(t, region).Materials[1].Rotated))
		})
	}
}

// race has many workers, each at one of the services, make their requests at once. It
// returns how often each answer was given; "" is success.
func (v *rivals) race(t *testing.T, in func(worker int) elsewhere) map[string]int {
	t.Helper()
	var mu sync.Mutex
	answers := map[string]int{}
	services := []*kms.Service{v.service, v.second}
	together(t, func(w int) error {
		r := in(w)
		err := insist(context.Background(), services[w%2].Client(identity.Root(account, r.region)), r.in)
		mu.Lock()
		defer mu.Unlock()
		answers[codeOf(err)]++
		return nil
	})
	return answers
}

func TestOneRotationOnDemandAtATime(t *testing.T) {
	t.Parallel()
	v := newRivals(t, time.Hour)
	for round := range 3 {
		answers := v.race(t, func(int) elsewhere { return v.changes()["rotate"] })
		require.Equal(t, map[string]int{"": 1, "ConflictException": workers - 1}, answers)
		require.Len(t, v.record(t, tokyo).Materials, 1+round)
		v.blobs[fmt.Sprint("during rotation ", round)] = v.encrypted(t, tokyo)
		v.advance(time.Hour)
		v.blobs[fmt.Sprint("after rotation ", round)] = v.encrypted(t, frankfurt)
		v.requireWhole(t)
		require.Equal(t, 1+round, v.rotated(t, types.RotationTypeOnDemand))
	}
}

func TestRotationsOnDemandAreLimited(t *testing.T) {
	t.Parallel()
	v := newRivals(t, 0)
	var mu sync.Mutex
	answers := v.race(t, func(w int) elsewhere {
		out, err := v.second.Client(root.In(tokyo)).Encrypt(context.Background(), &sdk.EncryptInput{KeyId: &v.id, Plaintext: []byte("secret")})
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			v.blobs[fmt.Sprint("by worker ", w)] = out.CiphertextBlob
		}
		return v.changes()["rotate"]
	})
	require.Equal(t, map[string]int{"": 25, "LimitExceededException": workers - 25}, answers)
	require.Len(t, v.blobs, 1+workers)
	v.requireWhole(t)
	require.Equal(t, 25, v.rotated(t, types.RotationTypeOnDemand))
}

func TestOneReplicaInARegion(t *testing.T) {
	t.Parallel()
	v := newRivals(t, 0)
	require.Equal(t, map[string]int{"": 1, "AlreadyExistsException": workers - 1},
		v.race(t, func(int) elsewhere { return v.changes()["replicate"] }))
	v.requireHappened(t, v.requireWhole(t), "replicate")
}

// TestReplicasOfOneKey has them made at once, in a Region each.
func TestReplicasOfOneKey(t *testing.T) {
	t.Parallel()
	v := newRivals(t, 0)
	regionOf := func(w int) string { return fmt.Sprintf("xx-north-%d", w+1) }
	require.Equal(t, map[string]int{"": workers}, v.race(t, func(w int) elsewhere {
		return elsewhere{region, &sdk.ReplicateKeyInput{KeyId: &v.id, ReplicaRegion: aws.String(regionOf(w))}}
	}))
	require.Len(t, v.record(t, region).MultiRegion.Copies, 3+workers)
	for w := range workers {
		require.Equal(t, shared(v.record(t, region)), shared(v.record(t, regionOf(w))))
		v.requireOpens(t, regionOf(w), v.blobs["at first"], v.current(t, region))
	}
}

func TestOnePrimaryRegion(t *testing.T) {
	t.Parallel()
	v := newRivals(t, 0)
	answers := v.race(t, func(w int) elsewhere {
		return elsewhere{region, &sdk.UpdatePrimaryRegionInput{KeyId: &v.id, PrimaryRegion: aws.String([]string{frankfurt, tokyo}[w/2%2])}}
	})
	require.Equal(t, map[string]int{"": 1, "UnsupportedOperationException": workers - 1}, answers)
	v.requireWhole(t)
	require.Contains(t, []string{frankfurt, tokyo}, v.record(t, region).MultiRegion.Primary)
}

// TestPrimaryRegionGoesRound has all copies be asked to hand on their role.
func TestPrimaryRegionGoesRound(t *testing.T) {
	t.Parallel()
	v := newRivals(t, 0)
	round := []string{region, frankfurt, tokyo}
	answers := v.race(t, func(w int) elsewhere {
		return elsewhere{round[w%3], &sdk.UpdatePrimaryRegionInput{KeyId: &v.id, PrimaryRegion: &round[(w+1)%3]}}
	})
	require.Equal(t, workers, answers[""]+answers["UnsupportedOperationException"])
	require.Positive(t, answers[""])
	v.requireWhole(t)
	require.Equal(t, round[answers[""]%3], v.record(t, region).MultiRegion.Primary, "it has gone on once for each success")
}

func TestOneRotationByTheClock(t *testing.T) {
	t.Parallel()
	v := newRivals(t, 0)
	succeeds(t, v.api, &sdk.EnableKeyRotationInput{KeyId: &v.id})
	round := []string{region, frankfurt, tokyo}
	for n := range 4 {
		v.advance(365 * day)
		answers := v.race(t, func(w int) elsewhere {
			return elsewhere{round[w%3], &sdk.EncryptInput{KeyId: &v.id, Plaintext: []byte("x")}}
		})
		require.Equal(t, map[string]int{"": workers}, answers)
		v.blobs[fmt.Sprint("in year ", n)] = v.encrypted(t, round[n%3])
		v.requireWhole(t)
		require.Equal(t, 1+n, v.rotated(t, types.RotationTypeAutomatic))
	}
}

// TestOneNewMaterial has workers import a material each.
func TestOneNewMaterial(t *testing.T) {
	t.Parallel()
	v := newRivals(t, 0)
	v.external(t, sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	token := plantToken(t, v.service, v.arn, v.clock())
	succeeds(t, v.api, token.imported(t, random(32)))
	clear(v.blobs)
	v.blobs["at first"] = v.encrypted(t, region)
	v.replicate(t, frankfurt)
	requests := make([]*sdk.ImportKeyMaterialInput, workers)
	for w := range requests {
		requests[w] = token.as(t, asNew, random(32))
	}
	require.Equal(t, map[string]int{"": 1, "KMSInvalidStateException": workers - 1},
		v.race(t, func(w int) elsewhere { return elsewhere{region, requests[w]} }))
	observe(t, v.sealed).requireConsistent(t)
	require.Len(t, v.record(t, frankfurt).Materials, 2)
	v.requireOpens(t, region, v.blobs["at first"], v.record(t, region).Materials[0].ID)
}

// TestRivalsMix has all of it happen to one key at once, again and again.
func TestRivalsMix(t *testing.T) {
	t.Parallel()
	v := newRivals(t, 0)
	succeeds(t, v.api, &sdk.EnableKeyRotationInput{KeyId: &v.id, RotationPeriodInDays: aws.Int32(90)})
	round := []string{region, frankfurt, tokyo}
	services := []*kms.Service{v.service, v.second}
	expected := []string{"", "UnsupportedOperationException", "AlreadyExistsException", "ConflictException", "LimitExceededException"}
	var rotations, clock atomic.Int32
	var mu sync.Mutex
	together(t, func(w int) error {
		for n := range 6 {
			at, id := round[(w+n)%3], &v.id
			api := services[w%2].Client(root.In(at))
			requests := []any{
				&sdk.RotateKeyOnDemandInput{KeyId: id},
				&sdk.UpdatePrimaryRegionInput{KeyId: id, PrimaryRegion: &round[(w+n+1)%3]},
				&sdk.ReplicateKeyInput{KeyId: id, ReplicaRegion: aws.String(sydney)},
				&sdk.EncryptInput{KeyId: id, Plaintext: []byte("secret")},
				&sdk.TagResourceInput{KeyId: id, Tags: tags(fmt.Sprintf("w%02d=%d", w, n))},
			}
			in := requests[(w/2+n)%len(requests)]
			out, err := call(context.Background(), api, in)
			for errors.Is(err, store.ErrConflict) {
				out, err = call(context.Background(), api, in)
			}
			if !slices.Contains(expected, codeOf(err)) {
				return err
			}
			switch out := out.(type) {
			case *sdk.RotateKeyOnDemandOutput:
				if err == nil {
					rotations.Add(1)
				}
			case *sdk.EncryptOutput:
				mu.Lock()
				v.blobs[fmt.Sprint("by worker ", w)] = out.CiphertextBlob
				mu.Unlock()
			}
			if w == 0 && n%2 == 0 {
				clock.Add(1)
				v.advance(91 * day)
			}
		}
		return nil
	})
	v.requireWhole(t) // and has what is due done
	require.EqualValues(t, rotations.Load(), v.rotated(t, types.RotationTypeOnDemand))
	require.EqualValues(t, rotations.Load(), v.record(t, tokyo).OnDemandRotations)
	require.EqualValues(t, clock.Load(), v.rotated(t, types.RotationTypeAutomatic))
	require.Len(t, v.record(t, frankfurt).Materials, 1+v.rotated(t, types.RotationTypeOnDemand)+v.rotated(t, types.RotationTypeAutomatic))
}
