package policy_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

// TestDocument pins everything that a document has.
func TestDocument(t *testing.T) {
	t.Parallel()
	text := `{
  "Version": "2012-10-17",
  "Id": "key policy 1",
  "Statement": [
    {
      "Sid": "Enable IAM",
      "Effect": "Allow",
      "Principal": {"AWS": ["111122223333", "*"], "Service": "logs.amazonaws.com"},
      "Action": "kms:*",
      "Resource": ["*"],
      "Condition": {
        "StringLike": {"aws:PrincipalArn": ["a", "b"], "kms:ViaService": []},
        "numericEquals": {"kms:RotationPeriodInDays": [90, -1.50e+2, "7"]},
        "Bool": {
          "kms:MultiRegion": true }}
    }, {"Effect": "Deny", "NotPrincipal": {}, "NotAction": [], "NotResource": [null, "x"], "Condition": {}},
    {"Effect": "Deny", "Principal": "*"}
  ]
}`
	rows := strings.SplitAfter(text, "\n")
	at := func(line, column int) policy.Position {
		offset := len(strings.Join(rows[:line-1], "")) + column - 1
		return policy.Position{Offset: offset, Line: line, Column: column}
	}
	d, _ := parse(t, policy.KeyPolicy, text)
	require.Equal(t, &policy.Document{
		Kind:    policy.KeyPolicy,
		Version: "2012-10-17",
		ID:      "key policy 1",
		Statements: []policy.Statement{{
			Sid:    "Enable IAM",
			Effect: policy.Allow,
			Principal: &policy.Principals{Entries: []policy.Principal{
				{Type: "AWS", Value: "111122223333"}, {Type: "AWS", Value: "*"},
				{Type: "Service", Value: "logs.amazonaws.com"}}},
			Action:   []string{"kms:*"},
			Resource: []string{"*"},
			Conditions: []policy.Condition{
				{Operator: "StringLike", Key: "aws:PrincipalArn", Values: []string{"a", "b"},
					Position: at(12, 24)},
				{Operator: "StringLike", Key: "kms:ViaService", Values: []string{},
					Position: at(12, 56)},
				{Operator: "numericEquals", Key: "kms:RotationPeriodInDays", Values: []string{"90", "-1.50e+2", "7"},
					Position: at(13, 27)},
				{Operator: "Bool", Key: "kms:MultiRegion", Values: []string{"true"},
					Position: at(15, 11)},
			},
			Start: at(5, 5),
			End:   at(16, 6),
		}, {
			Effect:       policy.Deny,
			NotPrincipal: &policy.Principals{},
			NotAction:    []string{},
			NotResource:  []string{"x"},
			Start:        at(16, 8),
			End:          at(16, 108),
		}, {
			Effect:    policy.Deny,
			Principal: &policy.Principals{Any: true},
			Start:     at(17, 5),
			End:       at(17, 41),
		}},
	}, d)
	for _, s := range d.Statements {
		require.Equal(t, "{", text[s.Start.Offset:s.Start.Offset+1])
		require.Equal(t, "}", text[s.End.Offset-1:s.End.Offset])
		for _, c := range s.Conditions {
			require.Contains(t, text[c.Position.Offset:], `"`+c.Key+`"`)
			require.Equal(t, `"`, text[c.Position.Offset:c.Position.Offset+1])
		}
	}
}

// TestPlaces pins line and column, which count bytes and start at one.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, place string }{
		{"«", "1:1"},
		{"\n«x", "2:1"},
		{"{\"é\":«x", "1:7"},
		{"{\r\n  \"a\"«}", "2:6"},
		{"{\"Id\":\"a\",\n\n   «\"Id\":\"a\"}", "3:4"},
		{"{\"Version\":\n  «\"2011\"}", "2:3"},
	} {
		before, start, end := marked(t, c.text+"»")
		require.GreaterOrEqual(t, end, start)
		e := refused(t, policy.KeyPolicy, before)
		require.Equal(t, c.place, place(e.Position), "%q", before)
		require.Equal(t, start, e.Offset)
	}
}

// TestParseKeepsNothing changes the bytes after they were parsed.
func TestParseKeepsNothing(t *testing.T) {
	t.Parallel()
	text := []byte(doc(`"Sid":"Sid",` + minimal[policy.KeyPolicy]))
	d, _, err := policy.Parse(policy.KeyPolicy, text)
	require.NoError(t, err)
	before := d.String()
	clear(text)
	require.Equal(t, before, d.String())
}

// TestOperatorNames reads every operator with every prefix and suffix, in other
// cases too.
func TestOperatorNames(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
		"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
		"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
		"Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "Null",
	} {
		for _, prefix := range []string{"", "ForAllValues:", "ForAnyValue:", "forallvalues:", "FORANYVALUE:"} {
			for _, suffix := range []string{"", "IfExists", "IFEXISTS"} {
				name := prefix + base + suffix
				text := doc(minimal[policy.Identity] + `,"Condition":{"` + name + `":{"a:b":[]}}`)
				d, _ := parse(t, policy.Identity, text)
				require.Equal(t, name, d.Statements[0].Conditions[0].Operator)
				refused(t, policy.Identity, doc(minimal[policy.Identity]+`,"Condition":{"`+name+`x":{"a:b":[]}}`))
				refused(t, policy.Identity, doc(minimal[policy.Identity]+`,"Condition":{" `+name+`":{"a:b":[]}}`))
			}
		}
	}
}

// TestTruncation cuts documents after every byte.
func TestTruncation(t *testing.T) {
	t.Parallel()
	for _, k := range allKinds {
		text := doc(minimal[k] + `,"Sid":"\u00e9\n","Condition":{"Bool":{"a:b":[true,null,-1.5e3]}}`)
		for n := range len(text) {
			e := refused(t, k, text[:n])
			require.LessOrEqual(t, e.Offset, n)
			require.GreaterOrEqual(t, e.Offset, n-len(`\u00e`), "%q", text[:n])
		}
	}
}

// TestOneByteChanged overwrites each byte of a document with others. What is
// still accepted has to survive printing; nothing may panic.
func TestOneByteChanged(t *testing.T) {
	t.Parallel()
	for _, k := range allKinds {
		text := doc(minimal[k] + `,"Condition":{"Bool":{"a:b":["true",false,0]}}`)
		for i := range text {
			for _, c := range "\x00 \"\\{],:0*\xff" {
				changed := text[:i] + string(c) + text[i+1:]
				d, _, err := policy.Parse(k, []byte(changed))
				if err == nil {
					reparsed(t, d)
				}
			}
		}
	}
}

// TestStatementsAreIndependent checks that each statement of a document is read as
// it is when it stands alone, and refused with the pointer that names it.
func TestStatementsAreIndependent(t *testing.T) {
	t.Parallel()
	for _, k := range allKinds {
		alone, _ := parse(t, k, doc(minimal[k]))
		three, _ := parse(t, k, doc(minimal[k], minimal[k], minimal[k]))
		require.Len(t, three.Statements, 3)
		for _, s := range placeless(three).Statements {
			require.Equal(t, placeless(alone).Statements[0], s)
		}
		for i := range 3 {
			statements := []string{minimal[k], minimal[k], minimal[k]}
			statements[i] += `,"Extra":1`
			require.Equal(t, fmt.Sprintf("/Statement/%d/Extra", i), refused(t, k, doc(statements...)).Pointer)
		}
	}
}

// TestConcurrentParse parses in several goroutines, for the race detector.
func TestConcurrentParse(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for _, k := range allKinds {
				if _, _, err := policy.Parse(k, []byte(doc(minimal[k]))); err != nil {
					t.Errorf("%v: %v", k, err) // require would end the wrong goroutine
				}
			}
		}()
	}
	group.Wait()
}

// TestMemory has documents that try to make Parse allocate much more than they
// are long, or anything in proportion to a length beyond the limit. It does not
// run beside other tests, because it counts what all of them allocate.
func TestMemory(t *testing.T) {
	allocated := func(k policy.Kind, text []byte) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := policy.Parse(k, text)
		runtime.ReadMemStats(&after)
		require.Error(t, err)
		return after.TotalAlloc - before.TotalAlloc
	}
	for _, filler := range []string{"\n", "[", `{"a":`, "a"} {
		long := []byte(strings.Repeat(filler, 2<<20/len(filler)))
		for _, k := range allKinds {
			require.Less(t, allocated(k, long), uint64(64<<10), "%v %q", k, filler)
		}
	}
	for _, filler := range []string{"[],", "{},", `{"a":0},`, "0,", `"",`, "\n"} {
		long := []byte(`{"Statement":[` + strings.Repeat(filler, 1_000_000/len(filler)) + `0]}`)
		require.Less(t, allocated(policy.ParameterPolicy, long), uint64(150*len(long)), "%q", filler)
	}
}
