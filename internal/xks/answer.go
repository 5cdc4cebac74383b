package xks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxWord bounds the members whose text can get into an exception of KMS.
const maxWord = 128

// An answer is the JSON object that a proxy sent. The methods take members by their
// exact name; one that is null is one that is not there. The first that is missing
// or not as it has to be sets err, and what the methods return after that has no
// meaning, so that a run of them can be checked once. Unknown members are ignored.
type answer struct {
	members map[string]json.RawMessage
	err     error
}

// parseAnswer reads one JSON object. Package encoding/json alone would take the last
// of two members with one name, members in the wrong case, and invalid UTF-8.
func parseAnswer(data []byte) (*answer, error) {
	malformed := invalid("it is not a JSON object")
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(data) {
		return nil, malformed
	}
	a := &answer{members: map[string]json.RawMessage{}}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, malformed
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, malformed
		}
		key := name.(string) // a decoder has no other tokens in front of a value of an object
		if _, twice := a.members[key]; twice {
			return nil, invalid("it has a member twice")
		}
		a.members[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("something follows it")
	}
	return a, nil
}

// fail notes the first thing that is wrong with the member, whose name is one of
// this package.
func (a *answer) fail(name, reason string) {
	if a.err == nil {
		a.err = invalid(name + " " + reason)
	}
}

// value unmarshals the member into v and reports whether it is there.
func (a *answer) value(name string, v any) bool {
	raw, ok := a.members[name]
	if !ok || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		a.fail(name, "has another type")
	}
	return true
}

// required is value for a member that has to be there.
func (a *answer) required(name string, v any) {
	if !a.value(name, v) {
		a.fail(name, "is missing")
	}
}

// text takes a string.
func (a *answer) text(name string) (s string) {
	a.required(name, &s)
	return s
}

// word takes a string of 1 to maxWord printable ASCII characters.
func (a *answer) word(name string) string {
	s := a.text(name)
	if !isWord(s) {
		a.fail(name, "is not a word")
	}
	return s
}

func isWord(s string) bool {
	return s != "" && len(s) <= maxWord &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// oneOf takes one of the values.
func (a *answer) oneOf(name string, values ...string) string {
	s := a.text(name)
	if !slices.Contains(values, s) {
		a.fail(name, "has an unknown value")
	}
	return s
}

// bytes takes a string in standard padded base64 that means n bytes.
func (a *answer) bytes(name string, n ...int) []byte {
	b, err := decodeBase64(a.text(name))
	if err != nil || !slices.Contains(n, len(b)) {
		a.fail(name, "is not base64 of the right length")
	}
	return b
}

// optionalBytes takes a string in base64 that means at most n bytes. There are none
// if the member is missing.
func (a *answer) optionalBytes(name string, n int) []byte {
	var s string
	a.value(name, &s)
	b, err := decodeBase64(s)
	if err != nil || len(b) > n {
		a.fail(name, "is not base64 of the right length")
	}
	return b
}

// decodeBase64 refuses the line breaks that package base64 lets pass.
func decodeBase64(s string) ([]byte, error) {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}
