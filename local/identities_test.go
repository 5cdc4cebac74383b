package local_test

import (
	"testing"
	"testing/fstest"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/policy"
)

const statementOf = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"`

// folder is two accounts of an organization: ann and the role Svc may decrypt, Svc only
// for its own tenant, and nobody may delete keys.
func folder() fstest.MapFS {
	return fstest.MapFS{
		"aws/111122223333/user/eng/ann/Decrypt.policy.json": {Data: []byte(statementOf + `}}`)},
		"aws/111122223333/role/app/Svc/Decrypt.policy.json": {Data: []byte(statementOf +
			`,"Condition":{"StringEquals":{"kms:EncryptionContext:tenant":"${aws:PrincipalTag/tenant}"}}}}`)},
		"aws/111122223333/role/app/Svc/tags.json": {Data: []byte(`{"tenant":"41"}`)},
		"scp/KeepKeys.json":                       {Data: []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:ScheduleKeyDeletion","Resource":"*"}}`)},
		"organization.json": {Data: []byte(`{"id":"o-a1b2c3d4e5","managementAccount":"999900001111","root":{"id":"r-ab12",
			"scp":["FullAWSAccess","KeepKeys"],"accounts":[{"id":"999900001111"},{"id":"111122223333"}]}}`)},
	}
}

// sealed makes a key and encrypts with it for a tenant.
func sealed(t *testing.T, cloud *local.Cloud, tenant string) (keyARN *string, in *sdk.DecryptInput) {
	t.Helper()
	root := cloud.SDK("eu-west-1")
	key, err := root.CreateKey(t.Context(), &sdk.CreateKeyInput{})
	require.NoError(t, err)
	pairs := map[string]string{"tenant": tenant}
	out, err := root.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: key.KeyMetadata.Arn, Plaintext: []byte("attack at dawn"), EncryptionContext: pairs})
	require.NoError(t, err)
	return key.KeyMetadata.Arn, &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: pairs}
}

// tries makes a request in process and over the handler; both have to end alike.
func tries(t *testing.T, a *local.Access, in *sdk.DecryptInput) error {
	t.Helper()
	_, direct := a.KMS().Decrypt(t.Context(), in)
	_, signed := sdk.NewFromConfig(a.AWSConfig()).Decrypt(t.Context(), in)
	require.Equal(t, direct == nil, signed == nil, "%v; %v", direct, signed)
	return direct
}

func TestIdentitiesDecide(t *testing.T) {
	t.Parallel()
	source, _, err := identity.Load(folder())
	require.NoError(t, err)
	cloud := newCloud(t, &local.Options{Identities: source})
	key, in := sealed(t, cloud, "42")

	user := func(arn string) *local.Access {
		c, err := identity.User(arn)
		require.NoError(t, err)
		return cloud.As(c.In("eu-west-1"))
	}
	session := func(o *identity.SessionOptions) *local.Access {
		a, err := cloud.AssumeRole("arn:aws:iam::111122223333:role/app/Svc", "nightly", o)
		require.NoError(t, err)
		return a.In("eu-west-1")
	}
	tenant := []policy.Pair{{Key: "Tenant", Value: "42"}}
	for _, row := range []struct {
		name   string
		access *local.Access
		want   string // of the denial; "" if it is allowed
	}{
		{"a user with a policy", user(annARN), ""},
		{"a user without", user("arn:aws:iam::111122223333:user/bob"), "no identity-based policy allows"},
		{"a session with the role's tag", session(nil), "no identity-based policy allows"},
		{"a session with its own tag", session(&identity.SessionOptions{Tags: tenant}), ""},
		{"a session restricted to it", session(&identity.SessionOptions{Tags: tenant, Policies: []string{statementOf + `}}`}}), ""},
		{"a session restricted to something else", session(&identity.SessionOptions{Tags: tenant, Policies: []string{
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}}`}}), "no session policy allows"},
		{"another account's root user", cloud.As(identity.Root("444455556666", "eu-west-1")), "no resource-based policy allows"},
	} {
		err := tries(t, row.access, in)
		if row.want == "" {
			require.NoError(t, err, row.name)
			continue
		}
		require.ErrorContains(t, err, row.want, row.name)
		require.ErrorContains(t, err, "User: "+row.access.Caller().Principal+" is not authorized to perform: kms:Decrypt on resource: "+*key, row.name)
	}

	_, err = cloud.SDK("eu-west-1").ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: aws.Int32(7)})
	require.ErrorContains(t, err, "with an explicit deny in a service control policy", "not even the root user")
}

func TestIdentitiesMayChange(t *testing.T) {
	t.Parallel()
	source := &identity.Static{}
	cloud := newCloud(t, &local.Options{Identities: source})
	_, in := sealed(t, cloud, "42")
	ann, err := identity.User(annARN)
	require.NoError(t, err)
	access := cloud.As(ann.In("eu-west-1"))

	require.Error(t, tries(t, access, in))
	loaded, _, err := identity.Load(folder())
	require.NoError(t, err)
	source.Replace(loaded)
	require.NoError(t, tries(t, access, in))
	source.SetPrincipal(annARN, identity.Principal{})
	require.Error(t, tries(t, access, in))
}
