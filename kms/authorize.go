package kms

import (
	"fmt"

	"github.com/sealring/sealring/identity"
)

// authorize decides whether the caller has a target's permission. Every key has
// AWS's default key policy, which hands the decision to the IAM policies of the
// key's account, and no such policies exist: so the account's root user may do
// everything and nobody else may do anything.
func authorize(c identity.Caller, t target) error {
	if c.Root() && c.Account == t.account {
		return nil
	}
	missing := "identity-based"
	if c.Account != t.account {
		missing = "resource-based"
	}
	return accessDenied(fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no %s policy allows the %s action",
		c, t.permission, t.arn, missing, t.permission))
}
