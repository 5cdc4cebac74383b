package policy

import "strings"

// principalSet is a compiled Principal or NotPrincipal element.
type principalSet struct {
	everyone  bool // "*": all accounts, services and anonymous callers
	anyAWS    bool // {"AWS": "*"}: the same without services
	accounts  []string
	arns      []string
	services  []string
	providers []string
}

// compilePrincipals compiles an element. A unique id that stands for a principal that
// was deleted, and a canonical user of S3, match nobody.
func compilePrincipals(p *Principals) *principalSet {
	s := &principalSet{everyone: p.Any}
	for _, e := range p.Entries {
		switch e.Type {
		case "AWS":
			s.addAWS(e.Value)
		case "Service":
			s.services = append(s.services, e.Value)
		case "Federated":
			s.providers = append(s.providers, e.Value)
		}
	}
	return s
}

func (s *principalSet) addAWS(v string) {
	switch a, ok := splitARN(v); {
	case v == "*":
		s.anyAWS = true
	case accountID(v):
		s.accounts = append(s.accounts, v)
	case ok && a[2] == "iam" && a[5] == "root":
		s.accounts = append(s.accounts, a[4])
	case ok:
		s.arns = append(s.arns, v)
	}
}

// single reports whether the set is the ARN of one principal.
func (s *principalSet) single() bool {
	return len(s.arns) == 1 && !s.everyone && !s.anyAWS &&
		len(s.accounts) == 0 && len(s.services) == 0 && len(s.providers) == 0
}

// match returns the strongest way in which the set names the caller. The ARN of a
// principal is compared as it is: it has no wildcards.
func (s *principalSet) match(c *Caller) PrincipalMatch {
	wildcard := NoPrincipalMatch
	if s.everyone || s.anyAWS && c.Kind != ServiceCaller {
		wildcard = WildcardMatch
	}
	switch c.Kind {
	case AnonymousCaller:
		return wildcard
	case ServiceCaller:
		if s.names(c) {
			return ServiceMatch
		}
		return wildcard
	case UserCaller:
		if has(s.arns, c.ARN) {
			return UserMatch
		}
	case RoleCaller, FederatedCaller:
		if has(s.arns, c.ARN) {
			return SessionMatch
		}
	case RootCaller:
		if has(s.accounts, c.Account) {
			return UserMatch
		}
	}
	switch {
	case wildcard != NoPrincipalMatch:
		return wildcard
	case has(s.arns, c.RoleARN) || has(s.arns, c.IssuerARN) || has(s.providers, c.Provider):
		return RoleMatch
	case has(s.accounts, c.Account):
		return AccountMatch
	}
	return NoPrincipalMatch
}

// names reports whether the set lists the service.
func (s *principalSet) names(c *Caller) bool {
	for _, name := range s.services {
		if strings.EqualFold(name, c.Service) {
			return true
		}
		for _, other := range c.ServiceNames {
			if strings.EqualFold(name, other) {
				return true
			}
		}
	}
	return false
}

// exempts reports whether a Deny with the set as its NotPrincipal spares the caller.
// AWS may look at the account, the role and the session in turn, so in the strict
// reading every one of them has to be listed; otherwise the user, or the role or the
// session, is enough.
func (s *principalSet) exempts(c *Caller, strict bool) bool {
	if s.everyone || s.anyAWS && c.Kind != ServiceCaller {
		return true
	}
	switch c.Kind {
	case AnonymousCaller:
		return false
	case ServiceCaller:
		return s.names(c)
	case RootCaller:
		return has(s.accounts, c.Account)
	case UserCaller:
		return has(s.arns, c.ARN) && (!strict || has(s.accounts, c.Account))
	}
	behind := c.RoleARN
	if c.Kind == FederatedCaller {
		behind = c.IssuerARN
	}
	if !strict {
		return has(s.arns, c.ARN) || has(s.arns, behind)
	}
	return has(s.accounts, c.Account) && has(s.arns, c.ARN) && has(s.arns, behind)
}

// has reports whether the list holds s. An empty s is in no list.
func has(list []string, s string) bool {
	for _, v := range list {
		if len(v) == len(s) && v == s && s != "" {
			return true
		}
	}
	return false
}
