package kms

import (
	"context"
	"math/rand/v2"
	"time"
)

// gateWidth is how many requests may be committing at a time.
const gateWidth = 64

// commitGate orders the commits of one service. A request whose decision another has
// overtaken is decided again with the gate to itself, so it cannot be overtaken a
// second time but by another service on the same store.
type commitGate struct {
	tokens chan struct{} // gateWidth of them: held by who commits
	turn   chan struct{} // held by who is collecting all tokens
}

func newCommitGate() commitGate {
	return commitGate{tokens: make(chan struct{}, gateWidth), turn: make(chan struct{}, 1)}
}

// enter takes n tokens, 1 to commit beside others or gateWidth to be alone, and
// returns the function that gives them back. The error is ctx's.
func (g commitGate) enter(ctx context.Context, n int) (leave func(), err error) {
	held := 0
	leave = func() {
		for ; held > 0; held-- {
			<-g.tokens
		}
	}
	if n > 1 {
		select {
		case g.turn <- struct{}{}:
			defer func() { <-g.turn }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for ; held < n; held++ {
		select {
		case g.tokens <- struct{}{}:
		case <-ctx.Done():
			leave()
			return nil, ctx.Err()
		}
	}
	return leave, nil
}

// standBack waits before the second attempt and those after it, for a random time of at
// most 2, 4 … 128 ms: another service on the same store is at the same record.
func standBack(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return nil
	}
	timer := time.NewTimer(rand.N(time.Millisecond << attempt))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
