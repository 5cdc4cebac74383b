package kms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

const workers = 32

// together runs work in many goroutines at once.
func together(t *testing.T, work func(worker int) error) {
	t.Helper()
	var group sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, workers)
	for i := range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			<-start
			errs[i] = work(i)
		}()
	}
	close(start)
	group.Wait()
	require.NoError(t, errors.Join(errs...))
}

// insist makes a request until other writers let it through.
func insist(ctx context.Context, api kms.API, in any) error {
	for {
		_, err := call(ctx, api, in)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// TestConcurrentMix has every worker do everything to the same few keys.
func TestConcurrentMix(t *testing.T) {
	t.Parallel()
	sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
	require.NoError(t, err)
	blob := seedKeys(t, sealed)
	service, err := kms.New(t.Context(), kms.Config{Store: sealed})
	require.NoError(t, err)
	api := service.Client(callerOf(account))
	keys := []string{faultKey, faultOther}
	// What another worker may have done meanwhile.
	expected := []string{"", "NotFoundException", "AlreadyExistsException", "DisabledException", "KMSInvalidStateException", "LimitExceededException"}
	together(t, func(w int) error {
		for round := range 4 {
			key, other := &keys[(w+round)%2], &keys[(w+round+1)%2]
			shared, own := aws.String(fmt.Sprintf("alias/shared%d", round%3)), aws.String(fmt.Sprintf("alias/own%02d", w))
			for _, in := range []any{
				&sdk.TagResourceInput{KeyId: key, Tags: tags(fmt.Sprintf("w%02d=%d", w%20, round))},
				&sdk.CreateAliasInput{AliasName: shared, TargetKeyId: key},
				&sdk.CreateAliasInput{AliasName: own, TargetKeyId: key},
				&sdk.UpdateAliasInput{AliasName: shared, TargetKeyId: other},
				&sdk.UpdateAliasInput{AliasName: own, TargetKeyId: other},
				&sdk.EncryptInput{KeyId: shared, Plaintext: []byte("x")},
				&sdk.DecryptInput{CiphertextBlob: blob},
				&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: other},
				&sdk.GenerateDataKeyInput{KeyId: key, KeySpec: types.DataKeySpecAes256},
				&sdk.DisableKeyInput{KeyId: key},
				&sdk.EnableKeyInput{KeyId: key},
				&sdk.ScheduleKeyDeletionInput{KeyId: key},
				&sdk.CancelKeyDeletionInput{KeyId: key},
				&sdk.UntagResourceInput{KeyId: key, TagKeys: []string{fmt.Sprintf("w%02d", w%20)}},
				&sdk.UpdateKeyDescriptionInput{KeyId: other, Description: own},
				&sdk.ListAliasesInput{KeyId: key},
				&sdk.ListAliasesInput{},
				&sdk.ListKeysInput{},
				&sdk.ListResourceTagsInput{KeyId: other},
				&sdk.DeleteAliasInput{AliasName: shared},
			} {
				err := insist(context.Background(), api, in)
				if !slices.Contains(expected, codeOf(err)) {
					return err
				}
			}
		}
		return nil
	})
	observe(t, sealed).requireConsistent(t)
}

func TestConcurrentTagsAreAllKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	together(t, func(w int) error {
		return insist(context.Background(), f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags(fmt.Sprintf("w%02d=%d", w, w))})
	})
	got := map[string]string{}
	for _, tag := range listTags(t, f.api, f.id) {
		got[*tag.TagKey] = *tag.TagValue
	}
	require.Len(t, got, workers)
	for w := range workers {
		require.Equal(t, fmt.Sprint(w), got[fmt.Sprintf("w%02d", w)])
	}
}

func TestConcurrentCreateAlias(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	other := f.Seed(kmstest.Key{Alias: "alias/other"})
	for round := range 8 {
		var won atomic.Int32
		together(t, func(w int) error {
			err := insist(context.Background(), f.api, &sdk.CreateAliasInput{
				AliasName: aws.String(fmt.Sprintf("alias/round%d", round)), TargetKeyId: []*string{&f.id, &other}[w%2],
			})
			if err == nil {
				won.Add(1)
			} else if codeOf(err) != "AlreadyExistsException" {
				return err
			}
			return nil
		})
		require.EqualValues(t, 1, won.Load())
	}
	names := strings.Join(append(listAliases(t, f, &sdk.ListAliasesInput{KeyId: &f.id}), listAliases(t, f, &sdk.ListAliasesInput{KeyId: &other})...), " ")
	require.Equal(t, 8, strings.Count(names, "alias/round"))
}

// TestConcurrentAliasLimit races for a key's last places.
func TestConcurrentAliasLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for i := range 39 { // alias/app is the first
		succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/n%02d", i)), TargetKeyId: &f.id})
	}
	var won atomic.Int32
	together(t, func(w int) error {
		err := insist(context.Background(), f.api, &sdk.CreateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/w%02d", w)), TargetKeyId: &f.id})
		if err == nil {
			won.Add(1)
		} else if codeOf(err) != "LimitExceededException" {
			return err
		}
		return nil
	})
	require.EqualValues(t, 10, won.Load())
	require.Len(t, listAliases(t, f, &sdk.ListAliasesInput{KeyId: &f.id, Limit: aws.Int32(100)}), 50)
}

func TestConcurrentAliasMoves(t *testing.T) {
	t.Parallel()
	sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
	require.NoError(t, err)
	seedKeys(t, sealed)
	service, err := kms.New(t.Context(), kms.Config{Store: sealed})
	require.NoError(t, err)
	api := service.Client(callerOf(account))
	keys := []string{faultKey, faultOther}
	for i := range 4 {
		succeeds(t, api, &sdk.CreateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/m%d", i)), TargetKeyId: &keys[0]})
	}
	together(t, func(w int) error {
		for round := range 10 {
			in := &sdk.UpdateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/m%d", w%4)), TargetKeyId: &keys[(w+round)%2]}
			if err := insist(context.Background(), api, in); err != nil {
				return err
			}
		}
		return nil
	})
	o := observe(t, sealed)
	o.requireConsistent(t)
	require.Len(t, o.aliases, 4)
}

// TestContentionIsNoFault has the SDK's client, whose users see no conflicts: the
// engine decides again, and the SDK tries again what the engine gives up.
func TestContentionIsNoFault(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	together(t, func(w int) error {
		_, err := call(context.Background(), f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags(fmt.Sprintf("w%02d=", w))})
		return err
	})
	require.Len(t, listTags(t, f.api, f.id), workers)
}
