package local_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
)

const (
	annARN  = "arn:aws:iam::111122223333:user/eng/ann"
	roleARN = "arn:aws:iam::444455556666:role/app/Svc"
	session = "arn:aws:sts::444455556666:assumed-role/Svc/nightly"
)

// principals is everybody who can have access to a cloud, and what each is called.
func principals(t *testing.T, cloud *local.Cloud) map[string]*local.Access {
	t.Helper()
	ann, err := identity.User(annARN)
	require.NoError(t, err)
	bob, err := identity.FederatedUser(annARN, "bob", nil)
	require.NoError(t, err)
	assumed, err := cloud.AssumeRole(roleARN, "nightly", nil)
	require.NoError(t, err)
	return map[string]*local.Access{
		annARN:  cloud.As(ann.In("eu-west-1")),
		session: assumed.In("eu-west-1"),
		"arn:aws:sts::111122223333:federated-user/bob": cloud.As(bob.In("eu-west-1")),
		"arn:aws:iam::444455556666:root":               cloud.As(identity.Root("444455556666", "eu-west-1")),
		"arn:aws:iam::111122223333:root":               cloud.As(identity.Root("111122223333", "eu-west-1")),
	}
}

func TestEveryClientOfAPrincipalIsThePrincipal(t *testing.T) {
	t.Parallel()
	for name := range principals(t, newCloud(t, nil)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t, nil)
			server := httptest.NewServer(cloud.Handler())
			t.Cleanup(server.Close)
			access := principals(t, cloud)[name]
			require.Equal(t, name, access.Caller().Principal)

			overHTTP := access.AWSConfig()
			overHTTP.HTTPClient, overHTTP.BaseEndpoint = nil, &server.URL
			clients := []kms.API{access.KMS(), access.SDK(), sdk.NewFromConfig(access.AWSConfig()), sdk.NewFromConfig(overHTTP)}
			for _, client := range clients {
				_, _ = client.ListKeys(t.Context(), &sdk.ListKeysInput{}) // allowed or not, it is recorded
			}
			events := cloud.Events()
			require.Len(t, events, len(clients))
			for i, e := range events {
				require.Equal(t, name, e.Identity.ARN)
				require.Equal(t, access.Caller().Account, e.Identity.Account)
				require.Equal(t, "eu-west-1", e.Region)
				require.Equal(t, i > 1, e.Identity.AccessKeyID != "", "only what is signed has a key")
			}
			require.Equal(t, events[2].Identity.AccessKeyID, events[3].Identity.AccessKeyID)
		})
	}
}

func TestRootsAreApart(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	_, err := cloud.As(identity.Root("444455556666", "eu-west-1")).SDK().CreateKey(t.Context(), &sdk.CreateKeyInput{})
	require.NoError(t, err)
	ours, err := cloud.SDK("eu-west-1").ListKeys(t.Context(), &sdk.ListKeysInput{})
	require.NoError(t, err)
	require.Empty(t, ours.Keys)
}

func TestDenialsNameThePrincipal(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	arn, _ := roundTrip(t, cloud.SDK("eu-west-1"))
	for name, access := range principals(t, cloud) {
		if access.Caller().Account == "111122223333" && access.Caller().Root() {
			continue
		}
		_, err := access.SDK().DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &arn})
		require.ErrorContains(t, err, "AccessDeniedException: User: "+name+" is not authorized to perform: kms:DescribeKey on resource: "+arn)
	}
}

func TestAccessHasARegion(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	ann, err := identity.User(annARN)
	require.NoError(t, err)
	access := cloud.As(ann)
	require.Equal(t, "us-east-1", access.Caller().Region)
	require.Equal(t, "us-east-1", access.AWSConfig().Region)
	require.Equal(t, "us-east-1", access.SDK().Options().Region)

	china := access.In("cn-north-1")
	require.Equal(t, "cn-north-1", china.AWSConfig().Region)
	require.Equal(t, "cn-north-1", china.SDK().Options().Region)
	require.Equal(t, "us-east-1", access.Caller().Region, "the other is as it was")

	root := cloud.As(identity.Root("111122223333", ""))
	require.Equal(t, identity.Root("111122223333", "us-east-1"), root.Caller())
	require.Equal(t, "arn:aws-cn:iam::111122223333:root", root.In("cn-north-1").Caller().Principal)
}

func keyID(t *testing.T, p aws.CredentialsProvider) string {
	t.Helper()
	c, err := p.Retrieve(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, c.AccessKeyID)
	require.NotEmpty(t, c.SecretAccessKey)
	return c.AccessKeyID
}

func TestCredentialsAreMadeOnce(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	seen := map[string]string{}
	for name, access := range principals(t, cloud) {
		id := keyID(t, access.Credentials())
		require.Equal(t, id, keyID(t, access.Credentials()))
		require.Equal(t, id, keyID(t, access.AWSConfig().Credentials))
		require.Equal(t, id, keyID(t, access.In("us-west-2").AWSConfig().Credentials), "the Region makes no difference")
		require.NotContains(t, seen, id, "%s has another's", name)
		seen[id] = name
	}
	root := cloud.As(identity.Root("111122223333", "us-east-1")).Credentials()
	require.Equal(t, keyID(t, cloud.AWSConfig("eu-west-1").Credentials), keyID(t, cloud.AWSConfig("us-east-1").Credentials))
	require.Equal(t, keyID(t, cloud.AWSConfig("eu-west-1").Credentials), keyID(t, root))
	require.Equal(t, "arn:aws:iam::111122223333:root", seen[keyID(t, root)])
}

func TestOnlySessionsHaveTokens(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	for name, access := range principals(t, cloud) {
		before := time.Now()
		cached, err := access.Credentials().Retrieve(t.Context())
		require.NoError(t, err)
		made := cloud.AccessKey(access.Caller())
		require.NotEqual(t, cached.AccessKeyID, made.AccessKeyID)
		for _, c := range []aws.Credentials{cached, made} {
			require.Equal(t, access.Caller().Account, c.AccountID)
			if access.Caller().Session == nil {
				require.True(t, strings.HasPrefix(c.AccessKeyID, "AKIA"), name)
				require.Empty(t, c.SessionToken)
				require.False(t, c.CanExpire)
				continue
			}
			require.True(t, strings.HasPrefix(c.AccessKeyID, "ASIA"), name)
			require.NotEmpty(t, c.SessionToken)
			require.True(t, c.CanExpire)
			require.False(t, c.Expires.Before(before.Add(50*time.Minute)), "%v", c.Expires)
			require.False(t, c.Expires.After(time.Now().Add(time.Hour)), "%v", c.Expires)
		}
	}
}

func TestSessionTokenIsNeeded(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	access, err := cloud.AssumeRole(roleARN, "nightly", nil)
	require.NoError(t, err)
	good := cloud.AccessKey(access.Caller())
	for token, want := range map[string]string{
		good.SessionToken: "AccessDeniedException: User: " + session,
		"":                "UnrecognizedClientException",
		"x":               "UnrecognizedClientException",
	} {
		config := access.AWSConfig()
		config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			c := good
			c.SessionToken = token
			return c, nil
		})
		_, err := sdk.NewFromConfig(config).CreateKey(t.Context(), &sdk.CreateKeyInput{})
		require.ErrorContains(t, err, want)
	}
}

func TestPrintingAccessShowsNoCredentials(t *testing.T) {
	t.Parallel()
	access := newCloud(t, nil).As(identity.Root("111122223333", "eu-west-1"))
	keyID(t, access.Credentials())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "local.Access{arn:aws:iam::111122223333:root in eu-west-1}", fmt.Sprintf(verb, access))
	}
}

func TestAssumeRoleRefuses(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	access, err := cloud.AssumeRole(annARN, "nightly", nil)
	require.ErrorContains(t, err, "it names a user")
	require.Nil(t, access)
	_, err = cloud.AssumeRole(roleARN, "nightly", &identity.SessionOptions{Policies: []string{"{}"}})
	require.ErrorContains(t, err, "session policy 0")
}

func TestAssumeRoleKeepsTheSession(t *testing.T) {
	t.Parallel()
	access, err := newCloud(t, nil).AssumeRole(roleARN, "nightly", &identity.SessionOptions{
		Policies:       []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}}`},
		SourceIdentity: "ann",
	})
	require.NoError(t, err)
	s := access.In("eu-west-1").Caller().Session
	require.Equal(t, roleARN, s.Role)
	require.True(t, s.Restricted)
	require.Len(t, s.Policies, 1)
	require.Equal(t, "ann", s.SourceIdentity)
}

// TestNobodyIsDenied has a zero Caller, which is not the root user by mistake.
func TestNobodyIsDenied(t *testing.T) {
	t.Parallel()
	nobody := newCloud(t, nil).As(identity.Caller{})
	require.True(t, nobody.Caller().Anonymous())
	for _, client := range []kms.API{nobody.KMS(), nobody.SDK(), sdk.NewFromConfig(nobody.AWSConfig())} {
		_, err := client.CreateKey(t.Context(), &sdk.CreateKeyInput{})
		require.ErrorContains(t, err, "AccessDeniedException")
	}
}
