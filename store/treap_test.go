package store

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkTree fails unless n is a search tree and a heap, and returns its depth.
func checkTree(t *testing.T, n *node, low, high string, most uint64) int {
	if n == nil {
		return 0
	}
	require.Greater(t, n.key, low)
	require.Less(t, n.key, high)
	require.LessOrEqual(t, n.priority, most)
	return 1 + max(checkTree(t, n.left, low, n.key, n.priority), checkTree(t, n.right, n.key, high, n.priority))
}

func treeContents(n *node) map[string]string {
	m := map[string]string{}
	n.scan("", "", func(n *node) bool { m[n.key] = string(n.value); return true })
	return m
}

func TestTreapKeepsEveryVersion(t *testing.T) {
	t.Parallel()
	seed := maphash.MakeSeed()
	random := rand.New(rand.NewPCG(1, 2))
	var root *node
	model := map[string]string{}
	type version struct {
		root  *node
		model map[string]string
	}
	var versions []version
	for i := range 4000 {
		key := fmt.Sprint("k", random.IntN(200))
		if random.IntN(3) == 0 {
			without := root.remove(key)
			if _, there := model[key]; !there {
				require.Same(t, root, without)
			}
			root = without
			delete(model, key)
		} else {
			value := fmt.Sprint(i)
			root = root.put(key, []byte(value), 1, maphash.String(seed, key))
			model[key] = value
		}
		if i%50 == 0 {
			versions = append(versions, version{root, maps.Clone(model)})
		}
	}
	for _, v := range versions {
		checkTree(t, v.root, "", "~", ^uint64(0))
		require.Equal(t, v.model, treeContents(v.root))
		for key, value := range v.model {
			require.Equal(t, value, string(v.root.get(key).value))
		}
		require.Nil(t, v.root.get("k200"))
	}
}

func TestTreapIsShallowWhateverTheOrder(t *testing.T) {
	t.Parallel()
	const n = 1 << 14
	ascending := make([]int, n)
	for i := range ascending {
		ascending[i] = i
	}
	descending := slices.Clone(ascending)
	slices.Reverse(descending)
	for name, order := range map[string][]int{"ascending": ascending, "descending": descending} {
		seed := maphash.MakeSeed()
		var root *node
		for _, i := range order {
			key := fmt.Sprintf("%08d", i)
			root = root.put(key, nil, 1, maphash.String(seed, key))
		}
		// The expected depth is about 2·ln(n) ≈ 19 + a constant; 80 is never met.
		require.Less(t, checkTree(t, root, "", "~", ^uint64(0)), 80, name)
	}
}

func TestTreapWithEqualPriorities(t *testing.T) {
	t.Parallel()
	var root *node
	for i := range 100 {
		root = root.put(fmt.Sprintf("%02d", i*37%100), nil, 1, 7)
	}
	for i := range 50 {
		root = root.remove(fmt.Sprintf("%02d", 2*i))
	}
	checkTree(t, root, "", "~", 7)
	require.Len(t, treeContents(root), 50)
}
