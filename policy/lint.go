package policy

import (
	"fmt"
	"slices"
	"strings"
)

// maxFindings bounds how many findings are kept, so that a hostile document does
// not cost many times its size.
const maxFindings = 1000

// lint looks for what AWS accepts but is probably a mistake.
func (p *parser) lint(d *Document, root *node, doc []byte) {
	p.lintDocument(d, root, doc)
	for _, s := range p.statements {
		p.lintSid(s)
		p.lintPrincipals(s)
		p.lintActions(s)
		p.lintResources(d, s)
		p.lintConditions(d, s)
	}
	slices.SortStableFunc(p.findings, func(a, b Finding) int {
		return a.Position.Offset - b.Position.Offset
	})
}

// find adds a finding about n.
func (p *parser) find(severity Severity, code string, n *node, format string, args ...any) {
	if len(p.findings) >= maxFindings {
		return
	}
	p.findings = append(p.findings, Finding{
		Severity: severity,
		Code:     code,
		Message:  fmt.Sprintf(format, args...),
		Pointer:  n.pointer(),
		Position: p.lines.position(n.start),
	})
}

func (p *parser) lintDocument(d *Document, root *node, doc []byte) {
	if d.Version == "" {
		p.find(Warning, "MISSING_VERSION", root, "without a Version the language of 2008 "+
			`applies, which has no variables; add "Version": "2012-10-17"`)
	}
	if n := root.member("Id"); n != nil && p.rules.principal == forbidden {
		p.find(Suggestion, "UNSUPPORTED_ID", n, "an Id belongs in policies of resources only")
	}
	if size := denseSize(doc); p.rules.quota > 0 && size > p.rules.quota {
		code := "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA"
		if p.kind == Trust {
			code = "POLICY_SIZE_EXCEEDS_TRUST_POLICY_QUOTA"
		}
		p.find(Warning, code, root, "the policy has %d characters without white space; AWS "+
			"allows %d unless more was agreed", size, p.rules.quota)
	}
	if n := p.repeatedSid(); n != nil {
		p.find(Warning, "UNIQUE_SIDS_RECOMMENDED", n, "another statement has the Sid %q too", n.text)
	}
}

func (p *parser) lintSid(s statementNode) {
	n := s.member("Sid")
	switch {
	case n == nil:
	case n.text == "":
		p.find(Suggestion, "EMPTY_SID_VALUE", n, "the Sid is empty; give it a value or remove it")
	case p.kind == SecretPolicy && strings.IndexFunc(n.text, notAlnum) >= 0:
		p.find(Warning, "UNSUPPORTED_SID", n, "use only letters and digits in the Sid %q", n.text)
	}
}

// lintNulls looks for nulls in an array, which are ignored.
func (p *parser) lintNulls(n *node) {
	if n == nil {
		return
	}
	for _, c := range n.children {
		if c.kind == jsonNull {
			p.find(Suggestion, "NULL_IN_ARRAY", c, "null is ignored here; remove it")
		}
	}
}

// redundancyBudget bounds what is spent on one document to find patterns that
// others make superfluous, as the product of lengths compared.
const redundancyBudget = 1 << 26

// redundant calls report for every value of list that another value makes
// superfluous, as far as the budget lasts.
func (p *parser) redundant(list []*node, fold bool, report func(n *node, by string)) {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = n.text
		if fold {
			texts[i] = strings.ToLower(n.text)
		}
	}
	for i, narrow := range texts {
		for j, wide := range texts {
			if p.budget -= (len(narrow) + 1) * (len(wide) + 1); p.budget < 0 {
				return
			}
			if i != j && subsumes(wide, narrow) && (j < i || !subsumes(narrow, wide)) {
				report(list[i], list[j].text)
				break
			}
		}
	}
}

// subsumes reports whether the pattern wide surely matches all that the pattern
// narrow matches. The wildcards of narrow are taken as characters that only an
// asterisk can stand for or, for a question mark, another one. It takes no more
// than len(wide) times len(narrow) steps.
func subsumes(wide, narrow string) bool {
	w, n := 0, 0
	star, mark := -1, 0 // the last asterisk of wide, and where in narrow it ends
	for n < len(narrow) {
		switch {
		case w < len(wide) && wide[w] == '*':
			star, mark = w, n
			w++
		case w < len(wide) && (wide[w] == narrow[n] || wide[w] == '?' && narrow[n] != '*'):
			w++
			n++
		case star >= 0:
			mark++
			w, n = star+1, mark
		default:
			return false
		}
	}
	for w < len(wide) && wide[w] == '*' {
		w++
	}
	return w == len(wide)
}
