package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// code decides one check by alice, or by the caller given, on the first key.
func code(c Caller, action string, ctx *Context, l Layers) string {
	return Decide(&Request{Caller: c, Action: action, Resource: keyOne, Context: ctx}, &l).Code()
}

// TestMistakes has a test for each of the mistakes that other evaluators have made.
// Those of parsing (6, 25, 26) are tested with the parser.
func TestMistakes(t *testing.T) {
	t.Parallel()
	key := func(s ...string) *Policy { return compiled(t, KeyPolicy, s...) }
	id := func(s ...string) []*Policy { return list(compiled(t, Identity, s...)) }
	keyIf := func(effect, condition string) Layers {
		return Layers{Resource: key(permitFor(bob.ARN, "kms:*"), statementText(effect, aliceARN, "kms:*", when(condition)))}
	}
	denyIf := func(condition string) Layers {
		return Layers{Resource: key(permitFor(aliceARN, "kms:*"), statementText("Deny", aliceARN, "kms:*", when(condition)))}
	}
	const decrypt = "kms:Decrypt"
	for _, m := range []struct {
		n    int
		name string
		got  func() string
		want string
	}{
		{1, "dots in patterns are literal", func() string {
			return code(alice, decrypt, given("kms:ViaService", "ssmxus-west-2.amazonaws.com"), keyIf("Allow", `"StringLike":{"kms:ViaService":"ssm.*"}`))
		}, noResource},
		{2, "a failing condition is not a Deny", func() string {
			return code(alice, decrypt, nil, Layers{Resource: key(permitFor(aliceARN, "kms:*"), statementText("Allow", aliceARN, "kms:*", when(`"Bool":{"aws:SecureTransport":"true"}`)))})
		}, byKey},
		{3, "an unknown operator is an error", func() string {
			_, err := Compile(&Document{Kind: KeyPolicy, Statements: []Statement{{Effect: Allow, Conditions: []Condition{{Operator: "StringIs", Key: "a:b", Values: []string{"c"}}}}}})
			return err.Error()
		}, `policy: statement 0: unknown condition operator "StringIs"`},
		{4, "an implicit denial is no explicit one", func() string {
			return code(alice, decrypt, nil, Layers{Resource: key(permitFor(bob.ARN, "kms:*"))})
		}, noResource},
		{5, "principals are not globbed", func() string {
			p, err := Compile(&Document{Kind: KeyPolicy, Version: "2012-10-17", Statements: []Statement{{
				Effect: Allow, Principal: &Principals{Entries: []Principal{{"AWS", "arn:aws:iam::" + accountA + ":user/*"}}},
				Action: []string{"kms:*"}, Resource: []string{"*"},
			}}})
			require.NoError(t, err)
			return code(alice, decrypt, nil, Layers{Resource: p})
		}, noResource},
		{7, "actions in any case", func() string {
			return code(alice, "KMS:DECRYPT", nil, Layers{Resource: key(permitFor(aliceARN, "kms:decrypt"))})
		}, byKey},
		{8, "the account's statement is not for everyone in it", func() string {
			return code(alice, decrypt, nil, Layers{Resource: key(permitFor(rootARN, "kms:*"))})
		}, noIdentity},
		{9, "PrincipalArn is not the session's", func() string {
			return code(svc, decrypt, nil, Layers{Resource: key(statementText("Allow", `"*"`, "kms:*", when(`"ArnLike":{"aws:PrincipalArn":"arn:aws:sts::*:assumed-role/*"}`)))})
		}, noResource},
		{10, "the role's path counts", func() string {
			return code(svc, decrypt, nil, Layers{Resource: key(permitFor("arn:aws:iam::"+accountA+":role/Svc", "kms:*"))})
		}, noResource},
		{11, "Decrypt on everything", func() string {
			return Decide(&Request{Caller: alice, Action: decrypt, Resource: "*"}, &Layers{Identity: id(permitAny("kms:*"))}).Code()
		}, "ImplicitDeny.WrongResource"},
		{12, "a negated operator on a missing key", func() string {
			return code(alice, decrypt, nil, denyIf(`"StringNotEquals":{"kms:ViaService":"x"}`))
		}, "ExplicitDeny.Resource"},
		{13, "ForAllValues on a missing key", func() string {
			return code(alice, decrypt, nil, keyIf("Allow", `"ForAllValues:StringEquals":{"aws:TagKeys":"a"}`))
		}, byKey},
		{14, "IPv6 is not text", func() string {
			return code(alice, decrypt, given("aws:SourceIp", "2001:DB8:0:0::1"), keyIf("Allow", `"IpAddress":{"aws:SourceIp":"2001:db8::1"}`))
		}, byKey},
		{15, "ARN operators stop at colons", func() string {
			return code(alice, decrypt, given("aws:SourceArn", "arn:aws:s3:r:1:b"), keyIf("Allow", `"ArnLike":{"aws:SourceArn":"arn:aws:s*:1:b"}`))
		}, noResource},
		{16, "no variables in old documents", func() string {
			return code(alice, decrypt, given("kms:RequestAlias", "alias/alice"), Layers{Resource: compiledText(t, KeyPolicy,
				documentText("2008-10-17", statementText("Allow", aliceARN, "kms:*", when(`"StringEquals":{"kms:RequestAlias":"alias/${aws:username}"}`))))})
		}, noResource},
		{17, "a substituted star is no wildcard", func() string {
			return code(alice, decrypt, given("aws:RequestTag/x", "*", "kms:RequestAlias", "alias/any"), keyIf("Allow", `"StringLike":{"kms:RequestAlias":"alias/${aws:RequestTag/x}"}`))
		}, noResource},
		{18, "a session's Deny beats a direct permission", func() string {
			return code(svc, decrypt, nil, Layers{Resource: key(permitFor(sessionARN, "kms:*")), HasSession: true, Session: list(compiled(t, Session, denyAny("kms:*")))})
		}, "ExplicitDeny.Session"},
		{18, "an endpoint's Deny beats a direct permission", func() string {
			return code(svc, decrypt, given("aws:SourceVpce", "v"), Layers{Resource: key(permitFor(sessionARN, "kms:*")), VPCEndpoint: compiled(t, VPCEndpoint, denyFor(`"*"`, "kms:*"))})
		}, "ExplicitDeny.VPCE"},
		{19, "service callers have no SCPs", func() string {
			return code(logs, decrypt, nil, Layers{Resource: key(permitFor(`{"Service":"logs.us-west-2.amazonaws.com"}`, "kms:*")), SCP: [][]*Policy{list(compiled(t, SCP, denyAny("*")))}})
		}, byKey},
		{20, "RCPs bind the owner's account", func() string {
			return code(alice, decrypt, nil, Layers{Resource: key(permitFor(aliceARN, "kms:*")), RCP: [][]*Policy{list(compiled(t, RCP, permitFor(`"*"`, "*")), compiled(t, RCP, denyFor(`"*"`, "kms:*")))}})
		}, "ExplicitDeny.RCP"},
		{21, "an empty level denies", func() string {
			return code(alice, decrypt, nil, Layers{Resource: key(permitFor(aliceARN, "kms:*")), SCP: [][]*Policy{{}}})
		}, "ImplicitDeny.SCPNoAllow"},
		{21, "an organization without levels denies", func() string {
			return code(alice, decrypt, nil, Layers{Resource: key(permitFor(aliceARN, "kms:*")), SCP: [][]*Policy{}})
		}, "ImplicitDeny.SCPNoAllow"},
		{22, "an alias ARN is no key", func() string {
			return Decide(&Request{Caller: alice, Action: decrypt, Resource: aliasApp}, &Layers{Identity: id(permitAny("kms:*"))}).Code()
		}, "ImplicitDeny.WrongResource"},
		{23, "ReEncryptFrom is not ReEncryptTo", func() string {
			return code(alice, "kms:ReEncryptTo", nil, Layers{Resource: key(permitFor(aliceARN, "kms:ReEncryptFrom"))})
		}, noResource},
		{24, "a grant does not come before a Deny", func() string {
			return code(alice, decrypt, nil, Layers{Resource: key(denyFor(`"*"`, "kms:Decrypt")), Grants: []*Grant{{Key: keyOne, Grantee: aliceARN, Operations: GrantDecrypt}}})
		}, "ExplicitDeny.Resource"},
		{27, "numbers are not text", func() string {
			return code(alice, decrypt, given("aws:MultiFactorAuthAge", "1000"), keyIf("Allow", `"NumericLessThan":{"aws:MultiFactorAuthAge":"300"}`))
		}, noResource},
		{28, "dates without a zone are in UTC", func() string {
			return code(alice, decrypt, given("aws:CurrentTime", "2026-01-01T00:00:00Z"), keyIf("Allow", `"DateEquals":{"aws:CurrentTime":"2026-01-01T00:00:00"}`))
		}, byKey},
		{29, "MFA is absent, not false", func() string {
			return code(alice, decrypt, nil, keyIf("Allow", `"Bool":{"aws:MultiFactorAuthPresent":"false"}`))
		}, noResource},
		{30, "a multi-valued key needs a set operator", func() string {
			return code(alice, decrypt, given("kms:ResourceAliases", []string{"alias/a"}), keyIf("Allow", `"StringEquals":{"kms:ResourceAliases":"alias/a"}`))
		}, noResource},
		{30, "also if the operator is negated", func() string {
			return code(alice, decrypt, given("kms:ResourceAliases", []string{"alias/a"}), keyIf("Allow", `"StringNotEquals":{"kms:ResourceAliases":"alias/b"}`))
		}, noResource},
	} {
		require.Equal(t, m.want, m.got(), "%d %s", m.n, m.name)
	}
}
