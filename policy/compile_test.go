package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	some := []string{"*"}
	everyone := &Principals{Any: true}
	for want, d := range map[string]*Document{
		"policy: no document to compile":                                          nil,
		"policy: cannot compile a document of unknown kind 0":                     {},
		"policy: cannot compile a document of unknown kind 200":                   {Kind: 200},
		"policy: statement 0: its effect is neither Allow nor Deny":               {Kind: Identity, Statements: []Statement{{Action: some, Resource: some}}},
		"policy: statement 1: it has both elements of a pair":                     {Kind: Identity, Statements: []Statement{{Effect: Deny}, {Effect: Allow, Action: some, NotAction: some}}},
		"policy: statement 0: policies of this kind have no principals":           {Kind: SCP, Statements: []Statement{{Effect: Allow, Principal: everyone}}},
		`policy: statement 0: unknown condition operator "StringEqualsIfExistsX"`: {Kind: Identity, Statements: []Statement{{Effect: Allow, Conditions: []Condition{{Operator: "StringEqualsIfExistsX"}}}}},
		"policy: 65536 statements are more than 65535":                            {Kind: Identity, Statements: make([]Statement, 1<<16)},
	} {
		_, err := Compile(d)
		require.EqualError(t, err, want)
	}
}

// TestInertStatements holds statements that lack something to matching nothing, be
// they to allow or to deny.
func TestInertStatements(t *testing.T) {
	t.Parallel()
	some, none := []string{"*"}, []string{}
	everyone, nobodies := &Principals{Any: true}, &Principals{}
	for _, s := range []Statement{
		{Principal: everyone, Action: some},
		{Principal: everyone, Action: some, Resource: none},
		{Principal: everyone, Action: some, NotResource: none},
		{Principal: everyone, Resource: some},
		{Principal: everyone, Resource: some, Action: none},
		{Principal: everyone, Resource: some, NotAction: none},
		{Resource: some, Action: some},
		{Principal: nobodies, Resource: some, Action: some},
		{NotPrincipal: nobodies, Resource: some, Action: some},
		{Principal: everyone, Resource: []string{"key/x"}, Action: some},
		{Principal: everyone, Resource: some, Action: []string{" kms:Decrypt", "kms:Decrypt ", "kms:Encrypt,kms:Decrypt", "kms", "kms*", ""}},
		{Principal: &Principals{Entries: []Principal{{"AWS", "AIDAALICE"}, {"CanonicalUser", "ff"}}}, Resource: some, Action: some},
	} {
		for _, effect := range []Effect{Allow, Deny} {
			s.Effect = effect
			p, err := Compile(&Document{Kind: KeyPolicy, Version: "2012-10-17", Statements: []Statement{s}})
			require.NoError(t, err)
			require.Equal(t, noResource, code(alice, "kms:Decrypt", nil, Layers{Resource: p}), "%+v", s)
		}
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	require.True(t, slices.IsSortedFunc(actions[:], func(a, b actionInfo) int { return strings.Compare(a.name, b.name) }))
	count := map[string]int{}
	for i, a := range actions {
		service, _, _ := strings.Cut(a.name, ":")
		count[service]++
		require.Equal(t, i, lookupAction(a.name))
		require.Equal(t, i, lookupAction(strings.ToUpper(a.name)))
		require.Equal(t, service == "kms", a.flags&isKMS != 0, a.name)
	}
	require.Equal(t, map[string]int{"kms": 58, "secretsmanager": 23, "ssm": 16}, count)
	for _, s := range []string{"", "kms:", "kms:Decrypt ", "kms:decryptt", "s3:GetObject", "x"} {
		require.Equal(t, unknownAction, lookupAction(s), s)
	}
	// An action of KMS that the registry lacks is one on a key of the caller's account.
	require.Equal(t, kmsKey, flagsOf(unknownAction, "KMS:Unheard"))
	require.Zero(t, flagsOf(unknownAction, "s3:GetObject"))
}

// TestUnknownActions matches actions that the registry lacks by their patterns.
func TestUnknownActions(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		"*": true, "s3:*": true, "S3:getobject": true, "s3:Get*": true, "s3:?etObject": true, "*:GetObject": true,
		"s3:Put*": false, "kms:*": false, "s3": false, "s3:GetObjectX": false,
	} {
		p, err := Compile(&Document{Kind: Identity, Statements: []Statement{{Effect: Allow, Action: []string{pattern}, Resource: []string{"*"}}}})
		require.NoError(t, err)
		r := &Request{Caller: alice, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o", ResourceAccount: accountA}
		require.Equal(t, want, Decide(r, &Layers{Identity: list(p)}).Allowed, pattern)
		require.Equal(t, want, len(Explain(r, &Layers{Identity: list(p)}).Matched) == 1, pattern)
	}
}

func TestPolicyNames(t *testing.T) {
	t.Parallel()
	p := compiledText(t, KeyPolicy, `{"Id":"mine","Statement":[`+permitFor(aliceARN, "kms:*")+`]}`)
	named := p.Named("arn:aws:iam::1:policy/x")
	require.Equal(t, "mine", p.Name())
	require.Equal(t, "arn:aws:iam::1:policy/x", named.Name())
	require.Same(t, p.Document(), named.Document())
}

// TestDecideDoesNotAllocate covers the paths that a decision can take.
func TestDecideDoesNotAllocate(t *testing.T) {
	l := manyLayers(t)
	l.Grants = []*Grant{{Key: keyOne, Grantee: roleARN, Operations: GrantDecrypt | GrantCreateGrant, EncryptionContextSubset: []Pair{{"tenant", "42"}}}}
	rich := Layers{Resource: compiled(t, KeyPolicy, statementText("Allow", `"*"`, "kms:*", when(`
		"StringLike":{"kms:RequestAlias":"alias/*-${aws:PrincipalTag/team}-?"},"NumericLessThan":{"aws:MultiFactorAuthAge":"300"},
		"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"},"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["tenant","x"]},
		"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*-${aws:PrincipalAccount}"},"Bool":{"aws:SecureTransport":"true"},
		"NotIpAddress":{"aws:SourceIp":["2001:db8::/32","198.51.100.0/24"]},"StringEqualsIgnoreCase":{"aws:ResourceTag/Env":"DEV"},"Null":{"kms:ViaService":"true"}`)))}
	caller := svc
	caller.Tags = []Pair{{"team", "red"}}
	ctx := given("kms:RequestAlias", "alias/app-red-1", "aws:MultiFactorAuthAge", "12", "aws:CurrentTime", "2026-05-01T00:00:00Z",
		"kms:EncryptionContext:tenant", "42", "aws:SourceArn", "arn:aws:s3:::logs-"+accountA, "aws:SecureTransport", "true",
		"aws:SourceIp", "203.0.113.7", "aws:ResourceTag/env", "dev", "example:other", "x")
	for _, row := range []struct {
		name string
		r    Request
		l    *Layers
		want string
	}{
		{"delegated", Request{Caller: alice, Action: "kms:Decrypt", Resource: keyOne, Context: ctx}, l, byAccount},
		{"direct", Request{Caller: svc, Action: "kms:Encrypt", Resource: keyOne, Context: ctx}, l, byKey},
		{"grant", Request{Caller: svc, Action: "kms:CreateGrant", Resource: keyOne, Context: ctx, Grant: &Grant{Operations: GrantDecrypt, EncryptionContextSubset: []Pair{{"tenant", "42"}}}}, l, byGrantPath},
		{"grant's child refused", Request{Caller: svc, Action: "kms:CreateGrant", Resource: keyOne, Context: ctx}, l, "ImplicitDeny.GrantChild"},
		{"every sort of condition", Request{Caller: caller, Action: "kms:Decrypt", Resource: keyOne, Context: ctx}, &rich, byKey},
		{"no resource", Request{Caller: alice, Action: "s3:ListAllMyBuckets", Resource: "*", Context: ctx}, l, byIdentity},
		{"denied", Request{Caller: alice, Action: "organizations:LeaveOrganization", Resource: "*", Context: ctx}, l, "ExplicitDeny.SCP"},
		{"any case", Request{Caller: alice, Action: "KMS:DECRYPT", Resource: keyOne, Context: ctx}, l, byAccount},
	} {
		require.Equal(t, row.want, Decide(&row.r, row.l).Code(), row.name)
		require.Zero(t, testing.AllocsPerRun(100, func() { Decide(&row.r, row.l) }), row.name)
	}
}
