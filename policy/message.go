package policy

import "strings"

// layerPhrases are the names that AWS's messages have for the layers.
var layerPhrases = [numLayers]string{
	NoLayer:          "resource-based policy",
	SCPLayer:         "service control policy",
	RCPLayer:         "resource control policy",
	VPCEndpointLayer: "VPC endpoint policy",
	ResourceLayer:    "resource-based policy",
	IdentityLayer:    "identity-based policy",
	BoundaryLayer:    "permissions boundary",
	SessionLayer:     "session policy",
	GrantLayer:       "resource-based policy",
}

// Message returns the text that AWS sends with a denial: who may not do what on which
// resource, and the kind of policy that denies or does not allow it. Of a session, the
// principal is the session and not its role. The result is empty for a decision that
// allows. d has to be what [Decide] says of r and l.
//
// A service control or resource control policy that does not allow is said to deny
// explicitly, as AWS does. The ARN of the policy that denies is added if it is known by
// [Policy.Named] and caller and resource belong to one account or organization (IAM
// User Guide, "Troubleshoot access denied error messages").
func Message(r *Request, l *Layers, d Decision) string {
	if r == nil || l == nil || d.Allowed {
		return ""
	}
	var b strings.Builder
	b.WriteString("User: " + r.Caller.String() + " is not authorized to perform: " + r.Action +
		" on resource: " + r.Resource + " ")
	layer := d.Statement.Layer
	phrase := layerPhrases[min(layer, GrantLayer)]
	if d.Outcome != ExplicitDeny && layer != SCPLayer && layer != RCPLayer {
		b.WriteString("because no " + phrase + " allows the " + r.Action + " action")
		return b.String()
	}
	b.WriteString("with an explicit deny in a")
	if layer == IdentityLayer {
		b.WriteByte('n')
	}
	b.WriteString(" " + phrase)
	if p := l.at(d.Statement); p != nil && layer != ResourceLayer && layer != VPCEndpointLayer &&
		strings.HasPrefix(p.name, "arn:") && r.samePlace() {
		b.WriteString(": " + p.name)
	}
	return b.String()
}

// samePlace reports whether caller and resource are of one account or organization.
func (r *Request) samePlace() bool {
	var e evaluator
	e.init(r, &Layers{})
	return !e.foreign() || r.Caller.OrgID != "" && e.ctx.present.has(int(AWSResourceOrgID)) &&
		e.ctx.texts[AWSResourceOrgID] == r.Caller.OrgID
}

// at returns the policy that holds a statement, or nil.
func (l *Layers) at(ref StatementRef) *Policy {
	pick := func(list []*Policy) *Policy {
		if ref.Policy < 0 || ref.Policy >= len(list) {
			return nil
		}
		return list[ref.Policy]
	}
	level := func(levels [][]*Policy) *Policy {
		if ref.Level < 0 || ref.Level >= len(levels) {
			return nil
		}
		return pick(levels[ref.Level])
	}
	switch ref.Layer {
	case SCPLayer:
		return level(l.SCP)
	case RCPLayer:
		return level(l.RCP)
	case VPCEndpointLayer:
		return l.VPCEndpoint
	case ResourceLayer:
		return l.Resource
	case IdentityLayer:
		return pick(l.Identity)
	case BoundaryLayer:
		return l.Boundary
	case SessionLayer:
		return pick(l.Session)
	}
	return nil
}
