package kms

import (
	"errors"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

// GetKeyPolicy, PutKeyPolicy and ListKeyPolicies. A key has exactly one policy, whose
// name is "default".
const policyName = "default"

// maxPolicy bounds the text of a key policy as the API's model does; the policy
// package knows the limit that AWS enforces.
const maxPolicy = 131072

// keyPolicy returns the text of a key's policy.
func keyPolicy(k *keyrecord.Key) string {
	if k.Policy != "" {
		return k.Policy
	}
	return defaultKeyPolicy(k.Account, k.Region)
}

// defaultKeyPolicy is the policy that AWS gives to a key made without one: it hands the
// decision to the IAM policies of the account.
func defaultKeyPolicy(account, region string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:` + arn.Partition(region) + `:iam::` + account + `:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
}

// parsePolicy reads and compiles a key policy, with the exception that AWS gives to a
// bad one.
func parsePolicy(text string) (*policy.Policy, error) {
	d, _, err := policy.Parse(policy.KeyPolicy, []byte(text))
	var bad *policy.ParseError
	switch {
	case errors.As(err, &bad) && bad.Code == "LimitExceededException":
		return nil, &types.LimitExceededException{Message: &bad.Message}
	case errors.As(err, &bad):
		return nil, &types.MalformedPolicyDocumentException{Message: &bad.Message}
	case err != nil:
		return nil, err
	}
	return policy.Compile(d)
}

// policyCache keeps compiled key policies by their text, and the default ones by the
// place whose default they are. Most keys share a few.
type policyCache struct {
	mu       sync.RWMutex
	byText   map[string]*policy.Policy // guarded by mu
	defaults map[place]*policy.Policy  // guarded by mu
	size     int                       // of the texts in byText, guarded by mu
}

// place is an account and a Region.
type place struct{ account, region string }

// What bounds a cache. A full one starts anew.
const (
	maxCachedPolicies    = 1024
	maxCachedPolicyBytes = 8 << 20 // of text; what is compiled is some times as large
)

// of returns the compiled policy of a stored key.
func (c *policyCache) of(k *keyrecord.Key) (*policy.Policy, error) {
	where := place{k.Account, k.Region}
	c.mu.RLock()
	p := c.defaults[where]
	if k.Policy != "" {
		p = c.byText[k.Policy]
	}
	c.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	p, err := parsePolicy(keyPolicy(k))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byText == nil || len(c.byText)+len(c.defaults) >= maxCachedPolicies || c.size+len(k.Policy) > maxCachedPolicyBytes {
		c.byText, c.defaults, c.size = make(map[string]*policy.Policy), make(map[place]*policy.Policy), 0
	}
	if k.Policy != "" {
		if c.byText[k.Policy] == nil { // by another meanwhile
			c.size += len(k.Policy)
		}
		c.byText[k.Policy] = p
	} else {
		c.defaults[where] = p
	}
	return p, nil
}

// checkPolicy refuses a policy that is malformed or that would keep the caller from
// changing it again, unless bypass is set.
func (r *request) checkPolicy(k *keyrecord.Key, document string, bypass bool) error {
	candidate, err := parsePolicy(document)
	if err != nil || bypass {
		return err
	}
	t := target{role: onKey, account: k.Account, region: k.Region, arn: k.ARN(), key: k}
	layers, err := r.layers(&t)
	if err != nil {
		return err
	}
	var c policy.Context
	r.setConditions(&c, &t, nil)
	if policy.WouldLockOut(candidate, r.question("kms:PutKeyPolicy", &t, &c), layers) {
		return &types.MalformedPolicyDocumentException{Message: text("The new key policy will not allow you to update the key policy in the future.")}
	}
	return nil
}

var getKeyPolicy = &operation[sdk.GetKeyPolicyInput, sdk.GetKeyPolicyOutput]{
	name:       "GetKeyPolicy",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GetKeyPolicyInput) {
		c.keyID("keyId", in.KeyId)
		if in.PolicyName != nil {
			c.length("policyName", *in.PolicyName, 1, 128)
		}
	},
	targets: func(r *request, in *sdk.GetKeyPolicyInput) ([]target, error) { return r.oneKey(in.KeyId, keyIDOrARN) },
	run: func(_ *request, in *sdk.GetKeyPolicyInput, on []target) (*sdk.GetKeyPolicyOutput, error) {
		if in.PolicyName != nil && *in.PolicyName != policyName {
			return nil, notFound("No such policy exists")
		}
		return &sdk.GetKeyPolicyOutput{Policy: aws.String(keyPolicy(on[0].key)), PolicyName: aws.String(policyName)}, nil
	},
}

var putKeyPolicy = &operation[sdk.PutKeyPolicyInput, sdk.PutKeyPolicyOutput]{
	name:   "PutKeyPolicy",
	noBody: true,
	validate: func(c *constraints, in *sdk.PutKeyPolicyInput) {
		c.keyID("keyId", in.KeyId)
		c.policy(in.Policy)
		if in.PolicyName != nil {
			c.length("policyName", *in.PolicyName, 1, 128)
			c.reject(*in.PolicyName != policyName, unsupported("The only policy of a key is named %s.", policyName))
		}
	},
	targets: func(r *request, in *sdk.PutKeyPolicyInput) ([]target, error) { return r.oneKey(in.KeyId, keyIDOrARN) },
	conditions: func(in *sdk.PutKeyPolicyInput, c *policy.Context) {
		setBypass(c, in.BypassPolicyLockoutSafetyCheck)
	},
	run: func(r *request, in *sdk.PutKeyPolicyInput, on []target) (*sdk.PutKeyPolicyOutput, error) {
		k := on[0].key
		if err := r.checkPolicy(k, *in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
			return nil, err
		}
		k.Policy = *in.Policy
		return &sdk.PutKeyPolicyOutput{}, r.writeLocal(k)
	},
}

// setBypass sets kms:BypassPolicyLockoutSafetyCheck. False counts as absent.
func setBypass(c *policy.Context, bypass bool) {
	if bypass {
		c.SetBool(policy.KMSBypassPolicyLockoutSafetyCheck, true)
	}
}

var listKeyPolicies = &operation[sdk.ListKeyPoliciesInput, sdk.ListKeyPoliciesOutput]{
	name:       "ListKeyPolicies",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.ListKeyPoliciesInput) {
		c.keyID("keyId", in.KeyId)
		c.page(in.Limit, in.Marker)
	},
	targets: func(r *request, in *sdk.ListKeyPoliciesInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(_ *request, in *sdk.ListKeyPoliciesInput, _ []target) (*sdk.ListKeyPoliciesOutput, error) {
		p, err := openPage("ListKeyPolicies", in.Limit, in.Marker, 100, 1000)
		if err != nil {
			return nil, err
		}
		out := &sdk.ListKeyPoliciesOutput{PolicyNames: []string{}}
		if p.after < policyName {
			out.PolicyNames = append(out.PolicyNames, policyName)
		}
		return out, nil
	},
}

// policy bounds the text of a key policy.
func (c *constraints) policy(p *string) {
	if !c.present("policy", p != nil) {
		return
	}
	// Not the text itself: it would fill the message.
	switch n := len(*p); {
	case n < 1:
		c.fail("", "policy", "have length greater than or equal to 1")
	case n > maxPolicy:
		c.fail("", "policy", "have length less than or equal to 131072")
	case strings.ContainsFunc(*p, func(r rune) bool {
		return r != '\t' && r != '\n' && r != '\r' && (r < 0x20 || r > 0xFF)
	}):
		c.fail("", "policy", `satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`)
	}
}
