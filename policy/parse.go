package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDocument bounds what [Parse] reads at all, in bytes. The longest policy of
// AWS's own is 150 kB without white space.
const maxDocument = 1 << 20

// Parse reads a document of the given kind.
//
// The error, if any, is a [*ParseError] and says why the AWS API that takes this
// kind of document would refuse it. The checks are made in the order in which AWS
// makes them, so that a document with several faults gets the same message; the
// document returned is then nil. Otherwise the findings say what is accepted but
// probably wrong, in the order of the document. doc is not kept.
//
// Documents that AWS itself publishes may exceed the sizes that AWS allows its
// customers. Therefore the size of an identity policy or a permissions boundary
// is only ever a finding; those of the other kinds are enforced.
//
// Parse holds the document to the grammar of the IAM User Guide and to the rules
// of its kind. Names that occur twice in one object, characters outside of
// U+0009, U+000A, U+000D and U+0020 to U+00FF (also if escaped) and text behind the
// document are refused. Condition operators are recognised in any case.
func Parse(kind Kind, doc []byte) (*Document, []Finding, error) {
	p := &parser{kind: kind, rules: rulesOf(kind), lines: lines{0}, budget: redundancyBudget}
	if p.rules == nil {
		return nil, nil, &ParseError{Position: p.lines.position(0), Code: "ValidationException",
			Message: "unknown kind of policy", Reason: "unknown kind of policy"}
	}
	d, root, problem := p.document(doc)
	if problem == nil {
		problem = p.validate(d, root)
	}
	if problem != nil {
		return nil, nil, p.error(problem)
	}
	p.lint(d, root, doc)
	return d, p.findings, nil
}

// A parser is the state of one call of [Parse].
type parser struct {
	kind       Kind
	rules      *kindRules
	lines      lines
	statements []statementNode // beside Document.Statements
	findings   []Finding
	budget     int // left of redundancyBudget
}

// A statementNode is a statement with the part of the document that it was read
// from.
type statementNode struct {
	*node
	*Statement
}

// A problem is why a document is refused.
type problem struct {
	node   *node  // where; nil for the document
	offset int    // where exactly; -1 for the start of node
	text   string // what IAM sends
	code   string // if set, the exception's name, and text is what that API sends
	reason string // never empty
}

// The texts that IAM sends for most documents that it refuses.
const (
	textSyntax = "Syntax errors in policy."
	textLegacy = "The policy failed legacy parsing"
)

// syntaxProblem returns a problem with the grammar.
func syntaxProblem(n *node, format string, args ...any) *problem {
	return &problem{node: n, offset: -1, text: textSyntax, reason: fmt.Sprintf(format, args...)}
}

// textProblem returns a problem for which IAM sends text.
func textProblem(n *node, text, format string, args ...any) *problem {
	return &problem{node: n, offset: -1, text: text, reason: fmt.Sprintf(format, args...)}
}

// error returns the error for f, in the words of the API that takes this kind of
// document.
func (p *parser) error(f *problem) *ParseError {
	e := &ParseError{Code: f.code, Message: f.text, Reason: f.reason}
	offset := f.offset
	if f.node != nil {
		e.Pointer = f.node.pointer()
		if offset < 0 {
			offset = f.node.start
		}
	}
	e.Position = p.lines.position(max(offset, 0))
	if e.Code == "" {
		e.Code = p.rules.exception
	}
	switch {
	case f.code != "": // the text is this API's already
	case p.rules.text != "":
		e.Message = p.rules.text
	case !p.rules.iamTexts:
		e.Message = ""
	}
	if e.Message == "" {
		e.Message = f.reason
	}
	return e
}

// document reads the text and the grammar of a policy.
func (p *parser) document(doc []byte) (*Document, *node, *problem) {
	if f := p.checkText(doc); f != nil {
		return nil, nil, f
	}
	root, fault := parseJSON(doc)
	if fault != nil {
		return nil, nil, &problem{node: fault.node, offset: fault.offset,
			text: p.rules.jsonText(), reason: fault.reason}
	}
	if f := checkCharacters(root); f != nil {
		return nil, nil, f
	}
	d, f := p.read(root)
	return d, root, f
}

// checkText checks size and encoding.
func (p *parser) checkText(doc []byte) *problem {
	at := func(offset int, reason string) *problem {
		return &problem{offset: offset, text: p.rules.jsonText(), reason: reason}
	}
	if f := p.rules.checkSize(doc); f != nil {
		return f
	}
	p.lines = linesOf(doc)
	for i := 0; i < len(doc); {
		r, size := utf8.DecodeRune(doc[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return at(i, "text that is not valid UTF-8")
		case !policyCharacter(r):
			return at(i, fmt.Sprintf("the character %U, which no policy may hold", r))
		}
		i += size
	}
	return nil
}

// policyCharacter reports whether r may stand in a policy.
func policyCharacter(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || ' ' <= r && r <= 0xff
}

// checkCharacters looks for characters that no policy may hold and that were
// written as escape sequences.
func checkCharacters(n *node) *problem {
	bad := func(r rune) bool { return !policyCharacter(r) }
	for _, s := range [...]string{n.name, n.text} {
		if i := strings.IndexFunc(s, bad); i >= 0 {
			r, _ := utf8.DecodeRuneInString(s[i:])
			return syntaxProblem(n, "the character %U, which no policy may hold", r)
		}
	}
	for _, c := range n.children {
		if f := checkCharacters(c); f != nil {
			return f
		}
	}
	return nil
}
