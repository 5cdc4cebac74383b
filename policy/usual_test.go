package policy_test

import (
	"testing"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

// TestUsualPolicies has documents of the kinds that people write, each with what
// is found in it.
func TestUsualPolicies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		kind     policy.Kind
		text     string
		findings string
	}{
		{"default key policy", policy.KeyPolicy, `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : { "AWS" : "arn:aws:iam::111122223333:root" },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`, ""},
		{"administrators and users", policy.KeyPolicy, `{
  "Version": "2012-10-17",
  "Id": "key-consolepolicy-3",
  "Statement": [
    {
      "Sid": "Administrators",
      "Effect": "Allow",
      "Principal": {"AWS": ["arn:aws:iam::111122223333:role/Admin", "arn:aws:iam::111122223333:user/ops/anne"]},
      "Action": ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*",
                 "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource",
                 "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"],
      "Resource": "*"
    },
    {
      "Sid": "Services on behalf of users",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
      "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
      "Resource": "*",
      "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    }
  ]
}`, ""},
		{"key of a service, as AWS manages it", policy.KeyPolicy, `{
  "Version": "2012-10-17",
  "Statement": [{
    "Sid": "Allow access through Simple Systems Manager",
    "Effect": "Allow",
    "Principal": {"AWS": ["*"]},
    "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"],
    "Resource": "*",
    "Condition": {"StringEquals": {"kms:ViaService": "ssm.us-west-2.amazonaws.com", "kms:CallerAccount": "111122223333"}}
  }]
}`, ""},
		{"log groups", policy.KeyPolicy, `{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Principal": {"Service": "logs.us-west-2.amazonaws.com"},
    "Action": ["kms:Encrypt*", "kms:Decrypt*"],
    "Resource": "*",
    "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:us-west-2:111122223333:*"}}
  }
}`, "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL"},
		{"one's own key", policy.Identity, `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Use", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
     "Resource": "arn:aws:kms:*:111122223333:key/*",
     "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}},
    {"Sid": "NotFromOutside", "Effect": "Deny", "Action": "kms:*", "Resource": "*",
     "Condition": {"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8:1::/48"]},
                   "Bool": {"aws:ViaAWSService": false}}}
  ]
}`, ""},
		{"nobody else's organization", policy.RCP, `{
  "Version": "2012-10-17",
  "Statement": [{
    "Sid": "Perimeter", "Effect": "Deny", "Principal": "*", "Action": ["kms:*", "secretsmanager:*"], "Resource": "*",
    "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
  }]
}`, ""},
		{"only some Regions", policy.SCP, `{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-*"]},
                  "ArnNotLike": {"aws:PrincipalARN": "arn:*:iam::*:role/Admin"}}}]
}`, "WILDCARD_WITHOUT_LIKE_OPERATOR"},
		{"secret shared with an account", policy.SecretPolicy, `{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:role/reader"},
    "Action": "secretsmanager:GetSecretValue", "Resource": "*",
    "Condition": {"ForAnyValue:StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}}}]
}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, findings := parse(t, c.kind, c.text)
			require.Equal(t, c.findings, codes(findings), findings)
			reparsed(t, d)
		})
	}
}
