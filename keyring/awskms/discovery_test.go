package awskms_test

import (
	"fmt"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/keyring/keyringtest"
)

var ownFilter = awskms.Filter{Partition: "aws", Accounts: []string{account}}

// discoveries are all four ways to make a discovery keyring for Ireland.
var discoveries = map[string]func(awskms.API, *awskms.Options) (*awskms.Discovery, error){
	"filter": func(api awskms.API, o *awskms.Options) (*awskms.Discovery, error) {
		return awskms.NewDiscovery(api, ownFilter, o)
	},
	"any account": awskms.NewDiscoveryAnyAccount,
	"MRK, filter": func(api awskms.API, o *awskms.Options) (*awskms.Discovery, error) {
		return awskms.NewMRKDiscovery(api, ireland, ownFilter, o)
	},
	"MRK, any account": func(api awskms.API, o *awskms.Options) (*awskms.Discovery, error) {
		return awskms.NewMRKDiscoveryAnyAccount(api, ireland, o)
	},
}

func TestDiscoveryConformance(t *testing.T) {
	t.Parallel()
	for name, newRing := range discoveries {
		for _, multiRegion := range []bool{false, true} {
			if multiRegion && (name == "filter" || name == "any account") {
				continue // such a key is like any other
			}
			t.Run(fmt.Sprintf("%s, multi-Region key %t", name, multiRegion), func(t *testing.T) {
				t.Parallel()
				keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
					c := newCloud(t)
					there := c.in(account, ireland)
					s := keyringtest.Subject{InfoUnbound: multiRegion}
					var err error
					s.Decrypt, err = newRing(there, nil)
					require.NoError(t, err)
					if multiRegion {
						key := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)[0]
						s.Encrypt = newMRK(t, c.in(account, virginia), key, nil)
					} else {
						s.Encrypt = newMRK(t, there, c.key(t, account, ireland, &sdk.CreateKeyInput{}), nil)
					}
					foreign := c.in(stranger, ireland)
					s.Foreign = newMRK(t, foreign, c.key(t, stranger, ireland, &sdk.CreateKeyInput{}), nil)
					return s
				})
			})
		}
	}
}

func TestDiscoveryDoesNotEncrypt(t *testing.T) {
	t.Parallel()
	for name, newRing := range discoveries {
		api := newFakeKMS()
		ring, err := newRing(api, nil)
		require.NoError(t, err)
		m := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.ErrorIs(t, ring.OnEncrypt(t.Context(), m), awskms.ErrDecryptOnly, name)
		require.False(t, m.HasDataKey())
		require.Empty(t, api.inputs())

		_, err = newRing(api, &awskms.Options{EncryptOnly: true})
		require.ErrorContains(t, err, "encryption only", name)
		_, err = newRing(nil, nil)
		require.ErrorContains(t, err, "API", name)
	}
}

func TestDiscoveryFiltersAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter awskms.Filter
		want   string
	}{
		{awskms.Filter{}, "partition"},
		{awskms.Filter{Accounts: []string{account}}, "partition"},
		{awskms.Filter{Partition: "aws"}, "accounts"},
		{awskms.Filter{Partition: "aws", Accounts: []string{}}, "accounts"},
		{awskms.Filter{Partition: "aws", Accounts: []string{account, ""}}, "account id"},
		{awskms.Filter{Partition: "aws", Accounts: []string{"11112222333"}}, "account id"},
		{awskms.Filter{Partition: "aws", Accounts: []string{"*"}}, "account id"},
	} {
		_, err := awskms.NewDiscovery(newFakeKMS(), c.filter, nil)
		require.ErrorContains(t, err, c.want)
		_, err = awskms.NewMRKDiscovery(newFakeKMS(), ireland, c.filter, nil)
		require.ErrorContains(t, err, c.want)
	}
	for _, region := range []string{"", "eu west", "EU-WEST-1", "eu-west-1:x"} {
		_, err := awskms.NewMRKDiscovery(newFakeKMS(), region, ownFilter, nil)
		require.ErrorContains(t, err, "not a Region", region)
		_, err = awskms.NewMRKDiscoveryAnyAccount(newFakeKMS(), region, nil)
		require.ErrorContains(t, err, "not a Region", region)
	}
}

func TestDiscoveryCopiesItsFilter(t *testing.T) {
	t.Parallel()
	api := newFakeKMS()
	accounts := []string{account}
	f := awskms.Filter{Partition: "aws", Accounts: accounts}
	plain, err := awskms.NewDiscovery(api, f, nil)
	require.NoError(t, err)
	regional, err := awskms.NewMRKDiscovery(api, ireland, f, nil)
	require.NoError(t, err)
	accounts[0] = stranger
	m := sealed(t, newRing(t, api, keyARN, nil))
	opens(t, plain, m)
	opens(t, regional, m)
}

// What each kind of discovery keyring asks of KMS for an encrypted data key.
func TestDiscoveryDecides(t *testing.T) {
	t.Parallel()
	const (
		mrkHere  = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
		mrkThere = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
		there    = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		strange  = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		china    = "arn:aws-cn:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		mrkChina = "arn:aws-cn:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	)
	for _, c := range []struct {
		info string
		want map[string]string // the key that is asked for, by kind; absent: none
	}{
		{keyARN, map[string]string{"filter": keyARN, "any account": keyARN, "MRK, filter": keyARN, "MRK, any account": keyARN}},
		{there, map[string]string{"filter": there, "any account": there}},
		{strange, map[string]string{"any account": strange, "MRK, any account": strange}},
		{china, map[string]string{"any account": china, "MRK, any account": china}},
		{mrkHere, map[string]string{"filter": mrkHere, "any account": mrkHere, "MRK, filter": mrkHere, "MRK, any account": mrkHere}},
		{mrkThere, map[string]string{"filter": mrkThere, "any account": mrkThere, "MRK, filter": mrkHere, "MRK, any account": mrkHere}},
		{mrkChina, map[string]string{
			"any account": mrkChina, "MRK, any account": "arn:aws-cn:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
		}},
	} {
		for name, newRing := range discoveries {
			api := newFakeKMS()
			ring, err := newRing(api, &awskms.Options{GrantTokens: []string{"a-token"}})
			require.NoError(t, err)
			d := decryption(t, encryption(t, keyring.AES256GCMHKDFSHA256))
			keys := []keyring.EncryptedDataKey{{Provider: "aws-kms", Info: []byte(c.info), Ciphertext: []byte{1, 2}}}
			require.ErrorIs(t, ring.OnDecrypt(t.Context(), d, keys), keyring.ErrNoMatch)
			var want []any
			if key, ok := c.want[name]; ok {
				want = []any{&sdk.DecryptInput{
					KeyId: &key, CiphertextBlob: []byte{1, 2},
					EncryptionContext: map[string]string{"tenant": "42"}, GrantTokens: []string{"a-token"},
				}}
			}
			require.Equal(t, want, api.inputs(), "%s: %s", name, c.info)
		}
	}
}

func TestDiscoveryRefusesKMSInfoThatIsNoKeyARN(t *testing.T) {
	t.Parallel()
	for name, newDiscovery := range discoveries {
		api := newFakeKMS()
		ring, err := newDiscovery(api, nil)
		require.NoError(t, err)
		m := sealed(t, newRing(t, api, keyARN, nil))
		before := len(api.inputs())
		for _, info := range []string{"", "garbage", aliasARN, "alias/fleet", "mrk-1234abcd12ab34cd56ef1234567890ab"} {
			keys := append(m.EncryptedDataKeys(), keyring.EncryptedDataKey{Provider: "aws-kms", Info: []byte(info)})
			err := ring.OnDecrypt(t.Context(), decryption(t, m), keys)
			require.ErrorIs(t, err, awskms.ErrKeyID, "%s: %q", name, info)
			require.NotErrorIs(t, err, keyring.ErrNoMatch)
		}
		require.Len(t, api.inputs(), before, "KMS was called")
		keys := append([]keyring.EncryptedDataKey{{Provider: "aws-kms-rsa", Info: []byte("garbage")}}, m.EncryptedDataKeys()...)
		require.NoError(t, ring.OnDecrypt(t.Context(), decryption(t, m), keys), "another keyring's info")
	}
}

// The answer has to name the key that was asked for; a failed attempt does not stop
// the next.
func TestDiscoveryChecksResponses(t *testing.T) {
	t.Parallel()
	for name, newDiscovery := range discoveries {
		answers := []string{otherARN, aliasARN}
		api := altering{fakeKMS: newFakeKMS(), decrypted: func(o *sdk.DecryptOutput) (*sdk.DecryptOutput, error) {
			if len(answers) > 0 {
				o.KeyId, answers = &answers[0], answers[1:]
			}
			return o, nil
		}}
		ring, err := newDiscovery(api, nil)
		require.NoError(t, err)
		m := sealed(t, newRing(t, api, keyARN, nil))
		require.NoError(t, newRing(t, api, otherARN, nil).OnEncrypt(t.Context(), m))
		attempts := noMatch(t, ring, m)
		require.Len(t, attempts, 2, name)
		require.ErrorIs(t, attempts[0].Err, awskms.ErrResponse)
		require.ErrorIs(t, attempts[1].Err, awskms.ErrResponse)
		require.Equal(t, otherARN, string(attempts[1].Info))
		opens(t, ring, m)
	}
}

func TestDiscoveryInTheLocalKMS(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	key := c.key(t, account, ireland, &sdk.CreateKeyInput{})
	m := sealed(t, newRing(t, c.in(account, ireland), key, nil))
	c.regions()
	for name, newDiscovery := range discoveries {
		ring, err := newDiscovery(c.in(account, ireland), nil)
		require.NoError(t, err)
		opens(t, ring, m)
		require.Equal(t, []string{ireland}, c.regions(), name)
	}

	// A filter for others admits nothing, and KMS is not asked.
	for _, f := range []awskms.Filter{
		{Partition: "aws", Accounts: []string{stranger}}, {Partition: "aws-cn", Accounts: []string{account}},
	} {
		ring, err := awskms.NewDiscovery(c.in(account, ireland), f, nil)
		require.NoError(t, err)
		require.Empty(t, noMatch(t, ring, m))
		require.Empty(t, c.regions())
	}

	// Without a filter a stranger's key is asked for, and it is KMS that refuses.
	theirs := c.key(t, stranger, ireland, &sdk.CreateKeyInput{})
	planted := sealed(t, newRing(t, c.in(stranger, ireland), theirs, nil))
	ring, err := awskms.NewDiscoveryAnyAccount(c.in(account, ireland), nil)
	require.NoError(t, err)
	attempts := noMatch(t, ring, planted)
	require.Len(t, attempts, 1)
	require.ErrorContains(t, attempts[0].Err, "AccessDeniedException")
	ring, err = awskms.NewDiscovery(c.in(account, ireland), ownFilter, nil)
	require.NoError(t, err)
	require.Empty(t, noMatch(t, ring, planted))

	// In another Region there is no such key.
	ring, err = awskms.NewDiscovery(c.in(account, virginia), ownFilter, nil)
	require.NoError(t, err)
	var notFound *types.NotFoundException
	require.ErrorAs(t, noMatch(t, ring, m)[0].Err, &notFound)
	c.regions()
	ring, err = awskms.NewMRKDiscovery(c.in(account, virginia), virginia, ownFilter, nil)
	require.NoError(t, err)
	require.Empty(t, noMatch(t, ring, m))
	require.Empty(t, c.regions())
}

func TestMRKDiscoveryInTheLocalKMS(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
	m := sealed(t, newRing(t, c.in(account, virginia), arns[0], nil))
	c.regions()
	for _, region := range []string{virginia, ireland} {
		ring, err := awskms.NewMRKDiscovery(c.in(account, region), region, ownFilter, nil)
		require.NoError(t, err)
		opens(t, ring, m)
		require.Equal(t, []string{region}, c.regions())
	}
	ring, err := awskms.NewMRKDiscovery(c.in(account, tokyo), tokyo, ownFilter, nil)
	require.NoError(t, err)
	var notFound *types.NotFoundException // no replica there
	require.ErrorAs(t, noMatch(t, ring, m)[0].Err, &notFound)
}

func TestDiscoveryPrintsItsFilter(t *testing.T) {
	t.Parallel()
	api := newFakeKMS()
	o := &awskms.Options{GrantTokens: []string{"grant-token"}}
	ring, err := awskms.NewMRKDiscovery(api, ireland, ownFilter, o)
	require.NoError(t, err)
	require.Equal(t, `awskms.Discovery{aws ["111122223333"], "eu-west-1"}`, fmt.Sprintf("%+v", ring))
	ring, err = awskms.NewDiscoveryAnyAccount(api, o)
	require.NoError(t, err)
	require.Equal(t, `awskms.Discovery{any account, ""}`, fmt.Sprintf("%#v", *ring))
}
