package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWouldLockOut(t *testing.T) {
	t.Parallel()
	key := func(s ...string) *Policy { return compiled(t, KeyPolicy, s...) }
	admin := list(compiled(t, Identity, permitAny("kms:*")))
	reader := list(compiled(t, Identity, permitAny("kms:Decrypt")))
	r := func(c Caller) *Request { return &Request{Caller: c, Action: "kms:CreateKey", Resource: keyOne} }
	for _, row := range []struct {
		name      string
		candidate *Policy
		r         *Request
		l         Layers
		want      bool
	}{
		{"138: for bob only", key(permitFor(bob.ARN, "kms:*")), r(alice), Layers{Identity: admin}, true},
		{"for the caller", key(permitFor(aliceARN, "kms:PutKeyPolicy")), r(alice), Layers{}, false},
		{"for the caller, another action", key(permitFor(aliceARN, "kms:Decrypt")), r(alice), Layers{}, true},
		{"for the account, an administrator", key(permitFor(rootARN, "kms:*")), r(alice), Layers{Identity: admin}, false},
		{"for the account, not an administrator", key(permitFor(rootARN, "kms:*")), r(alice), Layers{Identity: reader}, true},
		{"for the account, its root user", key(permitFor(rootARN, "kms:*")), r(root), Layers{}, false},
		{"a Deny", key(permitFor(rootARN, "kms:*"), denyFor(`"*"`, "kms:PutKeyPolicy")), r(root), Layers{}, true},
		{"the present policy does not count", key(permitFor(bob.ARN, "kms:*")), r(alice), Layers{Resource: key(permitFor(aliceARN, "kms:*"))}, true},
		{"nor do grants", key(permitFor(bob.ARN, "kms:*")), r(alice), Layers{Grants: []*Grant{{Key: keyOne, Grantee: aliceARN, Operations: GrantRetireGrant}}}, true},
		{"another account", key(permitFor(foreignRoot, "kms:*")), r(svcB), Layers{Identity: admin}, true},
		{"nobody", key(permitFor(`"*"`, "kms:*")), r(nobody), Layers{}, true},
	} {
		was := row.l.Resource
		require.Equal(t, row.want, WouldLockOut(row.candidate, row.r, &row.l), row.name)
		require.Equal(t, "kms:CreateKey", row.r.Action)
		require.Same(t, was, row.l.Resource)
	}
	require.True(t, WouldLockOut(nil, r(root), &Layers{}))
	require.True(t, WouldLockOut(key(permitFor(rootARN, "kms:*")), nil, nil))
}

func TestPublic(t *testing.T) {
	t.Parallel()
	secret := func(s ...string) *Policy { return compiled(t, SecretPolicy, s...) }
	starIf := func(condition string) *Policy {
		return secret(statementText("Allow", `"*"`, "secretsmanager:*", when(condition)))
	}
	for _, row := range []struct {
		name string
		p    *Policy
		want bool
	}{
		{"143: everyone", secret(permitFor(`"*"`, "secretsmanager:GetSecretValue")), true},
		{"every account", secret(permitFor("*", "secretsmanager:*")), true},
		{"a role", secret(permitFor(roleARN, "secretsmanager:*")), false},
		{"everyone is denied", secret(denyFor(`"*"`, "secretsmanager:*")), false},
		{"an account", starIf(`"StringEquals":{"aws:PrincipalAccount":"111122223333"}`), false},
		{"an organization", starIf(`"StringEquals":{"aws:PrincipalOrgID":"o-1"}`), false},
		{"an endpoint", starIf(`"StringEquals":{"aws:SourceVpce":"vpce-1"}`), false},
		{"any organization", starIf(`"StringLike":{"aws:PrincipalOrgID":"*"}`), true},
		{"roles of an account", starIf(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}`), false},
		{"roles of any account", starIf(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:*"}`), true},
		{"all but one", starIf(`"StringNotEquals":{"aws:PrincipalAccount":"111122223333"}`), true},
		{"if it is there", starIf(`"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}`), true},
		{"addresses", starIf(`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`), true},
	} {
		require.Equal(t, row.want, row.p.Public(), row.name)
	}
}
