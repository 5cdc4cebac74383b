package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

func TestKeyChangeHasTheShapeOfEventBridge(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"KMS CMK Rotation", "KMS Imported Key Material Expiration", "KMS CMK Deletion"} {
		e := audit.KeyChange(kind, keyARN, start.In(time.FixedZone("", 3600)))
		b, err := json.Marshal(e)
		require.NoError(t, err)
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, e.ID)
		require.Equal(t, `{"version":"0","id":"`+e.ID+`","detail-type":"`+kind+`","source":"aws.kms","account":"111122223333",`+
			`"time":"2026-01-02T15:04:05Z","region":"us-west-2","resources":["`+keyARN+`"],"detail":{"key-id":"1234abcd-12ab-34cd-56ef-1234567890ab"}}`, string(b))
	}
}

func TestChangeIDNamesTheChange(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range []audit.ChangeEvent{
		audit.KeyChange(audit.KeyRotated, keyARN, start), audit.KeyChange(audit.KeyDeleted, keyARN, start),
		audit.KeyChange(audit.KeyRotated, keyARN+"c", start), audit.KeyChange(audit.KeyRotated, keyARN, start.Add(1)),
		audit.Recorded(event(1)), audit.Recorded(event(2)),
	} {
		require.False(t, seen[e.ID], "%v", e)
		seen[e.ID] = true
	}
	require.True(t, seen[audit.KeyChange(audit.KeyRotated, keyARN, start.Local()).ID], "the zone of the time is no matter")
	require.True(t, seen[audit.Recorded(event(2)).ID])
}

func TestKeyChangeOfNoKey(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(audit.KeyChange(audit.KeyRotated, "x", start))
	require.NoError(t, err)
	require.Contains(t, string(b), `"resources":["x"],"detail":{}`)
	b, err = json.Marshal(audit.ChangeEvent{})
	require.NoError(t, err)
	require.Contains(t, string(b), `"resources":[],"detail":{}`)
}

func TestRecordedHasTheShapeOfEventBridge(t *testing.T) {
	t.Parallel()
	e := event(1)
	c := audit.Recorded(e)
	b, err := json.Marshal(c)
	require.NoError(t, err)
	detail, err := json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, `{"version":"0","id":"`+c.ID+`","detail-type":"AWS API Call via CloudTrail","source":"aws.kms","account":"111122223333",`+
		`"time":"2026-01-02T15:04:06Z","region":"us-west-2","resources":[],"detail":`+string(detail)+`}`, string(b))

	e.Identity = audit.Identity{Type: "AWSService"}
	c = audit.Recorded(e)
	require.Equal(t, "AWS Service Event via CloudTrail", c.DetailType)
	require.Equal(t, "111122223333", c.Account, "of the resource, as there is no caller")
}

func numbered(n int) audit.ChangeEvent { return audit.ChangeEvent{ID: fmt.Sprint(n)} }

// collect ranges over changes until there are n ids or errors.
func collect(n int, changes func(func(audit.ChangeEvent, error) bool)) (got []string) {
	for e, err := range changes {
		if err != nil {
			e.ID = err.Error()
		}
		if got = append(got, e.ID); len(got) == n {
			break
		}
	}
	return got
}

func TestBusGivesWhatComesAfterSubscribe(t *testing.T) {
	t.Parallel()
	var b audit.Bus
	require.NoError(t, b.Publish(t.Context(), numbered(0)))
	changes := b.Subscribe(t.Context())
	for n := range 3 {
		require.NoError(t, b.Publish(t.Context(), numbered(n+1)))
	}
	require.NoError(t, b.Close())
	require.ErrorIs(t, b.Publish(t.Context(), numbered(4)), audit.ErrBusClosed)
	require.Equal(t, []string{"1", "2", "3"}, collect(-1, changes), "it ends with the bus")
	require.Empty(t, collect(-1, b.Subscribe(t.Context())))
}

func TestBusTellsWhatIsMissed(t *testing.T) {
	t.Parallel()
	b := audit.Bus{Size: 3}
	changes := b.Subscribe(t.Context())
	for n := range 10 {
		require.NoError(t, b.Publish(t.Context(), numbered(n)))
	}
	require.NoError(t, b.Close())
	require.Equal(t, []string{"audit: subscriber was too slow and missed 7 changes", "7", "8", "9"}, collect(-1, changes))

	for _, err := range b.Subscribe(t.Context()) {
		require.Fail(t, "nothing comes", "%v", err)
	}
	var lag *audit.LagError
	for _, err := range changes { // from where it was when subscribed
		require.True(t, errors.As(err, &lag))
		require.EqualValues(t, 7, lag.Missed)
		break
	}
}

func TestBusWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b audit.Bus
		var wg sync.WaitGroup
		for range 3 {
			changes := b.Subscribe(t.Context())
			wg.Go(func() { assert.Equal(t, []string{"0", "1"}, collect(2, changes)) })
		}
		synctest.Wait()
		require.NoError(t, b.Publish(t.Context(), numbered(0)))
		synctest.Wait()
		require.NoError(t, b.Publish(t.Context(), numbered(1)))
		wg.Wait()

		ctx, cancel := context.WithCancel(t.Context())
		changes := b.Subscribe(ctx)
		wg.Go(func() { assert.Equal(t, []string{"context canceled"}, collect(-1, changes)) })
		synctest.Wait()
		cancel()
		wg.Wait()

		changes = b.Subscribe(t.Context())
		wg.Go(func() { assert.Empty(t, collect(-1, changes)) })
		synctest.Wait()
		require.NoError(t, b.Close())
		wg.Wait()
	})
}

func TestBusEndsWithTheContextThoughThereIsMore(t *testing.T) {
	t.Parallel()
	var b audit.Bus
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := b.Subscribe(ctx)
	for n := range 3 {
		require.NoError(t, b.Publish(t.Context(), numbered(n)))
	}
	var got []string
	for e, err := range changes {
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			e.ID = "end"
		}
		got = append(got, e.ID)
		cancel()
	}
	require.Equal(t, []string{"0", "end"}, got)
}

func TestBusKeepsOrderForEverySubscriber(t *testing.T) {
	t.Parallel()
	b := audit.Bus{Size: 1 << 12}
	var wg sync.WaitGroup
	for range 4 {
		changes := b.Subscribe(t.Context())
		wg.Go(func() {
			last, n := map[string]int{}, 0
			for e, err := range changes {
				var seq int
				_, scanned := fmt.Sscan(e.Region, &seq)
				assert.NoError(t, errors.Join(err, scanned))
				assert.Equal(t, last[e.Account]+1, seq)
				last[e.Account] = seq
				n++
			}
			assert.Equal(t, 4*500, n)
		})
	}
	var publishers sync.WaitGroup
	for p := range 4 {
		publishers.Go(func() {
			for n := range 500 {
				assert.NoError(t, b.Publish(t.Context(), audit.ChangeEvent{Account: fmt.Sprint(p), Region: fmt.Sprint(n + 1)}))
			}
		})
	}
	publishers.Wait()
	require.NoError(t, b.Close())
	wg.Wait()
}
