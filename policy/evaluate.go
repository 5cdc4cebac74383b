package policy

import "strings"

// evaluator matches statements with one request. It lives on the stack of [Decide].
type evaluator struct {
	r       *Request
	l       *Layers
	c       *Caller
	ctx     *Context
	action  int // index in the registry
	flags   actionFlags
	account string // the resource's
	prints  prints
	present keySet // which known keys have a value

	arn     arnParts // of the resource; of the service and account for "*"
	isARN   bool
	nothing bool // the resource is "*"
	key     bool // the action is one of KMS and the resource a key
}

// noContext stands for the context of a request without one.
var noContext Context

func (e *evaluator) init(r *Request, l *Layers) {
	e.r, e.l, e.c, e.ctx = r, l, &r.Caller, r.Context
	if e.ctx == nil {
		e.ctx = &noContext
	}
	e.action = lookupAction(r.Action)
	e.flags = flagsOf(e.action, r.Action)
	e.account = r.ResourceAccount
	if e.nothing = r.Resource == "*"; e.nothing {
		if e.account == "" {
			e.account = e.c.Account
		}
		e.imagineARN()
	} else if e.arn, e.isARN = splitARN(r.Resource); e.isARN {
		if e.account == "" {
			e.account = e.arn[4]
		}
		e.key = e.flags&isKMS != 0 && e.arn[2] == "kms" && strings.HasPrefix(e.arn[5], "key/")
	}
	e.findPresent()
	e.prints.init(e.c, e.arn[5])
}

// imagineARN gives a request without a resource an ARN of its service, Region and
// account: the KMS Developer Guide has a pattern such as
// arn:aws:kms:us-west-2:111122223333:* stand for "*" there.
func (e *evaluator) imagineARN() {
	caller, ok := splitARN(e.c.ARN)
	if !ok {
		caller[1] = "aws"
	}
	e.arn = arnParts{"arn", caller[1], e.service(), "", e.account, ""}
	if e.ctx.present.has(int(AWSRequestedRegion)) {
		e.arn[3] = e.ctx.texts[AWSRequestedRegion]
	}
	e.isARN = true
}

// findPresent notes which keys the request has, those that follow from the caller
// included.
func (e *evaluator) findPresent() {
	p := e.ctx.present
	p.set(int(keyPrincipalType))
	p.set(int(AWSViaAWSService))
	c := e.c
	p.setIf(keyPrincipalAccount, c.account() != "")
	p.setIf(keyPrincipalARN, c.principalARN() != "")
	p.setIf(keyUserID, c.userID() != "")
	p.setIf(keyUserName, c.Kind == UserCaller && c.UserName != "")
	p.setIf(keyFederatedProvider, c.Provider != "")
	p.setIf(keyPrincipalIsAWSService, c.Kind != AnonymousCaller)
	p.setIf(keyResourceAccount, e.account != "")
	p.setIf(keyCallerAccount, c.Account != "" && e.flags&isKMS != 0)
	member := c.OrgID != "" && c.Kind != ServiceCaller && c.Kind != AnonymousCaller
	p.setIf(keyPrincipalOrgID, member)
	p.setIf(keyPrincipalOrgPaths, member && len(c.OrgPaths) > 0)
	p.setIf(keyPrincipalServiceName, c.Kind == ServiceCaller)
	p.setIf(keyPrincipalServiceNamesList, c.Kind == ServiceCaller && len(c.ServiceNames) > 0)
	p.setIf(KMSEncryptionContextKeys, len(e.ctx.families[EncryptionContext]) > 0)
	p.setIf(AWSTagKeys, len(e.ctx.families[RequestTag]) > 0)
	e.present = p
}

// scalar returns the value of a key that is present and has one value.
func (e *evaluator) scalar(k Key) value {
	if k >= numDerivedKeys {
		if k == AWSViaAWSService && !e.ctx.present.has(int(k)) {
			return boolOf(false)
		}
		return e.ctx.scalar(k)
	}
	switch k {
	case keyPrincipalARN:
		return textOf(e.c.principalARN())
	case keyPrincipalAccount:
		return textOf(e.c.account())
	case keyPrincipalType:
		return textOf(e.c.Kind.String())
	case keyPrincipalOrgID:
		return textOf(e.c.OrgID)
	case keyPrincipalIsAWSService:
		return boolOf(e.c.Kind == ServiceCaller)
	case keyPrincipalServiceName:
		return textOf(e.c.Service)
	case keyUserID:
		return textOf(e.c.userID())
	case keyUserName:
		return textOf(e.c.UserName)
	case keyFederatedProvider:
		return textOf(e.c.Provider)
	case keyResourceAccount:
		return textOf(e.account)
	}
	return textOf(e.c.Account) // kms:CallerAccount
}

// family returns the members of a family.
func (e *evaluator) family(f Family) []Pair {
	if f == PrincipalTag {
		return e.c.Tags
	}
	return e.ctx.families[f]
}

// variable returns the text that a policy variable stands for.
func (e *evaluator) variable(t *token) (string, bool) {
	switch t.ref.kind {
	case knownRef:
		k := t.ref.key
		if e.present.has(int(k)) && !e.multi(k) {
			v := e.scalar(k)
			return v.string(), true
		}
	case familyRef:
		if p := member(e.family(t.ref.family), t.ref.name); p != nil {
			return p.Value, true
		}
	default:
		if o := e.other(t.ref.name); o != nil && !o.multi {
			return o.values[0], true
		}
	}
	return t.text, t.defined
}

// member returns the member of a family that a name stands for, nil if there is none. Of
// those that differ from it only in case it is the one that does not, else the first in
// the order of their bytes: whoever collected them may have had no order.
func member(pairs []Pair, name string) *Pair {
	var found *Pair
	for i := range pairs {
		switch p := &pairs[i]; {
		case p.Key == name:
			return p
		case strings.EqualFold(p.Key, name) && (found == nil || p.Key < found.Key):
			found = p
		}
	}
	return found
}

// multi reports whether a known key has a list of values.
func (e *evaluator) multi(k Key) bool {
	return keys[k].kind == listValue || k >= numDerivedKeys && e.ctx.kinds[k] == listValue && e.ctx.present.has(int(k))
}

func (e *evaluator) other(name string) *otherValue {
	for i := range e.ctx.others {
		if strings.EqualFold(e.ctx.others[i].name, name) {
			return &e.ctx.others[i]
		}
	}
	return nil
}

// tally compares the values of a condition's key with those of the policy.
func (e *evaluator) tally(c *condition) tally {
	t := tally{all: true}
	switch c.ref.kind {
	case knownRef:
		if k := c.ref.key; e.present.has(int(k)) {
			e.tallyKey(c, k, &t)
		}
	case familyRef:
		// Names that differ only in case are one key with several values: any has to
		// meet a positive operator, and all a negated one.
		for _, p := range e.family(c.ref.family) {
			if p.Key == c.ref.name || strings.EqualFold(p.Key, c.ref.name) {
				t.add(e, c, value{text: p.Value})
			}
		}
		t.present = t.values > 0
	default:
		if o := e.other(c.ref.name); o != nil {
			t.present, t.multi = true, o.multi
			t.addAll(e, c, o.values)
		}
	}
	return t
}

func (e *evaluator) tallyKey(c *condition, k Key, t *tally) {
	t.present = true
	if !e.multi(k) {
		t.add(e, c, e.scalar(k))
		return
	}
	t.multi = true
	switch {
	case k == keyPrincipalOrgPaths:
		t.addAll(e, c, e.c.OrgPaths)
	case k == keyPrincipalServiceNamesList:
		t.addAll(e, c, e.c.ServiceNames)
	case e.ctx.present.has(int(k)) && e.ctx.kinds[k] == listValue:
		t.addAll(e, c, e.ctx.list(k))
	case e.ctx.present.has(int(k)):
		t.add(e, c, e.ctx.scalar(k))
	case k == KMSEncryptionContextKeys:
		t.addKeys(e, c, e.ctx.families[EncryptionContext])
	case k == AWSTagKeys:
		t.addKeys(e, c, e.ctx.families[RequestTag])
	}
}

// add counts one value. ForAllValues takes an empty text for no value.
func (t *tally) add(e *evaluator, c *condition, v value) {
	if c.qualifier == forAllValues && v.kind == textValue && v.text == "" {
		return
	}
	t.values++
	if c.matches(e, &v) {
		t.any = true
	} else {
		t.all = false
	}
}

func (t *tally) addAll(e *evaluator, c *condition, values []string) {
	for _, v := range values {
		t.add(e, c, value{text: v})
	}
}

func (t *tally) addKeys(e *evaluator, c *condition, pairs []Pair) {
	for _, p := range pairs {
		t.add(e, c, value{text: p.Key})
	}
}

// matches reports whether a statement that is a candidate for the action matches the
// request, and how it names the caller: NoPrincipalMatch if it does not match.
func (e *evaluator) matches(p *Policy, s *statement) PrincipalMatch {
	if !e.present.contains(s.required) {
		return NoPrincipalMatch
	}
	if e.action == unknownAction && !s.covers(e.r.Action) {
		return NoPrincipalMatch
	}
	m := e.matchesCaller(p, s)
	if m == NoPrincipalMatch || !e.matchesResource(s) {
		return NoPrincipalMatch
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(e) {
			return NoPrincipalMatch
		}
	}
	return m
}

// matchesCaller says how the statement names the caller.
func (e *evaluator) matchesCaller(p *Policy, s *statement) PrincipalMatch {
	switch {
	case !p.principals:
		return AttachedMatch
	case !s.notPrincipal:
		return s.who.match(e.c)
	case s.effect == Deny:
		// A boundary makes every such statement match (IAM User Guide, "NotPrincipal").
		bounded := e.l.Boundary != nil && e.boundaryApplies()
		if !bounded && s.who.exempts(e.c, !e.l.Choices.NotPrincipalLenient) {
			return NoPrincipalMatch
		}
	case s.who.match(e.c) != NoPrincipalMatch:
		return NoPrincipalMatch
	}
	return WildcardMatch
}

// matchesResource reports whether the statement's Resource or NotResource covers the
// request's.
func (e *evaluator) matchesResource(s *statement) bool {
	if s.anyResource {
		return !s.notResource
	}
	for _, a := range s.resources {
		if e.isARN && (!e.nothing || a[5].class == matchAny) && a.match(e, &e.arn) {
			return !s.notResource
		}
	}
	return s.notResource
}

// deny returns the index of the policy's first statement that denies, or -1.
func (e *evaluator) deny(p *Policy) int {
	if p == nil {
		return -1
	}
	return e.first(p, p.lists[p.byAction[e.action]].deny)
}

// allow returns the index of the policy's first statement that allows, or -1.
func (e *evaluator) allow(p *Policy) int {
	if p == nil {
		return -1
	}
	return e.first(p, p.lists[p.byAction[e.action]].allow)
}

// first returns the index of the first candidate that matches, or -1.
func (e *evaluator) first(p *Policy, list []candidate) int {
	for i := range list {
		c := &list[i]
		if e.prints.admit(c) && e.matches(p, &p.statements[c.index]) != NoPrincipalMatch {
			return int(c.index)
		}
	}
	return -1
}

// best returns the statement that allows and names the caller most strongly.
func (e *evaluator) best(p *Policy) (at int, match PrincipalMatch) {
	at = -1
	if p == nil || !p.principals {
		return -1, NoPrincipalMatch
	}
	list := p.lists[p.byAction[e.action]].allow
	for i := range list {
		c := &list[i]
		if !e.prints.admit(c) {
			continue
		}
		if m := e.matches(p, &p.statements[c.index]); m > match {
			at, match = int(c.index), m
			if m.direct() {
				break
			}
		}
	}
	return at, match
}
