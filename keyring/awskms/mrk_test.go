package awskms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/keyring/keyringtest"
)

func newMRK(t *testing.T, api awskms.API, key string, o *awskms.Options) *awskms.Keyring {
	t.Helper()
	ring, err := awskms.NewMRK(api, key, o)
	require.NoError(t, err)
	return ring
}

func TestMRKConformance(t *testing.T) {
	t.Parallel()
	for name, multiRegion := range map[string]bool{"multi-Region key": true, "key of a single Region": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				c := newCloud(t)
				here, there := c.in(account, virginia), c.in(account, ireland)
				key := c.key(t, account, virginia, &sdk.CreateKeyInput{})
				arns := []string{key, key}
				if multiRegion {
					arns = c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
				} else {
					there = here
				}
				foreign := c.mrk(t, &sdk.CreateKeyInput{}, virginia)[0]
				return keyringtest.Subject{
					Encrypt: newMRK(t, here, arns[0], nil), Decrypt: newMRK(t, there, arns[1], nil),
					Foreign: newMRK(t, here, foreign, nil), Failing: newMRK(t, mute{here}, arns[0], nil),
					InfoUnbound: multiRegion,
				}
			})
		})
	}
}

func TestMRKDecryptsInItsOwnRegion(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland, tokyo)
	m := sealed(t, newMRK(t, c.in(account, virginia), arns[0], nil))
	require.Equal(t, arns[0], string(m.EncryptedDataKeys()[0].Info))
	c.regions()
	for i, region := range []string{virginia, ireland, tokyo} {
		opens(t, newMRK(t, c.in(account, region), arns[i], nil), m)
		require.Equal(t, []string{region}, c.regions())
	}
	// One that is not aware of multi-Region keys does not even ask.
	require.Empty(t, noMatch(t, newRing(t, c.in(account, ireland), arns[1], nil), m))
	require.Empty(t, c.regions())
}

func TestMRKSendsTheConfiguredKey(t *testing.T) {
	t.Parallel()
	const (
		here  = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
		there = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	)
	api := newFakeKMS()
	api.keys = append(api.keys, here)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, newRing(t, api, here, nil).OnEncrypt(t.Context(), m))
	keys := m.EncryptedDataKeys()
	keys[0].Info = []byte(there)
	ring := newMRK(t, api, here, &awskms.Options{GrantTokens: []string{"a-token"}})
	require.NoError(t, ring.OnDecrypt(t.Context(), decryption(t, m), keys))
	in := api.inputs()
	require.Equal(t, &sdk.DecryptInput{
		KeyId: ptr(here), CiphertextBlob: keys[0].Ciphertext,
		EncryptionContext: map[string]string{"tenant": "42"}, GrantTokens: []string{"a-token"},
	}, in[len(in)-1])

	// The answer has to name the configured key, not the one in the message.
	lying := altering{fakeKMS: api, decrypted: func(o *sdk.DecryptOutput) (*sdk.DecryptOutput, error) {
		o.KeyId = ptr(there)
		return o, nil
	}}
	err := newMRK(t, lying, here, nil).OnDecrypt(t.Context(), decryption(t, m), keys)
	require.ErrorIs(t, err, awskms.ErrResponse)
	require.ErrorIs(t, err, keyring.ErrNoMatch)
}

func TestNewMRKTakesWhatNewTakes(t *testing.T) {
	t.Parallel()
	for _, key := range []string{aliasARN, "alias/fleet", "mrk-1234abcd12ab34cd56ef1234567890ab"} {
		_, err := awskms.NewMRK(newFakeKMS(), key, nil)
		require.ErrorIs(t, err, awskms.ErrKeyID, key)
		ring := newMRK(t, newFakeKMS(), key, &awskms.Options{EncryptOnly: true})
		d := decryption(t, encryption(t, keyring.AES256GCMHKDFSHA256))
		require.ErrorIs(t, ring.OnDecrypt(t.Context(), d, nil), awskms.ErrEncryptOnly, key)
	}
	_, err := awskms.NewMRK(newFakeKMS(), "", &awskms.Options{EncryptOnly: true})
	require.ErrorIs(t, err, awskms.ErrKeyID)
	_, err = awskms.NewMRK(nil, keyARN, nil)
	require.ErrorContains(t, err, "API")
}

// A disabled replica refuses, and its sibling goes on.
func TestMRKReplicasHaveStatesOfTheirOwn(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	arns := c.mrk(t, &sdk.CreateKeyInput{Description: aws.String("fleet")}, virginia, ireland)
	m := sealed(t, newMRK(t, c.in(account, virginia), arns[0], nil))
	there := c.in(account, ireland)
	_, err := there.DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: &arns[1]})
	require.NoError(t, err)
	attempts := noMatch(t, newMRK(t, there, arns[1], nil), m)
	require.Len(t, attempts, 1)
	var disabled *types.DisabledException
	require.ErrorAs(t, attempts[0].Err, &disabled)
	require.Equal(t, arns[0], string(attempts[0].Info))
	opens(t, newMRK(t, c.in(account, virginia), arns[0], nil), m)
}
