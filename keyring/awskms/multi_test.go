package awskms_test

import (
	"errors"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/keyring/keyringtest"
)

type multiFunc = func(string, []string, awskms.ClientFunc, *awskms.Options) (*keyring.Multi, error)

// multis are the ways to make a multi-keyring for named keys.
var multis = map[string]multiFunc{"strict": awskms.NewMulti, "MRK": awskms.NewMRKMulti}

// discoveryMultis are those to make one that discovers keys.
var discoveryMultis = map[string]func([]string, awskms.ClientFunc, *awskms.Options) (*keyring.Multi, error){
	"filter": func(regions []string, client awskms.ClientFunc, o *awskms.Options) (*keyring.Multi, error) {
		return awskms.NewDiscoveryMulti(regions, ownFilter, client, o)
	},
	"any account": awskms.NewDiscoveryMultiAnyAccount,
	"MRK, filter": func(regions []string, client awskms.ClientFunc, o *awskms.Options) (*keyring.Multi, error) {
		return awskms.NewMRKDiscoveryMulti(regions, ownFilter, client, o)
	},
	"MRK, any account": awskms.NewMRKDiscoveryMultiAnyAccount,
}

func TestMultiConformance(t *testing.T) {
	t.Parallel()
	for name, newMulti := range multis {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				c := newCloud(t)
				generator := c.key(t, account, virginia, &sdk.CreateKeyInput{})
				child := c.key(t, account, ireland, &sdk.CreateKeyInput{})
				foreign := c.key(t, account, tokyo, &sdk.CreateKeyInput{})
				all, err := newMulti(generator, []string{child}, c.client, nil)
				require.NoError(t, err)
				one, err := newMulti("", []string{child}, c.client, nil)
				require.NoError(t, err)
				failing, err := newMulti(generator, []string{child}, func(region string) (awskms.API, error) {
					if region == ireland {
						return mute{c.in(account, region)}, nil
					}
					return c.in(account, region), nil
				}, nil)
				require.NoError(t, err)
				return keyringtest.Subject{
					Encrypt: all, Decrypt: one, Failing: failing, GeneratesOnly: true,
					Foreign: newRing(t, c.in(account, tokyo), foreign, nil),
				}
			})
		})
	}
}

func TestDiscoveryMultiConformance(t *testing.T) {
	t.Parallel()
	for name, newMulti := range discoveryMultis {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				c := newCloud(t)
				key := c.key(t, account, ireland, &sdk.CreateKeyInput{})
				foreign := c.key(t, stranger, ireland, &sdk.CreateKeyInput{})
				ring, err := newMulti([]string{virginia, ireland}, c.client, nil)
				require.NoError(t, err)
				return keyringtest.Subject{
					Encrypt: newRing(t, c.in(account, ireland), key, nil), Decrypt: ring,
					Foreign: newRing(t, c.in(stranger, ireland), foreign, nil),
				}
			})
		})
	}
}

// One wrapped data key for each key, in order, and each client asked for once.
func TestMultiUsesEveryKeyInItsRegion(t *testing.T) {
	t.Parallel()
	for name, newMulti := range multis {
		c := newCloud(t)
		var keys []string
		for _, region := range []string{virginia, ireland, virginia, tokyo, ireland} {
			keys = append(keys, c.key(t, account, region, &sdk.CreateKeyInput{}))
		}
		var made []string
		client := func(region string) (awskms.API, error) {
			made = append(made, region)
			return c.in(account, region), nil
		}
		ring, err := newMulti(keys[0], keys[1:], client, nil)
		require.NoError(t, err, name)
		require.Equal(t, []string{virginia, ireland, tokyo}, made, name)
		c.regions()
		m := sealed(t, ring)
		require.Equal(t, []string{virginia, ireland, virginia, tokyo, ireland}, c.regions(), name)
		var infos []string
		for _, e := range m.EncryptedDataKeys() {
			infos = append(infos, string(e.Info))
		}
		require.Equal(t, keys, infos, name)

		// Each alone opens it, in its own Region.
		for i, region := range []string{virginia, ireland, virginia, tokyo, ireland} {
			alone, err := newMulti("", keys[i:i+1], client, nil)
			require.NoError(t, err)
			c.regions()
			opens(t, alone, m)
			require.Equal(t, []string{region}, c.regions())
		}
	}
}

func TestMultiWithoutAGenerator(t *testing.T) {
	t.Parallel()
	for name, newMulti := range multis {
		c := newCloud(t)
		key := c.key(t, account, virginia, &sdk.CreateKeyInput{})
		ring, err := newMulti("", []string{key}, c.client, nil)
		require.NoError(t, err)
		m := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.ErrorIs(t, ring.OnEncrypt(t.Context(), m), keyring.ErrMaterials, name)
		require.NoError(t, m.SetDataKey(make([]byte, 32)))
		require.NoError(t, ring.OnEncrypt(t.Context(), m), name)
		opens(t, ring, m)
	}
}

func TestMultiRefuses(t *testing.T) {
	t.Parallel()
	errNoClient := errors.New("no client")
	c := newCloud(t)
	for name, newMulti := range multis {
		for _, key := range []string{
			"alias/fleet", aliasARN, "1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab",
			"arn:aws:kms::111122223333:key/x",
		} {
			_, err := newMulti(key, nil, c.client, nil)
			require.ErrorIs(t, err, awskms.ErrKeyID, "%s: %q", name, key)
			_, err = newMulti(keyARN, []string{key}, c.client, nil)
			require.ErrorIs(t, err, awskms.ErrKeyID, "%s: %q", name, key)
		}
		_, err := newMulti(keyARN, []string{""}, c.client, nil)
		require.ErrorIs(t, err, awskms.ErrKeyID, name)
		_, err = newMulti("", nil, c.client, nil)
		require.ErrorContains(t, err, "no keyrings", name)
		_, err = newMulti(keyARN, nil, nil, nil)
		require.ErrorContains(t, err, "without a client", name)
		_, err = newMulti(keyARN, nil, func(string) (awskms.API, error) { return nil, nil }, nil)
		require.ErrorContains(t, err, "API", name)
		_, err = newMulti("", []string{keyARN}, func(string) (awskms.API, error) { return nil, errNoClient }, nil)
		require.ErrorIs(t, err, errNoClient, name)
		require.ErrorContains(t, err, `"eu-west-1"`, name)
	}
}

// With EncryptOnly an alias ARN will do: it has a Region.
func TestMultiOfAliases(t *testing.T) {
	t.Parallel()
	for name, newMulti := range multis {
		api := newFakeKMS()
		client := func(region string) (awskms.API, error) {
			require.Equal(t, ireland, region)
			return api, nil
		}
		o := &awskms.Options{EncryptOnly: true, GrantTokens: []string{"a-token"}}
		ring, err := newMulti(aliasARN, []string{otherARN}, client, o)
		require.NoError(t, err, name)
		m := sealed(t, ring)
		require.Equal(t, keyARN, string(m.EncryptedDataKeys()[0].Info))
		for _, a := range noMatch(t, ring, m) {
			require.ErrorIs(t, a.Err, awskms.ErrEncryptOnly)
		}
		require.Equal(t, o.GrantTokens, api.inputs()[0].(*sdk.GenerateDataKeyInput).GrantTokens)
		_, err = newMulti("alias/fleet", nil, client, o)
		require.ErrorIs(t, err, awskms.ErrKeyID, name)
	}
}

func TestMRKMultiRefusesReplicasOfOneKey(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	one := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland, tokyo)
	two := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
	for _, keys := range [][]string{{one[0], one[1]}, {one[0], two[0], one[1], two[1], one[2]}, {one[1], one[1]}} {
		for _, generator := range []string{"", keys[0]} {
			children := keys
			if generator != "" {
				children = keys[1:]
			}
			_, err := awskms.NewMRKMulti(generator, children, func(string) (awskms.API, error) {
				t.Fatal("a client was made for keys that are refused")
				return nil, nil
			}, nil)
			require.ErrorIs(t, err, awskms.ErrDuplicateMRK)
			for _, key := range keys {
				require.ErrorContains(t, err, key)
			}
		}
	}
	_, err := awskms.NewMRKMulti(one[0], []string{keyARN, two[1], one[2]}, c.client, nil)
	require.ErrorIs(t, err, awskms.ErrDuplicateMRK)
	require.NotContains(t, err.Error(), two[1])
	require.NotContains(t, err.Error(), keyARN)

	ring, err := awskms.NewMRKMulti(one[0], []string{two[1]}, c.client, nil)
	require.NoError(t, err)
	m := sealed(t, ring)
	require.Len(t, m.EncryptedDataKeys(), 2)
	reader, err := awskms.NewMRKMulti(one[2], []string{two[0]}, c.client, nil)
	require.NoError(t, err)
	opens(t, reader, m)

	// The strict one takes them for two keys.
	ring, err = awskms.NewMulti(one[0], []string{one[1]}, c.client, nil)
	require.NoError(t, err)
	require.Len(t, sealed(t, ring).EncryptedDataKeys(), 2)
}

func TestDiscoveryMultiRefuses(t *testing.T) {
	t.Parallel()
	errNoClient := errors.New("no client")
	c := newCloud(t)
	for name, newMulti := range discoveryMultis {
		for text, regions := range map[string][]string{
			"no keyrings": nil, "not a Region": {virginia, ""}, "named twice": {virginia, ireland, virginia},
		} {
			_, err := newMulti(regions, c.client, nil)
			require.ErrorContains(t, err, text, name)
		}
		_, err := newMulti([]string{virginia}, nil, nil)
		require.ErrorContains(t, err, "without a client", name)
		_, err = newMulti([]string{virginia, ireland}, func(region string) (awskms.API, error) {
			if region == ireland {
				return nil, errNoClient
			}
			return c.in(account, region), nil
		}, nil)
		require.ErrorIs(t, err, errNoClient, name)
		_, err = newMulti([]string{virginia}, c.client, &awskms.Options{EncryptOnly: true})
		require.ErrorContains(t, err, "encryption only", name)
	}
	_, err := awskms.NewDiscoveryMulti([]string{virginia}, awskms.Filter{}, c.client, nil)
	require.ErrorContains(t, err, "partition")
	_, err = awskms.NewMRKDiscoveryMulti([]string{virginia}, awskms.Filter{}, c.client, nil)
	require.ErrorContains(t, err, "partition")
}

// Keyrings are asked in the order of their Regions, and only an MRK discovery
// keyring knows that a key is not in its Region.
func TestDiscoveryMultiTriesRegionsInOrder(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	single := sealed(t, newRing(t, c.in(account, ireland), c.key(t, account, ireland, &sdk.CreateKeyInput{}), nil))
	arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
	multi := sealed(t, newRing(t, c.in(account, virginia), arns[0], nil))
	for name, newMulti := range discoveryMultis {
		ring, err := newMulti([]string{tokyo, ireland, virginia}, c.client, nil)
		require.NoError(t, err)
		regional := name == "MRK, filter" || name == "MRK, any account"
		c.regions()
		opens(t, ring, single)
		if regional {
			require.Equal(t, []string{ireland}, c.regions(), name)
		} else {
			require.Equal(t, []string{tokyo, ireland}, c.regions(), name)
		}
		opens(t, ring, multi)
		if regional {
			require.Equal(t, []string{tokyo, ireland}, c.regions(), name)
		} else {
			require.Equal(t, []string{tokyo, ireland, virginia}, c.regions(), name)
		}
		require.ErrorIs(t, ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256)), keyring.ErrMaterials)
	}
	// All that failed are reported.
	ring, err := awskms.NewDiscoveryMulti([]string{tokyo, virginia}, ownFilter, c.client, nil)
	require.NoError(t, err)
	attempts := noMatch(t, ring, single)
	require.Len(t, attempts, 2)
	require.True(t, slices.ContainsFunc(attempts, func(a keyring.Attempt) bool {
		var notFound *types.NotFoundException
		return errors.As(a.Err, &notFound)
	}))
}
