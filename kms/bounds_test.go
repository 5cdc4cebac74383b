package kms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

// maxAnswer is what an answer, and the record of it, may take, however large the
// request was.
const maxAnswer = 32 << 10

func TestAnswersDoNotGrowWithTheRequest(t *testing.T) {
	t.Parallel()
	many := make([]string, 300_000)
	pairs := map[string]string{}
	for i := range 100_000 {
		pairs[fmt.Sprint(i)] = ""
	}
	long := strings.Repeat("x", 1<<20)
	tags := make([]types.Tag, 100_000)
	for name, in := range map[string]any{
		"empty tag keys":     &sdk.UntagResourceInput{KeyId: &long, TagKeys: many},
		"tags without names": &sdk.TagResourceInput{KeyId: &long, Tags: tags},
		"a large context":    &sdk.DecryptInput{CiphertextBlob: []byte("x"), EncryptionContext: pairs},
		"a long context":     &sdk.DecryptInput{CiphertextBlob: []byte("x"), EncryptionContext: map[string]string{"k": long}},
		"a long alias":       &sdk.CreateAliasInput{AliasName: &long, TargetKeyId: &long},
		"a long description": &sdk.CreateKeyInput{Description: &long},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := kmstest.New(t, nil)
			for _, c := range []identity.Caller{cloud.Root(), {}} {
				_, err := call(t.Context(), cloud.Client(c), in)
				require.Error(t, err)
				require.Less(t, len(err.Error()), maxAnswer)
			}
			events, err := json.Marshal(cloud.Events())
			require.NoError(t, err)
			require.Less(t, len(events), 2*maxAnswer)
		})
	}
}

func TestTooManyTagsAreRefusedEarly(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	key := cloud.Seed(kmstest.Key{})
	list := make([]types.Tag, 200_000) // minutes of work, if each were compared with all
	for i := range list {
		name := fmt.Sprint(i)
		list[i] = types.Tag{TagKey: &name, TagValue: &name}
	}
	_, err := cloud.Client(cloud.Root()).TagResource(t.Context(), &sdk.TagResourceInput{KeyId: &key, Tags: list})
	requireRefusal(t, err, "TagException", "Too many tags")
}

// TestOvertakenRequestsLeaveTwoRecords: within one service a request is overtaken at
// most once.
func TestOvertakenRequestsLeaveTwoRecords(t *testing.T) {
	t.Parallel()
	const workers, rounds = 32, 20
	sink := &countingSink{records: map[string]int{}}
	cloud := kmstest.New(t, &kmstest.Options{Audit: sink})
	key := cloud.Seed(kmstest.Key{})
	client := cloud.Client(cloud.Root())
	var wg sync.WaitGroup
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range rounds {
				_, err := client.TagResource(t.Context(), &sdk.TagResourceInput{KeyId: &key, Tags: tagList(fmt.Sprint(w))})
				if err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	require.Len(t, sink.records, workers*rounds)
	for id, n := range sink.records {
		require.LessOrEqual(t, n, 2, id)
	}
}

func tagList(name string) []types.Tag { return []types.Tag{{TagKey: &name, TagValue: &name}} }

func TestPrintingADraftShowsNoRecord(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		d := store.NewDraft(tx)
		d.Put("k", []byte("attack at dawn"))
		require.Equal(t, "store.Draft{0 read, 1 written}", fmt.Sprintf("%v", d))
		require.Equal(t, "store.Draft{0 read, 1 written}", fmt.Sprintf("%#v", d))
		return nil
	}))
}

// countingSink counts the records of each event id.
type countingSink struct {
	mu      sync.Mutex
	records map[string]int // guarded by mu
}

func (s *countingSink) Record(_ context.Context, e audit.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[e.ID]++
	return nil
}
