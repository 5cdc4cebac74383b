package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a compiled policy value: text with wildcards and policy variables. The
// shapes that occur most are matched without looking at tokens; the general one takes
// time in proportion to the lengths of pattern and subject multiplied, and never
// recurses.
type pattern struct {
	class patternClass
	a, b  string // exact, prefix, suffix or infix: a; both: a*b
	// tokens of a general pattern
	tokens []token
	fold   bool // general only: letter case is not significant
}

type patternClass uint8

const (
	matchExact patternClass = iota
	matchAny
	matchPrefix
	matchSuffix
	matchBoth // a prefix and a suffix
	matchInfix
	matchFold // exact, in any case
	matchGeneral
)

// token is one piece of a general pattern.
type token struct {
	kind    tokenKind
	text    string // a literal, or a variable's default
	ref     keyRef
	defined bool // the variable has a default
}

type tokenKind uint8

const (
	literalToken  tokenKind = iota
	starToken               // "*": any run of characters, also none
	oneToken                // "?": one character
	variableToken           // "${key}"
)

// Which features a pattern's text has.
type patternFlags uint8

const (
	wildcards patternFlags = 1 << iota
	variables
	anyCase
)

// compilePattern compiles a policy value.
func compilePattern(text string, flags patternFlags) pattern {
	tokens := tokenize(text, flags)
	if len(tokens) == 0 {
		return pattern{class: matchExact}
	}
	shape := ""
	for _, t := range tokens {
		shape += string("l*?v"[t.kind])
	}
	first, last := tokens[0].text, tokens[len(tokens)-1].text
	if flags&anyCase != 0 && shape == "l" {
		return pattern{class: matchFold, a: first}
	}
	if flags&anyCase != 0 && shape != "*" {
		return pattern{class: matchGeneral, tokens: tokens, fold: true}
	}
	switch shape {
	case "l":
		return pattern{class: matchExact, a: first}
	case "*":
		return pattern{class: matchAny}
	case "l*":
		return pattern{class: matchPrefix, a: first}
	case "*l":
		return pattern{class: matchSuffix, a: last}
	case "l*l":
		return pattern{class: matchBoth, a: first, b: last}
	case "*l*":
		return pattern{class: matchInfix, a: tokens[1].text}
	}
	return pattern{class: matchGeneral, tokens: tokens}
}

// tokenize takes a policy value apart. Neighbouring literals and stars are joined.
func tokenize(text string, flags patternFlags) []token {
	var tokens []token
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			tokens = append(tokens, token{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); {
		if flags&variables != 0 {
			if t, n, ok := readVariable(text[i:]); ok {
				i += n
				if t.kind == literalToken {
					literal.WriteString(t.text)
					continue
				}
				flush()
				tokens = append(tokens, t)
				continue
			}
		}
		switch c := text[i]; {
		case c == '*' && flags&wildcards != 0:
			flush()
			if len(tokens) == 0 || tokens[len(tokens)-1].kind != starToken {
				tokens = append(tokens, token{kind: starToken})
			}
		case c == '?' && flags&wildcards != 0:
			flush()
			tokens = append(tokens, token{kind: oneToken})
		default:
			literal.WriteByte(c)
		}
		i++
	}
	flush()
	return tokens
}

// readVariable reads the variable that s begins with and returns its length:
// "${key}", "${key, 'default'}", or "${*}", "${?}" and "${$}", which are literals.
// What is none of these is ordinary text.
func readVariable(s string) (t token, n int, ok bool) {
	if !strings.HasPrefix(s, "${") {
		return token{}, 0, false
	}
	end := strings.IndexByte(s, '}')
	name, def, defined := s[2:max(end, 2)], "", false
	if cut := strings.Index(s, ", '"); cut >= 0 && cut < end {
		// The default may hold a brace: it ends at the quote.
		quote := strings.Index(s[cut+3:], "'}")
		if quote < 0 {
			return token{}, 0, false
		}
		name, def, defined = s[2:cut], s[cut+3:cut+3+quote], true
		end = cut + 3 + quote + 1
	}
	switch {
	case end < 0 || name == "" || strings.ContainsAny(name, " ${'"):
		if !defined && end == 3 && name == "$" {
			return token{text: name}, 4, true
		}
		return token{}, 0, false
	case !defined && (name == "*" || name == "?"):
		return token{text: name}, 4, true
	}
	return token{kind: variableToken, ref: resolveKey(name), text: def, defined: defined}, end + 1, true
}

// match reports whether the pattern matches all of s. Variables take their values
// from e; one without a value and without a default matches nothing. Text that a
// variable stands for has no wildcards.
func (p *pattern) match(e *evaluator, s string) bool {
	switch p.class {
	case matchExact:
		return s == p.a
	case matchAny:
		return true
	case matchPrefix:
		return strings.HasPrefix(s, p.a)
	case matchSuffix:
		return strings.HasSuffix(s, p.a)
	case matchBoth:
		return len(s) >= len(p.a)+len(p.b) && strings.HasPrefix(s, p.a) && strings.HasSuffix(s, p.b)
	case matchInfix:
		return strings.Contains(s, p.a)
	case matchFold:
		return strings.EqualFold(s, p.a)
	}
	return p.matchTokens(e, s)
}

// matchTokens is match for general patterns. After a mismatch it goes back to the
// last star only: whatever stands before it has been matched as early as it can be,
// so an earlier star could not do better.
func (p *pattern) matchTokens(e *evaluator, s string) bool {
	ti, si := 0, 0
	star, mark := -1, 0 // the last star, and where what follows it was tried
	for {
		if ti == len(p.tokens) && si == len(s) {
			return true
		}
		if ti < len(p.tokens) {
			t := &p.tokens[ti]
			if t.kind == starToken {
				if ti+1 == len(p.tokens) {
					return true
				}
				star, ti = ti, ti+1
				if mark = p.seek(ti, s, si); mark < 0 {
					return false
				}
				si = mark
				continue
			}
			if n := p.step(e, t, s[si:]); n >= 0 {
				ti, si = ti+1, si+n
				continue
			}
		}
		if star < 0 || mark == len(s) {
			return false
		}
		_, width := utf8.DecodeRuneInString(s[mark:])
		ti = star + 1
		if mark = p.seek(ti, s, mark+width); mark < 0 {
			return false
		}
		si = mark
	}
}

// seek returns the first place from which the token behind a star can match, or -1. It
// looks ahead for literals only.
func (p *pattern) seek(ti int, s string, from int) int {
	t := &p.tokens[ti]
	if t.kind != literalToken || p.fold {
		return from
	}
	at := strings.Index(s[from:], t.text)
	if at < 0 {
		return -1
	}
	return from + at
}

// step returns how many bytes at the beginning of s a token other than a star
// matches, or -1.
func (p *pattern) step(e *evaluator, t *token, s string) int {
	text := t.text
	switch t.kind {
	case oneToken:
		if s == "" {
			return -1
		}
		_, width := utf8.DecodeRuneInString(s)
		return width
	case variableToken:
		var ok bool
		if text, ok = e.variable(t); !ok {
			return -1
		}
	}
	if len(s) < len(text) || s[:len(text)] != text && !(p.fold && strings.EqualFold(s[:len(text)], text)) {
		return -1
	}
	return len(text)
}

// arnPattern is a pattern of an ARN. Each of the six parts is matched on its own, so
// that a wildcard cannot run across one of the first five colons.
type arnPattern [6]pattern

// compileARN compiles an ARN pattern. Parts that are missing at the end match
// anything if fill is set. Variables are recognised from the given part on. It
// reports false if text is not an ARN pattern.
func compileARN(text string, flags patternFlags, firstVariable int, fill bool) (*arnPattern, bool) {
	var parts []string
	for rest := text; ; {
		cut := -1
		if len(parts) < 5 {
			cut = colonOutside(rest, flags&variables != 0 && len(parts) >= firstVariable)
		}
		if cut < 0 {
			parts = append(parts, rest)
			break
		}
		parts, rest = append(parts, rest[:cut]), rest[cut+1:]
	}
	if parts[0] != "arn" || len(parts) < 6 && !fill {
		return nil, false
	}
	var a arnPattern
	for i := range a {
		switch {
		case i >= len(parts):
			a[i] = pattern{class: matchAny}
		case i < firstVariable:
			a[i] = compilePattern(parts[i], flags&^variables)
		default:
			a[i] = compilePattern(parts[i], flags)
		}
	}
	return &a, true
}

// colonOutside returns the index of the first colon of s that is not within a
// variable, or -1.
func colonOutside(s string, withVariables bool) int {
	for i := 0; i < len(s); i++ {
		if withVariables && s[i] == '$' {
			if _, n, ok := readVariable(s[i:]); ok {
				i += n - 1
				continue
			}
		}
		if s[i] == ':' {
			return i
		}
	}
	return -1
}

// match reports whether the pattern matches an ARN that has been taken apart. The
// cheap and telling parts are compared first.
func (a *arnPattern) match(e *evaluator, arn *arnParts) bool {
	return a[4].match(e, arn[4]) && a[3].match(e, arn[3]) && a[2].match(e, arn[2]) &&
		a[1].match(e, arn[1]) && a[5].match(e, arn[5])
}

// arnParts is an ARN's "arn", partition, service, Region, account and resource.
type arnParts [6]string

// splitARN takes an ARN apart. It reports false if s is none.
func splitARN(s string) (a arnParts, ok bool) {
	// The parts are short: a loop over the bytes is faster than five searches.
	part, from := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != ':' {
			continue
		}
		a[part] = s[from:i]
		from = i + 1
		if part++; part == 5 {
			a[5] = s[from:]
			return a, a[0] == "arn"
		}
	}
	return arnParts{}, false
}
