package policy

import (
	"cmp"
	"net/netip"
	"slices"
)

// condition is a compiled condition key with its operator and values.
type condition struct {
	operator  operatorKind
	compare   comparison
	negated   bool
	ifExists  bool
	qualifier qualifier
	ref       keyRef

	patterns []pattern     // string operators
	arns     []*arnPattern // ARN operators
	numbers  []number      // Numeric operators
	literals literals      // the other operators
	empty    bool          // the policy has no values
	plain    bool          // one value is compared, and no set operator asks for more
	index    int           // in the document's statement
}

// operatorKind is what an operator compares.
type operatorKind uint8

const (
	nullOperator operatorKind = iota // from the cheapest to the dearest
	boolOperator
	numericOperator
	dateOperator
	stringOperator
	binaryOperator
	addressOperator
	arnOperator
)

type comparison uint8

const (
	equal comparison = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// holds reports whether two values that compare as order says meet the comparison.
func (c comparison) holds(order int) bool {
	switch c {
	case less:
		return order < 0
	case lessOrEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterOrEqual:
		return order >= 0
	}
	return order == 0
}

type qualifier uint8

const (
	noQualifier qualifier = iota
	forAllValues
	forAnyValue
)

// tally is what a condition found in the request: how many values the key has, and
// whether some and all of them match a value of the policy.
type tally struct {
	present  bool // the key is there, perhaps with no values
	multi    bool // the key is multi-valued
	values   int
	any, all bool
}

// holds reports whether the condition is met. A missing key fails a positive
// operator and meets a negated one (IAM User Guide, "Condition operators", "Condition
// context keys with multiple values").
func (c *condition) holds(e *evaluator) bool {
	if k := c.ref.key; c.plain && !e.multi(k) {
		if !e.present.has(int(k)) {
			return c.negated || c.ifExists
		}
		v := e.scalar(k)
		return c.matches(e, &v) != c.negated
	}
	if c.operator == nullOperator {
		return c.null(e)
	}
	t := e.tally(c)
	if c.empty {
		return c.emptyHolds(t)
	}
	if !t.present && c.ifExists {
		return true
	}
	switch c.qualifier {
	case forAllValues:
		return t.values == 0 || !c.negated && t.all || c.negated && !t.any
	case forAnyValue:
		return t.values > 0 && (!c.negated && t.any || c.negated && !t.all)
	}
	switch {
	case t.values == 0:
		return c.negated || c.ifExists
	case t.multi:
		return false // a multi-valued key needs a set operator
	case c.negated:
		return !t.any
	}
	return t.any
}

// emptyHolds decides a condition whose list of values in the policy is empty.
func (c *condition) emptyHolds(t tally) bool {
	switch {
	case c.ifExists:
		return !t.present
	case c.qualifier == forAllValues:
		return t.values == 0
	}
	return false
}

// null decides a Null condition. An empty list counts as absent.
func (c *condition) null(e *evaluator) bool {
	switch {
	case c.empty:
		return false
	case c.qualifier != noQualifier:
		return c.qualifier == forAllValues
	}
	absent := e.tally(c).values == 0
	return absent && c.literals.True || !absent && c.literals.False
}

// matches reports whether a value of the request matches any of the policy's.
func (c *condition) matches(e *evaluator, v *value) bool {
	switch c.operator {
	case stringOperator:
		text := v.string()
		for i := range c.patterns {
			if c.patterns[i].match(e, text) {
				return true
			}
		}
	case arnOperator:
		arn, ok := splitARN(v.string())
		for i := range c.arns {
			if ok && c.arns[i].match(e, &arn) {
				return true
			}
		}
	case numericOperator:
		n, ok := v.number()
		for _, want := range c.numbers {
			if ok && c.compare.holds(n.compare(want)) {
				return true
			}
		}
	default:
		return c.literals.match(c.operator, c.compare, v)
	}
	return false
}

// literals are the values of the operators that are seldom used.
type literals struct {
	True, False bool // Bool and Null
	instants    []int64
	binaries    []string
	prefixes    []netip.Prefix
}

func (l *literals) match(operator operatorKind, compare comparison, v *value) bool {
	switch operator {
	case boolOperator:
		b, ok := v.bool()
		return ok && (b && l.True || !b && l.False)
	case dateOperator:
		at, ok := v.instant()
		for _, want := range l.instants {
			if ok && compare.holds(cmp.Compare(at, want)) {
				return true
			}
		}
	case binaryOperator:
		return slices.Contains(l.binaries, v.string())
	case addressOperator:
		addr, ok := v.address()
		for _, p := range l.prefixes {
			if ok && p.Contains(addr) {
				return true
			}
		}
	}
	return false
}
