package kms_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

const otherRegion = "eu-west-1"

// rig is a service with nothing in it, whose store, clock and settling time are in the
// test's hands. What takes a fixture takes its fixture, which has no cloud.
type rig struct {
	fixture
	service *kms.Service
	sealed  *store.Sealed
	broken  *brokenStore
	events  *recorder

	mu  sync.Mutex
	now time.Time // guarded by mu
}

func newRig(t *testing.T, viaSDK bool, settling time.Duration) *rig {
	t.Helper()
	r := &rig{broken: &brokenStore{Store: store.NewMemory()}, events: &recorder{}, now: kmstest.Start}
	var err error
	r.sealed, err = store.Seal(t.Context(), r.broken, rootKey(t, 1), nil)
	require.NoError(t, err)
	r.service = r.serve(t, settling)
	t.Cleanup(func() {
		r.service.RequireKnownKeys(t)
		require.NoError(t, r.service.Close())
	})
	r.viaSDK = viaSDK
	r.api = r.in(region)
	return r
}

// serve returns another service on the rig's store.
func (r *rig) serve(t *testing.T, settling time.Duration) *kms.Service {
	t.Helper()
	s, err := kms.New(t.Context(), kms.Config{Store: r.sealed, Audit: r.events, Now: r.clock, Settling: settling})
	require.NoError(t, err)
	return s
}

// eachRig runs a test with both kinds of client.
func eachRig(t *testing.T, settling time.Duration, test func(t *testing.T, r *rig)) {
	t.Helper()
	for _, viaSDK := range []bool{false, true} {
		t.Run(map[bool]string{false: "Client", true: "SDK"}[viaSDK], func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t, viaSDK, settling))
		})
	}
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// in returns a client of the account's root user in a Region.
func (r *rig) in(region string) kms.API { return r.as(r.service, identity.Root(account, region)) }

func (r *rig) as(s *kms.Service, c identity.Caller) kms.API {
	if r.viaSDK {
		return s.SDK(c, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
	}
	return s.Client(c)
}

// create makes a key and sets the rig's arn and id to it.
func (r *rig) create(t *testing.T, in *sdk.CreateKeyInput) {
	t.Helper()
	m := do[sdk.CreateKeyOutput](t, r.api, in).KeyMetadata
	r.arn, r.id = *m.Arn, *m.KeyId
}

// record returns what is stored of the rig's key in a Region.
func (r *rig) record(t *testing.T, region string) *keyrecord.Key {
	t.Helper()
	var k *keyrecord.Key
	require.NoError(t, r.sealed.View(t.Context(), func(tx store.Tx) (err error) {
		k, err = keyrecord.ReadKey(account, region, r.id, tx.Get)
		return err
	}))
	return k
}

// plantRecord stores a key as it is.
func (r *rig) plantRecord(t *testing.T, k *keyrecord.Key) {
	t.Helper()
	require.NoError(t, r.sealed.Update(t.Context(), func(tx store.Tx) error { return kms.PutRecords(tx, k) }))
}

// replicate makes a replica of the rig's key and returns its ARN.
func (r *rig) replicate(t *testing.T, region string) string {
	t.Helper()
	return *do[sdk.ReplicateKeyOutput](t, r.api, &sdk.ReplicateKeyInput{KeyId: &r.arn, ReplicaRegion: &region}).ReplicaKeyMetadata.Arn
}

// encrypted returns a ciphertext under the rig's key, made in a Region.
func (r *rig) encrypted(t *testing.T, region string) []byte {
	t.Helper()
	return do[sdk.EncryptOutput](t, r.in(region), &sdk.EncryptInput{KeyId: &r.id, Plaintext: []byte("secret")}).CiphertextBlob
}

// requireOpens checks that a ciphertext opens in a Region, under the material.
func (r *rig) requireOpens(t *testing.T, region string, blob []byte, material string) {
	t.Helper()
	out := do[sdk.DecryptOutput](t, r.in(region), &sdk.DecryptInput{CiphertextBlob: blob})
	require.Equal(t, "secret", string(out.Plaintext))
	require.Equal(t, material, *out.KeyMaterialId)
}

// current returns the id of the current material of the rig's key in a Region.
func (r *rig) current(t *testing.T, region string) string {
	t.Helper()
	return *do[sdk.DescribeKeyOutput](t, r.in(region), &sdk.DescribeKeyInput{KeyId: &r.id}).KeyMetadata.CurrentKeyMaterialId
}

// rotations returns the events of rotations by the clock since the last call.
func (r *rig) rotations() []audit.Event {
	var events []audit.Event
	for _, e := range r.events.take() {
		if e.Name == "RotateKey" {
			events = append(events, e)
		}
	}
	return events
}

var errBroken = errors.New("the disk is full")

// brokenStore refuses to write while it is broken.
type brokenStore struct {
	store.Store
	broken atomic.Bool
}

func (s *brokenStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	if s.broken.Load() {
		return errBroken
	}
	return s.Store.Update(ctx, fn)
}
