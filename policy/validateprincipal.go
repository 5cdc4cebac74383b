package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/arn"
)

// checkPrincipals checks who the statements are about.
func (p *parser) checkPrincipals() *problem {
	for _, s := range p.statements {
		n := s.either("Principal")
		switch {
		case p.rules.principal == forbidden && n != nil:
			return textProblem(n, "Policy document should not specify a principal.",
				"a %s has no %s", p.rules.name, n.name)
		case p.rules.principal == required && n == nil:
			return p.noPrincipal(s.node)
		case n == nil:
			continue
		}
		if f := p.checkNegation(s); f != nil {
			return f
		}
		if f := p.checkPrincipal(n); f != nil {
			return f
		}
	}
	return nil
}

// checkNegation checks where NotPrincipal may stand.
func (p *parser) checkNegation(s statementNode) *problem {
	n := s.member("NotPrincipal")
	switch {
	case n == nil:
		return nil
	case p.kind == Trust || p.kind == RCP:
		return syntaxProblem(n, "a %s has no NotPrincipal", p.rules.name)
	case s.Effect == Allow:
		return p.invalidPrincipal(n, "", "a statement with NotPrincipal cannot allow")
	}
	return nil
}

func (p *parser) checkPrincipal(n *node) *problem {
	switch {
	case p.kind == RCP && n.kind != jsonString:
		return syntaxProblem(n, `the Principal of a resource control policy has to be "*"`)
	case p.kind == Trust && n.kind == jsonString:
		return p.invalidPrincipal(n, `"STAR":"*"`, `a trust policy has {"AWS": "*"} for anyone`)
	case p.kind == Trust && len(principalNodes(n)) == 0:
		return p.noPrincipal(n)
	}
	for _, v := range principalNodes(n) {
		if reason := principalFault(v.typ, v.node.text); reason != "" {
			return p.invalidPrincipal(v.node, fmt.Sprintf(`"%s":"%s"`, v.typ, v.node.text), reason)
		}
	}
	return nil
}

// A principalNode is an entry of a Principal or NotPrincipal element.
type principalNode struct {
	typ string
	*node
}

func principalNodes(n *node) []principalNode {
	var list []principalNode
	for _, typed := range n.children {
		for _, v := range typed.items() {
			list = append(list, principalNode{typed.name, v})
		}
	}
	return list
}

// noPrincipal returns the problem of a statement that is about nobody.
func (p *parser) noPrincipal(n *node) *problem {
	const reason = "the statement has no Principal"
	switch p.kind {
	case KeyPolicy:
		return p.exact(n, "Policy contains a statement with no principal.", reason)
	case Trust:
		return textProblem(n, "Invalid principal in policy: com.amazon.balsa.error."+
			"InvalidPolicyException: The passed in policy has a statement with no principals!", reason)
	}
	return syntaxProblem(n, reason)
}

// invalidPrincipal returns the problem of a principal that there cannot be. entry
// is how IAM would quote it.
func (p *parser) invalidPrincipal(n *node, entry, reason string) *problem {
	switch p.kind {
	case KeyPolicy:
		return p.exact(n, "Policy contains a statement with one or more invalid principals.", reason)
	case SecretPolicy:
		return p.exact(n, "This resource policy contains an unsupported principal.", reason)
	case Trust:
		return textProblem(n, "Invalid principal in policy: "+entry, "%s", reason)
	}
	return syntaxProblem(n, "%s", reason)
}

// exact returns a problem whose text is sent even by an API that does not send
// IAM's.
func (p *parser) exact(n *node, text, reason string) *problem {
	return &problem{node: n, offset: -1, code: p.rules.exception, text: text, reason: reason}
}

// principalFault returns what is wrong with a principal, or "". Whether there is
// such a principal is not asked.
func principalFault(typ, value string) string {
	var ok bool
	switch typ {
	case "AWS":
		ok = value == "*" || accountID(value) || principalARN(value)
		switch {
		case ok:
		case uniqueID(value):
			return fmt.Sprintf("%q is the unique id of a principal that was deleted", value)
		case strings.ContainsAny(value, "*?"):
			return fmt.Sprintf("%q has a wildcard, which a principal cannot have", value)
		case strings.Contains(value, ":group/"):
			return fmt.Sprintf("%q is a group, which cannot be a principal", value)
		}
	case "Service":
		ok = hostName(value)
	case "Federated":
		ok = hostName(value) || providerARN(value)
	default:
		return "a canonical user can be a principal in policies of S3 only"
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("%q is not a principal of the type %s", value, typ)
}

// accountID reports whether s is the id of an account.
func accountID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// uniqueID reports whether s has the form of the id that AWS puts in the place of
// a deleted principal's ARN.
func uniqueID(s string) bool {
	return len(s) >= 16 && strings.IndexFunc(s, notAlnum) < 0 &&
		(strings.HasPrefix(s, "AIDA") || strings.HasPrefix(s, "AROA") || strings.HasPrefix(s, "AGPA"))
}

// principalARN reports whether s is the ARN of an account, a user, a role, or a
// session.
func principalARN(s string) bool {
	a, ok := arn.Parse(s)
	if !ok || !slices.Contains(partitions[:], a.Partition) || a.Region != "" ||
		!accountID(a.Account) || !nameCharacters(a.Resource) {
		return false
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch a.Service + ":" + kind {
	case "iam:root":
		return a.Resource == "root"
	case "iam:user", "iam:role":
		return name != "" && !strings.HasSuffix(name, "/")
	case "sts:assumed-role":
		role, session, _ := strings.Cut(name, "/")
		return role != "" && session != "" && !strings.Contains(session, "/")
	case "sts:federated-user":
		return name != "" && !strings.Contains(name, "/")
	}
	return false
}

// providerARN reports whether s is the ARN of a SAML or OpenID Connect provider.
func providerARN(s string) bool {
	a, ok := arn.Parse(s)
	if !ok || !slices.Contains(partitions[:], a.Partition) || a.Service != "iam" ||
		a.Region != "" || !accountID(a.Account) || strings.ContainsAny(s, "*? ") {
		return false
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	return name != "" && (kind == "saml-provider" || kind == "oidc-provider")
}

// nameCharacters reports whether s has only characters that IAM allows in names
// and paths. A path may have any printable ASCII character but a wildcard is none.
func nameCharacters(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '*' || r == '?'
	}) < 0
}

// hostName reports whether s is a name of at least two labels, as services and
// identity providers have.
func hostName(s string) bool {
	labels := strings.Split(s, ".")
	return len(labels) > 1 && !slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || strings.IndexFunc(l, func(r rune) bool {
			return notAlnum(r) && r != '-' && r != '_'
		}) >= 0
	})
}
