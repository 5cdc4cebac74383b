package policy

import (
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/arn"
)

func (p *parser) lintPrincipals(s statementNode) {
	n := s.either("Principal")
	if n == nil {
		return
	}
	switch {
	case n.kind == jsonArray:
		p.find(Suggestion, "EMPTY_ARRAY_PRINCIPAL", n, "an empty %s matches nobody", n.name)
	case n.kind == jsonObject && len(n.children) == 0:
		p.find(Suggestion, "EMPTY_OBJECT_PRINCIPAL", n, "an empty %s matches nobody", n.name)
	}
	for _, typed := range n.children {
		p.lintNulls(typed)
		if len(typed.items()) == 0 {
			p.find(Suggestion, "EMPTY_ARRAY_PRINCIPAL", typed, "no principal of the type %s is named",
				typed.name)
		}
	}
	if n.name == "NotPrincipal" {
		p.find(SecurityWarning, "DENY_WITH_NOT_PRINCIPAL", n, "NotPrincipal has to list account, "+
			"role and session, and denies everyone with a permissions boundary; use Principal "+
			`"*" and a condition on aws:PrincipalArn`)
		return
	}
	p.lintService(s, n)
	open := s.Effect == Allow && len(s.Conditions) == 0
	if open && p.kind != VPCEndpoint && p.kind != RCP && includesEveryone(s.Principal) {
		p.find(SecurityWarning, "ALLOW_WITH_PUBLIC_PRINCIPAL", n,
			"the statement is for everyone; add a condition or name principals")
	}
}

func includesEveryone(all *Principals) bool {
	return all.Any || slices.Contains(all.Entries, Principal{Type: "AWS", Value: "*"})
}

// lintService checks service principals, and that a statement for one restricts
// for whom the service may act.
func (p *parser) lintService(s statementNode, n *node) {
	var service *node
	for _, v := range principalNodes(n) {
		if v.typ != "Service" {
			continue
		}
		service = v.node
		if !strings.HasSuffix(v.text, ".amazonaws.com") && !strings.HasSuffix(v.text, ".amazon.com") &&
			!strings.HasSuffix(v.text, ".amazonaws.com.cn") {
			p.find(Error, "INVALID_SERVICE_PRINCIPAL_FORMAT", v.node,
				"%q does not look like a service, such as logs.eu-west-1.amazonaws.com", v.text)
		}
	}
	if service == nil || s.Effect != Allow || p.kind == Trust || p.kind == VPCEndpoint {
		return
	}
	var source []string
	account := false
	for _, c := range s.Conditions {
		switch strings.ToLower(c.Key) {
		case "aws:sourcearn":
			source = c.Values
		case "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths":
			account = true
		}
	}
	switch {
	case account:
	case source == nil:
		p.find(SecurityWarning, "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", service,
			"the service can be made to act for any account; add a condition on aws:SourceArn "+
				"or aws:SourceAccount")
	case slices.ContainsFunc(source, anyAccount):
		p.find(SecurityWarning, "MISSING_PAIRED_CONDITION_KEYS", service,
			"the condition on aws:SourceArn names no account; add one on aws:SourceAccount")
	}
}

// anyAccount reports whether the ARN pattern s leaves the account open.
func anyAccount(s string) bool {
	a, ok := arn.Parse(s)
	return !ok || a.Account == "" || strings.ContainsAny(a.Account, "*?")
}
