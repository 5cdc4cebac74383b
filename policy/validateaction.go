package policy

import "strings"

// checkActions checks how actions are written.
func (p *parser) checkActions() *problem {
	if !p.rules.values {
		return nil
	}
	for _, s := range p.statements {
		for _, n := range s.either("Action").items() {
			if f := checkAction(n); f != nil {
				return f
			}
			if p.kind == Trust && !trustAction(n.text) {
				return textProblem(n, "Trust Policy statement actions can only be sts:AssumeRole, "+
					"sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity",
					"a trust policy cannot be about %q", n.text)
			}
		}
	}
	return nil
}

// checkAction checks one action: "*", or a service without wildcards, a colon and
// a name. That there is such an action is not checked, by AWS neither.
func checkAction(n *node) *problem {
	vendor, _, found := strings.Cut(n.text, ":")
	switch {
	case n.text == "*":
		return nil
	case !found:
		return textProblem(n,
			"Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
			"the action %q does not name its service", n.text)
	case strings.Count(n.text, ":") > 1:
		return textProblem(n, "Actions/Condition can contain only one colon.",
			"the action %q has more than one colon", n.text)
	case vendor != "*" && strings.IndexFunc(vendor, notVendor) >= 0:
		return textProblem(n, "Vendor "+vendor+" is not valid",
			"the action %q begins with something other than a service", n.text)
	}
	return nil
}

func notVendor(r rune) bool { return notAlnum(r) && r != '-' && r != '.' }

// trustAction reports whether an action may stand in a trust policy. Beside those
// that IAM's message lists, the ones that accompany them may: TagSession,
// SetSourceIdentity and SetContext.
func trustAction(action string) bool {
	vendor, _, _ := strings.Cut(action, ":")
	return strings.EqualFold(vendor, "sts")
}
