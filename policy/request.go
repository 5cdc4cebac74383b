package policy

// Request asks whether one principal may do one thing to one resource. An operation
// that needs several permissions, such as ReEncrypt, is several requests, each with
// the layers of its own resource, and is allowed only if all are.
type Request struct {
	// Caller is who asks.
	Caller Caller

	// Action is the permission, such as "kms:Decrypt". Its case is not significant;
	// AWS's own spelling is found fastest.
	Action string

	// Resource is an ARN or, for an action that has no resource, "*". For an operation
	// on a KMS key it is the key's ARN even if the caller named an alias, and for
	// Decrypt the key that the ciphertext names.
	Resource string

	// ResourceAccount is the account that owns the resource. If it is empty, it is
	// that of the ARN or, for "*", the caller's.
	ResourceAccount string

	// Context holds the request's condition keys; nil if there are none. Keys that
	// describe the caller follow from Caller.
	Context *Context

	// Grant is the grant that a request is about: for kms:CreateGrant the one to be
	// made, without which a grant cannot give the right to make it; for
	// kms:RetireGrant the one to be retired.
	Grant *Grant

	// AWSManagedKey is set if the resource is a KMS key that AWS manages. Resource
	// control policies do not bind it.
	AWSManagedKey bool

	// ResourceInManagementAccount is set if the resource's account manages its
	// organization. Resource control policies do not bind it.
	ResourceInManagementAccount bool
}

// Layers are the policies that bear on a request. A nil policy in a list is
// skipped. Layers are only read and may be shared.
type Layers struct {
	// SCP holds the service control policies of the caller's account: for each level
	// from the organization's root to the account, the policies attached there. Every
	// level must allow. Nil means that there is no organization; an empty level
	// denies everything.
	SCP [][]*Policy

	// RCP holds the resource control policies of the resource's account in the same
	// way. AWS's own RCPFullAWSAccess is among them, on every level.
	RCP [][]*Policy

	// VPCEndpoint is the policy of the endpoint that the request came through. It
	// counts only if the context has aws:SourceVpce.
	VPCEndpoint *Policy

	// Resource is the policy of the resource: a key policy, a secret's policy. A key
	// policy counts only for requests on a key.
	Resource *Policy

	// Identity holds the policies of a user and its groups, of a role, or of the
	// user who called GetFederationToken.
	Identity []*Policy

	// Boundary is the permissions boundary of the user or role; nil if there is none.
	Boundary *Policy

	// Session holds the policies passed when the session was made. HasSession is set
	// if there were any: with HasSession and no policies nothing is allowed.
	Session    []*Policy
	HasSession bool

	// Grants holds the grants on the key that are in force: see [Grant.Visible].
	Grants []*Grant

	// Choices settles what AWS does not document.
	Choices Choices
}

// Choices settles questions that AWS's documents leave open or answer in two ways. The
// zero value is what this package takes to be AWS's behaviour.
type Choices struct {
	// NotPrincipalLenient spares a caller from a Deny with NotPrincipal that lists its
	// user, role or session. Otherwise the account, and of a session both role and
	// session, have to be listed too.
	NotPrincipalLenient bool

	// CrossAccountGrantNeedsIdentity demands, of a grantee in another account, an
	// identity policy there that allows the action.
	CrossAccountGrantNeedsIdentity bool

	// GrantLimitedByBoundary lets a boundary or a session policy that does not allow an
	// action keep a grant from giving it.
	GrantLimitedByBoundary bool

	// StrictGrantContextKeys compares the keys of a grant's encryption context exactly.
	// Otherwise their case is not significant.
	StrictGrantContextKeys bool

	// RevealValues has [Explain] print values of encryption contexts, tags, secrets'
	// names and unknown keys, which it redacts otherwise.
	RevealValues bool
}
