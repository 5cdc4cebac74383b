package awsjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and arrays may nest. The services' own
// structures need fewer than ten levels.
const maxDepth = 64

// A decoder reads one JSON text (RFC 8259) from front to back. Each method
// leaves pos behind what it read or, with an error, where reading stopped.
type decoder struct {
	data    []byte // known to be valid UTF-8
	pos     int
	depth   int    // objects and arrays that are open
	scratch []byte // holds the last string that had escapes
}

func (d *decoder) fail(reason string) *SyntaxError {
	return &SyntaxError{Offset: d.pos, Reason: reason}
}

// unexpected returns the error for text that cannot stand where d is.
func (d *decoder) unexpected(want string) *SyntaxError {
	if d.pos >= len(d.data) {
		return d.fail("unexpected end of body, want " + want)
	}
	return d.fail("unexpected character, want " + want)
}

// peek skips white space and returns the next byte without taking it, or 0 at
// the end. A zero byte in the body is not mistaken for anything: no token begins
// with one.
func (d *decoder) peek() byte {
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// take takes the byte c if it is the next one behind any white space.
func (d *decoder) take(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.pos++
	return true
}

// open takes the bracket c that begins an object or array.
func (d *decoder) open(c byte) *SyntaxError {
	if !d.take(c) {
		return d.unexpected("'" + string(rune(c)) + "'")
	}
	if d.depth++; d.depth > maxDepth {
		return d.fail("too many nested objects and arrays")
	}
	return nil
}

// more reports whether another element follows in an object or array that end
// closes, and takes the comma before it or else the end. first is set for the
// first element.
func (d *decoder) more(end byte, first bool) (bool, *SyntaxError) {
	switch {
	case d.take(end):
		d.depth--
		return false, nil
	case first:
		return true, nil
	case d.take(','):
		return true, nil
	}
	return false, d.unexpected("',' or '" + string(rune(end)) + "'")
}

// key reads a member's name and the colon behind it. The bytes are valid until
// the next string is read.
func (d *decoder) key() ([]byte, *SyntaxError) {
	if d.peek() != '"' {
		return nil, d.unexpected("a name in quotes")
	}
	name, err := d.text()
	if err != nil {
		return nil, err
	}
	if !d.take(':') {
		return nil, d.unexpected("':'")
	}
	return name, nil
}

// word takes true, false or null.
func (d *decoder) word(w string) *SyntaxError {
	if rest := d.data[d.pos:]; len(rest) < len(w) || string(rest[:len(w)]) != w {
		return d.unexpected("a value")
	}
	d.pos += len(w)
	return nil
}

// number takes a number and returns its text, which aliases the body.
func (d *decoder) number() ([]byte, *SyntaxError) {
	start := d.pos
	if d.pos < len(d.data) && d.data[d.pos] == '-' {
		d.pos++
	}
	whole := d.pos
	if !d.digits() {
		return nil, d.unexpected("a digit")
	}
	if d.data[whole] == '0' && d.pos > whole+1 {
		d.pos = whole + 1
		return nil, d.fail("number with a leading zero")
	}
	if d.pos < len(d.data) && d.data[d.pos] == '.' {
		d.pos++
		if !d.digits() {
			return nil, d.unexpected("a digit")
		}
	}
	if d.pos < len(d.data) && d.data[d.pos]|0x20 == 'e' {
		d.pos++
		if d.pos < len(d.data) && (d.data[d.pos] == '+' || d.data[d.pos] == '-') {
			d.pos++
		}
		if !d.digits() {
			return nil, d.unexpected("a digit")
		}
	}
	return d.data[start:d.pos], nil
}

// digits takes a run of decimal digits and reports whether there was any.
func (d *decoder) digits() bool {
	start := d.pos
	for d.pos < len(d.data) && d.data[d.pos] >= '0' && d.data[d.pos] <= '9' {
		d.pos++
	}
	return d.pos > start
}

// text takes a string, at whose opening quote d stands, and returns what it
// means. The bytes alias the body or scratch and are valid until the next call.
func (d *decoder) text() ([]byte, *SyntaxError) {
	d.pos++
	rest := d.data[d.pos:]
	for i, c := range rest { // most of a body goes by here
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		d.pos += i
		switch c {
		case '"':
			d.pos++
			return rest[:i], nil
		case '\\':
			d.scratch = append(d.scratch[:0], rest[:i]...)
			return d.escapedText()
		}
		return nil, d.fail("control character in a string")
	}
	d.pos = len(d.data)
	return nil, d.unexpected("a closing quote")
}

// escapedText is text from the first escape on. What came before is in scratch.
func (d *decoder) escapedText() ([]byte, *SyntaxError) {
	for d.pos < len(d.data) {
		c := d.data[d.pos]
		switch {
		case c == '"':
			d.pos++
			return d.scratch, nil
		case c == '\\':
			r, err := d.escape()
			if err != nil {
				return nil, err
			}
			d.scratch = utf8.AppendRune(d.scratch, r)
			continue
		case c < ' ':
			return nil, d.fail("control character in a string")
		}
		d.scratch = append(d.scratch, c)
		d.pos++
	}
	return nil, d.unexpected("a closing quote")
}

// escape takes one escape, or two that are a surrogate pair.
func (d *decoder) escape() (rune, *SyntaxError) {
	if d.pos+1 >= len(d.data) {
		return 0, d.fail("unexpected end of body in an escape")
	}
	short := rune(0)
	switch c := d.data[d.pos+1]; c {
	case '"', '\\', '/':
		short = rune(c)
	case 'b':
		short = '\b'
	case 'f':
		short = '\f'
	case 'n':
		short = '\n'
	case 'r':
		short = '\r'
	case 't':
		short = '\t'
	case 'u':
		return d.unicodeEscape()
	default:
		return 0, d.fail("unknown escape")
	}
	d.pos += 2
	return short, nil
}

func (d *decoder) unicodeEscape() (rune, *SyntaxError) {
	r, ok := d.hexUnit(d.pos)
	if !ok {
		return 0, d.fail("bad unicode escape")
	}
	if !utf16.IsSurrogate(r) {
		d.pos += 6
		return r, nil
	}
	low, ok := d.hexUnit(d.pos + 6)
	if !ok {
		return 0, d.fail("unpaired surrogate")
	}
	pair := utf16.DecodeRune(r, low)
	if pair == utf8.RuneError {
		return 0, d.fail("unpaired surrogate")
	}
	d.pos += 12
	return pair, nil
}

// hexUnit returns the value of the escape \uXXXX at position at.
func (d *decoder) hexUnit(at int) (rune, bool) {
	if len(d.data)-at < 6 || d.data[at] != '\\' || d.data[at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range d.data[at+2 : at+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// skip takes any value and checks its syntax.
func (d *decoder) skip() *SyntaxError {
	var err *SyntaxError
	switch c := d.peek(); {
	case c == '{':
		err = d.skipObject()
	case c == '[':
		err = d.skipArray()
	case c == '"':
		_, err = d.text()
	case c == 't':
		err = d.word("true")
	case c == 'f':
		err = d.word("false")
	case c == 'n':
		err = d.word("null")
	case c == '-' || c >= '0' && c <= '9':
		_, err = d.number()
	default:
		err = d.unexpected("a value")
	}
	return err
}

func (d *decoder) skipObject() *SyntaxError {
	if err := d.open('{'); err != nil {
		return err
	}
	var seen nameSet
	for first := true; ; first = false {
		more, err := d.more('}', first)
		if !more {
			return err
		}
		name, err := d.key()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return d.fail("member given twice")
		}
		if err := d.skip(); err != nil {
			return err
		}
	}
}

func (d *decoder) skipArray() *SyntaxError {
	if err := d.open('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.more(']', first)
		if !more {
			return err
		}
		if err := d.skip(); err != nil {
			return err
		}
	}
}

// A nameSet holds the names of the members that were skipped in one object. The
// zero nameSet is empty.
type nameSet map[string]struct{}

// add reports whether name is new to the set.
func (s *nameSet) add(name []byte) bool {
	if _, ok := (*s)[string(name)]; ok {
		return false
	}
	if *s == nil {
		*s = make(nameSet)
	}
	(*s)[string(name)] = struct{}{}
	return true
}
