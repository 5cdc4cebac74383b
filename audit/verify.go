package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Source is a part of a log to verify: a file, in most cases.
type Source struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// Sources returns the log's files at path, as [Files] lists them, to be verified. The
// log may be in use, if the anchors were fetched before: events that are recorded
// meanwhile may be missing from what is read. A file that is finished meanwhile
// shows as missing events; verifying once more tells.
func Sources(path string) ([]Source, error) {
	files, err := Files(path)
	if err != nil {
		return nil, err
	}
	sources := make([]Source, len(files))
	for i, f := range files {
		sources[i] = Source{Name: f, Open: func() (io.ReadCloser, error) { return os.Open(f) }}
	}
	return sources, nil
}

// Report says what a log proves. If there is a fault, it is about what comes before.
type Report struct {
	Chains []ChainReport // one for each origin, in their order

	// Torn is how many bytes a last line has that does not end: one that was being written
	// when the log was copied or the machine stopped. They prove nothing.
	Torn int64
}

// ChainReport says what a log proves of one engine.
type ChainReport struct {
	Engine string

	// First is the number of the first event that is there; 0 if there is none. More than
	// 1 means that those before were taken away as a whole, by [FileOptions].MaxFiles or
	// otherwise.
	First uint64
	// Proven is the number of the last event up to which all from First on are there,
	// unchanged, in their order. MAC is its MAC.
	Proven uint64
	MAC    [32]byte
	// Anchored is the event of the newest anchor that the log has reached. What comes
	// after may have been cut off without a trace.
	Anchored uint64
	// FirstUnproven is set if the first event itself proves nothing: the event before
	// it is neither there nor anchored.
	FirstUnproven bool
}

// Verification says what a log is verified with.
type Verification struct {
	// Origins are those of all chains in the log.
	Origins []Origin
	// Anchors are all that is known of these chains, in any order: [Head.Anchor] of their
	// newest heads, and what was published. An anchor is as good as the place it
	// was kept in. One of a chain without an origin cannot be reached, which is a fault:
	// whoever put back a store from before the chain would hide the chain so.
	Anchors []Anchor
	// AllowPruned takes a log whose oldest events were taken away, as
	// [FileOptions].MaxFiles does: up to the newest anchor it may begin anywhere, and the
	// report says where it does.
	AllowPruned bool
}

// VerifyLog reads the sources, which are the parts of one log in their order, and
// verifies the chains in it. Every line must belong to one of them. The report says what
// is proven; the error is a [*Fault] for the first thing that is wrong, and otherwise
// says why the log could not be read. The memory needed does not grow with the log.
//
// What was cut off behind the newest anchor does not show.
func VerifyLog(ctx context.Context, sources []Source, with Verification) (*Report, error) {
	v := verifier{sources: sources, pruned: with.AllowPruned, report: &Report{Chains: make([]ChainReport, len(with.Origins))}}
	for i, o := range with.Origins {
		c := &verifying{report: &v.report.Chains[i], at: position{key: o.key}}
		c.report.Engine = o.Engine
		for _, a := range with.Anchors {
			if a.Engine == o.Engine && a.Seq > 0 {
				c.anchors = append(c.anchors, a)
			}
		}
		slices.SortFunc(c.anchors, func(a, b Anchor) int { return cmp.Compare(a.Seq, b.Seq) })
		v.chains = append(v.chains, c)
	}
	for _, a := range with.Anchors {
		known := slices.ContainsFunc(with.Origins, func(o Origin) bool { return o.Engine == a.Engine })
		if !known && a.Seq > 0 {
			v.strange = append(v.strange, a)
		}
	}
	return v.report, v.verify(ctx)
}

// verifier reads a log.
type verifier struct {
	sources []Source
	chains  []*verifying
	pruned  bool     // the log may begin late
	strange []Anchor // of engines whose origins are not known
	report  *Report
}

func (v *verifier) verify(ctx context.Context) error {
	for i := range v.sources {
		if err := v.source(ctx, i); err != nil {
			return err
		}
	}
	for _, c := range v.chains {
		if n := len(c.anchors); n > 0 {
			return &Fault{Kind: Truncated, Engine: c.report.Engine, From: c.at.seq + 1, To: c.anchors[n-1].Seq}
		}
	}
	if len(v.strange) > 0 {
		a := v.strange[0]
		return &Fault{Kind: Foreign, Engine: a.Engine, From: a.Seq, To: a.Seq}
	}
	return nil
}

// source verifies the lines of source number i.
func (v *verifier) source(ctx context.Context, i int) error {
	s := v.sources[i]
	r, err := s.Open()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer r.Close()
	lines := newScanner(r)
	n := 1
	for ; lines.Scan(); n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, whole := bytes.CutSuffix(lines.Bytes(), []byte{'\n'})
		fault := &Fault{Kind: Altered, File: s.Name, Line: n}
		switch {
		case !whole && i == len(v.sources)-1:
			v.report.Torn = int64(len(line))
		case !whole:
			return fault
		default:
			if fault = v.line(line, fault); fault == nil {
				continue
			}
			return v.explain(fault, lines, i)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return &Fault{Kind: Altered, File: s.Name, Line: n}
	case err != nil:
		return fmt.Errorf("audit: %s: %w", s.Name, err)
	}
	return nil
}

// line verifies a line. f, which says where it is, is completed and returned if
// something is wrong.
func (v *verifier) line(line []byte, f *Fault) *Fault {
	l, macAt, ok := parseLink(line)
	if !ok {
		return f
	}
	f.Engine, f.From, f.To = l.Engine, l.Seq, l.Seq
	i := slices.IndexFunc(v.chains, func(c *verifying) bool { return c.report.Engine == l.Engine })
	if i < 0 {
		f.Kind = Foreign
		return f
	}
	c := v.chains[i]
	if v.pruned && c.report.First == 0 {
		c.skipTo(l)
	}
	switch next := c.at.seq + 1; {
	case l.Seq < next:
		f.Kind = Duplicate
	case l.Seq > next:
		f.Kind, f.From, f.To = Missing, next, l.Seq-1
	case !c.accept(line, l, macAt):
	case !c.anchor(l):
		f.Kind = Rewritten
	default:
		return nil
	}
	return f
}

// explain returns f. What is missing may only be in the wrong place: behind where the
// lines of source number i have been read to.
func (v *verifier) explain(f *Fault, lines *bufio.Scanner, i int) error {
	if f.Kind != Missing {
		return f
	}
	found := contains(lines, f.Engine, f.From)
	for _, s := range v.sources[i+1:] {
		if found {
			break
		}
		r, err := s.Open()
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		found = contains(newScanner(r), f.Engine, f.From)
		_ = r.Close() // it was only read
	}
	if found {
		f.Kind, f.From, f.To = Reordered, f.To+1, f.To+1
	}
	return f
}

// contains reports whether an event of that number is on one of the lines.
func contains(lines *bufio.Scanner, engine string, seq uint64) bool {
	for lines.Scan() {
		if l, _, ok := parseLink(lines.Bytes()); ok && l.Engine == engine && l.Seq == seq {
			return true
		}
	}
	return false
}

// verifying is a chain as far as it has been read.
type verifying struct {
	at      position
	blind   bool     // the MAC before the next event is not known
	anchors []Anchor // not reached yet, by number
	report  *ChainReport
}

// skipTo moves the chain's beginning to l, if an anchor shows that it has come so far.
func (c *verifying) skipTo(l Link) {
	n := len(c.anchors)
	if n == 0 || l.Seq <= 1 || l.Seq > c.anchors[n-1].Seq+1 {
		return
	}
	c.blind = true
	for c.at.seq+1 < l.Seq {
		c.at = c.at.next([32]byte{})
	}
	for len(c.anchors) > 0 && c.anchors[0].Seq < l.Seq {
		if c.anchors[0].Seq == c.at.seq {
			c.at.mac, c.blind = c.anchors[0].MAC, false
		}
		c.anchors = c.anchors[1:]
	}
}

// accept moves on behind the line's event if it is the recorded one. Of the first one of
// a pruned log the MAC is believed: the next event's covers it.
func (c *verifying) accept(line []byte, l Link, macAt int) bool {
	if c.blind {
		c.at = c.at.next(l.MAC)
		c.report.FirstUnproven = true
	} else if !c.at.accept(line, l, macAt) {
		return false
	}
	c.blind = false
	if c.report.First == 0 {
		c.report.First = l.Seq
	}
	return true
}

// anchor checks the event that was just accepted against its anchors, and notes it.
func (c *verifying) anchor(l Link) bool {
	for len(c.anchors) > 0 && c.anchors[0].Seq == l.Seq {
		if c.anchors[0].MAC != l.MAC {
			return false
		}
		c.anchors, c.report.Anchored = c.anchors[1:], l.Seq
	}
	c.report.Proven, c.report.MAC = l.Seq, l.MAC
	return true
}
