package kms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// Rule is something that holds between the records of a store at any time.
type Rule string

// The rules that [Check] knows.
const (
	RuleName     Rule = "name"      // every record has a name that the engine gives
	RuleForm     Rule = "form"      // every record can be read and is what its name says
	RuleOwner    Rule = "owner"     // what belongs to a key belongs to one that is there, or was deleted
	RuleKey      Rule = "key"       // what a key says of itself is possible
	RuleMaterial Rule = "material"  // a key has each of its materials, under the right id, and one is current
	RuleAlias    Rule = "alias"     // an alias leads to a key of its account and Region that lists it, and the other way round
	RuleGrant    Rule = "grant"     // a grant is counted by its key and found by its grantee, retiring principal and name
	RuleCopies   Rule = "copies"    // the copies of a multi-Region key know each other, have one primary and agree
	RuleKeyStore Rule = "key store" // a key in a custom key store is listed there, and the store is there
	RuleImport   Rule = "import"    // an import token is listed by its key, and what is listed is there
)

// Finding is a rule that a record breaks.
type Finding struct {
	Record string // the record's key in the store
	Rule   Rule
	Detail string // names ids and names; nothing secret
}

// String returns the finding in one line.
func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Record, f.Rule, f.Detail) }

// Check looks at every record that a service has in s, the store that it seals or a
// [*store.Sealed] that is opened apart, and returns the rules that are broken, in order of
// the records' names. A store that only services have written to breaks none, whatever was
// going on when they ended. Records under other prefixes than the engine's are not looked
// at. What is left of deleted keys, see [Service.Sweep], is no finding.
//
// Check reads one snapshot, changes nothing and can be run beside services. It takes time
// in proportion to the store. Errors are the store's: a record that was tampered with ends
// the check with one that matches [store.ErrDamaged].
func Check(ctx context.Context, s store.Store) ([]Finding, error) {
	c := &checker{}
	err := s.View(ctx, func(tx store.Tx) error {
		*c = checker{tx: tx, ledger: newLedger(tx.Get), shared: map[string]bool{}}
		return c.walk(ctx)
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.findings, func(a, b Finding) int { return strings.Compare(a.Record, b.Record) })
	return c.findings, nil
}

// checker is one Check.
type checker struct {
	tx       store.Tx
	ledger   *ledger
	findings []Finding

	record string          // that is looked at
	shared map[string]bool // names of records of shared material: whether a key needs it
}

// find notes that the record at hand breaks a rule.
func (c *checker) find(rule Rule, format string, args ...any) {
	c.findings = append(c.findings, Finding{c.record, rule, fmt.Sprintf(format, args...)})
}

// expect notes it unless ok.
func (c *checker) expect(ok bool, rule Rule, format string, args ...any) {
	if !ok {
		c.find(rule, format, args...)
	}
}

func (c *checker) walk(ctx context.Context) error {
	for e, err := range c.tx.Scan(keyrecord.Prefix, "") {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		c.record = e.Key
		err = c.look(keyrecord.ParseName(e.Key), e.Value)
		clear(e.Value)
		if err != nil {
			return err
		}
	}
	for name, needed := range c.shared {
		c.record = name
		c.expect(needed, RuleOwner, "no copy of the key is there")
	}
	return nil
}

// look looks at one record.
func (c *checker) look(n keyrecord.Name, value []byte) error {
	switch n.Kind {
	case keyrecord.UnknownKind:
		c.find(RuleName, "not the name of a record")
	case keyrecord.KeyKind:
		return c.key(n)
	case keyrecord.MaterialsKind:
		if !c.shared[c.record] { // the keys that need it say so
			c.shared[c.record] = false
		}
	case keyrecord.GranteeKind, keyrecord.RetiringKind:
		return c.grantIndex(n, n.GrantID)
	case keyrecord.GrantNameKind:
		return c.grantIndex(n, string(value))
	case keyrecord.StoreKeyKind:
		return c.storeKey(n, string(value))
	case keyrecord.KeyStoresKind:
		return c.form(keyrecord.UnmarshalKeyStores(value))
	case keyrecord.DeletedKind:
		return c.form(keyrecord.UnmarshalDeleted(value))
	case keyrecord.SweepKind:
		return c.form(keyrecord.UnmarshalSweep(value))
	case keyrecord.KeyCountKind: // what it holds says nothing
	default:
		return c.part(n, value)
	}
	return nil
}

// form notes what keeps the record at hand from being read.
func (c *checker) form(_ any, err error) error {
	c.expect(err == nil, RuleForm, "%v", err)
	return nil
}

// part looks at a record that belongs to a key.
func (c *checker) part(n keyrecord.Name, value []byte) error {
	record, err := parsePart(n, value)
	if err != nil {
		return c.form(nil, err)
	}
	id := n.KeyID
	if a, ok := record.(*keyrecord.Alias); ok {
		id = a.Target
	}
	h, err := c.ledger.at(keyPlace{n.Account, n.Region, id})
	switch {
	case err != nil || h.damage != nil:
		return err // a damaged key is a finding of its own
	case h.lost():
		rule := RuleOwner
		if n.Kind == keyrecord.AliasKind {
			rule = RuleAlias
		}
		c.find(rule, "the key %q is not there", id)
		return nil
	case h.left(record):
		return nil
	}
	switch record := record.(type) {
	case *keyrecord.Alias:
		_, listed := slices.BinarySearch(h.key.Aliases, record.Name)
		c.expect(listed, RuleAlias, "the key %q does not list it", id)
	case *keyrecord.Local:
		c.expect(h.key.LocalChanges > 0, RuleOwner, "the key says that it has none")
	case *keyrecord.Grant:
		return c.grant(record)
	case *keyrecord.ImportTokens:
		return c.importTokens(h.key, record)
	case *keyrecord.ImportToken:
		return c.importToken(n)
	}
	return nil
}

// parsePart reads a record that belongs to a key. The local record, which can be read only
// together with its key, comes empty.
func parsePart(n keyrecord.Name, value []byte) (record any, err error) {
	switch n.Kind {
	case keyrecord.AliasKind:
		a, err := keyrecord.UnmarshalAlias(value)
		if err == nil && a.Name != aliasPrefix+n.Rest {
			err = fmt.Errorf("the record of %q", a.Name)
		}
		return a, err
	case keyrecord.GrantKind:
		g, err := keyrecord.UnmarshalGrant(value)
		if err == nil && (g.Account != n.Account || g.Region != n.Region || g.KeyID != n.KeyID || g.ID != n.GrantID) {
			err = fmt.Errorf("the record of the grant %q on %s", g.ID, keyrecord.KeyARN(g.Region, g.Account, g.KeyID))
		}
		return g, err
	case keyrecord.UsageKind:
		return keyrecord.UnmarshalUsage(value)
	case keyrecord.ImportListKind:
		return keyrecord.UnmarshalImportTokens(value)
	case keyrecord.ImportKind:
		return keyrecord.UnmarshalImportToken(value)
	}
	return &keyrecord.Local{}, nil
}

// there reports whether there is a record with the name.
func (c *checker) there(name string) (bool, error) {
	v, err := c.tx.Version(name)
	return v != 0, err
}

// value returns what a record holds, nil if there is none.
func (c *checker) value(name string) ([]byte, error) {
	b, err := c.tx.Get(name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// grant looks for what leads to a grant.
func (c *checker) grant(g *keyrecord.Grant) error {
	_, index := g.Names()
	for _, name := range index {
		ok, err := c.there(name)
		if err != nil {
			return err
		}
		c.expect(ok, RuleGrant, "nothing leads to it from %s", name)
	}
	if g.Name == "" {
		return nil
	}
	id, err := c.value(g.GrantName())
	c.expect(err != nil || string(id) == g.ID, RuleGrant, "its name leads to %q", id)
	return err
}

// grantIndex looks at what leads to the grant with the given id.
func (c *checker) grantIndex(n keyrecord.Name, id string) error {
	b, err := c.value(keyrecord.GrantPrefix(n.Account, n.Region, n.KeyID) + id)
	if err != nil {
		return err
	}
	if b == nil {
		c.find(RuleGrant, "the grant %q is not there", id)
		return nil
	}
	defer clear(b)
	g, err := keyrecord.UnmarshalGrant(b)
	if err != nil {
		return nil // is found where it stands
	}
	_, index := g.Names()
	c.expect(slices.Contains(index, c.record) || g.Name != "" && g.GrantName() == c.record, RuleGrant, "the grant %q is not what it leads to", id)
	return nil
}

// importTokens looks at the list of a key's import tokens.
func (c *checker) importTokens(k *keyrecord.Key, l *keyrecord.ImportTokens) error {
	c.expect(k.Origin == keyrecord.OriginExternal, RuleImport, "the key's material is not imported")
	for _, t := range l.Tokens {
		ok, err := c.there(t.Record)
		if err != nil {
			return err
		}
		c.expect(ok && strings.HasPrefix(t.Record, c.record+"/"), RuleImport, "the token %s is not there", t.Record)
	}
	return nil
}

// importToken looks for a token in its key's list.
func (c *checker) importToken(n keyrecord.Name) error {
	b, err := c.value(keyrecord.ImportTokensName(n.Account, n.Region, n.KeyID))
	if err != nil {
		return err
	}
	list := &keyrecord.ImportTokens{}
	if b != nil {
		if list, err = keyrecord.UnmarshalImportTokens(b); err != nil {
			return nil // is found where it stands
		}
	}
	listed := slices.ContainsFunc(list.Tokens, func(t keyrecord.ListedToken) bool { return t.Record == c.record })
	c.expect(listed, RuleImport, "the key does not list it")
	return nil
}

// storeKey looks at what leads to a key from its custom key store.
func (c *checker) storeKey(n keyrecord.Name, id string) error {
	h, err := c.ledger.at(keyPlace{n.Account, n.Region, id})
	if err != nil || h.damage != nil {
		return err
	}
	c.expect(h.key != nil && h.key.KeyStore != "" && h.key.StoreKeyName() == c.record, RuleKeyStore, "the key %q is not in that place", id)
	return nil
}

// sameRecord reports whether two keys have the same first record.
func sameRecord(a, b *keyrecord.Key) (bool, error) {
	x, err := a.Marshal()
	if err != nil {
		return false, err
	}
	defer clear(x)
	y, err := b.Marshal()
	defer clear(y)
	return bytes.Equal(x, y), err
}
