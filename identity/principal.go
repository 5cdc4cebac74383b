package identity

import (
	"fmt"
	"slices"
	"time"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/policy"
)

// maxSessionPolicies is one inline policy and ten managed ones.
const maxSessionPolicies = 11

// SessionOptions is what may be given when a session is made. nil and the zero value
// of each field mean: nothing of the kind.
type SessionOptions struct {
	// Policies are JSON documents. The session may do no more than any of them allows.
	// A federated user without any may do nothing that a policy does not allow by
	// naming it. There may be up to 11, each of up to 2,048 characters.
	Policies []string

	// Tags are the session tags: up to 50. The slice is copied.
	Tags []policy.Pair

	// SourceIdentity says on whose behalf a role is assumed. A federated user has none.
	SourceIdentity string

	// MFA is when a second factor was given before the session was made: it was not.
	MFA time.Time

	// Issued is when the session was made: now.
	Issued time.Time
}

// User returns the user with the ARN as a caller. The Region is left to [Caller.In].
func User(arn string) (Caller, error) {
	e, err := parseEntity(arn)
	switch {
	case err != nil:
		return Caller{}, fmt.Errorf("identity: user %q: %w", arn, err)
	case e.kind != "user":
		return Caller{}, fmt.Errorf("identity: user %q: it names a %s", arn, e.kind)
	}
	return Caller{Principal: e.arn, Account: e.account}, nil
}

// AssumedRole returns a session of the role as a caller, as AssumeRole of AWS STS makes
// it, with the principal arn:aws:sts::account:assumed-role/role/session, which lacks the
// role's path. The session's name has 2 to 64 letters, digits and +=,.@_-. Whether the
// role may be assumed, and by whom, is not asked: whoever makes the session vouches for
// it. The Region is left to [Caller.In].
func AssumedRole(roleARN, sessionName string, o *SessionOptions) (Caller, error) {
	e, err := parseEntity(roleARN)
	switch {
	case err != nil:
		return Caller{}, fmt.Errorf("identity: role %q: %w", roleARN, err)
	case e.kind != "role":
		return Caller{}, fmt.Errorf("identity: role %q: it names a %s", roleARN, e.kind)
	case !properName(sessionName, 2, maxSessionName):
		return Caller{}, fmt.Errorf("identity: session %q: a name is 2 to %d letters, digits and +=,.@_-", sessionName, maxSessionName)
	}
	s, err := newSession(o)
	if err != nil {
		return Caller{}, fmt.Errorf("identity: session %q: %w", sessionName, err)
	}
	s.Role = e.arn
	return Caller{Principal: e.sessionARN("assumed-role/" + e.name + "/" + sessionName), Account: e.account, Session: s}, nil
}

// FederatedUser returns a federated user as a caller, as GetFederationToken of AWS STS
// makes it when the user with the ARN calls it, with the principal
// arn:aws:sts::account:federated-user/name. The name has 2 to 32 letters, digits and
// +=,.@_-. The Region is left to [Caller.In].
func FederatedUser(userARN, name string, o *SessionOptions) (Caller, error) {
	e, err := parseEntity(userARN)
	switch {
	case err != nil:
		return Caller{}, fmt.Errorf("identity: user %q: %w", userARN, err)
	case e.kind != "user":
		return Caller{}, fmt.Errorf("identity: user %q: it names a %s", userARN, e.kind)
	case !properName(name, 2, maxFederatedName):
		return Caller{}, fmt.Errorf("identity: federated user %q: a name is 2 to %d letters, digits and +=,.@_-", name, maxFederatedName)
	case o != nil && o.SourceIdentity != "":
		return Caller{}, fmt.Errorf("identity: federated user %q: it cannot have a source identity", name)
	}
	s, err := newSession(o)
	if err != nil {
		return Caller{}, fmt.Errorf("identity: federated user %q: %w", name, err)
	}
	s.Issuer = e.arn
	return Caller{Principal: e.sessionARN("federated-user/" + name), Account: e.account, Session: s}, nil
}

// sessionARN returns the ARN of a session in the entity's account.
func (e entity) sessionARN(resource string) string {
	a, _ := arn.Parse(e.arn)
	a.Service, a.Resource = "sts", resource
	return a.String()
}

func newSession(o *SessionOptions) (*Session, error) {
	if o == nil {
		o = &SessionOptions{}
	}
	if len(o.Policies) > maxSessionPolicies {
		return nil, fmt.Errorf("%d session policies; at most %d are allowed", len(o.Policies), maxSessionPolicies)
	}
	s := &Session{
		Restricted:     len(o.Policies) > 0,
		Tags:           slices.Clone(o.Tags),
		SourceIdentity: o.SourceIdentity,
		MFA:            o.MFA,
		Issued:         o.Issued,
	}
	for i, text := range o.Policies {
		p, _, err := compile(policy.Session, []byte(text))
		if err != nil {
			return nil, fmt.Errorf("session policy %d: %w", i, err)
		}
		s.Policies = append(s.Policies, p)
	}
	if err := checkTags(s.Tags); err != nil {
		return nil, err
	}
	if s.SourceIdentity != "" && !properName(s.SourceIdentity, 2, maxSessionName) {
		return nil, fmt.Errorf("a source identity is 2 to %d letters, digits and +=,.@_-, not %q", maxSessionName, s.SourceIdentity)
	}
	if s.Issued.IsZero() {
		s.Issued = time.Now()
	}
	return s, nil
}

// compile parses and compiles one document.
func compile(k policy.Kind, text []byte) (*policy.Policy, []policy.Finding, error) {
	d, findings, err := policy.Parse(k, text)
	if err != nil {
		return nil, nil, err
	}
	p, err := policy.Compile(d)
	return p, findings, err
}

// bearer returns the ARN of the user or role that policies are attached to.
func (c Caller) bearer() string {
	switch s := c.Session; {
	case s != nil && s.Role != "":
		return s.Role
	case s != nil && s.Issuer != "":
		return s.Issuer
	}
	return c.Principal
}
