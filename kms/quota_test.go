package kms_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// limited returns a cloud with quotas, and its account's client.
func limited(t *testing.T, q kms.Quotas) (*kmstest.Cloud, kms.API) {
	t.Helper()
	cloud := kmstest.New(t, &kmstest.Options{Configure: func(c *kms.Config) { c.Quotas = q }})
	return cloud, cloud.Client(cloud.Root())
}

func TestQuotasOfKeys(t *testing.T) {
	t.Parallel()
	cloud, api := limited(t, kms.Quotas{Keys: 3})
	full := func(account, region string) string {
		return "The account " + account + " has 3 keys in the Region " + region + ", the most that it can have."
	}
	seeded := cloud.Seed(kmstest.Key{}) // which no quota keeps out
	primary := *do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.Arn
	succeeds(t, api, &sdk.DescribeKeyInput{KeyId: aws.String("alias/aws/s3")}) // AWS's keys do not count
	createKeys(t, api, 1)
	before := len(do[sdk.ListKeysOutput](t, api, &sdk.ListKeysInput{}).Keys)
	refused(t, api, &sdk.CreateKeyInput{}, "LimitExceededException", full(account, region))
	refused(t, api, &sdk.CreateKeyInput{KeySpec: "RSA_4096", KeyUsage: forSigning}, "LimitExceededException", full(account, region))
	require.Len(t, do[sdk.ListKeysOutput](t, api, &sdk.ListKeysInput{}).Keys, before)

	// other accounts, other Regions; a replica counts where it is
	createKeys(t, cloud.Client(theirs), 3)
	there := cloud.Client(root.In("eu-west-1"))
	createKeys(t, there, 3)
	replicate := &sdk.ReplicateKeyInput{KeyId: &primary, ReplicaRegion: aws.String("eu-west-1")}
	refused(t, api, replicate, "LimitExceededException", full(account, "eu-west-1"))
	replicate.ReplicaRegion = aws.String("eu-west-2")
	succeeds(t, api, replicate)

	// keys in their waiting period count, those that are gone do not
	succeeds(t, api, &sdk.ScheduleKeyDeletionInput{KeyId: &seeded, PendingWindowInDays: aws.Int32(7)})
	refused(t, api, &sdk.CreateKeyInput{}, "LimitExceededException", full(account, region))
	cloud.Advance(7 * 24 * time.Hour)
	createKeys(t, api, 1)
	refused(t, api, &sdk.CreateKeyInput{}, "LimitExceededException", full(account, region))
}

// TestQuotaOfKeysHoldsForAll has many make keys at once, on two services.
func TestQuotaOfKeysHoldsForAll(t *testing.T) {
	t.Parallel()
	const most = 10
	s := newEnduring()
	clients := make([]kms.API, 2)
	for i := range clients {
		clients[i] = s.open(t, func(c *kms.Config) { c.Quotas.Keys = most }).Client(root)
	}
	var made atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 4 {
				_, err := clients[i%2].CreateKey(context.Background(), nil)
				switch codeOf(err) {
				case "":
					made.Add(1)
				case "LimitExceededException", "KMSInternalException": // overtaken too often by the other service
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, made.Load(), int32(most))
	for made.Load() < most {
		succeeds(t, clients[0], &sdk.CreateKeyInput{})
		made.Add(1)
	}
	refused(t, clients[1], &sdk.CreateKeyInput{}, "LimitExceededException", "The account "+account+" has 10 keys in the Region "+region+", the most that it can have.")
	require.Len(t, do[sdk.ListKeysOutput](t, clients[0], &sdk.ListKeysInput{}).Keys, most)
}

func TestOtherQuotas(t *testing.T) {
	t.Parallel()
	cloud, api := limited(t, kms.Quotas{Aliases: 1, Grants: 2, KeyStores: 1, OnDemandRotations: 3})
	key := cloud.Seed(kmstest.Key{Alias: "alias/app"})
	refused(t, api, &sdk.CreateAliasInput{AliasName: aws.String("alias/more"), TargetKeyId: &key}, "LimitExceededException", key+" has 1 aliases, the most that a key can have")
	grant := &sdk.CreateGrantInput{KeyId: &key, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt}}
	for range 2 {
		succeeds(t, api, grant)
	}
	refused(t, api, grant, "LimitExceededException", key+" has 2 grants, the most that a key can have")
	for range 3 {
		succeeds(t, api, &sdk.RotateKeyOnDemandInput{KeyId: &key})
	}
	_, err := call(t.Context(), api, &sdk.RotateKeyOnDemandInput{KeyId: &key})
	require.Equal(t, "LimitExceededException", codeOf(err))
	f := newStoreFixture(t, false, func(c *kms.Config) { c.Quotas.KeyStores = 1 })
	f.create(t, f.externalStore("one"))
	refused(t, f.api, f.externalStore("two"), "LimitExceededException", "There are 1 custom key stores already.")
}

func TestRefusedQuotas(t *testing.T) {
	t.Parallel()
	for _, q := range []kms.Quotas{{Keys: -1}, {Aliases: -1}, {Grants: -1}, {KeyStores: -1}, {OnDemandRotations: -1}} {
		_, err := kms.New(t.Context(), kms.Config{Quotas: q})
		require.EqualError(t, err, "kms: a quota is negative")
	}
	service, err := kms.New(t.Context(), kms.Config{}) // keys are not limited
	require.NoError(t, err)
	createKeys(t, service.Client(identity.Root(account, region)), 101)
	require.NoError(t, service.Close())
}
