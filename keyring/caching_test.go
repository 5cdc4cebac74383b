package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// origin is a manager over a raw AES keyring that counts what it is asked, and
// keeps what it has returned.
type origin struct {
	keyring.Manager
	encrypt func(context.Context, keyring.EncryptionRequest) // called first, if not nil

	mu       sync.Mutex
	sealing  []*keyring.EncryptionMaterials
	opening  []*keyring.DecryptionMaterials
	requests []keyring.EncryptionRequest
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	return &origin{Manager: keyring.NewManager(newAES(t, "key"))}
}

func (o *origin) EncryptionMaterials(ctx context.Context, r keyring.EncryptionRequest) (*keyring.EncryptionMaterials, error) {
	if o.encrypt != nil {
		o.encrypt(ctx, r)
	}
	m, err := o.Manager.EncryptionMaterials(ctx, r)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealing, o.requests = append(o.sealing, m), append(o.requests, r)
	return m, err
}

func (o *origin) DecryptionMaterials(ctx context.Context, r keyring.DecryptionRequest) (*keyring.DecryptionMaterials, error) {
	m, err := o.Manager.DecryptionMaterials(ctx, r)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opening = append(o.opening, m)
	return m, err
}

func newCaching(t *testing.T, underlying keyring.Manager, o keyring.CachingOptions) *keyring.Caching {
	t.Helper()
	if o.MaxAge == 0 {
		o.MaxAge = time.Hour
	}
	c, err := keyring.NewCaching(underlying, o)
	require.NoError(t, err)
	return c
}

// committing is a request that may be cached.
var committing = keyring.EncryptionRequest{
	Context: keyring.EncryptionContext{"tenant": "42"}, Suite: keyring.AES256GCMHKDFSHA512CommitKey, PlaintextLength: 10,
}

func seal(t *testing.T, m keyring.Manager, r keyring.EncryptionRequest) *keyring.EncryptionMaterials {
	t.Helper()
	got, err := m.EncryptionMaterials(t.Context(), r)
	require.NoError(t, err)
	require.NoError(t, got.Complete())
	return got
}

// opening returns the request that opens what m seals.
func opening(m *keyring.EncryptionMaterials) keyring.DecryptionRequest {
	return keyring.DecryptionRequest{
		Suite: m.Suite(), CommitmentPolicy: writing(m.Suite()),
		EncryptedDataKeys: m.EncryptedDataKeys(), Context: m.StoredContext(),
	}
}

func open(t *testing.T, m keyring.Manager, r keyring.DecryptionRequest) *keyring.DecryptionMaterials {
	t.Helper()
	got, err := m.DecryptionMaterials(t.Context(), r)
	require.NoError(t, err)
	require.NoError(t, got.Complete())
	return got
}

func TestCachingOptionsAreChecked(t *testing.T) {
	t.Parallel()
	shared := keyring.NewMaterialsCache(1)
	for name, o := range map[string]keyring.CachingOptions{
		"no age":                     {},
		"negative age":               {MaxAge: -1},
		"negative messages":          {MaxAge: 1, MaxMessages: -1},
		"too many messages":          {MaxAge: 1, MaxMessages: 1<<32 + 1},
		"negative bytes":             {MaxAge: 1, MaxBytes: -1},
		"negative assumption":        {MaxAge: 1, AssumedLength: -1},
		"assumption above the limit": {MaxAge: 1, MaxBytes: 5, AssumedLength: 6},
		"negative capacity":          {MaxAge: 1, Capacity: -1},
		"two capacities":             {MaxAge: 1, Capacity: 1, Cache: shared},
	} {
		c, err := keyring.NewCaching(newOrigin(t), o)
		require.ErrorContains(t, err, "keyring: caching manager: ", name)
		require.Nil(t, c, name)
	}
	_, err := keyring.NewCaching(nil, keyring.CachingOptions{MaxAge: 1})
	require.Error(t, err)
	_, err = keyring.NewCaching(newOrigin(t), keyring.CachingOptions{
		MaxAge: 1, MaxMessages: 1 << 32, MaxBytes: math.MaxInt64, AssumedLength: math.MaxInt64, Cache: shared,
	})
	require.NoError(t, err)
	require.Panics(t, func() { keyring.NewMaterialsCache(0) })
}

func TestCachingLimits(t *testing.T) {
	t.Parallel()
	type stats = keyring.CachingStats
	many := func(n int, length int64) []int64 { return slices.Repeat([]int64{length}, n) }
	for name, row := range map[string]struct {
		limits  keyring.CachingOptions
		lengths []int64 // 0 is an empty message, -1 one of unknown length
		want    stats
		calls   int
	}{
		"no limit":             {keyring.CachingOptions{}, many(10, 1<<50), stats{Hits: 9, Misses: 1, Loads: 1, Entries: 1}, 1},
		"one message":          {keyring.CachingOptions{MaxMessages: 1}, many(3, 1), stats{Misses: 3, Loads: 3, SpentMessages: 2, Entries: 1}, 3},
		"messages":             {keyring.CachingOptions{MaxMessages: 4}, many(9, 1), stats{Hits: 6, Misses: 3, Loads: 3, SpentMessages: 2, Entries: 1}, 3},
		"messages, exactly":    {keyring.CachingOptions{MaxMessages: 4}, many(8, 1), stats{Hits: 6, Misses: 2, Loads: 2, SpentMessages: 1, Entries: 1}, 2},
		"bytes, exactly":       {keyring.CachingOptions{MaxBytes: 30}, many(6, 10), stats{Hits: 4, Misses: 2, Loads: 2, SpentBytes: 1, Entries: 1}, 2},
		"bytes, one too few":   {keyring.CachingOptions{MaxBytes: 29}, many(6, 10), stats{Hits: 3, Misses: 3, Loads: 3, SpentBytes: 2, Entries: 1}, 3},
		"the whole limit":      {keyring.CachingOptions{MaxBytes: 10}, many(3, 10), stats{Misses: 3, Loads: 3, SpentBytes: 2, Entries: 1}, 3},
		"longer than allowed":  {keyring.CachingOptions{MaxBytes: 10}, []int64{1, 11, 1}, stats{Hits: 1, Misses: 1, Bypasses: 1, Loads: 1, Entries: 1}, 2},
		"no overflow":          {keyring.CachingOptions{}, many(3, math.MaxInt64), stats{Misses: 3, Loads: 3, SpentBytes: 2, Entries: 1}, 3},
		"empty messages":       {keyring.CachingOptions{MaxBytes: 1, MaxMessages: 5}, many(10, 0), stats{Hits: 8, Misses: 2, Loads: 2, SpentMessages: 1, Entries: 1}, 2},
		"empty ones cost none": {keyring.CachingOptions{MaxBytes: 1}, []int64{1, 0, 0, 1}, stats{Hits: 2, Misses: 2, Loads: 2, SpentBytes: 1, Entries: 1}, 2},
		"unknown lengths":      {keyring.CachingOptions{}, []int64{-1, -1}, stats{Bypasses: 2}, 2},
		"assumed lengths":      {keyring.CachingOptions{MaxBytes: 10, AssumedLength: 5}, []int64{-1, -1, -1}, stats{Hits: 1, Misses: 2, Loads: 2, SpentBytes: 1, Entries: 1}, 2},
		"both limits at once":  {keyring.CachingOptions{MaxBytes: 2, MaxMessages: 2}, many(3, 1), stats{Hits: 1, Misses: 2, Loads: 2, SpentMessages: 1, Entries: 1}, 2},
	} {
		o := newOrigin(t)
		c := newCaching(t, o, row.limits)
		for _, n := range row.lengths {
			r := committing
			r.PlaintextLength, r.Empty = max(n, 0), n == 0
			seal(t, c, r).Destroy()
		}
		require.Equal(t, row.want, c.Stats(), name)
		require.Len(t, o.sealing, row.calls, name)
		if row.want.Bypasses == 0 {
			for _, r := range o.requests {
				require.Zero(t, r.PlaintextLength, "the materials are not for one message")
				require.False(t, r.Empty)
			}
		}
	}
}

// Whatever is done to materials that were handed out, the others do not see it.
func TestCachingHandsOutCopies(t *testing.T) {
	t.Parallel()
	for _, s := range []keyring.Suite{keyring.AES256GCMHKDFSHA512CommitKey, keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384} {
		o := newOrigin(t)
		c := newCaching(t, o, keyring.CachingOptions{})
		r := committing
		r.Suite = s
		first, second := seal(t, c, r), seal(t, c, r)
		key := bytes.Clone(first.DataKey())
		require.Equal(t, key, second.DataKey())
		require.NotSame(t, &first.DataKey()[0], &second.DataKey()[0])
		require.Same(t, first.SigningKey(), second.SigningKey())
		require.Equal(t, first.Context(), second.Context())
		require.NoError(t, first.AddEncryptedDataKey(keyring.EncryptedDataKey{Provider: "one"}))
		require.NoError(t, second.AddEncryptedDataKey(keyring.EncryptedDataKey{Provider: "two"}))
		require.Equal(t, "one", first.EncryptedDataKeys()[1].Provider)
		require.Equal(t, "two", second.EncryptedDataKeys()[1].Provider)
		first.Destroy()
		require.Equal(t, key, second.DataKey())
		third := seal(t, c, r)
		require.Equal(t, key, third.DataKey())
		require.Len(t, third.EncryptedDataKeys(), 1)

		in := opening(third)
		opened, again := open(t, c, in), open(t, c, in)
		require.Equal(t, key, opened.DataKey())
		opened.Destroy()
		require.Equal(t, key, again.DataKey())
		require.Equal(t, key, open(t, c, in).DataKey())
		require.Equal(t, s.Signed(), opened.VerificationKey() != nil)
		require.Len(t, o.sealing, 1)
		require.Len(t, o.opening, 1)

		c.Clear()
		require.False(t, o.sealing[0].HasDataKey(), "what is cached is wiped")
		require.False(t, o.opening[0].HasDataKey())
		require.Equal(t, key, third.DataKey(), "what is handed out is not")
		require.Equal(t, key, again.DataKey())
	}
}

// Copies of materials with several encrypted data keys have the same array of them: one
// that grows must not write into what another appends to.
func TestCachingCopiesGrowApart(t *testing.T) {
	t.Parallel()
	ring := newMulti(t, newAES(t, "a"), newAES(t, "b"), newAES(t, "c"))
	c := newCaching(t, keyring.NewManager(ring), keyring.CachingOptions{})
	first, second := seal(t, c, committing), seal(t, c, committing)
	require.NoError(t, first.AddEncryptedDataKey(keyring.EncryptedDataKey{Provider: "one"}))
	require.NoError(t, second.AddEncryptedDataKey(keyring.EncryptedDataKey{Provider: "two"}))
	require.Equal(t, "one", first.EncryptedDataKeys()[3].Provider)
	require.Equal(t, "two", second.EncryptedDataKeys()[3].Provider)
	require.Len(t, seal(t, c, committing).EncryptedDataKeys(), 3)
}

// Suites without a key derivation use the data key itself: it must never serve twice.
func TestCachingNeverSharesPlainDataKeys(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	c := newCaching(t, o, keyring.CachingOptions{})
	for i, s := range []keyring.Suite{keyring.AES128GCMNoKDF, keyring.AES192GCMNoKDF, keyring.AES256GCMNoKDF} {
		r := committing
		r.Suite, r.CommitmentPolicy = s, keyring.ForbidEncryptAllowDecrypt
		first, second := seal(t, c, r), seal(t, c, r)
		require.NotEqual(t, first.DataKey(), second.DataKey())
		open(t, c, opening(first))
		open(t, c, opening(first))
		require.Equal(t, keyring.CachingStats{Bypasses: uint64(4 * (i + 1))}, c.Stats())
	}
}

// stubborn is a manager that returns materials of a suite without a key derivation,
// whatever it is asked for.
type stubborn struct{ keyring.Manager }

func (s stubborn) EncryptionMaterials(ctx context.Context, r keyring.EncryptionRequest) (*keyring.EncryptionMaterials, error) {
	r.Suite, r.CommitmentPolicy = keyring.AES256GCMNoKDF, keyring.ForbidEncryptAllowDecrypt
	return s.Manager.EncryptionMaterials(ctx, r)
}

func TestCachingNeverSharesPlainDataKeysThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	c := newCaching(t, stubborn{newOrigin(t)}, keyring.CachingOptions{})
	keys := make(chan string, 50)
	var wg sync.WaitGroup
	for range cap(keys) {
		wg.Go(func() {
			m, err := c.EncryptionMaterials(t.Context(), committing)
			if err != nil {
				t.Error(err)
				return
			}
			keys <- string(m.DataKey())
		})
	}
	wg.Wait()
	close(keys)
	seen := map[string]bool{}
	for k := range keys {
		require.False(t, seen[k])
		seen[k] = true
	}
	require.Len(t, seen, 50)
	require.Zero(t, c.Stats().Entries)
	require.Zero(t, c.Stats().Hits)
}

func TestCachingAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t)
		o.encrypt = func(context.Context, keyring.EncryptionRequest) { time.Sleep(time.Second) }
		c := newCaching(t, o, keyring.CachingOptions{MaxAge: time.Minute})
		start := time.Now()
		first := seal(t, c, committing)
		time.Sleep(time.Minute - 1 - time.Since(start)) // the age counts from the question
		require.Equal(t, first.DataKey(), seal(t, c, committing).DataKey())
		time.Sleep(time.Nanosecond)
		require.NotEqual(t, first.DataKey(), seal(t, c, committing).DataKey())
		require.False(t, o.sealing[0].HasDataKey())
		require.Equal(t, keyring.CachingStats{Hits: 1, Misses: 2, Loads: 2, Expirations: 1, Entries: 1}, c.Stats())

		r := opening(first)
		open(t, c, r)
		open(t, c, r)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.False(t, o.sealing[1].HasDataKey(), "wiped although nobody asks for it")
		require.False(t, o.opening[0].HasDataKey())
		open(t, c, r)
		require.Equal(t, keyring.CachingStats{Hits: 2, Misses: 4, Loads: 4, Expirations: 3, Entries: 1}, c.Stats())
	})
}

// slowOpening takes its time to open a message.
type slowOpening struct{ keyring.Manager }

func (s slowOpening) DecryptionMaterials(ctx context.Context, r keyring.DecryptionRequest) (*keyring.DecryptionMaterials, error) {
	m, err := s.Manager.DecryptionMaterials(ctx, r)
	time.Sleep(30 * time.Second)
	return m, err
}

// For decryption too, the age counts from the question: so long ago the key service
// may have been asked.
func TestCachingAgeForDecryption(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t)
		r := opening(seal(t, o, committing))
		c := newCaching(t, slowOpening{o}, keyring.CachingOptions{MaxAge: time.Minute})
		open(t, c, r)
		time.Sleep(30*time.Second - 1)
		open(t, c, r)
		require.Len(t, o.opening, 1)
		time.Sleep(time.Nanosecond)
		open(t, c, r)
		require.Len(t, o.opening, 2)
	})
}

func TestCachingCapacity(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	c := newCaching(t, o, keyring.CachingOptions{Capacity: 2})
	of := func(tenant string) keyring.EncryptionRequest {
		r := committing
		r.Context = keyring.EncryptionContext{"tenant": tenant}
		return r
	}
	for _, tenant := range []string{"a", "b", "a", "c", "a", "b"} { // c takes the place of b, b that of c
		seal(t, c, of(tenant))
	}
	require.Equal(t, keyring.CachingStats{Hits: 2, Misses: 4, Loads: 4, Evictions: 2, Entries: 2}, c.Stats())
	require.False(t, o.sealing[1].HasDataKey())
	require.True(t, o.sealing[0].HasDataKey())
}

func TestCachingPassesErrorsOnAndForgetsThem(t *testing.T) {
	t.Parallel()
	want := errors.New("keyring out of order")
	fail := true
	ring := newAES(t, "key")
	c := newCaching(t, keyring.NewManager(fake{
		encrypt: func(ctx context.Context, m *keyring.EncryptionMaterials) error {
			if fail {
				return want
			}
			return ring.OnEncrypt(ctx, m)
		},
		decrypt: func(context.Context, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error { return want },
	}), keyring.CachingOptions{})
	_, err := c.EncryptionMaterials(t.Context(), committing)
	require.ErrorIs(t, err, want)
	fail = false
	m := seal(t, c, committing)
	_, err = c.DecryptionMaterials(t.Context(), opening(m))
	require.ErrorIs(t, err, want)
	require.Equal(t, keyring.CachingStats{Misses: 3, Loads: 3, Failures: 2, Entries: 1}, c.Stats())

	invalid := committing
	invalid.Context = keyring.EncryptionContext{"\xff": ""}
	_, err = c.EncryptionMaterials(t.Context(), invalid)
	require.ErrorIs(t, err, keyring.ErrEncryptionContext)
	r := opening(m)
	r.Reproduced = invalid.Context
	_, err = c.DecryptionMaterials(t.Context(), r)
	require.ErrorIs(t, err, keyring.ErrEncryptionContext)
	require.EqualValues(t, 2, c.Stats().Bypasses)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.EncryptionMaterials(ctx, committing)
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.DecryptionMaterials(ctx, opening(m))
	require.ErrorIs(t, err, context.Canceled)
}

// careless is a manager that returns what a manager must not.
type careless struct {
	sealing *keyring.EncryptionMaterials
	opening *keyring.DecryptionMaterials
}

func (c careless) EncryptionMaterials(context.Context, keyring.EncryptionRequest) (*keyring.EncryptionMaterials, error) {
	return c.sealing, nil
}

func (c careless) DecryptionMaterials(context.Context, keyring.DecryptionRequest) (*keyring.DecryptionMaterials, error) {
	return c.opening, nil
}

func TestCachingRefusesIncompleteMaterials(t *testing.T) {
	t.Parallel()
	keyless := encryption(t, keyring.AES256GCMHKDFSHA512CommitKey)
	require.NoError(t, keyless.SetDataKey(make([]byte, 32)))
	in := keyring.DecryptionRequest{Suite: keyring.AES256GCMHKDFSHA512CommitKey}
	for name, underlying := range map[string]careless{
		"none":       {},
		"incomplete": {keyless, decryption(t, encryption(t, keyring.AES256GCMHKDFSHA512CommitKey))},
	} {
		c := newCaching(t, underlying, keyring.CachingOptions{})
		_, err := c.EncryptionMaterials(t.Context(), committing)
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
		_, err = c.DecryptionMaterials(t.Context(), in)
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
		require.Equal(t, keyring.CachingStats{Misses: 2, Loads: 2, Failures: 2}, c.Stats(), name)
	}
	require.False(t, keyless.HasDataKey())
}

// What was checked for one caller is not given to another with other requirements.
func TestCachingChecksReproducedContext(t *testing.T) {
	t.Parallel()
	c := newCaching(t, newOrigin(t), keyring.CachingOptions{})
	m := seal(t, c, committing)
	r := opening(m)
	open(t, c, r)
	for _, reproduced := range []keyring.EncryptionContext{{"tenant": "43"}, {"tenant": "42", "more": ""}} {
		r.Reproduced = reproduced
		for range 2 {
			_, err := c.DecryptionMaterials(t.Context(), r)
			require.Error(t, err)
		}
	}
	r.Reproduced = keyring.EncryptionContext{"tenant": "42"}
	open(t, c, r)
	r.CommitmentPolicy = 17
	_, err := c.DecryptionMaterials(t.Context(), r)
	require.ErrorIs(t, err, keyring.ErrCommitmentPolicy)
	require.Equal(t, keyring.CachingStats{Misses: 8, Loads: 8, Failures: 5, Entries: 3}, c.Stats())
}

func TestCachingPartitions(t *testing.T) {
	t.Parallel()
	shared := keyring.NewMaterialsCache(10)
	o := newOrigin(t)
	with := func(partition string, age time.Duration) *keyring.Caching {
		return newCaching(t, o, keyring.CachingOptions{Cache: shared, Partition: partition, MaxAge: age, MaxMessages: 3})
	}
	a, alike := with("a", time.Hour), with("a", time.Hour)
	key := seal(t, a, committing).DataKey()
	require.Equal(t, key, seal(t, alike, committing).DataKey())
	for name, other := range map[string]*keyring.Caching{
		"another partition":      with("b", time.Hour),
		"another age":            with("a", time.Minute),
		"a partition of its own": with("", time.Hour),
		"another of its own":     with("", time.Hour),
	} {
		require.NotEqual(t, key, seal(t, other, committing).DataKey(), name)
	}
	require.Equal(t, key, seal(t, alike, committing).DataKey())
	require.NotEqual(t, key, seal(t, a, committing).DataKey(), "the limit is that of the entry")
	require.Equal(t, keyring.CachingStats{Hits: 2, Misses: 6, Loads: 6, SpentMessages: 1, Entries: 5}, a.Stats())
	require.Equal(t, shared.Stats(), alike.Stats())
	shared.Clear()
	require.Zero(t, a.Stats().Entries)
	for _, m := range o.sealing {
		require.False(t, m.HasDataKey())
	}
}

func TestCachingTellsHooks(t *testing.T) {
	t.Parallel()
	var j journal
	ctx := keyring.WithHooks(t.Context(), j.hooks())
	c := newCaching(t, newOrigin(t), keyring.CachingOptions{MaxMessages: 2})
	for range 3 {
		_, err := c.EncryptionMaterials(ctx, committing)
		require.NoError(t, err)
	}
	unknown := committing
	unknown.PlaintextLength = 0
	m, err := c.EncryptionMaterials(ctx, unknown)
	require.NoError(t, err)
	for range 2 {
		_, err = c.DecryptionMaterials(ctx, opening(m))
		require.NoError(t, err)
	}
	require.Equal(t, []string{
		`0 wrap ""`, `0 end "fleet" <nil>`, "caching manager: encrypt miss",
		"caching manager: encrypt hit",
		"caching manager: encrypt spent", `0 wrap ""`, `0 end "fleet" <nil>`, "caching manager: encrypt miss",
		"caching manager: encrypt bypass", `0 wrap ""`, `0 end "fleet" <nil>`,
		`0 unwrap "fleet"`, `0 end "fleet" <nil>`, "caching manager: decrypt miss",
		"caching manager: decrypt hit",
	}, j.lines)
}

func TestCachingHitIsCheap(t *testing.T) {
	c := newCaching(t, newOrigin(t), keyring.CachingOptions{})
	m := seal(t, c, committing)
	in := opening(m)
	open(t, c, in)
	ctx := t.Context()
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if _, err := c.EncryptionMaterials(ctx, committing); err != nil {
			t.Error(err)
		}
	}), 4.0)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if _, err := c.DecryptionMaterials(ctx, in); err != nil {
			t.Error(err)
		}
	}), 4.0)
}

func BenchmarkCachingHit(b *testing.B) {
	ring, err := keyring.NewRawAES("fleet", "key", make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	c, err := keyring.NewCaching(keyring.NewManager(ring), keyring.CachingOptions{MaxAge: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := c.EncryptionMaterials(b.Context(), committing)
		if err != nil {
			b.Fatal(err)
		}
		m.Destroy()
	}
}
