package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep a document may nest. The deepest value of a policy,
// a condition's, lies six levels down.
const maxJSONDepth = 32

// A node is one value of a JSON text, with its place in the text and in the tree.
type node struct {
	parent *node
	name   string // of the member, if parent is an object
	nameAt int    // offset of the member's name
	index  int    // of the item, if parent is an array

	kind       nodeKind
	start, end int     // offsets of the value
	text       string  // of a string its characters, of another scalar its literal
	children   []*node // members or items, in order
}

type nodeKind uint8

const (
	jsonNull nodeKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

func (k nodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// member returns the member of an object that has this very name, or nil. It may
// be called on nil.
func (n *node) member(name string) *node {
	if n == nil || n.kind != jsonObject {
		return nil
	}
	i := slices.IndexFunc(n.children, func(c *node) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return n.children[i]
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns the JSON pointer of n (RFC 6901).
func (n *node) pointer() string {
	var parts []string
	for ; n.parent != nil; n = n.parent {
		if n.parent.kind == jsonArray {
			parts = append(parts, strconv.Itoa(n.index))
		} else {
			parts = append(parts, pointerEscapes.Replace(n.name))
		}
	}
	slices.Reverse(parts)
	if len(parts) == 0 {
		return ""
	}
	return "/" + strings.Join(parts, "/")
}

// lines holds the offset of the start of every line.
type lines []int

func linesOf(doc []byte) lines {
	l := lines{0}
	for i, c := range doc {
		if c == '\n' {
			l = append(l, i+1)
		}
	}
	return l
}

func (l lines) position(offset int) Position {
	i, found := slices.BinarySearch(l, offset)
	if !found {
		i--
	}
	return Position{Offset: offset, Line: i + 1, Column: offset - l[i] + 1}
}

// A jsonFault is a violation of the JSON grammar (RFC 8259) or of the stricter
// rules of this reader.
type jsonFault struct {
	node   *node // the innermost value that was being read
	offset int
	reason string
}

// parseJSON reads a whole text. It refuses what RFC 8259 leaves open to
// misunderstanding: names that occur twice in one object, surrogates without
// their other half, and text behind the value. doc has to be valid UTF-8.
func parseJSON(doc []byte) (*node, *jsonFault) {
	r := &jsonReader{doc: doc}
	root := &node{}
	if fault := r.value(root); fault != nil {
		return nil, fault
	}
	if r.peek(); r.pos < len(doc) {
		return nil, r.fault(root, "text after the end of the document")
	}
	return root, nil
}

// A jsonReader reads a text from front to back.
type jsonReader struct {
	doc   []byte
	pos   int
	depth int
}

func (r *jsonReader) fault(n *node, reason string) *jsonFault {
	return &jsonFault{node: n, offset: r.pos, reason: reason}
}

func (r *jsonReader) unexpected(n *node, want string) *jsonFault {
	if r.pos >= len(r.doc) {
		return r.fault(n, "the document ends where "+want+" should follow")
	}
	c, _ := utf8.DecodeRune(r.doc[r.pos:])
	return r.fault(n, fmt.Sprintf("%q stands where %s should", c, want))
}

// peek skips white space and returns the next byte without taking it, or 0 at the
// end. No token begins with a zero byte.
func (r *jsonReader) peek() byte {
	for ; r.pos < len(r.doc); r.pos++ {
		switch c := r.doc[r.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (r *jsonReader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.pos++
	return true
}

// value reads the next value into n.
func (r *jsonReader) value(n *node) *jsonFault {
	c := r.peek()
	n.start = r.pos
	var fault *jsonFault
	switch {
	case c == '{' || c == '[':
		if r.depth++; r.depth > maxJSONDepth {
			return r.fault(n, "too many nested objects and arrays")
		}
		r.pos++
		if c == '{' {
			n.kind = jsonObject
			fault = r.object(n)
		} else {
			n.kind = jsonArray
			fault = r.array(n)
		}
		r.depth--
	case c == '"':
		n.kind = jsonString
		n.text, fault = r.string(n)
	case c == '-' || '0' <= c && c <= '9':
		n.kind = jsonNumber
		fault = r.number(n)
	default:
		fault = r.word(n)
	}
	n.end = r.pos
	return fault
}

func (r *jsonReader) object(n *node) *jsonFault {
	if r.take('}') {
		return nil
	}
	var seen map[string]bool // filled once n has many members
	for {
		if r.peek() != '"' {
			return r.unexpected(n, "a name in quotes")
		}
		child := &node{parent: n, nameAt: r.pos}
		name, fault := r.string(n)
		if fault != nil {
			return fault
		}
		child.name = name
		if seen[name] || seen == nil && n.member(name) != nil {
			return &jsonFault{child, child.nameAt, fmt.Sprintf("the name %q occurs twice", name)}
		}
		if !r.take(':') {
			return r.unexpected(child, "':'")
		}
		if fault := r.value(child); fault != nil {
			return fault
		}
		n.children = append(n.children, child)
		if seen = remember(seen, n.children); r.take('}') {
			return nil
		}
		if !r.take(',') {
			return r.unexpected(n, "',' or '}'")
		}
	}
}

// remember adds the name of the last member to seen, or all names once there are
// too many for a search one by one.
func remember(seen map[string]bool, members []*node) map[string]bool {
	switch {
	case len(members) < 16:
		return nil
	case len(members) == 16:
		seen = make(map[string]bool, 2*len(members))
		for _, m := range members {
			seen[m.name] = true
		}
	}
	seen[members[len(members)-1].name] = true
	return seen
}

func (r *jsonReader) array(n *node) *jsonFault {
	if r.take(']') {
		return nil
	}
	for {
		child := &node{parent: n, index: len(n.children)}
		if fault := r.value(child); fault != nil {
			return fault
		}
		n.children = append(n.children, child)
		if r.take(']') {
			return nil
		}
		if !r.take(',') {
			return r.unexpected(n, "',' or ']'")
		}
	}
}

func (r *jsonReader) word(n *node) *jsonFault {
	for _, w := range [...]string{"true", "false", "null"} {
		if !strings.HasPrefix(string(r.doc[r.pos:min(r.pos+len(w), len(r.doc))]), w) {
			continue
		}
		r.pos += len(w)
		n.text = w
		if w != "null" {
			n.kind = jsonBool
		}
		return nil
	}
	return r.unexpected(n, "a value")
}

func (r *jsonReader) number(n *node) *jsonFault {
	start := r.pos
	if r.doc[r.pos] == '-' {
		r.pos++
	}
	whole := r.pos
	if !r.digits() {
		return r.unexpected(n, "a digit")
	}
	if r.doc[whole] == '0' && r.pos > whole+1 {
		r.pos = whole + 1
		return r.fault(n, "a number begins with a zero")
	}
	if r.at('.') {
		if r.pos++; !r.digits() {
			return r.unexpected(n, "a digit")
		}
	}
	if r.at('e') || r.at('E') {
		if r.pos++; r.at('+') || r.at('-') {
			r.pos++
		}
		if !r.digits() {
			return r.unexpected(n, "a digit")
		}
	}
	n.text = string(r.doc[start:r.pos])
	return nil
}

// at reports whether the very next byte is c.
func (r *jsonReader) at(c byte) bool {
	return r.pos < len(r.doc) && r.doc[r.pos] == c
}

func (r *jsonReader) digits() bool {
	start := r.pos
	for r.pos < len(r.doc) && '0' <= r.doc[r.pos] && r.doc[r.pos] <= '9' {
		r.pos++
	}
	return r.pos > start
}

// string reads a string, for which r stands at the quotation mark. Faults are
// reported at n.
func (r *jsonReader) string(n *node) (string, *jsonFault) {
	r.pos++
	start := r.pos
	for r.pos < len(r.doc) && r.doc[r.pos] != '"' && r.doc[r.pos] != '\\' && r.doc[r.pos] >= ' ' {
		r.pos++
	}
	if r.at('"') {
		r.pos++
		return string(r.doc[start : r.pos-1]), nil
	}
	text := slices.Clone(r.doc[start:r.pos])
	for r.pos < len(r.doc) {
		switch c := r.doc[r.pos]; {
		case c == '"':
			r.pos++
			return string(text), nil
		case c < ' ':
			return "", r.fault(n, "a control character inside a string")
		case c == '\\':
			char, fault := r.escape(n)
			if fault != nil {
				return "", fault
			}
			text = utf8.AppendRune(text, char)
		default:
			text = append(text, c)
			r.pos++
		}
	}
	return "", r.unexpected(n, "'\"'")
}

const (
	jsonEscapes = `"\/bfnrt`
	jsonEscaped = "\"\\/\b\f\n\r\t"
)

// escape reads one escape sequence, or the two that make up a surrogate pair.
func (r *jsonReader) escape(n *node) (rune, *jsonFault) {
	if r.pos+1 >= len(r.doc) {
		r.pos = len(r.doc)
		return 0, r.unexpected(n, "an escape sequence")
	}
	c := r.doc[r.pos+1]
	if i := strings.IndexByte(jsonEscapes, c); i >= 0 {
		r.pos += 2
		return rune(jsonEscaped[i]), nil
	}
	first, ok := r.unicode()
	if !ok {
		return 0, r.fault(n, "an unknown escape sequence")
	}
	if !utf16.IsSurrogate(first) {
		r.pos += 6
		return first, nil
	}
	r.pos += 6
	second, _ := r.unicode()
	char := utf16.DecodeRune(first, second)
	if char == utf8.RuneError {
		r.pos -= 6
		return 0, r.fault(n, "a surrogate without its other half")
	}
	r.pos += 6
	return char, nil
}

// unicode returns the code unit of the \uXXXX that r stands at, without taking it.
func (r *jsonReader) unicode() (rune, bool) {
	if r.pos+6 > len(r.doc) || r.doc[r.pos] != '\\' || r.doc[r.pos+1] != 'u' {
		return 0, false
	}
	var unit rune
	for _, c := range r.doc[r.pos+2 : r.pos+6] {
		unit <<= 4
		switch {
		case '0' <= c && c <= '9':
			unit |= rune(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			unit |= rune(c|0x20-'a') + 10
		default:
			return 0, false
		}
	}
	return unit, true
}
