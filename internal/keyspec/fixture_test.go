package keyspec_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// materials has one key of each spec, made when it is first asked for and once: large
// RSA keys take their time.
var materials = func() map[string]func() []byte {
	m := map[string]func() []byte{}
	for _, s := range keyspec.All() {
		m[s.Name()] = sync.OnceValue(func() []byte {
			material, err := s.Generate()
			if err != nil {
				panic(err)
			}
			return material
		})
	}
	return m
}()

// material returns a copy of the key material of a spec.
func material(spec string) []byte { return bytes.Clone(materials[spec]()) }

func lookup(t testing.TB, name string) *keyspec.Spec {
	t.Helper()
	s, ok := keyspec.Lookup(name)
	require.True(t, ok, name)
	return s
}

// key returns the key of a spec.
func key(t testing.TB, spec string) *keyspec.Key {
	t.Helper()
	return parse(t, spec, material(spec))
}

func parse(t testing.TB, spec string, material []byte) *keyspec.Key {
	t.Helper()
	k, err := lookup(t, spec).Parse(material)
	require.NoError(t, err)
	return k
}

func parsePublic(t testing.TB, spec string, spki []byte) *keyspec.Key {
	t.Helper()
	k, err := lookup(t, spec).ParsePublic(spki)
	require.NoError(t, err)
	return k
}

// newKey returns another key of a spec, whose material is not kept.
func newKey(t testing.TB, spec string) *keyspec.Key {
	t.Helper()
	m, err := lookup(t, spec).Generate()
	require.NoError(t, err)
	return parse(t, spec, m)
}

// requireRefused wants bytes refused as key material of a spec, in words that have
// nothing of them.
func requireRefused(t testing.TB, spec string, material []byte, why ...any) {
	t.Helper()
	k, err := lookup(t, spec).Parse(material)
	require.ErrorIs(t, err, keyspec.ErrMaterial, why...)
	require.Nil(t, k)
	require.True(t, strings.HasPrefix(err.Error(), "keyspec: not a key of this spec: "+spec+": "), "%v", err)
	if len(material) >= 8 {
		require.NotContains(t, err.Error(), fmt.Sprintf("%x", material[len(material)-8:]))
		require.NotContains(t, err.Error(), string(material[len(material)-8:]))
	}
}

// flips returns the number of a bit and b with that bit changed, for every bit, or for
// one in step of them. A step of 9 changes one bit of nearly every byte.
func flips(b []byte, step int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		altered := bytes.Clone(b)
		for i := 0; i < 8*len(b); i += step {
			altered[i/8] ^= 1 << (i % 8)
			if !yield(i, altered) {
				return
			}
			altered[i/8] = b[i/8]
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}
