package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

// TestFindings has one document for every finding. « marks the value that is
// meant; no other finding is expected.
func TestFindings(t *testing.T) {
	t.Parallel()
	const (
		id     = policy.Identity
		key    = policy.KeyPolicy
		secret = policy.SecretPolicy
		trust  = policy.Trust

		allow   = `"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"`
		keyHead = `"Effect":"Allow","Principal":{"AWS":"111122223333"},"Resource":"*"`
		service = `"Effect":"Allow","Principal":{"Service":«"logs.amazonaws.com"»},"Action":"kms:*","Resource":"*"`
	)
	head := func(action, resource string) string {
		return doc(`"Effect":"Allow","Action":` + action + `,"Resource":` + resource)
	}
	when := func(condition string) string { return doc(allow + `,"Condition":{` + condition + `}`) }
	for _, c := range []struct {
		code     string
		severity policy.Severity
		kind     policy.Kind
		text     string
	}{
		{"MISSING_VERSION", policy.Warning, key, `«{"Statement":{` + minimal[key] + `}}»`},
		{"UNSUPPORTED_ID", policy.Suggestion, id, `{"Version":"2012-10-17","Id":«"x"»,"Statement":{` + allow + `}}`},
		{"UNIQUE_SIDS_RECOMMENDED", policy.Warning, key, doc(`"Sid":"x",`+minimal[key], `"Sid":«"x"»,`+minimal[key])},
		{"EMPTY_SID_VALUE", policy.Suggestion, id, doc(`"Sid":«""»,` + allow)},
		{"UNSUPPORTED_SID", policy.Warning, secret, doc(`"Sid":«"two words"»,` + minimal[secret])},
		{"NULL_IN_ARRAY", policy.Suggestion, id, head(`["kms:Decrypt",«null»]`, `"*"`)},
		{"NULL_IN_ARRAY", policy.Suggestion, id, head(`"kms:Decrypt"`, `["*",«null»]`)},
		{"NULL_IN_ARRAY", policy.Suggestion, key, doc(`"Effect":"Allow","Principal":{"AWS":["111122223333",«null»]},"Action":"kms:*","Resource":"*"`)},

		{"MISSING_ACTION", policy.Error, key, `{"Version":"2012-10-17","Statement":[«{` + keyHead + `}»]}`},
		{"EMPTY_ARRAY_ACTION", policy.Suggestion, key, doc(keyHead + `,"Action":«[]»`)},
		{"INVALID_ACTION", policy.Error, key, doc(keyHead + `,"Action":«"Decrypt"»`)},
		{"INVALID_ACTION", policy.Error, key, doc(keyHead + `,"Action":["kms:*",«" kms:Decrypt"»]`)},
		{"INVALID_ACTION", policy.Error, id, head(`«"kms:Decrypt "»`, `"*"`)},
		{"INVALID_ACTION", policy.Error, id, head(`«"kms:"»`, `"*"`)},
		{"INVALID_ACTION", policy.Error, id, head(`«"kms:Encrypt,Decrypt"»`, `"*"`)},
		{"INVALID_ACTION", policy.Error, id, head(`«"kms:Decript"»`, `"*"`)},
		{"INVALID_ACTION", policy.Error, id, head(`«"kms:*Decypt*"»`, `"*"`)},
		{"INVALID_ACTION", policy.Error, id, head(`«"secretsmanager:GetSecret"»`, `"*"`)},
		{"INVALID_ACTION", policy.Error, id, head(`«"ssm:Get Parameter"»`, `"*"`)},
		{"WILDCARD_IN_SERVICE_NAME", policy.Suggestion, id, head(`«"*:Get*"»`, `"*"`)},
		{"UNSUPPORTED_ACTION_IN_POLICY", policy.Error, key, doc(keyHead + `,"Action":«"s3:GetObject"»`)},
		{"UNSUPPORTED_ACTION_IN_POLICY", policy.Error, key, doc(keyHead + `,"Action":«"kms:ListKeys"»`)},
		{"UNSUPPORTED_ACTION_IN_POLICY", policy.Error, key, doc(keyHead + `,"Action":«"kms:*CustomKeyStore"»`)},
		{"UNSUPPORTED_ACTION_IN_POLICY", policy.Error, key, doc(keyHead + `,"Action":«"KMS:retireGrant"»`)},
		{"UNSUPPORTED_ACTION_IN_POLICY", policy.Error, secret, doc(keyHead + `,"Action":«"ssm:GetParameter"»`)},
		{"UNSUPPORTED_ACTION_IN_POLICY", policy.Error, policy.ParameterPolicy, doc(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Resource":"*","Action":«"kms:Decrypt"»`)},
		{"REDUNDANT_ACTION", policy.Suggestion, id, head(`["kms:*",«"KMS:Decrypt"»]`, `"*"`)},
		{"REDUNDANT_ACTION", policy.Suggestion, id, head(`[«"kms:De*"»,"kms:D*"]`, `"*"`)},
		{"REDUNDANT_ACTION", policy.Suggestion, id, head(`["kms:Decrypt","kms:Encrypt",«"kms:decrypt"»]`, `"*"`)},
		{"REDUNDANT_ACTION", policy.Suggestion, id, head(`["kms:*key**",«"kms:D?sableKey"»]`, `"*"`)},
		{"RCP_SYNTAX_WILDCARD_ACTION", policy.Warning, policy.RCP, doc(`"Effect":"Deny","Principal":"*","Resource":"*","Action":«"*"»`)},
		{"MISMATCHED_ACTION_FOR_PRINCIPAL", policy.Error, trust, doc(`"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":«"sts:AssumeRole"»`)},
		{"MISMATCHED_ACTION_FOR_PRINCIPAL", policy.Error, trust, doc(`"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":«"sts:AssumeRoleWithSAML"»`)},
		{"MISMATCHED_ACTION_FOR_PRINCIPAL", policy.Error, trust, doc(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["sts:AssumeRole",«"sts:AssumeRoleWithWebIdentity"»]`)},
		{"MISMATCHED_ACTION_FOR_PRINCIPAL", policy.Error, trust, doc(`"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:saml-provider/p"},"Action":«"sts:AssumeRoleWithWebIdentity"»`)},

		{"MISSING_RESOURCE", policy.Error, key, `{"Version":"2012-10-17","Statement":[«{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*"}»]}`},
		{"EMPTY_ARRAY_RESOURCE", policy.Suggestion, key, doc(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":«[]»`)},
		{"INVALID_ARN_RESOURCE", policy.Error, key, doc(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":«"this"»`)},
		{"INVALID_ARN_RESOURCE", policy.Error, id, head(`"kms:*"`, `«"arn:aws:kms:us-east-1:111122223333:1234abcd"»`)},
		{"INVALID_ARN_RESOURCE", policy.Error, id, head(`"kms:*"`, `«"arn:aws:kms:us-east-1:111122223333:x*"»`)},
		{"MISSING_ARN_FIELD", policy.Error, id, head(`"kms:*"`, `«"arn:aws:kms"»`)},
		{"MISSING_ARN_FIELD", policy.Error, id, head(`"kms:*"`, `«"arn:aws:sns:::"»`)},
		{"INVALID_ARN_PREFIX", policy.Error, id, head(`"kms:*"`, `«"ARN:aws:kms:us-east-1:111122223333:key/k"»`)},
		{"INVALID_ARN_SERVICE_CASE", policy.Error, id, head(`"kms:*"`, `«"arn:aws:KMS:us-east-1:111122223333:key/k"»`)},
		{"INVALID_ARN_REGION", policy.Error, id, head(`"kms:*"`, `«"arn:aws:kms:us east:111122223333:key/k"»`)},
		{"INVALID_ARN_ACCOUNT", policy.Error, id, head(`"kms:*"`, `«"arn:aws:kms:us-east-1:1111222233334:key/k"»`)},
		{"ARN_ACCOUNT_NOT_ALLOWED", policy.Error, id, head(`"s3:*"`, `«"arn:aws:s3::111122223333:box"»`)},
		{"UNSUPPORTED_RESOURCE_ARN_IN_POLICY", policy.Error, key, doc(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":«"arn:aws:kms:us-east-1:111122223333:alias/a"»`)},
		{"UNSUPPORTED_RESOURCE_ARN_IN_POLICY", policy.Error, key, doc(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":«"arn:aws:s3:::box"»`)},
		{"REDUNDANT_RESOURCE", policy.Suggestion, id, head(`"kms:*"`, `["*",«"arn:aws:kms:us-east-1:111122223333:key/k"»]`)},

		{"VARIABLE_UNSUPPORTED_IN_ELEMENT", policy.Error, id, head(`"kms:*"`, `«"arn:aws:kms:us-east-1:${aws:PrincipalAccount}:key/k"»`)},
		{"VARIABLE_UNSUPPORTED_IN_VERSION", policy.Warning, key, `{"Version":"2008-10-17","Statement":{` + minimal[key] + `,"Condition":{"StringEquals":{"aws:PrincipalTag/a":«"${aws:username}"»}}}}`},
		{"MISSING_BRACE_IN_VARIABLE", policy.Error, id, when(`"StringEquals":{"aws:PrincipalTag/a":«"${aws:username"»}`)},
		{"MISSING_BRACE_IN_VARIABLE", policy.Error, id, when(`"StringEquals":{"aws:PrincipalTag/a":«"${aws:userid} ${"»}`)},
		{"EMPTY_VARIABLE", policy.Error, id, when(`"StringEquals":{"aws:PrincipalTag/a":«"${}"»}`)},
		{"EMPTY_VARIABLE", policy.Error, id, when(`"StringEquals":{"aws:PrincipalTag/a":«"${, 'x'}"»}`)},
		{"UNSUPPORTED_SPACE_IN_VARIABLE", policy.Error, id, when(`"StringEquals":{"aws:PrincipalTag/a":«"${aws:user name}"»}`)},
		{"MISSING_QUOTE_IN_VARIABLE", policy.Error, id, when(`"StringEquals":{"aws:PrincipalTag/a":«"${aws:username, x}"»}`)},
		{"MISSING_QUOTE_IN_VARIABLE", policy.Error, id, when(`"StringEquals":{"aws:PrincipalTag/a":«"${aws:username, 'x}"»}`)},
		{"INVALID_VARIABLE_FOR_OPERATOR", policy.Error, id, when(`"Bool":{"aws:SecureTransport":«"${aws:SecureTransport}"»}`)},
		{"INVALID_VARIABLE_FOR_OPERATOR", policy.Error, id, when(`"NumericEquals":{"aws:MultiFactorAuthAge":«"${aws:EpochTime}"»}`)},

		{"EMPTY_ARRAY_PRINCIPAL", policy.Suggestion, key, doc(`"Effect":"Allow","Principal":«[]»,"Action":"kms:*","Resource":"*"`)},
		{"EMPTY_ARRAY_PRINCIPAL", policy.Suggestion, key, doc(`"Effect":"Allow","Principal":{"AWS":«[]»},"Action":"kms:*","Resource":"*"`)},
		{"EMPTY_OBJECT_PRINCIPAL", policy.Suggestion, key, doc(`"Effect":"Allow","Principal":«{}»,"Action":"kms:*","Resource":"*"`)},
		{"DENY_WITH_NOT_PRINCIPAL", policy.SecurityWarning, key, doc(`"Effect":"Deny","NotPrincipal":«{"AWS":"111122223333"}»,"Action":"kms:*","Resource":"*"`)},
		{"ALLOW_WITH_PUBLIC_PRINCIPAL", policy.SecurityWarning, key, doc(`"Effect":"Allow","Principal":«"*"»,"Action":"kms:*","Resource":"*"`)},
		{"ALLOW_WITH_PUBLIC_PRINCIPAL", policy.SecurityWarning, secret, doc(`"Effect":"Allow","Principal":«{"AWS":["111122223333","*"]}»,"Action":"secretsmanager:*","Resource":"*"`)},
		{"INVALID_SERVICE_PRINCIPAL_FORMAT", policy.Error, trust, doc(`"Effect":"Allow","Principal":{"Service":«"logs.example.com"»},"Action":"sts:AssumeRole"`)},
		{"RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", policy.SecurityWarning, key, doc(service)},
		{"MISSING_PAIRED_CONDITION_KEYS", policy.SecurityWarning, key, doc(service + `,"Condition":{"ArnLike":{"AWS:sourceArn":"arn:aws:s3:::box"}}`)},

		{"EMPTY_OBJECT_CONDITION", policy.Suggestion, id, doc(allow + `,"Condition":«{}»`)},
		{"EMPTY_OBJECT_CONDITION", policy.Suggestion, id, when(`"Bool":«{}»`)},
		{"INVALID_CONDITION_OPERATOR", policy.Warning, id, when(`"stringequals":«{"aws:username":"x"}»`)},
		{"DUPLICATE_KEYS_WITH_DIFFERENT_CASE", policy.Error, id, when(`"StringEquals":{"aws:username":"x","aws:UserName":«"y"»}`)},
		{"NULL_WITH_IF_EXISTS", policy.Error, id, when(`"NullIfExists":«{"aws:username":"true"}»`)},
		{"NULL_WITH_QUALIFIER", policy.Suggestion, id, when(`"ForAnyValue:Null":«{"aws:TagKeys":"true"}»`)},
		{"INVALID_CONDITION_KEY_FORMAT", policy.Error, id, when(`"StringEquals":{"username":«"x"»}`)},
		{"INVALID_CONDITION_KEY_FORMAT", policy.Error, id, when(`"StringEquals":{"a b:c":«"x"»}`)},
		{"INVALID_CONDITION_KEY_FORMAT", policy.Error, id, when(`"StringEquals":{"aws:Principal*":«"x"»}`)},
		{"MISSING_TAG_KEY", policy.Error, id, when(`"StringEquals":{"aws:ResourceTag":«"x"»}`)},
		{"MISSING_TAG_KEY", policy.Error, id, when(`"StringEquals":{"aws:RequestTag/":«"x"»}`)},
		{"INVALID_GLOBAL_CONDITION_KEY", policy.Error, id, when(`"StringEquals":{"aws:UserNames":«"x"»}`)},
		{"INVALID_SERVICE_CONDITION_KEY", policy.Error, id, when(`"StringEquals":{"kms:ViaServices":«"x"»}`)},
		{"DEPRECATED_CONDITION_KEY", policy.Warning, id, when(`"StringEquals":{"kms:CustomerMasterKeyUsage":«"SIGN_VERIFY"»}`)},
		{"MISSING_QUALIFIER", policy.Error, id, when(`"StringEquals":{"kms:EncryptionContextKeys":«"x"»}`)},
		{"FOR_ALL_VALUES_WITH_SINGLE_VALUED_KEY", policy.SecurityWarning, id, when(`"ForAllValues:StringEquals":{"kms:EncryptionContext:Dept":«"x"»}`)},
		{"EMPTY_ARRAY_CONDITION", policy.Suggestion, id, when(`"StringEquals":{"aws:username":«[]»}`)},
		{"EMPTY_ARRAY_CONDITION_IF_EXISTS", policy.Suggestion, id, when(`"StringEqualsIfExists":{"aws:username":«[]»}`)},
		{"EMPTY_ARRAY_CONDITION_FOR_ALL_VALUES", policy.Suggestion, id, when(`"ForAllValues:StringEquals":{"aws:TagKeys":«[]»}`)},
		{"EMPTY_ARRAY_CONDITION_FOR_ANY_VALUE", policy.Suggestion, id, when(`"ForAnyValue:StringEquals":{"aws:TagKeys":«[]»}`)},
		{"TYPE_MISMATCH", policy.Warning, id, when(`"StringEquals":{"aws:SourceIp":«"203.0.113.1"»}`)},
		{"TYPE_MISMATCH", policy.Warning, id, when(`"NumericEquals":{"aws:CurrentTime":«"5"»}`)},
		{"TYPE_MISMATCH", policy.Warning, id, when(`"DateEquals":{"aws:username":«"2027-01-01"»}`)},
		{"TYPE_MISMATCH", policy.Warning, id, when(`"ArnEquals":{"aws:SecureTransport":«"arn:aws:s3:::b"»}`)},
		{"TYPE_MISMATCH", policy.Warning, id, when(`"IpAddress":{"aws:SourceVpc":«"10.0.0.1"»}`)},
		{"TYPE_MISMATCH", policy.Warning, id, when(`"Bool":{"aws:MultiFactorAuthAge":«"true"»}`)},
		{"INVALID_CONDITION_MULTIPLE_BOOLEAN", policy.Error, id, when(`"Bool":{"aws:SecureTransport":«["true","false"]»}`)},
		{"WILDCARD_WITHOUT_LIKE_OPERATOR", policy.Warning, id, when(`"StringEquals":{"kms:RequestAlias":«"alias/*"»}`)},
		{"INVALID_CONDITION_DATA_TYPE", policy.Error, id, when(`"NumericLessThan":{"aws:MultiFactorAuthAge":«"5m"»}`)},
		{"INVALID_CONDITION_DATA_TYPE", policy.Error, id, when(`"NumericLessThan":{"aws:MultiFactorAuthAge":«"NaN"»}`)},
		{"INVALID_CONDITION_DATA_TYPE", policy.Error, id, when(`"Bool":{"aws:SecureTransport":«"yes"»}`)},
		{"INVALID_CONDITION_DATA_TYPE", policy.Error, id, when(`"Null":{"aws:TagKeys":«"absent"»}`)},
		{"INVALID_CONDITION_DATA_TYPE", policy.Error, id, when(`"BinaryEquals":{"a:b":«"!"»}`)},
		{"INVALID_CONDITION_DATA_TYPE", policy.Error, id, when(`"IpAddress":{"aws:SourceIp":«"203.0.113.256"»}`)},
		{"INVALID_CONDITION_DATA_TYPE", policy.Error, id, when(`"IpAddress":{"aws:SourceIp":«"203.0.113.0/33"»}`)},
		{"INVALID_DATE_VALUE", policy.Error, key, doc(minimal[key] + `,"Condition":{"DateEquals":{"aws:CurrentTime":«"soon"»}}`)},
		{"INVALID_DATE_VALUE", policy.Error, id, when(`"DateEquals":{"aws:CurrentTime":«"01T"»}`)},
		{"MISSING_ARN_FIELD", policy.Error, id, when(`"ArnLike":{"aws:SourceArn":«"${aws:username}"»}`)},
		{"MISSING_ARN_FIELD", policy.Error, id, when(`"ArnLike":{"aws:SourceArn":«"arn:aws:s3"»}`)},
		{"IMPROVE_IP_RANGE", policy.Suggestion, id, when(`"IpAddress":{"aws:SourceIp":«"203.0.113.9/24"»}`)},
		{"PRIVATE_IP_ADDRESS", policy.Error, id, when(`"IpAddress":{"aws:SourceIp":«["10.0.0.0/8","192.168.0.1"]»}`)},
		{"INVALID_VPC_FORMAT", policy.Error, id, when(`"StringEquals":{"aws:SourceVpc":«"vpce-1"»}`)},
		{"INVALID_VPCE_FORMAT", policy.Error, id, when(`"StringEquals":{"aws:SourceVpce":«"vpc-1"»}`)},
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			text, start, end := marked(t, c.text)
			_, findings := parse(t, c.kind, text)
			require.Len(t, findings, 1, "%s: %v", text, findings)
			f := findings[0]
			require.Equal(t, c.code, f.Code)
			require.Equal(t, c.severity, f.Severity)
			require.Equal(t, start, f.Position.Offset)
			require.NotEmpty(t, f.Message)
			require.Contains(t, f.String(), f.Message)
			require.Contains(t, f.String(), f.Severity.String()+" "+c.code)
			require.Equal(t, text[start:end], resolve(t, text, f.Pointer))
		})
	}
}

// TestNoFindings has documents that are as they should be.
func TestNoFindings(t *testing.T) {
	t.Parallel()
	for k, texts := range map[policy.Kind][]string{
		policy.KeyPolicy: {
			doc(`"Sid":"Enable IAM User Permissions",` + minimal[policy.KeyPolicy]),
			doc(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":["kms:Decrypt","kms:Encrypt"],"Resource":"*","Condition":{"StringEquals":{"kms:CallerAccount":"111122223333","kms:ViaService":"ssm.us-east-1.amazonaws.com"}}`),
			doc(`"Effect":"Allow","Principal":{"Service":"logs.eu-west-1.amazonaws.com"},"Action":"kms:*","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:logs:eu-west-1:111122223333:*"}}`),
			doc(`"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}`),
			doc(`"Effect":"Deny","Principal":"*","Action":"kms:ListKeys","Resource":"*"`),
			doc(`"Effect":"Deny","Principal":"*","NotAction":["iam:*","kms:ListKeys"],"Resource":"*"`),
			doc(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"arn:aws:kms:us-east-1:111122223333:key/mrk-1"`),
		},
		policy.Identity: {
			doc(`"Effect":"Allow","Action":["kms:Re*","kms:De?rypt","kms:*Key"],"Resource":["arn:aws:kms:*:111122223333:key/*","arn:aws:kms:us-east-1:*:alias/app-${aws:PrincipalTag/team, 'none'}"]`),
			doc(`"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::box/${aws:username}/*","arn:aws:s3::111122223333:accesspoint/m.mrap"]`),
			doc(`"Effect":"Allow","Action":"iam:*","Resource":["arn:aws:iam::aws:policy/*","arn:aws:iam::111122223333:role/r"]`),
			doc(`"Effect":"Deny","NotAction":"iam:*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"},
				"Null":{"aws:TagKeys":"false"},"ForAnyValue:StringLike":{"aws:TagKeys":["a*"],"aws:PrincipalOrgPaths":"o-1/*"},
				"StringLike":{"kms:RequestAlias":"alias/${*}x*","kms:EncryptionContext:a b":"c","a:b":"${c, '}'}"},
				"StringEquals":{"kms:RequestAlias":"alias/${*}"},
				"NumericLessThan":{"aws:MultiFactorAuthAge":[300,"5e2"],"aws:EpochTime":1},"DateLessThan":{"aws:EpochTime":"2027-01-01","kms:ValidTo":"0"},
				"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32","10.0.0.1"],"aws:VpcSourceIp":"10.0.0.0/8"},
				"ArnLike":{"aws:PrincipalArn":["*","arn:aws:iam::*:role/*","arn:aws:iam::${aws:PrincipalAccount}:role/*"]},"BinaryEquals":{"x:y":"QUJD"},"Bool":{"a:b":"TRUE"},
				"StringEqualsIfExists":{"aws:SourceVpc":["vpc-1","${aws:PrincipalTag/vpc}"],"aws:SourceVpce":"vpce-1"}}`),
		},
		policy.Trust: {
			doc(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:*"`),
			doc(`"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]`),
			doc(`"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:saml-provider/p"},"Action":"sts:AssumeRoleWithSAML"`),
			doc(`"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/p"},"Action":"sts:AssumeRoleWithWebIdentity"`),
		},
		policy.VPCEndpoint: {doc(minimal[policy.VPCEndpoint])},
		policy.RCP: {
			doc(minimal[policy.RCP]),
			doc(`"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"`),
		},
		policy.SCP:             {doc(minimal[policy.SCP])},
		policy.SecretPolicy:    {doc(minimal[policy.SecretPolicy])},
		policy.ParameterPolicy: {doc(minimal[policy.ParameterPolicy])},
	} {
		for _, text := range texts {
			_, findings := parse(t, k, text)
			require.Empty(t, findings, text)
		}
	}
}

// TestFindingsOrder has several findings, which come in the order of the document.
func TestFindingsOrder(t *testing.T) {
	t.Parallel()
	_, findings := parse(t, policy.Identity, `{"Statement":[
		{"Resource":["arn:aws:kms","*"],"Condition":{"x":{},"ForAllValues:nullifexists":{"nokey":[1,2]}},
		 "Action":["*:*","kms:a b"],"Effect":"Allow","Sid":""}],"Id":"","Version":"2012-10-17"}`)
	require.Equal(t, "MISSING_ARN_FIELD REDUNDANT_RESOURCE EMPTY_OBJECT_CONDITION "+
		"INVALID_CONDITION_OPERATOR INVALID_CONDITION_OPERATOR NULL_WITH_IF_EXISTS NULL_WITH_QUALIFIER "+
		"INVALID_CONDITION_KEY_FORMAT INVALID_CONDITION_MULTIPLE_BOOLEAN INVALID_CONDITION_DATA_TYPE "+
		"INVALID_CONDITION_DATA_TYPE WILDCARD_IN_SERVICE_NAME INVALID_ACTION REDUNDANT_ACTION EMPTY_SID_VALUE "+
		"UNSUPPORTED_ID", codes(findings))
}

// TestHostileLint has documents for which a careless linter takes very long. The
// test fails by running into the deadline of go test.
func TestHostileLint(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("*a", 400)
	var list []string
	for i := range 1200 {
		list = append(list, `"kms:`+long[:800-i%7]+`"`)
	}
	_, findings := parse(t, policy.Identity, doc(`"Effect":"Allow","Resource":"*","Action":[`+strings.Join(list, ",")+`]`))
	require.LessOrEqual(t, len(findings), 1000)

	many := strings.Repeat(`"",`, 100_000)
	_, findings = parse(t, policy.ParameterPolicy, doc(`"Effect":"Allow","Principal":"*","Resource":"*","Action":[`+many+`""]`))
	require.Len(t, findings, 1000)
}

// TestSubsumes compares patterns through what is reported as redundant.
func TestSubsumes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wide, narrow string
		want         bool
	}{
		{"a*", "a", true},
		{"a*", "ab*", true},
		{"a*c", "abc", true},
		{"*b*d", "abcd", true},
		{"*b*d", "abcde", false},
		{"a?c", "abc", true},
		{"a?c", "a*c", false},
		{"a??", "a?c", true},
		{"a?", "ab?", false},
		{"*a*a*", "xaya", true},
		{"*a*a*b", "xayaz", false},
		{"a.c", "abc", false},
	} {
		_, findings := parse(t, policy.Identity, doc(`"Effect":"Allow","Resource":"*","Action":["x:`+c.wide+`","x:`+c.narrow+`"]`))
		redundant := slices.ContainsFunc(findings, func(f policy.Finding) bool {
			return f.Code == "REDUNDANT_ACTION" && f.Pointer == "/Statement/0/Action/1"
		})
		require.Equal(t, c.want, redundant, "%q and %q", c.wide, c.narrow)
	}
}

func TestSeverity(t *testing.T) {
	t.Parallel()
	require.Less(t, policy.Suggestion, policy.Warning)
	require.Less(t, policy.Warning, policy.SecurityWarning)
	require.Less(t, policy.SecurityWarning, policy.Error)
	require.Equal(t, "security warning", policy.SecurityWarning.String())
	require.Equal(t, "Severity(0)", policy.Severity(0).String())
}
