package kms_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

// lastUse returns what the API says of a key's last use.
func lastUse(t *testing.T, api kms.API, key string) *types.KeyLastUsageData {
	t.Helper()
	return do[sdk.GetKeyLastUsageOutput](t, api, &sdk.GetKeyLastUsageInput{KeyId: &key}).KeyLastUsage
}

// useOf is the use that an audit record is of.
func useOf(e audit.Event) *types.KeyLastUsageData {
	return &types.KeyLastUsageData{
		CloudTrailEventId: &e.ID, KmsRequestId: &e.RequestID, Timestamp: &e.Time, Operation: types.KeyLastUsageTrackingOperation(e.Name),
	}
}

func TestLastUsage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blob := f.plant(t, "secret", nil)
		fresh := f.Seed(kmstest.Key{Alias: "alias/fresh"})
		f.Advance(36 * time.Hour)
		never := &sdk.GetKeyLastUsageOutput{
			KeyId: aws.String(idOf(fresh)), KeyCreationDate: aws.Time(kmstest.Start), TrackingStartDate: aws.Time(kmstest.Start), KeyLastUsage: &types.KeyLastUsageData{},
		}
		for _, id := range []string{fresh, idOf(fresh)} {
			require.Equal(t, never, do[sdk.GetKeyLastUsageOutput](t, f.api, &sdk.GetKeyLastUsageInput{KeyId: &id}))
		}
		for _, in := range []any{
			&sdk.EncryptInput{KeyId: aws.String("alias/app"), Plaintext: []byte("x")},
			&sdk.DecryptInput{CiphertextBlob: blob},
			&sdk.GenerateDataKeyInput{KeyId: &f.id, NumberOfBytes: aws.Int32(1)},
			&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &f.id, NumberOfBytes: aws.Int32(1)},
			&sdk.GenerateDataKeyPairInput{KeyId: &f.id, KeyPairSpec: "ECC_NIST_P256"},
			&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &f.id, KeyPairSpec: "ECC_NIST_P256"},
			&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id},
		} {
			f.Advance(time.Second)
			succeeds(t, f.api, in)
			events := f.Events()
			require.Equal(t, useOf(events[len(events)-1]), lastUse(t, f.api, f.arn))
			require.Equal(t, nameOf(in), string(lastUse(t, f.api, f.arn).Operation))
		}
		require.Equal(t, &types.KeyLastUsageData{}, lastUse(t, f.api, fresh))
		f.plantKeys(t)
		f.Advance(time.Second)
		for _, p := range aboutKeys(f) {
			if _, ok := p.in.(*sdk.GetPublicKeyInput); ok {
				before := lastUse(t, f.api, p.resource)
				succeeds(t, f.api, p.in)
				require.Equal(t, before, lastUse(t, f.api, p.resource))
				continue
			}
			succeeds(t, f.api, p.in)
			events := f.Events()
			require.Equal(t, useOf(events[len(events)-1]), lastUse(t, f.api, p.resource))
			require.Equal(t, nameOf(p.in), string(lastUse(t, f.api, p.resource).Operation))
		}
		refused(t, f.api, &sdk.GetKeyLastUsageInput{KeyId: aws.String("alias/app")}, "NotFoundException", "Invalid keyId 'alias/app'")
		refused(t, f.api, &sdk.GetKeyLastUsageInput{KeyId: aws.String(unknownID)}, "NotFoundException", "Key '"+keyrecord.KeyARN(region, account, unknownID)+"' does not exist")
	})
}

func TestReEncryptUsesBothKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		other := f.Seed(kmstest.Key{Alias: "alias/other"})
		blob := f.plant(t, "secret", nil)
		f.Advance(time.Minute)
		succeeds(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &other})
		events := f.Events()
		want := useOf(events[len(events)-1])
		require.Equal(t, want, lastUse(t, f.api, f.arn))
		require.Equal(t, want, lastUse(t, f.api, other))
	})
}

// TestWhatIsNoUse has requests that fail, are dry runs, or do no cryptography with a
// key.
func TestWhatIsNoUse(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		blob := w.encrypt(t, w.key, nil)
		want := lastUse(t, w.as(root), w.key)
		require.EqualValues(t, "Encrypt", want.Operation)
		w.advance(time.Hour)
		for _, in := range []any{
			&sdk.DescribeKeyInput{KeyId: &w.key}, &sdk.GetKeyPolicyInput{KeyId: &w.key}, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1)},
			&sdk.UpdateKeyDescriptionInput{KeyId: &w.key, Description: aws.String("x")}, &sdk.ListGrantsInput{KeyId: &w.key}, &sdk.GetKeyLastUsageInput{KeyId: &w.key},
		} {
			succeeds(t, w.as(root), in)
		}
		fails := func(in any, as kms.API, code string) {
			t.Helper()
			_, err := call(t.Context(), as, in)
			require.Equal(t, code, codeOf(err))
		}
		fails(&sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), DryRun: aws.Bool(true)}, w.as(root), "DryRunOperationException")
		fails(&sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")}, w.as(alice), "AccessDeniedException")
		fails(&sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: map[string]string{"a": "b"}}, w.as(root), "InvalidCiphertextException")
		fails(&sdk.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionContext: map[string]string{"a": "b"}, DestinationKeyId: &w.other}, w.as(root), "InvalidCiphertextException")
		succeeds(t, w.as(root), &sdk.DisableKeyInput{KeyId: &w.key})
		fails(&sdk.DecryptInput{CiphertextBlob: blob}, w.as(root), "DisabledException")
		require.Equal(t, want, lastUse(t, w.as(root), w.key))
		require.Equal(t, &types.KeyLastUsageData{}, lastUse(t, w.as(root), w.other))
	})
}

// TestUseThatIsNotRecordedIsNone: an operation whose audit record is refused fails.
func TestUseThatIsNotRecordedIsNone(t *testing.T) {
	t.Parallel()
	f, r := newRecorded(t, nil)
	r.before = func(audit.Event) error { return errors.New("full") }
	_, err := f.api.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: &f.id, Plaintext: []byte("x")})
	require.Equal(t, "KMSInternalException", codeOf(err))
	r.before = nil
	require.Equal(t, &types.KeyLastUsageData{}, lastUse(t, f.api, f.arn))
}

// TestCopiesAreUsedApart: a replica, and one that takes the place of a deleted one.
func TestCopiesAreUsedApart(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		primary := *do[sdk.CreateKeyOutput](t, w.as(root), &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.Arn
		there := w.as(root.In("eu-west-1"))
		replicate := func() string {
			return *do[sdk.ReplicateKeyOutput](t, w.as(root), &sdk.ReplicateKeyInput{KeyId: &primary, ReplicaRegion: aws.String("eu-west-1")}).ReplicaKeyMetadata.Arn
		}
		replica := replicate()
		succeeds(t, there, &sdk.EncryptInput{KeyId: &replica, Plaintext: []byte("x")})
		require.EqualValues(t, "Encrypt", lastUse(t, there, replica).Operation)
		require.Equal(t, &types.KeyLastUsageData{}, lastUse(t, w.as(root), primary))
		succeeds(t, there, &sdk.ScheduleKeyDeletionInput{KeyId: &replica, PendingWindowInDays: aws.Int32(7)})
		w.advance(8 * 24 * time.Hour)
		require.Equal(t, replica, replicate())
		require.Equal(t, &types.KeyLastUsageData{}, lastUse(t, there, replica))
		succeeds(t, there, &sdk.GenerateDataKeyInput{KeyId: &replica, NumberOfBytes: aws.Int32(1)})
		require.EqualValues(t, "GenerateDataKey", lastUse(t, there, replica).Operation)
	})
}

// TestTrailingDays has keys be deleted or disabled only if they lie idle.
func TestTrailingDays(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		for _, key := range []string{w.key, w.other} {
			w.setPolicy(t, key, document(statement("Allow", account, "kms:*"),
				statement("Allow", alice.Principal, "kms:*", when(`{"NumericGreaterThanEquals":{"kms:TrailingDaysWithoutKeyUsage":"90"}}`))))
		}
		days := func(n time.Duration) { w.advance(n * 24 * time.Hour) }
		w.encrypt(t, w.key, nil)
		requests := func(key string) []any {
			return []any{&sdk.DisableKeyInput{KeyId: &key}, &sdk.ScheduleKeyDeletionInput{KeyId: &key}}
		}
		idle := func(key string) bool {
			t.Helper()
			codes := map[string]bool{}
			for _, in := range requests(key) {
				_, err := call(t.Context(), w.as(alice), in)
				codes[codeOf(err)] = true
			}
			if codes[""] {
				succeeds(t, w.as(root), &sdk.CancelKeyDeletionInput{KeyId: &key})
				succeeds(t, w.as(root), &sdk.EnableKeyInput{KeyId: &key})
			}
			require.Len(t, codes, 1, codes)
			return codes[""]
		}
		require.False(t, idle(w.key))
		days(89)
		w.advance(24*time.Hour - time.Second)
		require.False(t, idle(w.key))
		w.advance(time.Second)
		require.True(t, idle(w.key))
		require.True(t, idle(w.other), "a key that was never used: since it was made")
		w.encrypt(t, w.key, nil)
		require.False(t, idle(w.key))
		refused(t, w.as(alice), &sdk.DescribeKeyInput{KeyId: &w.key}, "AccessDeniedException",
			"User: "+alice.Principal+" is not authorized to perform: kms:DescribeKey on resource: "+w.key+" "+noPolicy("identity-based policy", "kms:DescribeKey"))
	})
}

// enduring is a store in memory that outlives its services, counts the updates that
// write uses, and refuses them if it is told to.
type enduring struct {
	*store.Memory
	mu      sync.Mutex
	updates int
	err     error
}

func (*enduring) Close() error { return nil }

func (s *enduring) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.Memory.Update(ctx, func(tx store.Tx) error {
		spy := &usageSpy{Tx: tx}
		if err := fn(spy); err != nil || !spy.written {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			s.updates++
		}
		return s.err
	})
}

// usageSpy notices a write of a use.
type usageSpy struct {
	store.Tx
	written bool
}

func (s *usageSpy) Put(key string, value []byte) error {
	s.written = s.written || strings.Contains(key, "/usage/")
	return s.Tx.Put(key, value)
}

func (s *enduring) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *enduring) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates
}

// open returns a service on the store, by the clock of the bubble that it runs in.
func (s *enduring) open(t *testing.T, configure ...func(*kms.Config)) *kms.Service {
	t.Helper()
	ring, err := keyring.NewRawAES("test", "root", make([]byte, 32))
	require.NoError(t, err)
	config := kms.Config{Store: s, RootKey: ring}
	for _, c := range configure {
		c(&config)
	}
	service, err := kms.New(t.Context(), config)
	require.NoError(t, err)
	return service
}

func newEnduring() *enduring { return &enduring{Memory: store.NewMemory()} }

func createKeys(t *testing.T, api kms.API, n int) (arns []string) {
	t.Helper()
	for range n {
		arns = append(arns, *do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{}).KeyMetadata.Arn)
	}
	return arns
}

func encryptWith(t *testing.T, api kms.API, key string) {
	t.Helper()
	succeeds(t, api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
}

// TestUsesAreStored at most once a minute, in the background of a request, and at the
// end.
func TestUsesAreStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newEnduring()
		service := s.open(t)
		api := service.Client(root)
		keys := createKeys(t, api, 2)
		used := func(of *kms.Service, key string) string {
			return string(lastUse(t, of.Client(root), key).Operation)
		}
		use := func(after time.Duration) int {
			time.Sleep(after)
			encryptWith(t, api, keys[0])
			synctest.Wait()
			return s.count()
		}
		require.Equal(t, 0, use(0))
		require.Equal(t, 0, use(59*time.Second))
		require.Equal(t, "", used(s.open(t), keys[0]), "another service does not know yet")
		require.Equal(t, 1, use(time.Second))
		require.Equal(t, "Encrypt", used(s.open(t), keys[0]))
		require.Equal(t, 1, use(time.Second))
		require.Equal(t, 1, use(58*time.Second))
		require.Equal(t, 2, use(time.Second))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 2, s.count(), "nothing runs by itself")
		require.Equal(t, 3, use(0))
		encryptWith(t, api, keys[1])
		want := lastUse(t, api, keys[1])
		require.NoError(t, service.Close())
		require.Equal(t, 4, s.count())
		require.NoError(t, service.Close())
		require.Equal(t, 4, s.count())
		require.Equal(t, want, lastUse(t, s.open(t).Client(root), keys[1]))
		require.EqualValues(t, "Encrypt", want.Operation)
	})
}

// TestUsesSurviveAFailingStore: no request fails, and nothing is lost.
func TestUsesSurviveAFailingStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newEnduring()
		service := s.open(t)
		api := service.Client(root)
		keys := createKeys(t, api, 200)
		for _, key := range keys {
			encryptWith(t, api, key)
		}
		s.fail(errors.New("disk full"))
		time.Sleep(time.Minute)
		encryptWith(t, api, keys[0])
		synctest.Wait()
		for _, key := range keys {
			require.EqualValues(t, "Encrypt", lastUse(t, api, key).Operation)
			require.Empty(t, lastUse(t, s.open(t).Client(root), key).Operation)
		}
		s.fail(nil)
		time.Sleep(time.Minute)
		encryptWith(t, api, keys[0])
		synctest.Wait()
		require.Equal(t, 5, s.count(), "200 records are more than four updates can write")
		other := s.open(t).Client(root)
		for _, key := range keys {
			require.Equal(t, lastUse(t, api, key), lastUse(t, other, key))
		}
	})
}

// TestLaterUsesWin: those of another service on the store, in whatever order they are
// stored.
func TestLaterUsesWin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newEnduring()
		first, second := s.open(t), s.open(t)
		key := createKeys(t, first.Client(root), 1)[0]
		encryptWith(t, first.Client(root), key)
		time.Sleep(time.Second)
		succeeds(t, second.Client(root), &sdk.GenerateDataKeyInput{KeyId: &key, NumberOfBytes: aws.Int32(1)})
		want := lastUse(t, second.Client(root), key)
		require.NoError(t, second.Close())
		require.Equal(t, want, lastUse(t, first.Client(root), key))
		require.NoError(t, first.Close())
		require.Equal(t, want, lastUse(t, s.open(t).Client(root), key))
		require.EqualValues(t, "GenerateDataKey", want.Operation)
	})
}

// TestUsesOfManyAtOnce has requests use keys while others ask and the clock brings
// flushes.
func TestUsesOfManyAtOnce(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	api := cloud.Client(cloud.Root())
	keys := createKeys(t, api, 8)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 40 {
				key := keys[(i+n)%len(keys)]
				if _, err := api.Encrypt(context.Background(), &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")}); err != nil {
					t.Error(err)
				}
				if out, err := api.GetKeyLastUsage(context.Background(), &sdk.GetKeyLastUsageInput{KeyId: &key}); err != nil || out.KeyLastUsage.Operation != "Encrypt" {
					t.Error(fmt.Errorf("a use was lost: %v %v", out, err))
				}
				cloud.Advance(17 * time.Second)
			}
		})
	}
	wg.Wait()
}
