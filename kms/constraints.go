package kms

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// constraints collects what is wrong with a request's members, so that one answer
// names all of it, as AWS's does. Paths are lower camel case; the index of a list
// member starts at 1.
type constraints struct {
	failures []string
	refused  error // members that are each in order but not together, or not offered
}

// err returns the ValidationException for the failures, the refusal of a member,
// or nil.
func (c *constraints) err() error {
	switch n := len(c.failures); {
	case n == 1:
		return validation("1 validation error detected: %s", c.failures[0])
	case n > 1:
		return validation("%d validation errors detected: %s", n, strings.Join(c.failures, "; "))
	}
	return c.refused
}

// maxFailures bounds how many failures one answer names, and maxQuoted how much of a
// value it repeats: a request must not be able to make a longer answer of itself.
const (
	maxFailures = 10
	maxQuoted   = 1024
)

func (c *constraints) fail(value, path, rule string) {
	if len(c.failures) == maxFailures {
		return
	}
	c.failures = append(c.failures, fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: Member must %s", value, path, rule))
}

func quoted(v string) string {
	if len(v) > maxQuoted {
		v = strings.ToValidUTF8(v[:maxQuoted], "") + "..."
	}
	return "'" + v + "' "
}

// reject answers with err unless a member breaks its own constraints or another
// rejection came first.
func (c *constraints) reject(when bool, err error) {
	if when && c.refused == nil {
		c.refused = err
	}
}

// present requires a member and reports whether it is there.
func (c *constraints) present(path string, there bool) bool {
	if !there {
		c.fail("null ", path, "not be null")
	}
	return there
}

// length bounds a string's characters.
func (c *constraints) length(path, v string, least, most int) {
	switch n := utf8.RuneCountInString(v); {
	case !utf8.ValidString(v): // two such keys could become one where they are stored
		c.fail("", path, "be valid UTF-8")
	case n < least:
		c.fail(quoted(v), path, fmt.Sprintf("have length greater than or equal to %d", least))
	case n > most:
		c.fail(quoted(v), path, fmt.Sprintf("have length less than or equal to %d", most))
	}
}

// text requires a string and bounds its characters.
func (c *constraints) text(path string, v *string, least, most int) {
	if c.present(path, v != nil) {
		c.length(path, *v, least, most)
	}
}

// blob requires bytes and bounds their number. The value is not repeated in the
// message: it may be secret.
func (c *constraints) blob(path string, v []byte, least, most int) {
	switch n := len(v); {
	case v == nil:
		c.present(path, false)
	case n < least:
		c.fail("", path, fmt.Sprintf("have length greater than or equal to %d", least))
	case n > most:
		c.fail("", path, fmt.Sprintf("have length less than or equal to %d", most))
	}
}

// number bounds an optional integer.
func (c *constraints) number(path string, v *int32, least, most int32) {
	switch {
	case v == nil:
	case *v < least:
		c.fail(quoted(fmt.Sprint(*v)), path, fmt.Sprintf("have value greater than or equal to %d", least))
	case *v > most:
		c.fail(quoted(fmt.Sprint(*v)), path, fmt.Sprintf("have value less than or equal to %d", most))
	}
}

// pattern holds a string to the regular expression that AWS names in its answer.
func (c *constraints) pattern(path, v string, re *regexp.Regexp) {
	if !re.MatchString(v) {
		c.fail(quoted(v), path, "satisfy regular expression pattern: "+re.String())
	}
}

// oneOf holds an optional enum member to its values.
func oneOf[E ~string](c *constraints, path string, v E, values []E) {
	if v == "" || slices.Contains(values, v) {
		return
	}
	all := make([]string, len(values))
	for i, e := range values {
		all[i] = string(e)
	}
	c.fail(quoted(string(v)), path, "satisfy enum value set: ["+strings.Join(all, ", ")+"]")
}

// keyID bounds an identifier of a key, whatever its form.
func (c *constraints) keyID(path string, v *string) { c.text(path, v, 1, 2048) }

// page bounds the members of a listing request.
func (c *constraints) page(limit *int32, marker *string) {
	c.number("limit", limit, 1, 1000)
	if marker != nil {
		c.length("marker", *marker, 1, 1024)
	}
}

// tags bounds the tags of a request.
func (c *constraints) tags(tags []types.Tag) {
	for i, t := range tags {
		path := fmt.Sprintf("tags.%d.member.", i+1)
		c.text(path+"tagKey", t.TagKey, 1, 128)
		c.text(path+"tagValue", t.TagValue, 0, 256)
	}
}

// maxContext bounds an encryption context: the bytes of its keys and values.
const maxContext = 8192

// encryptionContext bounds an encryption context.
func (c *constraints) encryptionContext(path string, pairs map[string]string) {
	size := 0
	for k, v := range pairs {
		size += len(k) + len(v)
		if k == "" || v == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
			c.fail("", path, "have keys and values of at least one character")
			return
		}
	}
	if size > maxContext {
		c.fail("", path, fmt.Sprintf("have length less than or equal to %d", maxContext))
	}
}
