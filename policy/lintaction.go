package policy

import "strings"

// resourceServices names the service whose actions the policy of a resource is
// about.
var resourceServices = map[Kind]string{
	KeyPolicy: "kms", SecretPolicy: "secretsmanager", ParameterPolicy: "ssm",
}

func (p *parser) lintActions(s statementNode) {
	n := s.either("Action")
	p.lintNulls(n)
	switch {
	case n == nil:
		p.find(Error, "MISSING_ACTION", s.node, "without an Action the statement has no effect")
		return
	case len(n.items()) == 0:
		p.find(Suggestion, "EMPTY_ARRAY_ACTION", n, "with an empty %s the statement is pointless", n.name)
	}
	for _, a := range n.items() {
		p.lintAction(s, a)
	}
	p.redundant(n.items(), true, func(a *node, by string) {
		p.find(Suggestion, "REDUNDANT_ACTION", a, "%q is covered by %q", a.text, by)
	})
}

func (p *parser) lintAction(s statementNode, n *node) {
	if f := checkAction(n); f != nil {
		p.find(Error, "INVALID_ACTION", n, "%s; it matches nothing", f.reason)
		return
	}
	if n.text == "*" {
		if p.kind == RCP && s.Effect == Deny {
			p.find(Warning, "RCP_SYNTAX_WILDCARD_ACTION", n,
				`name services such as "kms:*"; AWS may refuse "*" in a resource control policy`)
		}
		return
	}
	vendor, name, _ := strings.Cut(strings.ToLower(n.text), ":")
	known := vendor == "kms" || vendor == "secretsmanager"
	if !known && (name == "" || strings.IndexFunc(name, notActionName) >= 0) {
		p.find(Error, "INVALID_ACTION", n, "there is no action %q", n.text)
	}
	if vendor == "*" {
		p.find(Suggestion, "WILDCARD_IN_SERVICE_NAME", n, "name the service of %q", n.text)
		return
	}
	if own := resourceServices[p.kind]; own != "" && vendor != own && s.Action != nil {
		p.find(Error, "UNSUPPORTED_ACTION_IN_POLICY", n,
			"a %s is about actions of %s only; %q has no effect", p.rules.name, own, n.text)
	}
	if known {
		p.lintName(s, n, vendor+":"+name)
	}
	if p.kind == Trust {
		p.lintTrustAction(s, n, name)
	}
}

// notActionName reports whether r cannot stand in an action of any service.
func notActionName(r rune) bool { return notAlnum(r) && r != '*' && r != '?' && r != '-' }

// lintName checks an action of a service whose actions are all known.
func (p *parser) lintName(s statementNode, n *node, action string) {
	found, onKeys := false, false
	for _, a := range actions {
		if p.budget -= len(action) * len(a.name); p.budget < 0 {
			return
		}
		if subsumes(action, strings.ToLower(a.name)) {
			found = true
			onKeys = onKeys || a.flags&onKey != 0
		}
	}
	switch {
	case !found:
		p.find(Error, "INVALID_ACTION", n, "there is no action %q", n.text)
	case p.kind != KeyPolicy || s.Effect != Allow || s.Action == nil:
	case !onKeys:
		p.find(Error, "UNSUPPORTED_ACTION_IN_POLICY", n,
			"%q is not about a key; allow it in an identity policy", n.text)
	case action == "kms:retiregrant":
		p.find(Error, "UNSUPPORTED_ACTION_IN_POLICY", n,
			"who may retire a grant is said by the grant; %q has no effect in a key policy", n.text)
	}
}

// lintTrustAction checks that the principals of a statement are of the types that
// can perform an action.
func (p *parser) lintTrustAction(s statementNode, n *node, name string) {
	if s.Principal == nil {
		return
	}
	for _, v := range s.Principal.Entries {
		provider := v.Type == "Federated"
		saml := strings.Contains(v.Value, ":saml-provider/")
		switch {
		case name == "assumerole" && provider,
			name == "assumerolewithsaml" && !saml,
			name == "assumerolewithwebidentity" && (!provider || saml):
			p.find(Error, "MISMATCHED_ACTION_FOR_PRINCIPAL", n,
				"%q cannot be performed by the principal %q", n.text, v.Value)
			return
		}
	}
}
