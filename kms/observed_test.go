package kms_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// observed is a Region of a cloud seen from behind: what its store holds, decrypted.
type observed struct {
	region  string
	keys    map[string]*keyrecord.Key   // by id
	aliases map[string]*keyrecord.Alias // by name
	raw     map[string]string           // of all Regions

	elsewhere map[string]observed // the other Regions
}

func observe(t *testing.T, s store.Store) observed {
	t.Helper()
	raw := dump(t, s)
	o := observeIn(t, region, raw)
	o.elsewhere = map[string]observed{}
	for name := range raw {
		in, _, _ := strings.Cut(strings.TrimPrefix(name, "kms/"+account+"/"), "/")
		if _, seen := o.elsewhere[in]; !seen && in != region && strings.HasPrefix(name, keyrecord.KeyPrefix(account, in)) {
			o.elsewhere[in] = observeIn(t, in, raw)
		}
	}
	return o
}

func observeIn(t *testing.T, region string, raw map[string]string) observed {
	t.Helper()
	o := observed{region: region, keys: map[string]*keyrecord.Key{}, aliases: map[string]*keyrecord.Alias{}, raw: raw}
	keys, aliases := keyrecord.KeyPrefix(account, region), keyrecord.AliasPrefix(account, region)
	for name, value := range raw {
		if id, ok := strings.CutPrefix(name, keys); ok {
			o.keys[id] = storedKey(t, raw, region, id)
			require.Equal(t, id, o.keys[id].ID)
		}
		if alias, ok := strings.CutPrefix(name, aliases); ok {
			a, err := keyrecord.UnmarshalAlias([]byte(value))
			require.NoError(t, err)
			require.Equal(t, "alias/"+alias, a.Name)
			o.aliases[a.Name] = a
		}
	}
	return o
}

// storedKey returns a key from what a store holds.
func storedKey(t *testing.T, raw map[string]string, region, id string) *keyrecord.Key {
	t.Helper()
	k, err := keyrecord.ReadKey(account, region, id, func(name string) ([]byte, error) {
		b, ok := raw[name]
		if !ok {
			return nil, store.ErrNotFound
		}
		return []byte(b), nil
	})
	require.NoError(t, err)
	return k
}

// requireConsistent checks what holds between records at any time.
func (o observed) requireConsistent(t *testing.T) {
	t.Helper()
	listed := 0
	for _, k := range o.keys {
		require.True(t, slices.IsSorted(k.Aliases))
		require.LessOrEqual(t, len(k.Aliases), 50)
		require.LessOrEqual(t, len(k.Tags), 50)
		for _, name := range k.Aliases {
			require.Contains(t, o.aliases, name)
			require.Equal(t, k.ID, o.aliases[name].Target, name)
		}
		listed += len(k.Aliases)
		for i, tag := range k.Tags {
			require.LessOrEqual(t, tag.Seq, k.TagSeq)
			require.True(t, i == 0 || k.Tags[i-1].Seq < tag.Seq)
		}
		o.requireGrants(t, k)
	}
	require.Len(t, o.aliases, listed)
	if o.elsewhere == nil {
		return
	}
	for _, other := range o.elsewhere {
		other.requireConsistent(t)
	}
	o.requireCopies(t)
}

// requireGrants holds the grants of a key, and what leads to them, to its record.
func (o observed) requireGrants(t *testing.T, k *keyrecord.Key) {
	t.Helper()
	records, leading := 0, 0
	for name, value := range o.raw {
		if !strings.HasPrefix(name, keyrecord.GrantPrefix(account, o.region, k.ID)) {
			continue
		}
		records++
		g, err := keyrecord.UnmarshalGrant([]byte(value))
		require.NoError(t, err)
		_, index := g.Names()
		for _, entry := range index {
			require.Contains(t, o.raw, entry)
		}
		leading += len(index)
		if g.Name != "" {
			require.Equal(t, g.ID, o.raw[g.GrantName()])
		}
	}
	require.Equal(t, k.Grants, records)
	for name := range o.raw {
		if strings.HasPrefix(name, "kms/"+account+"/"+o.region+"/grantee/"+k.ID+"/") ||
			strings.HasPrefix(name, "kms/retiring/"+o.region+"/") && strings.Contains(name, "/"+k.ID+"/") {
			leading--
		}
	}
	require.Zero(t, leading, "what leads to a grant leads to one that is there")
}

// requireCopies checks that all copies of each multi-Region key have in common what they
// must.
func (o observed) requireCopies(t *testing.T) {
	t.Helper()
	copies := map[string][]*keyrecord.Key{} // by key id
	for _, in := range append(slices.Collect(maps.Values(o.elsewhere)), o) {
		for id, k := range in.keys {
			if k.MultiRegion != nil {
				copies[id] = append(copies[id], k)
			}
		}
	}
	for _, all := range copies {
		regions := []string{}
		for _, k := range all {
			regions = append(regions, k.Region)
			require.Equal(t, shared(all[0]), shared(k))
		}
		known := []string{}
		for _, c := range all[0].MultiRegion.Copies {
			known = append(known, c.Region)
		}
		require.ElementsMatch(t, known, regions)
		require.Contains(t, known, all[0].MultiRegion.Primary)
	}
}

// shared is what all copies of a multi-Region key have in common.
func shared(k *keyrecord.Key) keyrecord.Key {
	s := keyrecord.Key{
		ID: k.ID, Spec: k.Spec, Usage: k.Usage, Origin: k.Origin, MultiRegion: k.MultiRegion,
		Rotation: k.Rotation, OnDemandRotations: k.OnDemandRotations, OnDemandStarted: k.OnDemandStarted,
		Materials: slices.Clone(k.Materials),
	}
	if k.Origin == keyrecord.OriginExternal {
		for i := range s.Materials {
			m := &s.Materials[i]
			m.Bytes, m.ValidTo = nil, nil
		}
	}
	return s
}
