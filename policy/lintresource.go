package policy

import (
	"strings"

	"github.com/sealring/sealring/internal/arn"
)

func (p *parser) lintResources(d *Document, s statementNode) {
	n := s.either("Resource")
	p.lintNulls(n)
	switch {
	case p.rules.resource == forbidden:
		return
	case n == nil:
		p.find(Error, "MISSING_RESOURCE", s.node, "without a Resource the statement has no effect")
		return
	case len(n.items()) == 0:
		p.find(Suggestion, "EMPTY_ARRAY_RESOURCE", n, "with an empty %s the statement is pointless", n.name)
	}
	for _, r := range n.items() {
		p.lintResource(d, r)
	}
	p.redundant(n.items(), false, func(r *node, by string) {
		p.find(Suggestion, "REDUNDANT_RESOURCE", r, "%q is covered by %q", r.text, by)
	})
}

func (p *parser) lintResource(d *Document, n *node) {
	if n.text == "*" {
		return
	}
	if f := checkResource(n); f != nil {
		p.find(Error, "INVALID_ARN_RESOURCE", n, "%s; it matches nothing", f.reason)
		return
	}
	a, ok := arn.Parse(n.text)
	if !ok {
		code := "MISSING_ARN_FIELD"
		if !strings.HasPrefix(n.text, "arn:") {
			code = "INVALID_ARN_PREFIX"
		}
		p.find(Error, code, n, "%q is not of the form arn:partition:service:region:account:resource",
			n.text)
		return
	}
	// A variable in the other fields has colons of its own, so that these fields
	// are not what they seem.
	from := len(n.text) - len(a.Resource)
	if !strings.Contains(n.text[:from], "${") {
		p.lintARN(n, a)
	}
	p.lintVariables(d, n, n.text, from)
	if p.kind == KeyPolicy && (a.Service != "kms" || strings.HasPrefix(a.Resource, "alias/")) {
		p.find(Error, "UNSUPPORTED_RESOURCE_ARN_IN_POLICY", n,
			`a key policy is about its key; write "*" instead of %q`, n.text)
	}
}

// lintARN checks the fields of an ARN that have a known form.
func (p *parser) lintARN(n *node, a arn.ARN) {
	switch {
	case a.Service != strings.ToLower(a.Service):
		p.find(Error, "INVALID_ARN_SERVICE_CASE", n, "the service in %q has to be in lower case", n.text)
	case strings.IndexFunc(a.Region, notRegion) >= 0:
		p.find(Error, "INVALID_ARN_REGION", n, "%q is not a Region", a.Region)
	case !arnAccount(a.Account):
		p.find(Error, "INVALID_ARN_ACCOUNT", n, "%q is not the id of an account", a.Account)
	case a.Resource == "":
		p.find(Error, "MISSING_ARN_FIELD", n, "%q does not name a resource", n.text)
	case a.Service == "s3" && a.Region == "" && a.Account != "" &&
		!strings.HasPrefix(a.Resource, "accesspoint/"):
		p.find(Error, "ARN_ACCOUNT_NOT_ALLOWED", n, "the ARN of a bucket has no account: %q", n.text)
	case a.Service == "kms" && !kmsResource(a.Resource):
		p.find(Error, "INVALID_ARN_RESOURCE", n,
			"a resource of KMS begins with key/ or alias/; %q matches nothing", n.text)
	}
}

func notRegion(r rune) bool { return notAlnum(r) && r != '-' && r != '*' && r != '?' }

func arnAccount(s string) bool {
	return s == "" || s == "aws" || accountID(s) ||
		strings.ContainsAny(s, "*?") && strings.Trim(s, "0123456789*?") == ""
}

// kmsResource reports whether the pattern s can match a key or an alias.
func kmsResource(s string) bool {
	if i := strings.IndexAny(s, "*?$"); i >= 0 && !strings.Contains(s[:i], "/") {
		return strings.HasPrefix("key/", s[:i]) || strings.HasPrefix("alias/", s[:i])
	}
	return strings.HasPrefix(s, "key/") || strings.HasPrefix(s, "alias/")
}
