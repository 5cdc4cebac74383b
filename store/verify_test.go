package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

// salvage opens what is left of a store.
func salvage(t testing.TB, inner store.Store, root keyring.Keyring) *store.Sealed {
	t.Helper()
	s, err := store.Seal(t.Context(), inner, root, &store.SealOptions{Salvage: true})
	require.NoError(t, err)
	return s
}

func verify(t testing.TB, s *store.Sealed) *store.Report {
	t.Helper()
	r, err := s.Verify(t.Context())
	require.NoError(t, err)
	return r
}

// raw is everything that an inner store holds.
func raw(t testing.TB, inner store.Store) map[string]string {
	t.Helper()
	all, _ := dump(t, inner)
	return all
}

// restore makes the inner store hold all and nothing else.
func restore(t testing.TB, inner store.Store, all map[string]string) {
	t.Helper()
	require.NoError(t, inner.Update(t.Context(), func(tx store.Tx) error {
		for e := range tx.Scan("", "") {
			if _, ok := all[e.Key]; !ok {
				require.NoError(t, tx.Delete(e.Key))
			}
		}
		for key, value := range all {
			require.NoError(t, tx.Put(key, []byte(value)))
		}
		return nil
	}))
}

func rawDelete(t testing.TB, inner store.Store, key string) {
	t.Helper()
	require.NoError(t, inner.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(key) }))
}

func TestVerifyFindsNothing(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	r := verify(t, s)
	require.Equal(t, store.TallyMatches, r.Tally)
	require.Zero(t, r.Records)
	for i := range 300 {
		put(t, s, fmt.Sprint("key/", i%200), fmt.Sprint(i))
	}
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Delete("key/0"), tx.Put("key/1", nil), tx.Delete("key/1"), tx.Put("key/1", nil),
			tx.Put("new", nil), tx.Delete("new"), tx.Delete("never"))
	}))
	_, revision := dump(t, inner)
	r = verify(t, s)
	require.NoError(t, r.Err())
	require.Equal(t, 199, r.Records)
	require.Empty(t, r.Damaged)
	require.Equal(t, store.TallyMatches, r.Tally)
	require.Equal(t, []uint32{1}, r.Epochs)
	require.Equal(t, revision-1, r.Revision)
	require.Len(t, r.Digest, 64)
	require.Equal(t, r, verify(t, seal(t, inner, rootKey(t, 1))), "another opener finds the same")
	require.Equal(t, r, verify(t, salvage(t, inner, rootKey(t, 1))))

	put(t, s, "key/1", "")
	now := verify(t, s)
	require.Greater(t, now.Revision, r.Revision)
	require.NotEqual(t, r.Digest, now.Digest)

	untallied := sealUntallied(t, store.NewMemory(), rootKey(t, 1))
	put(t, untallied, "a", "1")
	r = verify(t, untallied)
	require.NoError(t, r.Err())
	require.Equal(t, &store.Report{Records: 1, Revision: 2, Epochs: []uint32{1}}, r)
}

// Each line of what a tally detects, and what is said about it.
func TestTallyDetects(t *testing.T) {
	t.Parallel()
	root := rootKey(t, 1)
	for _, c := range []struct {
		name   string
		says   string
		attack func(t *testing.T, inner store.Store, before map[string]string)
	}{
		{"an older version of a record", "the number of records is right",
			func(t *testing.T, inner store.Store, before map[string]string) {
				rawPut(t, inner, "b", []byte(before["b"]))
			}},
		{"an older version of a record, written over since", "the number of records is right",
			func(t *testing.T, inner store.Store, before map[string]string) {
				rawPut(t, inner, "b", []byte(before["b"]))
				all := raw(t, inner)
				s := salvage(t, inner, root) // reads what is not the newest
				require.Equal(t, "b0", mustGet(t, s, "b"))
				require.Equal(t, all, raw(t, inner))
			}},
		{"a record deleted", "of 4 records 1 are missing",
			func(t *testing.T, inner store.Store, _ map[string]string) { rawDelete(t, inner, "c") }},
		{"all records deleted", "of 4 records 4 are missing",
			func(t *testing.T, inner store.Store, _ map[string]string) {
				for _, key := range []string{"a", "b", "c", "d"} {
					rawDelete(t, inner, key)
				}
			}},
		{"a deleted record put back", "5 records instead of 4",
			func(t *testing.T, inner store.Store, before map[string]string) {
				rawPut(t, inner, "gone", []byte(before["gone"]))
			}},
		{"a deleted record put back in the place of another", "the number of records is right",
			func(t *testing.T, inner store.Store, before map[string]string) {
				rawPut(t, inner, "gone", []byte(before["gone"]))
				rawDelete(t, inner, "a")
			}},
		{"two records exchanged", "the number of records is right",
			func(t *testing.T, inner store.Store, _ map[string]string) {
				a, b := rawGet(t, inner, "a"), rawGet(t, inner, "b")
				rawPut(t, inner, "a", b)
				rawPut(t, inner, "b", a)
			}},
		{"a record moved", "the number of records is right",
			func(t *testing.T, inner store.Store, _ map[string]string) {
				rawPut(t, inner, "e", rawGet(t, inner, "a"))
				rawDelete(t, inner, "a")
			}},
		{"a record copied", "5 records instead of 4",
			func(t *testing.T, inner store.Store, _ map[string]string) {
				rawPut(t, inner, "e", rawGet(t, inner, "a"))
			}},
		{"an older tally", "the number of records is right",
			func(t *testing.T, inner store.Store, before map[string]string) {
				rawPut(t, inner, tally, []byte(before[tally]))
			}},
		{"no tally", "its tally is gone",
			func(t *testing.T, inner store.Store, _ map[string]string) { rawDelete(t, inner, tally) }},
		{"a record as tally", "its tally is damaged",
			func(t *testing.T, inner store.Store, _ map[string]string) {
				rawPut(t, inner, tally, rawGet(t, inner, "a"))
			}},
		{"everything put back but one record", "the number of records is right",
			func(t *testing.T, inner store.Store, before map[string]string) {
				newest := rawGet(t, inner, "b")
				restore(t, inner, before)
				rawPut(t, inner, "b", newest)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inner := store.NewMemory()
			s := seal(t, inner, root)
			for _, key := range []string{"a", "b", "c", "gone"} {
				put(t, s, key, key+"0")
			}
			before := raw(t, inner)
			require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
				return errors.Join(tx.Put("b", []byte("b1")), tx.Delete("gone"), tx.Put("d", []byte("d1")))
			}))
			intact := raw(t, inner)
			c.attack(t, inner, before)

			attacked := raw(t, inner)
			opened, err := store.Seal(t.Context(), inner, root, nil)
			require.ErrorIs(t, err, store.ErrRollback)
			require.ErrorContains(t, err, c.says)
			require.Nil(t, opened)
			require.Equal(t, attacked, raw(t, inner), "nothing is touched")
			for _, s := range []*store.Sealed{s, salvage(t, inner, root)} {
				r := verify(t, s)
				require.Equal(t, store.TallyDiffers, r.Tally)
				require.Empty(t, r.Digest)
				require.ErrorIs(t, r.Err(), store.ErrRollback)
				require.ErrorContains(t, r.Err(), c.says)
			}
			restore(t, inner, intact)
			require.NoError(t, verify(t, seal(t, inner, root)).Err())
		})
	}
}

func mustGet(t testing.TB, s store.Store, key string) string {
	t.Helper()
	v, err := get(t, s, key)
	require.NoError(t, err)
	return string(v)
}

// What was put back while the store was open does not come right by writing over it,
// nor by undoing it then.
func TestTallyRemembersWhatWasPutBack(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	s := seal(t, inner, root)
	var versions [][]byte
	for i := range 4 {
		put(t, s, "a", fmt.Sprint(i))
		versions = append(versions, rawGet(t, inner, "a"))
	}
	rawPut(t, inner, "a", versions[0])
	put(t, s, "a", "4")
	versions = append(versions, rawGet(t, inner, "a"))
	require.Equal(t, store.TallyDiffers, verify(t, s).Tally)
	for i, v := range versions {
		rawPut(t, inner, "a", v)
		require.Equal(t, store.TallyDiffers, verify(t, s).Tally, i)
	}
	rawDelete(t, inner, "a")
	put(t, s, "a", "5")
	require.Equal(t, store.TallyDiffers, verify(t, s).Tally)
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("a") }))
	require.Equal(t, store.TallyDiffers, verify(t, s).Tally)
}

func TestStoreThatWasPutBackAsAWhole(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	s := seal(t, inner, root)
	put(t, s, "a", "1")
	old, then := raw(t, inner), verify(t, s).Revision
	put(t, s, "a", "2")
	at := verify(t, s).Revision

	atLeast := func(revision uint64, o store.SealOptions) error {
		o.AtLeast = revision
		_, err := store.Seal(t.Context(), inner, root, &o)
		return err
	}
	require.NoError(t, atLeast(then, store.SealOptions{}))
	require.NoError(t, atLeast(at, store.SealOptions{}))
	require.ErrorIs(t, atLeast(at+1, store.SealOptions{}), store.ErrRollback)
	restore(t, inner, old)
	for range 20 {
		put(t, inner, "\x01", "raises the inner store's revision, which proves nothing")
	}
	rawDelete(t, inner, "\x01")
	seal(t, inner, root) // it cannot know
	require.NoError(t, atLeast(then, store.SealOptions{}))
	require.ErrorIs(t, atLeast(at, store.SealOptions{}), store.ErrRollback)
	require.NoError(t, atLeast(at, store.SealOptions{Salvage: true}))

	restore(t, inner, nil)
	require.ErrorIs(t, atLeast(at, store.SealOptions{}), store.ErrRollback, "an empty store")
	require.Empty(t, raw(t, inner))

	sealUntallied(t, inner, root)
	require.ErrorContains(t, atLeast(1, store.SealOptions{AllowRollback: true}), "no tally")
}

// The choice is the head's: it cannot be changed by who writes the store, nor by how it
// is opened.
func TestTallyIsKeptAsTheStoreWasMade(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	put(t, seal(t, inner, root), "a", "1")
	old := rawGet(t, inner, "a")
	put(t, sealUntallied(t, inner, root), "a", "2")
	require.NoError(t, verify(t, seal(t, inner, root)).Err())
	rawPut(t, inner, "a", old)
	_, err := store.Seal(t.Context(), inner, root, &store.SealOptions{AllowRollback: true})
	require.ErrorIs(t, err, store.ErrRollback)

	changed := rawGet(t, inner, head)
	changed[17] = 0 // flags
	rawPut(t, inner, head, changed)
	for _, o := range []store.SealOptions{{}, {AllowRollback: true}, {Salvage: true}} {
		_, err = store.Seal(t.Context(), inner, root, &o)
		require.ErrorIs(t, err, store.ErrDamaged)
	}

	inner = store.NewMemory()
	put(t, sealUntallied(t, inner, root), "a", "1")
	old = rawGet(t, inner, "a")
	s := seal(t, inner, root)
	put(t, s, "a", "2")
	require.Len(t, raw(t, inner), 2, "a head and a record")
	rawPut(t, inner, "a", old)
	require.Equal(t, "1", mustGet(t, seal(t, inner, root), "a"))
	require.NoError(t, verify(t, s).Err(), "that is what AllowRollback allows")
	rawPut(t, inner, "\x00tally", old)
	require.Equal(t, []string{"\x00tally"}, verify(t, s).Damaged, "which does not belong there")
}

// Every change of every record is found by Verify, which names it and no other; the
// others can be read.
func TestVerifyNamesEveryDamagedRecord(t *testing.T) {
	t.Parallel()
	root := rootKey(t, 1)
	for name, create := range map[string]func(testing.TB, store.Store, keyring.Keyring) *store.Sealed{
		"tallied": seal, "untallied": sealUntallied,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := store.NewMemory()
			s := create(t, inner, root)
			want := map[string]string{"a": "1", "account/\"42\"": "", "z\xff": "secret"}
			for key, value := range want {
				put(t, s, key, value)
			}
			salvaged := salvage(t, inner, root)
			for key := range want {
				intact := rawGet(t, inner, key)
				mutations(intact, func(what string, mutant []byte) {
					rawPut(t, inner, key, mutant)
					r := verify(t, salvaged)
					require.Equal(t, []string{key}, r.Damaged, what)
					require.Equal(t, 3, r.Records)
					require.ErrorIs(t, r.Err(), store.ErrDamaged)
					require.ErrorContains(t, r.Err(), fmt.Sprintf("%q", key))
					rest, damaged := leftOver(t, salvaged)
					require.Equal(t, []string{key}, damaged, what)
					remaining := maps.Clone(want)
					delete(remaining, key)
					require.Equal(t, remaining, rest, what)
				})
				rawPut(t, inner, key, intact)
			}
			require.NoError(t, verify(t, salvaged).Err())
		})
	}
}

// leftOver scans a store past damaged records.
func leftOver(t testing.TB, s store.Store) (rest map[string]string, damaged []string) {
	t.Helper()
	rest = map[string]string{}
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			if err != nil {
				require.ErrorIs(t, err, store.ErrDamaged)
				require.Nil(t, e.Value)
				damaged = append(damaged, e.Key)
				continue
			}
			rest[e.Key] = string(e.Value)
		}
		return nil
	}))
	return rest, damaged
}

// A change that shows without decrypting is found when the store is opened, and named.
func TestSealNamesDamagedRecords(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	s := seal(t, inner, root)
	put(t, s, "a", "1")
	put(t, s, "b", "2")
	intact := rawGet(t, inner, "b")
	mutations(intact, func(what string, mutant []byte) {
		rawPut(t, inner, "b", mutant)
		_, err := store.Seal(t.Context(), inner, root, nil)
		inside := slices.Equal(mutant[:min(13, len(mutant))], intact[:13]) && // prefix and tag
			slices.Equal(mutant[max(0, len(mutant)-16):], intact[len(intact)-16:])
		if inside {
			require.NoError(t, err, what)
			return
		}
		require.ErrorIs(t, err, store.ErrRollback, what)
		require.ErrorIs(t, err, store.ErrDamaged, what)
		require.ErrorContains(t, err, `"b"`)
	})
	rawPut(t, inner, "a", []byte("x"))
	_, err := store.Seal(t.Context(), inner, root, nil)
	require.ErrorContains(t, err, `key "a", and 1 more`)
	rawPut(t, inner, tally, intact)
	_, err = store.Seal(t.Context(), inner, root, nil)
	require.ErrorIs(t, err, store.ErrRollback)
	require.ErrorIs(t, err, store.ErrDamaged)
	require.ErrorContains(t, err, `tally`)
}

func TestSalvageIsReadOnly(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	_, err := store.Seal(t.Context(), inner, root, &store.SealOptions{Salvage: true})
	require.ErrorIs(t, err, store.ErrNotSealed)
	require.Empty(t, raw(t, inner), "there is nothing to salvage")

	put(t, seal(t, inner, root), "a", "1")
	before := raw(t, inner)
	s := salvage(t, inner, root)
	require.Equal(t, "1", mustGet(t, s, "a"))
	require.ErrorIs(t, s.Update(t.Context(), func(store.Tx) error { t.Error("it runs"); return nil }), store.ErrReadOnly)
	require.ErrorIs(t, s.Rekey(t.Context(), rootKey(t, 2), nil), store.ErrReadOnly)
	require.Equal(t, before, raw(t, inner))
}

// An update that would have to count a damaged record does not touch it.
func TestUpdateOfADamagedRecord(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	s := seal(t, inner, root)
	put(t, s, "a", "1")
	intact := raw(t, inner)
	rawPut(t, inner, "a", []byte("no record"))
	for _, change := range []func(tx store.Tx) error{
		func(tx store.Tx) error { return tx.Put("a", nil) },
		func(tx store.Tx) error { return tx.Delete("a") },
	} {
		err := s.Update(t.Context(), change)
		require.ErrorIs(t, err, store.ErrDamaged)
		require.ErrorContains(t, err, `"a"`)
		require.Equal(t, "no record", raw(t, inner)["a"])
	}
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		require.Error(t, tx.Put("a", nil)) // an error that is ignored
		return tx.Put("b", nil)
	}))
	restored := raw(t, inner)
	restored["a"] = intact["a"]
	restore(t, inner, restored)
	require.NoError(t, verify(t, s).Err(), "the rest was counted")

	untallied := sealUntallied(t, store.NewMemory(), root)
	put(t, untallied, "a", "1")
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	for i := range 10 {
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
			for j := range 100 {
				if err := tx.Put(fmt.Sprint(i, "/", j), nil); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := &cancelling{Store: inner}
	other := salvage(t, c, rootKey(t, 1))
	c.cancel = cancel
	_, err := other.Verify(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close())
	_, err = s.Verify(t.Context())
	require.ErrorIs(t, err, store.ErrClosed)
}

// cancelling ends a context as soon as a view has begun.
type cancelling struct {
	store.Store
	cancel func()
}

func (c *cancelling) View(ctx context.Context, fn func(store.Tx) error) error {
	return c.Store.View(ctx, func(tx store.Tx) error {
		if c.cancel != nil {
			c.cancel()
		}
		return fn(tx)
	})
}

func TestTallyStatePrints(t *testing.T) {
	t.Parallel()
	require.Equal(t, "no tally, matches, differs, TallyState(7)",
		fmt.Sprintf("%v, %v, %v, %v", store.TallyAbsent, store.TallyMatches, store.TallyDiffers, store.TallyState(7)))
}

// Engines that share a store count for each other.
func TestTallyOfConcurrentWriters(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	a, b := seal(t, inner, root), storetest.Twice(seal(t, inner, root))
	done := make(chan error, 4)
	for i, s := range []store.Store{a, b, a, b} {
		go func() {
			done <- func() error {
				for j := range 100 {
					err := s.Update(t.Context(), func(tx store.Tx) error {
						return errors.Join(tx.Put(fmt.Sprint("shared/", j%7), []byte{byte(i)}), tx.Put(fmt.Sprint(i, "/", j), nil),
							tx.Delete(fmt.Sprint(i, "/", j-3)))
					})
					if err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range 4 {
		require.NoError(t, <-done)
	}
	r := verify(t, a)
	require.NoError(t, r.Err())
	require.Equal(t, 7+4*3, r.Records)
}
