package policy

import "strings"

// validate makes the checks that follow the grammar, in the order in which IAM
// makes them: version, legacy parsing, principals, Sids, presence of actions, the
// first resource that is malformed, the services of actions, presence of
// resources.
func (p *parser) validate(d *Document, root *node) *problem {
	if p.rules.latest && d.Version != version2012 {
		at := root
		if n := root.member("Version"); n != nil {
			at = n
		}
		return textProblem(at, "Policy document must be version 2012-10-17 or greater.",
			"the version is %q; it has to be 2012-10-17", d.Version)
	}
	resource, f := p.checkLegacy()
	if f != nil {
		return f
	}
	for _, check := range [...]func() *problem{
		p.checkPrincipals,
		p.checkSids,
		p.checkActionPresence,
		func() *problem { return resource },
		p.checkActions,
		p.checkResourcePresence,
		p.checkControlPolicy,
	} {
		if f := check(); f != nil {
			return f
		}
	}
	return nil
}

// checkLegacy makes the checks of IAM's older parser. Of the resources it returns
// the first that is malformed, which IAM reports only later; from there on the
// older parser does not look at resources.
func (p *parser) checkLegacy() (resource, f *problem) {
	for _, s := range p.statements {
		if n := s.member("Effect"); n.text != s.Effect.String() {
			return nil, textProblem(n, textLegacy, "the effect is %q; it has to be %v", n.text, s.Effect)
		}
	}
	if !p.rules.values {
		return nil, nil
	}
	for _, s := range p.statements {
		if f := checkDates(s.member("Condition")); f != nil {
			return nil, f
		}
	}
	if p.rules.resource == forbidden {
		return nil, nil
	}
	for _, s := range p.statements {
		list := s.either("Resource").items()
		for _, n := range list {
			if resource == nil {
				resource = checkResource(n)
			}
		}
		for _, n := range list {
			if resource == nil && !legacyResource(n.text) {
				return nil, textProblem(n, textLegacy, "%q is not an ARN", n.text)
			}
		}
	}
	return resource, nil
}

// either returns the element of this name or of its negation.
func (s statementNode) either(name string) *node {
	if n := s.member(name); n != nil {
		return n
	}
	return s.member("Not" + name)
}

func (p *parser) checkSids() *problem {
	if !p.rules.alnum {
		return nil
	}
	for _, s := range p.statements {
		if strings.IndexFunc(s.Sid, notAlnum) >= 0 {
			return textProblem(s.member("Sid"), "Statement IDs (SID) must be alpha-numeric. "+
				"Check that your input satisfies the regular expression [0-9A-Za-z]*",
				"the Sid %q has characters other than letters and digits", s.Sid)
		}
	}
	if n := p.repeatedSid(); n != nil {
		return textProblem(n, "Statement IDs (SID) in a single policy must be unique.",
			"the Sid %q occurs twice", n.text)
	}
	return nil
}

// repeatedSid returns the first Sid that an earlier statement has too, or nil. An
// empty Sid counts as none.
func (p *parser) repeatedSid() *node {
	seen := make(map[string]bool, len(p.statements))
	for _, s := range p.statements {
		if s.Sid == "" {
			continue
		}
		if seen[s.Sid] {
			return s.member("Sid")
		}
		seen[s.Sid] = true
	}
	return nil
}

func notAlnum(r rune) bool {
	return !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z')
}

func (p *parser) checkActionPresence() *problem {
	if p.rules.action != required {
		return nil
	}
	for _, s := range p.statements {
		if len(s.Action) == 0 && len(s.NotAction) == 0 {
			return textProblem(s.node, "Policy statement must contain actions.",
				"the statement names no actions")
		}
	}
	return nil
}

func (p *parser) checkResourcePresence() *problem {
	for _, s := range p.statements {
		n := s.either("Resource")
		switch {
		case p.rules.resource == forbidden && n != nil:
			return textProblem(n, "Has prohibited field "+n.name+".",
				"a %s has no %s", p.rules.name, n.name)
		case p.rules.resource == required && len(n.items()) == 0:
			return textProblem(s.node, "Policy statement must contain resources.",
				"the statement names no resources")
		}
	}
	return nil
}
