package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

// FuzzParse checks that Parse returns on anything, that what it accepts is JSON
// and survives printing, and that whatever it says points into the document.
func FuzzParse(f *testing.F) {
	for _, k := range allKinds {
		f.Add(uint8(k), []byte(doc(minimal[k])))
		f.Add(uint8(k), []byte(doc(minimal[k]+`,"Sid":"x","Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["${a, 'b'}*",1,true]},"Bool":{}}`)))
	}
	f.Add(uint8(policy.KeyPolicy), []byte(`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":[null,"111122223333"],"Service":[]},"NotAction":[],"NotResource":["a","*"]}}`))
	f.Add(uint8(policy.Identity), []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"allow","Resource":["arn:aws:s3::b","\ud83d\ude00"]}]}`))
	f.Add(uint8(policy.Identity), []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"a:b","Resource":"arn:a*:kms:${a}:1:key/${b","Condition":{"DateEquals":{"a:b":"2027-01-01T00:00:00.5+01:00"},"IpAddress":{"aws:SourceIp":"::1/64"}}}}`))
	f.Add(uint8(0), []byte("[[[[{\"\\u00"))
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		before := bytes.Clone(text)
		d, findings, err := policy.Parse(policy.Kind(kind), text)
		require.Equal(t, before, text)
		if err != nil {
			require.Nil(t, d)
			var e *policy.ParseError
			require.True(t, errors.As(err, &e))
			require.NotEmpty(t, e.Code)
			require.NotEmpty(t, e.Message)
			require.NotEmpty(t, e.Reason)
			inside(t, text, e.Position)
			return
		}
		require.True(t, json.Valid(text))
		require.LessOrEqual(t, len(findings), 1000)
		for _, f := range findings {
			inside(t, text, f.Position)
			require.True(t, json.Valid([]byte(resolve(t, string(text), f.Pointer))))
		}
		for _, s := range d.Statements {
			inside(t, text, s.Start)
			inside(t, text, s.End)
			require.True(t, json.Valid(text[s.Start.Offset:s.End.Offset]))
			for _, c := range s.Conditions {
				inside(t, text, c.Position)
			}
		}
		again, _, err := policy.Parse(d.Kind, policy.Print(d))
		if err != nil {
			var e *policy.ParseError
			require.True(t, errors.As(err, &e))
			require.Contains(t, e.Reason, "at most", "only the size may be at fault")
			return
		}
		require.Equal(t, placeless(d), placeless(again))
		require.Equal(t, policy.Print(d), policy.Print(again))
	})
}

// inside checks that a position lies in the text and that its line and column
// agree with its offset.
func inside(t *testing.T, text []byte, p policy.Position) {
	t.Helper()
	require.GreaterOrEqual(t, p.Offset, 0)
	require.LessOrEqual(t, p.Offset, len(text))
	before := text[:p.Offset]
	require.Equal(t, bytes.Count(before, []byte("\n"))+1, p.Line)
	require.Equal(t, len(before)-bytes.LastIndexByte(before, '\n'), p.Column)
}
