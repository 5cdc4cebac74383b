package policy

import "strings"

// Public reports whether a resource's policy lets everyone in: whether a statement
// that allows names everyone, and no condition confines it to given accounts,
// organizations, principals, endpoints or services. It is what Secrets Manager's
// BlockPublicPolicy refuses. Addresses and encryption contexts do not count as
// confinement.
func (p *Policy) Public() bool {
	for i := range p.statements {
		s := &p.statements[i]
		if s.effect == Allow && s.who != nil && (s.notPrincipal || s.who.everyone || s.who.anyAWS) && !s.confined() {
			return true
		}
	}
	return false
}

// confined reports whether a condition holds only for given callers.
func (s *statement) confined() bool {
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.negated || c.ifExists || c.qualifier == forAllValues || c.ref.kind != knownRef || !confines(c.ref.key) {
			continue
		}
		switch {
		case c.empty:
			return true // it never holds
		case c.operator == stringOperator && !anyOpen(c.patterns),
			c.operator == arnOperator && len(c.arns) > 0 && !anyOpenARN(c.arns):
			return true
		}
	}
	return false
}

// confines reports whether a key names who calls, or from where.
func confines(k Key) bool {
	switch k {
	case keyPrincipalARN, keyPrincipalAccount, keyPrincipalOrgID, keyPrincipalOrgPaths, keyUserID,
		keyCallerAccount, keyPrincipalServiceName, AWSSourceARN, AWSSourceAccount, AWSSourceOrgID,
		AWSSourceOrgPaths, AWSSourceVPC, AWSSourceVPCE, AWSVPCEAccount, AWSVPCEOrgID, AWSVPCEOrgPaths:
		return true
	}
	return false
}

// anyOpen reports whether one of the patterns begins with a wildcard or variable, so
// that it confines nobody.
func anyOpen(patterns []pattern) bool {
	for i := range patterns {
		if patterns[i].open() {
			return true
		}
	}
	return len(patterns) == 0
}

// anyOpenARN reports whether one of the ARN patterns leaves the account open.
func anyOpenARN(arns []*arnPattern) bool {
	for _, a := range arns {
		if a[4].open() && a[5].open() {
			return true
		}
	}
	return false
}

// open reports whether the pattern begins with anything but text.
func (p *pattern) open() bool {
	switch p.class {
	case matchAny, matchSuffix, matchInfix:
		return true
	case matchGeneral:
		return p.tokens[0].kind != literalToken
	case matchPrefix, matchBoth:
		return strings.HasPrefix("arn:aws:iam::", p.a) || p.a == ""
	}
	return false
}
