package policy

import "fmt"

// A ParseError says why the AWS API would refuse a document, and where. It is the
// only error that [Parse] returns.
type ParseError struct {
	// Position is where the document is at fault. It lies within the document or,
	// if something is missing there, at its end.
	Position

	// Pointer is the JSON pointer (RFC 6901) of the value at fault, or of the
	// object or array that lacks one. It is empty for the document itself.
	Pointer string

	// Code names the exception of the API that takes this kind of document, such
	// as "MalformedPolicyDocumentException" for a key policy.
	Code string

	// Message is the text that AWS sends, where that is known. Otherwise it is
	// the same as Reason.
	Message string

	// Reason says in this package's own words what is wrong. It is never empty,
	// and it may quote the document.
	Reason string
}

// Error returns the exception's name, the reason and the place.
func (e *ParseError) Error() string {
	where := fmt.Sprintf("line %d, column %d", e.Line, e.Column)
	if e.Pointer != "" {
		where += fmt.Sprintf(", at %q", e.Pointer)
	}
	return fmt.Sprintf("policy: %s: %s (%s)", e.Code, e.Reason, where)
}

// ErrorCode returns Code. With it a ParseError reads like an API error of the AWS
// SDK.
func (e *ParseError) ErrorCode() string { return e.Code }

// Severity says how much a [Finding] matters. The zero value is no severity.
type Severity uint8

// The severities, which are those of IAM Access Analyzer.
const (
	_               Severity = iota
	Suggestion               // harmless, but could be written better
	Warning                  // does not do what it seems to do
	SecurityWarning          // lets in more than is prudent
	Error                    // part of the document can have no effect
)

// String returns the severity's name, such as "security warning".
func (s Severity) String() string {
	switch s {
	case Suggestion:
		return "suggestion"
	case Warning:
		return "warning"
	case SecurityWarning:
		return "security warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// A Finding is something in a document that the AWS API accepts and that is
// probably a mistake.
type Finding struct {
	Severity Severity

	// Code is the issue code of the corresponding check of IAM Access Analyzer,
	// such as "WILDCARD_WITHOUT_LIKE_OPERATOR". Checks that are this package's own
	// have codes of the same form.
	Code string

	// Message says in this package's own words what is wrong and what to do. It
	// may quote the document.
	Message string

	// Pointer is the JSON pointer (RFC 6901) of the value that is meant.
	Pointer string

	// Position is where that value begins.
	Position Position
}

// String returns the finding on one line.
func (f Finding) String() string {
	return fmt.Sprintf("%d:%d: %v %s: %s (%s)",
		f.Position.Line, f.Position.Column, f.Severity, f.Code, f.Message, f.Pointer)
}
