package policy

// WouldLockOut reports whether a new key policy would keep the request's caller from
// changing the key policy again: whether kms:PutKeyPolicy would be denied under the
// candidate. CreateKey, PutKeyPolicy and ReplicateKey refuse such a policy unless the
// caller sets BypassPolicyLockoutSafetyCheck; a parameter that is false counts as
// absent, and kms:BypassPolicyLockoutSafetyCheck must then not be in the context.
//
// The request's Resource has to be the ARN of the key, which for CreateKey and
// ReplicateKey is the key to be made. Its action is not read, and neither are the
// resource policy and the grants among the layers.
func WouldLockOut(candidate *Policy, r *Request, l *Layers) bool {
	if candidate == nil || r == nil || l == nil {
		return true
	}
	ask, under := *r, *l
	ask.Action = "kms:PutKeyPolicy"
	under.Resource, under.Grants = candidate, nil
	return !Decide(&ask, &under).Allowed
}
