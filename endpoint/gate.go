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
	spare  *share               // that of the last who has left, or nil; guarded by mu
}

// A share is one principal's part of a gate.
type share struct {
	places chan struct{}
	of     principal // guarded by the gate's mu, as users is
	users  int       // requests that are in or waiting
}

func newGate(places int) *gate {
	return &gate{places: make(chan struct{}, places), shares: map[principal]*share{}}
}

// enter waits for a place for p and returns the share that it is of, which has to be
// handed to leave once. It returns nil if ctx is done first. A place in the share comes
// first, so that nobody holds one of the gate's while waiting.
func (g *gate) enter(ctx context.Context, p principal) *share {
	s := g.join(p)
	if !take(ctx, s.places) {
		g.part(s)
		return nil
	}
	if !take(ctx, g.places) {
		<-s.places
		g.part(s)
		return nil
	}
	return s
}

// take waits for a place until ctx is done. It does not ask ctx for Done if there is
// one.
func take(ctx context.Context, places chan<- struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave gives a place of the share back.
func (g *gate) leave(s *share) {
	<-g.places
	<-s.places // neither waits: the caller's place is among them
	g.part(s)
}

// join returns p's share and counts the caller among its users.
func (g *gate) join(p principal) *share {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.shares[p]
	if s == nil {
		if s, g.spare = g.spare, nil; s == nil {
			s = &share{places: make(chan struct{}, (cap(g.places)+1)/2)}
		}
		s.of, g.shares[p] = p, s
	}
	s.users++
	return s
}

// part undoes join, for somebody who has no place.
func (g *gate) part(s *share) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(g.shares, s.of)
		g.spare = s
	}
}
