package identity_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

const sessionPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}}`

func TestUser(t *testing.T) {
	t.Parallel()
	for _, arn := range []string{
		annARN,
		"arn:aws:iam::111122223333:user/ann",
		"arn:aws-cn:iam::111122223333:user/ann",
		"arn:aws-us-gov:iam::111122223333:user/a/b/c/_+=,.@-9",
		"arn:aws:iam::111122223333:user/odd:role/ann",
		"arn:aws:iam::111122223333:user/" + strings.Repeat("n", 64),
		"arn:aws:iam::111122223333:user/" + strings.Repeat("p", 510) + "/ann",
	} {
		c, err := identity.User(arn)
		require.NoError(t, err)
		require.Equal(t, identity.Caller{Principal: arn, Account: "111122223333"}, c)
		require.Equal(t, "eu-west-1", c.In("eu-west-1").Region)
	}
}

// badPrincipals are ARNs that name no user or role; %s is the kind.
var badPrincipals = []string{
	"",
	"ann",
	"arn:aws:iam::111122223333:%[1]s",
	"arn:aws:iam::111122223333:%[1]s/",
	"arn:aws:iam::111122223333:%[1]s/a/",
	"arn:aws:iam::111122223333:%[1]s//ann",
	"arn:aws:iam::111122223333:%[1]s/a//ann",
	"arn:aws:iam::111122223333:%[1]ss/ann",
	"arn:aws:iam::111122223333:group/ann",
	"arn:aws:iam::111122223333:root",
	"arn:aws:iam::11112222333:%[1]s/ann",
	"arn:aws:iam::11112222333x:%[1]s/ann",
	"arn:aws:iam::１１１１:%[1]s/ann",
	"arn:aws:iam::*:%[1]s/ann",
	"arn:aws:iam:eu-west-1:111122223333:%[1]s/ann",
	"arn:aws:sts::111122223333:%[1]s/ann",
	"arn:AWS:iam::111122223333:%[1]s/ann",
	"arn:awsx:iam::111122223333:%[1]s/ann",
	"arn::iam::111122223333:%[1]s/ann",
	"Arn:aws:iam::111122223333:%[1]s/ann",
	" arn:aws:iam::111122223333:%[1]s/ann",
	"arn:aws:iam::111122223333:%[1]s/ann ",
	"arn:aws:iam::111122223333:%[1]s/an n",
	"arn:aws:iam::111122223333:%[1]s/an:n",
	"arn:aws:iam::111122223333:%[1]s/änn",
	"arn:aws:iam::111122223333:%[1]s/*",
	"arn:aws:iam::111122223333:%[1]s/a*/ann",
	"arn:aws:iam::111122223333:%[1]s/a?/ann",
	"arn:aws:iam::111122223333:%[1]s/a b/ann",
	"arn:aws:iam::111122223333:%[1]s/ä/ann",
	"arn:aws:iam::111122223333:%[1]s/a\x00/ann",
	"arn:aws:iam::111122223333:%[1]s/" + strings.Repeat("n", 65),
	"arn:aws:iam::111122223333:%[1]s/" + strings.Repeat("p", 511) + "/ann",
	"arn:aws:sts::111122223333:assumed-role/Svc/deploy",
	"arn:aws:sts::111122223333:federated-user/ann",
}

func badARNs(kind string) (all []string) {
	for _, text := range badPrincipals {
		all = append(all, strings.ReplaceAll(text, "%[1]s", kind))
	}
	return all
}

func TestPrincipalsAreRefused(t *testing.T) {
	t.Parallel()
	for _, arn := range append(badARNs("user"), roleARN) {
		c, err := identity.User(arn)
		require.ErrorContains(t, err, fmt.Sprintf("identity: user %q: ", arn))
		require.Zero(t, c)
		c, err = identity.FederatedUser(arn, "bob", nil)
		require.ErrorContains(t, err, fmt.Sprintf("identity: user %q: ", arn))
		require.Zero(t, c)
	}
	for _, arn := range append(badARNs("role"), annARN) {
		c, err := identity.AssumedRole(arn, "deploy", nil)
		require.ErrorContains(t, err, fmt.Sprintf("identity: role %q: ", arn))
		require.Zero(t, c)
	}
}

func TestAssumedRole(t *testing.T) {
	t.Parallel()
	issued := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tags := []policy.Pair{{Key: "tenant", Value: "42"}, {Key: "empty"}}
	c := assumed(t, &identity.SessionOptions{
		Policies:       []string{sessionPolicy, sessionPolicy},
		Tags:           tags,
		SourceIdentity: "ann@example.com",
		Issued:         issued,
	})
	require.Equal(t, "arn:aws:sts::111122223333:assumed-role/Svc/deploy", c.Principal, "the path is dropped")
	require.Equal(t, "111122223333", c.Account)
	require.Empty(t, c.Region)
	require.False(t, c.Anonymous())
	require.Equal(t, roleARN, c.Session.Role)
	require.Empty(t, c.Session.Issuer)
	require.True(t, c.Session.Restricted)
	require.Len(t, c.Session.Policies, 2)
	require.Equal(t, policy.Session, c.Session.Policies[0].Document().Kind)
	require.Equal(t, "ann@example.com", c.Session.SourceIdentity)
	require.Equal(t, issued, c.Session.Issued)

	tags[0].Value = "43"
	require.Equal(t, []policy.Pair{{Key: "tenant", Value: "42"}, {Key: "empty"}}, c.Session.Tags, "the tags are copied")

	before := time.Now()
	plain := assumed(t, nil)
	require.False(t, plain.Session.Issued.Before(before))
	require.False(t, plain.Session.Restricted)
	require.Empty(t, plain.Session.Policies)

	china, err := identity.AssumedRole("arn:aws-cn:iam::111122223333:role/Svc", "s1", nil)
	require.NoError(t, err)
	require.Equal(t, "arn:aws-cn:sts::111122223333:assumed-role/Svc/s1", china.Principal)
}

func TestFederatedUser(t *testing.T) {
	t.Parallel()
	c, err := identity.FederatedUser(annARN, "bob", &identity.SessionOptions{Policies: []string{sessionPolicy}})
	require.NoError(t, err)
	require.Equal(t, "arn:aws:sts::111122223333:federated-user/bob", c.Principal)
	require.Equal(t, annARN, c.Session.Issuer)
	require.Empty(t, c.Session.Role)
	require.True(t, c.Session.Restricted)

	_, err = identity.FederatedUser(annARN, "bob", &identity.SessionOptions{SourceIdentity: "ann"})
	require.ErrorContains(t, err, "source identity")
}

func TestSessionNames(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name            string
		role, federated bool
	}{
		{"", false, false},
		{"s", false, false},
		{"s1", true, true},
		{"A_z+=,.@-9", true, true},
		{strings.Repeat("n", 32), true, true},
		{strings.Repeat("n", 33), true, false},
		{strings.Repeat("n", 64), true, false},
		{strings.Repeat("n", 65), false, false},
		{"a/b", false, false},
		{"a b", false, false},
		{"a:b", false, false},
		{"a*", false, false},
		{"é1", false, false},
		{"a\n", false, false},
		{"a\xff", false, false},
	} {
		_, err := identity.AssumedRole(roleARN, row.name, nil)
		require.Equal(t, row.role, err == nil, "role session %q: %v", row.name, err)
		_, err = identity.FederatedUser(annARN, row.name, nil)
		require.Equal(t, row.federated, err == nil, "federated user %q: %v", row.name, err)
	}
}

func TestSessionOptionsAreRefused(t *testing.T) {
	t.Parallel()
	pairs := func(n int) (all []policy.Pair) {
		for i := range n {
			all = append(all, policy.Pair{Key: fmt.Sprint("k", i), Value: "v"})
		}
		return all
	}
	tag := func(key, value string) identity.SessionOptions {
		return identity.SessionOptions{Tags: []policy.Pair{{Key: key, Value: value}}}
	}
	many := func(n int) (all []string) {
		for range n {
			all = append(all, sessionPolicy)
		}
		return all
	}
	for _, row := range []struct {
		name string
		o    identity.SessionOptions
		want string // "" if it is accepted
	}{
		{"eleven policies", identity.SessionOptions{Policies: many(11)}, ""},
		{"twelve policies", identity.SessionOptions{Policies: many(12)}, "12 session policies"},
		{"an empty policy", identity.SessionOptions{Policies: []string{sessionPolicy, ""}}, "session policy 1: "},
		{"a policy with a principal", identity.SessionOptions{Policies: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`}}, "session policy 0: "},
		{"a policy of 2,048 characters", identity.SessionOptions{Policies: []string{sessionPolicy + strings.Repeat(" ", 2048-len(sessionPolicy))}}, ""},
		{"a longer policy", identity.SessionOptions{Policies: []string{sessionPolicy + strings.Repeat(" ", 2049-len(sessionPolicy))}}, "PackedPolicyTooLarge"},
		{"fifty tags", identity.SessionOptions{Tags: pairs(50)}, ""},
		{"more tags", identity.SessionOptions{Tags: pairs(51)}, "51 tags"},
		{"a key of 128 characters", tag(strings.Repeat("ä", 128), strings.Repeat("ß", 256)), ""},
		{"a longer key", tag(strings.Repeat("k", 129), ""), "tag key"},
		{"a longer value", tag("k", strings.Repeat("v", 257)), "value of the tag"},
		{"an empty key", tag("", "v"), "tag key"},
		{"all characters of a key", tag("a Z9_.:/=+-@é", ""), ""},
		{"a star in a key", tag("k*", "v"), "tag key"},
		{"a quote in a value", tag("k", `"`), "value of the tag"},
		{"a line break in a value", tag("k", "a\nb"), "value of the tag"},
		{"a broken value", tag("k", "\xff"), "value of the tag"},
		{"a reserved key", tag("AWS:k", "v"), "tag key"},
		{"a key that only begins alike", tag("awsome:k", "v"), ""},
		{"a repeated key", identity.SessionOptions{Tags: []policy.Pair{{Key: "Team", Value: "a"}, {Key: "team", Value: "b"}}}, "twice"},
		{"a short source identity", identity.SessionOptions{SourceIdentity: "a"}, "source identity"},
		{"a long source identity", identity.SessionOptions{SourceIdentity: strings.Repeat("a", 65)}, "source identity"},
		{"an odd source identity", identity.SessionOptions{SourceIdentity: "aws:ann"}, "source identity"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := identity.AssumedRole(roleARN, "deploy", &row.o)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
			require.ErrorContains(t, err, `identity: session "deploy": `)
			require.Zero(t, c)
			row.o.SourceIdentity = ""
			if _, err = identity.FederatedUser(annARN, "bob", &row.o); !strings.Contains(row.name, "source identity") {
				require.ErrorContains(t, err, row.want)
			}
		})
	}
}

func TestSessionPolicyErrorIsThePolicys(t *testing.T) {
	t.Parallel()
	_, err := identity.AssumedRole(roleARN, "deploy", &identity.SessionOptions{Policies: []string{"{\n]"}})
	var parse *policy.ParseError
	require.ErrorAs(t, err, &parse)
	require.Equal(t, 2, parse.Line)
}

func FuzzUser(f *testing.F) {
	for _, text := range append(badARNs("user"), annARN, roleARN) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := identity.User(text)
		if err != nil {
			require.Zero(t, c)
			return
		}
		require.Equal(t, text, c.Principal)
		require.False(t, c.Anonymous())
		require.False(t, c.Root())
		s := c.Subject(identity.Principal{}, identity.Account{})
		require.Equal(t, policy.UserCaller, s.Kind)
		require.True(t, strings.HasSuffix(text, "/"+s.UserName))
		// Whatever is a user's ARN is one that a key policy can name.
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		_, _, err = policy.Parse(policy.KeyPolicy, fmt.Appendf(nil, `{"Statement":{"Effect":"Allow","Principal":{"AWS":%s},"Action":"kms:*","Resource":"*"}}`, quoted))
		require.NoError(t, err)
	})
}
