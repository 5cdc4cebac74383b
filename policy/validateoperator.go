package policy

import "strings"

// An operatorName is a condition operator's name, taken apart. All parts are in
// canonical case.
type operatorName struct {
	qualifier string // "ForAllValues:", "ForAnyValue:" or ""
	base      string // such as "StringLike"
	ifExists  bool
}

func (o operatorName) String() string {
	if o.ifExists {
		return o.qualifier + o.base + "IfExists"
	}
	return o.qualifier + o.base
}

// The condition operators of the IAM User Guide, without prefixes and suffixes.
var baseOperators = [...]string{
	"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase",
	"StringLike", "StringNotLike",
	"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
	"NumericGreaterThan", "NumericGreaterThanEquals",
	"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals",
	"DateGreaterThan", "DateGreaterThanEquals",
	"Bool", "BinaryEquals", "IpAddress", "NotIpAddress",
	"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null",
}

// operatorOf takes a condition operator's name apart, in whatever case it is
// written. It reports false if there is no such operator.
func operatorOf(name string) (operatorName, bool) {
	var o operatorName
	for _, q := range [...]string{"ForAllValues:", "ForAnyValue:"} {
		if len(name) >= len(q) && strings.EqualFold(name[:len(q)], q) {
			o.qualifier, name = q, name[len(q):]
			break
		}
	}
	const suffix = "IfExists"
	if cut := len(name) - len(suffix); cut > 0 && strings.EqualFold(name[cut:], suffix) {
		o.ifExists, name = true, name[:cut]
	}
	for _, base := range baseOperators {
		if strings.EqualFold(name, base) {
			o.base = base
			return o, true
		}
	}
	return operatorName{}, false
}
