package kms

import (
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
)

// What [Check] looks for in a key.

// key looks at a key, and at what should be there because of it.
func (c *checker) key(n keyrecord.Name) error {
	h, err := c.ledger.at(keyPlace{n.Account, n.Region, n.KeyID})
	if err != nil {
		return err
	}
	if h.damage != nil {
		if k := unreadableKey(c, n); k != nil && k.SharesMaterials() {
			c.shared[keyrecord.MaterialsName(n.Account, n.KeyID)] = true
		}
		return c.form(nil, h.damage)
	}
	k := h.key
	if k.Account != n.Account || k.Region != n.Region || k.ID != n.KeyID {
		c.find(RuleForm, "the record of %s", k.ARN())
		return nil
	}
	if k.SharesMaterials() {
		c.shared[keyrecord.MaterialsName(k.Account, k.ID)] = true
	}
	c.tags(k)
	c.materials(k)
	for _, look := range []func(*keyrecord.Key) error{c.aliases, c.grants, c.copies, c.keyStore} {
		if err := look(k); err != nil {
			return err
		}
	}
	return nil
}

// unreadableKey returns what the first record of a key says that cannot be read as a whole,
// nil if not even that can be read.
func unreadableKey(c *checker, n keyrecord.Name) *keyrecord.Key {
	b, err := c.value(keyrecord.KeyName(n.Account, n.Region, n.KeyID))
	if err != nil {
		return nil
	}
	defer clear(b)
	k, err := keyrecord.UnmarshalKey(b)
	if err != nil {
		return nil
	}
	return k
}

func (c *checker) tags(k *keyrecord.Key) {
	for i, t := range k.Tags {
		c.expect(t.Seq <= k.TagSeq && (i == 0 || k.Tags[i-1].Seq < t.Seq), RuleKey, "tag %q is out of order", t.Key)
	}
}

// materials looks at the materials of k that are there.
func (c *checker) materials(k *keyrecord.Key) {
	spec, known := keyspec.Lookup(k.Spec)
	if !known || !slices.Contains(spec.Usages(), k.Usage) {
		c.find(RuleKey, "a key of spec %q for %q", k.Spec, k.Usage)
		return
	}
	pending := 0
	for i := range k.Materials {
		m := &k.Materials[i]
		first := slices.IndexFunc(k.Materials, func(o keyrecord.Material) bool { return o.ID == m.ID })
		c.expect(first == i, RuleMaterial, "the material %s twice", m.ID)
		switch {
		case m.Pending:
			pending++
			c.expect(k.Origin == keyrecord.OriginExternal && i > 0, RuleMaterial, "the material %s is pending", m.ID)
		default:
			c.expect((i == 0) == (m.Rotated == nil), RuleMaterial, "nothing says when the material %s became current", m.ID)
		}
		if len(m.Bytes) == 0 {
			continue
		}
		if keyrecord.MaterialID(k.ID, m.Bytes) != m.ID {
			c.find(RuleMaterial, "the material %s is not what its id says", m.ID)
			continue
		}
		_, err := spec.Parse(m.Bytes)
		c.expect(err == nil, RuleMaterial, "the material %s is not of spec %s", m.ID, k.Spec)
	}
	c.expect(pending <= 1, RuleMaterial, "%d materials are pending", pending)
}

// aliases looks for the aliases that k lists. One that another key has, with its list, is
// no longer that of a key which was gone when it was taken over.
func (c *checker) aliases(k *keyrecord.Key) error {
	c.expect(slices.IsSorted(k.Aliases) && len(slices.Compact(slices.Clone(k.Aliases))) == len(k.Aliases), RuleAlias, "the key's list is out of order")
	for _, name := range k.Aliases {
		b, err := c.value(keyrecord.AliasPrefix(k.Account, k.Region) + strings.TrimPrefix(name, aliasPrefix))
		if err != nil {
			return err
		}
		if b == nil {
			c.expect(k.Deletion != nil, RuleAlias, "%s, which the key lists, is not there", name)
			continue
		}
		a, err := keyrecord.UnmarshalAlias(b)
		if err != nil || a.Target == k.ID || k.Deletion != nil {
			continue
		}
		h, err := c.ledger.at(keyPlace{k.Account, k.Region, a.Target})
		if err != nil {
			return err
		}
		if h.key != nil { // else, or if that key does not list it, the alias is a finding
			_, listed := slices.BinarySearch(h.key.Aliases, name)
			c.expect(!listed, RuleAlias, "%s, which the key lists, leads to %s", name, a.Target)
		}
	}
	return nil
}

// grants counts the grants on k.
func (c *checker) grants(k *keyrecord.Key) error {
	n := 0
	for e, err := range c.tx.Scan(keyrecord.GrantPrefix(k.Account, k.Region, k.ID), "") {
		if err != nil {
			return err
		}
		g, err := keyrecord.UnmarshalGrant(e.Value)
		clear(e.Value)
		if err != nil {
			return nil // is found where it stands; whether it counts is unknown
		}
		if !g.Created.Before(k.Created) {
			n++
		}
	}
	c.expect(n == k.Grants, RuleGrant, "the key counts %d grants, and has %d", k.Grants, n)
	return nil
}

// copies holds k to the other copies of a multi-Region key.
func (c *checker) copies(k *keyrecord.Key) error {
	m := k.MultiRegion
	if m == nil {
		return nil
	}
	place := func(region string) int {
		return slices.IndexFunc(m.Copies, func(c keyrecord.Copy) bool { return c.Region == region })
	}
	own := place(k.Region)
	if own < 0 || place(m.Primary) < 0 {
		c.find(RuleCopies, "the key's list of copies lacks itself or the primary key")
		return nil
	}
	if k.Replica() {
		at := m.Copies[own].Deletion
		agree := at == nil && k.Deletion == nil || at != nil && k.Deletion != nil && at.Equal(k.Deletion.At)
		c.expect(agree, RuleCopies, "the copies do not know when the key is deleted")
		return c.replica(k)
	}
	for i, other := range m.Copies {
		c.expect(place(other.Region) == i, RuleCopies, "two copies in %s", other.Region)
		if other.Region == k.Region {
			continue
		}
		h, err := c.ledger.at(keyPlace{k.Account, other.Region, k.ID})
		switch {
		case err != nil:
			return err
		case h.key != nil:
			c.expect(h.key.Replica(), RuleCopies, "the key in %s is no replica", other.Region)
		case h.damage == nil: // one that was deleted stays in the list
			c.expect(other.Deletion != nil, RuleCopies, "the replica in %s is not there", other.Region)
		}
	}
	return nil
}

// replica holds k to its primary key: if that shared again what copies have in common,
// nothing would change.
func (c *checker) replica(k *keyrecord.Key) error {
	h, err := c.ledger.at(keyPlace{k.Account, k.MultiRegion.Primary, k.ID})
	switch {
	case err != nil || h.damage != nil:
		return err
	case h.key == nil:
		c.find(RuleCopies, "the primary key in %s is not there", k.MultiRegion.Primary)
		return nil
	case !h.key.Primary():
		c.find(RuleCopies, "the key in %s is not the primary key", k.MultiRegion.Primary)
		return nil
	}
	again := k.Clone()
	h.key.Share(again)
	same, err := sameRecord(k, again)
	same = same && k.Spec == h.key.Spec && k.Usage == h.key.Usage && k.Origin == h.key.Origin
	c.expect(err != nil || same, RuleCopies, "the key does not agree with the primary key")
	return err
}

// keyStore looks for the custom key store of k. A key that is pending deletion may have
// lost it, or its place there, while it was gone.
func (c *checker) keyStore(k *keyrecord.Key) error {
	if k.KeyStore == "" || k.Deletion != nil {
		return nil
	}
	b, err := c.value(keyrecord.KeyStoresName(k.Account, k.Region))
	if err != nil {
		return err
	}
	defer clear(b)
	all := &keyrecord.KeyStores{}
	if b != nil {
		if all, err = keyrecord.UnmarshalKeyStores(b); err != nil {
			return nil // is found where it stands
		}
	}
	s := all.Store(k.KeyStore)
	if s == nil || (s.Proxy != nil) != (k.XksKey != "") {
		c.find(RuleKeyStore, "there is no custom key store %s for the key", k.KeyStore)
		return nil
	}
	id, err := c.value(k.StoreKeyName())
	c.expect(err != nil || string(id) == k.ID, RuleKeyStore, "the key's place in its custom key store has %q", id)
	return err
}
