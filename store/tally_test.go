package store

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var modulus = new(big.Int).Lsh(big.NewInt(1), 256)

func (s sum256) big() *big.Int { return new(big.Int).SetBytes(s.append(nil)) }

func TestSumsAreModulo2To256(t *testing.T) {
	t.Parallel()
	all := sum256{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	values := []sum256{{}, {1}, {0, 1}, {0, 0, 0, 1}, {^uint64(0)}, {^uint64(0), ^uint64(0)}, all, {1, 2, 3, 1 << 63}}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		values = append(values, sum256{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()})
	}
	for _, a := range values {
		require.Len(t, a.append(nil), 32)
		require.Equal(t, a, parseSum(a.append(nil)))
		require.Equal(t, sum256{}, a.plus(a.negative()))
		for _, b := range values {
			want := new(big.Int).Add(a.big(), b.big())
			require.Zero(t, want.Mod(want, modulus).Cmp(a.plus(b).big()))
		}
	}
}

// tallied returns the keys of a store with the epochs.
func tallied(t testing.TB, epochs ...uint32) *sealKeys {
	t.Helper()
	k := &sealKeys{store: &Sealed{}, tallied: true}
	for _, e := range epochs {
		s, err := newSealer(bytes.Repeat([]byte{byte(e)}, 32), [storeIDLen]byte{1}, e)
		require.NoError(t, err)
		k.sealers = append(k.sealers, s)
	}
	return k
}

// The tally, written down once more with nothing of the package's own.
func TestTallyFormat(t *testing.T) {
	t.Parallel()
	k := tallied(t, 3, 4)
	c := teller{keys: k}
	want := map[uint32]*big.Int{3: {}, 4: {}}
	count := map[uint32]uint64{}
	var sum tally
	for i, s := range []*sealer{k.sealers[0], k.sealers[1], k.sealers[1], k.sealers[0], k.sealers[1]} {
		key := fmt.Sprint("key/", i)
		record, err := s.seal(key, uint64(1000+i), []byte("value"))
		require.NoError(t, err)
		require.NoError(t, c.add(&sum, key, record, false))

		prk := mac(append([]byte{1}, make([]byte, 15)...), string(bytes.Repeat([]byte{byte(s.epoch)}, 32)))
		tallyKey := mac(prk, "sealring/store/tally/1", "\x01")
		term := mac(tallyKey, "\x00\x05", key, string(binary.BigEndian.AppendUint64(nil, uint64(1000+i))), string(record[len(record)-16:]))
		want[s.epoch].Add(want[s.epoch], new(big.Int).SetBytes(term))
		count[s.epoch]++
	}
	encoded := []byte{1}
	for _, epoch := range []uint32{3, 4} {
		encoded = binary.BigEndian.AppendUint32(encoded, epoch)
		encoded = binary.BigEndian.AppendUint64(encoded, count[epoch])
		encoded = append(encoded, want[epoch].Mod(want[epoch], modulus).FillBytes(make([]byte, 32))...)
	}
	require.Equal(t, hex.EncodeToString(encoded), hex.EncodeToString(sum.encode()))
	require.Equal(t, uint64(5), sum.count())
	again, err := parseTally(encoded)
	require.NoError(t, err)
	require.Equal(t, sum, again)
}

// Whatever the order, what is put in and taken out again leaves nothing.
func TestTallyIsAMultiset(t *testing.T) {
	t.Parallel()
	k := tallied(t, 1, 2)
	c := teller{keys: k}
	type entry struct {
		key    string
		record []byte
	}
	var entries []entry
	for i := range 20 {
		key := fmt.Sprint(i % 7)
		record, err := k.sealers[i%2].seal(key, 1, nil)
		require.NoError(t, err)
		entries = append(entries, entry{key, record})
	}
	sum := func(entries []entry) (t2 tally) {
		for _, e := range entries {
			require.NoError(t, c.add(&t2, e.key, e.record, false))
		}
		return t2
	}
	all := sum(entries)
	shuffled := append([]entry{}, entries...)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	require.True(t, all.equal(sum(shuffled)))
	require.NoError(t, all.compare(sum(shuffled)))
	for i := range entries {
		less := append(append([]entry{}, entries[:i]...), entries[i+1:]...)
		require.False(t, all.equal(sum(less)))
		require.ErrorIs(t, all.compare(sum(less)), ErrRollback)
		require.ErrorContains(t, all.compare(sum(less)), "of 20 records 1 are missing")
		require.ErrorContains(t, sum(less).compare(all), "20 records instead of 19")
		twice := append(less, entries[(i+1)%len(entries)])
		require.ErrorContains(t, all.compare(sum(twice)), "the number of records is right")
		moved := append([]entry{}, entries...)
		moved[i].key += "x"
		require.False(t, all.equal(sum(moved)))
	}
	require.False(t, all.empty())
	for _, e := range shuffled {
		require.NoError(t, c.add(&all, e.key, e.record, true))
	}
	require.True(t, all.empty())
	require.True(t, all.equal(nil))
	require.True(t, tally(nil).equal(all))
}

func TestTallyRefusesWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	k := tallied(t, 1, 2)
	c := teller{keys: k}
	record, err := k.newest().seal("key", 1, nil)
	require.NoError(t, err)
	other, err := tallied(t, 3).newest().seal("key", 1, nil)
	require.NoError(t, err)
	for name, b := range map[string][]byte{
		"empty": {}, "cut": record[:len(record)-1], "of another format": append([]byte{1}, record[1:]...), "of another epoch": other,
	} {
		var sum tally
		require.ErrorIs(t, c.add(&sum, "key", b, false), ErrDamaged, name)
		require.True(t, sum.empty(), name)
	}
	k.store.wipe()
	require.ErrorIs(t, (&teller{keys: k}).add(&tally{}, "key", record, false), ErrClosed)
	_, err = k.digest(nil, 1)
	require.ErrorIs(t, err, ErrClosed)
}

func FuzzTally(f *testing.F) {
	t := tally{{1, 2, sum256{3, 4, 5, 6}}, {7, 0, sum256{}}}
	f.Add(t.encode())
	f.Add(t[:1].encode())
	f.Add(t[:0].encode())
	f.Add(append(t.encode(), t.encode()[1:]...))
	f.Add(tally{t[1], t[0]}.encode())
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, 89))
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, err := parseTally(b)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			require.Nil(t, parsed)
			return
		}
		require.Equal(t, b, parsed.encode())
		require.True(t, parsed.equal(parsed))
	})
}
