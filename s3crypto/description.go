package s3crypto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseDescription reads a material description or an encryption context: a JSON object
// whose values are strings. No text at all is the empty one.
func parseDescription(text string) (map[string]string, error) {
	description := map[string]string{}
	if text == "" {
		return description, nil
	}
	err := parseObject([]byte(text), func(name string, value any) error {
		s, ok := value.(string)
		if _, twice := description[name]; !ok || twice {
			return errors.New("not a string, or twice")
		}
		description[name] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: description is not a JSON object of strings", ErrMetadata)
	}
	return description, nil
}

// parseObject calls member for each member of a JSON object, whose value is a string, a
// json.Number, a bool or nil. It refuses other values and anything after the object.
func parseObject(text []byte, member func(name string, value any) error) error {
	errObject := errors.New("not a JSON object of plain values")
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errObject
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return errObject
		}
		value, err := d.Token()
		if _, nested := value.(json.Delim); err != nil || nested {
			return errObject
		}
		if s, _ := value.(string); !isUTF8(name.(string)) || !isUTF8(s) {
			return errObject
		}
		if err := member(name.(string), value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errObject
	}
	if _, err := d.Token(); err != io.EOF {
		return errObject
	}
	return nil
}

// isUTF8 reports whether s is UTF-8 without U+FFFD, which is what the JSON decoder puts
// for all that it cannot read.
func isUTF8(s string) bool { return !strings.ContainsRune(s, utf8.RuneError) }

// isText reports whether all keys and values can be kept in JSON.
func isText(m map[string]string) bool {
	for k, v := range m {
		if !isUTF8(k) || !isUTF8(v) {
			return false
		}
	}
	return true
}

// appendJSON appends m as a JSON object with its members in order. It is printable ASCII
// whatever m's text is, so that it can be a header and no server alters it, and it has
// nothing that looks like an encoded word, so that no reader does.
func appendJSON(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, name)
		b = append(b, ':')
		b = appendJSONString(b, m[name])
	}
	return append(b, '}')
}

func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	var last rune
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f || r == '?' && last == '=' || r > 0x7f && r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = append(b, byte(r))
		}
		last = r
	}
	return append(b, '"')
}
