package store_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

// Where a sealed store keeps its head and its tally.
const (
	head  = "\x00"
	tally = "\x00tally"
)

// rawGet and rawPut work on a record of the inner store.
func rawGet(t testing.TB, s store.Store, key string) (record []byte) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) (err error) {
		record, err = tx.Get(key)
		return err
	}))
	return record
}

func rawPut(t testing.TB, s store.Store, key string, record []byte) {
	t.Helper()
	put(t, s, key, string(record))
}

// get returns what Get gives inside a View.
func get(t testing.TB, s store.Store, key string) (value []byte, err error) {
	t.Helper()
	err = s.View(t.Context(), func(tx store.Tx) (err error) {
		value, err = tx.Get(key)
		return err
	})
	return value, err
}

// mutations yields b with every bit flipped, cut at every length, and extended.
func mutations(b []byte, yield func(what string, mutant []byte)) {
	for i := range 8 * len(b) {
		mutant := bytes.Clone(b)
		mutant[i/8] ^= 1 << (i % 8)
		yield(fmt.Sprintf("bit %d flipped", i), mutant)
	}
	for n := range b {
		yield(fmt.Sprintf("cut to %d bytes", n), b[:n])
	}
	yield("extended", append(bytes.Clone(b), 0))
}

func TestSealedStoresOnlyCiphertext(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	for _, n := range []int{0, 1, 15, 16, 17, 1000} {
		key, value := fmt.Sprint("key/", n), strings.Repeat("secret", 200)[:n]
		put(t, s, key, value)
		first := rawGet(t, inner, key)
		require.Len(t, first, n+store.SealOverhead)
		require.NotContains(t, string(first), "secret")
		put(t, s, key, value)
		require.NotEqual(t, first[13:], rawGet(t, inner, key)[13:], "a nonce is used twice")
		got, err := get(t, s, key)
		require.NoError(t, err)
		require.Equal(t, value, string(got))
	}
}

func TestSealedFindsEveryChangeOfARecord(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	const key = "account/\"42\""
	put(t, s, key, "plaintext")
	_, before := dump(t, inner)
	mutations(rawGet(t, inner, key), func(what string, mutant []byte) {
		rawPut(t, inner, key, mutant)
		value, err := get(t, s, key)
		require.ErrorIs(t, err, store.ErrDamaged, what)
		require.ErrorContains(t, err, fmt.Sprintf("%q", key), what)
		require.NotContains(t, err.Error(), "plaintext")
		require.Nil(t, value, what)
		require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
			for e, err := range tx.Scan("", "") {
				require.ErrorIs(t, err, store.ErrDamaged, what)
				require.Zero(t, e)
			}
			return nil
		}))
	})
	c, err := firstChange(t, s, before)
	require.ErrorIs(t, err, store.ErrDamaged)
	require.Zero(t, c)
}

func TestSealedFindsMovedRecords(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	s := seal(t, inner, root)
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { // one revision
		return errors.Join(tx.Put("a", []byte("1")), tx.Put("b", []byte("2")))
	}))
	a, b := rawGet(t, inner, "a"), rawGet(t, inner, "b")

	rawPut(t, inner, "a", b)
	rawPut(t, inner, "b", a)
	rawPut(t, inner, "c", a)
	for _, key := range []string{"a", "b", "c"} {
		_, err := get(t, s, key)
		require.ErrorIs(t, err, store.ErrDamaged, key)
		require.ErrorContains(t, err, fmt.Sprintf("%q", key))
	}

	otherInner := store.NewMemory()
	other := seal(t, otherInner, root)
	rawPut(t, otherInner, "a", a)
	_, err := get(t, other, "a")
	require.ErrorIs(t, err, store.ErrDamaged, "the same root key, another store")
}

func TestSealedReservesItsKeys(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := seal(t, inner, rootKey(t, 1))
	before := rawGet(t, inner, head)
	for _, key := range []string{head, tally, "\x00\x00", "\x00\xff"} {
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Get(key)
			require.ErrorIs(t, err, store.ErrReservedKey)
			_, err = tx.Version(key)
			require.ErrorIs(t, err, store.ErrReservedKey)
			require.ErrorIs(t, tx.Put(key, nil), store.ErrReservedKey)
			require.ErrorIs(t, tx.Delete(key), store.ErrReservedKey)
			return nil
		}))
	}
	put(t, s, "\x01", "the next key is free")
	require.Equal(t, before, rawGet(t, inner, head))
	contents, _ := dump(t, s)
	require.Equal(t, []string{"\x01"}, slices.Collect(maps.Keys(contents)))
	c, err := firstChange(t, s, 0)
	require.NoError(t, err)
	require.Equal(t, "\x01", c.Key)
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		for e, err := range tx.Scan("\x00", "") {
			t.Errorf("a scan shows %q, %v", e.Key, err)
		}
		return nil
	}))
}

func TestSealedLimitIsExact(t *testing.T) {
	t.Parallel()
	s := seal(t, store.NewMemory(), rootKey(t, 1))
	update := func(records, bytes int) error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			for i := range records {
				key := string(rune('a' + i))
				size := bytes / records
				if i == 0 {
					size += bytes % records
				}
				if err := tx.Put(key, make([]byte, size-len(key))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, n := range []int{1, 2, 20} {
		require.NoError(t, update(n, store.MaxBytes-n*store.SealOverhead))
		require.ErrorIs(t, update(n, store.MaxBytes-n*store.SealOverhead+1), store.ErrLimit)
	}
}

func TestSealedPrintsNoKey(t *testing.T) {
	t.Parallel()
	s := seal(t, store.NewMemory(), rootKey(t, 1))
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		require.Regexp(t, `^store\.Sealed\{[0-9a-f]{32}\}$`, fmt.Sprintf(format, s))
	}
}

func TestSealedClosedWithin(t *testing.T) {
	t.Parallel()
	s := seal(t, store.NewMemory(), rootKey(t, 1))
	put(t, s, "a", "1")
	err := s.View(t.Context(), func(tx store.Tx) error {
		require.NoError(t, s.Close())
		_, err := tx.Get("a")
		return err
	})
	require.ErrorIs(t, err, store.ErrClosed)
}

func TestSealedDraft(t *testing.T) {
	t.Parallel()
	s := storetest.Twice(seal(t, store.NewMemory(), rootKey(t, 1)))
	put(t, s, "a", "1")
	decide := func(d *store.Draft) {
		v, err := d.Get("a")
		require.NoError(t, err)
		d.Put("b", v)
	}
	d := draft(t, s, decide)
	put(t, s, "other", "1")
	require.NoError(t, d.Commit(t.Context(), s))
	d = draft(t, s, decide)
	put(t, s, "a", "2")
	require.ErrorIs(t, d.Commit(t.Context(), s), store.ErrConflict)
}

// A store that an earlier version has written stays readable: the records below must
// never be changed.
func TestSealOpensOldStores(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	for key, encoded := range map[string]string{
		head: "022dfae9513f459a7190ff6b3de9f8657801010000000100010004726f6f74001874657374000000" +
			"800000000c0ae42cd6df58e02ab81b88fa0030dee5a65d6c41b851b08b68e8e6d585a2f153d4f4c0" +
			"5bd07ea93f087813ca93c2159c436664e6d7d9577d0022578e08720ec0081171ec75b4425213d57b" +
			"5a32a1619c0addd976e6586a3775a77b243041",
		tally: "02000000010000000000000001a4748ce2d94600a6c76776ca63a83ac773b1e5448b90b7e48f6ad4" +
			"6ed7c60e2a953976af45f1570b406b1ef7158638697740630a1bd99c59afa85ef1c5bf1b6f3885fb" +
			"89143c926f3c",
		"account/42": "020000000100000000000000015bc74583b552b4aab14eab9500d1a91acfc2484b6611dfc92e11b8" +
			"0d18fe0294f9bfc260fc22d7",
	} {
		record, err := hex.DecodeString(encoded)
		require.NoError(t, err)
		rawPut(t, inner, key, record)
	}
	got, err := get(t, seal(t, inner, rootKey(t, 1)), "account/42")
	require.NoError(t, err)
	require.Equal(t, "balance 100", string(got))
}

func TestSealAgrees(t *testing.T) {
	t.Parallel()
	for range 20 {
		const openers = 6
		inner, root := store.NewMemory(), rootKey(t, 1)
		opened := make([]*store.Sealed, openers)
		errs := make([]error, openers)
		var wg sync.WaitGroup
		for i := range openers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				opened[i], errs[i] = store.Seal(t.Context(), inner, root, nil)
			}()
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		_, revision := dump(t, inner)
		require.Equal(t, uint64(1), revision, "one head is written, once")
		for i, s := range opened {
			put(t, s, fmt.Sprint(i), fmt.Sprint("from ", i))
		}
		want, _ := dump(t, opened[0])
		require.Len(t, want, openers)
		for _, s := range opened {
			got, _ := dump(t, s)
			require.Equal(t, want, got)
		}
	}
}

func TestSealWithAnotherRootKey(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	put(t, seal(t, inner, rootKey(t, 1)), "a", "1")
	before, revision := dump(t, inner)
	s, err := store.Seal(t.Context(), inner, rootKey(t, 2), nil)
	require.ErrorIs(t, err, store.ErrRootKey)
	require.Nil(t, s)
	after, now := dump(t, inner)
	require.Equal(t, before, after)
	require.Equal(t, revision, now)
	put(t, seal(t, inner, rootKey(t, 1)), "b", "2")
}

func TestSealWithSeveralRootKeys(t *testing.T) {
	t.Parallel()
	a, b, c := rootKey(t, 1), rootKey(t, 2), rootKey(t, 3)
	both, err := keyring.NewMulti(a, b)
	require.NoError(t, err)
	inner := store.NewMemory()
	put(t, seal(t, inner, both), "k", "v")
	for _, root := range []keyring.Keyring{both, a, b} {
		got, err := get(t, seal(t, inner, root), "k")
		require.NoError(t, err)
		require.Equal(t, "v", string(got))
	}
	_, err = store.Seal(t.Context(), inner, c, nil)
	require.ErrorIs(t, err, store.ErrRootKey)

	// Damage to what one root key has wrapped does not lock out the other.
	record := rawGet(t, inner, head)
	firstCiphertext := 25 + (2 + len("root")) + (2 + len("test") + 20) + 2
	record[firstCiphertext] ^= 1
	rawPut(t, inner, head, record)
	_, err = store.Seal(t.Context(), inner, a, nil)
	require.ErrorIs(t, err, store.ErrRootKey)
	seal(t, inner, b)
	seal(t, inner, both)
}

func TestSealFindsEveryChangeOfTheHead(t *testing.T) {
	t.Parallel()
	inner, root := store.NewMemory(), rootKey(t, 1)
	put(t, seal(t, inner, root), "a", "1")
	intact := rawGet(t, inner, head)
	mutations(intact, func(what string, mutant []byte) {
		rawPut(t, inner, head, mutant)
		before, revision := dump(t, inner)
		_, err := store.Seal(t.Context(), inner, root, nil)
		require.Error(t, err, what)
		require.True(t, errors.Is(err, store.ErrRootKey) || errors.Is(err, store.ErrDamaged), "%s: %v", what, err)
		after, now := dump(t, inner)
		require.Equal(t, before, after, what)
		require.Equal(t, revision, now, what)
	})
	rawPut(t, inner, head, intact)
	seal(t, inner, root)
}

func TestSealRefusesForeignStores(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	put(t, inner, "foreign", "data")
	root := &spyRing{Keyring: rootKey(t, 1)}
	_, err := store.Seal(t.Context(), inner, root, nil)
	require.ErrorIs(t, err, store.ErrNotSealed)
	require.Zero(t, root.calls, "the root key is not asked")
	contents, _ := dump(t, inner)
	require.Equal(t, map[string]string{"foreign": "data"}, contents)

	inner = store.NewMemory()
	put(t, seal(t, inner, root), "a", "1")
	require.NoError(t, inner.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(head) }))
	_, err = store.Seal(t.Context(), inner, root, nil)
	require.ErrorIs(t, err, store.ErrNotSealed, "the head was deleted")
}

// spyRing calls a function before each call of a keyring.
type spyRing struct {
	keyring.Keyring
	calls     int
	onEncrypt func() error
	onDecrypt func() error
}

func (r *spyRing) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	r.calls++
	if r.onEncrypt != nil {
		if err := r.onEncrypt(); err != nil {
			return err
		}
	}
	return r.Keyring.OnEncrypt(ctx, m)
}

func (r *spyRing) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	r.calls++
	if r.onDecrypt != nil {
		if err := r.onDecrypt(); err != nil {
			return err
		}
	}
	return r.Keyring.OnDecrypt(ctx, m, keys)
}

func TestSealAsksTheRootOutsideOfTransactions(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lock := func() error { // would wait for itself inside an update
		return inner.Update(ctx, func(store.Tx) error { return nil })
	}
	root := &spyRing{Keyring: rootKey(t, 1), onEncrypt: lock, onDecrypt: lock}
	for range 2 {
		_, err := store.Seal(t.Context(), inner, root, nil)
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, root.calls, 3)
}

func TestSealWithAFailingRoot(t *testing.T) {
	t.Parallel()
	down := errors.New("the key service is down")
	fail := func() error { return down }
	inner := store.NewMemory()
	for name, root := range map[string]keyring.Keyring{
		"encrypt": &spyRing{Keyring: rootKey(t, 1), onEncrypt: fail},
		"decrypt": &spyRing{Keyring: rootKey(t, 1), onDecrypt: fail},
	} {
		_, err := store.Seal(t.Context(), inner, root, nil)
		require.ErrorIs(t, err, down, name)
	}
	oneWay := &halves{rootKey(t, 1), rootKey(t, 2)}
	_, err := store.Seal(t.Context(), inner, oneWay, nil)
	require.ErrorIs(t, err, store.ErrRootKey, "a root that cannot decrypt what it encrypts")
	contents, _ := dump(t, inner)
	require.Empty(t, contents)
}

// halves encrypts with one keyring and decrypts with another.
type halves struct{ encrypt, decrypt keyring.Keyring }

func (h *halves) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	return h.encrypt.OnEncrypt(ctx, m)
}

func (h *halves) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	return h.decrypt.OnDecrypt(ctx, m, keys)
}

func TestSealWithAFailingStore(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.Refused, storetest.Undone, storetest.InDoubt} {
		for n := 1; ; n++ {
			inner := store.NewMemory()
			faulty := storetest.FailAt(inner, n, fault)
			s, err := store.Seal(t.Context(), faulty, rootKey(t, 1), nil)
			if faulty.Calls() < n {
				require.NoError(t, err)
				require.Equal(t, 5, n, "a first Seal makes four transactions")
				break
			}
			require.ErrorIs(t, err, storetest.ErrInjected, "%v at %d", fault, n)
			require.Nil(t, s)
			put(t, seal(t, inner, rootKey(t, 1)), "a", "1") // the next attempt succeeds
		}
	}
}
