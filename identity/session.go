package identity

import (
	"time"

	"github.com/sealring/sealring/policy"
)

// Session is what the credentials of a role session, or of a federated user, add to
// their principal. It is shared by copies of a [Caller] and must not be changed.
type Session struct {
	// Role is the ARN of the role that was assumed, with the role's path, which the
	// session's own ARN lacks.
	Role string
	// Issuer is the ARN of the user who called GetFederationToken. Only one of Role and
	// Issuer is set.
	Issuer string

	// Restricted is set if policies were passed when the session was made; Policies are
	// those. A restricted session may do no more than they allow.
	Restricted bool
	Policies   []*policy.Policy

	// Tags are the session tags. They replace tags of the role with the same key.
	Tags []policy.Pair
	// SourceIdentity is the identity that was given when the role was assumed.
	SourceIdentity string
	// MFA is when the principal proved itself with a second factor before the session
	// was made; zero if it did not.
	MFA time.Time
	// Issued is when the session was made.
	Issued time.Time
}
