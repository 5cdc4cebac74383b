package policy

import "strings"

// verdicts returns what every layer says.
func (e *evaluator) verdicts() []LayerVerdict {
	all := make([]LayerVerdict, 0, numLayers)
	add := func(l Layer, why string, deny StatementRef, allows bool) {
		v := LayerVerdict{Layer: l, Applies: why == "", Why: why, Outcome: Allowed}
		switch {
		case why != "":
		case deny.Layer != NoLayer:
			v.Outcome = ExplicitDeny
		case !allows:
			v.Outcome = ImplicitDeny
		}
		all = append(all, v)
	}
	single := func(l Layer, p *Policy, why string) {
		var deny StatementRef
		if e.deny(p) >= 0 {
			deny.Layer = l
		}
		add(l, why, deny, e.allow(p) >= 0)
	}
	add(SCPLayer, e.whyNoSCP(), e.denyLevels(SCPLayer, e.l.SCP), e.unallowedLevel(e.l.SCP) < 0)
	add(RCPLayer, e.whyNoRCP(), e.denyLevels(RCPLayer, e.l.RCP), e.unallowedLevel(e.l.RCP) < 0)
	single(VPCEndpointLayer, e.l.VPCEndpoint, e.whyNoEndpoint())
	single(ResourceLayer, e.resourcePolicy(), e.whyNoResourcePolicy())
	add(IdentityLayer, e.whyNoIdentity(), e.denyList(IdentityLayer, e.l.Identity), e.allowList(IdentityLayer, e.l.Identity).Statement >= 0)
	single(BoundaryLayer, e.l.Boundary, e.whyNoBoundary())
	add(SessionLayer, e.whyNoSession(), e.denyList(SessionLayer, e.l.Session), e.allowList(SessionLayer, e.l.Session).Statement >= 0)
	return all
}

func (e *evaluator) whyNoSCP() string {
	switch {
	case e.scpApplies():
		return ""
	case e.l.SCP == nil:
		return "there are no service control policies"
	case e.c.ManagementAccount:
		return "the caller's account manages the organization"
	case e.c.ServiceLinkedRole:
		return "the caller is a service-linked role"
	}
	return "the caller has no account"
}

func (e *evaluator) whyNoRCP() string {
	switch {
	case e.rcpApplies():
		return ""
	case e.l.RCP == nil:
		return "there are no resource control policies"
	case e.r.ResourceInManagementAccount:
		return "the resource's account manages the organization"
	case e.r.AWSManagedKey:
		return "AWS manages the key"
	case e.c.ServiceLinkedRole:
		return "the caller is a service-linked role"
	case e.isRetirement():
		return "RetireGrant is exempt"
	}
	return "the service is not covered"
}

func (e *evaluator) whyNoEndpoint() string {
	switch {
	case e.endpointApplies():
		return ""
	case e.l.VPCEndpoint == nil:
		return "there is no endpoint policy"
	}
	return "the request did not come through an endpoint"
}

func (e *evaluator) whyNoResourcePolicy() string {
	switch {
	case e.resourcePolicy() != nil:
		return ""
	case e.l.Resource != nil:
		return "the resource is no key"
	}
	return "the resource has no policy"
}

func (e *evaluator) whyNoIdentity() string {
	if e.identityApplies() {
		return ""
	}
	return "the caller has no identity policies"
}

func (e *evaluator) whyNoBoundary() string {
	switch {
	case e.boundaryApplies():
		return ""
	case e.l.Boundary == nil:
		return "there is no boundary"
	}
	return "the caller is not bound by one"
}

func (e *evaluator) whyNoSession() string {
	if e.sessionApplies() {
		return ""
	}
	return "there are no session policies"
}

// addBypassed adds the layers past which the request was allowed.
func (x *Explanation) addBypassed(e *evaluator) {
	if !x.Decision.Allowed || x.Decision.Path == PathIdentity {
		return
	}
	for _, v := range x.Layers {
		if (v.Layer == BoundaryLayer || v.Layer == SessionLayer) && v.Outcome == ImplicitDeny {
			x.Bypassed = append(x.Bypassed, v.Layer)
		}
	}
}

var grantWhys = [...]string{
	notGrantee:    "it is for another principal or key",
	noOperation:   "the operation is not among its operations",
	notMet:        "its constraints are not met",
	badChild:      "the new grant goes beyond it",
	throughIAM:    "it is for the account, whose policies decide",
	permitsCaller: "it is for the caller, and its constraints are met",
}

// addGrants adds what the grants say.
func (x *Explanation) addGrants(e *evaluator) {
	if !e.key || e.isRetirement() {
		return
	}
	for i, g := range e.l.Grants {
		if g == nil {
			continue
		}
		match := e.matchesGrant(g)
		permits := (match == permitsCaller || match == throughIAM) && e.throughGrant(match, i).Allowed
		x.Grants = append(x.Grants, GrantVerdict{i, g.ID, permits, grantWhys[match]})
	}
}

// valuesOf returns the values of a key as text.
func (e *evaluator) valuesOf(ref keyRef) []string {
	var values []string
	switch ref.kind {
	case knownRef:
		k := ref.key
		switch {
		case !e.present.has(int(k)):
		case !e.multi(k):
			v := e.scalar(k)
			values = append(values, v.string())
		case k == keyPrincipalOrgPaths:
			values = append(values, e.c.OrgPaths...)
		case k == keyPrincipalServiceNamesList:
			values = append(values, e.c.ServiceNames...)
		case e.ctx.present.has(int(k)):
			values = append(values, e.ctx.list(k)...)
		case k == KMSEncryptionContextKeys:
			values = keysOf(e.ctx.families[EncryptionContext])
		default:
			values = keysOf(e.ctx.families[RequestTag])
		}
	case familyRef:
		for _, p := range e.family(ref.family) {
			if strings.EqualFold(p.Key, ref.name) {
				values = append(values, p.Value)
			}
		}
	default:
		if o := e.other(ref.name); o != nil {
			values = append(values, o.values...)
		}
	}
	return values
}

func keysOf(pairs []Pair) []string {
	keys := make([]string, len(pairs))
	for i, p := range pairs {
		keys[i] = p.Key
	}
	return keys
}
