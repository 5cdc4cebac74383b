package policy

// Outcome is what becomes of a request. The zero value denies.
type Outcome uint8

// The outcomes.
const (
	ImplicitDeny Outcome = iota // nothing allows it
	ExplicitDeny                // a statement denies it
	Allowed
	numOutcomes
)

var outcomeNames = [numOutcomes]string{"implicitDeny", "explicitDeny", "allowed"}

// String returns the outcome as IAM's policy simulator spells it.
func (o Outcome) String() string {
	if o >= numOutcomes {
		return "unknown"
	}
	return outcomeNames[o]
}

// Layer is one of the places that a policy can stand in.
type Layer uint8

// The layers, in the order in which an explicit denial is attributed.
const (
	NoLayer Layer = iota
	SCPLayer
	RCPLayer
	VPCEndpointLayer
	ResourceLayer
	IdentityLayer
	BoundaryLayer
	SessionLayer
	GrantLayer
	numLayers
)

var layerNames = [numLayers]string{
	"none", "SCP", "RCP", "VPCE", "Resource", "Identity", "Boundary", "Session", "Grant",
}

// String returns the layer's short name.
func (l Layer) String() string {
	if l >= numLayers {
		return "unknown"
	}
	return layerNames[l]
}

// Path is the way in which a request was allowed.
type Path uint8

// The paths.
const (
	NoPath             Path = iota
	PathIdentity            // by policies of the caller alone
	PathRoot                // as the root user of the resource's account
	PathKeyDirect           // by a key policy that names the caller
	PathKeyDelegated        // by a key policy that names the account, and policies of the caller
	PathResourceDirect      // by another resource's policy that names the caller
	PathCrossAccount        // by the resource's account and the caller's
	PathGrant               // by a grant
	numPaths
)

var pathNames = [numPaths]string{
	"none", "identity", "root", "keyPolicyDirect", "keyPolicyDelegated", "resourceDirect",
	"crossAccount", "grant",
}

// String returns the path's name.
func (p Path) String() string {
	if p >= numPaths {
		return "unknown"
	}
	return pathNames[p]
}

// Reason says in a word why a request was decided as it was. With the [Layer] of an
// explicit denial and the [Path] of a permission it makes the decision's code.
type Reason uint8

// The reasons. All but the first two are of implicit denials.
const (
	NoReason                        Reason = iota
	ReasonDenied                           // a statement denies
	ReasonPermitted                        // by the decision's Path
	ReasonNoIdentityAllow                  // no policy of the caller allows
	ReasonNoResourceAllow                  // the resource's policy does not allow
	ReasonKeyPolicyDoesNotDelegate         // the caller's policies allow, but the key policy does not let them
	ReasonSCPNoAllow                       // a level of service control policies does not allow
	ReasonRCPNoAllow                       // a level of resource control policies does not allow
	ReasonVPCENoAllow                      // the VPC endpoint's policy does not allow
	ReasonBoundaryNoAllow                  // the permissions boundary does not allow
	ReasonSessionNoAllow                   // the session policies do not allow
	ReasonCrossAccountOpUnsupported        // the operation does not work on keys of other accounts
	ReasonCrossAccountResourceSide         // the resource's account does not allow
	ReasonCrossAccountIdentitySide         // the caller's account does not allow
	ReasonGrantConstraint                  // a grant would permit it, but for a constraint
	ReasonGrantOperation                   // a grant to the caller lacks the operation
	ReasonGrantChild                       // a grant would permit it, but the new grant goes beyond it
	ReasonNotRetiring                      // the caller is none who may retire the grant
	ReasonNoPrincipal                      // nobody signed the request, which has to be
	ReasonWrongResource                    // the action is not one on such a resource
	numReasons
)

var reasonNames = [numReasons]string{
	"None", "ExplicitDeny", "Allowed", "ImplicitDeny.NoIdentityAllow", "ImplicitDeny.NoResourceAllow",
	"ImplicitDeny.KeyPolicyDoesNotDelegate", "ImplicitDeny.SCPNoAllow", "ImplicitDeny.RCP",
	"ImplicitDeny.VPCE", "ImplicitDeny.BoundaryNoAllow", "ImplicitDeny.SessionNoAllow",
	"ImplicitDeny.CrossAccountOpUnsupported", "ImplicitDeny.CrossAccountResourceSide",
	"ImplicitDeny.CrossAccountIdentitySide", "ImplicitDeny.GrantConstraint",
	"ImplicitDeny.GrantOperation", "ImplicitDeny.GrantChild", "ImplicitDeny.NotRetiring",
	"ImplicitDeny.NoPrincipal", "ImplicitDeny.WrongResource",
}

// String returns the reason's code without the layer or path.
func (r Reason) String() string {
	if r >= numReasons {
		return "unknown"
	}
	return reasonNames[r]
}

// StatementRef points at a statement among the layers of a request. Level counts the
// levels of an organization from its root, Policy the policies of a level or layer,
// Statement the statements of the document, all from 0. What does not apply is -1.
type StatementRef struct {
	Layer                    Layer
	Level, Policy, Statement int
}

// Decision is what [Decide] says. The zero value denies.
type Decision struct {
	Allowed bool
	Outcome Outcome
	Reason  Reason
	Path    Path // of a permission

	// Statement is the one that decided. If none did, its Statement is -1, and its
	// layer is the one that lacks an Allow.
	Statement StatementRef

	// Grant is the index of the grant that permitted the request or came closest, or
	// -1.
	Grant int
}

// Code returns the decision's reason code, such as "ExplicitDeny.SCP",
// "ImplicitDeny.NoIdentityAllow" or "Allowed.keyPolicyDirect".
func (d Decision) Code() string {
	switch d.Reason {
	case ReasonDenied:
		return d.Reason.String() + "." + d.Statement.Layer.String()
	case ReasonPermitted:
		return d.Reason.String() + "." + d.Path.String()
	}
	return d.Reason.String()
}
