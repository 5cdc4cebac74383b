package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
)

// ledger is what writers were told: how many increments of a counter were acknowledged,
// how many are in doubt, and which writer got a name.
type ledger struct {
	mu           sync.Mutex
	sure, doubts int
	names        map[string]string
	doubtful     map[string]bool // names whose owner is in doubt
	failed       map[string]int  // other errors, by text
}

func (l *ledger) note(name, owner string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.sure++
		if name != "" {
			l.names[name] = owner
		}
	case errors.Is(err, etcdstore.ErrInDoubt):
		l.doubts++
		if name != "" {
			l.doubtful[name] = true
		}
	case errors.Is(err, store.ErrConflict), errors.Is(err, errTaken):
	default:
		l.failed[err.Error()]++
	}
}

var errTaken = errors.New("the name is taken")

// write adds one to the counter and takes a name, in one update, again and again until
// ctx is done. Several writers want each name.
func (l *ledger) write(ctx context.Context, tb testing.TB, s store.Store, writer string) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("name/%d", i)
		err := s.Update(tb.Context(), func(tx store.Tx) error {
			if _, err := tx.Get(name); !errors.Is(err, store.ErrNotFound) {
				return errors.Join(err, errTaken)
			}
			n := 0
			if v, err := tx.Get("n"); err == nil {
				n, _ = strconv.Atoi(string(v))
			}
			return errors.Join(tx.Put("n", []byte(strconv.Itoa(n+1))), tx.Put(name, []byte(writer)))
		})
		l.note(name, writer, err)
		if err != nil && !errors.Is(err, errTaken) {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// check compares the ledger with what the store holds.
func (l *ledger) check(t *testing.T, s store.Store) {
	t.Helper()
	all := contents(t, s)
	n, err := strconv.Atoi(all["n"])
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, l.sure, "acknowledged increments are lost")
	require.LessOrEqual(t, n, l.sure+l.doubts, "increments were made twice")
	require.Len(t, all, n+1, "each increment took one name")
	for name, owner := range l.names {
		require.Equal(t, owner, all[name], "%s has another owner than was acknowledged", name)
	}
}

// run has writers write to four stores, two at each, while something happens.
func run(t *testing.T, endpoints []string, o etcdstore.Options, happen func()) *ledger {
	t.Helper()
	l := &ledger{names: map[string]string{}, doubtful: map[string]bool{}, failed: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 4 {
		s := open(t, dial(t, endpoints), o)
		for j := range 2 {
			wg.Go(func() { l.write(ctx, t, s, fmt.Sprintf("%d.%d", i, j)) })
		}
	}
	happen()
	stop()
	wg.Wait()
	return l
}

// TestLeaderStopped stops the leader of three members without warning while four stores
// are written to: it does no more, and its connections are gone, as when its process is
// killed.
func TestLeaderStopped(t *testing.T) {
	c := newCluster(t, 3, nil)
	var wires []*wire
	var endpoints []string
	for _, to := range c.endpoints() {
		w := newWire(t, to)
		wires, endpoints = append(wires, w), append(endpoints, w.address())
	}
	o := etcdstore.Options{Namespace: "ns"}
	l := run(t, endpoints, o, func() {
		s := open(t, dial(t, endpoints), o)
		time.Sleep(700 * time.Millisecond)
		lead := c.leader(t)
		stopped := time.Now()
		wires[lead].set(true)
		c.members[lead].Server.HardStop()
		require.NoError(t, s.Update(t.Context(), set("after", "1")))
		t.Logf("first update after the leader stopped: %v", time.Since(stopped))
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("after") }))
		time.Sleep(1500 * time.Millisecond)
	})
	l.check(t, open(t, dial(t, endpoints), etcdstore.Options{Namespace: "ns", MaxStaleness: etcdstore.Linearizable}))
	t.Logf("%d updates acknowledged, %d in doubt, others: %v", l.sure, l.doubts, l.failed)
	require.Positive(t, l.sure)
}

// TestMemberCutOff parts one member from the other two. A store that knows only that
// member fails within the bound; what it had in doubt is settled when it is back.
func TestMemberCutOff(t *testing.T) {
	c := newCluster(t, 3, nil)
	for name, member := range map[string]int{"the leader": c.leader(t), "a follower": (c.leader(t) + 1) % 3} {
		ns := namespace()
		o := etcdstore.Options{Namespace: ns, Timeout: 2 * time.Second}
		others := c.endpoints((member+1)%3, (member+2)%3)
		alone := open(t, dial(t, c.endpoints(member)), o)
		rest := open(t, dial(t, others), etcdstore.Options{Namespace: ns})
		require.NoError(t, alone.Update(t.Context(), step(0)), name)
		require.NoError(t, rest.Update(t.Context(), step(1)), name)

		require.NoError(t, alone.View(t.Context(), func(store.Tx) error { return nil }))
		cut := time.Now()
		c.cutOff(member, true)
		err := alone.Update(t.Context(), step(2)) // confirmed a moment ago, so it is sent
		done := []int{0, 1}
		switch {
		case errors.Is(err, etcdstore.ErrInDoubt):
		default:
			require.ErrorIs(t, err, etcdstore.ErrStale, name)
		}
		t.Logf("%s: update of the member that was cut off: %v, after %v", name, err, time.Since(cut))
		for err = nil; err == nil && time.Since(cut) < patience; {
			began := time.Now()
			if _, err = look(t.Context(), alone, "n"); err == nil {
				require.Less(t, began.Sub(cut), 1500*time.Millisecond, "a View began long after the bound")
			}
		}
		require.ErrorIs(t, err, etcdstore.ErrStale, name)
		eventually(t, func() bool { return rest.Update(t.Context(), step(3)) == nil })
		t.Logf("%s: the others wrote after %v", name, time.Since(cut))

		c.cutOff(member, false)
		eventually(t, func() bool { return alone.Update(t.Context(), step(4)) == nil })
		t.Logf("%s: it wrote again after %v", name, time.Since(cut))
		all := contents(t, open(t, dial(t, others), etcdstore.Options{Namespace: ns, MaxStaleness: etcdstore.Linearizable}))
		if all["n"] == "5" {
			done = append(done, 2) // it was in doubt, and committed
		}
		require.Equal(t, want(append(done, 3, 4)), all, name)
		require.Equal(t, all, contents(t, alone), name)
	}
}
