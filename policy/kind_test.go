package policy_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

const organizations = "The provided policy document does not meet the requirements of the specified policy type."

// own stands for a message in the words of this package, where those of AWS are
// not known.
const own = ""

func TestKindElements(t *testing.T) {
	t.Parallel()
	for _, k := range allKinds {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			_, findings := parse(t, k, doc(minimal[k]))
			for _, f := range findings {
				require.NotEqual(t, policy.Error, f.Severity, f)
			}
		})
	}
	for _, c := range []struct {
		name    string
		kind    policy.Kind
		changes []string
		code    string // empty if accepted
		message string
		pointer string
	}{
		{"key policy without a principal", policy.KeyPolicy, []string{`"Principal":`},
			"MalformedPolicyDocumentException", "Policy contains a statement with no principal.", "/Statement/0"},
		{"key policy without an action", policy.KeyPolicy, []string{`"Action":`}, "", "", ""},
		{"key policy with no actions", policy.KeyPolicy, []string{`"Action":[]`}, "", "", ""},
		{"key policy without a resource", policy.KeyPolicy, []string{`"Resource":`}, "", "", ""},
		{"key policy about a key", policy.KeyPolicy, []string{`"Resource":"arn:aws:kms:us-east-1:111122223333:key/k"`}, "", "", ""},
		{"key policy about something else", policy.KeyPolicy, []string{`"Resource":"this key"`}, "", "", ""},
		{"key policy with an action of no service", policy.KeyPolicy, []string{`"Action":"Decrypt"`}, "", "", ""},
		{"key policy with a sentence as Sid", policy.KeyPolicy, []string{`"Sid":"Allow use of the key"`}, "", "", ""},
		{"key policy with a bad date", policy.KeyPolicy, []string{`"Condition":{"DateEquals":{"aws:CurrentTime":"soon"}}`}, "", "", ""},
		{"key policy with an effect in lower case", policy.KeyPolicy, []string{`"Effect":"allow"`},
			"MalformedPolicyDocumentException", own, "/Statement/0/Effect"},
		{"key policy with an unknown operator", policy.KeyPolicy, []string{`"Condition":{"StringIs":{"a:b":"c"}}`},
			"MalformedPolicyDocumentException", own, "/Statement/0/Condition/StringIs"},
		{"key policy that denies all but some", policy.KeyPolicy, []string{`"Effect":"Deny"`, `"Principal":`, `"NotPrincipal":{"AWS":"111122223333"}`}, "", "", ""},
		{"key policy that allows all but some", policy.KeyPolicy, []string{`"Principal":`, `"NotPrincipal":{"AWS":"111122223333"}`},
			"MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.", "/Statement/0/NotPrincipal"},

		{"secret policy without a principal", policy.SecretPolicy, []string{`"Principal":`}, "MalformedPolicyDocumentException", "This policy has invalid syntax.", "/Statement/0"},
		{"secret policy without an action", policy.SecretPolicy, []string{`"Action":`}, "MalformedPolicyDocumentException", "This policy has invalid syntax.", "/Statement/0"},
		{"secret policy without a resource", policy.SecretPolicy, []string{`"Resource":`}, "MalformedPolicyDocumentException", "This policy has invalid syntax.", "/Statement/0"},
		{"secret policy with an unsupported principal", policy.SecretPolicy, []string{`"Principal":{"AWS":"arn:aws:iam::111122223333:group/g"}`},
			"MalformedPolicyDocumentException", "This resource policy contains an unsupported principal.", "/Statement/0/Principal/AWS"},
		{"parameter policy without a principal", policy.ParameterPolicy, []string{`"Principal":`}, "MalformedResourcePolicyDocumentException", own, "/Statement/0"},
		{"parameter policy without a resource", policy.ParameterPolicy, []string{`"Resource":`}, "MalformedResourcePolicyDocumentException", own, "/Statement/0"},
		{"endpoint policy without a principal", policy.VPCEndpoint, []string{`"Principal":`}, "InvalidPolicyDocument", own, "/Statement/0"},
		{"endpoint policy without a resource", policy.VPCEndpoint, []string{`"Resource":`}, "InvalidPolicyDocument", own, "/Statement/0"},
		{"endpoint policy with a group", policy.VPCEndpoint, []string{`"Principal":{"AWS":"arn:aws:iam::111122223333:group/g"}`}, "InvalidPolicyDocument", own, "/Statement/0/Principal/AWS"},

		{"trust policy with a resource", policy.Trust, []string{`"Resource":"*"`},
			"MalformedPolicyDocument", "Has prohibited field Resource.", "/Statement/0/Resource"},
		{"trust policy with a negated resource", policy.Trust, []string{`"NotResource":"*"`},
			"MalformedPolicyDocument", "Has prohibited field NotResource.", "/Statement/0/NotResource"},
		{"trust policy without a principal", policy.Trust, []string{`"Principal":`}, "MalformedPolicyDocument",
			"Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a statement with no principals!", "/Statement/0"},
		{"trust policy with no principals", policy.Trust, []string{`"Principal":{"AWS":[]}`}, "MalformedPolicyDocument",
			"Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a statement with no principals!", "/Statement/0/Principal"},
		{"trust policy for a star", policy.Trust, []string{`"Principal":"*"`}, "MalformedPolicyDocument",
			`Invalid principal in policy: "STAR":"*"`, "/Statement/0/Principal"},
		{"trust policy for anyone", policy.Trust, []string{`"Principal":{"AWS":"*"}`}, "", "", ""},
		{"trust policy for a group", policy.Trust, []string{`"Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:group/g"]}`}, "MalformedPolicyDocument",
			`Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:group/g"`, "/Statement/0/Principal/AWS/1"},
		{"trust policy for all but some", policy.Trust, []string{`"Effect":"Deny"`, `"Principal":`, `"NotPrincipal":{"AWS":"111122223333"}`},
			"MalformedPolicyDocument", syntax, "/Statement/0/NotPrincipal"},
		{"trust policy about keys", policy.Trust, []string{`"Action":["sts:TagSession","kms:Decrypt"]`}, "MalformedPolicyDocument",
			"Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity", "/Statement/0/Action/1"},
		{"trust policy about everything", policy.Trust, []string{`"Action":"*"`}, "MalformedPolicyDocument",
			"Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity", "/Statement/0/Action"},
		{"trust policy without an action", policy.Trust, []string{`"Action":`}, "MalformedPolicyDocument", "Policy statement must contain actions.", "/Statement/0"},
		{"trust policy with an effect in lower case", policy.Trust, []string{`"Effect":"allow"`}, "MalformedPolicyDocument", legacy, "/Statement/0/Effect"},

		{"SCP with a principal", policy.SCP, []string{`"Principal":"*"`}, "MalformedPolicyDocumentException", organizations, "/Statement/0/Principal"},
		{"SCP without a resource", policy.SCP, []string{`"Resource":`}, "MalformedPolicyDocumentException", organizations, "/Statement/0"},
		{"SCP with a bad action", policy.SCP, []string{`"Action":"Decrypt"`}, "MalformedPolicyDocumentException", organizations, "/Statement/0/Action"},
		{"SCP in the whole language", policy.SCP, []string{`"Effect":"Allow"`, `"Action":`, `"NotAction":"iam:*Role*"`, `"Resource":`,
			`"NotResource":"arn:aws:kms:*:*:key/k"`, `"Condition":{"Bool":{"aws:SecureTransport":"true"}}`}, "", "", ""},

		{"RCP that allows", policy.RCP, []string{`"Effect":"Allow"`}, "MalformedPolicyDocumentException", organizations, "/Statement/0/Effect"},
		{"AWS's own RCP", policy.RCP, []string{`"Effect":"Allow"`, `"Action":"*"`}, "", "", ""},
		{"RCP for some", policy.RCP, []string{`"Principal":{"AWS":"111122223333"}`}, "MalformedPolicyDocumentException", organizations, "/Statement/0/Principal"},
		{"RCP for nobody", policy.RCP, []string{`"Principal":`}, "MalformedPolicyDocumentException", organizations, "/Statement/0"},
		{"RCP for all but some", policy.RCP, []string{`"Principal":`, `"NotPrincipal":"*"`}, "MalformedPolicyDocumentException", organizations, "/Statement/0/NotPrincipal"},
		{"RCP about all but some", policy.RCP, []string{`"Action":`, `"NotAction":"kms:*"`}, "MalformedPolicyDocumentException", organizations, "/Statement/0/NotAction"},
		{"RCP about all but some resources", policy.RCP, []string{`"Resource":`, `"NotResource":"arn:aws:kms:*:*:key/k"`}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := with(t, c.kind, c.changes...)
			if c.code == "" {
				parse(t, c.kind, text)
				return
			}
			e := refused(t, c.kind, text)
			require.Equal(t, c.code, e.Code)
			require.Equal(t, c.pointer, e.Pointer)
			if c.message == own {
				require.Equal(t, e.Reason, e.Message)
			} else {
				require.Equal(t, c.message, e.Message)
			}
		})
	}
}

// TestKindVersion covers which kinds accept the language of 2008.
func TestKindVersion(t *testing.T) {
	t.Parallel()
	latest := map[policy.Kind]bool{policy.Identity: true, policy.Boundary: true, policy.Session: true,
		policy.SCP: true, policy.RCP: true}
	for _, k := range allKinds {
		for _, version := range []string{``, `"Version":"2008-10-17",`} {
			text := `{` + version + `"Statement":{` + minimal[k] + `}}`
			if latest[k] {
				refused(t, k, text)
				continue
			}
			d, _ := parse(t, k, text)
			require.Equal(t, strings.Trim(strings.TrimPrefix(version, `"Version":`), `",`), d.Version)
		}
		refused(t, k, `{"Version":"2012-10-18","Statement":{`+minimal[k]+`}}`)
	}
}

// TestKindSids covers which kinds restrict Sids.
func TestKindSids(t *testing.T) {
	t.Parallel()
	free := map[policy.Kind]bool{policy.KeyPolicy: true, policy.SecretPolicy: true,
		policy.ParameterPolicy: true, policy.VPCEndpoint: true}
	for _, k := range allKinds {
		for _, text := range []string{
			doc(`"Sid":"two words",` + minimal[k]),
			doc(`"Sid":"twice",`+minimal[k], `"Sid":"twice",`+minimal[k]),
		} {
			if free[k] {
				parse(t, k, text)
			} else {
				require.True(t, strings.HasSuffix(refused(t, k, text).Pointer, "/Sid"))
			}
		}
	}
}

// TestSizes has a document of exactly the greatest size, and one that is larger by
// one. White space and two-byte characters count where the service counts them.
func TestSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind    policy.Kind
		max     int
		code    string
		count   func(string) int
		message string
	}{
		{policy.KeyPolicy, 32768, "LimitExceededException", func(s string) int { return len(s) }, own},
		{policy.Session, 2048, "PackedPolicyTooLarge", utf8.RuneCountInString, own},
		{policy.SCP, 5120, "ConstraintViolationException", utf8.RuneCountInString, own},
		{policy.RCP, 5120, "ConstraintViolationException", utf8.RuneCountInString, own},
		{policy.SecretPolicy, 20480, "InvalidParameterException", utf8.RuneCountInString, own},
		{policy.VPCEndpoint, 20480, "InvalidPolicyDocument", utf8.RuneCountInString, own},
		{policy.Trust, 8192, "LimitExceeded", func(s string) int {
			return utf8.RuneCountInString(strings.Join(strings.Fields(s), ""))
		}, "Cannot exceed quota for ACLSizePerRole: 8192"},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			t.Parallel()
			for _, filler := range []string{"x", " ", "é"} {
				text := `{"Version":"2012-10-17","Id":"` + "§" + `","Statement":[{` + minimal[c.kind] + `}]}`
				unit := c.count(strings.Replace(text, "§", filler, 1)) - c.count(strings.Replace(text, "§", "", 1))
				if unit == 0 { // white space is free
					parse(t, c.kind, strings.Replace(text, "§", strings.Repeat(filler, 2*c.max), 1))
					continue
				}
				n := (c.max - c.count(strings.Replace(text, "§", "", 1))) / unit
				fits := strings.Replace(text, "§", strings.Repeat(filler, n), 1)
				require.Greater(t, c.count(fits), c.max-unit)
				parse(t, c.kind, fits)
				e := refused(t, c.kind, strings.Replace(text, "§", strings.Repeat(filler, n+1), 1))
				require.Equal(t, c.code, e.Code)
				require.Equal(t, "1:1", place(e.Position))
				if c.message == own {
					require.Equal(t, e.Reason, e.Message)
				} else {
					require.Equal(t, c.message, e.Message)
				}
			}
		})
	}
}

// TestSizeFindings covers the quotas that AWS raises on request and ignores for
// its own policies.
func TestSizeFindings(t *testing.T) {
	t.Parallel()
	for k, quota := range map[policy.Kind]int{policy.Identity: 6144, policy.Boundary: 6144, policy.Trust: 2048} {
		text := `{"Version":"2012-10-17","Id":"§","Statement":[{` + minimal[k] + `}]}`
		n := quota - len(text) + len("§")
		fits := strings.Replace(text, "§", strings.Repeat("x", n)+strings.Repeat(" ", 500), 1)
		_, findings := parse(t, k, fits)
		require.NotContains(t, codes(findings), "QUOTA")
		_, findings = parse(t, k, strings.Replace(fits, "x", "xx", 1))
		require.Contains(t, codes(findings), "QUOTA")
	}
}

// codes returns the codes of all findings.
func codes(findings []policy.Finding) string {
	var list []string
	for _, f := range findings {
		list = append(list, f.Code)
	}
	return strings.Join(list, " ")
}

// TestLargePolicies has policies of AWS's size, and one beyond what is read at
// all.
func TestLargePolicies(t *testing.T) {
	t.Parallel()
	var statements []string
	for range 3000 {
		statements = append(statements, minimal[policy.Identity])
	}
	d, _ := parse(t, policy.Identity, doc(statements...))
	require.Len(t, d.Statements, 3000)

	text := `{"Version":"2012-10-17","Id":"§","Statement":[{` + minimal[policy.ParameterPolicy] + `}]}`
	n := 1<<20 - len(text) + len("§")
	parse(t, policy.ParameterPolicy, strings.Replace(text, "§", strings.Repeat("x", n), 1))
	e := refused(t, policy.ParameterPolicy, strings.Replace(text, "§", strings.Repeat("x", n+1), 1))
	require.Equal(t, "MalformedResourcePolicyDocumentException", e.Code)
}

func TestUnknownKind(t *testing.T) {
	t.Parallel()
	for _, k := range []policy.Kind{0, policy.VPCEndpoint + 1, 255} {
		e := refused(t, k, doc(minimal[policy.Identity]))
		require.Equal(t, "ValidationException", e.Code)
	}
	require.Equal(t, "key policy", policy.KeyPolicy.String())
	require.Equal(t, "Kind(0)", policy.Kind(0).String())
	require.Equal(t, "Kind(200)", policy.Kind(200).String())
	require.Equal(t, "Effect(0)", policy.Effect(0).String())
}

func TestPrincipalForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		principal string
		ok        bool
	}{
		{`"*"`, true},
		{`{"AWS":"*"}`, true},
		{`{}`, true},
		{`[]`, true},
		{`{"AWS":[]}`, true},
		{`{"AWS":"111122223333"}`, true},
		{`{"AWS":"arn:aws:iam::111122223333:root"}`, true},
		{`{"AWS":"arn:aws-cn:iam::111122223333:root"}`, true},
		{`{"AWS":"arn:aws:iam::111122223333:user/a/path/alice"}`, true},
		{`{"AWS":"arn:aws:iam::111122223333:role/app/Svc"}`, true},
		{`{"AWS":"arn:aws:iam::111122223333:role/r+=,.@_-1"}`, true},
		{`{"AWS":"arn:aws:sts::111122223333:assumed-role/Svc/s1"}`, true},
		{`{"AWS":"arn:aws:sts::111122223333:federated-user/fred"}`, true},
		{`{"AWS":["111122223333","111122223333"]}`, true},
		{`{"AWS":["111122223333"],"Service":["logs.amazonaws.com"]}`, true},
		{`{"Service":"logs.eu-west-1.amazonaws.com"}`, true},
		{`{"Service":"ec2.amazonaws.com.cn"}`, true},
		{`{"Federated":"cognito-identity.amazonaws.com"}`, true},
		{`{"Federated":"graph.facebook.com"}`, true},
		{`{"Federated":"arn:aws:iam::111122223333:saml-provider/Idp"}`, true},
		{`{"Federated":"arn:aws:iam::111122223333:oidc-provider/tokens.example.com/path"}`, true},

		{`{"AWS":"arn:aws:iam::111122223333:user/*"}`, false},
		{`{"AWS":"arn:aws:iam::*:root"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:role/Admin?"}`, false},
		{`{"AWS":"arn:aws:sts::111122223333:assumed-role/Svc/*"}`, false},
		{`{"AWS":"1111*"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:group/admins"}`, false},
		{`{"AWS":"AIDACKCEVSQ6C2EXAMPLE"}`, false},
		{`{"AWS":"AROACKCEVSQ6C2EXAMPLE"}`, false},
		{`{"AWS":"11112222333"}`, false},
		{`{"AWS":"1111222233334"}`, false},
		{`{"AWS":"11112222333x"}`, false},
		{`{"AWS":""}`, false},
		{`{"AWS":"alice"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:user/"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:user/path/"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:user"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:root/x"}`, false},
		{`{"AWS":"arn:aws:iam:us-east-1:111122223333:root"}`, false},
		{`{"AWS":"arn:amazon:iam::111122223333:root"}`, false},
		{`{"AWS":"arn:*:iam::111122223333:root"}`, false},
		{`{"AWS":"arn:aws:iam::alias:root"}`, false},
		{`{"AWS":"arn:aws:sts::111122223333:assumed-role/Svc"}`, false},
		{`{"AWS":"arn:aws:sts::111122223333:assumed-role/app/Svc/s1"}`, false},
		{`{"AWS":"arn:aws:sts::111122223333:federated-user/a/b"}`, false},
		{`{"AWS":"arn:aws:kms::111122223333:key/k"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:user/two words"}`, false},
		{`{"Service":"*"}`, false},
		{`{"Service":"logs"}`, false},
		{`{"Service":"logs..amazonaws.com"}`, false},
		{`{"Service":"arn:aws:iam::111122223333:root"}`, false},
		{`{"Federated":"*"}`, false},
		{`{"Federated":"arn:aws:iam::111122223333:role/r"}`, false},
		{`{"Federated":"arn:aws:iam::111122223333:saml-provider/*"}`, false},
		{`{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}`, false},
	} {
		t.Run(c.principal, func(t *testing.T) {
			t.Parallel()
			for _, element := range []string{"Principal", "NotPrincipal"} {
				text := with(t, policy.KeyPolicy, `"Effect":"Deny"`, `"Principal":`, `"`+element+`":`+c.principal)
				if c.ok {
					parse(t, policy.KeyPolicy, text)
					continue
				}
				e := refused(t, policy.KeyPolicy, text)
				require.Equal(t, "Policy contains a statement with one or more invalid principals.", e.Message)
				require.Equal(t, "MalformedPolicyDocumentException", e.Code)
				require.True(t, strings.HasPrefix(e.Pointer, "/Statement/0/"+element+"/"), e.Pointer)
			}
		})
	}
}
