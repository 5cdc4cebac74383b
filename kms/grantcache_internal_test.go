package kms

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

func TestGrantCache(t *testing.T) {
	t.Parallel()
	var c grantCache
	of := grantsOf{key: "k", principal: "p"}
	k := &keyrecord.Key{GrantChanges: 3, Created: time.Unix(1, 0)}
	_, ok := c.get(of, k)
	require.False(t, ok)

	grants := []*policy.Grant{{}, {EncryptionContextEquals: []policy.Pair{{Key: "k", Value: "v"}}}}
	c.put(of, k, grants)
	got, ok := c.get(of, k)
	require.True(t, ok)
	require.Len(t, got, 2)
	for name, other := range map[string]*keyrecord.Key{
		"another change": {GrantChanges: 4, Created: time.Unix(1, 0)},
		"made again":     {GrantChanges: 3, Created: time.Unix(2, 0)},
	} {
		stale, ok := c.get(of, other)
		require.False(t, ok, name)
		require.Nil(t, stale, name)
	}
	for _, other := range []grantsOf{{key: "l", principal: "p"}, {key: "k", principal: "q"}, {key: "k", principal: "p", role: "r"}, {key: "k", principal: "p", service: "s"}} {
		_, ok = c.get(other, k)
		require.False(t, ok, other)
	}

	k.GrantChanges++
	c.put(of, k, nil)
	none := sizeOf(of, nil)
	require.Equal(t, none, c.size)
	require.Equal(t, none+2*1024+2, sizeOf(of, grants))
	_, ok = c.get(of, k)
	require.True(t, ok, "that there are none is worth knowing too")

	large := &policy.Grant{EncryptionContextSubset: []policy.Pair{{Key: "k", Value: strings.Repeat("v", maxCachedBytes-none-1024-1)}}}
	c.put(of, k, []*policy.Grant{large})
	require.Equal(t, maxCachedBytes-none, c.size-none)
	c.put(grantsOf{key: "l"}, k, grants)
	require.Equal(t, sizeOf(grantsOf{key: "l"}, grants), c.size, "a full cache starts anew")
	_, ok = c.get(of, k)
	require.False(t, ok)
}
