package policy

import (
	"fmt"
	"strings"
)

// String returns the explanation as text of several lines, for a person: the
// decision, what to change, what every layer said, and which statements matched or
// nearly did.
func (x Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", strings.ToUpper(x.Decision.Outcome.String()), x.Decision.Code())
	fmt.Fprintf(&b, "  principal %s\n  action    %s\n  resource  %s\n", x.Principal, x.Action, x.Resource)
	if x.message != "" {
		fmt.Fprintf(&b, "  message   %s\n", x.message)
	}
	if a := advice[x.Decision.Reason]; a != "" {
		fmt.Fprintf(&b, "  to allow  %s\n", a)
	}
	if len(x.Layers) > 0 {
		b.WriteString("layers\n")
	}
	for _, v := range x.Layers {
		if v.Applies {
			fmt.Fprintf(&b, "  %-8s  %s\n", v.Layer, v.Outcome)
		} else {
			fmt.Fprintf(&b, "  %-8s  does not apply: %s\n", v.Layer, v.Why)
		}
	}
	for _, l := range x.Bypassed {
		fmt.Fprintf(&b, "  %-8s  does not limit it: the caller itself was named\n", l)
	}
	for _, g := range x.Grants {
		fmt.Fprintf(&b, "  Grant     %s permits it: %t; %s\n", g.ID, g.Permits, g.Why)
	}
	x.writeStatements(&b)
	return b.String()
}

// writeStatements writes the statements that matched and those that nearly did.
func (x *Explanation) writeStatements(b *strings.Builder) {
	if len(x.Matched) > 0 {
		b.WriteString("statements that match\n")
	}
	for _, m := range x.Matched {
		fmt.Fprintf(b, "  %s", m)
		if m.Principal != AttachedMatch {
			fmt.Fprintf(b, " (principal: %s)", m.Principal)
		}
		b.WriteByte('\n')
	}
	if len(x.NearMisses) > 0 {
		b.WriteString("statements that nearly match\n")
	}
	for _, n := range x.NearMisses {
		fmt.Fprintf(b, "  %s\n", n.Match)
		for _, f := range n.Failures {
			fmt.Fprintf(b, "    %s\n", f)
		}
	}
	if len(x.Missing) > 0 {
		fmt.Fprintf(b, "keys that the request lacks\n  %s\n", strings.Join(x.Missing, ", "))
	}
}

// String names the statement: its effect, layer, policy, number from 1 and place.
func (m Match) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s", m.Effect, m.Statement.Layer)
	if m.Statement.Level >= 0 {
		fmt.Fprintf(&b, " level %d", m.Statement.Level+1)
	}
	if m.Statement.Policy >= 0 {
		fmt.Fprintf(&b, " policy %d", m.Statement.Policy+1)
	}
	if m.Policy != "" {
		fmt.Fprintf(&b, " %q", m.Policy)
	}
	fmt.Fprintf(&b, " statement %d", m.Statement.Statement+1)
	if m.Sid != "" {
		fmt.Fprintf(&b, " %q", m.Sid)
	}
	if m.Position.Line > 0 {
		fmt.Fprintf(&b, " at line %d column %d", m.Position.Line, m.Position.Column)
	}
	return b.String()
}

// String says what does not match.
func (f Failure) String() string {
	switch {
	case f.Lacking:
		return fmt.Sprintf("it has no %s, or an empty one, and matches nothing", f.Element)
	case f.Element != "Condition":
		return fmt.Sprintf("its %s does not cover %q", f.Element, f.Got)
	}
	text := fmt.Sprintf("%s %s wants %q", f.Operator, f.Key, f.Want)
	switch {
	case f.Missing:
		return text + ", and the request does not have the key"
	case len(f.Got) > 1 && !strings.Contains(f.Operator, ":"):
		return text + fmt.Sprintf(", the request has %q", f.Got) + "; several values need ForAnyValue or ForAllValues"
	}
	return text + fmt.Sprintf(", the request has %q", f.Got)
}

// advice says what would have to change for a request to be allowed.
var advice = [numReasons]string{
	ReasonDenied:                   "remove or narrow the statement that denies; nothing can override it",
	ReasonNoIdentityAllow:          "have a policy of the caller allow the action, or the resource's policy name the caller itself",
	ReasonNoResourceAllow:          "have the resource's policy allow the action to the caller, or to its account and a policy of the caller",
	ReasonKeyPolicyDoesNotDelegate: "have the key policy allow the action to the account, so that the caller's own policies count",
	ReasonSCPNoAllow:               "have a service control policy on the level that lacks it allow the action",
	ReasonRCPNoAllow:               "attach RCPFullAWSAccess to the level that lacks it",
	ReasonVPCENoAllow:              "have the VPC endpoint's policy allow the action",
	ReasonBoundaryNoAllow:          "have the permissions boundary allow the action",
	ReasonSessionNoAllow:           "make the session with policies that allow the action, or without any",
	ReasonCrossAccountOpUnsupported: "call from the key's own account: the operation does not work on keys of others, " +
		"whatever the policies say",
	ReasonCrossAccountResourceSide: "have the resource's policy allow the action to the caller or its account",
	ReasonCrossAccountIdentitySide: "have a policy of the caller, in its own account, allow the action on the resource",
	ReasonGrantConstraint:          "send the encryption context and source that the grant demands",
	ReasonGrantOperation:           "make a grant with the operation",
	ReasonGrantChild:               "ask for a grant with no other operations and no looser constraints than the caller's own",
	ReasonNotRetiring:              "call as the retiring principal, or as the account that made the grant",
	ReasonNoPrincipal:              "sign the request",
	ReasonWrongResource:            "name a resource of the kind that the action is for",
}
