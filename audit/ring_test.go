package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

func names(r *audit.Ring) (all []string) {
	for _, e := range r.Events() {
		all = append(all, e.Name)
	}
	return all
}

func TestRingKeepsTheNewestInOrder(t *testing.T) {
	t.Parallel()
	r := &audit.Ring{Size: 3}
	require.Empty(t, r.Events())
	want := [][]string{{"0"}, {"0", "1"}, {"0", "1", "2"}, {"1", "2", "3"}, {"2", "3", "4"}, {"3", "4", "5"}, {"4", "5", "6"}}
	for i, w := range want {
		require.NoError(t, r.Record(t.Context(), audit.Event{Name: fmt.Sprint(i)}))
		require.Equal(t, w, names(r))
	}
}

func TestRingZeroValueIsBounded(t *testing.T) {
	t.Parallel()
	var r audit.Ring
	for range audit.DefaultRingSize + 10 {
		require.NoError(t, r.Record(t.Context(), audit.Event{}))
	}
	require.Len(t, r.Events(), audit.DefaultRingSize)
}

func TestRingRefusesACancelledRequest(t *testing.T) {
	t.Parallel()
	var r audit.Ring
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Record(ctx, audit.Event{}), context.Canceled)
	require.Empty(t, r.Events())
}

func TestRingConcurrently(t *testing.T) {
	t.Parallel()
	r := &audit.Ring{Size: 50}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 20 {
				_ = r.Record(t.Context(), audit.Event{Name: "x"})
				_ = r.Events()
			}
		}()
	}
	wg.Wait()
	require.Len(t, r.Events(), 50)
}

func TestEventUsesCloudTrailNames(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(audit.Event{ID: "1", Name: "Encrypt", Identity: audit.Identity{Type: "Root", Account: "111122223333"}, ErrorCode: "DisabledException"})
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(b, &m))
	require.Equal(t, "1", m["eventID"])
	require.Equal(t, "Encrypt", m["eventName"])
	require.Equal(t, "DisabledException", m["errorCode"])
	require.Equal(t, map[string]any{"type": "Root", "accountId": "111122223333"}, m["userIdentity"])
	require.NotContains(t, m, "errorMessage")
}
