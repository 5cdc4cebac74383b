package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/policy"
)

// maxUnits is how deep organizational units may be nested below the root.
const maxUnits = 5

// The names of the policies that AWS itself attaches, and their texts.
const (
	fullSCP     = "FullAWSAccess"
	fullRCP     = "RCPFullAWSAccess"
	fullSCPText = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	fullRCPText = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
)

// organization is organization.json.
type organization struct {
	ID                string `json:"id"`
	ManagementAccount string `json:"managementAccount"`
	Root              node   `json:"root"`
}

// node is the root, a unit or an account of an organization.
type node struct {
	ID       string   `json:"id"`
	SCP      []string `json:"scp"`
	RCP      []string `json:"rcp"`
	Units    []node   `json:"units"`
	Accounts []node   `json:"accounts"`
}

func (o *organization) decode(text []byte) error {
	return decode(text, o, []string{"id", "managementAccount", "root"}, []string{"id", "scp", "rcp", "units", "accounts"})
}

// limit takes the file of a service or resource control policy.
func (l *loader) limit(k policy.Kind, name, last string, text []byte) error {
	policyName, ok := strings.CutSuffix(last, ".json")
	switch {
	case !ok:
		return errOutOfPlace
	case !properName(policyName, 1, maxPolicyName):
		return fmt.Errorf("%q is not the name of a policy: 1 to %d letters, digits and +=,.@_-", policyName, maxPolicyName)
	case policyName == fullSCP || policyName == fullRCP:
		return errors.New("a policy of AWS has this name; it is there without a file")
	}
	p, err := l.policy(k, name, text)
	l.limits[name] = p
	return err
}

// accounts returns the places of the accounts in the organization.
func (l *loader) accounts() (map[string]Account, error) {
	if l.org == nil {
		if len(l.limits) > 0 {
			return nil, errors.New("there is none, but policies that it would have")
		}
		return nil, nil
	}
	t, err := l.newTree()
	if err != nil {
		return nil, err
	}
	switch {
	case !properID(l.org.ID, "o-", 10):
		return nil, fmt.Errorf("%q is not the id of an organization, such as o-a1b2c3d4e5", l.org.ID)
	case !properID(l.org.Root.ID, "r-", 4):
		return nil, fmt.Errorf("%q is not the id of a root, such as r-ab12", l.org.Root.ID)
	}
	at := branch{path: l.org.ID + "/" + l.org.Root.ID + "/"}
	if err := t.grow(&l.org.Root, at); err != nil {
		return nil, err
	}
	manager, ok := t.accounts[l.org.ManagementAccount]
	if !ok {
		return nil, fmt.Errorf("the management account %q is not in the tree", l.org.ManagementAccount)
	}
	manager.Management = true
	t.accounts[l.org.ManagementAccount] = manager
	return t.accounts, nil
}

// tree is an organization while its accounts are placed.
type tree struct {
	org      string
	limits   map[string]*policy.Policy
	scp, rcp bool // whether the kind is on
	units    map[string]bool
	accounts map[string]Account
}

// branch is the way from the root to a node.
type branch struct {
	path     string
	depth    int // in units
	scp, rcp [][]*policy.Policy
}

func (l *loader) newTree() (*tree, error) {
	t := &tree{org: l.org.ID, limits: map[string]*policy.Policy{}, units: map[string]bool{}, accounts: map[string]Account{}}
	for name, p := range l.limits {
		t.limits[strings.TrimSuffix(name, ".json")] = p
	}
	for _, own := range []struct {
		kind         policy.Kind
		folder, name string
		text         string
	}{{policy.SCP, "scp/", fullSCP, fullSCPText}, {policy.RCP, "rcp/", fullRCP, fullRCPText}} {
		p, _, err := compile(own.kind, []byte(own.text))
		if err != nil {
			return nil, err
		}
		t.limits[own.folder+own.name] = p.Named(own.name)
	}
	t.scp = l.org.Root.mentions(func(n *node) bool { return n.SCP != nil })
	t.rcp = l.org.Root.mentions(func(n *node) bool { return len(n.RCP) > 0 })
	return t, nil
}

// mentions reports whether something is so at the node or below it.
func (n *node) mentions(is func(*node) bool) bool {
	for i := range n.Units {
		if n.Units[i].mentions(is) {
			return true
		}
	}
	for i := range n.Accounts {
		if is(&n.Accounts[i]) {
			return true
		}
	}
	return is(n)
}

// grow places the accounts at and below a root or unit.
func (t *tree) grow(n *node, at branch) error {
	at, err := t.step(n, at)
	if err != nil {
		return err
	}
	for i := range n.Accounts {
		if err := t.place(&n.Accounts[i], at); err != nil {
			return err
		}
	}
	for i := range n.Units {
		u, below := &n.Units[i], at
		below.path += u.ID + "/"
		below.depth++
		switch {
		case !unitID(u.ID):
			return fmt.Errorf("%q is not the id of a unit, such as ou-ab12-11111111", u.ID)
		case t.units[u.ID]:
			return fmt.Errorf("the unit %s is in the tree twice", u.ID)
		case below.depth > maxUnits:
			return fmt.Errorf("the unit %s is more than %d deep", u.ID, maxUnits)
		}
		t.units[u.ID] = true
		if err := t.grow(u, below); err != nil {
			return err
		}
	}
	return nil
}

// place places an account below a root or unit.
func (t *tree) place(n *node, at branch) error {
	_, twice := t.accounts[n.ID]
	switch {
	case !arn.IsAccount(n.ID):
		return fmt.Errorf("%q is not the id of an account", n.ID)
	case twice:
		return fmt.Errorf("the account %s is in the tree twice", n.ID)
	case n.Units != nil || n.Accounts != nil:
		return fmt.Errorf("the account %s cannot have anything below it", n.ID)
	}
	at, err := t.step(n, at)
	if err != nil {
		return err
	}
	t.accounts[n.ID] = Account{OrgID: t.org, OrgPaths: []string{at.path}, SCP: at.scp, RCP: at.rcp}
	return nil
}

// step adds the level of a node to the way that leads to it.
func (t *tree) step(n *node, at branch) (branch, error) {
	names := n.SCP
	if names == nil {
		names = []string{fullSCP}
	}
	scp, err := t.level(n, "scp", names)
	if err != nil {
		return branch{}, err
	}
	rcp, err := t.level(n, "rcp", append([]string{fullRCP}, n.RCP...))
	if err != nil {
		return branch{}, err
	}
	if t.scp {
		at.scp = append(slices.Clip(at.scp), scp)
	}
	if t.rcp {
		at.rcp = append(slices.Clip(at.rcp), rcp)
	}
	return at, nil
}

// level returns the policies that are attached to a node.
func (t *tree) level(n *node, kind string, names []string) ([]*policy.Policy, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no %s; AWS does not let the last one be detached", n.ID, kind)
	}
	var level []*policy.Policy
	for i, name := range names {
		p := t.limits[kind+"/"+name]
		switch {
		case p == nil:
			return nil, fmt.Errorf("there is no policy %s/%s.json, which %s has", kind, name, n.ID)
		case slices.Contains(names[:i], name):
			return nil, fmt.Errorf("%s has the %s %q twice", n.ID, kind, name)
		}
		level = append(level, p)
	}
	return level, nil
}

// properID reports whether s is a prefix and between least and 32 lower-case letters
// and digits (AWS Organizations API Reference, the patterns of ids).
func properID(s, prefix string, least int) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && len(rest) >= least && len(rest) <= 32 && !strings.ContainsFunc(rest, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9')
	})
}

// unitID reports whether s is the id of a unit: that of its root, and its own.
func unitID(s string) bool {
	rest, _ := strings.CutPrefix(s, "ou-")
	root, own, _ := strings.Cut(rest, "-")
	return properID(s[:len(s)-len(rest)]+root, "ou-", 4) && properID(own, "", 8)
}
