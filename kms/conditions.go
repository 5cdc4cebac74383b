package kms

import (
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

// setConditions sets the condition keys of a request that follow from who makes it and
// from what is known of the target. What the request's own parameters give is added by
// the operation.
func (r *request) setConditions(c *policy.Context, t *target, targets []target) {
	c.SetString(policy.AWSRequestedRegion, t.region)
	c.SetTime(policy.AWSCurrentTime, r.now)
	c.SetTime(policy.AWSEpochTime, r.now)
	c.SetBool(policy.AWSSecureTransport, !r.caller.PlainTransport)
	if r.caller.SourceIP.IsValid() {
		c.SetAddr(policy.AWSSourceIP, r.caller.SourceIP)
	}
	if r.caller.UserAgent != "" {
		c.SetString(policy.AWSUserAgent, r.caller.UserAgent)
	}
	if s := r.caller.Session; s != nil {
		if s.SourceIdentity != "" {
			c.SetString(policy.AWSSourceIdentity, s.SourceIdentity)
		}
		c.SetBool(policy.AWSMultiFactorAuthPresent, !s.MFA.IsZero())
		if !s.MFA.IsZero() {
			c.SetInt(policy.AWSMultiFactorAuthAge, int64(r.now.Sub(s.MFA)/time.Second))
		}
		if !s.Issued.IsZero() {
			c.SetTime(policy.AWSTokenIssueTime, s.Issued)
		}
	}
	r.setService(c)
	r.setRecipient(c)
	if home := r.account(t.account); home.OrgID != "" {
		c.SetString(policy.AWSResourceOrgID, home.OrgID)
		c.SetStrings(policy.AWSResourceOrgPaths, home.OrgPaths)
	}
	for k, v := range t.context {
		c.Add(policy.EncryptionContext, k, v)
	}
	if t.grant != nil {
		grantConditions(c, t.grant, r.op == createGrant)
	}
	if t.conditions != nil {
		t.conditions(c)
	}
	if t.made != nil {
		setKeySpec(c, t.made)
	}
	if t.key == nil {
		return
	}
	setKeySpec(c, t.key)
	c.SetStrings(policy.KMSResourceAliases, t.key.Aliases)
	for _, tag := range t.key.Tags {
		c.Add(policy.ResourceTag, tag.Key, tag.Value)
	}
	if t.alias != "" {
		c.SetString(policy.KMSRequestAlias, t.alias)
	}
	if t.algorithm != "" {
		setAlgorithm(c, t.algorithm)
	}
	if t.role == onSource || t.role == onDestination {
		c.SetBool(policy.KMSReEncryptOnSameKey, targets[0].arn == targets[1].arn)
	}
}

// setService sets the keys that describe a service that makes the request, for itself or
// in the principal's name, and for which resource.
func (r *request) setService(c *policy.Context) {
	if r.caller.SourceARN != "" {
		c.SetString(policy.AWSSourceARN, r.caller.SourceARN)
	}
	if id := r.caller.SourceAccount; id != "" {
		c.SetString(policy.AWSSourceAccount, id)
		if home := r.account(id); home.OrgID != "" {
			c.SetString(policy.AWSSourceOrgID, home.OrgID)
			c.SetStrings(policy.AWSSourceOrgPaths, home.OrgPaths)
		}
	}
	via := r.caller.Via
	if len(via) == 0 {
		return
	}
	first, last := via[0], via[len(via)-1]
	c.SetBool(policy.AWSViaAWSService, true)
	c.SetStrings(policy.AWSCalledVia, via)
	c.SetString(policy.AWSCalledViaFirst, first)
	c.SetString(policy.AWSCalledViaLast, last)
	c.SetString(policy.KMSViaService, regional(last, r.caller.Region))
	switch r.op {
	case createGrant, listGrants, revokeGrant:
		c.SetBool(policy.KMSGrantIsForAWSResource, true)
	}
}

// regional returns a service's name as kms:ViaService has it: "ssm.eu-west-1.amazonaws.com"
// for "ssm.amazonaws.com", with that ending in every partition.
func regional(service, region string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(service, ".cn"), ".amazonaws.com")
	return strings.TrimSuffix(name, "."+region) + "." + region + ".amazonaws.com"
}

// setKeySpec sets the keys that describe a key, or the key that a request is to make.
func setKeySpec(c *policy.Context, k *keyrecord.Key) {
	c.SetString(policy.KMSKeySpec, k.Spec)
	c.SetString(policy.KMSKeyUsage, k.Usage)
	c.SetString(policy.KMSKeyOrigin, k.Origin)
	c.SetBool(policy.KMSMultiRegion, k.MultiRegion != nil)
	switch {
	case k.Primary():
		c.SetString(policy.KMSMultiRegionKeyType, string(types.MultiRegionKeyTypePrimary))
	case k.Replica():
		c.SetString(policy.KMSMultiRegionKeyType, string(types.MultiRegionKeyTypeReplica))
	}
}

// setRequestTags sets the keys that describe the tags in a request.
func setRequestTags(c *policy.Context, tags []types.Tag) {
	for _, t := range tags {
		if t.TagKey != nil && t.TagValue != nil {
			c.Add(policy.RequestTag, *t.TagKey, *t.TagValue)
		}
	}
}

// setAlgorithm sets kms:EncryptionAlgorithm; none given means the symmetric one.
func setAlgorithm(c *policy.Context, a types.EncryptionAlgorithmSpec) {
	if a == "" {
		a = symmetricDefault
	}
	c.SetString(policy.KMSEncryptionAlgorithm, string(a))
}

// grantConditions sets the keys that describe the grant in a request: for CreateGrant
// all of them, for RetireGrant those of its constraint.
func grantConditions(c *policy.Context, g *policy.Grant, creates bool) {
	if creates {
		c.SetStrings(policy.KMSGrantOperations, g.Operations.Names())
		for key, v := range map[policy.Key]string{
			policy.KMSGranteePrincipal:         g.Grantee,
			policy.KMSGranteeServicePrincipal:  g.GranteeService,
			policy.KMSRetiringPrincipal:        g.Retiring,
			policy.KMSRetiringServicePrincipal: g.RetiringService,
			policy.KMSGrantConstraintSourceARN: g.SourceARN,
		} {
			if v != "" {
				c.SetString(key, v)
			}
		}
	}
	switch {
	case len(g.EncryptionContextEquals) > 0:
		c.SetString(policy.KMSGrantConstraintType, "EncryptionContextEquals")
	case len(g.EncryptionContextSubset) > 0:
		c.SetString(policy.KMSGrantConstraintType, "EncryptionContextSubset")
	case g.SourceARN != "":
		c.SetString(policy.KMSGrantConstraintType, "SourceArn")
	}
	for _, pairs := range [][]policy.Pair{g.EncryptionContextEquals, g.EncryptionContextSubset} {
		for _, p := range pairs {
			c.Add(policy.EncryptionContext, p.Key, p.Value)
		}
	}
}

// principalID reports whether s can name the grantee or retiring principal of a grant:
// the ARN of an account's root, a user, a role, a session or a federated user.
func principalID(s string) bool {
	p := strings.SplitN(s, ":", 6)
	if !principalPattern.MatchString(s) || len(p) != 6 || p[0] != "arn" ||
		p[1] != "aws" && !strings.HasPrefix(p[1], "aws-") || p[3] != "" || !arn.IsAccount(p[4]) {
		return false
	}
	kind, name, _ := strings.Cut(p[5], "/")
	switch p[2] + ":" + kind {
	case "iam:root":
		return p[5] == "root"
	case "iam:user", "iam:role", "sts:federated-user":
		return name != ""
	case "sts:assumed-role":
		role, session, _ := strings.Cut(name, "/")
		return role != "" && session != ""
	}
	return false
}

var principalPattern = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
