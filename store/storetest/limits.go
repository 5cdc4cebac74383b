package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealring/sealring/store"
)

// overhead is the most that a store may add to a record in the count of MaxBytes.
const overhead = 64

func limitChecks() []check {
	return []check{
		{name: "MaxKeys/by every method, exactly and one over", run: checkMaxKeys},
		{name: "MaxKeys/a key counts once", run: checkKeyCountsOnce},
		{name: "MaxKeys/reserved keys do not count", run: checkReserved},
		{name: "MaxKeys/holds although the function ignores it", run: checkLimitIgnored},
		{name: "MaxKeys/does not bind a View", run: checkViewUnlimited},
		{name: "MaxKey/exactly and one over, and the empty key", run: checkMaxKey},
		{name: "MaxBytes/exactly and one over", run: checkMaxBytes},
		{name: "MaxBytes/a key's last write counts", run: checkLastWriteCounts},
	}
}

func numbered(i int) string { return fmt.Sprintf("key/%03d", i) }

// fill puts n numbered keys with the value 1.
func fill(tb testing.TB, s store.Store, n int) {
	tb.Helper()
	for i := 0; i < n; {
		var batch []string
		for ; i < n && len(batch) < 2*store.MaxKeys; i++ {
			batch = append(batch, numbered(i), "1")
		}
		put(tb, s, batch...)
	}
}

func checkMaxKeys(tb testing.TB, s store.Store) {
	fill(tb, s, store.MaxKeys+1)
	get := func(tx store.Tx, i int) error { _, err := tx.Get(numbered(i)); return err }
	for name, touch := range map[string]func(tx store.Tx, i int) error{
		"Get": get,
		"Get of missing keys": func(tx store.Tx, i int) error {
			if _, err := tx.Get("none" + numbered(i)); !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		},
		"Version": func(tx store.Tx, i int) error { _, err := tx.Version(numbered(i)); return err },
		"Put":     func(tx store.Tx, i int) error { return tx.Put(numbered(i), []byte("2")) },
		"Delete":  func(tx store.Tx, i int) error { return tx.Delete("none" + numbered(i)) },
		"Scan": func(tx store.Tx, i int) error {
			for _, err := range tx.Scan(numbered(i), "") {
				return err
			}
			return nil
		},
		"each in turn": func(tx store.Tx, i int) error {
			switch i % 3 {
			case 0:
				return get(tx, i)
			case 1:
				return tx.Put(numbered(i), []byte("2"))
			}
			return tx.Delete("none" + numbered(i))
		},
	} {
		attempt := func(n int) error {
			return persist(tb.Context(), s, func(tx store.Tx) error {
				for i := range n {
					if err := touch(tx, i); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := attempt(store.MaxKeys); err != nil {
			tb.Errorf("%s of %d keys: %v", name, store.MaxKeys, err)
		}
		expectError(tb, name+" of one key more", attempt(store.MaxKeys+1), store.ErrLimit)
	}
	checkScanMaxKeys(tb, s)
}

// checkScanMaxKeys is about one scan. s holds MaxKeys+1 keys.
func checkScanMaxKeys(tb testing.TB, s store.Store) {
	update(tb, s, func(tx store.Tx) error { // MaxKeys entries are yielded
		_, err := scan(tx, "", numbered(0))
		return err
	})
	err := persist(tb.Context(), s, func(tx store.Tx) error {
		got, err := scan(tx, "", "")
		if len(got) != 2*store.MaxKeys {
			tb.Errorf("Scan yields %d entries before its error, want %d", len(got)/2, store.MaxKeys)
		}
		return err
	})
	expectError(tb, "one scan of too many keys", err, store.ErrLimit)
}

func checkKeyCountsOnce(tb testing.TB, s store.Store) {
	update(tb, s, func(tx store.Tx) error {
		for range 3 {
			for i := range store.MaxKeys {
				if _, err := tx.Get(numbered(i)); err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				if err := writes(tx, "-"+numbered(i), "+"+numbered(i)+"=v"); err != nil {
					return err
				}
			}
			if _, err := scan(tx, "", ""); err != nil {
				return err
			}
		}
		return nil
	})
	view(tb, s, func(tx store.Tx) error { expectGet(tb, tx, numbered(store.MaxKeys-1), "v"); return nil })
}

// checkReserved puts, besides as much as an update may, keys of the few that are for
// wrappers. A wrapper may refuse them.
func checkReserved(tb testing.TB, s store.Store) {
	reserved := make([]byte, 16<<10-2*overhead)
	key := func(i int) string { return fmt.Sprint(store.Reserved, "kit", i) }
	err := persist(tb.Context(), s, func(tx store.Tx) error { return tx.Put(key(0), reserved) })
	if errors.Is(err, store.ErrReservedKey) {
		return
	}
	if err != nil {
		tb.Fatalf("Put of a reserved key: %v", err)
	}
	update(tb, s, func(tx store.Tx) error {
		for i := range 4 {
			if err := tx.Put(key(i), reserved); err != nil {
				return err
			}
		}
		for i := range store.MaxKeys {
			if err := tx.Put(numbered(i), make([]byte, store.MaxBytes/store.MaxKeys-overhead-len(numbered(i)))); err != nil {
				return err
			}
		}
		return nil
	})
	view(tb, s, func(tx store.Tx) error {
		expectGet(tb, tx, key(3), string(reserved))
		for e, err := range tx.Scan("", "") {
			if err == nil && e.Key != key(0) {
				tb.Errorf("a scan begins with %q, want %q", e.Key, key(0))
			}
			return err
		}
		return nil
	})
}

func checkLimitIgnored(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	for name, exceed := range map[string]func(store.Tx){
		"Put": func(tx store.Tx) { _ = tx.Put("z", []byte("2")) },
		"Get": func(tx store.Tx) { _, _ = tx.Get("z") },
		"Scan": func(tx store.Tx) {
			for range tx.Scan("a", "") {
				continue
			}
		},
	} {
		err := persist(tb.Context(), s, func(tx store.Tx) error {
			for i := range store.MaxKeys {
				if err := tx.Put(numbered(i), nil); err != nil {
					return err
				}
			}
			exceed(tx)
			return nil
		})
		expectError(tb, "Update that ignores the limit of "+name, err, store.ErrLimit)
		expect(tb, s, "a", "1")
	}
}

func checkViewUnlimited(tb testing.TB, s store.Store) {
	const n = 3 * store.MaxKeys
	fill(tb, s, n)
	view(tb, s, func(tx store.Tx) error {
		for i := range n {
			expectGet(tb, tx, numbered(i), "1")
		}
		got, err := scan(tx, "", "")
		if err == nil && len(got) != 2*n {
			tb.Errorf("Scan yields %d entries, want %d", len(got)/2, n)
		}
		expectAbsent(tb, tx, strings.Repeat("k", store.MaxKey+1))
		expectAbsent(tb, tx, "")
		return err
	})
}

func checkMaxKey(tb testing.TB, s store.Store) {
	longest := strings.Repeat("k", store.MaxKey)
	put(tb, s, longest, "1")
	for _, key := range []string{longest + "k", ""} {
		what := fmt.Sprintf("a key of %d bytes", len(key))
		err := s.Update(tb.Context(), func(tx store.Tx) error { return tx.Put(key, nil) })
		expectError(tb, "Put of "+what, err, store.ErrLimit)
		err = s.Update(tb.Context(), func(tx store.Tx) error { _, err := tx.Get(key); return err })
		expectError(tb, "Get of "+what, err, store.ErrLimit)
		err = s.Update(tb.Context(), func(tx store.Tx) error { return tx.Delete(key) })
		expectError(tb, "Delete of "+what, err, store.ErrLimit)
	}
	expect(tb, s, longest, "1")
}

// checkMaxBytes finds what the store adds to a record and expects that the limit is
// exact but for that.
func checkMaxBytes(tb testing.TB, s store.Store) {
	attempt := func(records, bytes int) error {
		return persist(tb.Context(), s, func(tx store.Tx) error {
			for i := range records {
				size := bytes / records
				if i == 0 {
					size += bytes % records
				}
				key := numbered(i)
				if err := tx.Put(key, make([]byte, size-len(key))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	added := 0
	for added <= overhead && attempt(1, store.MaxBytes-added) != nil {
		added++
	}
	if added > overhead {
		tb.Fatalf("one record of %d bytes, key included, does not fit", store.MaxBytes-overhead)
	}
	for _, records := range []int{1, 2, 33, store.MaxKeys} {
		most := store.MaxBytes - records*added
		if err := attempt(records, most); err != nil {
			tb.Errorf("%d records of together %d bytes: %v", records, most, err)
		}
		expectError(tb, fmt.Sprintf("%d records of together %d bytes", records, most+1),
			attempt(records, most+1), store.ErrLimit)
	}
}

func checkLastWriteCounts(tb testing.TB, s store.Store) {
	half := make([]byte, store.MaxBytes/2)
	update(tb, s, func(tx store.Tx) error {
		for range 5 {
			if err := tx.Put("a", half); err != nil {
				return err
			}
		}
		if _, err := tx.Get("a"); err != nil {
			return err
		}
		return tx.Put("a", []byte("small"))
	})
	err := persist(tb.Context(), s, func(tx store.Tx) error {
		for _, key := range []string{"b", "c", "d"} {
			if err := tx.Put(key, half); err != nil {
				return err
			}
		}
		return nil
	})
	expectError(tb, "three halves", err, store.ErrLimit)
	expect(tb, s, "a", "small")
}
