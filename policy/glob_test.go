package policy

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		pattern, class string
		yes, no        []string
	}{
		{"", "exact", []string{""}, []string{"a"}},
		{"abc", "exact", []string{"abc"}, []string{"", "ab", "abcd", "ABC"}},
		{"*", "any", []string{"", "a", "a/b:c"}, nil},
		{"**", "any", []string{"", "a"}, nil},
		{"ab*", "prefix", []string{"ab", "abc"}, []string{"a", "xab"}},
		{"*ab", "suffix", []string{"ab", "cab"}, []string{"b", "abx"}},
		{"a*b", "both", []string{"ab", "axxb"}, []string{"a", "b", "axbx"}},
		{"aa*aa", "both", []string{"aaaa", "aaxaa"}, []string{"aaa"}},
		{"*b*", "infix", []string{"b", "abc"}, []string{"", "ac"}},
		{"?", "general", []string{"a", "é", "€"}, []string{"", "ab"}},
		{"a?c", "general", []string{"abc", "aéc"}, []string{"ac", "abbc"}},
		{"*?", "general", []string{"a", "ab"}, []string{""}},
		{"*??", "general", []string{"ab", "aé"}, []string{"€", "a"}},
		{"a*b*c", "general", []string{"abc", "axbxc", "abbcc"}, []string{"acb", "ab"}},
		{"*a*b", "general", []string{"ab", "xaxab"}, []string{"ba", "abx"}},
		{"*ab?c*", "general", []string{"abxc", "ababxcd"}, []string{"abc", "abxxc"}},
	} {
		t.Run(row.pattern, func(t *testing.T) {
			t.Parallel()
			p := compilePattern(row.pattern, wildcards)
			require.Equal(t, row.class, [...]string{"exact", "any", "prefix", "suffix", "both", "infix", "fold", "general"}[p.class])
			for _, s := range row.yes {
				require.True(t, p.match(nil, s), "%q", s)
			}
			for _, s := range row.no {
				require.False(t, p.match(nil, s), "%q", s)
			}
		})
	}
}

func TestPatternVariables(t *testing.T) {
	t.Parallel()
	c := alice
	c.Tags = []Pair{{"Team", "red"}, {"star", "*"}, {"empty", ""}}
	r := &Request{Caller: c, Action: "kms:Decrypt", Resource: keyOne, Context: given(
		"aws:CalledVia", []string{"a"}, "aws:MultiFactorAuthPresent", "true", "aws:MultiFactorAuthAge", "12",
		"example:one", "1", "example:two", []string{"1", "2"}, "aws:SourceIp", "2001:DB8::1")}
	var e evaluator
	e.init(r, &Layers{})
	for _, row := range []struct {
		pattern string
		yes, no []string
	}{
		{"${aws:username}", []string{"alice"}, []string{"${aws:username}", "bob", ""}},
		{"${AWS:UserName}/*", []string{"alice/", "alice/x"}, []string{"alice"}},
		{"*/${aws:PrincipalTag/team}", []string{"/red", "a/b/red"}, []string{"/redx", "red"}},
		{"a${aws:PrincipalTag/star}c", []string{"a*c"}, []string{"abc"}},
		{"a${aws:PrincipalTag/empty}c", []string{"ac"}, []string{"a"}},
		{"${aws:PrincipalTag/none}", nil, []string{"", "${aws:PrincipalTag/none}"}},
		{"*${aws:PrincipalTag/none}*", nil, []string{"", "x"}},
		{"${aws:PrincipalTag/none, 'x*'}", []string{"x*"}, []string{"xx", ""}},
		{"${aws:PrincipalTag/none, 'a}b'}", []string{"a}b"}, []string{"a"}},
		{"${aws:PrincipalTag/team, 'x'}", []string{"red"}, []string{"x"}},
		{"${aws:CalledVia}", nil, []string{"a"}},
		{"${aws:MultiFactorAuthPresent}", []string{"true"}, []string{"1"}},
		{"${aws:MultiFactorAuthAge}", []string{"12"}, nil},
		{"${aws:SourceIp}", []string{"2001:db8::1"}, nil},
		{"${example:one}", []string{"1"}, []string{"2"}},
		{"${example:two}", nil, []string{"1", "2"}},
		{"${*}${?}${$}", []string{"*?$"}, []string{"abc"}},
		{"${}", []string{"${}"}, nil},
		{"${aws:username", []string{"${aws:username"}, []string{"alice"}},
		{"${aws: username}", []string{"${aws: username}"}, nil},
		{"$", []string{"$"}, nil},
	} {
		t.Run(row.pattern, func(t *testing.T) {
			p := compilePattern(row.pattern, wildcards|variables)
			for _, s := range row.yes {
				require.True(t, p.match(&e, s), "%q", s)
			}
			for _, s := range row.no {
				require.False(t, p.match(&e, s), "%q", s)
			}
		})
	}
	literal := compilePattern("${aws:username}", wildcards)
	require.True(t, literal.match(&e, "${aws:username}"))
	fold := compilePattern("X-${aws:username}", variables|anyCase)
	require.True(t, fold.match(&e, "x-ALICE"))
	require.False(t, fold.match(&e, "x-ALICEx"))
}

// TestVariablesOfKeysInSeveralCases has what a variable stands for not depend on the order
// in which the keys that it may stand for were set.
func TestVariablesOfKeysInSeveralCases(t *testing.T) {
	t.Parallel()
	names := []string{"user", "USER", "User"}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var c Context
		for _, i := range order {
			c.Add(EncryptionContext, names[i], "of "+names[i])
		}
		var e evaluator
		e.init(&Request{Caller: alice, Action: "kms:Decrypt", Resource: keyOne, Context: &c}, &Layers{})
		for name, want := range map[string]string{"user": "user", "User": "User", "USER": "USER", "uSER": "USER"} {
			p := compilePattern("${kms:EncryptionContext:"+name+"}", variables)
			require.True(t, p.match(&e, "of "+want), "%s in %v", name, order)
		}
	}
}

func TestARNPattern(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		pattern, arn string
		fill, want   bool
	}{
		{keyOne, keyOne, false, true},
		{"arn:aws:kms:*:*:key/*", keyOne, false, true},
		{"arn:aws:kms:us-*-2:111122223333:key/K?", keyOne, false, true},
		{"arn:aws:kms:*:key/K1", keyOne, true, false},
		{"arn:aws:kms:*", keyOne, true, true},
		{"arn:aws:kms:eu-*", keyOne, true, false},
		{"arn:aws:*:*:9:finance/*", "arn:aws:s:r:1:store/abc:9:finance/d", false, false},
		{"arn:aws:s:r:1:store/*", "arn:aws:s:r:1:store/abc:9:finance/d", false, true},
		{"ARN:aws:s:r:1:x", "arn:aws:s:r:1:x", false, false},
	} {
		a, ok := compileARN(row.pattern, wildcards, 5, row.fill)
		parts, isARN := splitARN(row.arn)
		require.True(t, isARN)
		require.Equal(t, row.want, ok && a.match(nil, &parts), "%s against %s", row.arn, row.pattern)
	}
	for _, s := range []string{"", "*", "x", "arn:aws:kms:r:a", "arn"} {
		_, ok := compileARN(s, wildcards, 5, false)
		require.False(t, ok, s)
		_, ok = splitARN(s)
		require.False(t, ok, s)
	}
	// A colon within a variable does not part the pattern.
	a, ok := compileARN("arn:aws:iam::${aws:PrincipalAccount}:role/${aws:username}", wildcards|variables, 0, false)
	require.True(t, ok)
	var e evaluator
	e.init(&Request{Caller: alice}, &Layers{})
	parts, _ := splitARN("arn:aws:iam::" + accountA + ":role/alice")
	require.True(t, a.match(&e, &parts))
	// In a Resource, variables before the fifth colon are text.
	_, ok = compileARN("arn:aws:iam::${aws:PrincipalAccount}:role/x", wildcards|variables, 5, true)
	require.True(t, ok)
}

// naiveGlob is the definition of a wildcard match, by trying everything.
func naiveGlob(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	r, width := utf8.DecodeRuneInString(pattern)
	switch r {
	case '*':
		for i := 0; ; {
			if naiveGlob(pattern[1:], s[i:]) {
				return true
			}
			if i == len(s) {
				return false
			}
			_, w := utf8.DecodeRuneInString(s[i:])
			i += w
		}
	case '?':
		if s == "" {
			return false
		}
		_, w := utf8.DecodeRuneInString(s)
		return naiveGlob(pattern[1:], s[w:])
	}
	return strings.HasPrefix(s, pattern[:width]) && naiveGlob(pattern[width:], s[width:])
}

func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"a*b", "ab"}, {"*?a*", "éaa"}, {"??", "€"}, {"*ab*ab?", "ababab"}, {"", ""}, {"*a*a*b", "aaab"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 12 || len(s) > 24 || !utf8.ValidString(pattern) || !utf8.ValidString(s) {
			return
		}
		p := compilePattern(pattern, wildcards)
		require.Equal(t, naiveGlob(pattern, s), p.match(nil, s), "%q against %q", s, pattern)
	})
}

func hostileGlob() (pattern, string) {
	return compilePattern(strings.Repeat("*a", 30)+"b", wildcards), strings.Repeat("a", 2000)
}

func TestHostileGlobs(t *testing.T) {
	t.Parallel()
	p, s := hostileGlob()
	require.False(t, p.match(nil, s))
	// These never end if every star is tried everywhere, and at once if only the last is.
	s = strings.Repeat("a", 4000)
	for _, text := range []string{
		strings.Repeat("*a", 300) + "b", strings.Repeat("*?", 300) + "b", strings.Repeat("a*", 300) + "b",
		strings.Repeat("*a?", 300) + "b", "*" + strings.Repeat("?", 1000) + "b",
	} {
		p := compilePattern(text, wildcards)
		require.False(t, p.match(nil, s))
		require.True(t, p.match(nil, s+"b"), "%.20s", text)
	}
}
