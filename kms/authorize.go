package kms

import (
	"slices"
	"strings"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

// authorize holds the request to every permission that its operation needs on its
// targets, in the order of the table.
func (o *operation[I, O]) authorize(r *request, in *I, targets []target) error {
	for _, p := range permissions[o.name] {
		for i := range targets {
			t := &targets[i]
			if t.role != p.on {
				continue
			}
			conditions := r.conditions(t, targets)
			if o.conditions != nil {
				o.conditions(in, conditions)
			}
			if err := r.authorize(p.action, t, conditions); err != nil {
				return err
			}
		}
	}
	return nil
}

// authorize decides whether the caller has one permission on a target, by the
// resource's policy, its grants, and the policies that bind the caller.
func (r *request) authorize(action string, t *target, conditions *policy.Context) error {
	q := r.question(action, t, conditions)
	layers, err := r.layers(t)
	if err != nil {
		return err
	}
	if policy.Decide(q, layers).Allowed {
		return nil
	}
	why := policy.Explain(q, layers)
	return accessDenied(why.Message())
}

// question asks the policy engine for one permission.
func (r *request) question(action string, t *target, conditions *policy.Context) *policy.Request {
	return &policy.Request{
		Caller:                      r.principal,
		Action:                      action,
		Resource:                    t.arn,
		ResourceAccount:             t.account,
		Context:                     conditions,
		Grant:                       t.grant,
		ResourceInManagementAccount: r.account(t.account).Management,
	}
}

// layers returns all that bears on a request for a target.
func (r *request) layers(t *target) (*policy.Layers, error) {
	layers := &policy.Layers{
		SCP:      r.account(r.caller.Account).SCP,
		RCP:      r.account(t.account).RCP,
		Identity: r.bound.Policies,
		Boundary: r.bound.Boundary,
	}
	if s := r.caller.Session; s != nil {
		layers.Session, layers.HasSession = s.Policies, s.Restricted
	}
	if t.key == nil {
		return layers, nil
	}
	var err error
	if layers.Resource, err = r.service.policies.compiled(keyPolicy(t.key)); err != nil {
		return nil, err
	}
	layers.Grants, err = r.grantsFor(t.key)
	return layers, err
}

// account returns an account's place in its organization.
func (r *request) account(id string) identity.Account {
	if r.service.identities == nil {
		return identity.Account{}
	}
	return r.service.identities.Account(id)
}

// bind looks up what binds the caller, once for each request.
func (r *request) bind() {
	c := r.caller
	if r.service.identities != nil && !c.Anonymous() {
		r.bound = r.service.identities.Principal(c)
	}
	home := r.account(c.Account)
	r.principal = policy.Caller{
		Account:           c.Account,
		ARN:               c.Principal,
		OrgID:             home.OrgID,
		OrgPaths:          home.OrgPaths,
		ManagementAccount: home.Management,
		ServiceLinkedRole: r.bound.ServiceLinked,
		Tags:              r.bound.Tags,
	}
	name := c.Principal[strings.LastIndexByte(c.Principal, '/')+1:]
	switch s := c.Session; {
	case c.Anonymous():
	case c.Root():
		r.principal.Kind = policy.RootCaller
	case s != nil && s.Issuer != "":
		r.principal.Kind, r.principal.IssuerARN = policy.FederatedCaller, s.Issuer
	case s != nil && s.Role != "":
		r.principal.Kind, r.principal.RoleARN = policy.RoleCaller, s.Role
	case strings.Contains(c.Principal, ":role/"):
		r.principal.Kind, r.principal.RoleARN = policy.RoleCaller, c.Principal
	default:
		r.principal.Kind, r.principal.UserName = policy.UserCaller, name
	}
	if s := c.Session; s != nil && len(s.Tags) > 0 {
		r.principal.Tags = mergeTags(r.bound.Tags, s.Tags)
	}
}

// mergeTags returns the role's tags with those of the session in place of tags of the
// same key.
func mergeTags(role, session []policy.Pair) []policy.Pair {
	tags := slices.Clone(session)
	for _, t := range role {
		if !slices.ContainsFunc(session, func(s policy.Pair) bool { return strings.EqualFold(s.Key, t.Key) }) {
			tags = append(tags, t)
		}
	}
	return tags
}
