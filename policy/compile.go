package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Policy is a compiled [Document]. It never changes and may be shared by goroutines
// and between principals.
type Policy struct {
	doc        *Document
	name       string
	principals bool // statements say whom they are about
	statements []statement
	inert      []statement // that can match nothing; only for explanations

	// What statements an action has to look at, by the index of the action.
	byAction [unknownAction + 1]uint16
	lists    []candidates
}

// statement is a compiled [Statement].
type statement struct {
	effect       Effect
	notAction    bool
	notPrincipal bool
	notResource  bool
	anyResource  bool
	index        int    // in the document
	lacks        string // an element that is missing or empty: nothing can match

	actions    []actionPattern
	required   keySet // keys without which the conditions cannot hold
	who        *principalSet
	resources  []*arnPattern
	conditions []condition // the cheapest first
}

// maxStatements bounds the statements of one policy, far above what any limit on
// documents admits.
const maxStatements = 1<<16 - 1

// Compile compiles a document, which must not be changed afterwards. It accepts
// whatever [Parse] does. It refuses an unknown kind, effect or condition operator, both
// elements of a pair such as Action and NotAction, and principals in a kind of policy
// that is attached to a principal: things that cannot be evaluated safely.
//
// A statement that lacks an action, a resource or a principal that its kind needs,
// or has an empty one, is accepted and matches nothing, as in AWS.
func Compile(d *Document) (*Policy, error) {
	if d == nil {
		return nil, errors.New("policy: no document to compile")
	}
	if d.Kind < KeyPolicy || d.Kind > VPCEndpoint {
		return nil, fmt.Errorf("policy: cannot compile a document of unknown kind %d", d.Kind)
	}
	if len(d.Statements) > maxStatements {
		return nil, fmt.Errorf("policy: %d statements are more than %d", len(d.Statements), maxStatements)
	}
	p := &Policy{doc: d, principals: namesPrincipals(d.Kind)}
	for i := range d.Statements {
		s, err := compileStatement(d, i)
		if err != nil {
			return nil, fmt.Errorf("policy: statement %d: %w", i, err)
		}
		if s.lacks != "" {
			p.inert = append(p.inert, *s)
		} else {
			p.statements = append(p.statements, *s)
		}
	}
	p.index()
	return p, nil
}

// Named returns the policy under a name, such as its ARN, by which messages and
// explanations call it.
func (p *Policy) Named(name string) *Policy {
	c := *p
	c.name = name
	return &c
}

// Name returns the name given by [Policy.Named], or the document's Id.
func (p *Policy) Name() string {
	if p.name != "" {
		return p.name
	}
	return p.doc.ID
}

// Document returns what the policy was compiled from. It must not be changed.
func (p *Policy) Document() *Document { return p.doc }

// namesPrincipals reports whether the statements of a kind have principals.
func namesPrincipals(k Kind) bool {
	switch k {
	case KeyPolicy, SecretPolicy, ParameterPolicy, Trust, VPCEndpoint, RCP:
		return true
	}
	return false
}

// compileStatement compiles one statement.
func compileStatement(d *Document, index int) (*statement, error) {
	src := &d.Statements[index]
	switch {
	case src.Effect != Allow && src.Effect != Deny:
		return nil, errors.New("its effect is neither Allow nor Deny")
	case src.Action != nil && src.NotAction != nil, src.Resource != nil && src.NotResource != nil,
		src.Principal != nil && src.NotPrincipal != nil:
		return nil, errors.New("it has both elements of a pair")
	case !namesPrincipals(d.Kind) && (src.Principal != nil || src.NotPrincipal != nil):
		return nil, errors.New("policies of this kind have no principals")
	}
	var flags patternFlags
	if d.Version == "2012-10-17" {
		flags = variables
	}
	s := &statement{effect: src.Effect, index: index}
	if err := s.compileConditions(src, flags); err != nil {
		return nil, err
	}
	if namesPrincipals(d.Kind) && !s.compileWho(src) {
		s.lacks = "Principal"
	}
	if !s.compileResources(src, flags, d.Kind == Trust) {
		s.lacks = "Resource"
	}
	if !s.compileActions(src) {
		s.lacks = "Action"
	}
	return s, nil
}

func (s *statement) compileConditions(src *Statement, flags patternFlags) error {
	for i := range src.Conditions {
		c, err := compileCondition(&src.Conditions[i], i, flags)
		if err != nil {
			return err
		}
		if k, ok := c.required(); ok {
			s.required.set(int(k))
		}
		s.conditions = append(s.conditions, c)
	}
	slices.SortStableFunc(s.conditions, func(a, b condition) int { return int(a.operator) - int(b.operator) })
	return nil
}

// compileWho reports whether the statement names anybody.
func (s *statement) compileWho(src *Statement) bool {
	p := src.Principal
	if p == nil {
		p, s.notPrincipal = src.NotPrincipal, true
	}
	if p == nil || !p.Any && len(p.Entries) == 0 {
		return false
	}
	s.who = compilePrincipals(p)
	return true
}

// compileResources reports whether the statement names any resource. Trust policies
// have no such element; their resource is the role.
func (s *statement) compileResources(src *Statement, flags patternFlags, none bool) bool {
	list := src.Resource
	if list == nil {
		list, s.notResource = src.NotResource, src.NotResource != nil
	}
	if none && list == nil {
		s.anyResource = true
		return true
	}
	for _, text := range list {
		if text == "*" {
			s.anyResource = true
		} else if a, ok := compileARN(text, flags|wildcards, 5, true); ok {
			s.resources = append(s.resources, a)
		}
	}
	return len(list) > 0
}

// compileActions reports whether the statement names any action.
func (s *statement) compileActions(src *Statement) bool {
	list := src.Action
	if list == nil {
		list, s.notAction = src.NotAction, src.NotAction != nil
	}
	for _, text := range list {
		s.actions = append(s.actions, compileAction(text))
	}
	return len(list) > 0
}

// actionPattern is a compiled entry of Action or NotAction.
type actionPattern struct{ service, name pattern }

func compileAction(text string) actionPattern {
	if text == "*" {
		text = "*:*"
	}
	service, name, _ := strings.Cut(text, ":") // without a colon it matches nothing
	return actionPattern{compilePattern(service, wildcards|anyCase), compilePattern(name, wildcards|anyCase)}
}

// covers reports whether the statement's Action or NotAction covers an action.
func (s *statement) covers(action string) bool {
	service, name, ok := strings.Cut(action, ":")
	if !ok || service == "" || name == "" {
		return false
	}
	for i := range s.actions {
		if s.actions[i].service.match(nil, service) && s.actions[i].name.match(nil, name) {
			return !s.notAction
		}
	}
	return s.notAction
}
