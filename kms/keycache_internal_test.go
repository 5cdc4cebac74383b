package kms

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

// newCachedKey returns a key with some material, whose records have some size.
func newCachedKey(id string, version uint64, size int) cachedKey {
	b := make([]byte, keyrecord.MaterialLen)
	rand.Read(b)
	return cachedKey{name: id, version: version, size: size, key: &keyrecord.Key{
		ID: id, Spec: keyrecord.SpecSymmetric, Origin: keyrecord.OriginExternal,
		Materials: []keyrecord.Material{keyrecord.NewMaterial("k", b, time.Time{})},
	}}
}

// use has a material parsed.
func (e cachedKey) use(t *testing.T, c *keyCache) {
	t.Helper()
	_, err := c.usable(e.key, e.key.Current())
	require.NoError(t, err)
}

func TestKeyCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c keyCache
	const large = maxCachedBytes / 4
	for i := range 9 {
		e := newCachedKey(fmt.Sprint(i), 1, large)
		c.put(e)
		e.use(t, &c)
		require.Equal(t, min(i+1, 4), len(c.records))
		require.Equal(t, len(c.records)*large, c.size)
		require.Len(t, c.materials.keys, len(c.records), "of the keys that are kept")
		require.Contains(t, c.records, keyPlace{id: fmt.Sprint(i)}, "the latest is")
	}
	last := newCachedKey("8", 2, 1)
	c.put(last)
	require.Equal(t, 3*large+1, c.size)
	c.put(newCachedKey("8", 1, large))
	require.Equal(t, last, c.records[keyPlace{id: "8"}], "what has been overtaken is not kept")
	require.Equal(t, 3*large+1, c.size)

	c = keyCache{}
	for i := range maxCachedKeys + 3 {
		c.put(newCachedKey(fmt.Sprint(i), 1, 1))
	}
	require.Len(t, c.records, maxCachedKeys)
	require.Equal(t, maxCachedKeys, c.size)
}

// TestDeletedMaterialIsForgotten has the usable form of a material go when a later record
// of its key does not have it any more.
func TestDeletedMaterialIsForgotten(t *testing.T) {
	t.Parallel()
	var c keyCache
	e, other := newCachedKey("k", 1, 1), newCachedKey("other", 1, 1)
	c.put(e)
	c.put(other)
	e.use(t, &c)
	other.use(t, &c)
	kept := cachedKey{name: "k", version: 2, key: e.key.Clone(), size: 1}
	c.put(kept)
	require.Contains(t, c.materials.keys, e.key.Materials[0].ID)
	forgotten := cachedKey{name: "k", version: 3, key: e.key.Clone(), size: 1}
	forgotten.key.Materials[0].Forget()
	c.put(forgotten)
	require.NotContains(t, c.materials.keys, e.key.Materials[0].ID)
	e.use(t, &c) // by a request that began before
	require.NotContains(t, c.materials.keys, e.key.Materials[0].ID)
	require.Contains(t, c.materials.keys, other.key.Materials[0].ID)
}

func TestPolicyCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c policyCache
	const text = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`
	most := maxCachedPolicyBytes / 32768
	for i := range most + 2 {
		k := &keyrecord.Key{Local: keyrecord.Local{
			Policy: text + strings.Repeat("\n", i) + strings.Repeat(" ", 32768-i-len(text)),
		}}
		for range 2 {
			p, err := c.of(k)
			require.NoError(t, err)
			require.NotNil(t, p)
		}
		sum := 0
		for text := range c.byText {
			sum += len(text)
		}
		require.Equal(t, sum, c.size)
		require.LessOrEqual(t, sum, maxCachedPolicyBytes)
	}
	require.Equal(t, 2, len(c.byText), "a full cache starts anew")
}
