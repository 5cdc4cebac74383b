package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	d, _ := parse(t, policy.KeyPolicy, `{"Statement":{"Condition":{"Bool":{"a:b":[true],"a:c":[]},"Null":{}},
		"Resource":["*"],"NotAction":["a:b","c:d"],"Principal":{"AWS":["*","111122223333"],"Service":[]},
		"Effect":"Deny","Sid":"\"\\/\n\u007fé"},"Id":"1","Version":"2008-10-17"}`)
	const want = `{
  "Version": "2008-10-17",
  "Id": "1",
  "Statement": [
    {
      "Sid": "\"\\/\n` + "\u007f" + `é",
      "Effect": "Deny",
      "Principal": {
        "AWS": [
          "*",
          "111122223333"
        ]
      },
      "NotAction": [
        "a:b",
        "c:d"
      ],
      "Resource": "*",
      "Condition": {
        "Bool": {
          "a:b": "true",
          "a:c": []
        }
      }
    }
  ]
}
`
	require.Equal(t, want, d.String())
	require.Equal(t, want, string(policy.Print(d)))
	require.Equal(t, want, reparsed(t, d).String())
}

// TestPrintByHand prints what Parse would never return, which still has to be
// JSON.
func TestPrintByHand(t *testing.T) {
	t.Parallel()
	for _, d := range []*policy.Document{
		{},
		{ID: "\x00\x1f\b\f\u2028"},
		{Statements: []policy.Statement{{}}},
		{Statements: []policy.Statement{{Principal: &policy.Principals{}, Action: []string{}, NotAction: []string{"a"}}}},
	} {
		require.True(t, json.Valid(policy.Print(d)), d.String())
	}
}

// reparsed prints and parses a document, and checks that nothing changed but
// positions.
func reparsed(t testing.TB, d *policy.Document) *policy.Document {
	t.Helper()
	text := policy.Print(d)
	again, _, err := policy.Parse(d.Kind, text)
	require.NoError(t, err, string(text))
	require.Equal(t, placeless(d), placeless(again))
	return again
}

// placeless returns a copy of a document without positions.
func placeless(d *policy.Document) policy.Document {
	c := *d
	c.Statements = append([]policy.Statement(nil), d.Statements...)
	for i := range c.Statements {
		s := &c.Statements[i]
		s.Start, s.End = policy.Position{}, policy.Position{}
		s.Conditions = append([]policy.Condition(nil), s.Conditions...)
		for j := range s.Conditions {
			s.Conditions[j].Position = policy.Position{}
		}
	}
	return c
}
