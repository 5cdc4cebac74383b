package policy

import "slices"

// checkControlPolicy checks what only a resource control policy has to obey: it
// can deny, but not allow, and has no NotAction. The policy that AWS itself
// attaches everywhere, RCPFullAWSAccess, is the exception.
func (p *parser) checkControlPolicy() *problem {
	if p.kind != RCP || len(p.statements) == 1 && fullAccess(p.statements[0].Statement) {
		return nil
	}
	for _, s := range p.statements {
		if s.Effect == Allow {
			return syntaxProblem(s.member("Effect"), "a resource control policy cannot allow")
		}
		if n := s.member("NotAction"); n != nil {
			return syntaxProblem(n, "a resource control policy has no NotAction")
		}
	}
	return nil
}

// fullAccess reports whether s allows everything to everyone.
func fullAccess(s *Statement) bool {
	all := []string{"*"}
	return s.Effect == Allow && s.Principal != nil && s.Principal.Any &&
		slices.Equal(s.Action, all) && slices.Equal(s.Resource, all) && len(s.Conditions) == 0
}
