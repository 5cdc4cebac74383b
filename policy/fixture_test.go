package policy_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

// allKinds lists every kind of document.
var allKinds = []policy.Kind{
	policy.KeyPolicy, policy.Identity, policy.Boundary, policy.Session, policy.SCP, policy.RCP,
	policy.SecretPolicy, policy.ParameterPolicy, policy.Trust, policy.VPCEndpoint,
}

// minimal holds the elements of a statement that each kind accepts without a
// finding that is an error.
var minimal = map[policy.Kind]string{
	policy.KeyPolicy:       `"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"`,
	policy.Identity:        `"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"`,
	policy.Boundary:        `"Effect":"Allow","Action":"kms:*","Resource":"*"`,
	policy.Session:         `"Effect":"Allow","Action":"kms:*","Resource":"*"`,
	policy.SCP:             `"Effect":"Deny","Action":"kms:*","Resource":"*"`,
	policy.RCP:             `"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"`,
	policy.SecretPolicy:    `"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"secretsmanager:GetSecretValue","Resource":"*"`,
	policy.ParameterPolicy: `"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"ssm:GetParameter","Resource":"arn:aws:ssm:us-east-1:111122223333:parameter/a"`,
	policy.Trust:           `"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"`,
	policy.VPCEndpoint:     `"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"`,
}

// doc wraps the elements of statements into a document of the current version.
func doc(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[{` + strings.Join(statements, `},{`) + `}]}`
}

// with returns the minimal statement of a kind, where each element of change
// replaces the one of the same name or is added. A change that ends in a colon
// removes the element.
func with(t testing.TB, k policy.Kind, changes ...string) string {
	t.Helper()
	statement := minimal[k]
	for _, change := range changes {
		name, _, found := strings.Cut(change, ":")
		require.True(t, found)
		var kept []string
		for _, e := range elements(statement) {
			if !strings.HasPrefix(e, name+":") {
				kept = append(kept, e)
			}
		}
		if !strings.HasSuffix(change, ":") {
			kept = append(kept, change)
		}
		statement = strings.Join(kept, ",")
	}
	return doc(statement)
}

// elements splits the members of an object at the commas that are not inside
// braces or brackets.
func elements(object string) []string {
	var list []string
	depth, start := 0, 0
	for i, c := range object {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				list = append(list, object[start:i])
				start = i + 1
			}
		}
	}
	return append(list, object[start:])
}

// parse parses a document that has to be accepted, and checks that it survives
// printing unless indentation makes it too large.
func parse(t testing.TB, k policy.Kind, text string) (*policy.Document, []policy.Finding) {
	t.Helper()
	d, findings, err := policy.Parse(k, []byte(text))
	require.NoError(t, err, text)
	require.NotNil(t, d)
	require.Equal(t, k, d.Kind)
	if len(policy.Print(d)) < 2000 {
		reparsed(t, d)
	}
	return d, findings
}

// refused parses a document that has to be refused.
func refused(t testing.TB, k policy.Kind, text string) *policy.ParseError {
	t.Helper()
	d, findings, err := policy.Parse(k, []byte(text))
	require.Error(t, err, text)
	require.Nil(t, d)
	require.Nil(t, findings)
	var e *policy.ParseError
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Reason)
	require.NotEmpty(t, e.Message)
	require.Contains(t, e.Error(), e.Reason)
	return e
}

// marked takes the one « » pair out of text and returns what it surrounds, as a
// range of offsets.
func marked(t testing.TB, text string) (plain string, start, end int) {
	t.Helper()
	before, rest, ok := strings.Cut(text, "«")
	require.True(t, ok, "no mark in the text")
	inner, after, ok := strings.Cut(rest, "»")
	require.True(t, ok, "no mark in the text")
	return before + inner + after, len(before), len(before) + len(inner)
}

// place formats a position for comparison.
func place(p policy.Position) string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// resolve returns the text of the value that a JSON pointer leads to.
func resolve(t testing.TB, text, pointer string) string {
	t.Helper()
	value := json.RawMessage(text)
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if i, err := strconv.Atoi(step); err == nil && value[0] == '[' {
			var items []json.RawMessage
			require.NoError(t, json.Unmarshal(value, &items))
			require.Less(t, i, len(items))
			value = items[i]
			continue
		}
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(value, &members), "at %q of %s", step, pointer)
		require.Contains(t, members, step)
		value = members[step]
	}
	return string(value)
}
