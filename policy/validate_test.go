package policy_test

import (
	"testing"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

const (
	syntax = "Syntax errors in policy."
	legacy = "The policy failed legacy parsing"
	vendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
)

// TestIdentityRefused pins the text that IAM sends and the place that is blamed.
func TestIdentityRefused(t *testing.T) {
	t.Parallel()
	ok := `"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"`
	for _, c := range []struct{ name, doc, message, pointer string }{
		{"no JSON", `Dear IAM`, syntax, ""},
		{"nothing", ``, syntax, ""},
		{"null", `null`, syntax, ""},
		{"array", `[]`, syntax, ""},
		{"empty object", `{}`, syntax, ""},
		{"no statement", `{"Version":"2012-10-17"}`, syntax, ""},
		{"unknown version", `{"Version":"2013-10-17","Statement":{` + ok + `}}`, syntax, "/Version"},
		{"version is a number", `{"Version":2012,"Statement":{` + ok + `}}`, syntax, "/Version"},
		{"version in an array", `{"Version":["2012-10-17"],"Statement":{` + ok + `}}`, syntax, "/Version"},
		{"no version", `{"Statement":{` + ok + `}}`,
			"Policy document must be version 2012-10-17 or greater.", ""},
		{"old version", `{"Version":"2008-10-17","Statement":{` + ok + `}}`,
			"Policy document must be version 2012-10-17 or greater.", "/Version"},
		{"unknown element", `{"Version":"2012-10-17","Note":"","Statement":{` + ok + `}}`, syntax, "/Note"},
		{"Conditions", `{"Version":"2012-10-17","Conditions":{},"Statement":{` + ok + `}}`, syntax, "/Conditions"},
		{"lower case element", `{"Version":"2012-10-17","statement":{` + ok + `}}`, syntax, "/statement"},
		{"id is an object", `{"Version":"2012-10-17","Id":{},"Statement":{` + ok + `}}`, syntax, "/Id"},
		{"no statements", `{"Version":"2012-10-17","Statement":[]}`, syntax, "/Statement"},
		{"statement is a string", `{"Version":"2012-10-17","Statement":"x"}`, syntax, "/Statement"},
		{"statements are strings", `{"Version":"2012-10-17","Statement":[{` + ok + `},"x"]}`, syntax, "/Statement/1"},
		{"statement is null", `{"Version":"2012-10-17","Statement":[null]}`, syntax, "/Statement/0"},

		{"unknown member", doc(ok + `,"Note":""`), syntax, "/Statement/0/Note"},
		{"lower case member", doc(`"effect":"Allow","Action":"a:b","Resource":"*"`), syntax, "/Statement/0/effect"},
		{"sid is an array", doc(ok + `,"Sid":["a"]`), syntax, "/Statement/0/Sid"},
		{"sid is null", doc(ok + `,"Sid":null`), syntax, "/Statement/0/Sid"},
		{"no effect", doc(`"Action":"a:b","Resource":"*"`), syntax, "/Statement/0"},
		{"unknown effect", doc(`"Effect":"Permit","Action":"a:b","Resource":"*"`), syntax, "/Statement/0/Effect"},
		{"effect in an array", doc(`"Effect":["Allow"],"Action":"a:b","Resource":"*"`), syntax, "/Statement/0/Effect"},
		{"effect in capitals", doc(`"Effect":"ALLOW","Action":"a:b","Resource":"*"`), legacy, "/Statement/0/Effect"},
		{"effect in lower case", doc(ok, `"Effect":"deny","Action":"a:b","Resource":"*"`), legacy, "/Statement/1/Effect"},

		{"both actions", doc(ok + `,"NotAction":[]`), syntax, "/Statement/0/NotAction"},
		{"both resources", doc(ok + `,"NotResource":"*"`), syntax, "/Statement/0/NotResource"},
		{"both principals", doc(ok + `,"Principal":"*","NotPrincipal":"*"`), syntax, "/Statement/0/NotPrincipal"},
		{"action is an object", doc(`"Effect":"Allow","Action":{},"Resource":"*"`), syntax, "/Statement/0/Action"},
		{"action is a number", doc(`"Effect":"Allow","Action":1,"Resource":"*"`), syntax, "/Statement/0/Action"},
		{"action is null", doc(`"Effect":"Allow","Action":null,"Resource":"*"`), syntax, "/Statement/0/Action"},
		{"action nested", doc(`"Effect":"Allow","Action":["a:b",["c:d"]],"Resource":"*"`), syntax, "/Statement/0/Action/1"},
		{"resource is a boolean", doc(`"Effect":"Allow","Action":"a:b","Resource":true`), syntax, "/Statement/0/Resource"},
		{"resource holds an object", doc(`"Effect":"Allow","Action":"a:b","Resource":["*",{}]`), syntax, "/Statement/0/Resource/1"},

		{"condition is an array", doc(ok + `,"Condition":[]`), syntax, "/Statement/0/Condition"},
		{"condition is null", doc(ok + `,"Condition":null`), syntax, "/Statement/0/Condition"},
		{"block is a string", doc(ok + `,"Condition":{"Bool":"x"}`), syntax, "/Statement/0/Condition/Bool"},
		{"value is an object", doc(ok + `,"Condition":{"Bool":{"a:b":{}}}`), syntax, "/Statement/0/Condition/Bool/a:b"},
		{"value is null", doc(ok + `,"Condition":{"Bool":{"a:b":null}}`), syntax, "/Statement/0/Condition/Bool/a:b"},
		{"values hold null", doc(ok + `,"Condition":{"Bool":{"a:b":["true",null]}}`), syntax, "/Statement/0/Condition/Bool/a:b/1"},
		{"values hold an array", doc(ok + `,"Condition":{"Bool":{"a/b~c":[[]]}}`), syntax, "/Statement/0/Condition/Bool/a~1b~0c/0"},
		{"unknown operator", doc(ok + `,"Condition":{"StringIs":{"a:b":"c"}}`), syntax, "/Statement/0/Condition/StringIs"},
		{"two colons", doc(ok + `,"Condition":{"ForAnyValue::Bool":{"a:b":"c"}}`), syntax, "/Statement/0/Condition/ForAnyValue::Bool"},
		{"two qualifiers", doc(ok + `,"Condition":{"ForAnyValue:ForAllValues:Bool":{"a:b":"c"}}`), syntax, "/Statement/0/Condition/ForAnyValue:ForAllValues:Bool"},
		{"two suffixes", doc(ok + `,"Condition":{"BoolIfExistsIfExists":{"a:b":"c"}}`), syntax, "/Statement/0/Condition/BoolIfExistsIfExists"},
		{"suffix alone", doc(ok + `,"Condition":{"IfExists":{"a:b":"c"}}`), syntax, "/Statement/0/Condition/IfExists"},
		{"no negated binary", doc(ok + `,"Condition":{"BinaryNotEquals":{"a:b":"c"}}`), syntax, "/Statement/0/Condition/BinaryNotEquals"},

		{"principal", doc(ok + `,"Principal":"*"`), "Policy document should not specify a principal.", "/Statement/0/Principal"},
		{"principal and no resource", doc(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}`),
			"Policy document should not specify a principal.", "/Statement/0/Principal"},
		{"not principal", doc(ok + `,"NotPrincipal":{"AWS":"*"}`), "Policy document should not specify a principal.", "/Statement/0/NotPrincipal"},
		{"unknown principal type", doc(ok + `,"Principal":{"Aws":"*"}`), syntax, "/Statement/0/Principal/Aws"},
		{"principal is an object", doc(ok + `,"Principal":{"AWS":[{}]}`), syntax, "/Statement/0/Principal/AWS/0"},
		{"bare principal", doc(ok + `,"Principal":"111122223333"`), syntax, "/Statement/0/Principal"},
		{"principal in an array", doc(ok + `,"Principal":["*"]`), syntax, "/Statement/0/Principal"},

		{"sid with spaces", doc(ok + `,"Sid":"Read it"`),
			"Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*", "/Statement/0/Sid"},
		{"sids alike", doc(ok+`,"Sid":"a"`, ok+`,"Sid":"b"`, ok+`,"Sid":"a"`),
			"Statement IDs (SID) in a single policy must be unique.", "/Statement/2/Sid"},

		{"no action", doc(`"Effect":"Allow","Resource":"*"`), "Policy statement must contain actions.", "/Statement/0"},
		{"empty action", doc(ok, `"Effect":"Allow","Action":[],"Resource":"*"`), "Policy statement must contain actions.", "/Statement/1"},
		{"only null actions", doc(`"Effect":"Allow","Action":[null],"Resource":"*"`), "Policy statement must contain actions.", "/Statement/0"},
		{"no vendor", doc(`"Effect":"Allow","Action":"Decrypt","Resource":"*"`), vendor, "/Statement/0/Action"},
		{"empty string", doc(`"Effect":"Allow","NotAction":["kms:*",""],"Resource":"*"`), vendor, "/Statement/0/NotAction/1"},
		{"vendor with a space", doc(`"Effect":"Allow","Action":" kms:Decrypt","Resource":"*"`), "Vendor  kms is not valid", "/Statement/0/Action"},
		{"vendor with a wildcard", doc(`"Effect":"Allow","Action":"k*:Decrypt","Resource":"*"`), "Vendor k* is not valid", "/Statement/0/Action"},
		{"action list in a string", doc(`"Effect":"Allow","Action":"kms:Encrypt,kms:Decrypt","Resource":"*"`),
			"Actions/Condition can contain only one colon.", "/Statement/0/Action"},

		{"no resource", doc(`"Effect":"Allow","Action":"kms:*"`), "Policy statement must contain resources.", "/Statement/0"},
		{"empty resource", doc(`"Effect":"Allow","Action":"kms:*","Resource":[]`), "Policy statement must contain resources.", "/Statement/0"},
		{"resource is no ARN", doc(`"Effect":"Allow","Action":"kms:*","Resource":["*","alias/app"]`),
			`Resource alias/app must be in ARN format or "*".`, "/Statement/0/Resource/1"},
		{"empty resource text", doc(`"Effect":"Allow","Action":"kms:*","Resource":""`),
			`Resource  must be in ARN format or "*".`, "/Statement/0/Resource"},
		{"partition alone", doc(`"Effect":"Allow","Action":"kms:*","Resource":"arn:amazon"`),
			`Partition "amazon" is not valid for resource "arn:amazon:*:*:*:*".`, "/Statement/0/Resource"},
		{"partition and service", doc(`"Effect":"Allow","Action":"kms:*","Resource":"x:amazon:kms"`),
			`Partition "amazon" is not valid for resource "arn:amazon:kms:*:*:*".`, "/Statement/0/Resource"},
		{"partition of a whole ARN", doc(`"Effect":"Allow","Action":"kms:*","Resource":"arn:amazon:kms:r:a:key/b:c"`),
			`Partition "amazon" is not valid for resource "arn:amazon:kms:r:a:key/b:c".`, "/Statement/0/Resource"},
		{"word arn missing", doc(`"Effect":"Allow","Action":"kms:*","Resource":"aws:kms:::key"`),
			`Partition "kms" is not valid for resource "arn:kms:::key:*".`, "/Statement/0/Resource"},
		{"no service", doc(`"Effect":"Allow","Action":"kms:*","Resource":"arn:aws"`),
			"Resource vendor must be fully qualified and cannot contain regexes.", "/Statement/0/Resource"},
		{"service with a wildcard", doc(`"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:k*:*:*:key/a"`),
			"Resource vendor must be fully qualified and cannot contain regexes.", "/Statement/0/Resource"},
		{"region of IAM", doc(`"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam:eu-west-1::role/x"`),
			"IAM resource arn:aws:iam:eu-west-1::role/x cannot contain region information.", "/Statement/0/Resource"},
		{"region of S3", doc(`"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:eu-west-1::box"`),
			"Resource arn:aws:s3:eu-west-1::box can not contain region information.", "/Statement/0/NotResource"},
		{"kind of IAM resource", doc(`"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::111122223333:box"`),
			`IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.`,
			"/Statement/0/Resource"},
		{"short ARN", doc(`"Effect":"Allow","Action":"kms:*","Resource":["*","arn:aws:kms::key"]`), legacy, "/Statement/0/Resource/1"},
		{"ARN without a service", doc(`"Effect":"Allow","Action":"kms:*","Resource":"arn:aws::r:a:b"`), legacy, "/Statement/0/Resource"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, k := range []policy.Kind{policy.Identity, policy.Boundary, policy.Session} {
				e := refused(t, k, c.doc)
				require.Equal(t, "MalformedPolicyDocument", e.Code)
				require.Equal(t, "MalformedPolicyDocument", e.ErrorCode())
				require.Equal(t, c.message, e.Message)
				require.Equal(t, c.pointer, e.Pointer)
			}
		})
	}
}

// TestIdentityOrder has documents with two faults each: the one that IAM looks
// for first is reported.
func TestIdentityOrder(t *testing.T) {
	t.Parallel()
	const old = `{"Version":"2008-10-17","Statement":[{`
	for _, c := range []struct{ name, doc, message string }{
		{"syntax before version", `{"Statement":{"Effect":"Allow","Action":[[]]}}`, syntax},
		{"version before legacy", old + `"Effect":"allow","Action":"kms:*","Resource":"*"}]}`,
			"Policy document must be version 2012-10-17 or greater."},
		{"version before sids", old + `"Sid":"a","Effect":"Allow"},{"Sid":"a","Effect":"Allow"}]}`,
			"Policy document must be version 2012-10-17 or greater."},
		{"effect before sids", doc(`"Sid":"a","Effect":"allow"`, `"Sid":"a","Effect":"Allow"`), legacy},
		{"effect before region", doc(`"Effect":"allow","Resource":"arn:aws:s3:us-east-1::b"`), legacy},
		{"date before partition", doc(`"Effect":"Allow","Action":"s3:*","Resource":"arn:x:s3:::b","Condition":{"DateEquals":{"a:b":"soon"}}`), legacy},
		{"date before actions", doc(`"Effect":"Allow","Condition":{"DateEquals":{"a:b":"soon"}}`), legacy},
		{"short ARN before actions", doc(`"Effect":"Allow","Resource":"arn:aws:s3::b"`), legacy},
		{"malformed resource hides a short one", doc(`"Effect":"Allow","Action":"s3:*","Resource":["arn:x:s3:::b","arn:aws:s3::b"]`),
			`Partition "x" is not valid for resource "arn:x:s3:::b".`},
		{"first of two resources", doc(`"Effect":"Allow","Action":"s3:*","Resource":["b","c"]`), `Resource b must be in ARN format or "*".`},
		{"sids before actions", doc(`"Sid":"a","Effect":"Allow"`, `"Sid":"a","Effect":"Allow"`),
			"Statement IDs (SID) in a single policy must be unique."},
		{"actions before resources", doc(`"Effect":"Allow"`), "Policy statement must contain actions."},
		{"presence of actions before a malformed resource", doc(`"Effect":"Allow","Resource":"b"`), "Policy statement must contain actions."},
		{"malformed resource before vendor", doc(`"Effect":"Allow","Action":"k:m:s","Resource":"b"`), `Resource b must be in ARN format or "*".`},
		{"vendor before presence of resources", doc(`"Effect":"Allow","Action":"Decrypt"`), vendor},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.message, refused(t, policy.Identity, c.doc).Message)
		})
	}
}

// TestIdentityAccepted has what is odd and yet accepted.
func TestIdentityAccepted(t *testing.T) {
	t.Parallel()
	ok := `"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"`
	for _, c := range []struct{ name, doc string }{
		{"statement alone", `{"Version":"2012-10-17","Statement":{` + ok + `}}`},
		{"elements in another order", `{"Statement":[{"Resource":"*","Action":"a:b","Effect":"Deny"}],"Version":"2012-10-17"}`},
		{"id", `{"Version":"2012-10-17","Id":"with spaces","Statement":{` + ok + `}}`},
		{"white space around", " \t\r\n" + doc(ok) + "\n"},
		{"empty sids", doc(ok+`,"Sid":""`, ok+`,"Sid":""`)},
		{"sids that differ in case", doc(ok+`,"Sid":"a"`, ok+`,"Sid":"A"`)},
		{"arrays", doc(`"Effect":"Allow","Action":["a:b","c:d"],"Resource":["*","arn:aws:kms:*:*:key/*"]`)},
		{"nulls in arrays", doc(`"Effect":"Allow","Action":[null,"a:b"],"Resource":["*",null]`)},
		{"negations", doc(`"Effect":"Allow","NotAction":"a:b","NotResource":"*"`)},
		{"unknown service", doc(`"Effect":"Allow","Action":"no-such.service2:X","Resource":"arn:aws:nosuch:::x"`)},
		{"odd action name", doc(`"Effect":"Allow","Action":"kms: Decrypt it ","Resource":"*"`)},
		{"everything", doc(`"Effect":"Allow","Action":"*","Resource":"*"`)},
		{"every service", doc(`"Effect":"Allow","Action":"*:Get*","Resource":"*"`)},
		{"short ARN without double colon", doc(`"Effect":"Allow","Action":"a:b","Resource":"arn:aws:kms"`)},
		{"other partitions", doc(`"Effect":"Allow","Action":"a:b","Resource":["arn:aws-cn:kms:::a","arn:aws-us-gov:kms:::a","arn:*:kms:::a"]`)},
		{"access points", doc(`"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:eu-west-1:111122223333:accesspoint/p"`)},
		{"IAM resources", doc(`"Effect":"Allow","Action":"iam:*","Resource":["arn:aws:iam::*:user/${aws:username}","arn:aws:iam:::*"]`)},
		{"empty condition", doc(ok + `,"Condition":{}`)},
		{"empty block", doc(ok + `,"Condition":{"DateEquals":{}}`)},
		{"unknown operator over nothing", doc(ok + `,"Condition":{"x":{},"y":{}}`)},
		{"no values", doc(ok + `,"Condition":{"DateEquals":{"aws:CurrentTime":[]}}`)},
		{"numbers and booleans", doc(ok + `,"Condition":{"NumericEquals":{"a:b":[1,-2.5e3]},"Bool":{"a:c":true}}`)},
		{"escapes", doc(ok + `,"Sid":"\u0041\u0042"`)},
		{"Latin-1", doc(ok + `,"Condition":{"StringEquals":{"a:b":"Zürich ÿ"}}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, k := range []policy.Kind{policy.Identity, policy.Boundary, policy.Session} {
				parse(t, k, c.doc)
			}
		})
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for value, ok := range map[string]bool{
		"2027-01-01T00:00:00Z":           true,
		"2027-01-01t00:00:00z":           true,
		"2027":                           true, // seconds since 1970
		"2027-01":                        true,
		"2027-12-31":                     true,
		"2027-01-01T23":                  true,
		"2027-01-01T23:59":               true,
		"2027-01-01T23:59:59.123456789Z": true,
		"2027-01-01T2:00:00.5+23":        true,
		"2027-01-01T20:00:00+05:30":      true,
		"2027-01-01T20:00:00-05:30":      true,
		"2027T":                          true,
		"-292275054":                     true,
		"-292275055":                     false,
		"292278993-01":                   true,
		"292278994-01":                   false,
		"0":                              true,
		"9223372036854775807":            true,
		"9223372036854775808":            false,
		"+5":                             false,
		"1.5":                            false,
		"":                               false,
		"tomorrow":                       false,
		"soon":                           false,
		"2027-13":                        false,
		"2027-00":                        false,
		"2027-01-32":                     false,
		"2027-01-01-01":                  false,
		"2027-01-01T24":                  false,
		"2027-01-01T23:60":               false,
		"2027-01-01T23:59:60":            false,
		"2027-01-01T23:59:59.1234567890": false,
		"2027-01-01T23:59:59.":           false,
		"2027-01-01T20:00:00+5":          false,
		"2027-01-01T20:00:00+24":         false,
		"2027-01-01T20:00:00+05:60":      false,
		"2027-01-01T20:00:00+05:3":       false,
		"2027-01-01T20:00:00Zulu":        false,
		"2027-01-01T1:2:3:4":             false,
		"2027-01-01 00:00:00":            false,
		"2027-+1-01":                     false,
		"2027-01-01T20:00:00Z${aws:PrincipalTag/x}": false,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			text := doc(`"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"forAnyValue:dateLessThanIfExists":{"aws:CurrentTime":["0","` + value + `"]}}`)
			if ok {
				parse(t, policy.Identity, text)
				return
			}
			e := refused(t, policy.Identity, text)
			require.Equal(t, legacy, e.Message)
			require.Equal(t, "/Statement/0/Condition/forAnyValue:dateLessThanIfExists/aws:CurrentTime/1", e.Pointer)
		})
	}
}
