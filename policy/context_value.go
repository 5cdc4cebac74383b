package policy

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// valueKind is the type of a condition key's value.
type valueKind uint8

const (
	textValue valueKind = iota
	boolValue
	intValue
	floatValue
	timeValue
	addrValue
	listValue
)

// value is one value of a condition key in a request.
type value struct {
	kind valueKind
	text string
	n    int64 // a bool as 0 or 1, an integer, the bits of a float64, or an instant
	addr netip.Addr
}

func textOf(s string) value { return value{text: s} }

func boolOf(b bool) value {
	if b {
		return value{kind: boolValue, n: 1}
	}
	return value{kind: boolValue}
}

// string returns the value as an operator on strings sees it. Values that are text
// or booleans are returned without allocation.
func (v *value) string() string {
	switch v.kind {
	case boolValue:
		if v.n != 0 {
			return "true"
		}
		return "false"
	case intValue:
		return strconv.FormatInt(v.n, 10)
	case floatValue:
		return strconv.FormatFloat(math.Float64frombits(uint64(v.n)), 'f', -1, 64)
	case timeValue:
		return time.Unix(0, v.n).UTC().Format(time.RFC3339Nano)
	case addrValue:
		return v.addr.String()
	}
	return v.text
}

// number returns the value as a Numeric operator sees it. An instant counts as
// seconds since 1970.
func (v *value) number() (number, bool) {
	switch v.kind {
	case intValue:
		return number{i: v.n, f: float64(v.n), whole: true}, true
	case floatValue:
		return number{f: math.Float64frombits(uint64(v.n))}, true
	case timeValue:
		if v.n%int64(time.Second) == 0 {
			s := v.n / int64(time.Second)
			return number{i: s, f: float64(s), whole: true}, true
		}
		return number{f: float64(v.n) / float64(time.Second)}, true
	case textValue:
		return parseNumber(v.text)
	}
	return number{}, false
}

// instant returns the value as a Date operator sees it.
func (v *value) instant() (int64, bool) {
	switch v.kind {
	case timeValue:
		return v.n, true
	case intValue:
		return instant(v.n, 0), true
	case floatValue:
		return parseInstant(v.string())
	case textValue:
		return parseInstant(v.text)
	}
	return 0, false
}

// bool returns the value as the Bool operator sees it.
func (v *value) bool() (b, ok bool) {
	switch v.kind {
	case boolValue:
		return v.n != 0, true
	case textValue:
		return parseBool(v.text)
	}
	return false, false
}

// address returns the value as the IpAddress operator sees it.
func (v *value) address() (netip.Addr, bool) {
	switch v.kind {
	case addrValue:
		return v.addr, v.addr.IsValid()
	case textValue:
		a, err := netip.ParseAddr(v.text)
		return a.Unmap(), err == nil
	}
	return netip.Addr{}, false
}

// number is a policy's or a request's number. Two whole numbers are compared as
// such, so that none is lost to rounding.
type number struct {
	i     int64
	f     float64
	whole bool
}

// compare returns -1, 0 or 1 as n is less than, equal to or more than m.
func (n number) compare(m number) int {
	switch {
	case n.whole && m.whole && n.i < m.i, !(n.whole && m.whole) && n.f < m.f:
		return -1
	case n.whole && m.whole && n.i == m.i, !(n.whole && m.whole) && n.f == m.f:
		return 0
	}
	return 1
}

// parseNumber reads a decimal number such as "-12" or "3.5".
func parseNumber(s string) (number, bool) {
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || len(s)-len(digits) > 1 || strings.Trim(digits, "0123456789.eE+-") != "" {
		return number{}, false
	}
	if strings.Trim(digits, "0123456789") == "" && len(digits) < 19 { // fits into an int64
		i, err := strconv.ParseInt(s, 10, 64)
		return number{i: i, f: float64(i), whole: true}, err == nil
	}
	f, err := strconv.ParseFloat(s, 64)
	return number{f: f}, err == nil
}

// parseBool reads "true" or "false" in any case.
func parseBool(s string) (b, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}
