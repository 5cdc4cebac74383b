package policy

import (
	"iter"
	"slices"
)

// Explanation says how a request was decided, in enough detail to see what would
// have to change.
type Explanation struct {
	// Decision is what [Decide] says of the same request.
	Decision Decision

	// Principal, Action and Resource are those of the request.
	Principal, Action, Resource string

	// Layers has a verdict for every layer but grants, in the order of evaluation.
	Layers []LayerVerdict

	// Matched lists the statements that match the request, in the order of the layers
	// and their documents, also those that made no difference.
	Matched []Match

	// NearMisses lists the statements that cover the action and fail in one respect:
	// in whom they name, in the resource, in their conditions, or because they lack
	// an element.
	NearMisses []NearMiss

	// Missing lists condition keys that the request lacks and a statement tests that
	// matches otherwise, as the policies write them.
	Missing []string

	// Bypassed lists layers that do not allow the request and do not limit it either,
	// because the resource's policy or a grant names the caller.
	Bypassed []Layer

	// Grants says of every grant how far it goes.
	Grants []GrantVerdict

	message string
}

// LayerVerdict is what one layer says of a request.
type LayerVerdict struct {
	Layer   Layer
	Applies bool
	Why     string  // why the layer does not apply, if it does not
	Outcome Outcome // Allowed, ExplicitDeny or ImplicitDeny; Allowed if it does not apply
}

// Match is a statement that matches a request.
type Match struct {
	Statement StatementRef
	Policy    string // the policy's name, if it has one
	Sid       string
	Effect    Effect
	Position  Position       // of the statement in its document
	Principal PrincipalMatch // how it names the caller
}

// NearMiss is a statement that nearly matches a request.
type NearMiss struct {
	Match
	Failures []Failure // one, or several conditions
}

// Failure is an element of a statement that does not match a request.
type Failure struct {
	Element string // "Action", "Principal", "Resource" or "Condition"
	Lacking bool   // the statement lacks the element

	// The condition, as the policy writes it.
	Operator, Key string
	Want          []string
	Position      Position

	// Got holds the values that the request has. Those that may be secret are
	// replaced by "(redacted)" unless [Choices.RevealValues] is set.
	Got     []string
	Missing bool // the request does not have the key
}

// GrantVerdict says how far a grant goes towards permitting a request.
type GrantVerdict struct {
	Index   int
	ID      string
	Permits bool
	Why     string
}

// redacted stands for a value that may be secret.
const redacted = "(redacted)"

// Explain decides a request as [Decide] does, with the same code, and says why. It
// looks at every statement that covers the action and allocates in proportion to
// them. Nil arguments are denied.
func Explain(r *Request, l *Layers) Explanation {
	if r == nil || l == nil {
		return Explanation{Decision: Decide(r, l)}
	}
	var e evaluator
	e.init(r, l)
	d := e.decide()
	x := Explanation{
		Decision:  d,
		Principal: r.Caller.String(),
		Action:    r.Action,
		Resource:  r.Resource,
		Layers:    e.verdicts(),
		message:   Message(r, l, d),
	}
	for ref, p := range e.policies() {
		x.addPolicy(&e, ref, p)
	}
	x.addBypassed(&e)
	x.addGrants(&e)
	return x
}

// Message returns the text that AWS sends with the denial; see [Message].
func (x *Explanation) Message() string { return x.message }

// policies iterates over the policies that apply, with a reference to each.
func (e *evaluator) policies() iter.Seq2[StatementRef, *Policy] {
	return func(yield func(StatementRef, *Policy) bool) {
		list := func(l Layer, level int, policies []*Policy) bool {
			for i, p := range policies {
				if p != nil && !yield(StatementRef{l, level, i, -1}, p) {
					return false
				}
			}
			return true
		}
		one := func(l Layer, p *Policy) bool {
			return p == nil || yield(StatementRef{l, -1, -1, -1}, p)
		}
		levels := func(l Layer, levels [][]*Policy) bool {
			for n, level := range levels {
				if !list(l, n, level) {
					return false
				}
			}
			return true
		}
		_ = (!e.scpApplies() || levels(SCPLayer, e.l.SCP)) &&
			(!e.rcpApplies() || levels(RCPLayer, e.l.RCP)) &&
			(!e.endpointApplies() || one(VPCEndpointLayer, e.l.VPCEndpoint)) &&
			one(ResourceLayer, e.resourcePolicy()) &&
			(!e.identityApplies() || list(IdentityLayer, -1, e.l.Identity)) &&
			(!e.boundaryApplies() || one(BoundaryLayer, e.l.Boundary)) &&
			(!e.sessionApplies() || list(SessionLayer, -1, e.l.Session))
	}
}

// addPolicy adds what the statements of one policy say.
func (x *Explanation) addPolicy(e *evaluator, ref StatementRef, p *Policy) {
	c := p.lists[p.byAction[e.action]]
	all := slices.Concat(c.deny, c.allow)
	slices.SortFunc(all, func(a, b candidate) int { return int(a.index) - int(b.index) })
	for _, c := range all {
		s := &p.statements[c.index]
		if e.action == unknownAction && !s.covers(e.r.Action) {
			continue
		}
		m := matchOf(p, s, ref)
		if m.Principal = e.matches(p, s); m.Principal != NoPrincipalMatch {
			x.Matched = append(x.Matched, m)
		} else {
			x.addMiss(e, p, s, m)
		}
	}
	for i := range p.inert {
		s := &p.inert[i]
		if s.lacks == "Action" || s.covers(e.r.Action) {
			x.NearMisses = append(x.NearMisses, NearMiss{matchOf(p, s, ref), []Failure{{Element: s.lacks, Lacking: true}}})
		}
	}
}

func matchOf(p *Policy, s *statement, ref StatementRef) Match {
	src := &p.doc.Statements[s.index]
	ref.Statement = s.index
	return Match{Statement: ref, Policy: p.Name(), Sid: src.Sid, Effect: src.Effect, Position: src.Start}
}

// addMiss adds a statement that covers the action and does not match, if it fails in
// one respect only.
func (x *Explanation) addMiss(e *evaluator, p *Policy, s *statement, m Match) {
	src := &p.doc.Statements[s.index]
	m.Principal = e.matchesCaller(p, s)
	named, covered := m.Principal != NoPrincipalMatch, e.matchesResource(s)
	var failures []Failure
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.holds(e) {
			continue
		}
		f := e.failure(c, &src.Conditions[c.index])
		if failures = append(failures, f); named && covered && f.Missing && !slices.Contains(x.Missing, f.Key) {
			x.Missing = append(x.Missing, f.Key)
		}
	}
	slices.SortFunc(failures, func(a, b Failure) int { return a.Position.Offset - b.Position.Offset })
	switch {
	case named && covered:
	case len(failures) > 0 || !named && !covered:
		return
	case !named:
		failures = []Failure{{Element: "Principal", Got: []string{e.c.String()}}}
	default:
		failures = []Failure{{Element: "Resource", Got: []string{e.r.Resource}}}
	}
	x.NearMisses = append(x.NearMisses, NearMiss{m, failures})
}

// failure describes a condition that does not hold.
func (e *evaluator) failure(c *condition, src *Condition) Failure {
	f := Failure{Element: "Condition", Operator: src.Operator, Key: src.Key, Want: src.Values, Position: src.Position}
	f.Got, f.Missing = e.valuesOf(c.ref), !e.tally(c).present
	if c.ref.sensitive() && !e.l.Choices.RevealValues {
		for i := range f.Got {
			f.Got[i] = redacted
		}
	}
	return f
}
