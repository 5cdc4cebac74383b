package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

// kinds are the two ways to make a store.
var kinds = map[string]func(testing.TB, store.Store, keyring.Keyring) *store.Sealed{
	"tallied": seal, "untallied": sealUntallied,
}

// fillWith puts n records, some of them long, and returns all contents.
func fillWith(t testing.TB, s store.Store, n int) map[string]string {
	t.Helper()
	for i := 0; i < n; i += 50 {
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
			for j := i; j < min(i+50, n); j++ {
				size := 10
				if j%40 == 7 {
					size = 20_000
				}
				if err := tx.Put(fmt.Sprintf("key/%04d", j), bytes.Repeat([]byte{byte(j)}, size)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	contents, _ := dump(t, s)
	require.Len(t, contents, n)
	return contents
}

// expectEpoch fails unless every record of inner is of one epoch and root alone opens
// the store, which holds want.
func expectEpoch(t testing.TB, inner store.Store, epoch byte, root keyring.Keyring, want map[string]string) {
	t.Helper()
	for key, record := range raw(t, inner) {
		if key != head {
			require.Equal(t, []byte{2, 0, 0, 0, epoch}, []byte(record)[:5], key)
		}
	}
	s := seal(t, inner, root)
	got, _ := dump(t, s)
	require.Equal(t, want, got)
	r := verify(t, s)
	require.NoError(t, r.Err())
	require.Equal(t, []uint32{uint32(epoch)}, r.Epochs)
}

func TestRekey(t *testing.T) {
	t.Parallel()
	for name, create := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := store.NewMemory()
			s := create(t, inner, rootKey(t, 1))
			want := fillWith(t, s, 500)
			before := raw(t, inner)
			var steps [][2]int
			require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), func(done, total int) {
				steps = append(steps, [2]int{done, total})
			}))
			got, _ := dump(t, s)
			require.Equal(t, want, got)
			expectEpoch(t, inner, 2, rootKey(t, 2), want)
			for key, record := range raw(t, inner) {
				require.NotEqual(t, before[key], record)
			}
			_, err := store.Seal(t.Context(), inner, rootKey(t, 1), nil)
			require.ErrorIs(t, err, store.ErrRootKey)

			require.Equal(t, [2]int{0, 500}, steps[0])
			require.Equal(t, [2]int{500, 500}, steps[len(steps)-1])
			require.True(t, slices.IsSortedFunc(steps, func(a, b [2]int) int { return a[0] - b[0] }))
			require.Greater(t, len(steps), 500/64, "a few in each update")

			put(t, s, "new", "1")
			want["new"] = "1"
			expectEpoch(t, inner, 2, rootKey(t, 2), want)
			require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), nil), "the same root key, a new sealing key")
			require.NoError(t, s.Rekey(t.Context(), rootKey(t, 1), nil))
			expectEpoch(t, inner, 4, rootKey(t, 1), want)
		})
	}
}

func TestRekeyOfAnEmptyStore(t *testing.T) {
	t.Parallel()
	for name, create := range kinds {
		inner := store.NewMemory()
		s := create(t, inner, rootKey(t, 1))
		calls := 0
		require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), func(done, total int) {
			require.Zero(t, done+total, name)
			calls++
		}))
		require.Equal(t, 1, calls)
		expectEpoch(t, inner, 2, rootKey(t, 2), map[string]string{})
	}
}

// The largest record that an update can write can be sealed anew.
func TestRekeyOfALargeRecord(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	want := map[string]string{"a": "1", "b": strings.Repeat("b", store.MaxBytes-store.SealOverhead-1), "c": "2"}
	for key, value := range want {
		put(t, s, key, value)
	}
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), nil))
	expectEpoch(t, inner, 2, rootKey(t, 2), want)
}

// Wherever the store fails, root keys old and new between them open it, nothing is lost,
// and the same call on the same store or on one that was opened anew finishes.
func TestRekeyUnderFaults(t *testing.T) {
	t.Parallel()
	for name, create := range kinds {
		for _, fault := range []storetest.Fault{storetest.Refused, storetest.Undone, storetest.InDoubt} {
			for _, reopen := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%v/reopen=%t", name, fault, reopen), func(t *testing.T) {
					t.Parallel()
					n := 1
					for rekeyWithFault(t, create, n, fault, reopen) {
						n++
					}
					require.Greater(t, n, 15, "every call was tried")
				})
			}
		}
	}
}

// rekeyWithFault has the nth call of a Rekey fail, and reports whether there was one.
func rekeyWithFault(t *testing.T, create func(testing.TB, store.Store, keyring.Keyring) *store.Sealed, n int, fault storetest.Fault, reopen bool) bool {
	inner := store.NewMemory()
	want := fillWith(t, create(t, inner, rootKey(t, 1)), 70)
	opening := storetest.FailAt(inner, 0, fault)
	seal(t, opening, rootKey(t, 1))
	faulty := storetest.FailAt(storetest.Twice(inner), opening.Calls()+n, fault)
	s := seal(t, faulty, rootKey(t, 1))
	err := s.Rekey(t.Context(), rootKey(t, 2), nil)
	if faulty.Calls() < opening.Calls()+n {
		require.NoError(t, err)
		return false
	}
	if err == nil { // the call had failed anyway: it found a new head
		require.NotEqual(t, storetest.Refused, fault)
		expectEpoch(t, inner, 2, rootKey(t, 2), want)
		return true
	}
	require.ErrorIs(t, err, storetest.ErrInjected, n)

	epochs := verify(t, seal(t, inner, multi(t, rootKey(t, 1), rootKey(t, 2)))).Epochs
	begun := len(epochs) == 2 || epochs[0] == 2
	root := rootKey(t, 1)
	if begun {
		root = rootKey(t, 2)
	}
	opened := seal(t, inner, root)
	require.NoError(t, verify(t, opened).Err(), n)
	for _, s := range []store.Store{s, opened} {
		got, _ := dump(t, s)
		require.Equal(t, want, got, n)
	}
	put(t, s, "after/s", "1")
	put(t, opened, "after/opened", "2")
	want["after/s"], want["after/opened"] = "1", "2"

	again := s
	if reopen {
		again = opened
	}
	require.NoError(t, again.Rekey(t.Context(), rootKey(t, 2), nil), n)
	last := byte(2)
	if len(epochs) == 1 && begun { // it had finished, but for the news of it
		last = 3
	}
	expectEpoch(t, inner, last, rootKey(t, 2), want)
	return true
}

// What the root keys do while the store is rekeyed.
func TestRekeyWithFailingRoots(t *testing.T) {
	t.Parallel()
	down := errors.New("the key service is down")
	fail := func() error { return down }
	for name, root := range map[string]keyring.Keyring{
		"encrypt": &spyRing{Keyring: rootKey(t, 2), onEncrypt: fail},
		"decrypt": &spyRing{Keyring: rootKey(t, 2), onDecrypt: fail},
		"one way": &halves{rootKey(t, 2), rootKey(t, 3)},
	} {
		inner := store.NewMemory()
		s := seal(t, inner, rootKey(t, 1))
		put(t, s, "a", "1")
		before := raw(t, inner)
		err := s.Rekey(t.Context(), root, nil)
		if name == "one way" {
			require.ErrorIs(t, err, store.ErrRootKey, name)
		} else {
			require.ErrorIs(t, err, down, name)
		}
		require.Equal(t, before, raw(t, inner), name)
		put(t, s, "b", "2")
		require.NoError(t, s.Rekey(t.Context(), rootKey(t, 3), nil), "another one can follow")
		expectEpoch(t, inner, 2, rootKey(t, 3), map[string]string{"a": "1", "b": "2"})
	}

	inner := store.NewMemory()
	old := &spyRing{Keyring: rootKey(t, 1)}
	s := seal(t, inner, old)
	put(t, s, "a", "1")
	before := raw(t, inner)
	old.onDecrypt = fail
	err := s.Rekey(t.Context(), rootKey(t, 2), nil)
	require.ErrorIs(t, err, store.ErrRootKey)
	require.ErrorIs(t, err, down)
	require.Equal(t, before, raw(t, inner))
	old.onDecrypt = nil
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), func(int, int) { old.onDecrypt = fail }), "lost once it has begun")
	require.Equal(t, "1", mustGet(t, s, "a"))
}

func TestRekeyAsksTheRootsOutsideOfTransactions(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	lock := func() error { // would wait for itself inside an update
		return inner.Update(t.Context(), func(store.Tx) error { return nil })
	}
	old := &spyRing{Keyring: rootKey(t, 1), onEncrypt: lock, onDecrypt: lock}
	s := seal(t, inner, old)
	put(t, s, "a", "1")
	next := &spyRing{Keyring: rootKey(t, 2), onEncrypt: lock, onDecrypt: lock}
	require.NoError(t, s.Rekey(t.Context(), next, nil))
	require.Positive(t, next.calls)
	calls := old.calls
	require.Equal(t, "1", mustGet(t, s, "a"))
	require.Equal(t, calls, old.calls, "the old root is forgotten")
}

// half begins a Rekey and has it fail when it has sealed some records anew.
func half(t testing.TB, inner store.Store, from, to keyring.Keyring) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := seal(t, inner, from)
	require.ErrorIs(t, s.Rekey(ctx, to, func(done, _ int) {
		if done > 0 {
			cancel()
		}
	}), context.Canceled)
	r := verify(t, s)
	require.NoError(t, r.Err())
	require.Len(t, r.Epochs, 2)
}

func TestRekeyGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	want := fillWith(t, seal(t, inner, rootKey(t, 1)), 300)
	half(t, inner, rootKey(t, 1), rootKey(t, 2))
	_, err := store.Seal(t.Context(), inner, rootKey(t, 1), nil)
	require.ErrorIs(t, err, store.ErrRootKey)
	s := seal(t, inner, rootKey(t, 2))
	total := 0
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), func(_, n int) { total = max(total, n) }))
	require.Less(t, total, 300, "what was done is not done again")
	require.Positive(t, total)
	expectEpoch(t, inner, 2, rootKey(t, 2), want)
}

// A Rekey to one root that has not finished is finished before one to another begins.
func TestRekeyToAThirdRoot(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	want := fillWith(t, seal(t, inner, rootKey(t, 1)), 300)
	half(t, inner, rootKey(t, 1), rootKey(t, 2))
	s := seal(t, inner, rootKey(t, 2))
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 3), nil))
	expectEpoch(t, inner, 3, rootKey(t, 3), want)
}

func TestRekeyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Rekey(ctx, rootKey(t, 2), nil), context.Canceled)
	inside := make(chan error)
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), func(int, int) {
		go func() { inside <- s.Rekey(ctx, rootKey(t, 3), nil) }()
		require.ErrorIs(t, <-inside, context.Canceled, "one waits for the other")
	}))
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Rekey(t.Context(), rootKey(t, 2), nil), store.ErrClosed)
}

// A record that does not open keeps its place, and the old key with it.
func TestRekeyNamesDamagedRecords(t *testing.T) {
	t.Parallel()
	for name, create := range kinds {
		inner := store.NewMemory()
		s := create(t, inner, rootKey(t, 1))
		want := fillWith(t, s, 200)
		intact := map[string][]byte{}
		for _, key := range []string{"key/0003", "key/0120"} {
			intact[key] = rawGet(t, inner, key)
			broken := bytes.Clone(intact[key])
			broken[len(broken)-17] ^= 1
			rawPut(t, inner, key, broken)
		}
		for range 2 {
			err := s.Rekey(t.Context(), rootKey(t, 2), nil)
			require.ErrorIs(t, err, store.ErrDamaged, name)
			require.ErrorContains(t, err, "key/0003")
			require.ErrorContains(t, err, "key/0120")
			r := verify(t, salvage(t, inner, rootKey(t, 2)))
			require.Equal(t, []uint32{1, 2}, r.Epochs)
			require.Equal(t, []string{"key/0003", "key/0120"}, r.Damaged)
		}
		for key, record := range intact {
			require.Equal(t, byte(1), rawGet(t, inner, key)[4], "still of the old epoch")
			rawPut(t, inner, key, record)
		}
		require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), nil), name)
		expectEpoch(t, inner, 2, rootKey(t, 2), want)
	}
}

// What was deleted or put back meanwhile is noticed before the old key is given up.
func TestRekeyFindsRollback(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(inner store.Store, old map[string]string){
		"a record of the old epoch is deleted": func(inner store.Store, _ map[string]string) { rawDelete(t, inner, "key/0199") },
		"one that was sealed anew is put back": func(inner store.Store, old map[string]string) {
			rawPut(t, inner, "key/0001", []byte(old["key/0001"]))
		},
		"the tally is put back":  func(inner store.Store, old map[string]string) { rawPut(t, inner, tally, []byte(old[tally])) },
		"the tally is deleted":   func(inner store.Store, _ map[string]string) { rawDelete(t, inner, tally) },
		"another record appears": func(inner store.Store, old map[string]string) { rawPut(t, inner, "key/1", []byte(old["gone"])) },
	} {
		inner := store.NewMemory()
		s := seal(t, inner, rootKey(t, 1))
		fillWith(t, s, 200)
		put(t, s, "gone", "1")
		old := raw(t, inner)
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("gone") }))
		attacked := false
		err := s.Rekey(t.Context(), rootKey(t, 2), func(done, _ int) {
			if done > 0 && !attacked {
				attacked = true
				attack(inner, old)
			}
		})
		require.True(t, attacked, name)
		require.True(t, errors.Is(err, store.ErrRollback) || errors.Is(err, store.ErrDamaged), "%s: %v", name, err)
		require.Error(t, verify(t, salvage(t, inner, rootKey(t, 2))).Err(), name)
	}
}

// Engines that have the store open with both root keys go on reading and writing while
// one of them rekeys it, again and again.
func TestRekeyAmongOthers(t *testing.T) {
	t.Parallel()
	for name, create := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := store.NewMemory()
			first := create(t, inner, rootKey(t, 1))
			want := fillWith(t, first, 200)
			roots := []keyring.Keyring{rootKey(t, 1), rootKey(t, 2), rootKey(t, 3), rootKey(t, 4)}
			var wg sync.WaitGroup
			var stop atomic.Bool
			counts := make([]int, 4)
			for i := range counts {
				s := first
				if i > 0 {
					s = seal(t, inner, multi(t, roots...))
				}
				wg.Go(func() {
					for !stop.Load() || counts[i] == 0 {
						counts[i]++
						if !writeAndRead(t, s, i, counts[i]) {
							return
						}
					}
				})
			}
			watched := make(chan error, 1)
			go func() { watched <- watchCounts(t, seal(t, inner, multi(t, roots...)), len(counts)) }()
			for i := range 3 {
				require.NoError(t, first.Rekey(t.Context(), roots[i+1], nil))
			}
			stop.Store(true)
			wg.Wait()
			put(t, first, "end", "")
			require.NoError(t, <-watched)
			for i, n := range counts {
				want[fmt.Sprint("count/", i)] = fmt.Sprint(n)
				want["shared"] = mustGet(t, first, "shared")
			}
			want["end"] = ""
			expectEpoch(t, inner, 4, rootKey(t, 4), want)
		})
	}
}

func writeAndRead(t *testing.T, s store.Store, i, n int) bool {
	err := s.Update(t.Context(), func(tx store.Tx) error {
		if v, err := tx.Get("key/0100"); err != nil || !bytes.Equal(v, bytes.Repeat([]byte{100}, 10)) {
			return fmt.Errorf("key/0100 is %x, %w", v, err)
		}
		return errors.Join(tx.Put(fmt.Sprint("count/", i), fmt.Append(nil, n)), tx.Put("shared", fmt.Append(nil, i)))
	})
	if err == nil {
		err = s.View(t.Context(), func(tx store.Tx) error {
			v, err := tx.Get(fmt.Sprint("count/", i))
			if err == nil && string(v) != fmt.Sprint(n) {
				return fmt.Errorf("count %d is %s instead of %d", i, v, n)
			}
			return err
		})
	}
	if err != nil {
		t.Errorf("writer %d, round %d: %v", i, n, err)
	}
	return err == nil
}

// watchCounts follows the counts of writeAndRead until the end, or as far as it is let.
func watchCounts(t *testing.T, s store.Store, n int) error {
	_, from := dump(t, s)
	last := make(map[string]int, n)
	for c, err := range s.Watch(t.Context(), "", from) {
		if errors.Is(err, store.ErrCompacted) {
			return nil // too slow for three new epochs, and was told
		} else if err != nil {
			return err
		}
		if c.Key == "end" {
			return nil
		}
		if strings.HasPrefix(c.Key, "count/") {
			var count int
			if _, err := fmt.Sscan(string(c.Value), &count); err != nil {
				return err
			}
			if count < last[c.Key] || count > last[c.Key]+1 && last[c.Key] > 0 {
				return fmt.Errorf("%s goes from %d to %d", c.Key, last[c.Key], count)
			}
			last[c.Key] = count
		}
	}
	return errors.New("the watch ended")
}

// An engine that was given the old root only cannot go on, and says so; it harms nothing.
func TestRekeyShutsOutTheOldRoot(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s, other := seal(t, inner, rootKey(t, 1)), seal(t, inner, rootKey(t, 1))
	put(t, other, "a", "1")
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), func(int, int) {
		before := raw(t, inner)
		_, err := get(t, other, "a")
		require.ErrorIs(t, err, store.ErrRootKey)
		require.ErrorIs(t, other.Update(t.Context(), func(tx store.Tx) error { return tx.Put("b", nil) }), store.ErrRootKey)
		require.ErrorIs(t, other.Rekey(t.Context(), rootKey(t, 3), nil), store.ErrRootKey)
		require.Equal(t, before, raw(t, inner))
	}))
	before := raw(t, inner)
	require.ErrorIs(t, other.Update(t.Context(), func(tx store.Tx) error { return tx.Put("b", nil) }), store.ErrRootKey)
	require.Equal(t, before, raw(t, inner))
	require.NoError(t, other.Rekey(t.Context(), rootKey(t, 2), nil), "it is given the new one")
	require.Equal(t, "1", mustGet(t, other, "a"))
	expectEpoch(t, inner, 3, rootKey(t, 2), map[string]string{"a": "1"})
}

// A watch reads what newer keys have sealed, without anything else being asked of its
// store; what was sealed with keys that are gone it cannot.
func TestWatchAcrossRekey(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s, other := seal(t, inner, rootKey(t, 1)), seal(t, inner, multi(t, rootKey(t, 1), rootKey(t, 2)))
	put(t, s, "a", "1")
	_, before := dump(t, s)
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), nil))
	put(t, s, "a", "2")
	var got []string
	for c, err := range other.Watch(t.Context(), "", before) {
		require.NoError(t, err)
		if got = append(got, c.Key+"="+string(c.Value)); len(got) == 2 {
			break
		}
	}
	require.Equal(t, []string{"a=1", "a=2"}, got)
	_, err := firstChange(t, other, 0)
	require.ErrorIs(t, err, store.ErrCompacted)

	changed := rawGet(t, inner, "a")
	changed[4] = 9 // an epoch that there never was
	_, now := dump(t, inner)
	rawPut(t, inner, "a", changed)
	_, err = firstChange(t, other, now)
	require.ErrorIs(t, err, store.ErrDamaged)
}

// TestNothingIsSealedWithAnOldKey puts an old head back that the same root opens. Whoever
// has got hold of the sealing key that was given up reads nothing that is written now.
func TestNothingIsSealedWithAnOldKey(t *testing.T) {
	t.Parallel()
	for name, create := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := store.NewMemory()
			s := create(t, inner, rootKey(t, 1))
			put(t, s, "a", "1")
			old := rawGet(t, inner, head)
			require.NoError(t, s.Rekey(t.Context(), rootKey(t, 1), nil))
			before := raw(t, inner)
			before[head] = string(old)
			rawPut(t, inner, head, old)
			err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("b", []byte("2")) })
			require.ErrorIs(t, err, store.ErrRollback)
			require.Equal(t, before, raw(t, inner))
			require.ErrorIs(t, s.Rekey(t.Context(), rootKey(t, 1), nil), store.ErrRollback)
			require.Equal(t, before, raw(t, inner))
		})
	}
}

// TestTallyOfARecordThatWasHidden: what the doc of Sealed says that a tally cannot tell.
func TestTallyOfARecordThatWasHidden(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	put(t, s, "a", "1")
	hidden := rawGet(t, inner, "a")
	rawDelete(t, inner, "a")
	require.Equal(t, store.TallyDiffers, verify(t, s).Tally)
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("a") }))
	rawPut(t, inner, "a", hidden)
	require.Equal(t, store.TallyMatches, verify(t, s).Tally)
}

// A head that is put back, or one of another store, does not let in what it should not.
func TestOldHeads(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	put(t, s, "a", "1")
	old := raw(t, inner)
	var during []byte
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), func(int, int) { during = rawGet(t, inner, head) }))
	require.Equal(t, "1", mustGet(t, s, "a"))
	now := raw(t, inner)

	rawPut(t, inner, head, []byte(old[head]))
	_, err := get(t, s, "a")
	require.ErrorIs(t, err, store.ErrRollback)
	_, err = store.Seal(t.Context(), inner, multi(t, rootKey(t, 1), rootKey(t, 2)), nil)
	require.ErrorIs(t, err, store.ErrDamaged, "there is nothing that the old key opens")

	rawPut(t, inner, head, during) // the old key beside the new one
	_, err = get(t, s, "a")
	require.ErrorIs(t, err, store.ErrRollback)
	require.ErrorIs(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("a", nil) }), store.ErrRollback)
	rawPut(t, inner, "a", []byte(old["a"]))
	_, err = store.Seal(t.Context(), inner, rootKey(t, 2), nil)
	require.ErrorIs(t, err, store.ErrRollback)
	salvaged := salvage(t, inner, rootKey(t, 2))
	require.Equal(t, "1", mustGet(t, salvaged, "a"))
	require.ErrorIs(t, verify(t, salvaged).Err(), store.ErrRollback)

	restore(t, inner, now)
	require.Equal(t, "1", mustGet(t, s, "a"), "what is mended is read again")
	other := store.NewMemory()
	put(t, seal(t, other, rootKey(t, 2)), "a", "other")
	stolen := raw(t, other)
	restore(t, inner, stolen)
	_, err = get(t, s, "a")
	require.ErrorIs(t, err, store.ErrDamaged, "another store's head")
	rawDelete(t, inner, head)
	_, err = get(t, s, "a")
	require.ErrorIs(t, err, store.ErrNotSealed)
	restore(t, inner, nil)
	_, err = get(t, s, "a")
	require.ErrorIs(t, err, store.ErrNotSealed)
	restore(t, inner, now)
	require.Equal(t, "1", mustGet(t, s, "a"))
}

// Without a tally, the head from while the store was rekeyed lets the old sealing key in
// again where the store is opened, until it is rekeyed once more.
func TestOldHeadsWithoutTally(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := sealUntallied(t, inner, rootKey(t, 1))
	put(t, s, "a", "1")
	old := rawGet(t, inner, "a")
	var during []byte
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), func(int, int) { during = rawGet(t, inner, head) }))
	put(t, s, "a", "2")
	now := raw(t, inner)
	rawPut(t, inner, "a", old)
	_, err := get(t, s, "a")
	require.ErrorIs(t, err, store.ErrDamaged)
	rawPut(t, inner, head, during)
	_, err = get(t, s, "a")
	require.ErrorIs(t, err, store.ErrRollback, "this one has seen a newer head")
	require.Equal(t, "1", mustGet(t, seal(t, inner, rootKey(t, 2)), "a"))
	restore(t, inner, now)
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 3), nil))
	rawPut(t, inner, head, during)
	_, err = store.Seal(t.Context(), inner, rootKey(t, 3), nil)
	require.ErrorIs(t, err, store.ErrRootKey)
}

// conflicts refuses the first few updates that touch more than one record, as a store
// would whose other writers are always faster.
type conflicts struct {
	store.Store
	refused *atomic.Int64
}

func (c conflicts) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.Store.Update(ctx, func(tx store.Tx) error {
		touched := touchedTx{Tx: tx, keys: map[string]struct{}{}}
		if err := fn(touched); err != nil {
			return err
		}
		maps.DeleteFunc(touched.keys, func(key string, _ struct{}) bool { return key[0] == 0 })
		if len(touched.keys) > 1 || c.refused.Load()%3 == 0 {
			c.refused.Add(1)
			return store.ErrConflict
		}
		if len(touched.keys) == 1 {
			c.refused.Add(1)
		}
		return nil
	})
}

type touchedTx struct {
	store.Tx
	keys map[string]struct{}
}

func (t touchedTx) Get(key string) ([]byte, error) {
	t.keys[key] = struct{}{}
	return t.Tx.Get(key)
}

func TestRekeyAgainstConflicts(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	want := fillWith(t, seal(t, inner, rootKey(t, 1)), 150)
	var refused atomic.Int64
	s := seal(t, conflicts{inner, &refused}, rootKey(t, 1))
	require.NoError(t, s.Rekey(t.Context(), rootKey(t, 2), nil))
	require.Greater(t, refused.Load(), int64(150))
	expectEpoch(t, inner, 2, rootKey(t, 2), want)
}
