package kms_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

// meteredStore remembers the most bytes and keys that one Update took.
type meteredStore struct {
	store.Store
	bytes, keys atomic.Int64
}

type meteredTx struct {
	store.Tx
	touched map[string]int
}

func (s *meteredStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		m := meteredTx{tx, map[string]int{}}
		err := fn(m)
		sum := 0
		for _, n := range m.touched {
			sum += n
		}
		s.bytes.Store(max(s.bytes.Load(), int64(sum)))
		s.keys.Store(max(s.keys.Load(), int64(len(m.touched))))
		return err
	})
}

func (tx meteredTx) Version(key string) (uint64, error) {
	tx.touched[key] += 0
	return tx.Tx.Version(key)
}

func (tx meteredTx) Put(key string, value []byte) error {
	tx.touched[key] = len(key) + len(value)
	return tx.Tx.Put(key, value)
}

// What is written of each of these takes six bytes, or two, the most that JSON makes of
// a character that is valid there.
var (
	longDescription = strings.Repeat("\x01", 8192)
	longPolicy      = openPolicy + strings.Repeat("\n", 32768-len(openPolicy))
	longNote        = strings.Repeat("\n", 256)
)

func longTags() []types.Tag {
	tags := make([]types.Tag, 50)
	for i := range tags {
		key := fmt.Sprintf("%02d%s", i, strings.Repeat("\x01", 126))
		tags[i] = types.Tag{TagKey: &key, TagValue: aws.String(strings.Repeat("\x01", 256))}
	}
	return tags
}

// longRegion returns names of Regions that are as long as one can be.
func longRegion(i int) string { return "us-" + strings.Repeat("x", 26) + fmt.Sprintf("-%02d", 10+i) }

// manyCopies is a multi-Region key that is as large as it can get.
type manyCopies struct {
	id       string
	external bool
	store    *meteredStore
	sealed   *store.Sealed
	now      time.Time
}

const ofManyCopies = "mrk-0123456789abcdef0123456789abcdef"

// newManyCopies plants a key with one copy less than there can be and one rotation on
// demand left.
func newManyCopies(t *testing.T, origin string) *manyCopies {
	t.Helper()
	w := &manyCopies{
		id: ofManyCopies, external: origin == keyrecord.OriginExternal,
		store: &meteredStore{Store: store.NewMemory()}, now: kmstest.Start,
	}
	var err error
	w.sealed, err = store.Seal(t.Context(), w.store, rootKey(t, 1), nil)
	require.NoError(t, err)
	k := &keyrecord.Key{
		Account: account, ID: w.id, Created: w.now, Enabled: true,
		Spec: keyrecord.SpecSymmetric, Usage: "ENCRYPT_DECRYPT", Origin: origin,
		MultiRegion: &keyrecord.MultiRegion{Primary: longRegion(0)}, OnDemandRotations: 24,
		Local: keyrecord.Local{Description: longDescription, Policy: longPolicy},
	}
	for i, tag := range longTags() {
		k.Tags = append(k.Tags, keyrecord.Tag{Seq: uint64(i + 1), Key: *tag.TagKey, Value: *tag.TagValue})
	}
	k.TagSeq = 50
	for i := range 50 {
		k.Aliases = append(k.Aliases, fmt.Sprintf("alias/%02d%s", i, strings.Repeat("x", 248)))
	}
	later := w.now.AddDate(0, 0, 30)
	for i := range kms.MaxCopies - 1 {
		k.MultiRegion.Copies = append(k.MultiRegion.Copies, keyrecord.Copy{Region: longRegion(i), Deletion: &later})
	}
	k.Materials = w.materials()
	if w.external {
		for _, m := range k.Materials {
			k.Note(m.ID, longNote)
		}
	}
	for i := range kms.MaxCopies - 1 {
		k.Region = longRegion(i)
		require.NoError(t, w.sealed.Update(t.Context(), func(tx store.Tx) error { return kms.PutRecords(tx, k.Clone()) }))
	}
	return w
}

// materials returns what a key has that has been rotated every quarter for a century;
// an imported one all that it can be rotated to, the last of which is pending.
func (w *manyCopies) materials() []keyrecord.Material {
	n := 400
	if w.external {
		n = 26
	}
	all := make([]keyrecord.Material, n)
	for i := range all {
		all[i] = keyrecord.NewMaterial(w.id, random(32), w.now)
		m := &all[i]
		m.Rotated, m.RotationType = &w.now, "AUTOMATIC"
		if w.external {
			expiry := w.now.AddDate(0, 11, 0)
			m.RotationType, m.ValidTo, m.Pending = "ON_DEMAND", &expiry, i == n-1
		}
	}
	return all
}

// in returns a client in a Region of a service that has read nothing yet.
func (w *manyCopies) in(t *testing.T, i int) kms.API {
	t.Helper()
	s, err := kms.New(t.Context(), kms.Config{Store: w.sealed, Now: func() time.Time { return w.now }, Settling: time.Minute})
	require.NoError(t, err)
	return s.Client(identity.Root(account, longRegion(i)))
}

func (w *manyCopies) describe(t *testing.T, i int) *types.KeyMetadata {
	t.Helper()
	return do[sdk.DescribeKeyOutput](t, w.in(t, i), &sdk.DescribeKeyInput{KeyId: &w.id}).KeyMetadata
}

// TestLargestCopies changes what the copies of a multi-Region key share, while there are
// as many as there can be, each as large as it can be, and no service has read them.
// Every store refuses what one transaction must not write.
func TestLargestCopies(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"AWS_KMS", keyrecord.OriginExternal} {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()
			w := newManyCopies(t, origin)
			key, last := &w.id, kms.MaxCopies-1
			made := do[sdk.ReplicateKeyOutput](t, w.in(t, 0), &sdk.ReplicateKeyInput{
				KeyId: key, ReplicaRegion: aws.String(longRegion(last)),
				Description: &longDescription, Policy: &longPolicy, Tags: longTags(),
			})
			require.Len(t, made.ReplicaTags, 50)
			refused(t, w.in(t, 0), &sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(longRegion(last + 1))}, "LimitExceededException",
				fmt.Sprintf("The key %s has %d copies, the most that it can have.", keyrecord.KeyARN(longRegion(0), account, w.id), kms.MaxCopies))
			w.now = w.now.Add(time.Hour)

			if w.external { // the new copy has no material yet
				succeeds(t, w.in(t, last), &sdk.ScheduleKeyDeletionInput{KeyId: key})
			}
			before := w.describe(t, 1)
			succeeds(t, w.in(t, 0), &sdk.RotateKeyOnDemandInput{KeyId: key})
			w.now = w.now.Add(time.Hour)
			_, err := w.in(t, 1).Encrypt(t.Context(), &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x")}) // which rotates
			require.NoError(t, err)
			after := w.describe(t, 1)
			require.NotEqual(t, before.CurrentKeyMaterialId, after.CurrentKeyMaterialId)
			require.Equal(t, after.CurrentKeyMaterialId, w.describe(t, last-1).CurrentKeyMaterialId)

			if !w.external {
				succeeds(t, w.in(t, 0), &sdk.EnableKeyRotationInput{KeyId: key})
				succeeds(t, w.in(t, last), &sdk.ScheduleKeyDeletionInput{KeyId: key})
				w.now = w.now.AddDate(0, 0, 29)
			}
			succeeds(t, w.in(t, last), &sdk.CancelKeyDeletionInput{KeyId: key})
			succeeds(t, w.in(t, 0), &sdk.UpdatePrimaryRegionInput{KeyId: key, PrimaryRegion: aws.String(longRegion(1))})
			w.now = w.now.Add(time.Hour)
			require.Equal(t, longRegion(1), *w.describe(t, 0).MultiRegionConfiguration.PrimaryKey.Region)
			if w.external {
				parameters := importerFor(t, w.in(t, 1), w.id, oaep256, rsa2048)
				in := parameters.as(t, asNew, random(32))
				in.KeyMaterialDescription = &longNote
				id := importID(t, w.in(t, 1), in)
				succeeds(t, w.in(t, 1), &sdk.DeleteImportedKeyMaterialInput{KeyId: key, KeyMaterialId: &id})
			} else {
				w.now = w.now.AddDate(40, 0, 0) // one rotation a year is due
				require.NotEqual(t, after.CurrentKeyMaterialId, w.describe(t, 0).CurrentKeyMaterialId)
				require.Equal(t, w.describe(t, 0).CurrentKeyMaterialId, w.describe(t, 1).CurrentKeyMaterialId)
			}

			succeeds(t, w.in(t, 2), &sdk.PutKeyPolicyInput{KeyId: key, Policy: &longPolicy})
			succeeds(t, w.in(t, 2), &sdk.UpdateKeyDescriptionInput{KeyId: key, Description: &longDescription})
			succeeds(t, w.in(t, 2), &sdk.TagResourceInput{KeyId: key, Tags: longTags()})
			require.LessOrEqual(t, w.store.bytes.Load(), int64(store.MaxBytes))
			require.LessOrEqual(t, w.store.keys.Load(), int64(store.MaxKeys))
			t.Logf("at most %d bytes and %d keys in a transaction", w.store.bytes.Load(), w.store.keys.Load())
		})
	}
}

// TestLastCopyIsMadeAgain deletes one of as many copies as there can be, and makes it again:
// it takes the place that it had.
func TestLastCopyIsMadeAgain(t *testing.T) {
	t.Parallel()
	w := newManyCopies(t, "AWS_KMS")
	last := longRegion(kms.MaxCopies - 1)
	in := &sdk.ReplicateKeyInput{KeyId: &w.id, ReplicaRegion: &last}
	succeeds(t, w.in(t, 0), in)
	w.now = w.now.Add(time.Hour)
	succeeds(t, w.in(t, kms.MaxCopies-1), &sdk.ScheduleKeyDeletionInput{KeyId: &w.id, PendingWindowInDays: aws.Int32(7)})
	w.now = w.now.AddDate(0, 0, 7)
	succeeds(t, w.in(t, 0), in)
}
