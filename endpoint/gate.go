package endpoint

import (
	"context"
	"sync"
)

// A gate bounds how many requests are in at a time, and those of one principal to
// half of them. Its memory is bounded by the requests that are in or waiting.
type gate struct {
	places chan struct{} // has one element for each request that is in

	mu     sync.Mutex
	shares map[principal]*share // of those in or waiting; guarded by mu
}

// A share is one principal's part of a gate.
type share struct {
	places chan struct{}
	users  int // requests that are in or waiting; guarded by the gate's mu
}

func newGate(places int) *gate {
	return &gate{places: make(chan struct{}, places), shares: map[principal]*share{}}
}

// enter waits for a place for p. It reports false if ctx is done first; else leave
// has to be called once. A place in the share comes first, so that nobody holds one
// of the gate's while waiting.
func (g *gate) enter(ctx context.Context, p principal) bool {
	s := g.join(p)
	select {
	case s.places <- struct{}{}:
	case <-ctx.Done():
		g.part(p)
		return false
	}
	select {
	case g.places <- struct{}{}:
		return true
	case <-ctx.Done():
		<-s.places
		g.part(p)
		return false
	}
}

// leave gives p's place back.
func (g *gate) leave(p principal) {
	<-g.places
	<-g.part(p).places
}

// join returns p's share and counts the caller among its users.
func (g *gate) join(p principal) *share {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.shares[p]
	if s == nil {
		s = &share{places: make(chan struct{}, (cap(g.places)+1)/2)}
		g.shares[p] = s
	}
	s.users++
	return s
}

// part undoes join.
func (g *gate) part(p principal) *share {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.shares[p]
	if s.users--; s.users == 0 {
		delete(g.shares, p)
	}
	return s
}
