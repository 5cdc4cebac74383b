package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// answer is what one of several requests gets.
type answer struct {
	m   *keyring.EncryptionMaterials
	err error
}

func ask(ctx context.Context, m keyring.Manager, r keyring.EncryptionRequest) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		m, err := m.EncryptionMaterials(ctx, r)
		got <- answer{m, err}
	}()
	return got
}

// All who want the same wait for one request to the underlying manager; those of
// them who give up, be it the first, hurt nobody.
func TestCachingSingleFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t)
		open := make(chan struct{})
		o.encrypt = func(context.Context, keyring.EncryptionRequest) { <-open }
		c := newCaching(t, o, keyring.CachingOptions{MaxMessages: 7})
		hasty, cancel := context.WithCancel(t.Context())
		var given, kept []<-chan answer
		for range 3 {
			given = append(given, ask(hasty, c, committing))
			synctest.Wait() // so that the first is one who will give up
		}
		for range 10 {
			kept = append(kept, ask(t.Context(), c, committing))
		}
		synctest.Wait()
		cancel()
		for _, got := range given {
			require.ErrorIs(t, (<-got).err, context.Canceled, "at once")
		}
		close(open)
		uses := map[string]int{}
		for _, got := range kept {
			a := <-got
			require.NoError(t, a.err)
			uses[string(a.m.DataKey())]++
		}
		require.Len(t, uses, 2)
		for _, n := range uses {
			require.Contains(t, []int{3, 7}, n, "who has given up has used nothing")
		}
		require.Equal(t, keyring.CachingStats{Misses: 13, Loads: 2, SpentMessages: 1, Entries: 1}, c.Stats())
	})
}

// While the underlying manager works for others, the caller who has given up may change
// what it asked with.
func TestCachingKeepsNothingOfTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t)
		open := make(chan struct{})
		o.encrypt = func(context.Context, keyring.EncryptionRequest) { <-open }
		c := newCaching(t, o, keyring.CachingOptions{})
		r := committing
		r.Context = keyring.EncryptionContext{"tenant": "42", "secret": "x"}
		r.RequiredContextKeys = []string{"secret"}
		ctx, cancel := context.WithCancel(t.Context())
		first := ask(ctx, c, r)
		synctest.Wait()
		same := committing
		same.Context = keyring.EncryptionContext{"tenant": "42", "secret": "x"}
		same.RequiredContextKeys = []string{"secret"}
		second := ask(t.Context(), c, same)
		synctest.Wait()
		cancel()
		require.ErrorIs(t, (<-first).err, context.Canceled)
		r.Context["tenant"] = "43"
		r.RequiredContextKeys[0] = "tenant"
		close(open)
		got := <-second
		require.NoError(t, got.err)
		require.Equal(t, same.Context, got.m.Context())
		require.Equal(t, keyring.EncryptionContext{"secret": "x"}, got.m.RequiredContext())
	})
}

// gated is a manager whose decryption waits.
type gated struct {
	keyring.Manager
	open chan struct{}
}

func (g gated) DecryptionMaterials(ctx context.Context, r keyring.DecryptionRequest) (*keyring.DecryptionMaterials, error) {
	<-g.open
	return g.Manager.DecryptionMaterials(ctx, r)
}

// The same for decryption: the encrypted data keys are the caller's, and others wait
// for what they hold.
func TestCachingKeepsNoEncryptedDataKeyOfTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t)
		m := seal(t, o, committing)
		g := gated{o, make(chan struct{})}
		c := newCaching(t, g, keyring.CachingOptions{})
		// The requests of two callers: equal, with nothing in common.
		request := func() keyring.DecryptionRequest {
			r := opening(m)
			r.EncryptedDataKeys = []keyring.EncryptedDataKey{r.EncryptedDataKeys[0].Clone()}
			r.Reproduced = keyring.EncryptionContext{"tenant": "42"}
			return r
		}
		r := request()
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := c.DecryptionMaterials(ctx, r)
			first <- err
		}()
		synctest.Wait()
		var got *keyring.DecryptionMaterials
		go func() {
			var err error
			got, err = c.DecryptionMaterials(t.Context(), request())
			second <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		r.EncryptedDataKeys[0].Ciphertext[0] ^= 1
		r.EncryptedDataKeys[0].Info[0] ^= 1
		r.Context["tenant"], r.Reproduced["tenant"] = "43", "44"
		close(g.open)
		require.NoError(t, <-second)
		require.Equal(t, m.DataKey(), got.DataKey())
	})
}

func TestCachingCancelsWhatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("stopped")
		var ended error
		c := newCaching(t, keyring.NewManager(fake{encrypt: func(ctx context.Context, _ *keyring.EncryptionMaterials) error {
			<-ctx.Done()
			ended = ctx.Err()
			return cause
		}}), keyring.CachingOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		one, two := ask(ctx, c, committing), ask(ctx, c, committing)
		require.ErrorIs(t, (<-one).err, context.DeadlineExceeded)
		require.ErrorIs(t, (<-two).err, context.DeadlineExceeded)
		synctest.Wait()
		require.ErrorIs(t, ended, context.Canceled)
	})
}

// Several goroutines encrypt and decrypt while entries expire, are spent and are
// evicted all the time. Were an entry wiped in anybody's hands, messages would not
// open.
func TestCachingWhileEntriesExpire(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	c := newCaching(t, o, keyring.CachingOptions{MaxAge: 500 * time.Microsecond, MaxMessages: 20, Capacity: 5})
	plain := keyring.NewManager(newAES(t, "key")) // a judge without a cache
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 300 {
				plaintext := []byte(fmt.Sprint("message ", i))
				o := &envelope.EncryptOptions{
					Suite:   keyring.AES256GCMHKDFSHA512CommitKey,
					Context: keyring.EncryptionContext{"tenant": fmt.Sprint((worker + i) % 3)},
				}
				message, err := envelope.Encrypt(t.Context(), c, plaintext, o)
				if err != nil {
					t.Error(err)
					return
				}
				for _, m := range []keyring.Manager{c, plain, c} {
					got, _, err := envelope.Decrypt(t.Context(), m, message, nil)
					if err != nil || !bytes.Equal(got, plaintext) {
						t.Errorf("%q, %v", got, err)
					}
				}
				if i%100 == 99 {
					c.Clear()
				}
			}
		})
	}
	wg.Wait()
	s := c.Stats()
	require.EqualValues(t, 4*300*3, s.Hits+s.Misses)
	require.LessOrEqual(t, s.Loads, s.Misses)
	require.NotZero(t, s.Expirations)
	require.Zero(t, s.Failures+s.Bypasses)
	c.Clear()
	o.mu.Lock()
	defer o.mu.Unlock()
	require.EqualValues(t, s.Loads, len(o.sealing)+len(o.opening))
	for _, m := range o.sealing {
		require.False(t, m.HasDataKey(), "each is wiped in the end")
	}
	for _, m := range o.opening {
		require.False(t, m.HasDataKey())
	}
}
