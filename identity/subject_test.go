package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

func TestSubject(t *testing.T) {
	t.Parallel()
	home := identity.Account{OrgID: "o-a1b2c3d4e5", OrgPaths: []string{"o-a1b2c3d4e5/r-ab12/"}, Management: true}
	bound := identity.Principal{Tags: []policy.Pair{{Key: "Team", Value: "blue"}, {Key: "site", Value: "1"}}, ServiceLinked: true}
	federated, err := identity.FederatedUser(annARN, "bob", nil)
	require.NoError(t, err)
	// The unique ids are the base32 of the SHA-256 of the ARN, cut to 17 characters.
	want := func(c policy.Caller) policy.Caller {
		c.Account, c.OrgID, c.OrgPaths = "111122223333", home.OrgID, home.OrgPaths
		c.ManagementAccount, c.ServiceLinkedRole = true, true
		if c.Tags == nil {
			c.Tags = bound.Tags
		}
		return c
	}
	const session = "arn:aws:sts::111122223333:assumed-role/Svc/deploy"
	for _, row := range []struct {
		name   string
		caller identity.Caller
		want   policy.Caller
	}{
		{"nobody", identity.Caller{}, policy.Caller{}},
		{"a root user", identity.Root("111122223333", "eu-west-1"), want(policy.Caller{Kind: policy.RootCaller, ARN: "arn:aws:iam::111122223333:root"})},
		{"a user", user(t, annARN), want(policy.Caller{Kind: policy.UserCaller, ARN: annARN, UserName: "ann", UserID: "AIDA5ZP4JYHIZATHJOD6X"})},
		{"a session", assumed(t, nil), want(policy.Caller{Kind: policy.RoleCaller, ARN: session, RoleARN: roleARN, UserID: "AROACGOQGZITGZSG6QWZV:deploy"})},
		{"a session with tags", assumed(t, &identity.SessionOptions{Tags: []policy.Pair{{Key: "team", Value: "red"}, {Key: "tenant", Value: "42"}}}), want(policy.Caller{
			Kind: policy.RoleCaller, ARN: session, RoleARN: roleARN, UserID: "AROACGOQGZITGZSG6QWZV:deploy",
			Tags: []policy.Pair{{Key: "team", Value: "red"}, {Key: "tenant", Value: "42"}, {Key: "site", Value: "1"}},
		})},
		{"a federated user", federated, want(policy.Caller{Kind: policy.FederatedCaller, ARN: federated.Principal, IssuerARN: annARN, UserID: "111122223333:bob"})},
		{"a role without a session", identity.Caller{Principal: roleARN, Account: "111122223333"}, want(policy.Caller{Kind: policy.RoleCaller, ARN: roleARN, RoleARN: roleARN, UserID: "AROACGOQGZITGZSG6QWZV"})},
		{"a user whose path looks like a role", user(t, "arn:aws:iam::111122223333:user/odd:role/ann"), want(policy.Caller{Kind: policy.UserCaller, ARN: "arn:aws:iam::111122223333:user/odd:role/ann", UserName: "ann", UserID: "AIDANAXB46C7JKF7ZRYDT"})},
		{"a session's ARN without its session", identity.Caller{Principal: session, Account: "111122223333"}, policy.Caller{}},
		{"another account's root", identity.Caller{Principal: "arn:aws:iam::444455556666:root", Account: "111122223333"}, policy.Caller{}},
		{"something else", identity.Caller{Principal: "ann", Account: "111122223333"}, policy.Caller{}},
	} {
		require.Equal(t, row.want, row.caller.Subject(bound, home), row.name)
	}
	require.Equal(t, []policy.Pair{{Key: "Team", Value: "blue"}, {Key: "site", Value: "1"}}, bound.Tags, "the principal's tags are left alone")
}

// TestLayers asks the policy engine with the layers of callers: who may decrypt with a
// key whose policy delegates to the account.
func TestLayers(t *testing.T) {
	t.Parallel()
	d, _, err := policy.Parse(policy.KeyPolicy, []byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}}`))
	require.NoError(t, err)
	keyPolicy, err := policy.Compile(d)
	require.NoError(t, err)
	all := []*policy.Policy{allow(t, policy.Identity, "kms:*")}
	encrypt := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}}`
	federated := func(policies ...string) identity.Caller {
		c, err := identity.FederatedUser(annARN, "bob", &identity.SessionOptions{Policies: policies})
		require.NoError(t, err)
		return c
	}
	for _, row := range []struct {
		name   string
		caller identity.Caller
		bound  identity.Principal
		home   identity.Account
		want   string
	}{
		{"a user with nothing", user(t, annARN), identity.Principal{}, identity.Account{}, "ImplicitDeny.NoIdentityAllow"},
		{"a user", user(t, annARN), identity.Principal{Policies: all}, identity.Account{}, "Allowed.keyPolicyDelegated"},
		{"a bounded user", user(t, annARN), identity.Principal{Policies: all, Boundary: allow(t, policy.Boundary, "kms:Encrypt")}, identity.Account{}, "ImplicitDeny.BoundaryNoAllow"},
		{"under an SCP", user(t, annARN), identity.Principal{Policies: all}, identity.Account{SCP: [][]*policy.Policy{{allow(t, policy.SCP, "s3:*")}}}, "ImplicitDeny.SCPNoAllow"},
		{"under no SCP of a level", user(t, annARN), identity.Principal{Policies: all}, identity.Account{SCP: [][]*policy.Policy{{}}}, "ImplicitDeny.SCPNoAllow"},
		{"in the management account", user(t, annARN), identity.Principal{Policies: all}, identity.Account{Management: true, SCP: [][]*policy.Policy{{}}}, "Allowed.keyPolicyDelegated"},
		{"a session", assumed(t, nil), identity.Principal{Policies: all}, identity.Account{}, "Allowed.keyPolicyDelegated"},
		{"a restricted session", assumed(t, &identity.SessionOptions{Policies: []string{encrypt}}), identity.Principal{Policies: all}, identity.Account{}, "ImplicitDeny.SessionNoAllow"},
		{"a session restricted to it", assumed(t, &identity.SessionOptions{Policies: []string{sessionPolicy}}), identity.Principal{Policies: all}, identity.Account{}, "Allowed.keyPolicyDelegated"},
		{"a federated user without policies", federated(), identity.Principal{Policies: all}, identity.Account{}, "ImplicitDeny.SessionNoAllow"},
		{"a federated user", federated(sessionPolicy), identity.Principal{Policies: all}, identity.Account{}, "Allowed.keyPolicyDelegated"},
	} {
		layers := row.caller.Layers(row.bound, row.home)
		layers.Resource = keyPolicy
		got := policy.Decide(&policy.Request{
			Caller:   row.caller.Subject(row.bound, row.home),
			Action:   "kms:Decrypt",
			Resource: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		}, &layers)
		require.Equal(t, row.want, got.Code(), row.name)
	}
}
