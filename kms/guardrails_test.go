package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

// TestReplicaIsMadeInItsRegion holds replicas to policies that ask where they are made,
// and of what.
func TestReplicaIsMadeInItsRegion(t *testing.T) {
	t.Parallel()
	const allow, deny = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*","Condition":`, `}]}`
	each(t, func(t *testing.T, f *fixture) {
		key := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.KeyId
		replicate := func(condition string) *sdk.ReplicateKeyInput {
			return &sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(frankfurt), Policy: aws.String(allow + condition + deny)}
		}
		const lockout = "The new key policy will not allow you to update the key policy in the future."
		refused(t, f.api, replicate(`{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`), "MalformedPolicyDocumentException", lockout)
		refused(t, f.api, replicate(`{"StringEquals":{"kms:MultiRegionKeyType":"PRIMARY"}}`), "MalformedPolicyDocumentException", lockout)
		succeeds(t, f.api, replicate(`{"Bool":{"kms:MultiRegion":"true"},"StringEquals":{"aws:RequestedRegion":"eu-central-1","kms:MultiRegionKeyType":"REPLICA"}}`))
		// The policy of the replica decides there, and it is asked in its own Region.
		succeeds(t, f.api, &sdk.UpdatePrimaryRegionInput{KeyId: key, PrimaryRegion: aws.String(frankfurt)})
	})
}

// TestInvokeWithOddInput hands operations what is no input of theirs.
func TestInvokeWithOddInput(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for _, op := range kms.Operations() {
		_, _, err := f.Service().Invoke(t.Context(), f.Root(), op, &sdk.Options{})
		require.Equal(t, "SerializationException", codeOf(err), op.Name())
		_, _, err = f.Service().Invoke(t.Context(), identity.Caller{}, op, nil)
		require.Error(t, err, op.Name())
	}
}

func TestCopiesAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	key := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata
	for i := range 39 {
		succeeds(t, f.api, &sdk.ReplicateKeyInput{KeyId: key.KeyId, ReplicaRegion: aws.String("eu-west-" + string(rune('0'+i/10)) + string(rune('0'+i%10)))})
	}
	_, err := call(t.Context(), f.api, &sdk.ReplicateKeyInput{KeyId: key.KeyId, ReplicaRegion: aws.String("eu-west-99")})
	limit := new(types.LimitExceededException)
	require.ErrorAs(t, err, &limit)
	succeeds(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: key.KeyId}) // which writes them all
}
