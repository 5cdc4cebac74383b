package identity

import "github.com/sealring/sealring/policy"

// Source knows which policies bind principals and accounts: what IAM and AWS
// Organizations know in AWS. It is asked for every request while a transaction is
// open, so it answers from memory. It is safe for concurrent use.
type Source interface {
	// Principal returns what is attached to a user, or to the role or user behind a
	// session. It is not asked about services. The zero value says that nothing is.
	Principal(c Caller) Principal

	// Account returns the place of an account in its organization. The zero value says
	// that it is in none.
	Account(id string) Account
}

// Principal is what is attached to a user or role.
type Principal struct {
	// Policies are the principal's identity policies, those of a user's groups
	// included.
	Policies []*policy.Policy
	// Boundary is the permissions boundary, nil if there is none.
	Boundary *policy.Policy
	// Tags are the principal's tags.
	Tags []policy.Pair
	// ServiceLinked is set for a role that is linked to a service.
	ServiceLinked bool
}

// Account is an account's place in an organization.
type Account struct {
	// OrgID and OrgPaths name the organization and the account's place in it.
	OrgID    string
	OrgPaths []string
	// Management is set for the account that manages the organization.
	Management bool
	// SCP and RCP are the service and resource control policies: for each level from
	// the root to the account, those attached there. Nil means that there are none of
	// the kind; an empty level denies everything, so each level of RCP has to hold
	// AWS's RCPFullAWSAccess.
	SCP, RCP [][]*policy.Policy
}
