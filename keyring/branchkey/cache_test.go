package branchkey_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
)

// A branch key is used for exactly the time to live, from the moment at which its
// load began, and reading it does not prolong that.
func TestTimeToLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStatic()
		ring := newRing(t, s, s.id, nil)
		m := sealed(t, ring)
		require.Equal(t, 1, s.count())
		for range 59 {
			time.Sleep(time.Second)
			sealed(t, ring)
		}
		require.Equal(t, 1, s.count())
		time.Sleep(time.Second - time.Nanosecond)
		sealed(t, ring)
		require.Equal(t, 1, s.count())
		time.Sleep(time.Nanosecond)
		sealed(t, ring)
		require.Equal(t, 2, s.count())

		require.NoError(t, opens(t, ring, m), "the version is an entry of its own")
		require.Equal(t, 3, s.count())
		time.Sleep(ttl - time.Nanosecond)
		require.NoError(t, opens(t, ring, m))
		require.Equal(t, 3, s.count())
		time.Sleep(time.Nanosecond)
		require.NoError(t, opens(t, ring, m))
		require.Equal(t, 4, s.count())
	})
}

// After a new version encryption goes on with the old one until the time to live is
// over.
func TestNewVersionsAreSeenAfterTheTimeToLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStatic()
		ring := newRing(t, s, s.id, nil)
		versionOf := func() string {
			return fmt.Sprintf("%x", sealed(t, ring).EncryptedDataKeys()[0].Ciphertext[28:44])
		}
		before := versionOf()
		const next = "11111111-2222-4333-8444-555555555555"
		s.versions = append(s.versions, next)
		s.secrets[next] = make([]byte, branchkey.KeyLen)
		require.Equal(t, before, versionOf())
		time.Sleep(ttl)
		require.Equal(t, "11111111222243338444555555555555", versionOf())
	})
}

// A right that was revoked counts until the time to live is over, unless the cache is
// emptied.
func TestRevokedRights(t *testing.T) {
	t.Parallel()
	revoked := errors.New("access denied")
	synctest.Test(t, func(t *testing.T) {
		s, cache := newStatic(), branchkey.NewCache(0)
		ring := newRing(t, s, s.id, &branchkey.Options{Cache: cache})
		m := sealed(t, ring)
		require.NoError(t, opens(t, ring, m))
		s.fail(revoked)
		time.Sleep(ttl - time.Nanosecond)
		require.NoError(t, opens(t, ring, m))
		sealed(t, ring)
		time.Sleep(time.Nanosecond)
		require.ErrorIs(t, opens(t, ring, m), revoked)
		require.ErrorIs(t, ring.OnEncrypt(t.Context(), encryption(t, nil)), revoked)

		s.fail(nil)
		require.NoError(t, opens(t, ring, m))
		s.fail(revoked)
		cache.Clear()
		require.ErrorIs(t, opens(t, ring, m), revoked)
	})
}

// Keyrings of different times to live keep to their own in a cache that they share.
func TestSharedCacheWithDifferentTimesToLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, o := newStatic(), &branchkey.Options{Cache: branchkey.NewCache(0), Partition: "shared"}
		long, err := branchkey.New(s, s.id, time.Hour, o)
		require.NoError(t, err)
		short, err := branchkey.New(s, s.id, time.Minute, o)
		require.NoError(t, err)
		m := sealed(t, long)
		sealed(t, short)
		require.Equal(t, 1, s.count())
		time.Sleep(time.Minute - time.Nanosecond)
		sealed(t, short)
		require.Equal(t, 1, s.count())
		time.Sleep(time.Nanosecond)
		sealed(t, long)
		require.Equal(t, 1, s.count())
		sealed(t, short) // replaces the entry, for both
		require.Equal(t, 2, s.count())
		sealed(t, long)
		require.Equal(t, 2, s.count())
		require.NoError(t, opens(t, long, m))
		require.Equal(t, 3, s.count())
	})
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	cache := branchkey.NewCache(0)
	shared := func(partition string) *branchkey.Options {
		return &branchkey.Options{Cache: cache, Partition: partition}
	}
	s, renamed := newStatic(), newStatic()
	renamed.name = "another store"
	use := func(s *staticStore, o *branchkey.Options) { sealed(t, newRing(t, s, s.id, o)) }

	use(s, shared("a"))
	use(s, shared("a"))
	require.Equal(t, 1, s.count(), "one partition")
	use(s, shared("b"))
	require.Equal(t, 2, s.count(), "another partition")
	use(s, shared(""))
	use(s, shared(""))
	require.Equal(t, 4, s.count(), "no partition is one that nobody else has")
	use(s, nil)
	require.Equal(t, 5, s.count(), "a cache of its own")
	use(renamed, shared("a"))
	require.Equal(t, 1, renamed.count(), "another store")
	require.Equal(t, branchkey.CacheStats{Hits: 1, Misses: 5, Loads: 5, Entries: 5}, cache.Stats())
}

// nameless is a store that is not Named.
type nameless struct{ branchkey.Store }

// Two stores without a name may hold different keys under one id: they share nothing,
// whatever the partition.
func TestStoresWithoutANameShareNothing(t *testing.T) {
	t.Parallel()
	one, two := newStatic(), newStatic()
	two.secrets = map[string][]byte{two.versions[0]: bytes.Repeat([]byte{9}, branchkey.KeyLen)}
	two.versions = two.versions[:1]
	one.versions = one.versions[:1]
	o := &branchkey.Options{Cache: branchkey.NewCache(0), Partition: "shared"}
	mine, other := newRing(t, nameless{one}, one.id, o), newRing(t, nameless{two}, two.id, o)
	m := sealed(t, mine)
	require.NoError(t, opens(t, mine, m))
	require.ErrorIs(t, opens(t, other, m), keyring.ErrUnwrap, "another store's key")
	n := sealed(t, other)
	require.NoError(t, opens(t, newRing(t, two, two.id, nil), n), "wrapped with a key of its own store")
}

// A key that the store should not have given is not left in memory.
func TestKeysThatAreRefusedAreWiped(t *testing.T) {
	t.Parallel()
	s := &keepingStore{staticStore: newStatic()}
	s.mislabel = "another id"
	ring := newRing(t, s, s.id, nil)
	require.ErrorIs(t, ring.OnEncrypt(t.Context(), encryption(t, nil)), branchkey.ErrResponse)
	require.Len(t, s.keys, 1)
	require.Nil(t, s.keys[0].Bytes())
}

// A store's active key and its version of an empty name, and ids that look alike
// when they are put together, do not meet.
func TestCacheKeysAreApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cache := branchkey.NewCache(0)
	versions := map[string]bool{}
	for _, c := range []struct{ partition, id string }{{"p", "ab"}, {"pa", "b"}, {"p\x00a", "b"}, {"p", "a\x00b"}} {
		id, err := r.CreateKey(t.Context(), c.id+c.partition, tenant)
		require.NoError(t, err)
		m := sealed(t, newRing(t, r, id, &branchkey.Options{Cache: cache, Partition: c.partition}))
		versions[string(m.EncryptedDataKeys()[0].Ciphertext[28:44])] = true
	}
	require.Len(t, versions, 4)
}

func TestRoomIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ring, err := branchkey.NewWithSupplier(r, func(c keyring.EncryptionContext) (string, error) { return c["id"], nil }, ttl,
		&branchkey.Options{MaxKeys: 2})
	require.NoError(t, err)
	ids := []string{r.create(t), r.create(t), r.create(t)}
	use := func(i int) (loads int) {
		r.api.take()
		require.NoError(t, ring.OnEncrypt(t.Context(), encryption(t, keyring.EncryptionContext{"id": ids[i]})))
		return len(r.api.take())
	}
	for _, step := range []struct{ key, loads int }{{0, 1}, {1, 1}, {0, 0}, {2, 1}, {0, 0}, {1, 1}, {2, 1}} {
		require.Equal(t, step.loads, use(step.key), "%v", step)
	}
}

// Hooks see each question to the cache, and what came of it.
func TestHooksSeeTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, o := newStatic(), &branchkey.Options{Cache: branchkey.NewCache(0), Partition: "shared"}
		long, err := branchkey.New(s, s.id, 2*ttl, o)
		require.NoError(t, err)
		short := newRing(t, s, s.id, o)
		var seen []string
		ctx := keyring.WithHooks(t.Context(), &keyring.Hooks{Cache: func(_ context.Context, l keyring.CacheLookup) {
			seen = append(seen, fmt.Sprintf("%s: %s %s", l.Cache, l.Operation, l.Outcome))
		}})
		wrap := func(ring *branchkey.Keyring) *keyring.EncryptionMaterials {
			m := encryption(t, nil)
			require.NoError(t, ring.OnEncrypt(ctx, m))
			return m
		}
		wrap(long)
		m := wrap(short)
		require.NoError(t, short.OnDecrypt(ctx, decryption(t, m), m.EncryptedDataKeys()))
		time.Sleep(ttl)
		wrap(short)
		require.Equal(t, []string{
			"branch keys: wrap miss", "branch keys: wrap hit", "branch keys: unwrap miss",
			"branch keys: wrap spent", "branch keys: wrap miss",
		}, seen)
	})
}

// lateStore takes its time.
type lateStore struct{ *staticStore }

func (l lateStore) ActiveBranchKey(ctx context.Context, id string) (*branchkey.Key, error) {
	key, err := l.staticStore.ActiveBranchKey(ctx, id)
	time.Sleep(ttl / 2)
	return key, err
}

// The time that a load takes is part of the time to live: KMS may have been asked at
// its beginning.
func TestTimeToLiveBeginsWithTheLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := lateStore{newStatic()}
		ring := newRing(t, s, s.id, nil)
		sealed(t, ring)
		time.Sleep(ttl/2 - time.Nanosecond)
		sealed(t, ring)
		require.Equal(t, 1, s.count())
		time.Sleep(time.Nanosecond)
		sealed(t, ring)
		require.Equal(t, 2, s.count())
	})
}

// keepingStore remembers the keys that it hands out.
type keepingStore struct {
	*staticStore
	keys     []*branchkey.Key
	mislabel string // the id to give instead of the right one, if not empty
}

func (k *keepingStore) ActiveBranchKey(ctx context.Context, id string) (*branchkey.Key, error) {
	key, err := k.staticStore.ActiveBranchKey(ctx, id)
	if err == nil && k.mislabel != "" {
		key, err = branchkey.NewKey(k.mislabel, key.Version(), key.Bytes(), nil)
	}
	k.keys = append(k.keys, key)
	return key, err
}

// A key that is out of the cache is overwritten: when it has expired, though nobody
// asks for it any more, and when the cache is emptied.
func TestKeysAreWiped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, cache := &keepingStore{staticStore: newStatic()}, branchkey.NewCache(0)
		ring := newRing(t, s, s.id, &branchkey.Options{Cache: cache})
		sealed(t, ring)
		time.Sleep(ttl + 2*time.Second)
		synctest.Wait()
		require.Nil(t, s.keys[0].Bytes())
		require.Equal(t, branchkey.CacheStats{Misses: 1, Loads: 1, Expirations: 1}, cache.Stats())

		sealed(t, ring)
		cache.Clear()
		require.Nil(t, s.keys[1].Bytes())
	})
}

// slowStore lets a test hold its loads up.
type slowStore struct {
	*staticStore
	gate chan struct{}
	done chan error // gets the error of a load's context when it ends
}

func (s *slowStore) ActiveBranchKey(ctx context.Context, id string) (*branchkey.Key, error) {
	select {
	case <-s.gate:
	case <-ctx.Done():
	}
	if s.done != nil {
		s.done <- ctx.Err()
	}
	return s.staticStore.ActiveBranchKey(ctx, id)
}

// However many need a branch key at once, it is loaded once; who gives up gets an
// answer at once and spoils nothing for the others, even if the load was begun for
// them.
func TestSingleFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{staticStore: newStatic(), gate: make(chan struct{})}
		ring := newRing(t, s, s.id, nil)
		first, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- ring.OnEncrypt(first, encryption(t, nil)) }()
		synctest.Wait()
		errs := make(chan error, 50)
		for range cap(errs) {
			go func() { errs <- ring.OnEncrypt(t.Context(), encryption(t, nil)) }()
		}
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-gaveUp, context.Canceled)
		require.Empty(t, errs)
		close(s.gate)
		for range cap(errs) {
			require.NoError(t, <-errs)
		}
		require.Equal(t, 1, s.count())
	})
}

// A load that nobody waits for any more is cancelled.
func TestAbandonedLoadsAreCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{staticStore: newStatic(), gate: make(chan struct{}), done: make(chan error, 1)}
		ring := newRing(t, s, s.id, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, ring.OnEncrypt(ctx, encryption(t, nil)), context.DeadlineExceeded)
		require.ErrorIs(t, <-s.done, context.Canceled)
	})
}

// The number of calls of KMS does not depend on the number of messages.
func TestKMSIsCalledOncePerVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	r.api.take()
	ring := newRing(t, r, id, nil)
	var wg sync.WaitGroup
	for range 8 {
		m := encryption(t, nil)
		wg.Go(func() {
			for range 100 {
				if err := ring.OnEncrypt(t.Context(), m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	calls := r.api.take()
	require.Len(t, calls, 1)
	require.IsType(t, &kms.DecryptInput{}, calls[0])
	m := sealed(t, ring)
	for range 100 {
		require.NoError(t, opens(t, ring, m))
	}
	require.Len(t, r.api.take(), 1)
}

// Keys expire and are evicted and wiped while others wrap and unwrap with them.
func TestUseWhileKeysExpire(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := []string{r.create(t), r.create(t), r.create(t)}
	cache := branchkey.NewCache(2)
	ring, err := branchkey.NewWithSupplier(r, func(c keyring.EncryptionContext) (string, error) { return c["id"], nil },
		50*time.Microsecond, &branchkey.Options{Cache: cache})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 6 {
		context := keyring.EncryptionContext{"id": ids[g%len(ids)]}
		m := make([]*keyring.EncryptionMaterials, 60)
		d := make([]*keyring.DecryptionMaterials, len(m))
		for i := range m {
			m[i] = encryption(t, context)
			d[i] = decryption(t, m[i])
		}
		wg.Go(func() {
			for i := range m {
				if err := ring.OnEncrypt(t.Context(), m[i]); err != nil {
					t.Errorf("OnEncrypt: %v", err)
					return
				}
				if err := ring.OnDecrypt(t.Context(), d[i], m[i].EncryptedDataKeys()); err != nil {
					t.Errorf("OnDecrypt: %v", err)
					return
				}
				if string(m[i].DataKey()) != string(d[i].DataKey()) {
					t.Error("another data key came back")
				}
				if i%20 == 0 {
					cache.Clear()
				}
			}
		})
	}
	wg.Wait()
	require.Greater(t, cache.Stats().Loads, uint64(6))
}
