// Package audit records what was asked of the local cloud and what was answered,
// one [Event] for each request, in the shape of AWS CloudTrail.
//
// A service writes the event after it has decided a request and before it stores
// or answers anything: a [Sink] that fails makes the request fail. Events hold
// names, never plaintext, key bytes, ciphertext or tokens.
//
// Where events go: [OpenFile] keeps them in files, durably; [Slog] gives them to a logger,
// a [Ring] keeps the newest in memory, and [Tee] makes one sink of several. A [Chain] in
// front of a file links the events, so that [VerifyLog] finds what was changed
// afterwards. It does not protect what is recorded from then on by a machine that somebody
// else controls, and what was cut off behind the newest anchor does not show.
//
// Beside the events of requests there are changes, a [ChangeEvent] for each, in the shape
// of EventBridge: best effort, for programs that react to them, such as subscribers of a
// [Bus].
//
// All sinks are safe for concurrent use. The formats are in docs/formats.md.
package audit

import (
	"context"
	"errors"
	"time"

	"github.com/sealring/sealring/internal/arn"
)

// Event is one request and its outcome. Its JSON is a record in the shape of CloudTrail's
// (see [Event.AppendJSON]).
//
// Two events may share an ID when a decision had to be taken back: the store
// refused to commit it, or another writer came first. The last one counts.
type Event struct {
	ID        string
	RequestID string
	Time      time.Time
	Source    string // such as "kms.amazonaws.com"
	Name      string // the operation
	Region    string
	ReadOnly  bool
	Identity  Identity
	SourceIP  string
	UserAgent string

	// Resources are the ARNs that the decision was about.
	Resources []string
	// EncryptionContext is the request's; it is not secret.
	EncryptionContext map[string]string

	// ErrorCode and ErrorMessage say why the request was refused; both are empty
	// for a success.
	ErrorCode    string
	ErrorMessage string

	// Chain is the event's place in an engine's chain; nil before a [Chain] has given it
	// one.
	Chain *Link
}

// Identity is the principal of a request.
type Identity struct {
	Type        string // "Root", "IAMUser", "AWSService" … or "Anonymous"
	ARN         string
	Account     string
	AccessKeyID string

	// InvokedBy is the service that made the request, for itself or in the principal's
	// name; empty if the principal made it. A service with neither is the recording
	// service itself, which acted on its own.
	InvokedBy string
}

// Link is the place of an event in the chain of an engine's events.
type Link struct {
	Engine string   // which chain
	Seq    uint64   // 1 for the first event
	MAC    [32]byte // over this event and all before it
}

// Sink takes events. Record returns nil only when the event is as safe as the
// sink makes it; the caller fails the request otherwise. The sink may keep e: its
// slices and maps are never changed, neither by the sink nor by the caller. A sink is
// safe for concurrent use.
//
// An error that wraps [ErrNotRecorded] says that the event is certainly not among those
// that were recorded. After any other error it may be.
type Sink interface {
	Record(ctx context.Context, e Event) error
}

// ErrNotRecorded is wrapped by the errors of sinks that have not kept an event and know
// it, so that what was to follow it can take its place.
var ErrNotRecorded = errors.New("audit: event is not recorded")

// ofService reports whether the event is of what a service did on its own.
func (e *Event) ofService() bool {
	return e.Identity.Type == "AWSService" && e.Identity.InvokedBy == ""
}

// recipient returns the account that the event is recorded for: the caller's, as far as
// there is one.
func (e *Event) recipient() string {
	if e.Identity.Account != "" {
		return e.Identity.Account
	}
	for _, r := range e.Resources {
		if a, ok := arn.Parse(r); ok && a.Account != "" {
			return a.Account
		}
	}
	return ""
}
