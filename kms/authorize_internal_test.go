package kms

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
)

// TestOperationWithoutPermissionIsRefused: an operation that is missing in the table of
// permissions, or whose targets play no part in it, is not thereby free for all.
func TestOperationWithoutPermissionIsRefused(t *testing.T) {
	t.Parallel()
	s, err := New(t.Context(), Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	run := func(*request, *sdk.ListKeysInput, []target) (*sdk.ListKeysOutput, error) {
		t.Error("the operation ran")
		return &sdk.ListKeysOutput{}, nil
	}
	onNothing := func(r *request, _ *sdk.ListKeysInput) ([]target, error) {
		account := r.accountTarget()
		account.role = mentioned
		return []target{account}, nil
	}
	for _, op := range []*operation[sdk.ListKeysInput, sdk.ListKeysOutput]{
		{name: "Forgotten", run: run},
		{name: "ListKeys", targets: onNothing, run: run},
	} {
		_, err := s.newRequest(op, identity.Root("111122223333", "us-east-1")).serve(t.Context(), &sdk.ListKeysInput{})
		var internal *types.KMSInternalException
		require.ErrorAs(t, err, &internal, op.name)
	}
}
