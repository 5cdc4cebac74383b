package identity

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/policy"
)

// Subject returns the caller as policies see it, given what a [Source] says of the
// principal and of its account.
//
// The unique ids that aws:userid begins with, which IAM draws at random, are derived
// from the ARN here: the same user always has the same one. A principal that is
// neither a root user, a user, a role nor a session of one of these is anonymous, and
// so is a session whose role is not known. A service that acts for itself has a name and
// nothing else: what a Source says counts for principals of accounts only.
func (c Caller) Subject(p Principal, home Account) policy.Caller {
	s := policy.Caller{
		Account:           c.Account,
		ARN:               c.Principal,
		OrgID:             home.OrgID,
		OrgPaths:          home.OrgPaths,
		ManagementAccount: home.Management,
		ServiceLinkedRole: p.ServiceLinked,
		Tags:              p.Tags,
	}
	name := c.Principal[strings.LastIndexByte(c.Principal, '/')+1:]
	switch {
	case c.Anonymous():
		return policy.Caller{}
	case c.Service != "":
		return policy.Caller{Kind: policy.ServiceCaller, Service: c.Service}
	case c.Root():
		s.Kind = policy.RootCaller
	case c.Session != nil && c.Session.Role != "":
		s.Kind, s.RoleARN, s.UserID = policy.RoleCaller, c.Session.Role, uniqueID("AROA", c.Session.Role)+":"+name
	case c.Session != nil && c.Session.Issuer != "":
		s.Kind, s.IssuerARN, s.UserID = policy.FederatedCaller, c.Session.Issuer, c.Account+":"+name
	case c.named("role"):
		s.Kind, s.RoleARN, s.UserID = policy.RoleCaller, c.Principal, uniqueID("AROA", c.Principal)
	case c.named("user"):
		s.Kind, s.UserName, s.UserID = policy.UserCaller, name, uniqueID("AIDA", c.Principal)
	default:
		return policy.Caller{}
	}
	if c.Session != nil {
		s.Tags = sessionTags(c.Session.Tags, p.Tags)
	}
	return s
}

// named reports whether the principal's ARN is that of a "user" or "role".
func (c Caller) named(kind string) bool {
	a, _ := arn.Parse(c.Principal)
	return a.Service == "iam" && strings.HasPrefix(a.Resource, kind+"/")
}

// Layers returns the policies that bind the caller, given what a [Source] says of the
// principal and of its account. What belongs to the resource is left to add: its
// policy, its grants, and the resource control policies of its account.
func (c Caller) Layers(p Principal, home Account) policy.Layers {
	l := policy.Layers{SCP: home.SCP, Identity: p.Policies, Boundary: p.Boundary}
	if c.Session != nil {
		l.Session, l.HasSession = c.Session.Policies, c.Session.Restricted
	}
	return l
}

// sessionTags returns the tags of a session: its own, and those of its principal whose
// keys it does not have. The case of keys does not count (IAM User Guide, "Pass session
// tags in AWS STS").
func sessionTags(own, inherited []policy.Pair) []policy.Pair {
	if len(own) == 0 {
		return inherited
	}
	tags := slices.Clone(own)
	for _, t := range inherited {
		if !slices.ContainsFunc(own, func(o policy.Pair) bool { return strings.EqualFold(o.Key, t.Key) }) {
			tags = append(tags, t)
		}
	}
	return tags
}

// uniqueID returns an id in the form of IAM's: a prefix that says of what, and 17
// letters and digits.
func uniqueID(prefix, of string) string {
	sum := sha256.Sum256([]byte(of))
	id := base32.StdEncoding.AppendEncode(append(make([]byte, 0, 32), prefix...), sum[:11])
	return string(id[:len(prefix)+17])
}
