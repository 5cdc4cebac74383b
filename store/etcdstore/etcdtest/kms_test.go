package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
)

// engine returns a KMS on a store of its own in the namespace.
func engine(tb testing.TB, c *cluster, o etcdstore.Options, now func() time.Time) *kms.Service {
	tb.Helper()
	inner, err := etcdstore.Open(tb.Context(), dial(tb, c.endpoints()), &o)
	require.NoError(tb, err)
	sealed, err := store.Seal(tb.Context(), inner, rootKey(tb), &store.SealOptions{AllowRollback: true})
	require.NoError(tb, err)
	service, err := kms.New(tb.Context(), kms.Config{Store: sealed, Now: now})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = service.Close() })
	return service
}

// root returns the account's root user as a client of the engine.
func root(s *kms.Service) *kms.Client { return s.Client(identity.Root(account, region)) }

// bob returns a user that only a grant admits.
func bob(s *kms.Service) *kms.Client {
	c := identity.Root(account, region)
	c.Principal = "arn:aws:iam::" + account + ":user/bob"
	return s.Client(c)
}

func createKey(tb testing.TB, api *kms.Client) *string {
	tb.Helper()
	out, err := api.CreateKey(tb.Context(), &sdk.CreateKeyInput{})
	require.NoError(tb, err)
	return out.KeyMetadata.KeyId
}

// TestFourEngines has four engines, whose clocks are up to two hours apart, write at
// once: all want the same aliases, and all tag one key, whose record each update
// rewrites. No clock decides anything: an alias has one owner, and no tag is lost.
func TestFourEngines(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	o := etcdstore.Options{Namespace: namespace()}
	var engines []*kms.Service
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour, time.Minute} {
		engines = append(engines, engine(t, c, o, func() time.Time { return time.Now().Add(skew) }))
	}
	common := createKey(t, root(engines[0]))
	const aliases, tags = 15, 10
	won := make([]map[int]string, len(engines))
	var overtaken atomic.Int64
	var wg sync.WaitGroup
	for i, e := range engines {
		won[i] = map[int]string{}
		wg.Go(func() {
			api := root(e)
			mine := createKey(t, api)
			for n := range aliases {
				_, err := api.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/a%d", n)), TargetKeyId: mine})
				var exists *types.AlreadyExistsException
				if err == nil {
					won[i][n] = *mine
				} else if !errors.As(err, &exists) {
					t.Errorf("CreateAlias: %v", err)
				}
			}
			for n := range tags {
				in := &sdk.TagResourceInput{KeyId: common, Tags: []types.Tag{{
					TagKey: aws.String(fmt.Sprintf("%d.%d", i, n)), TagValue: aws.String("")}}}
				_, err := api.TagResource(t.Context(), in)
				var busy *types.KMSInternalException // overtaken several times; an SDK would retry
				for ; errors.As(err, &busy); _, err = api.TagResource(t.Context(), in) {
					overtaken.Add(1)
				}
				if err != nil {
					t.Errorf("TagResource: %v", err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d requests on the common key gave up and were made again", overtaken.Load(), tags*len(engines))

	all, err := root(engine(t, c, o, nil)).ListAliases(t.Context(), &sdk.ListAliasesInput{})
	require.NoError(t, err)
	require.Len(t, all.Aliases, aliases)
	for n := range aliases {
		var winners []string
		for i := range engines {
			if key := won[i][n]; key != "" {
				winners = append(winners, key)
			}
		}
		require.Len(t, winners, 1, "alias/a%d", n)
		at := slices.IndexFunc(all.Aliases, func(a types.AliasListEntry) bool { return *a.AliasName == fmt.Sprintf("alias/a%d", n) })
		require.Equal(t, winners[0], *all.Aliases[at].TargetKeyId)
	}
	got, err := root(engines[3]).ListResourceTags(t.Context(), &sdk.ListResourceTagsInput{KeyId: common, Limit: aws.Int32(50)})
	require.NoError(t, err)
	require.Len(t, got.Tags, tags*len(engines))
}

// TestRevoked disables keys and revokes grants on one engine while the other engines
// encrypt without pause. No request that begins after the bound is served.
func TestRevoked(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const rounds = 10
	for name, bound := range map[string]time.Duration{
		"a second": time.Second, "linearizable": etcdstore.Linearizable,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := etcdstore.Options{Namespace: namespace(), MaxStaleness: bound}
			here, there := engine(t, c, o, nil), engine(t, c, o, nil)
			var delays []time.Duration
			for range rounds {
				key := createKey(t, root(here))
				delays = append(delays, until(t, bound, root(there), key, func() error {
					_, err := root(here).DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: key})
					return err
				}))
				key = createKey(t, root(here))
				grant, err := root(here).CreateGrant(t.Context(), &sdk.CreateGrantInput{
					KeyId: key, GranteePrincipal: aws.String("arn:aws:iam::" + account + ":user/bob"),
					Operations: []types.GrantOperation{types.GrantOperationEncrypt}})
				require.NoError(t, err)
				delays = append(delays, until(t, bound, bob(there), key, func() error {
					_, err := root(here).RevokeGrant(t.Context(), &sdk.RevokeGrantInput{KeyId: key, GrantId: grant.GrantId})
					return err
				}))
			}
			slices.Sort(delays)
			t.Logf("seen by the other engine after: median %v, longest %v", delays[len(delays)/2], delays[len(delays)-1])
		})
	}
}

// until encrypts without pause, runs revoke meanwhile, and returns how long after its
// end the last request began that was served; it must be within the bound.
func until(t *testing.T, bound time.Duration, api *kms.Client, key *string, revoke func() error) time.Duration {
	t.Helper()
	encrypt := func(ctx context.Context) error {
		_, err := api.Encrypt(ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x")})
		return err
	}
	eventually(t, func() bool { return encrypt(t.Context()) == nil })
	type result struct {
		served time.Time // when the last request began that was served
		err    error
	}
	ended := make(chan result)
	started := make(chan struct{})
	go func() {
		var r result
		for n := 0; r.err == nil; n++ {
			began := time.Now()
			if r.err = encrypt(t.Context()); r.err == nil {
				r.served = began
			}
			if n == 0 {
				close(started)
			}
		}
		ended <- r
	}()
	<-started
	require.NoError(t, revoke())
	revoked := time.Now()
	select {
	case r := <-ended:
		var disabled *types.DisabledException
		if !errors.As(r.err, &disabled) {
			require.ErrorContains(t, r.err, "AccessDeniedException")
		}
		late := r.served.Sub(revoked)
		require.LessOrEqual(t, late, max(bound, 0))
		return max(late, 0)
	case <-time.After(patience):
		t.Fatal("what was revoked still holds")
		return 0
	}
}
