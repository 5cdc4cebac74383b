package identity_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

const (
	annARN  = "arn:aws:iam::111122223333:user/eng/ann"
	roleARN = "arn:aws:iam::111122223333:role/app/Svc"
)

// allow returns a compiled identity policy that allows an action on everything.
func allow(t testing.TB, k policy.Kind, action string) *policy.Policy {
	t.Helper()
	d, _, err := policy.Parse(k, fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":"*"}}`, action))
	require.NoError(t, err)
	p, err := policy.Compile(d)
	require.NoError(t, err)
	return p
}

func user(t testing.TB, arn string) identity.Caller {
	t.Helper()
	c, err := identity.User(arn)
	require.NoError(t, err)
	return c
}

func assumed(t testing.TB, o *identity.SessionOptions) identity.Caller {
	t.Helper()
	c, err := identity.AssumedRole(roleARN, "deploy", o)
	require.NoError(t, err)
	return c
}

func TestStaticZeroValueKnowsNobody(t *testing.T) {
	t.Parallel()
	var s identity.Static
	require.Zero(t, s.Principal(user(t, annARN)))
	require.Zero(t, s.Account("111122223333"))
	s.Replace(&identity.Static{})
	require.Zero(t, s.Account("111122223333"))
}

func TestStaticAnswersForTheBearer(t *testing.T) {
	t.Parallel()
	var s identity.Static
	ann := identity.Principal{Policies: []*policy.Policy{allow(t, policy.Identity, "kms:Encrypt")}}
	role := identity.Principal{Boundary: allow(t, policy.Boundary, "kms:*"), Tags: []policy.Pair{{Key: "team", Value: "blue"}}}
	s.SetPrincipal(annARN, ann)
	s.SetPrincipal(roleARN, role)
	s.SetAccount("111122223333", identity.Account{OrgID: "o-a1b2c3d4e5"})

	federated, err := identity.FederatedUser(annARN, "bob", nil)
	require.NoError(t, err)
	for _, row := range []struct {
		name   string
		caller identity.Caller
		want   identity.Principal
	}{
		{"a user", user(t, annARN), ann},
		{"a session of a role", assumed(t, nil), role},
		{"a federated user", federated, ann},
		{"a user of another path", user(t, "arn:aws:iam::111122223333:user/ann"), identity.Principal{}},
		{"a user in another case", user(t, "arn:aws:iam::111122223333:user/eng/Ann"), identity.Principal{}},
		{"the root user", identity.Root("111122223333", "eu-west-1"), identity.Principal{}},
		{"nobody", identity.Caller{}, identity.Principal{}},
		{"a session's ARN without its session", identity.Caller{Principal: assumed(t, nil).Principal, Account: "111122223333"}, identity.Principal{}},
		{"a principal without an account", identity.Caller{Principal: annARN}, identity.Principal{}},
	} {
		require.Equal(t, row.want, s.Principal(row.caller), row.name)
	}
	require.Equal(t, "o-a1b2c3d4e5", s.Account("111122223333").OrgID)
	require.Zero(t, s.Account("444455556666"))
}

func TestStaticChanges(t *testing.T) {
	t.Parallel()
	var s, other identity.Static
	one := identity.Principal{Tags: []policy.Pair{{Key: "n", Value: "1"}}}
	two := identity.Principal{Tags: []policy.Pair{{Key: "n", Value: "2"}}}
	ann := user(t, annARN)
	s.SetPrincipal(annARN, one)
	s.SetPrincipal(roleARN, one)
	s.SetPrincipal(annARN, two)
	require.Equal(t, two, s.Principal(ann))
	require.Equal(t, one, s.Principal(assumed(t, nil)), "a change leaves the rest alone")

	other.SetPrincipal(annARN, one)
	other.SetAccount("111122223333", identity.Account{Management: true})
	s.Replace(&other)
	require.Equal(t, one, s.Principal(ann))
	require.Zero(t, s.Principal(assumed(t, nil)), "what the other does not know is forgotten")
	require.True(t, s.Account("111122223333").Management)

	other.SetPrincipal(annARN, two)
	require.Equal(t, one, s.Principal(ann), "the two are apart again")
	s.SetPrincipal(annARN, identity.Principal{})
	require.Equal(t, two, other.Principal(ann))
}

// TestStaticIsNeverHalfChanged has readers look while writers change what they see, and
// then looks whether a change was lost.
func TestStaticIsNeverHalfChanged(t *testing.T) {
	t.Parallel()
	var s identity.Static
	tagged := func(n int) identity.Principal {
		v := fmt.Sprint(n)
		return identity.Principal{Tags: []policy.Pair{{Key: "a", Value: v}, {Key: "b", Value: v}}}
	}
	ann := user(t, annARN)
	s.SetPrincipal(annARN, tagged(0))
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 4 {
		writers.Add(1)
		go func() {
			defer writers.Done()
			for i := range 50 {
				s.SetPrincipal(annARN, tagged(i))
				s.SetAccount(fmt.Sprintf("%012d", w*50+i), identity.Account{OrgID: "o"})
			}
		}()
	}
	for range 4 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				tags := s.Principal(ann).Tags
				if len(tags) != 2 || tags[0].Value != tags[1].Value {
					t.Errorf("half a change: %v", tags)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		}()
	}
	writers.Wait()
	close(done)
	readers.Wait()
	for n := range 200 {
		require.Equal(t, "o", s.Account(fmt.Sprintf("%012d", n)).OrgID, "a change was lost")
	}
}
