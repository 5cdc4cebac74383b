package policy

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/arn"
)

// lintValue checks one value that a condition key is compared with.
func (p *parser) lintValue(d *Document, n *node, o operatorName) {
	family := o.family()
	if family == "String" || family == "Arn" {
		p.lintVariables(d, n, n.text, 0)
	} else if strings.Contains(n.text, "${") {
		p.find(Error, "INVALID_VARIABLE_FOR_OPERATOR", n, "%s does not know variables", o.base)
		return
	}
	switch family {
	case "String":
		if !strings.HasSuffix(o.base, "Like") && wildcard(n.text) {
			p.find(Warning, "WILDCARD_WITHOUT_LIKE_OPERATOR", n,
				"%s takes the wildcards in %q literally; use StringLike or StringNotLike", o.base, n.text)
		}
	case "Arn":
		if _, ok := arn.Parse(n.text); !ok && n.text != "*" {
			p.find(Error, "MISSING_ARN_FIELD", n,
				"%q is not of the form arn:partition:service:region:account:resource", n.text)
		}
	case "Date":
		if _, ok := parseInstant(n.text); !ok {
			p.find(Error, "INVALID_DATE_VALUE", n, "%q is not a date; it matches nothing", n.text)
		}
	default:
		if !readable(family, n.text) {
			p.find(Error, "INVALID_CONDITION_DATA_TYPE", n,
				"%q is not what %s compares; it matches nothing", n.text, o.base)
		} else if family == "Ip" {
			p.lintHostBits(n)
		}
	}
}

// readable reports whether s can be compared by operators of a family: Numeric,
// Bool, Null, Binary or Ip.
func readable(family, s string) (ok bool) {
	switch family {
	case "Numeric":
		_, ok = parseNumber(s)
	case "Binary":
		_, err := base64.StdEncoding.DecodeString(s)
		ok = err == nil
	case "Ip":
		_, ok = parsePrefix(s)
	default:
		_, ok = parseBool(s)
	}
	return ok
}

// wildcard reports whether s has a wildcard outside of ${*} and ${?}.
func wildcard(s string) bool {
	s = strings.NewReplacer("${*}", "", "${?}", "").Replace(s)
	return strings.ContainsAny(s, "*?")
}

// lintHostBits checks that a range of addresses is written without bits that the
// mask hides.
func (p *parser) lintHostBits(n *node) {
	r, err := netip.ParsePrefix(n.text)
	if err == nil && r != r.Masked() {
		p.find(Suggestion, "IMPROVE_IP_RANGE", n,
			"the bits of %q that lie outside of the mask are ignored; write %v", n.text, r.Masked())
	}
}

// lintNetwork checks values that say where a request comes from.
func (p *parser) lintNetwork(key *node, values []*node, o operatorName) {
	switch strings.ToLower(key.name) {
	case "aws:sourceip":
		public := func(n *node) bool {
			r, ok := parsePrefix(n.text)
			return !ok || !r.Addr().IsPrivate()
		}
		if len(values) > 0 && o.family() == "Ip" && !slices.ContainsFunc(values, public) {
			p.find(Error, "PRIVATE_IP_ADDRESS", key,
				"%q has public addresses only; use aws:VpcSourceIp for private ones", key.name)
		}
	case "aws:sourcevpc":
		p.lintPrefix(values, o, "vpc-", "INVALID_VPC_FORMAT")
	case "aws:sourcevpce":
		p.lintPrefix(values, o, "vpce-", "INVALID_VPCE_FORMAT")
	}
}

// lintPrefix checks that values begin with prefix.
func (p *parser) lintPrefix(values []*node, o operatorName, prefix, code string) {
	for _, v := range values {
		if o.family() == "String" && !strings.HasPrefix(v.text, prefix) &&
			!strings.HasPrefix(v.text, "${") && !strings.HasPrefix(v.text, "*") {
			p.find(Error, code, v, "%q does not begin with %s", v.text, prefix)
		}
	}
}
