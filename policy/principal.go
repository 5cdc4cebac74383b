package policy

// CallerKind is what sort of principal makes a request.
type CallerKind uint8

// The kinds of callers. The zero value is a request that nobody signed.
const (
	AnonymousCaller CallerKind = iota
	RootCaller                 // the root user of an account
	UserCaller                 // an IAM user with long-term or session-token credentials
	RoleCaller                 // a session of a role
	FederatedCaller            // a session of GetFederationToken
	ServiceCaller              // an AWS service acting for itself
)

// String returns the value that aws:PrincipalType has for the kind.
func (k CallerKind) String() string {
	switch k {
	case RootCaller:
		return "Account"
	case UserCaller:
		return "User"
	case RoleCaller:
		return "AssumedRole"
	case FederatedCaller:
		return "FederatedUser"
	case ServiceCaller:
		return "AWSService"
	}
	return "Anonymous"
}

// Caller is the principal of a request, as authentication has found it. The zero value
// is anonymous.
type Caller struct {
	Kind CallerKind

	// Account is the 12-digit id of the principal's account. Anonymous callers and
	// services have none.
	Account string

	// ARN names the principal as messages do: the root user
	// (arn:aws:iam::111122223333:root), the user, or the session
	// (arn:aws:sts::111122223333:assumed-role/Name/Session,
	// arn:aws:sts::111122223333:federated-user/Name).
	ARN string

	// RoleARN is the ARN of a session's role with its path, which the ARN of the
	// session lacks. Only for RoleCaller.
	RoleARN string

	// IssuerARN is the ARN of the user who called GetFederationToken. Only for
	// FederatedCaller.
	IssuerARN string

	// UserID is the value of aws:userid: AIDA… of a user, AROA…:session of a role
	// session. If it is empty, a root user has its account's id and an anonymous
	// caller "anonymous".
	UserID string

	// UserName is the friendly name of a UserCaller.
	UserName string

	// Service is the name of a ServiceCaller, such as "logs.us-west-2.amazonaws.com",
	// and ServiceNames its other names.
	Service      string
	ServiceNames []string

	// Provider is the identity provider through which a session was federated.
	Provider string

	// OrgID and OrgPaths say which organization the account is a member of, if any.
	OrgID    string
	OrgPaths []string

	// ManagementAccount is set if the account manages its organization: service
	// control policies do not bind it.
	ManagementAccount bool

	// ServiceLinkedRole is set if the role is linked to a service: organization
	// policies and boundaries do not bind it.
	ServiceLinkedRole bool

	// Tags are the tags of the principal; session tags replace the role's.
	Tags []Pair
}

// principalARN returns the value of aws:PrincipalArn: the role and not the session.
func (c *Caller) principalARN() string {
	switch c.Kind {
	case RoleCaller:
		return c.RoleARN
	case RootCaller, UserCaller, FederatedCaller:
		return c.ARN
	}
	return ""
}

// userID returns the value of aws:userid.
func (c *Caller) userID() string {
	switch {
	case c.UserID != "":
		return c.UserID
	case c.Kind == RootCaller:
		return c.Account
	case c.Kind == AnonymousCaller:
		return "anonymous"
	}
	return ""
}

// account returns the value of aws:PrincipalAccount.
func (c *Caller) account() string {
	if c.Kind == AnonymousCaller {
		return "anonymous"
	}
	return c.Account
}

// String returns the caller's name as messages have it.
func (c *Caller) String() string {
	switch c.Kind {
	case AnonymousCaller:
		return "anonymous"
	case ServiceCaller:
		return c.Service
	}
	return c.ARN
}

// PrincipalMatch says which entry of a Principal element matched a caller. Stronger
// matches are greater.
type PrincipalMatch uint8

// How a Principal element can match.
const (
	NoPrincipalMatch PrincipalMatch = iota
	AttachedMatch                   // the policy has no principals: it is attached to the caller
	AccountMatch                    // the caller's account
	RoleMatch                       // the session's role, the federated user's issuer, or its provider
	WildcardMatch                   // everyone
	ServiceMatch                    // the service
	SessionMatch                    // exactly this session
	UserMatch                       // exactly this user, or the root user by its account
	numPrincipalMatches
)

var principalMatchNames = [numPrincipalMatches]string{
	"none", "attached", "account", "role", "wildcard", "service", "session", "user",
}

// String returns the match's name in lower case.
func (m PrincipalMatch) String() string {
	if m >= numPrincipalMatches {
		return "unknown"
	}
	return principalMatchNames[m]
}

// direct reports whether the match grants to the caller itself, past boundaries and
// session policies.
func (m PrincipalMatch) direct() bool { return m >= WildcardMatch }
