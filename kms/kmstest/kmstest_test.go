package kmstest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

// The ids that seeding derives from "alias/orders" and from nothing.
const (
	seededID  = "7f5b53a4-08ee-4a53-89bd-b1c45709b022"
	unnamedID = "4dcb0971-206d-48cc-818f-192c85db031b"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	require.Equal(t, identity.Root("111122223333", "us-east-1"), cloud.Root())
	require.Equal(t, kmstest.Start, cloud.Now())
	require.Empty(t, cloud.Events())
	out, err := cloud.SDK().CreateKey(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, kmstest.Start, *out.KeyMetadata.CreationDate)
	require.Equal(t, "arn:aws:kms:us-east-1:111122223333:key/"+*out.KeyMetadata.KeyId, *out.KeyMetadata.Arn)
	events := cloud.Events()
	require.Len(t, events, 1)
	require.Equal(t, "CreateKey", events[0].Name)
	require.Equal(t, []string{*out.KeyMetadata.Arn}, events[0].Resources)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	inner, ring := store.NewMemory(), &audit.Ring{}
	start := time.Date(2031, 2, 3, 4, 5, 6, 7_000_000, time.UTC)
	cloud := kmstest.New(t, &kmstest.Options{
		Account: "444455556666", Region: "cn-north-1", Start: start, Store: inner, Audit: ring,
		Keys: []kmstest.Key{{Alias: "alias/a"}, {Alias: "alias/b"}},
	})
	require.Equal(t, identity.Root("444455556666", "cn-north-1"), cloud.Root())
	out, err := cloud.SDK().DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String("alias/b")})
	require.NoError(t, err)
	require.Equal(t, start, *out.KeyMetadata.CreationDate)
	require.Contains(t, *out.KeyMetadata.Arn, "arn:aws-cn:kms:cn-north-1:444455556666:key/")
	require.Len(t, ring.Events(), 1)
	require.Empty(t, cloud.Events())
	records := 0
	require.NoError(t, inner.View(t.Context(), func(tx store.Tx) error {
		for range tx.Scan("kms/444455556666/cn-north-1/", "") {
			records++
		}
		return nil
	}))
	require.Equal(t, 6, records, "of each key one, one with its alias, and that of the alias")
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	arn := cloud.Seed(kmstest.Key{Alias: "alias/a"})
	client := cloud.SDK()
	_, err := client.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: &arn})
	require.NoError(t, err)
	cloud.Advance(31 * 24 * time.Hour)
	require.Equal(t, kmstest.Start.Add(31*24*time.Hour), cloud.Now())
	_, err = client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &arn})
	var notFound *types.NotFoundException
	require.ErrorAs(t, err, &notFound)
	cloud.Advance(-2 * 24 * time.Hour)
	_, err = client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &arn})
	require.NoError(t, err)
}

func TestCallers(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	arn := cloud.Seed(kmstest.Key{})
	in := &sdk.DescribeKeyInput{KeyId: &arn}
	for _, c := range []identity.Caller{{}, identity.Root("444455556666", "us-east-1")} {
		_, err := cloud.Client(c).DescribeKey(t.Context(), in)
		require.Equal(t, 400, kms.StatusCode(err))
		_, err = cloud.Service().SDK(c).DescribeKey(t.Context(), in)
		require.Equal(t, 400, kms.StatusCode(err))
	}
	_, err := cloud.Client(cloud.Root()).DescribeKey(t.Context(), in)
	require.NoError(t, err)
}

func TestClosedWithTheTest(t *testing.T) {
	t.Parallel()
	var cloud *kmstest.Cloud
	require.Empty(t, fails(func(t testing.TB) {
		cloud = kmstest.New(t, nil)
		_, err := cloud.SDK().ListKeys(context.Background(), nil)
		if err != nil {
			t.Fatalf("%v", err)
		}
	}))
	_, err := cloud.Client(cloud.Root()).ListKeys(t.Context(), nil)
	require.ErrorIs(t, err, store.ErrClosed)
}

// broken is a store in which nothing works.
type broken struct{ store.Store }

func (broken) View(context.Context, func(store.Tx) error) error { return errors.New("broken store") }

func TestNewFailsTheTest(t *testing.T) {
	t.Parallel()
	require.Equal(t, "kmstest: broken store", fails(func(t testing.TB) { kmstest.New(t, &kmstest.Options{Store: broken{}}) }))
	require.Contains(t, fails(func(t testing.TB) {
		kmstest.New(t, &kmstest.Options{Keys: []kmstest.Key{{ID: "x"}}})
	}), "kmstest: key id")
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	arn := cloud.Seed(kmstest.Key{})
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 20 {
				cloud.Advance(time.Second)
				cloud.Slow("ListKeys", 0)
				cloud.FailTimes("ListKeys", 1, kmstest.Throttled())
				_, _ = cloud.SDK().ListKeys(context.Background(), nil)
				_, _ = cloud.SDK().DescribeKey(context.Background(), &sdk.DescribeKeyInput{KeyId: &arn})
				_ = cloud.Events()
			}
		}()
	}
	group.Wait()
	require.Equal(t, kmstest.Start.Add(160*time.Second), cloud.Now())
}
