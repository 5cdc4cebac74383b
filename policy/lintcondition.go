package policy

import "strings"

func (p *parser) lintConditions(d *Document, s statementNode) {
	condition := s.member("Condition")
	if condition == nil {
		return
	}
	if len(condition.children) == 0 {
		p.find(Suggestion, "EMPTY_OBJECT_CONDITION", condition, "the Condition is empty; remove it")
	}
	p.lintCase(condition)
	for _, operator := range condition.children {
		o, known := operatorOf(operator.name)
		if len(operator.children) == 0 {
			p.find(Suggestion, "EMPTY_OBJECT_CONDITION", operator, "%q has no keys; remove it", operator.name)
		}
		p.lintOperator(operator, o, known)
		p.lintCase(operator)
		for _, key := range operator.children {
			p.lintCondition(d, key, o)
		}
	}
}

// lintCase looks for names that differ in case only.
func (p *parser) lintCase(n *node) {
	seen := make(map[string]bool, len(n.children))
	for _, c := range n.children {
		name := strings.ToLower(c.name)
		if seen[name] {
			p.find(Error, "DUPLICATE_KEYS_WITH_DIFFERENT_CASE", c,
				"%q is there already, in another case; merge the two", c.name)
		}
		seen[name] = true
	}
}

func (p *parser) lintOperator(n *node, o operatorName, known bool) {
	switch {
	case !known:
		p.find(Error, "INVALID_CONDITION_OPERATOR", n, "there is no condition operator %q", n.name)
	case n.name != o.String():
		p.find(Warning, "INVALID_CONDITION_OPERATOR", n, "write %s instead of %q; AWS may refuse it", o, n.name)
	}
	if o.base != "Null" {
		return
	}
	if o.ifExists {
		p.find(Error, "NULL_WITH_IF_EXISTS", n, "Null cannot be combined with IfExists; remove IfExists")
	}
	if o.qualifier != "" {
		always := "true"
		if o.qualifier == "ForAnyValue:" {
			always = "false"
		}
		p.find(Suggestion, "NULL_WITH_QUALIFIER", n, "%s is always %s; remove %s", o, always, o.qualifier)
	}
}

// lintCondition checks the condition on one key.
func (p *parser) lintCondition(d *Document, key *node, o operatorName) {
	facts := p.lintKey(key)
	values := key.items()
	if len(values) == 0 {
		code := "EMPTY_ARRAY_CONDITION"
		switch {
		case o.qualifier == "ForAllValues:":
			code += "_FOR_ALL_VALUES"
		case o.qualifier == "ForAnyValue:":
			code += "_FOR_ANY_VALUE"
		case o.ifExists:
			code += "_IF_EXISTS"
		}
		p.find(Suggestion, code, key, "%q is compared with no values; add some or remove it", key.name)
	}
	switch {
	case o.base == "Null":
	case facts.multi && o.qualifier == "":
		p.find(Error, "MISSING_QUALIFIER", key, "a request may have several values of %q; without "+
			"ForAllValues or ForAnyValue the condition never matches", key.name)
	case facts.typ != anyKey && !facts.multi && o.qualifier == "ForAllValues:":
		p.find(SecurityWarning, "FOR_ALL_VALUES_WITH_SINGLE_VALUED_KEY", key,
			"ForAllValues matches a request without %q; remove it", key.name)
	}
	if !suits(o, facts.typ) {
		p.find(Warning, "TYPE_MISMATCH", key, "the values of %q are not what %s compares", key.name, o.base)
	}
	if len(values) > 1 && (o.base == "Bool" || o.base == "Null") {
		p.find(Error, "INVALID_CONDITION_MULTIPLE_BOOLEAN", key, "%s takes a single value", o.base)
	}
	for _, v := range values {
		p.lintValue(d, v, o)
	}
	p.lintNetwork(key, values, o)
}

// family returns what the operator compares: "String", "Numeric", "Date", "Bool",
// "Binary", "Ip", "Arn" or "Null".
func (o operatorName) family() string {
	for _, f := range [...]string{"String", "Numeric", "Date", "Bool", "Binary", "Arn", "Null"} {
		if strings.HasPrefix(o.base, f) {
			return f
		}
	}
	return "Ip"
}

// suits reports whether an operator makes sense for a key of the type t.
func suits(o operatorName, t keyType) bool {
	switch o.family() {
	case "String":
		return t != numericKey && t != dateKey && t != epochKey && t != ipKey
	case "Numeric":
		return t == anyKey || t == numericKey || t == epochKey
	case "Date":
		return t == anyKey || t == dateKey || t == epochKey
	case "Bool":
		return t == anyKey || t == boolKey || t == stringKey
	case "Binary":
		return t == anyKey || t == stringKey
	case "Ip":
		return t == anyKey || t == ipKey
	case "Arn":
		return t == anyKey || t == arnKey || t == stringKey
	}
	return true
}
