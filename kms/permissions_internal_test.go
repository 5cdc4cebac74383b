package kms

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

// The Service Authorization Reference's table of AWS KMS: operations that need the
// permission of their own name, by the kind of resource.
const (
	ownOnKey = `CancelKeyDeletion EnableKey DisableKey ScheduleKeyDeletion UpdateKeyDescription EnableKeyRotation
		DisableKeyRotation RotateKeyOnDemand ListKeyRotations GetKeyLastUsage GetKeyPolicy ListKeyPolicies PutKeyPolicy
		ListResourceTags TagResource UntagResource ImportKeyMaterial DeleteImportedKeyMaterial GetParametersForImport
		GetKeyRotationStatus Encrypt Decrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair
		GenerateDataKeyPairWithoutPlaintext Sign Verify GenerateMac VerifyMac DeriveSharedSecret Encapsulate Decapsulate
		DescribeKey GetPublicKey CreateGrant ListGrants RevokeGrant RetireGrant`
	ownOnAccount = `ListRetirableGrants ListAliases ListKeys GenerateRandom CreateCustomKeyStore ConnectCustomKeyStore
		DescribeCustomKeyStores DisconnectCustomKeyStore DeleteCustomKeyStore UpdateCustomKeyStore`
)

// several are the operations that need more than one permission, in any order.
var several = map[string][]permission{
	"ReEncrypt":           {{"kms:ReEncryptFrom", onSource}, {"kms:ReEncryptTo", onDestination}},
	"CreateAlias":         {{"kms:CreateAlias", onAlias}, {"kms:CreateAlias", onKey}},
	"DeleteAlias":         {{"kms:DeleteAlias", onAlias}, {"kms:DeleteAlias", onKey}},
	"UpdateAlias":         {{"kms:UpdateAlias", onAlias}, {"kms:UpdateAlias", onOldTarget}, {"kms:UpdateAlias", onKey}},
	"CreateKey":           {{"kms:CreateKey", onAccount}, {"kms:TagResource", onNewTags}},
	"ReplicateKey":        {{"kms:ReplicateKey", onKey}, {"kms:CreateKey", onAccount}, {"kms:TagResource", onNewTags}},
	"UpdatePrimaryRegion": {{"kms:UpdatePrimaryRegion", onKey}, {"kms:UpdatePrimaryRegion", onReplica}},
}

func TestPermissionsAreThoseOfAWS(t *testing.T) {
	t.Parallel()
	want := maps.Clone(several)
	for _, name := range strings.Fields(ownOnKey) {
		want[name] = []permission{{"kms:" + name, onKey}}
	}
	for _, name := range strings.Fields(ownOnAccount) {
		want[name] = []permission{{"kms:" + name, onAccount}}
	}
	require.Len(t, want, 56)
	for name, needed := range want {
		require.ElementsMatch(t, needed, permissions[name], name)
	}
	require.Len(t, permissions, len(want))
}

// TestPermissionsOfEveryOperation takes the operations from the SDK's own client.
func TestPermissionsOfEveryOperation(t *testing.T) {
	t.Parallel()
	client := reflect.TypeFor[*sdk.Client]()
	var names []string
	for i := range client.NumMethod() {
		m := client.Method(i)
		if m.Type.NumIn() == 4 && m.Type.In(2).Elem().Name() == m.Name+"Input" {
			names = append(names, m.Name)
		}
	}
	require.Len(t, names, 56)
	require.Equal(t, names, slices.Sorted(maps.Keys(permissions)))
	for _, op := range table {
		require.NotEmpty(t, permissions[op.operationName()])
	}
}

// TestPermissionsAreKnown has the policy engine be able to allow each permission on a
// resource of the kind.
func TestPermissionsAreKnown(t *testing.T) {
	t.Parallel()
	const account = "111122223333"
	key := "arn:aws:kms:us-east-1:" + account + ":key/12345678-1234-4234-8234-123456789abc"
	d, _, err := policy.Parse(policy.KeyPolicy, []byte(defaultKeyPolicy(account, "us-east-1")))
	require.NoError(t, err)
	keyPolicy, err := policy.Compile(d)
	require.NoError(t, err)
	for name, needed := range permissions {
		for _, p := range needed {
			resource := key
			switch p.on {
			case onAccount, onNewTags:
				resource = "*"
			case onAlias:
				resource = "arn:aws:kms:us-east-1:" + account + ":alias/a"
			}
			q := &policy.Request{
				Caller: policy.Caller{Kind: policy.RootCaller, Account: account, ARN: "arn:aws:iam::" + account + ":root"},
				Action: p.action, Resource: resource,
				Grant: &policy.Grant{Key: key, IssuingAccount: account},
			}
			require.True(t, policy.Decide(q, &policy.Layers{Resource: keyPolicy}).Allowed, "%s: %s on %s", name, p.action, resource)
		}
	}
}

// TestAnOperationWithoutARowIsRefused also has an operation whose row names no target of
// the request: nothing asked must not be everything allowed.
func TestAnOperationWithoutARowIsRefused(t *testing.T) {
	t.Parallel()
	r := &request{service: &Service{}, caller: identity.Root("111122223333", "us-east-1")}
	r.bind()
	account := []target{r.accountTarget()}
	none := &operation[sdk.ListKeysInput, sdk.ListKeysOutput]{name: "NoSuchOperation"}
	require.EqualError(t, none.authorize(r, nil, account), "kms: no permission is known for NoSuchOperation")
	require.EqualError(t, describeKey.authorize(r, nil, account), "kms: no permission is known for DescribeKey")
	require.NoError(t, listKeys.authorize(r, nil, account))
}
