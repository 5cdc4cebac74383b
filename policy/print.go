package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// String returns what the kind of document is called, such as "key policy".
func (k Kind) String() string {
	if r := rulesOf(k); r != nil {
		return r.name
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// String returns the effect as a policy has it: "Allow" or "Deny".
func (e Effect) String() string {
	switch e {
	case Allow:
		return "Allow"
	case Deny:
		return "Deny"
	}
	return fmt.Sprintf("Effect(%d)", uint8(e))
}

// String returns the document as [Print] does.
func (d *Document) String() string { return string(Print(d)) }

// Print returns the document as indented JSON. [Parse] makes an equal document of
// it, positions aside, as long as d came from Parse or obeys the same rules: the
// order of statements, actions, conditions and values, operators and keys are as
// in d. Lists of one value are printed as that value, and condition values always
// as strings. The slice belongs to the caller.
func Print(d *Document) []byte {
	w := &printer{}
	w.open('{')
	if d.Version != "" {
		w.member("Version", d.Version)
	}
	if d.ID != "" {
		w.member("Id", d.ID)
	}
	w.name("Statement")
	w.open('[')
	for i := range d.Statements {
		w.item()
		w.statement(&d.Statements[i])
	}
	w.close(']')
	w.close('}')
	return append(w.out, '\n')
}

// A printer appends indented JSON.
type printer struct {
	out   []byte
	depth int
	some  bool // the innermost object or array has something in it
}

func (w *printer) open(bracket byte) {
	w.out = append(w.out, bracket)
	w.depth++
	w.some = false
}

func (w *printer) close(bracket byte) {
	w.depth--
	if w.some {
		w.line()
	}
	w.out = append(w.out, bracket)
	w.some = true
}

func (w *printer) line() {
	w.out = append(w.out, '\n')
	for range w.depth {
		w.out = append(w.out, "  "...)
	}
}

// item begins the next item of an array.
func (w *printer) item() {
	if w.some {
		w.out = append(w.out, ',')
	}
	w.some = true
	w.line()
}

// name begins the next member of an object.
func (w *printer) name(name string) {
	w.item()
	w.string(name)
	w.out = append(w.out, ": "...)
}

func (w *printer) member(name, value string) {
	w.name(name)
	w.string(value)
}

// list appends a member with several values, or nothing for nil.
func (w *printer) list(name string, values []string) {
	switch {
	case values == nil:
		return
	case len(values) == 1:
		w.member(name, values[0])
		return
	}
	w.name(name)
	w.open('[')
	for _, v := range values {
		w.item()
		w.string(v)
	}
	w.close(']')
}

func (w *printer) statement(s *Statement) {
	w.open('{')
	if s.Sid != "" {
		w.member("Sid", s.Sid)
	}
	w.member("Effect", s.Effect.String())
	w.principals("Principal", s.Principal)
	w.principals("NotPrincipal", s.NotPrincipal)
	w.list("Action", s.Action)
	w.list("NotAction", s.NotAction)
	w.list("Resource", s.Resource)
	w.list("NotResource", s.NotResource)
	w.conditions(s.Conditions)
	w.close('}')
}

func (w *printer) principals(name string, all *Principals) {
	switch {
	case all == nil:
		return
	case all.Any:
		w.member(name, "*")
		return
	}
	w.name(name)
	w.open('{')
	for rest := all.Entries; len(rest) > 0; {
		typ := rest[0].Type
		var values []string
		for len(rest) > 0 && rest[0].Type == typ {
			values = append(values, rest[0].Value)
			rest = rest[1:]
		}
		w.list(typ, values)
	}
	w.close('}')
}

func (w *printer) conditions(all []Condition) {
	if len(all) == 0 {
		return
	}
	w.name("Condition")
	w.open('{')
	for len(all) > 0 {
		operator := all[0].Operator
		w.name(operator)
		w.open('{')
		for len(all) > 0 && all[0].Operator == operator {
			w.list(all[0].Key, all[0].Values)
			all = all[1:]
		}
		w.close('}')
	}
	w.close('}')
}

const hexDigits = "0123456789abcdef"

// string appends s in quotes.
func (w *printer) string(s string) {
	w.out = append(w.out, '"')
	for _, r := range s {
		switch i := strings.IndexRune(jsonEscaped, r); {
		case r == '/' || i < 0 && r >= ' ':
			w.out = utf8.AppendRune(w.out, r)
		case i >= 0:
			w.out = append(w.out, '\\', jsonEscapes[i])
		default:
			w.out = append(w.out, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		}
	}
	w.out = append(w.out, '"')
}
