package audit

import "fmt"

// FaultKind says what is wrong with a log.
type FaultKind int

// What can be wrong.
const (
	// Altered is a line that is not what was recorded: changed, or never recorded at all.
	Altered FaultKind = iota + 1
	// Missing is events that should stand before the line, and are nowhere.
	Missing
	// Reordered is a line that stands before others that were recorded earlier.
	Reordered
	// Duplicate is an event that was there already.
	Duplicate
	// Truncated is a log that ends before its newest anchor.
	Truncated
	// Rewritten is a line that verifies, but is not the one that an anchor knows: somebody
	// with the chain's key has written the log anew.
	Rewritten
	// Foreign is a line, or an anchor, of an engine whose origin is not known.
	Foreign
)

var faultTexts = [...]string{
	Altered: "altered", Missing: "missing", Reordered: "reordered", Duplicate: "duplicate",
	Truncated: "truncated", Rewritten: "rewritten", Foreign: "foreign",
}

// String returns the kind in a word.
func (k FaultKind) String() string {
	if k < Altered || int(k) >= len(faultTexts) {
		return fmt.Sprintf("FaultKind(%d)", int(k))
	}
	return faultTexts[k]
}

// Fault is the first thing that is wrong with a log.
type Fault struct {
	Kind FaultKind
	File string // the source's name, empty if the log's end is the matter
	Line int    // in it, from 1

	Engine   string // of the chain; empty if the line does not tell
	From, To uint64 // the events that the fault is about, as far as they are known
}

// Error tells the kind, the place and the events.
func (f *Fault) Error() string {
	text := "audit: log is not what was recorded: " + f.Kind.String()
	switch {
	case f.From > 0 && f.From == f.To:
		text += fmt.Sprintf(" event %d", f.From)
	case f.From > 0:
		text += fmt.Sprintf(" events %d to %d", f.From, f.To)
	case f.To > 0:
		text += fmt.Sprintf(" before event %d", f.To)
	}
	if f.Engine != "" {
		text += fmt.Sprintf(" of engine %q", f.Engine)
	}
	if f.File != "" {
		text += fmt.Sprintf(" at %s:%d", f.File, f.Line)
	}
	return text
}
