package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
)

func TestCaller(t *testing.T) {
	t.Parallel()
	root := identity.Root("111122223333", "eu-west-1")
	for _, row := range []struct {
		name            string
		caller          identity.Caller
		anonymous, root bool
		text            string
	}{
		{"the zero value", identity.Caller{}, true, false, "anonymous"},
		{"a Region alone", identity.Caller{Region: "eu-west-1"}, true, false, "anonymous"},
		{"an account without a principal", identity.Caller{Account: "111122223333"}, true, false, "anonymous"},
		{"a principal without an account", identity.Caller{Principal: root.Principal}, true, false, "anonymous"},
		{"a root user", root, false, true, "arn:aws:iam::111122223333:root"},
		{"a root user in China", identity.Root("111122223333", "cn-north-1"), false, true, "arn:aws-cn:iam::111122223333:root"},
		{"a user", identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: "111122223333"}, false, false, "arn:aws:iam::111122223333:user/ann"},
		{"another account's root", identity.Caller{Principal: root.Principal, Account: "444455556666"}, false, false, root.Principal},
		{"a user called root", identity.Caller{Principal: "arn:aws:iam::111122223333:user/root", Account: "111122223333"}, false, false, "arn:aws:iam::111122223333:user/root"},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.anonymous, row.caller.Anonymous())
			require.Equal(t, row.root, row.caller.Root())
			require.Equal(t, row.text, row.caller.String())
		})
	}
}

func TestIn(t *testing.T) {
	t.Parallel()
	root := identity.Root("111122223333", "eu-west-1").In("cn-north-1")
	require.Equal(t, identity.Root("111122223333", "cn-north-1"), root)

	user := identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: "111122223333", Region: "eu-west-1", AccessKeyID: "AKIA"}
	moved := user.In("us-east-1")
	require.Equal(t, "us-east-1", moved.Region)
	require.Equal(t, user.Principal, moved.Principal)
	require.Equal(t, "eu-west-1", user.Region, "In returns a copy")
	require.True(t, identity.Caller{}.In("eu-west-1").Anonymous())
}
