package policy

// granting decides by the policies that grant, once nothing denies and all that only
// limit allow.
func (e *evaluator) granting() Decision {
	p := e.resourcePolicy()
	at, match := e.best(p)
	ref := StatementRef{ResourceLayer, -1, -1, -1}
	if at >= 0 {
		ref = refOf(ResourceLayer, p, -1, at)
	}
	switch {
	case !e.identityApplies() && e.c.Kind != RootCaller:
		if match == NoPrincipalMatch {
			return implicit(ReasonNoResourceAllow, ResourceLayer)
		}
		return permit(e.directPath(), ref)
	case e.foreign():
		return e.betweenAccounts(match)
	case e.key || p != nil && p.doc.Kind == Trust:
		return e.resourceFirst(match, ref)
	}
	return e.eitherSide(match, ref)
}

func (e *evaluator) directPath() Path {
	if e.key {
		return PathKeyDirect
	}
	return PathResourceDirect
}

// resourceFirst decides for resources whose policy must take part: KMS keys, and roles
// that are to be assumed.
func (e *evaluator) resourceFirst(match PrincipalMatch, ref StatementRef) Decision {
	switch {
	case match.direct():
		return permit(e.directPath(), ref)
	case match == RoleMatch:
		return e.within(permit(e.directPath(), ref))
	case match == AccountMatch:
		d := e.ownPolicies()
		if d.Allowed && e.key {
			d.Path = PathKeyDelegated
		}
		return d
	}
	if e.key && e.c.Kind != RootCaller && e.ownPolicies().Allowed {
		return implicit(ReasonKeyPolicyDoesNotDelegate, ResourceLayer)
	}
	return implicit(ReasonNoResourceAllow, ResourceLayer)
}

// eitherSide decides for resources of the caller's account where one side is enough.
func (e *evaluator) eitherSide(match PrincipalMatch, ref StatementRef) Decision {
	switch {
	case match.direct():
		return permit(PathResourceDirect, ref)
	case match == RoleMatch:
		return e.within(permit(PathResourceDirect, ref))
	}
	return e.ownPolicies()
}

// betweenAccounts decides for resources of another account. Nothing on the resource's
// side gets the caller past its own account's policies.
func (e *evaluator) betweenAccounts(match PrincipalMatch) Decision {
	if match == NoPrincipalMatch {
		return implicit(ReasonCrossAccountResourceSide, ResourceLayer)
	}
	d := e.ownPolicies()
	if d.Allowed {
		d.Path = PathCrossAccount
	} else if d.Reason == ReasonNoIdentityAllow {
		d.Reason = ReasonCrossAccountIdentitySide
	}
	return d
}

// ownPolicies decides by the caller's own policies: identity, boundary and session
// must all allow. A root user may do anything that its session lets it.
func (e *evaluator) ownPolicies() Decision {
	if e.c.Kind == RootCaller {
		return e.within(permit(PathRoot, StatementRef{NoLayer, -1, -1, -1}))
	}
	ref := e.allowList(IdentityLayer, e.l.Identity)
	if !e.identityApplies() || ref.Statement < 0 {
		return implicit(ReasonNoIdentityAllow, IdentityLayer)
	}
	return e.within(permit(PathIdentity, ref))
}

// within returns the permission if boundary and session allow the request too.
func (e *evaluator) within(d Decision) Decision {
	if e.boundaryApplies() && e.allow(e.l.Boundary) < 0 {
		return implicit(ReasonBoundaryNoAllow, BoundaryLayer)
	}
	if e.sessionApplies() && e.allowList(SessionLayer, e.l.Session).Statement < 0 {
		return implicit(ReasonSessionNoAllow, SessionLayer)
	}
	return d
}

// byGrant decides by the grants what policies have not allowed. If none permits it, the
// denial says how close one came.
func (e *evaluator) byGrant(denial Decision) Decision {
	closest := notGrantee
	for i, g := range e.l.Grants {
		if g == nil {
			continue
		}
		match := e.matchesGrant(g)
		if match == permitsCaller || match == throughIAM {
			if d := e.throughGrant(match, i); d.Allowed {
				return d
			}
			continue
		}
		if match > closest {
			closest, denial.Grant = match, i
		}
	}
	switch closest {
	case noOperation:
		denial.Reason = ReasonGrantOperation
	case notMet:
		denial.Reason = ReasonGrantConstraint
	case badChild:
		denial.Reason = ReasonGrantChild
	}
	return denial
}

// throughGrant decides by a grant that covers the request. One to an account needs the
// policies of the caller besides.
func (e *evaluator) throughGrant(match grantMatch, index int) Decision {
	d := permit(PathGrant, StatementRef{GrantLayer, -1, -1, -1})
	d.Grant = index
	if own := e.identityApplies(); own && (match == throughIAM || e.foreign() && e.l.Choices.CrossAccountGrantNeedsIdentity) {
		if by := e.ownPolicies(); !by.Allowed {
			return by
		}
	}
	if e.l.Choices.GrantLimitedByBoundary {
		return e.within(d)
	}
	return d
}

// retire decides who may retire a grant. The grant itself says so; a key policy cannot
// allow it, and identity policies can only where the account may (AWS KMS Developer
// Guide, "Retiring and revoking grants").
func (e *evaluator) retire() Decision {
	g := e.r.Grant
	if g == nil || !e.key || g.Key != e.r.Resource {
		return implicit(ReasonNotRetiring, ResourceLayer)
	}
	retiring := granteeMatch(g.Retiring, g.RetiringService, e.c)
	grantee := NoPrincipalMatch
	if g.Operations&GrantRetireGrant != 0 && e.meets(g, GrantRetireGrant) {
		grantee = granteeMatch(g.Grantee, g.GranteeService, e.c)
	}
	if strongest := max(retiring, grantee); strongest > AccountMatch {
		return permit(PathGrant, StatementRef{GrantLayer, -1, -1, -1})
	}
	account := e.c.Account
	if e.c.Kind != ServiceCaller && account != "" &&
		(account == g.IssuingAccount || !e.foreign() || max(retiring, grantee) == AccountMatch) {
		return e.ownPolicies()
	}
	return implicit(ReasonNotRetiring, ResourceLayer)
}
