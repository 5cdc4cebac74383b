package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/keyringtest"
)

func TestFailoverConformance(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(context.Context) error{
		"all up": nil, "first down": down,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				replica, other := newAES(t, "key"), newAES(t, "other")
				o := keyring.FailoverOptions{Unavailable: isOutage, Timeout: time.Minute}
				first := keyring.Keyring(replica)
				if fails != nil {
					first = fake{
						encrypt: func(ctx context.Context, _ *keyring.EncryptionMaterials) error { return fails(ctx) },
						decrypt: func(ctx context.Context, _ *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
							return fails(ctx)
						},
					}
				}
				// It makes a data key and fails: nothing of it may be left.
				late := newMulti(t, nil, replica, fake{encrypt: failingEncrypt})
				failing := newFailover(t, o, late, replica)
				if fails != nil {
					failing = newFailover(t, o, first, late)
				}
				ring := newFailover(t, o, first, replica)
				return keyringtest.Subject{
					Encrypt: ring, Decrypt: newFailover(t, o, first, other, replica),
					Foreign: newAES(t, "foreign"), Failing: failing,
				}
			})
		})
	}
}

func TestNewFailoverRefuses(t *testing.T) {
	t.Parallel()
	a := newAES(t, "a")
	for text, f := range map[string]func() (*keyring.Failover, error){
		"no keyrings": func() (*keyring.Failover, error) { return keyring.NewFailover(keyring.FailoverOptions{}) },
		"keyring 1 ":  func() (*keyring.Failover, error) { return keyring.NewFailover(keyring.FailoverOptions{}, a, nil) },
		"negative duration": func() (*keyring.Failover, error) {
			return keyring.NewFailover(keyring.FailoverOptions{Timeout: -1}, a)
		},
		"a negative duration": func() (*keyring.Failover, error) {
			return keyring.NewFailover(keyring.FailoverOptions{Cooldown: -1}, a)
		},
	} {
		_, err := f()
		require.ErrorContains(t, err, text)
	}
	rings := []keyring.Keyring{a}
	ring := newFailover(t, keyring.FailoverOptions{}, rings...)
	rings[0] = nil
	require.NoError(t, ring.OnEncrypt(t.Context(), encryption(t, unsigned)))
}

func TestFailoverPrefersTheFirst(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error)) {
		for range 3 {
			asked, err := call(t, t.Context())
			require.NoError(t, err)
			require.Equal(t, "a", asked)
		}
	})
}

// The whole life of an outage: the first call finds out, the others go around, one
// call in each cooldown looks again, and a keyring that is back is the first again.
func TestFailoverRemembersAnOutage(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error)) {
		expect := func(want string) {
			t.Helper()
			asked, err := call(t, t.Context())
			require.NoError(t, err)
			require.Equal(t, want, asked)
		}
		s.a.fail = down
		expect("ab")
		expect("b")
		time.Sleep(30*time.Second - time.Nanosecond)
		expect("b")
		time.Sleep(time.Nanosecond)
		expect("ab")
		expect("b")
		s.b.fail = down
		expect("bc")
		expect("c")
		time.Sleep(30 * time.Second)
		s.a.fail = nil
		expect("a")
		expect("a")
		s.a.fail = down
		expect("abc") // b is due again too
		s.a.fail, s.b.fail = nil, nil
		expect("c")
		s.c.fail = down
		expect("ca") // what is down is tried after all others
		expect("a")
	})
}

func TestFailoverWithAllDown(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error)) {
		s.a.fail, s.b.fail = down, down
		s.c.fail = func(context.Context) error { return &keyring.UnavailableError{} }
		for range 2 { // they are tried even so
			asked, err := call(t, t.Context())
			require.Equal(t, "abc", asked)
			require.ErrorIs(t, err, keyring.ErrUnavailable)
			require.ErrorIs(t, err, errOutage)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newSites(t, keyring.FailoverOptions{Unavailable: isOutage})
		s.a.fail, s.b.fail, s.c.fail = down, hangs, down
		_, err := s.encrypt(t, t.Context())
		var all *keyring.UnavailableError
		require.ErrorAs(t, err, &all)
		require.Len(t, all.Errs, 3)
		require.ErrorIs(t, all.Errs[1], context.DeadlineExceeded)
		require.EqualError(t, err, "keyring: no keyring is available; call: no route to the Region; "+
			"call: context deadline exceeded; call: no route to the Region")
		_, err = s.decrypt(t, t.Context())
		var none *keyring.NoMatchError
		require.ErrorAs(t, err, &none)
		require.Len(t, none.Attempts, 3)
		for _, a := range none.Attempts {
			require.ErrorIs(t, a.Err, keyring.ErrUnavailable)
		}
	})
}

// A refusal is an answer, and no other Region is asked for a better one.
func TestFailoverDoesNotMaskARefusal(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error)) {
		s.a.fail = refuses
		for range 2 {
			asked, err := call(t, t.Context())
			require.ErrorIs(t, err, errRefused)
			require.NotErrorIs(t, err, keyring.ErrUnavailable)
			require.Equal(t, "a", asked)
		}
		s.a.fail, s.b.fail = down, refuses
		asked, err := call(t, t.Context())
		require.ErrorIs(t, err, errRefused)
		require.Equal(t, "ab", asked)
	})
}

// Who refuses is there: after an outage, a refusal is not masked by others until the
// next try.
func TestFailoverTakesARefusalForAnAnswer(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error)) {
		s.a.fail = down
		asked, err := call(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "ab", asked)
		s.a.fail = refuses
		time.Sleep(30 * time.Second)
		for range 3 {
			asked, err = call(t, t.Context())
			require.ErrorIs(t, err, errRefused)
			require.Equal(t, "a", asked)
		}
	})
}

// A keyring that has found nothing to decrypt has called nobody, and says nothing of
// its health.
func TestFailoverLearnsNothingWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSites(t, keyring.FailoverOptions{Unavailable: isOutage})
		s.a.fail = down
		_, err := s.decrypt(t, t.Context())
		require.NoError(t, err)
		s.a.fail = func(context.Context) error { return &keyring.NoMatchError{} }
		time.Sleep(30 * time.Second)
		asked, err := s.decrypt(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "ab", asked)
		asked, err = s.decrypt(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "b", asked)
	})
}

// A load of a cache is detached from its callers, but keyrings have to share their
// time even so: else a Region that hangs takes every caller with a deadline with it.
func TestFailoverSharesTheTimeOfCallersOfACache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSites(t, keyring.FailoverOptions{})
		s.a.fail = hangs
		c := newCaching(t, keyring.NewManager(s), keyring.CachingOptions{})
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
			start := time.Now()
			m, err := c.EncryptionMaterials(ctx, committing)
			require.NoError(t, err)
			require.NoError(t, m.Complete())
			require.Equal(t, 300*time.Millisecond, time.Since(start))
			cancel()
			c.Clear()
		}
	})
}

func TestFailoverDoesNotWaitForARegionThatHangs(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error)) {
		s.a.fail = hangs
		start := time.Now()
		asked, err := call(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "ab", asked)
		require.Equal(t, 2*time.Second, time.Since(start))
		asked, err = call(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "b", asked)
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

// A nil Unavailable knows timeouts and ErrUnavailable only.
func TestFailoverByDefault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSites(t, keyring.FailoverOptions{Timeout: time.Second, Cooldown: time.Hour})
		s.a.fail = down
		asked, err := s.encrypt(t, t.Context())
		require.ErrorIs(t, err, errOutage)
		require.Equal(t, "a", asked)
		s.a.fail, s.b.fail = hangs, func(context.Context) error { return fmt.Errorf("b: %w", keyring.ErrUnavailable) }
		start := time.Now()
		asked, err = s.encrypt(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "abc", asked)
		require.Equal(t, time.Second, time.Since(start))
		s.a.fail, s.b.fail = nil, nil
		time.Sleep(time.Hour - time.Second)
		asked, _ = s.encrypt(t, t.Context())
		require.Equal(t, "c", asked)
		time.Sleep(time.Second)
		asked, _ = s.encrypt(t, t.Context())
		require.Equal(t, "a", asked)
	})
}

// Keyrings share what time a caller has, and the last may use it up.
func TestFailoverSharesTheCallersTime(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error)) {
		s.a.fail, s.b.fail = hangs, hangs
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		asked, err := call(t, ctx)
		require.NoError(t, err)
		require.Equal(t, "abc", asked)
		require.Equal(t, time.Second, time.Since(start))

		// Half a second was too little to tell: a and b are not taken to be down.
		s.a.fail = nil
		asked, err = call(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "a", asked)

		// One second, half of the Timeout, is enough.
		s.a.fail = hangs
		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err = call(t, ctx)
		require.NoError(t, err)
		asked, err = call(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "c", asked)
	})
}

func TestFailoverEndsWithItsContext(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error)) {
		for name, fail := range map[string]func(context.Context) error{
			"own error": hangs, "outage": down, "refusal": refuses,
			"no match": func(context.Context) error { return &keyring.NoMatchError{} },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			s.a.fail = func(ctx context.Context) error {
				cancel()
				<-ctx.Done()
				return fail(ctx)
			}
			asked, err := call(t, ctx)
			require.Equal(t, context.Canceled, err, name)
			require.Equal(t, "a", asked, name)
			asked, err = call(t, ctx)
			require.Equal(t, context.Canceled, err, name)
			require.Empty(t, asked, name)

			s.a.fail = nil // and a is not taken to be down
			asked, err = call(t, t.Context())
			require.NoError(t, err)
			require.Equal(t, "a", asked, name)
		}

		s.a.fail, s.b.fail, s.c.fail = hangs, hangs, hangs
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		defer cancel()
		start := time.Now()
		asked, err := call(t, ctx)
		require.Equal(t, context.DeadlineExceeded, err)
		require.Equal(t, "abc", asked)
		require.Equal(t, 900*time.Millisecond, time.Since(start))
	})
}

// One call looks whether a Region is back; those at the same time do not wait.
func TestFailoverProbesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked := 0
		a, b := newAES(t, "a"), newAES(t, "b")
		ring := newFailover(t, keyring.FailoverOptions{}, fake{encrypt: func(ctx context.Context, m *keyring.EncryptionMaterials) error {
			mu.Lock()
			asked++
			mu.Unlock()
			return hangs(ctx)
		}}, b, a)
		require.NoError(t, ring.OnEncrypt(t.Context(), encryption(t, unsigned)))
		require.Equal(t, 1, asked)
		time.Sleep(30 * time.Second)
		slow := make(chan bool, 20)
		var wg sync.WaitGroup
		for range cap(slow) {
			m := encryption(t, unsigned)
			wg.Go(func() {
				start := time.Now()
				_ = ring.OnEncrypt(t.Context(), m)
				slow <- time.Since(start) > 0
			})
		}
		wg.Wait()
		close(slow)
		waited := 0
		for s := range slow {
			if s {
				waited++
			}
		}
		require.Equal(t, 1, waited)
		require.Equal(t, 2, asked)
	})
}

// A keyring that unwraps by calls to a service reports outages as attempts.
func TestFailoverFindsOutagesAmongAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSites(t, keyring.FailoverOptions{Unavailable: isOutage})
		attempt := func(err error) keyring.Attempt {
			return keyring.Attempt{Provider: "test", Info: []byte("key"), Err: err}
		}
		s.a.fail = func(context.Context) error {
			return &keyring.NoMatchError{Attempts: []keyring.Attempt{attempt(errRefused), attempt(errOutage)}}
		}
		asked, err := s.decrypt(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "ab", asked)
		asked, err = s.decrypt(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, "b", asked)

		noMatch := func(context.Context) error {
			return &keyring.NoMatchError{Attempts: []keyring.Attempt{attempt(errRefused)}}
		}
		s.b.fail, s.c.fail = noMatch, noMatch
		for range 2 { // b and c are up, and a stays the last
			asked, err = s.decrypt(t, t.Context())
			require.Equal(t, "bca", asked)
			var none *keyring.NoMatchError
			require.ErrorAs(t, err, &none)
			require.Equal(t, []keyring.Attempt{attempt(errRefused), attempt(errRefused), attempt(errRefused)}, none.Attempts[:3])
			require.Len(t, none.Attempts, 4)
			require.Equal(t, "key", string(none.Attempts[3].Info))
			require.ErrorIs(t, none.Attempts[3].Err, errOutage)
			require.ErrorIs(t, none.Attempts[3].Err, keyring.ErrUnavailable)
		}
	})
}

func TestFailoverWantsAKeyringToDoItsPart(t *testing.T) {
	t.Parallel()
	idle := fake{
		encrypt: func(context.Context, *keyring.EncryptionMaterials) error { return nil },
		decrypt: func(context.Context, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error { return nil },
	}
	ring := newFailover(t, keyring.FailoverOptions{}, idle, newAES(t, "a"))
	m := encryption(t, unsigned)
	require.ErrorIs(t, ring.OnEncrypt(t.Context(), m), keyring.ErrMaterials)
	require.False(t, m.HasDataKey())
	d := decryption(t, m)
	require.ErrorIs(t, ring.OnDecrypt(t.Context(), d, nil), keyring.ErrMaterials)
	require.False(t, d.HasDataKey())
}

// A data key that an attempt has made and nobody will use is wiped; one that was
// there before is not.
func TestFailoverWipesADraft(t *testing.T) {
	t.Parallel()
	var seen []byte
	halfway := fake{encrypt: func(ctx context.Context, m *keyring.EncryptionMaterials) error {
		if !m.HasDataKey() {
			if err := newAES(t, "a").OnEncrypt(ctx, m); err != nil {
				return err
			}
		}
		seen = m.DataKey()
		return errOutage
	}}
	ring := newFailover(t, keyring.FailoverOptions{Unavailable: isOutage}, halfway, newAES(t, "b"))
	m := encryption(t, unsigned)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	require.Equal(t, make([]byte, 32), seen)
	require.NotEqual(t, seen, m.DataKey())
	require.Len(t, m.EncryptedDataKeys(), 1)
	require.Equal(t, "b", string(m.EncryptedDataKeys()[0].Info[:1]))

	ring = newFailover(t, keyring.FailoverOptions{Unavailable: isOutage}, halfway)
	before := append([]byte(nil), m.DataKey()...)
	require.ErrorIs(t, ring.OnEncrypt(t.Context(), m), keyring.ErrUnavailable)
	require.Equal(t, before, m.DataKey())
}

// Unrelated keys: a Multi of them first, so that what was encrypted before an outage
// outlives it, then each alone.
func TestFailoverOfAMulti(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log []string
		a := &site{newAES(t, "a"), "a", nil, &log}
		b := &site{newAES(t, "b"), "b", nil, &log}
		ring := newFailover(t, keyring.FailoverOptions{Unavailable: isOutage}, newMulti(t, a, b), a, b)
		before, during := encryption(t, unsigned), encryption(t, unsigned)
		require.NoError(t, ring.OnEncrypt(t.Context(), before))
		require.Len(t, before.EncryptedDataKeys(), 2)
		a.fail = down
		require.NoError(t, ring.OnEncrypt(t.Context(), during))
		require.Len(t, during.EncryptedDataKeys(), 1)
		for _, m := range []*keyring.EncryptionMaterials{before, during} {
			d := decryption(t, m)
			require.NoError(t, ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
			require.Equal(t, m.DataKey(), d.DataKey())
		}
	})
}

// The first keyring stands for one whose Region is down.
func ExampleNewFailover() {
	replica, err := keyring.NewRawAES("fleet", "2026-01", make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	first := fake{encrypt: func(context.Context, *keyring.EncryptionMaterials) error { return errOutage }}
	ring, err := keyring.NewFailover(keyring.FailoverOptions{
		Unavailable: func(err error) bool { return errors.Is(err, errOutage) },
	}, first, replica)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := keyring.NewManager(ring).EncryptionMaterials(context.Background(), keyring.EncryptionRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Destroy()
	for _, k := range m.EncryptedDataKeys() {
		fmt.Println(k.Provider)
	}
	// Output: fleet
}
