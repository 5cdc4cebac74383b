package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealring/sealring/policy"
	"github.com/stretchr/testify/require"
)

// TestJSONRefused has texts that are no JSON, or none that has only one meaning.
// « marks the offset at which reading stops.
func TestJSONRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, pointer string }{
		{"nothing", "«", ""},
		{"white space", " \t\r\n«", ""},
		{"byte order mark", "«\ufeff{}", ""},
		{"word", "«Statement", ""},
		{"cut word", "«tru", ""},
		{"word and more", "null«x", ""},
		{"single quotes", "{«'Version':1}", ""},
		{"comment", "{«/* */}", ""},
		{"open object", `{"Version":"2012-10-17"«`, ""},
		{"open array", `{"Statement":[1«`, "/Statement"},
		{"comma before the end", `{"Version":"2012-10-17",«}`, ""},
		{"comma before the end of an array", `{"Statement":[1,«]}`, "/Statement/1"},
		{"two commas", `{"Statement":[1,«,2]}`, "/Statement/1"},
		{"comma first", `{«,"a":1}`, ""},
		{"no comma", `{"Statement":[1 «2]}`, "/Statement"},
		{"no comma between members", `{"a":1«"b":2}`, ""},
		{"no colon", `{"Version" «"2012-10-17"}`, "/Version"},
		{"no value", `{"Version":«}`, "/Version"},
		{"no name", `{«1:2}`, ""},
		{"wrong bracket", `{"Statement":[1«}}`, "/Statement"},
		{"two documents", `{}«{}`, ""},
		{"text behind the document", "{}\n«x", ""},
		{"zero byte behind the document", "{}«\x00", ""},

		{"number with a zero in front", `{"a":0«1}`, "/a"},
		{"number with a plus", `{"a":«+1}`, "/a"},
		{"number without a digit", `{"a":-«}`, "/a"},
		{"number without a fraction", `{"a":1.«}`, "/a"},
		{"number without a whole part", `{"a":«.5}`, "/a"},
		{"number without an exponent", `{"a":1e+«}`, "/a"},
		{"infinity", `{"a":-«Infinity}`, "/a"},
		{"hexadecimal", `{"a":0«x1}`, ""},

		{"open string", `{"a":"b«`, "/a"},
		{"line break in a string", "{\"a\":\"b«\nc\"}", "/a"},
		{"tab in a string", "{\"a\":\"b«\tc\"}", "/a"},
		{"unknown escape", `{"a":"b«\x41"}`, "/a"},
		{"short escape", `{"a":"b«\u00e"}`, "/a"},
		{"escape with a sign", `{"a":"«\u+041"}`, "/a"},
		{"escape at the end", `{"a":"b\«`, "/a"},
		{"cut escape", `{"a":"b«\u00`, "/a"},
		{"high surrogate", `{"a":"b«\ud83d"}`, "/a"},
		{"low surrogate", `{"a":"b«\ude00"}`, "/a"},
		{"two high surrogates", `{"a":"b«\ud83d\ud83d"}`, "/a"},
		{"surrogates in the wrong order", `{"a":"b«\ude00\ud83d"}`, "/a"},
		{"surrogate and a letter", `{"a":"b«\ud83d\u0041"}`, "/a"},
		{"surrogate in a name", `{"b«\ud83d":1}`, ""},

		{"invalid UTF-8", "{\"a\":\"b«\xff\"}", ""},
		{"cut UTF-8", "{\"a\":\"b«\xc3\"}", ""},
		{"overlong UTF-8", "{\"a\":\"«\xc0\xaf\"}", ""},
		{"surrogate in UTF-8", "{\"a\":\"«\xed\xa0\x80\"}", ""},
		{"character beyond Latin-1", `{"a":"b«Ā"}`, ""},
		{"emoji", `{"a":"«😀"}`, ""},
		{"control character", "{\"a\":\"«\x01\"}", ""},
		{"backspace", "{«\x08}", ""},

		{"name twice", `{"Version":"2012-10-17","Statement":[],«"Version":"2012-10-17"}`, "/Version"},
		{"name twice, once escaped", `{"Id":"a",«"I\u0064":"a"}`, "/Id"},
		{"name twice in a statement", `{"Statement":[{},{"Effect":"Deny",«"Effect":"Allow"}]}`, "/Statement/1/Effect"},
		{"name twice in a principal", `{"Statement":{"Principal":{"AWS":"*",«"AWS":[]}}}`, "/Statement/Principal/AWS"},
		{"name twice in a condition", `{"Statement":{"Condition":{"Bool":{},«"Bool":{}}}}`, "/Statement/Condition/Bool"},
		{"name twice in an operator", `{"Statement":{"Condition":{"Bool":{"a/b":1,«"a/b":1}}}}`, "/Statement/Condition/Bool/a~1b"},
		{"name twice where no object belongs", `{"Statement":{"Sid":[{"x":1,«"x":1}]}}`, "/Statement/Sid/0/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before, after, found := strings.Cut(c.text, "«")
			require.True(t, found)
			for _, k := range []policy.Kind{policy.KeyPolicy, policy.Trust, policy.Identity} {
				e := refused(t, k, before+after)
				require.Equal(t, len(before), e.Offset, e)
				require.Equal(t, c.pointer, e.Pointer)
				switch k {
				case policy.Trust:
					require.Equal(t, "This policy contains invalid Json", e.Message)
				case policy.Identity:
					require.Equal(t, syntax, e.Message)
				}
			}
		})
	}
}

// TestCharacters has characters that no policy may hold, written as escape
// sequences.
func TestCharacters(t *testing.T) {
	t.Parallel()
	for _, escape := range []string{`\u0000`, `\b`, `\f`, `\u001f`, `\u0100`, `\ud83d\ude00`, `\uffff`} {
		text, start, _ := marked(t, doc(`"Sid":«"x`+escape+`y"»,`+minimal[policy.KeyPolicy]))
		e := refused(t, policy.KeyPolicy, text)
		require.Equal(t, "/Statement/0/Sid", e.Pointer)
		require.Equal(t, start, e.Offset)

		e = refused(t, policy.KeyPolicy, doc(`"Condition":{"StringEquals":{"kms:EncryptionContext:`+escape+`":"x"}},`+minimal[policy.KeyPolicy]))
		require.Contains(t, e.Reason, "U+")
	}
	d, _ := parse(t, policy.KeyPolicy, doc(`"Sid":"\"\\\/\n\r\t\u0041\u00ff\u00E9é",`+minimal[policy.KeyPolicy]))
	require.Equal(t, "\"\\/\n\r\tAÿéé", d.Statements[0].Sid)
}

// TestNesting has documents that nest as deep as their length allows.
func TestNesting(t *testing.T) {
	t.Parallel()
	for _, open := range []string{"[", `{"a":`, `[{"a":`} {
		for _, prefix := range []string{"", `{"Statement":`, `{"Version":`} {
			n := 1_000_000 / len(open)
			e := refused(t, policy.ParameterPolicy, prefix+strings.Repeat(open, n))
			require.LessOrEqual(t, e.Offset, 32*len(open)+len(prefix))
			require.Less(t, len(e.Pointer), 200)
		}
	}
	deep := strings.Repeat("[", 31) + strings.Repeat("]", 31)
	require.Equal(t, "/Version", refused(t, policy.KeyPolicy, `{"Version":`+deep+`}`).Pointer)
	deep = "[" + deep + "]"
	require.Greater(t, len(refused(t, policy.KeyPolicy, `{"Version":`+deep+`}`).Pointer), len("/Version"))
}

// TestManyNames has an object with more names than are searched one by one, where
// the last repeats another.
func TestManyNames(t *testing.T) {
	t.Parallel()
	for n := 1; n < 40; n++ {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"a:k%d":"x"`, i))
		}
		text := func(members []string) string {
			return doc(minimal[policy.Identity] + `,"Condition":{"StringEquals":{` + strings.Join(members, ",") + `}}`)
		}
		d, _ := parse(t, policy.Identity, text(members))
		require.Len(t, d.Statements[0].Conditions, n)
		for i := range n {
			e := refused(t, policy.Identity, text(append(members[:n:n], members[i])))
			require.Equal(t, fmt.Sprintf("/Statement/0/Condition/StringEquals/a:k%d", i), e.Pointer)
		}
	}
}
