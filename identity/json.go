package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealring/sealring/policy"
)

// errOutOfPlace refuses a file or folder that means nothing.
var errOutOfPlace = errors.New("it has no place in the layout, see identity.Load")

// decode reads a JSON file into v, more strictly than encoding/json: invalid UTF-8,
// trailing text and members that are repeated or null are refused. members are the
// names that the outermost object may have, then those of all objects inside; without
// them any name will do. Errors say where.
func decode(text []byte, v any, members ...[]string) error {
	if !utf8.Valid(text) {
		return errors.New("it is not valid UTF-8")
	}
	if offset, err := scan(text, members); err != nil {
		return at(text, offset, err)
	}
	err := json.Unmarshal(text, v)
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return at(text, int(mistyped.Offset), fmt.Errorf("a JSON %s is not what belongs here", mistyped.Value))
	}
	return err
}

// at adds the place to an error.
func at(text []byte, offset int, err error) error {
	before := text[:min(offset, len(text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("%w (line %d, column %d)", err, line, column)
}

// container is an object or array that is being scanned.
type container struct {
	names   map[string]bool // seen in an object, in lower case; nil for an array
	wantKey bool            // the next token is a name or the end
}

// scan looks for what encoding/json lets pass, and returns where it found it.
func scan(text []byte, members [][]string) (offset int, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var open []container
	for seen := false; ; seen = true {
		rest := bytes.TrimLeft(text[d.InputOffset():], " \t\r\n,:")
		start := len(text) - len(rest)
		if seen && len(open) == 0 {
			if len(rest) > 0 {
				return start, errors.New("text follows the end")
			}
			return 0, nil
		}
		token, err := d.Token()
		switch {
		case err != nil:
			return start, errors.New("it is not JSON")
		case token == nil:
			return start, errors.New("null does not belong here")
		}
		if open, err = follow(open, token, members); err != nil {
			return start, err
		}
	}
}

// follow enters, leaves or stays in a container with the next token.
func follow(open []container, token json.Token, members [][]string) ([]container, error) {
	switch token {
	case json.Delim('{'):
		return append(open, container{names: map[string]bool{}, wantKey: true}), nil
	case json.Delim('['):
		return append(open, container{}), nil
	case json.Delim('}'), json.Delim(']'):
		open = open[:len(open)-1]
	}
	if len(open) == 0 {
		return open, nil
	}
	top := &open[len(open)-1]
	if !top.wantKey { // a value is at its end
		top.wantKey = top.names != nil
		return open, nil
	}
	name, _ := token.(string)
	folded := strings.ToLower(name)
	switch {
	case len(members) > 0 && !slices.Contains(members[min(len(open), len(members))-1], name):
		return nil, fmt.Errorf("the member %q is unknown", name)
	case top.names[folded]:
		return nil, fmt.Errorf("the member %q is there twice", name)
	}
	top.names[folded], top.wantKey = true, false
	return open, nil
}

// decodeTags reads an object of tags, and returns them in the order of their keys.
func decodeTags(text []byte) ([]policy.Pair, error) {
	var object map[string]string
	if err := decode(text, &object); err != nil {
		return nil, err
	}
	var tags []policy.Pair
	for k, v := range object {
		tags = append(tags, policy.Pair{Key: k, Value: v})
	}
	slices.SortFunc(tags, func(a, b policy.Pair) int { return strings.Compare(a.Key, b.Key) })
	return tags, checkTags(tags)
}
