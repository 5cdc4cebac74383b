package identity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

func TestService(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, source, account string }{
		{"s3.amazonaws.com", "arn:aws:s3:::bucket", ""},
		{"logs.eu-west-1.amazonaws.com", "arn:aws:logs:eu-west-1:111122223333:log-group:x", "111122223333"},
		{"delivery.logs.amazonaws.com", "", ""},
		{"ec2.amazonaws.com.cn", "", ""},
		{"ssm-incidents.amazonaws.com", "", ""},
		{"alexa-appkit.amazon.com", "", ""},
	} {
		c, err := identity.Service(row.name, row.source)
		require.NoError(t, err)
		require.Equal(t, identity.Caller{Service: row.name, SourceARN: row.source, SourceAccount: row.account}, c)
		require.False(t, c.Anonymous())
		require.False(t, c.Root())
		require.Equal(t, row.name, c.String())
		moved := c.In("eu-west-1")
		require.Equal(t, "eu-west-1", moved.Region)
		require.Equal(t, policy.Caller{Kind: policy.ServiceCaller, Service: row.name},
			moved.Subject(identity.Principal{Tags: []policy.Pair{{Key: "a", Value: "b"}}, ServiceLinked: true}, identity.Account{OrgID: "o", Management: true}))
	}
}

func TestRefusedServices(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "s3", ".amazonaws.com", "-.amazonaws.com", "..amazonaws.com", "S3.amazonaws.com", "s3.amazonaws.com ", "s_3.amazonaws.com", "s3.amazonaws.org",
		"arn:aws:iam::111122223333:root", strings.Repeat("x", 243) + ".amazonaws.com",
	} {
		_, err := identity.Service(name, "")
		require.ErrorContains(t, err, "identity: service", name)
		require.ErrorContains(t, err, "it is not the name of a service")
	}
	_, err := identity.Service(strings.Repeat("x", 242)+".amazonaws.com", "")
	require.NoError(t, err)
	_, err = identity.Service("s3.amazonaws.com", "bucket")
	require.EqualError(t, err, `identity: service "s3.amazonaws.com": the source "bucket" is not an ARN`)
}

// TestServiceIsNobodyElse: a caller that claims to be a service and a principal is
// neither.
func TestServiceIsNobodyElse(t *testing.T) {
	t.Parallel()
	root := identity.Root("111122223333", "eu-west-1")
	session := assumed(t, nil)
	for name, c := range map[string]identity.Caller{
		"a root user":         {Service: "s3.amazonaws.com", Principal: root.Principal, Account: root.Account},
		"an account":          {Service: "s3.amazonaws.com", Account: root.Account},
		"a principal":         {Service: "s3.amazonaws.com", Principal: root.Principal},
		"a session":           {Service: "s3.amazonaws.com", Session: session.Session},
		"a session's account": {Service: "s3.amazonaws.com", Principal: session.Principal, Account: session.Account, Session: session.Session},
	} {
		require.True(t, c.Anonymous(), name)
		require.False(t, c.Root(), name)
		require.Equal(t, "anonymous", c.String(), name)
		require.Equal(t, policy.Caller{}, c.Subject(identity.Principal{}, identity.Account{}), name)
	}
}

// TestThrough has a request passed on twice, from the same caller.
func TestThrough(t *testing.T) {
	t.Parallel()
	ann := user(t, annARN)
	first := ann.Through("cloudformation.amazonaws.com")
	second, other := first.Through("dynamodb.amazonaws.com"), first.Through("ssm.amazonaws.com")
	require.Nil(t, ann.Via)
	require.Equal(t, []string{"cloudformation.amazonaws.com"}, first.Via)
	require.Equal(t, []string{"cloudformation.amazonaws.com", "dynamodb.amazonaws.com"}, second.Via)
	require.Equal(t, []string{"cloudformation.amazonaws.com", "ssm.amazonaws.com"}, other.Via)
	require.Equal(t, ann.Principal, second.Principal)
	require.Equal(t, ann.Subject(identity.Principal{}, identity.Account{}), second.Subject(identity.Principal{}, identity.Account{}))
}

func TestStaticKnowsNoServices(t *testing.T) {
	t.Parallel()
	var s identity.Static
	s.SetPrincipal("", identity.Principal{ServiceLinked: true})
	c, err := identity.Service("s3.amazonaws.com", "")
	require.NoError(t, err)
	require.Zero(t, s.Principal(c))
}
