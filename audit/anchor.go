package audit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Anchor makes an anchor at the last event that is recorded, if there is none yet.
func (c *Chain) Anchor(ctx context.Context) error { return c.anchor(ctx) }

// Close makes a last anchor and forgets the key. Events that come later fail; those in
// progress should have ended. It does not close the sink.
func (c *Chain) Close(ctx context.Context) error {
	c.anchoring.Lock()
	defer c.anchoring.Unlock()
	c.mu.Lock()
	if errors.Is(c.failed, ErrClosed) {
		c.mu.Unlock()
		return nil
	}
	clean := c.failed == nil && c.inflight == 0
	c.failed = ErrClosed
	if c.timer != nil {
		c.timer.Stop()
	}
	p := c.durable
	c.mu.Unlock()

	err := c.storeAnchor(ctx, p, clean)
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.head.key[:])
	clear(c.durable.key[:])
	return err
}

// makeRoom refuses events while the chain is too far from its newest anchor and no other
// can be made.
func (c *Chain) makeRoom(ctx context.Context) error {
	if !c.tooFar() {
		return nil
	}
	err := c.anchor(context.WithoutCancel(ctx))
	if c.tooFar() {
		return notRecorded(errors.Join(ErrAnchor, err))
	}
	return nil
}

// tooFar reports whether the chain has gone as far without an anchor as it may.
func (c *Chain) tooFar() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed == nil && c.head.seq-c.anchored >= maxLag*uint64(c.o.Events)
}

// arm sets the timer for events that have no anchor yet. The caller holds mu.
func (c *Chain) arm() {
	if c.timer == nil && c.o.Period > 0 && c.durable.seq > c.anchored && !errors.Is(c.failed, ErrClosed) {
		c.timer = time.AfterFunc(c.o.Period, c.anchorLater)
	}
}

// anchorLater makes the anchor that events have waited for.
func (c *Chain) anchorLater() {
	_ = c.anchor(context.Background()) // or else after another period
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = nil
	c.arm()
}

// anchor makes an anchor at the last event that is recorded, unless there is one.
func (c *Chain) anchor(ctx context.Context) error {
	c.anchoring.Lock()
	defer c.anchoring.Unlock()
	return c.anchorLocked(ctx)
}

// anchorLocked is anchor for who holds anchoring.
func (c *Chain) anchorLocked(ctx context.Context) error {
	c.mu.Lock()
	p, done, closed := c.durable, c.durable.seq == c.anchored, errors.Is(c.failed, ErrClosed)
	c.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case done:
		return nil
	}
	if err := c.storeAnchor(ctx, p, false); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.anchored = p.seq
	return nil
}

// storeAnchor stores and publishes where the chain stands.
func (c *Chain) storeAnchor(ctx context.Context, p position, closed bool) error {
	a := Anchor{Engine: c.engine, Seq: p.seq, MAC: p.mac, Time: c.o.Now().UTC()}
	ctx, cancel := context.WithTimeout(ctx, anchorTimeout)
	defer cancel()
	if err := c.state.StoreHead(ctx, Head{Anchor: a, key: p.key, closed: closed}); err != nil {
		return fmt.Errorf("audit: head of the chain: %w", err)
	}
	if c.o.Anchor == nil || p.seq == 0 {
		return nil
	}
	if err := c.o.Anchor(ctx, a); err != nil {
		return &unpublishedError{err}
	}
	return nil
}

// unpublishedError is the error of [ChainOptions].Anchor: the anchor is stored.
type unpublishedError struct {
	err error
}

func (e *unpublishedError) Error() string { return fmt.Sprintf("audit: anchor: %v", e.err) }

func (e *unpublishedError) Unwrap() error { return e.err }
