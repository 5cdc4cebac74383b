package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// naive decides requests from documents as they are written, by the rules and with no
// thought of speed: the yardstick for the compiled evaluator.
type naive struct {
	r      *Request
	l      *Layers
	keys   map[string][]string // in lower case
	lists  map[string]bool     // which of them are multi-valued
	kmsKey bool
}

func newNaive(r *Request, l *Layers, pairs map[string][]string) *naive {
	n := &naive{r: r, l: l, keys: map[string][]string{}, lists: map[string]bool{"aws:tagkeys": true, "kms:encryptioncontextkeys": true, "kms:resourcealiases": true}}
	for k, v := range pairs {
		n.keys[strings.ToLower(k)] = v
		if name, ok := strings.CutPrefix(k, "kms:EncryptionContext:"); ok {
			n.keys["kms:encryptioncontextkeys"] = append(n.keys["kms:encryptioncontextkeys"], name)
		}
	}
	c := r.Caller
	set := func(k, v string) {
		if v != "" {
			n.keys[k] = []string{v}
		}
	}
	set("aws:principaltype", map[CallerKind]string{RootCaller: "Account", UserCaller: "User", RoleCaller: "AssumedRole", ServiceCaller: "AWSService", AnonymousCaller: "Anonymous"}[c.Kind])
	set("aws:viaawsservice", "false")
	set("kms:calleraccount", c.Account)
	switch c.Kind {
	case AnonymousCaller:
		set("aws:principalaccount", "anonymous")
	default:
		set("aws:principalaccount", c.Account)
		set("aws:principalisawsservice", strconv.FormatBool(c.Kind == ServiceCaller))
	}
	switch c.Kind {
	case RoleCaller:
		set("aws:principalarn", c.RoleARN)
	case UserCaller, RootCaller:
		set("aws:principalarn", c.ARN)
	}
	if c.Kind == UserCaller {
		set("aws:username", c.UserName)
	}
	if c.Kind != ServiceCaller {
		set("aws:principalorgid", c.OrgID)
	}
	for _, t := range c.Tags {
		set("aws:principaltag/"+strings.ToLower(t.Key), t.Value)
	}
	n.kmsKey = strings.Contains(r.Resource, ":kms:") && strings.Contains(r.Resource, ":key/")
	return n
}

// expand substitutes variables in a value and returns it as a list of characters, each
// with a mark for wildcards; it fails for a variable without a value.
func (n *naive) expand(d *Document, s string, wild bool) ([]string, bool) {
	var out []string
	for s != "" {
		if end := strings.Index(s, "}"); d.Version == "2012-10-17" && strings.HasPrefix(s, "${") && end > 2 {
			name := s[2:end]
			s = s[end+1:]
			if name == "*" || name == "?" || name == "$" {
				out = append(out, name)
				continue
			}
			v, ok := n.keys[strings.ToLower(name)]
			if !ok || len(v) != 1 || n.lists[strings.ToLower(name)] {
				return nil, false
			}
			out = append(out, strings.Split(v[0], "")...)
			continue
		}
		c := s[:1]
		if wild && (c == "*" || c == "?") {
			c = "wild" + c
		}
		out, s = append(out, c), s[1:]
	}
	return out, true
}

func naiveMatch(p, s []string) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch p[0] {
	case "wild*":
		return naiveMatch(p[1:], s) || len(s) > 0 && naiveMatch(p, s[1:])
	case "wild?":
		return len(s) > 0 && naiveMatch(p[1:], s[1:])
	}
	return len(s) > 0 && p[0] == s[0] && naiveMatch(p[1:], s[1:])
}

func (n *naive) like(d *Document, pattern, s string, wild bool) bool {
	p, ok := n.expand(d, pattern, wild)
	return ok && naiveMatch(p, strings.Split(s, ""))
}

func (n *naive) arnLike(d *Document, pattern, s string) bool {
	p, v := strings.SplitN(pattern, ":", 6), strings.SplitN(s, ":", 6)
	if len(p) != 6 || len(v) != 6 {
		return false
	}
	for i := range p {
		if !n.like(d, p[i], v[i], true) {
			return false
		}
	}
	return true
}

func (n *naive) value(d *Document, operator, want, got string) bool {
	switch {
	case operator == "StringLike":
		return n.like(d, want, got, true)
	case operator == "StringEquals":
		return n.like(d, want, got, false)
	case strings.HasPrefix(operator, "Arn"):
		return n.arnLike(d, want, got)
	case operator == "Bool":
		return strings.EqualFold(want, got)
	case operator == "IpAddress":
		p, err := netip.ParsePrefix(want)
		a, err2 := netip.ParseAddr(got)
		return err == nil && err2 == nil && p.Contains(a)
	case strings.HasPrefix(operator, "Numeric"):
		w, err := strconv.ParseFloat(want, 64)
		g, err2 := strconv.ParseFloat(got, 64)
		return err == nil && err2 == nil && (strings.HasSuffix(operator, "Equals") && g == w || strings.HasSuffix(operator, "LessThan") && g < w)
	case operator == "DateGreaterThan":
		w, err := time.Parse(time.RFC3339, want)
		g, err2 := time.Parse(time.RFC3339, got)
		return err == nil && err2 == nil && g.After(w)
	}
	panic("the yardstick has no " + operator)
}

func (n *naive) condition(d *Document, c Condition) bool {
	operator := c.Operator
	forAll, forAny := strings.HasPrefix(operator, "ForAllValues:"), strings.HasPrefix(operator, "ForAnyValue:")
	operator = strings.TrimPrefix(strings.TrimPrefix(operator, "ForAllValues:"), "ForAnyValue:")
	ifExists := strings.HasSuffix(operator, "IfExists")
	operator = strings.TrimSuffix(operator, "IfExists")
	key := strings.ToLower(c.Key)
	got, present := n.keys[key]
	if operator == "Null" {
		return (len(got) == 0) == (c.Values[0] == "true")
	}
	negated := strings.Contains(operator, "Not")
	operator = strings.Replace(operator, "Not", "", 1)
	satisfies := func(v string) bool {
		some := slices.ContainsFunc(c.Values, func(w string) bool { return n.value(d, operator, w, v) })
		return some != negated
	}
	count := 0
	for _, v := range got {
		if satisfies(v) {
			count++
		}
	}
	switch {
	case !present && ifExists:
		return true
	case forAll:
		return count == len(got)
	case forAny:
		return count > 0
	case len(got) == 0:
		return negated || ifExists
	case n.lists[key]:
		return false
	}
	return count == 1
}

// names returns how a Principal element names the caller: "", "account", "role" or
// "direct".
func (n *naive) names(p *Principals) string {
	c, best := n.r.Caller, ""
	for _, e := range p.Entries {
		account := strings.TrimSuffix(strings.TrimPrefix(e.Value, "arn:aws:iam::"), ":root")
		switch {
		case e.Type == "Service":
			if c.Kind == ServiceCaller && e.Value == c.Service {
				return "direct"
			}
		case c.Kind == ServiceCaller:
		case e.Value == "*":
			return "direct"
		case c.Kind == AnonymousCaller:
		case e.Value == c.ARN, account == c.Account && c.Kind == RootCaller:
			return "direct"
		case e.Value == c.RoleARN:
			best = "role"
		case account == c.Account && best == "":
			best = "account"
		}
	}
	if p.Any {
		return "direct"
	}
	return best
}

func (n *naive) exempt(p *Principals) bool {
	c := n.r.Caller
	listed := func(arn string) bool {
		return slices.ContainsFunc(p.Entries, func(e Principal) bool { return e.Value == arn })
	}
	rootOf := "arn:aws:iam::" + c.Account + ":root"
	switch c.Kind {
	case AnonymousCaller:
		return false
	case ServiceCaller:
		return listed(c.Service)
	case RootCaller:
		return listed(rootOf)
	case UserCaller:
		return listed(rootOf) && listed(c.ARN) && n.l.Boundary == nil
	}
	return listed(rootOf) && listed(c.ARN) && listed(c.RoleARN) && n.l.Boundary == nil
}

// statement returns "" if the statement does not match, how it names the caller if
// it does.
func (n *naive) statement(d *Document, s Statement) string {
	who := "attached"
	switch {
	case s.Principal != nil:
		who = n.names(s.Principal)
	case s.NotPrincipal != nil && !n.exempt(s.NotPrincipal):
		who = "direct"
	case s.NotPrincipal != nil:
		who = ""
	}
	action := func(p string) bool {
		old := &Document{}
		return n.like(old, strings.ToLower(p), strings.ToLower(n.r.Action), true)
	}
	resource := func(p string) bool {
		return p == "*" || n.r.Resource != "*" && n.arnLike(d, p, n.r.Resource)
	}
	if s.Action != nil && !slices.ContainsFunc(s.Action, action) || s.NotAction != nil && slices.ContainsFunc(s.NotAction, action) ||
		s.Resource != nil && !slices.ContainsFunc(s.Resource, resource) || s.NotResource != nil && slices.ContainsFunc(s.NotResource, resource) {
		return ""
	}
	for _, c := range s.Conditions {
		if !n.condition(d, c) {
			return ""
		}
	}
	return who
}

// all returns how matching statements of the effect name the caller.
func (n *naive) all(effect Effect, policies ...*Policy) (matches []string) {
	for _, p := range policies {
		if p == nil {
			continue
		}
		for _, s := range p.doc.Statements {
			if m := n.statement(p.doc, s); m != "" && s.Effect == effect {
				matches = append(matches, m)
			}
		}
	}
	return matches
}

func (n *naive) decide() Outcome {
	c, l := n.r.Caller, n.l
	person := c.Kind == UserCaller || c.Kind == RoleCaller
	scp := c.Kind != AnonymousCaller && c.Kind != ServiceCaller && l.SCP != nil && !c.ManagementAccount
	rcp := l.RCP != nil && !n.r.AWSManagedKey && !strings.HasPrefix(n.r.Action, "ssm:")
	endpoint := l.VPCEndpoint != nil && n.keys["aws:sourcevpce"] != nil
	session := l.HasSession && (person || c.Kind == RootCaller)
	resource := l.Resource
	if resource != nil && resource.doc.Kind == KeyPolicy && !n.kmsKey {
		resource = nil
	}
	bind := []*Policy{resource}
	for _, part := range []struct {
		on       bool
		policies []*Policy
	}{{scp, slices.Concat(l.SCP...)}, {rcp, slices.Concat(l.RCP...)}, {endpoint, []*Policy{l.VPCEndpoint}},
		{person, l.Identity}, {person, []*Policy{l.Boundary}}, {session, l.Session}} {
		if part.on {
			bind = append(bind, part.policies...)
		}
	}
	if len(n.all(Deny, bind...)) > 0 {
		return ExplicitDeny
	}
	allows := func(p ...*Policy) bool { return len(n.all(Allow, p...)) > 0 }
	every := func(levels [][]*Policy) bool {
		return len(levels) > 0 && !slices.ContainsFunc(levels, func(level []*Policy) bool { return !allows(level...) })
	}
	if scp && !every(l.SCP) || rcp && !every(l.RCP) || endpoint && !allows(l.VPCEndpoint) || !n.allowed(resource, allows, session) {
		return ImplicitDeny
	}
	return Allowed
}

// The actions that the generated requests use.
var naiveActions = map[string]struct{ key, alias, none, foreign bool }{
	"kms:Decrypt": {key: true, foreign: true}, "kms:DescribeKey": {key: true, foreign: true},
	"kms:PutKeyPolicy": {key: true}, "kms:CreateAlias": {key: true, alias: true}, "kms:ListKeys": {none: true},
}

// allowed reports whether something grants, once nothing denies or limits.
func (n *naive) allowed(resource *Policy, allows func(...*Policy) bool, session bool) bool {
	c, l := n.r.Caller, n.l
	owner := accountA
	if n.r.Resource == "*" {
		owner = c.Account
	}
	kms := strings.HasPrefix(n.r.Action, "kms:")
	if facts, known := naiveActions[n.r.Action]; known {
		suits := n.kmsKey && facts.key || strings.Contains(n.r.Resource, ":alias/") && facts.alias || n.r.Resource == "*" && facts.none
		if !suits || c.Account != owner && c.Kind != ServiceCaller && !facts.foreign {
			return false
		}
	}
	if c.Kind == AnonymousCaller {
		return !kms && !strings.HasPrefix(n.r.Action, "ssm:") && !strings.HasPrefix(n.r.Action, "secretsmanager:") &&
			len(n.all(Allow, resource)) > 0
	}
	person := c.Kind == UserCaller || c.Kind == RoleCaller
	within := (l.Boundary == nil || !person || allows(l.Boundary)) && (!session || allows(l.Session...))
	own := within && (c.Kind == RootCaller || person && allows(l.Identity...))
	named := n.all(Allow, resource)
	direct, role := slices.Contains(named, "direct"), slices.Contains(named, "role")
	var ok bool
	switch {
	case c.Kind == ServiceCaller:
		ok = len(named) > 0
	case c.Account != owner:
		ok = len(named) > 0 && own
	case n.kmsKey:
		ok = direct || role && within || slices.Contains(named, "account") && own
	default:
		ok = direct || role && within || own
	}
	return ok || n.kmsKey && n.granted(own)
}

func (n *naive) granted(own bool) bool {
	c := n.r.Caller
	for _, g := range n.l.Grants {
		who := c.ARN == g.Grantee || c.Kind == RoleCaller && c.RoleARN == g.Grantee
		account := g.Grantee == "arn:aws:iam::"+c.Account+":root" && own
		op := strings.TrimPrefix(n.r.Action, "kms:")
		met := true
		for _, p := range g.EncryptionContextSubset {
			v := n.keys["kms:encryptioncontext:"+strings.ToLower(p.Key)]
			met = met && slices.Contains(v, p.Value)
		}
		if g.Key == n.r.Resource && c.Kind != ServiceCaller && (who || account) && slices.Contains(g.Operations.Names(), op) &&
			(met || op == "DescribeKey") {
			return true
		}
	}
	return false
}

// describe is what a failing comparison prints of its subject.
func describe(r *Request, l *Layers, pairs map[string][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v %s on %s with %v, grants %d\n", r.Caller, r.Action, r.Resource, pairs, len(l.Grants))
	show := func(name string, policies ...*Policy) {
		for _, p := range policies {
			if p != nil {
				fmt.Fprintf(&b, "%s: %s\n", name, p.doc)
			}
		}
	}
	show("scp", slices.Concat(l.SCP...)...)
	show("rcp", slices.Concat(l.RCP...)...)
	show("endpoint", l.VPCEndpoint)
	show("resource", l.Resource)
	show("identity", l.Identity...)
	show("boundary", l.Boundary)
	show("session", l.Session...)
	return b.String()
}
