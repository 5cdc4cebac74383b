package kms

import (
	"fmt"
	"sync"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

// authorize holds the request to every permission that its operation needs on its
// targets, in the order of the table. A request of which nothing had to be decided is
// a mistake in the table, and refused.
func (o *operation[I, O]) authorize(r *request, in *I, targets []target) error {
	asked := false
	c := contexts.Get().(*policy.Context)
	defer contexts.Put(c)
	for _, p := range permissions[o.name] {
		for i := range targets {
			t := &targets[i]
			if t.role != p.on {
				continue
			}
			if t.own {
				asked = true
				continue
			}
			c.Reset()
			r.setConditions(c, t, targets)
			if o.conditions != nil {
				o.conditions(in, c)
			}
			if err := r.authorize(p.action, t, c); err != nil {
				return err
			}
			asked = true
		}
	}
	if !asked {
		return fmt.Errorf("kms: no permission is known for %s", o.name)
	}
	return nil
}

// contexts keeps the condition keys of past requests for their memory, which is some
// kilobytes. What they hold is taken out before they are used again.
var contexts = sync.Pool{New: func() any { return new(policy.Context) }}

// authorize decides whether the caller has one permission on a target, by the
// resource's policy, its grants, and the policies that bind the caller.
func (r *request) authorize(action string, t *target, conditions *policy.Context) error {
	q := r.question(action, t, conditions)
	layers, err := r.layers(t)
	if err != nil {
		return err
	}
	decision := policy.Decide(q, layers)
	if decision.Outcome == policy.ImplicitDeny && t.key != nil {
		// Only now: a key can have many grants, and no grant takes anything away.
		if layers.Grants, err = r.grantsFor(t.key); err != nil {
			return err
		}
		decision = policy.Decide(q, layers)
	}
	if decision.Allowed {
		return nil
	}
	why := policy.Explain(q, layers)
	return accessDenied(why.Message())
}

// question asks the policy engine for one permission. It is good until the next one.
func (r *request) question(action string, t *target, conditions *policy.Context) *policy.Request {
	r.asked = policy.Request{
		Caller:                      r.principal,
		Action:                      action,
		Resource:                    t.arn,
		ResourceAccount:             t.account,
		Context:                     conditions,
		Grant:                       t.grant,
		AWSManagedKey:               t.key != nil && t.key.Service != "",
		ResourceInManagementAccount: r.account(t.account).Management,
	}
	return &r.asked
}

// layers returns all that bears on a request for a target but the grants. They are good
// until the next ones.
func (r *request) layers(t *target) (*policy.Layers, error) {
	layers := &r.bearing
	*layers = r.caller.Layers(r.bound, r.home)
	layers.RCP = r.account(t.account).RCP
	if t.key == nil {
		return layers, nil
	}
	var err error
	if layers.Resource, err = r.service.policies.of(t.key); err != nil {
		return nil, fmt.Errorf("kms: the stored policy of %s: %v", t.arn, err) // no refusal of the request's
	}
	return layers, nil
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
	if r.service.identities != nil && !r.caller.Anonymous() && r.caller.Service == "" {
		r.bound = r.service.identities.Principal(r.caller)
		r.home = r.account(r.caller.Account)
	}
	r.principal = r.caller.Subject(r.bound, r.home)
}
