package store

import "strings"

// node is the root of an immutable ordered map, a treap: a search tree by key and
// a heap by priority. The priorities are keyed hashes of the keys, so the tree has
// the shape of one built in random order, whoever chooses the keys. Changes copy
// the path to the changed node and share the rest. The empty map is nil.
type node struct {
	key         string
	value       []byte // never modified
	version     uint64 // revision of the commit that set value
	priority    uint64
	left, right *node
}

// get returns the node of key, or nil.
func (n *node) get(key string) *node {
	for n != nil && n.key != key {
		if key < n.key {
			n = n.left
		} else {
			n = n.right
		}
	}
	return n
}

// put returns the map with key set to value. Its root is a new node.
func (n *node) put(key string, value []byte, version, priority uint64) *node {
	if n == nil {
		return &node{key: key, value: value, version: version, priority: priority}
	}
	root := *n
	switch {
	case key < n.key:
		root.left = n.left.put(key, value, version, priority)
		if l := root.left; l.priority > root.priority {
			root.left, l.right = l.right, &root // l is new, so it may be changed
			return l
		}
	case key > n.key:
		root.right = n.right.put(key, value, version, priority)
		if r := root.right; r.priority > root.priority {
			root.right, r.left = r.left, &root
			return r
		}
	default:
		root.value, root.version = value, version
	}
	return &root
}

// remove returns the map without key: n itself if key is not there.
func (n *node) remove(key string) *node {
	switch {
	case n == nil:
		return nil
	case key == n.key:
		return join(n.left, n.right)
	}
	left, right := n.left, n.right
	if key < n.key {
		left = left.remove(key)
	} else {
		right = right.remove(key)
	}
	if left == n.left && right == n.right {
		return n
	}
	return &node{n.key, n.value, n.version, n.priority, left, right}
}

// join returns the union of two maps, every key of l being less than every key of r.
func join(l, r *node) *node {
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	case l.priority > r.priority:
		root := *l
		root.right = join(l.right, r)
		return &root
	default:
		root := *r
		root.left = join(l, r.left)
		return &root
	}
}

// scan calls yield for the nodes whose keys have the prefix and are not less than
// from, in ascending order, until yield returns false. It reports whether it came
// to the end. from must not be less than prefix.
func (n *node) scan(prefix, from string, yield func(*node) bool) bool {
	if n == nil {
		return true
	}
	if n.key < from {
		return n.right.scan(prefix, from, yield)
	}
	if !n.left.scan(prefix, from, yield) {
		return false
	}
	if !strings.HasPrefix(n.key, prefix) {
		return true // so does no greater key
	}
	return yield(n) && n.right.scan(prefix, from, yield)
}

// spine builds a treap from nodes in ascending order of their keys, in linear time. It
// holds the path from the root to the greatest key.
type spine []*node

// append adds n, whose key is greater than every one before.
func (s *spine) append(n *node) {
	path := *s
	i := len(path)
	for i > 0 && path[i-1].priority < n.priority {
		i--
	}
	if i < len(path) {
		n.left = path[i]
	}
	if i > 0 {
		path[i-1].right = n
	}
	*s = append(path[:i], n)
}

// root returns the treap.
func (s spine) root() *node {
	if len(s) == 0 {
		return nil
	}
	return s[0]
}
