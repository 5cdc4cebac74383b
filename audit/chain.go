package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/sealring/sealring/internal/uuid"
)

// LineLog is a sink that keeps lines in order and can read them back. A [Chain] before
// it gives each line its place while it holds a lock, and waits without it, so that one
// sync can serve many.
type LineLog interface {
	Sink

	// Stage gives a line, which it copies and which has no line feed, the place behind
	// those staged before. commit, to be called once, waits until the line is durable
	// and with it all before; until then it may be lost.
	//
	// If a line that was staged is lost, every commit of a line behind it fails as well,
	// and so does Stage until Recover. Errors that wrap [ErrNotRecorded] say that the
	// line is certainly not in the log.
	Stage(line []byte) (commit func() error, err error)

	// Recover says that no line will be staged that rests on one that was lost.
	Recover() error

	// Replay returns the lines of the log, in order, from somewhere not behind the event
	// after number after of the engine. It is called before anything is staged.
	Replay(engine string, after uint64) iter.Seq2[Line, error]
}

// ErrAnchor is returned for events that are refused because the chain could not be
// anchored for too long.
var ErrAnchor = errors.New("audit: chain cannot be anchored")

// Defaults of [ChainOptions].
const (
	DefaultAnchorEvents = 1024
	DefaultAnchorPeriod = time.Minute
)

// maxLag is how many times the events between two anchors may come without one.
const maxLag = 8

// anchorTimeout bounds how long storing and publishing one anchor may take.
const anchorTimeout = 30 * time.Second

// ChainOptions tune a [Chain]. Nil and the zero value are good.
type ChainOptions struct {
	// Events is how many events there are between two anchors; 0 means
	// [DefaultAnchorEvents].
	Events int
	// Period is how long an event waits for an anchor at most; 0 means
	// [DefaultAnchorPeriod], a negative one that time does not count.
	Period time.Duration

	// Anchor publishes an anchor where who can write the log cannot change it. It is not
	// called concurrently. After an error it is called again at the next event, with an
	// anchor that covers it; when 8 times Events have come without an anchor, events are
	// refused until one succeeds.
	Anchor func(ctx context.Context, a Anchor) error

	// Fresh begins a new chain, whatever was before. It is for an operator who has seen
	// why the old one cannot go on; the old one can still be verified with its origin.
	Fresh bool

	// Now is the clock for anchors; nil is time.Now.
	Now func() time.Time
}

// Chain gives every event a link, by which changes to the log show afterwards, and
// passes it on. Each event's MAC has a key of its own, the hash of the one before, which
// is then forgotten: who takes over the machine can forge what comes, but not
// what has been. [VerifyLog] says what a log is worth.
//
// A chain in front of a [LineLog] goes on after a restart where the log ends. In front
// of another sink it is held up by each event, goes on only after [Chain.Close], and
// otherwise begins anew, with another engine.
//
// If an event fails in a way that leaves open whether it was recorded, all later ones
// fail until the chain is opened again and the log tells.
type Chain struct {
	sink  Sink
	log   LineLog // sink, if it is one
	state ChainState
	o     ChainOptions

	engine string // immutable after NewChain

	mu       sync.Mutex
	head     position    // guarded by mu; behind the last event that was passed on
	durable  position    // guarded by mu; behind the last one that is certainly recorded
	inflight int         // guarded by mu; events whose commit is awaited
	lost     bool        // guarded by mu; one of them was not recorded
	failed   error       // guarded by mu; why nothing can be recorded any more
	anchored uint64      // guarded by mu; the newest anchor's event
	timer    *time.Timer // guarded by mu; that will anchor; nil if it is not set
	line     []byte      // guarded by mu; room

	anchoring sync.Mutex // held while an anchor is stored; before mu
}

var _ Sink = (*Chain)(nil)

// NewChain returns a chain that passes its events on to sink, which takes events from
// nobody else. It goes on with the chain that is in state, after it has verified what the
// log has behind the newest anchor: the error is a [*Fault] if that was changed or does
// not reach the anchor. Without a state it begins a chain, whose engine is a random UUID,
// unless the log has events of a chain: they are of another state, or it was lost.
// No other chain may use the same sink or state meanwhile.
func NewChain(ctx context.Context, sink Sink, state ChainState, o *ChainOptions) (*Chain, error) {
	c := &Chain{sink: sink, state: state}
	c.log, _ = sink.(LineLog)
	if o != nil {
		c.o = *o
	}
	if c.o.Events <= 0 {
		c.o.Events = DefaultAnchorEvents
	}
	if c.o.Period == 0 {
		c.o.Period = DefaultAnchorPeriod
	}
	if c.o.Now == nil {
		c.o.Now = time.Now
	}
	_, head, err := state.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit: state of the chain: %w", err)
	}
	switch {
	case c.o.Fresh || c.log == nil && !head.closed:
		err = c.begin(ctx)
	case head.Engine == "":
		if err = c.unchained(); err == nil {
			err = c.begin(ctx)
		}
	default:
		err = c.resume(head)
	}
	if err != nil {
		return nil, err
	}
	c.durable, c.anchored = c.head, c.head.seq
	err = c.storeAnchor(ctx, c.head, false)
	if unpublished := (*unpublishedError)(nil); errors.As(err, &unpublished) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.anchored-- // to be tried again
		c.arm()
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// unchained returns a [*Fault] if the log has an event of a chain. The state knows of none:
// behind those events a new chain could never be verified.
func (c *Chain) unchained() error {
	if c.log == nil {
		return nil
	}
	for line, err := range c.log.Replay("", 0) {
		if err != nil {
			return err
		}
		if l, _, ok := parseLink(line.Text); ok {
			return &Fault{Kind: Foreign, File: line.File, Line: line.Number, Engine: l.Engine, From: l.Seq, To: l.Seq}
		}
	}
	return nil
}

// begin makes a new chain.
func (c *Chain) begin(ctx context.Context) error {
	o := Origin{Engine: uuid.New()}
	rand.Read(o.key[:])
	if err := c.state.StoreOrigin(ctx, o); err != nil {
		return fmt.Errorf("audit: origin of the chain: %w", err)
	}
	c.engine, c.head = o.Engine, position{key: o.key}
	return nil
}

// resume takes the chain up behind the last event of the log.
func (c *Chain) resume(h Head) error {
	c.engine, c.head = h.Engine, h.position()
	if c.log == nil {
		return nil
	}
	reached, started := h.Seq == 0, false
	for line, err := range c.log.Replay(h.Engine, h.Seq) {
		if err != nil {
			return err
		}
		l, macAt, ok := parseLink(line.Text)
		if !started && (!ok || l.Engine != h.Engine || l.Seq < h.Seq) {
			continue // of another chain, of none, or anchored
		}
		started = true
		switch {
		case !ok || l.Engine != h.Engine || l.Seq < h.Seq:
			return &Fault{Kind: Altered, File: line.File, Line: line.Number}
		case l.Seq == h.Seq && l.MAC != h.MAC:
			return &Fault{Kind: Rewritten, File: line.File, Line: line.Number, Engine: l.Engine, From: l.Seq, To: l.Seq}
		case l.Seq == h.Seq:
			reached = true
		case l.Seq > c.head.seq+1:
			return &Fault{Kind: Missing, File: line.File, Line: line.Number, Engine: l.Engine, From: c.head.seq + 1, To: l.Seq - 1}
		case !c.head.accept(line.Text, l, macAt):
			return &Fault{Kind: Altered, File: line.File, Line: line.Number, Engine: l.Engine, From: l.Seq, To: l.Seq}
		}
	}
	if !reached && c.head.seq == h.Seq {
		return &Fault{Kind: Truncated, Engine: h.Engine, To: h.Seq}
	}
	return nil
}

// Record gives e its link and passes it on. It returns when the sink has it.
func (c *Chain) Record(ctx context.Context, e Event) error {
	if err := ctx.Err(); err != nil {
		return notRecorded(err)
	}
	if err := c.makeRoom(ctx); err != nil {
		return err
	}
	e.Chain = nil
	body := lines.Get().(*[]byte)
	defer lines.Put(body)
	*body = e.AppendJSON((*body)[:0])

	commit, after, err := c.pass(ctx, e, *body)
	if err != nil {
		return err
	}
	due, err := c.await(commit, after)
	clear(after.key[:])
	if due && c.anchoring.TryLock() {
		go func() { // this event is recorded, and does not wait
			defer c.anchoring.Unlock()
			_ = c.anchorLocked(context.WithoutCancel(ctx)) // the next event tries again
		}()
	}
	return err
}

// errPanic is why a chain ends whose sink has panicked.
var errPanic = errors.New("sink panicked")

// pass makes the link of the event that body is the JSON of, hands it to the sink and
// returns where the chain stands behind it. Without a commit the sink has it already.
func (c *Chain) pass(ctx context.Context, e Event, body []byte) (commit func() error, after position, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failed != nil:
		return nil, after, notRecorded(c.failed)
	case c.lost:
		return nil, after, notRecorded(errors.New("an event before it was lost"))
	}
	link := Link{Engine: c.engine, Seq: c.head.seq + 1}
	c.line = link.appendJSON(append(c.line[:0], '{'))
	macAt := len(c.line) - len(linkEnd) - macDigits
	c.line = append(c.line, body[1:]...)
	link.MAC = c.head.sum(c.line, macAt)
	hex.Encode(c.line[macAt:], link.MAC[:])
	after = c.head.next(link.MAC)

	returned := false
	defer func() {
		if !returned {
			c.fail(errPanic)
		}
	}()
	if c.log != nil {
		commit, err = c.log.Stage(c.line)
	} else {
		e.Chain = &Link{Engine: link.Engine, Seq: link.Seq, MAC: link.MAC}
		err = c.sink.Record(context.WithoutCancel(ctx), e)
	}
	returned = true
	switch {
	case err == nil:
		c.head = after
		c.inflight++
	case !errors.Is(err, ErrNotRecorded):
		c.fail(err)
	case c.log != nil && c.inflight == 0:
		c.recover()
	}
	return commit, after, err
}

// await waits for the commit of an event and reports whether it is time for an anchor.
func (c *Chain) await(commit func() error, after position) (due bool, err error) {
	err = errPanic
	defer func() { due = c.settle(after, err) }()
	if commit == nil {
		return false, nil
	}
	return false, commit()
}

// settle notes what became of an event that was passed on, and reports whether it is
// time for an anchor.
func (c *Chain) settle(after position, err error) (due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inflight--
	switch {
	case err == nil:
		if after.seq > c.durable.seq {
			c.durable = after
		}
	case errors.Is(err, ErrNotRecorded):
		c.lost = true
	default:
		c.fail(err)
	}
	if c.lost && c.inflight == 0 {
		c.recover()
	}
	c.arm()
	return err == nil && c.durable.seq-c.anchored >= uint64(c.o.Events)
}

// fail ends the chain: nobody knows whether an event is recorded. The caller holds mu.
func (c *Chain) fail(err error) {
	if c.failed == nil {
		c.failed = fmt.Errorf("audit: chain must be opened anew: %w", err)
	}
}

// recover goes back behind the last event that is recorded, when all that was behind it
// is known to be lost. The caller holds mu.
func (c *Chain) recover() {
	if c.failed != nil {
		return
	}
	if err := c.log.Recover(); err != nil {
		c.fail(err)
		return
	}
	c.head, c.lost = c.durable, false
}
