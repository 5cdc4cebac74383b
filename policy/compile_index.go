package policy

import "slices"

// candidates are the statements of a policy that cover one action. Those of an action
// that the registry does not have are all statements, still to be matched.
type candidates struct{ deny, allow []candidate }

// candidate is a statement that a request for its action has to look at. Statements
// that name a single principal or a single resource are passed over without looking
// if the name's fingerprint is not that of the request.
type candidate struct {
	print uint64
	on    printed
	index uint16 // of the compiled statement
}

// printed says what a fingerprint is of.
type printed uint8

const (
	onNone printed = iota
	onCaller
	onResource
)

// fingerprint condenses a name to its length and its last eight bytes, which is where
// the names in a policy differ most. Equal names have equal fingerprints; different
// ones may.
func fingerprint(s string) uint64 {
	n := len(s)
	if n < 8 {
		f := uint64(n)
		for i := range n {
			f = f<<8 | uint64(s[i])
		}
		return f
	}
	t := s[n-8:] // the compiler makes one load of the eight
	f := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
		uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
	return f ^ uint64(n)<<1
}

// prints are the fingerprints of a request.
type prints struct {
	caller   [3]uint64 // of the ARNs that a statement may name the caller by
	resource uint64    // of the ARN's last part
}

func (p *prints) init(c *Caller, resource string) {
	p.caller = [3]uint64{fingerprint(c.ARN), fingerprint(c.RoleARN), fingerprint(c.IssuerARN)}
	p.resource = fingerprint(resource)
}

// admit reports whether a candidate has to be looked at.
func (p *prints) admit(c *candidate) bool {
	switch c.on {
	case onCaller:
		return c.print == p.caller[0] || c.print == p.caller[1] || c.print == p.caller[2]
	case onResource:
		return c.print == p.resource
	}
	return true
}

// candidate returns the entry of a statement in the lists.
func (s *statement) candidate(index int) candidate {
	c := candidate{index: uint16(index)}
	switch {
	case s.who != nil && !s.notPrincipal && s.who.single():
		c.on, c.print = onCaller, fingerprint(s.who.arns[0])
	case !s.anyResource && !s.notResource && len(s.resources) == 1 && s.resources[0][5].class == matchExact:
		c.on, c.print = onResource, fingerprint(s.resources[0][5].a)
	}
	return c
}

// index lists, for each action, the statements that cover it. Actions that are
// covered alike share a list.
func (p *Policy) index() {
	for a := range p.byAction {
		var c candidates
		for i := range p.statements {
			s := &p.statements[i]
			switch {
			case a != unknownAction && !s.covers(actions[a].name):
			case s.effect == Deny:
				c.deny = append(c.deny, s.candidate(i))
			default:
				c.allow = append(c.allow, s.candidate(i))
			}
		}
		at := slices.IndexFunc(p.lists, func(o candidates) bool {
			return slices.Equal(o.deny, c.deny) && slices.Equal(o.allow, c.allow)
		})
		if at < 0 {
			at = len(p.lists)
			p.lists = append(p.lists, c)
		}
		p.byAction[a] = uint16(at)
	}
}
