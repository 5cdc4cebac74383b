package endpoint_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

// externalKey creates a key for imported material and returns its ARN.
func (u user) externalKey() *string {
	u.t.Helper()
	return u.newKeyLike(&sdk.CreateKeyInput{Origin: types.OriginTypeExternal})
}

// importing gets a token for the key and returns the request that imports material.
func (u user) importing(key *string, material []byte) *sdk.ImportKeyMaterialInput {
	u.t.Helper()
	out, err := u.GetParametersForImport(u.ctx, &sdk.GetParametersForImportInput{
		KeyId: key, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	require.NoError(u.t, err)
	require.Equal(u.t, *key, *out.KeyId)
	require.True(u.t, kmstest.Start.Add(24*time.Hour).Equal(*out.ParametersValidTo), "%v", out.ParametersValidTo)
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	require.NoError(u.t, err)
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), material, nil)
	require.NoError(u.t, err)
	return &sdk.ImportKeyMaterialInput{
		KeyId: key, ImportToken: out.ImportToken, EncryptedKeyMaterial: wrapped, ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
	}
}

// rotationStatus returns what is known of a key's rotation.
func (u user) rotationStatus(key *string) *sdk.GetKeyRotationStatusOutput {
	u.t.Helper()
	out, err := u.GetKeyRotationStatus(u.ctx, &sdk.GetKeyRotationStatusInput{KeyId: key})
	require.NoError(u.t, err)
	return out
}

// rotateOften has the key rotated as often as can be.
func (u user) rotateOften(key *string) {
	u.t.Helper()
	_, err := u.EnableKeyRotation(u.ctx, &sdk.EnableKeyRotationInput{KeyId: key, RotationPeriodInDays: aws.Int32(90)})
	require.NoError(u.t, err)
}

// rotate rotates a key and returns the id of its material.
func (u user) rotate(key *string) string {
	u.t.Helper()
	out, err := u.RotateKeyOnDemand(u.ctx, &sdk.RotateKeyOnDemandInput{KeyId: key})
	require.NoError(u.t, err)
	require.Equal(u.t, *key, *out.KeyId)
	return *u.metadata(key).CurrentKeyMaterialId
}

// replicated creates a multi-Region key with a replica in Frankfurt.
func (u user) replicated() (key *string, replica *types.KeyMetadata) {
	u.t.Helper()
	key = u.newKeyLike(&sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	out, err := u.ReplicateKey(u.ctx, &sdk.ReplicateKeyInput{
		KeyId: key, ReplicaRegion: aws.String("eu-central-1"), Description: aws.String("the copy"),
		Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}},
	})
	require.NoError(u.t, err)
	require.Equal(u.t, "b", *out.ReplicaTags[0].TagValue)
	require.Contains(u.t, *out.ReplicaPolicy, "Enable IAM User Permissions")
	return key, out.ReplicaKeyMetadata
}

// materials has the operations on key material: rotation, imports, and copies of it in
// other Regions.
var materials = map[string]func(t *testing.T, u user){
	"EnableKeyRotation": func(t *testing.T, u user) {
		key := u.newKey()
		u.rotateOften(key)
		require.EqualValues(t, 90, *u.rotationStatus(key).RotationPeriodInDays)
	},
	"DisableKeyRotation": func(t *testing.T, u user) {
		key := u.newKey()
		u.rotateOften(key)
		_, err := u.DisableKeyRotation(u.ctx, &sdk.DisableKeyRotationInput{KeyId: key})
		require.NoError(t, err)
		require.False(t, u.rotationStatus(key).KeyRotationEnabled)
	},
	"GetKeyRotationStatus": func(t *testing.T, u user) {
		key := u.newKey()
		status := u.rotationStatus(key)
		require.Equal(t, *key, *status.KeyId)
		require.Nil(t, status.NextRotationDate)
		u.rotateOften(key)
		status = u.rotationStatus(key)
		require.True(t, status.KeyRotationEnabled)
		require.True(t, kmstest.Start.AddDate(0, 0, 90).Equal(*status.NextRotationDate), "%v", status.NextRotationDate)
	},
	"RotateKeyOnDemand": func(t *testing.T, u user) {
		key := u.newKey()
		before := *u.metadata(key).CurrentKeyMaterialId
		b := u.encrypt(key, "attack at dawn", nil)
		require.NotEqual(t, before, u.rotate(key))
		require.Equal(t, "attack at dawn", u.decrypt(b, nil))
	},
	"ListKeyRotations": func(t *testing.T, u user) {
		key := u.newKey()
		first := *u.metadata(key).CurrentKeyMaterialId
		want := []string{first, u.rotate(key), u.rotate(key)}
		var got []string
		pages := sdk.NewListKeyRotationsPaginator(u, &sdk.ListKeyRotationsInput{
			KeyId: key, Limit: aws.Int32(2), IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial,
		})
		for pages.HasMorePages() {
			out, err := pages.NextPage(u.ctx)
			require.NoError(t, err)
			for _, r := range out.Rotations {
				got = append(got, *r.KeyMaterialId)
				require.Equal(t, *r.KeyMaterialId == first, r.RotationDate == nil)
			}
		}
		require.Equal(t, want, got)
	},
	"GetParametersForImport": func(t *testing.T, u user) {
		key := u.externalKey()
		require.NotEmpty(t, u.importing(key, []byte("x")).ImportToken)
		require.Equal(t, types.KeyStatePendingImport, u.metadata(key).KeyState)
	},
	"ImportKeyMaterial": func(t *testing.T, u user) {
		key := u.externalKey()
		in := u.importing(key, make([]byte, 32))
		until := kmstest.Start.Add(36 * time.Hour)
		in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, &until
		in.KeyMaterialDescription = aws.String("nothing but zeros")
		out, err := u.ImportKeyMaterial(u.ctx, in)
		require.NoError(t, err)
		require.Equal(t, *key, *out.KeyId)
		m := u.metadata(key)
		require.Equal(t, *m.CurrentKeyMaterialId, *out.KeyMaterialId)
		require.Equal(t, types.KeyStateEnabled, m.KeyState)
		require.True(t, until.Equal(*m.ValidTo), "%v", m.ValidTo)
		require.Equal(t, "attack at dawn", u.decrypt(u.encrypt(key, "attack at dawn", tenant), tenant))
	},
	"DeleteImportedKeyMaterial": func(t *testing.T, u user) {
		key := u.externalKey()
		imported, err := u.ImportKeyMaterial(u.ctx, u.importing(key, make([]byte, 32)))
		require.NoError(t, err)
		out, err := u.DeleteImportedKeyMaterial(u.ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: key, KeyMaterialId: imported.KeyMaterialId})
		require.NoError(t, err)
		require.Equal(t, *imported.KeyMaterialId, *out.KeyMaterialId)
		require.Equal(t, types.KeyStatePendingImport, u.metadata(key).KeyState)
	},
	"ReplicateKey": func(t *testing.T, u user) {
		key, replica := u.replicated()
		require.Equal(t, types.KeyStateCreating, replica.KeyState)
		require.Equal(t, "the copy", *replica.Description)
		m := u.metadata(key)
		require.Equal(t, *m.KeyId, *replica.KeyId)
		require.Equal(t, m.MultiRegionConfiguration.ReplicaKeys, replica.MultiRegionConfiguration.ReplicaKeys)
		require.Equal(t, *replica.Arn, *m.MultiRegionConfiguration.ReplicaKeys[0].Arn)
		require.Equal(t, types.MultiRegionKeyTypeReplica, replica.MultiRegionConfiguration.MultiRegionKeyType)
	},
	"UpdatePrimaryRegion": func(t *testing.T, u user) {
		key, replica := u.replicated()
		_, err := u.UpdatePrimaryRegion(u.ctx, &sdk.UpdatePrimaryRegionInput{KeyId: key, PrimaryRegion: aws.String("eu-central-1")})
		require.NoError(t, err)
		m := u.metadata(key).MultiRegionConfiguration
		require.Equal(t, *replica.Arn, *m.PrimaryKey.Arn)
		require.Equal(t, types.MultiRegionKeyTypeReplica, m.MultiRegionKeyType)
	},
}
