package policy

import "strings"

// Decide decides a request. It decides every request, allocates nothing and may be
// called by many goroutines with the same arguments as long as nobody changes them.
// Nil arguments are denied.
//
// First of all, a statement that denies ends it, in whatever policy it stands. Then
// the policies that only limit must allow: service control policies, resource control
// policies, and that of the VPC endpoint. Last, something must grant: the resource's
// policy, the caller's policies within boundary and session, or a grant on the key. On
// a KMS key the caller's policies count only as far as the key policy lets the account
// use them, and between accounts both sides must allow (IAM User Guide, "Policy
// evaluation logic"; AWS KMS Developer Guide, "Determining access to KMS keys").
func Decide(r *Request, l *Layers) Decision {
	if r == nil || l == nil {
		return implicit(ReasonNoIdentityAllow, IdentityLayer)
	}
	var e evaluator
	e.init(r, l)
	return e.decide()
}

func (e *evaluator) decide() Decision {
	if ref := e.explicitDeny(); ref.Layer != NoLayer {
		return Decision{Outcome: ExplicitDeny, Reason: ReasonDenied, Statement: ref, Grant: -1}
	}
	if d, limited := e.limits(); limited {
		return d
	}
	if d, refused := e.inadmissible(); refused {
		return d
	}
	if e.isRetirement() {
		return e.retire()
	}
	d := e.granting()
	if !d.Allowed && e.key {
		return e.byGrant(d)
	}
	return d
}

func implicit(r Reason, l Layer) Decision { return implicitAt(r, StatementRef{l, -1, -1, -1}) }

func implicitAt(r Reason, ref StatementRef) Decision {
	return Decision{Outcome: ImplicitDeny, Reason: r, Statement: ref, Grant: -1}
}

func permit(p Path, ref StatementRef) Decision {
	return Decision{Allowed: true, Outcome: Allowed, Reason: ReasonPermitted, Path: p, Statement: ref, Grant: -1}
}

// Which layers apply to the request. Root users, services and anonymous callers have
// no policies of their own.

func (e *evaluator) scpApplies() bool {
	switch e.c.Kind {
	case AnonymousCaller, ServiceCaller:
		return false
	}
	return e.l.SCP != nil && !e.c.ManagementAccount && !e.c.ServiceLinkedRole
}

func (e *evaluator) rcpApplies() bool {
	return e.l.RCP != nil && !e.r.AWSManagedKey && !e.r.ResourceInManagementAccount &&
		!e.c.ServiceLinkedRole && !e.isRetirement() && rcpCovers(e.service())
}

func (e *evaluator) endpointApplies() bool {
	return e.l.VPCEndpoint != nil && e.present.has(int(AWSSourceVPCE))
}

// resourcePolicy returns the resource's policy as far as it counts.
func (e *evaluator) resourcePolicy() *Policy {
	p := e.l.Resource
	if p != nil && p.doc.Kind == KeyPolicy && !e.key {
		return nil
	}
	return p
}

func (e *evaluator) identityApplies() bool {
	switch e.c.Kind {
	case UserCaller, RoleCaller, FederatedCaller:
		return true
	}
	return false
}

func (e *evaluator) boundaryApplies() bool {
	return e.l.Boundary != nil && e.identityApplies() && !e.c.ServiceLinkedRole
}

func (e *evaluator) sessionApplies() bool {
	switch e.c.Kind {
	case AnonymousCaller, ServiceCaller:
		return false
	case FederatedCaller:
		return true // without a policy, such a session has nothing
	}
	return e.l.HasSession || len(e.l.Session) > 0
}

// service returns the service that the action belongs to.
func (e *evaluator) service() string {
	service, _, _ := strings.Cut(e.r.Action, ":")
	return service
}

func (e *evaluator) isRetirement() bool {
	return e.action != unknownAction && actions[e.action].grant == GrantRetireGrant
}

// foreign reports whether the resource belongs to another account than the caller's.
func (e *evaluator) foreign() bool { return e.c.Account != e.account }

// explicitDeny returns the first statement that denies, or one of NoLayer.
func (e *evaluator) explicitDeny() StatementRef {
	if e.scpApplies() {
		if ref := e.denyLevels(SCPLayer, e.l.SCP); ref.Layer != NoLayer {
			return ref
		}
	}
	if e.rcpApplies() {
		if ref := e.denyLevels(RCPLayer, e.l.RCP); ref.Layer != NoLayer {
			return ref
		}
	}
	if e.endpointApplies() {
		if i := e.deny(e.l.VPCEndpoint); i >= 0 {
			return refOf(VPCEndpointLayer, e.l.VPCEndpoint, -1, i)
		}
	}
	if p := e.resourcePolicy(); p != nil {
		if i := e.deny(p); i >= 0 {
			return refOf(ResourceLayer, p, -1, i)
		}
	}
	if e.identityApplies() {
		if ref := e.denyList(IdentityLayer, e.l.Identity); ref.Layer != NoLayer {
			return ref
		}
	}
	if e.boundaryApplies() {
		if i := e.deny(e.l.Boundary); i >= 0 {
			return refOf(BoundaryLayer, e.l.Boundary, -1, i)
		}
	}
	if e.sessionApplies() {
		return e.denyList(SessionLayer, e.l.Session)
	}
	return StatementRef{}
}

// refOf points at a compiled statement of a policy.
func refOf(l Layer, p *Policy, policy, compiled int) StatementRef {
	return StatementRef{Layer: l, Level: -1, Policy: policy, Statement: p.statements[compiled].index}
}

func (e *evaluator) denyLevels(l Layer, levels [][]*Policy) StatementRef {
	for n, level := range levels {
		if ref := e.denyList(l, level); ref.Layer != NoLayer {
			ref.Level = n
			return ref
		}
	}
	return StatementRef{}
}

func (e *evaluator) denyList(l Layer, list []*Policy) StatementRef {
	for n, p := range list {
		if i := e.deny(p); i >= 0 {
			return refOf(l, p, n, i)
		}
	}
	return StatementRef{}
}

// limits denies what a layer that only limits does not allow.
func (e *evaluator) limits() (Decision, bool) {
	if e.scpApplies() {
		if n := e.unallowedLevel(e.l.SCP); n >= 0 {
			return implicitAt(ReasonSCPNoAllow, StatementRef{SCPLayer, n, -1, -1}), true
		}
	}
	if e.rcpApplies() {
		if n := e.unallowedLevel(e.l.RCP); n >= 0 {
			return implicitAt(ReasonRCPNoAllow, StatementRef{RCPLayer, n, -1, -1}), true
		}
	}
	if e.endpointApplies() && e.allow(e.l.VPCEndpoint) < 0 {
		return implicit(ReasonVPCENoAllow, VPCEndpointLayer), true
	}
	return Decision{}, false
}

// unallowedLevel returns the first level that does not allow the request, or -1.
// Without any level nothing allows it.
func (e *evaluator) unallowedLevel(levels [][]*Policy) int {
	for n, level := range levels {
		if e.allowList(NoLayer, level).Statement < 0 {
			return n
		}
	}
	if len(levels) == 0 {
		return 0
	}
	return -1
}

// allowList points at the first statement of a list of policies that allows; its
// Statement is -1 if there is none.
func (e *evaluator) allowList(l Layer, list []*Policy) StatementRef {
	for n, p := range list {
		if i := e.allow(p); i >= 0 {
			return refOf(l, p, n, i)
		}
	}
	return StatementRef{l, -1, -1, -1}
}

// inadmissible denies requests that no policy can allow.
func (e *evaluator) inadmissible() (Decision, bool) {
	switch {
	case e.c.Kind == AnonymousCaller && (e.action != unknownAction || e.flags&isKMS != 0):
		return implicit(ReasonNoPrincipal, NoLayer), true // these services want signatures
	case e.flags&isKMS == 0:
		return Decision{}, false
	case !e.suits():
		return implicit(ReasonWrongResource, NoLayer), true
	case e.foreign() && e.c.Kind != ServiceCaller && e.flags&crossAccount == 0:
		return implicit(ReasonCrossAccountOpUnsupported, NoLayer), true
	}
	return Decision{}, false
}

// suits reports whether an action of KMS can be one on the request's resource.
func (e *evaluator) suits() bool {
	switch {
	case e.nothing:
		return e.flags&onNothing != 0
	case e.key:
		return e.flags&onKey != 0
	}
	return e.flags&onAlias != 0 && e.isARN && e.arn[2] == "kms" && strings.HasPrefix(e.arn[5], "alias/")
}
