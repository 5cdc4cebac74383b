package policy

import "strings"

// read turns the tree of a text into a document.
func (p *parser) read(root *node) (*Document, *problem) {
	if root.kind != jsonObject {
		return nil, syntaxProblem(root, "the document is %v, not an object", root.kind)
	}
	d := &Document{Kind: p.kind}
	var f *problem
	var statements *node
	for _, n := range root.children {
		switch n.name {
		case "Version":
			d.Version, f = readString(n)
			if f == nil && d.Version != version2008 && d.Version != version2012 {
				f = syntaxProblem(n, "the version is %q; it has to be 2012-10-17 or 2008-10-17",
					d.Version)
			}
		case "Id":
			d.ID, f = readString(n)
		case "Statement":
			statements = n
		default:
			f = syntaxProblem(n, "%q is not an element of a policy", n.name)
		}
		if f != nil {
			return nil, f
		}
	}
	if statements == nil {
		return nil, syntaxProblem(root, "the policy has no Statement")
	}
	return d, p.readStatements(d, statements)
}

func (p *parser) readStatements(d *Document, n *node) *problem {
	list := []*node{n}
	if n.kind == jsonArray {
		list = n.children
	}
	if len(list) == 0 {
		return syntaxProblem(n, "the policy has an empty list of statements")
	}
	for _, n := range list {
		var s Statement
		if f := p.readStatement(&s, n); f != nil {
			return f
		}
		d.Statements = append(d.Statements, s)
	}
	p.statements = make([]statementNode, len(list))
	for i, n := range list {
		p.statements[i] = statementNode{n, &d.Statements[i]}
	}
	return nil
}

func (p *parser) readStatement(s *Statement, n *node) *problem {
	if n.kind != jsonObject {
		return syntaxProblem(n, "the statement is %v, not an object", n.kind)
	}
	s.Start, s.End = p.lines.position(n.start), p.lines.position(n.end)
	for _, e := range n.children {
		if f := p.readElement(s, e); f != nil {
			return f
		}
	}
	for _, pair := range [...]string{"Principal", "Action", "Resource"} {
		if n.member(pair) != nil && n.member("Not"+pair) != nil {
			return syntaxProblem(n.member("Not"+pair),
				"the statement has both %s and Not%s", pair, pair)
		}
	}
	if s.Effect == 0 {
		return syntaxProblem(n, "the statement has no Effect")
	}
	return nil
}

func (p *parser) readElement(s *Statement, n *node) (f *problem) {
	switch n.name {
	case "Sid":
		s.Sid, f = readString(n)
	case "Effect":
		s.Effect, f = p.readEffect(n)
	case "Principal":
		s.Principal, f = p.readPrincipals(n)
	case "NotPrincipal":
		s.NotPrincipal, f = p.readPrincipals(n)
	case "Action":
		s.Action, f = readStrings(n)
	case "NotAction":
		s.NotAction, f = readStrings(n)
	case "Resource":
		s.Resource, f = readStrings(n)
	case "NotResource":
		s.NotResource, f = readStrings(n)
	case "Condition":
		s.Conditions, f = p.readConditions(n)
	default:
		f = syntaxProblem(n, "%q is not an element of a statement", n.name)
	}
	return f
}

// readEffect accepts any case: a wrong one is found only after the whole grammar
// was checked, by [parser.checkLegacy].
func (p *parser) readEffect(n *node) (Effect, *problem) {
	text, f := readString(n)
	switch {
	case f != nil:
		return 0, f
	case strings.EqualFold(text, "Allow"):
		return Allow, nil
	case strings.EqualFold(text, "Deny"):
		return Deny, nil
	}
	return 0, syntaxProblem(n, "the effect is %q; it has to be Allow or Deny", text)
}

func (p *parser) readPrincipals(n *node) (*Principals, *problem) {
	switch {
	case n.kind == jsonString && n.text == "*":
		return &Principals{Any: true}, nil
	case n.kind == jsonArray && len(n.children) == 0:
		return &Principals{}, nil
	case n.kind != jsonObject:
		return nil, syntaxProblem(n, `the %s is %v; it has to be "*" or an object`, n.name, n.kind)
	}
	all := &Principals{}
	for _, typed := range n.children {
		switch typed.name {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return nil, syntaxProblem(typed, "%q is not a type of principal", typed.name)
		}
		values, f := readStrings(typed)
		if f != nil {
			return nil, f
		}
		for _, v := range values {
			all.Entries = append(all.Entries, Principal{Type: typed.name, Value: v})
		}
	}
	return all, nil
}

func (p *parser) readConditions(n *node) ([]Condition, *problem) {
	if n.kind != jsonObject {
		return nil, syntaxProblem(n, "the Condition is %v, not an object", n.kind)
	}
	var all []Condition
	for _, operator := range n.children {
		if operator.kind != jsonObject {
			return nil, syntaxProblem(operator, "the block of %q is %v, not an object",
				operator.name, operator.kind)
		}
		// AWS accepts any name as long as nothing is under it.
		if _, known := operatorOf(operator.name); !known && len(operator.children) > 0 {
			return nil, syntaxProblem(operator, "%q is not a condition operator", operator.name)
		}
		for _, key := range operator.children {
			values, f := readValues(key)
			if f != nil {
				return nil, f
			}
			all = append(all, Condition{Operator: operator.name, Key: key.name, Values: values,
				Position: p.lines.position(key.nameAt)})
		}
	}
	return all, nil
}

func readString(n *node) (string, *problem) {
	if n.kind != jsonString {
		return "", syntaxProblem(n, "the %s is %v, not a string", n.name, n.kind)
	}
	return n.text, nil
}

// items returns the values of an element that may be a scalar or an array. Like
// AWS it ignores nulls in an array.
func (n *node) items() []*node {
	if n == nil {
		return nil
	}
	if n.kind != jsonArray {
		return []*node{n}
	}
	list := make([]*node, 0, len(n.children))
	for _, c := range n.children {
		if c.kind != jsonNull {
			list = append(list, c)
		}
	}
	return list
}

// readStrings reads a string or an array of strings.
func readStrings(n *node) ([]string, *problem) {
	list := make([]string, 0, max(1, len(n.children)))
	for _, item := range n.items() {
		if item.kind != jsonString {
			return nil, syntaxProblem(item, "the %s holds %v, not a string", n.name, item.kind)
		}
		list = append(list, item.text)
	}
	return list, nil
}

// readValues reads the values of a condition key, which may be strings, numbers
// and booleans.
func readValues(n *node) ([]string, *problem) {
	list := n.children
	if n.kind != jsonArray {
		list = []*node{n}
	}
	values := make([]string, 0, len(list))
	for _, item := range list {
		switch item.kind {
		case jsonString, jsonNumber, jsonBool:
			values = append(values, item.text)
		default:
			return nil, syntaxProblem(item, "the values of %q hold %v", n.name, item.kind)
		}
	}
	return values, nil
}
