package policy

import "strings"

// lintVariables checks the policy variables in text, the value at n. In an ARN
// they may stand from the offset from on.
func (p *parser) lintVariables(d *Document, n *node, text string, from int) {
	if d.Version != version2012 {
		if strings.Contains(text, "${") {
			p.find(Warning, "VARIABLE_UNSUPPORTED_IN_VERSION", n,
				"%q is taken literally; variables need the version 2012-10-17", text)
		}
		return
	}
	for i := 0; ; {
		start := strings.Index(text[i:], "${")
		if start < 0 {
			return
		}
		start += i
		if start < from {
			p.find(Error, "VARIABLE_UNSUPPORTED_IN_ELEMENT", n,
				"a variable can stand only behind the fifth colon of %q", text)
			return
		}
		length := variableLength(text[start:])
		if length < 0 {
			p.find(Error, "MISSING_BRACE_IN_VARIABLE", n, "a variable in %q has no closing brace", text)
			return
		}
		p.lintVariable(n, text[start+2:start+length-1])
		i = start + length
	}
}

// variableLength returns the length of the variable at the start of s, or -1 if it
// does not end. A brace inside quotes does not end it.
func variableLength(s string) int {
	quoted := false
	for i := range len(s) {
		switch s[i] {
		case '\'':
			quoted = !quoted
		case '}':
			if !quoted {
				return i + 1
			}
		}
	}
	if end := strings.IndexByte(s, '}'); end >= 0 {
		return end + 1
	}
	return -1
}

// lintVariable checks what stands between the braces of one variable.
func (p *parser) lintVariable(n *node, inner string) {
	key, value, hasDefault := strings.Cut(inner, ",")
	trimmed := strings.TrimSpace(value)
	switch {
	case key == "":
		p.find(Error, "EMPTY_VARIABLE", n, "a variable has no name")
	case strings.Contains(key, " "):
		p.find(Error, "UNSUPPORTED_SPACE_IN_VARIABLE", n, "the name of the variable %q has a space", key)
	case hasDefault && (len(trimmed) < 2 || trimmed[0] != '\'' || trimmed[len(trimmed)-1] != '\''):
		p.find(Error, "MISSING_QUOTE_IN_VARIABLE", n,
			"the default of the variable %q has to be in single quotes", key)
	}
}
