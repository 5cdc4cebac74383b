package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGrantOperations(t *testing.T) {
	t.Parallel()
	var all GrantOperations
	for _, a := range actions {
		all |= a.grant
	}
	names := all.Names()
	require.Len(t, names, 19)
	set, err := ParseGrantOperations(names...)
	require.NoError(t, err)
	require.Equal(t, all, set)
	require.Equal(t, GrantRetireGrant<<1-1, all)
	set, err = ParseGrantOperations("Decrypt", "DescribeKey", "Decrypt")
	require.NoError(t, err)
	require.Equal(t, []string{"Decrypt", "DescribeKey"}, set.Names())
	for _, bad := range []string{"", "decrypt", "kms:Decrypt", "PutKeyPolicy", "ReEncrypt"} {
		_, err := ParseGrantOperations("Encrypt", bad)
		require.EqualError(t, err, "policy: a grant cannot permit \""+bad+"\"")
	}
}

func TestGrantVisible(t *testing.T) {
	t.Parallel()
	at := time.Unix(1000, 0)
	g := &Grant{VisibleAt: at, Tokens: []string{"one", "two"}}
	require.False(t, g.Visible(at.Add(-1), nil), "125: not yet visible, no token")
	require.False(t, g.Visible(at.Add(-1), []string{"three", "", "on"}))
	require.True(t, g.Visible(at.Add(-1), []string{"three", "two"}), "126: with a token")
	require.True(t, g.Visible(at, nil))
	require.True(t, (&Grant{}).Visible(at, nil))
}

func TestGrantMatches(t *testing.T) {
	t.Parallel()
	federated := Caller{Kind: FederatedCaller, Account: accountA, ARN: "arn:aws:sts::111122223333:federated-user/f", IssuerARN: aliceARN}
	ctx := func(pairs ...Pair) *Context {
		c := new(Context)
		for _, p := range pairs {
			c.Add(EncryptionContext, p.Key, p.Value)
		}
		return c
	}
	it, x := Pair{"D", "IT"}, Pair{"X", "1"}
	for _, row := range []struct {
		name   string
		grant  Grant
		caller Caller
		action string
		ctx    *Context
		want   bool
	}{
		{"user", Grant{Grantee: aliceARN}, alice, "kms:Decrypt", nil, true},
		{"another user", Grant{Grantee: aliceARN}, bob, "kms:Decrypt", nil, false},
		{"session of a role", Grant{Grantee: roleARN}, svc, "kms:Decrypt", nil, true},
		{"session itself", Grant{Grantee: sessionARN}, svc, "kms:Decrypt", nil, true},
		{"other session", Grant{Grantee: sessionARN + "x"}, svc, "kms:Decrypt", nil, false},
		{"federated user by its issuer", Grant{Grantee: aliceARN}, federated, "kms:Decrypt", nil, false},
		{"federated user", Grant{Grantee: federated.ARN}, federated, "kms:Decrypt", nil, true},
		{"account, user", Grant{Grantee: rootARN}, alice, "kms:Decrypt", nil, false},
		{"account, root", Grant{Grantee: rootARN}, root, "kms:Decrypt", nil, true},
		{"account id, root", Grant{Grantee: accountA}, root, "kms:Decrypt", nil, true},
		{"service", Grant{GranteeService: logs.Service}, logs, "kms:Decrypt", nil, true},
		{"other service", Grant{GranteeService: "ssm.amazonaws.com"}, logs, "kms:Decrypt", nil, false},
		{"anonymous", Grant{}, nobody, "kms:Decrypt", nil, false},
		{"nobody", Grant{}, alice, "kms:Decrypt", nil, false},
		{"not grantable", Grant{Grantee: aliceARN}, alice, "kms:PutKeyPolicy", nil, false},
		{"unknown action", Grant{Grantee: aliceARN}, alice, "kms:Unheard", nil, false},
		{"equal", Grant{Grantee: aliceARN, EncryptionContextEquals: []Pair{it}}, alice, "kms:Decrypt", ctx(it), true},
		{"case of names", Grant{Grantee: aliceARN, EncryptionContextEquals: []Pair{it}}, alice, "kms:Decrypt", ctx(Pair{"d", "IT"}), true},
		{"case of values", Grant{Grantee: aliceARN, EncryptionContextEquals: []Pair{it}}, alice, "kms:Decrypt", ctx(Pair{"D", "it"}), false},
		{"too much", Grant{Grantee: aliceARN, EncryptionContextEquals: []Pair{it}}, alice, "kms:Decrypt", ctx(it, x), false},
		{"too little", Grant{Grantee: aliceARN, EncryptionContextEquals: []Pair{it, x}}, alice, "kms:Decrypt", ctx(it), false},
		{"twice the same", Grant{Grantee: aliceARN, EncryptionContextEquals: []Pair{it, x}}, alice, "kms:Decrypt", ctx(it, Pair{"d", "IT"}), false},
		{"no context", Grant{Grantee: aliceARN, EncryptionContextSubset: []Pair{it}}, alice, "kms:Decrypt", nil, false},
		{"larger", Grant{Grantee: aliceARN, EncryptionContextSubset: []Pair{it}}, alice, "kms:Decrypt", ctx(x, it), true},
		{"context of Sign", Grant{Grantee: aliceARN, EncryptionContextSubset: []Pair{it}}, alice, "kms:Sign", nil, false},
		{"source of DescribeKey", Grant{Grantee: aliceARN, SourceARN: "arn:aws:s3:::b"}, alice, "kms:DescribeKey", nil, false},
	} {
		row.grant.Key = keyOne
		row.grant.Operations = GrantDecrypt | GrantSign | GrantDescribeKey
		got := row.grant.Matches(&Request{Caller: row.caller, Action: row.action, Resource: keyOne, Context: row.ctx})
		require.Equal(t, row.want, got, row.name)
	}
	g := Grant{Key: keyOne, Grantee: aliceARN, Operations: GrantDecrypt}
	require.False(t, g.Matches(&Request{Caller: alice, Action: "kms:Decrypt", Resource: keyTwo}))
	require.False(t, g.Matches(nil))
}

func TestValidateChild(t *testing.T) {
	t.Parallel()
	it, x := []Pair{{"D", "IT"}}, []Pair{{"D", "IT"}, {"X", "1"}}
	for _, row := range []struct {
		name          string
		parent, child Grant
		want          error
	}{
		{"the same", Grant{Operations: 3}, Grant{Operations: 3}, nil},
		{"fewer operations", Grant{Operations: 3}, Grant{Operations: 2}, nil},
		{"more operations", Grant{Operations: 2}, Grant{Operations: 3}, ErrGrantOperations},
		{"new constraint", Grant{}, Grant{EncryptionContextEquals: it}, nil},
		{"constraint dropped", Grant{EncryptionContextSubset: it}, Grant{}, ErrGrantConstraints},
		{"equality dropped", Grant{EncryptionContextEquals: it}, Grant{}, ErrGrantConstraints},
		{"subset gains", Grant{EncryptionContextSubset: it}, Grant{EncryptionContextSubset: x}, nil},
		{"subset loses", Grant{EncryptionContextSubset: x}, Grant{EncryptionContextSubset: it}, ErrGrantConstraints},
		{"subset becomes equality", Grant{EncryptionContextSubset: it}, Grant{EncryptionContextEquals: x}, nil},
		{"subset becomes smaller equality", Grant{EncryptionContextSubset: x}, Grant{EncryptionContextEquals: it}, ErrGrantConstraints},
		{"equality becomes subset", Grant{EncryptionContextEquals: it}, Grant{EncryptionContextSubset: it}, ErrGrantConstraints},
		{"equality gains", Grant{EncryptionContextEquals: it}, Grant{EncryptionContextEquals: x}, ErrGrantConstraints},
		{"equality", Grant{EncryptionContextEquals: it}, Grant{EncryptionContextEquals: []Pair{{"d", "IT"}}}, nil},
		{"source dropped", Grant{SourceARN: "a"}, Grant{}, ErrGrantConstraints},
		{"source kept", Grant{SourceARN: "a"}, Grant{SourceARN: "a"}, nil},
		{"source changed", Grant{SourceARN: "a"}, Grant{SourceARN: "b"}, ErrGrantConstraints},
	} {
		require.ErrorIs(t, ValidateChild(&row.parent, &row.child), row.want, row.name)
	}
}

func TestMayRetire(t *testing.T) {
	t.Parallel()
	identity := list(compiled(t, Identity, permitAny("kms:RetireGrant")))
	rootB := Caller{Kind: RootCaller, Account: accountB, ARN: foreignRoot}
	for _, row := range []struct {
		name   string
		grant  Grant
		caller Caller
		layers Layers
		want   bool
	}{
		{"retiring user", Grant{Retiring: aliceARN}, alice, Layers{}, true},
		{"retiring role", Grant{Retiring: roleARN}, svc, Layers{}, true},
		{"retiring service", Grant{RetiringService: logs.Service}, logs, Layers{}, true},
		{"other service", Grant{RetiringService: "ssm.amazonaws.com"}, logs, Layers{}, false},
		{"grantee whose constraint is not met", Grant{Grantee: roleARN, Operations: GrantRetireGrant, SourceARN: "arn:aws:s3:::b",
			EncryptionContextEquals: []Pair{{"D", "IT"}}}, svc, Layers{}, true},
		{"grantee service", Grant{GranteeService: logs.Service, Operations: GrantRetireGrant, SourceARN: "arn:aws:s3:::b"}, logs, Layers{}, true},
		{"foreign retiring role", Grant{Retiring: foreignRole}, svcB, Layers{}, true},
		{"grantee", Grant{Grantee: roleARN, Operations: GrantDecrypt}, svc, Layers{}, false},
		{"grantee with the operation", Grant{Grantee: roleARN, Operations: GrantRetireGrant}, svc, Layers{}, true},
		{"grantee elsewhere", Grant{Grantee: foreignRole, Operations: GrantDecrypt}, svcB, Layers{}, false},
		{"key owner's root user", Grant{}, root, Layers{}, true},
		{"key owner's user", Grant{}, alice, Layers{}, false},
		{"key owner's user by identity", Grant{}, alice, Layers{Identity: identity}, true},
		{"issuing account's root user", Grant{IssuingAccount: accountB}, rootB, Layers{}, true},
		{"issuing account's role by identity", Grant{IssuingAccount: accountB}, svcB, Layers{Identity: identity}, true},
		{"retiring account's role", Grant{Retiring: foreignRoot}, svcB, Layers{Identity: identity}, true},
		{"unrelated account", Grant{IssuingAccount: accountA}, svcB, Layers{Identity: identity}, false},
		{"unrelated root user", Grant{IssuingAccount: accountA}, rootB, Layers{}, false},
		{"denied", Grant{Retiring: aliceARN}, alice, Layers{Identity: list(compiled(t, Identity, denyAny("kms:*")))}, false},
		{"nobody", Grant{}, nobody, Layers{}, false},
	} {
		row.grant.Key = keyOne
		require.Equal(t, row.want, row.grant.MayRetire(&Request{Caller: row.caller, Resource: keyOne}, &row.layers), row.name)
	}
	g := &Grant{Key: keyOne, Retiring: aliceARN}
	require.False(t, g.MayRetire(&Request{Caller: alice, Resource: keyTwo}, &Layers{}))
	require.False(t, g.MayRetire(nil, nil))
}

// TestGrantChoices settles the questions that AWS leaves open both ways.
func TestGrantChoices(t *testing.T) {
	t.Parallel()
	key := compiled(t, KeyPolicy, permitFor(bob.ARN, "kms:*"))
	grant := func(to string) []*Grant {
		return []*Grant{nil, {Key: keyOne, Grantee: to, Operations: GrantDecrypt, EncryptionContextEquals: []Pair{{"D", "IT"}}}}
	}
	exact := given("kms:EncryptionContext:D", "IT")
	identity := list(compiled(t, Identity, permitAny("kms:Decrypt")))
	boundary := compiled(t, Boundary, permitAny("s3:*"))
	for _, row := range []struct {
		name   string
		caller Caller
		ctx    *Context
		layers Layers
		want   string
	}{
		{"foreign grantee", svcB, exact, Layers{Grants: grant(foreignRole)}, byGrantPath},
		{"foreign grantee needs identity", svcB, exact, Layers{Grants: grant(foreignRole), Choices: Choices{CrossAccountGrantNeedsIdentity: true}}, "ImplicitDeny.CrossAccountResourceSide"},
		{"and has it", svcB, exact, Layers{Grants: grant(foreignRole), Identity: identity, Choices: Choices{CrossAccountGrantNeedsIdentity: true}}, byGrantPath},
		{"past the boundary", svc, exact, Layers{Grants: grant(roleARN), Boundary: boundary}, byGrantPath},
		{"within the boundary", svc, exact, Layers{Grants: grant(roleARN), Boundary: boundary, Choices: Choices{GrantLimitedByBoundary: true}}, noResource},
		{"names in any case", svc, given("kms:EncryptionContext:d", "IT"), Layers{Grants: grant(roleARN)}, byGrantPath},
		{"names exactly", svc, given("kms:EncryptionContext:d", "IT"), Layers{Grants: grant(roleARN), Choices: Choices{StrictGrantContextKeys: true}}, "ImplicitDeny.GrantConstraint"},
		{"account without identity", alice, exact, Layers{Grants: grant(rootARN)}, noResource},
		{"account with identity", alice, exact, Layers{Grants: grant(rootARN), Identity: identity}, byGrantPath},
		{"SCP without Allow", svc, exact, Layers{Grants: grant(roleARN), SCP: [][]*Policy{{}}}, "ImplicitDeny.SCPNoAllow"},
	} {
		row.layers.Resource = key
		require.Equal(t, row.want, code(row.caller, "kms:Decrypt", row.ctx, row.layers), row.name)
	}
}
