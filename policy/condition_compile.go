package policy

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// compileCondition compiles one condition of a statement. A value that cannot be
// read as what its operator compares matches nothing; it does not make the policy
// invalid.
func compileCondition(d *Condition, index int, variable patternFlags) (condition, error) {
	name, ok := operatorOf(d.Operator)
	if !ok {
		return condition{}, fmt.Errorf("unknown condition operator %q", d.Operator)
	}
	c := condition{ifExists: name.ifExists, ref: resolveKey(d.Key), empty: len(d.Values) == 0, index: index}
	switch name.qualifier {
	case "ForAllValues:":
		c.qualifier = forAllValues
	case "ForAnyValue:":
		c.qualifier = forAnyValue
	}
	base := strings.Replace(name.base, "Not", "", 1)
	c.negated = base != name.base
	switch {
	case base == "Null":
		c.operator = nullOperator
	case base == "Bool":
		c.operator = boolOperator
	case base == "BinaryEquals":
		c.operator = binaryOperator
	case base == "IpAddress":
		c.operator = addressOperator
	case strings.HasPrefix(base, "Arn"):
		c.operator = arnOperator
	case strings.HasPrefix(base, "Numeric"):
		c.operator, c.compare = numericOperator, comparisonOf(base)
	case strings.HasPrefix(base, "Date"):
		c.operator, c.compare = dateOperator, comparisonOf(base)
	default:
		c.operator = stringOperator
		switch base {
		case "StringLike":
			variable |= wildcards
		case "StringEqualsIgnoreCase":
			variable |= anyCase
		}
	}
	c.plain = c.ref.kind == knownRef && c.qualifier == noQualifier && c.operator != nullOperator && !c.empty
	for _, v := range d.Values {
		c.addValue(v, variable)
	}
	return c, nil
}

func comparisonOf(operator string) comparison {
	switch {
	case strings.HasSuffix(operator, "LessThan"):
		return less
	case strings.HasSuffix(operator, "LessThanEquals"):
		return lessOrEqual
	case strings.HasSuffix(operator, "GreaterThan"):
		return greater
	case strings.HasSuffix(operator, "GreaterThanEquals"):
		return greaterOrEqual
	}
	return equal
}

// addValue compiles one value of the policy.
func (c *condition) addValue(text string, flags patternFlags) {
	l := &c.literals
	switch c.operator {
	case stringOperator:
		c.patterns = append(c.patterns, compilePattern(text, flags))
	case arnOperator:
		if text == "*" {
			text = "arn:*:*:*:*:*"
		}
		if a, ok := compileARN(text, flags|wildcards, 0, false); ok {
			c.arns = append(c.arns, a)
		}
	case numericOperator:
		if n, ok := parseNumber(text); ok {
			c.numbers = append(c.numbers, n)
		}
	case dateOperator:
		if t, ok := parseInstant(text); ok {
			l.instants = append(l.instants, t)
		}
	case binaryOperator:
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			l.binaries = append(l.binaries, string(b))
		}
	case addressOperator:
		if p, ok := parsePrefix(text); ok {
			l.prefixes = append(l.prefixes, p)
		}
	default: // Bool and Null
		if b, ok := parseBool(text); ok {
			l.True, l.False = l.True || b, l.False || !b
		}
	}
}

// required returns the key without which the condition cannot hold, if there is one.
func (c *condition) required() (Key, bool) {
	switch {
	case c.ref.kind != knownRef || c.ifExists || c.empty:
		return 0, false
	case c.operator == nullOperator:
		return c.ref.key, c.qualifier == noQualifier && c.literals.False && !c.literals.True
	case c.qualifier == forAnyValue:
		return c.ref.key, true
	}
	return c.ref.key, c.qualifier == noQualifier && !c.negated
}
