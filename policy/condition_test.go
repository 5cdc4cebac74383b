package policy

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// conditionHolds decides one condition on one context.
func conditionHolds(t testing.TB, c Condition, ctx *Context) bool {
	t.Helper()
	compiled, err := compileCondition(&c, 0, variables)
	require.NoError(t, err)
	var e evaluator
	e.init(&Request{Caller: alice, Action: "kms:Decrypt", Resource: keyOne, Context: ctx}, &Layers{})
	holds := compiled.holds(&e)
	if k, ok := compiled.required(); ok && !e.present.has(int(k)) {
		require.False(t, holds, "a required key is missing and %v holds", c)
	}
	return holds
}

// TestOperatorStates is the truth table of operators and key states: every operator,
// with every prefix and suffix, on a key that is missing, empty, or has values.
func TestOperatorStates(t *testing.T) {
	t.Parallel()
	type operands struct {
		name          string
		policy        string
		match, differ string
		negated       bool
	}
	binary := base64.StdEncoding.EncodeToString([]byte("raw"))
	for _, op := range []operands{
		{"StringEquals", "a", "a", "b", false},
		{"StringNotEquals", "a", "a", "b", true},
		{"StringEqualsIgnoreCase", "a", "A", "b", false},
		{"StringNotEqualsIgnoreCase", "a", "A", "b", true},
		{"StringLike", "a*", "abc", "b", false},
		{"StringNotLike", "a*", "abc", "b", true},
		{"NumericEquals", "7", "7.0", "8", false},
		{"NumericNotEquals", "7", "7.0", "8", true},
		{"NumericLessThan", "7", "6", "7", false},
		{"NumericLessThanEquals", "7", "7", "8", false},
		{"NumericGreaterThan", "7", "10", "7", false},
		{"NumericGreaterThanEquals", "7", "7", "6", false},
		{"DateEquals", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-02", false},
		{"DateNotEquals", "2026-01-01", "1767225600", "2026-01-02", true},
		{"DateLessThan", "2026-01-01", "2025-12-31T23:59:59", "2026-01-01", false},
		{"DateLessThanEquals", "2026-01-01", "2026-01-01", "2026-01-01T00:00:01Z", false},
		{"DateGreaterThan", "2026-01-01", "2026-01-01T00:00:01", "2026-01", false},
		{"DateGreaterThanEquals", "2026-01-01", "2026-01", "2025-12", false},
		{"Bool", "true", "TRUE", "false", false},
		{"BinaryEquals", binary, "raw", "other", false},
		{"IpAddress", "203.0.113.0/24", "203.0.113.9", "198.51.100.1", false},
		{"NotIpAddress", "203.0.113.0/24", "203.0.113.9", "198.51.100.1", true},
		{"ArnEquals", "arn:aws:s3:::b*", "arn:aws:s3:::bx", "arn:aws:s3:::c", false},
		{"ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::bx", "arn:aws:s3:::c", false},
		{"ArnNotEquals", "arn:aws:s3:::b*", "arn:aws:s3:::bx", "arn:aws:s3:::c", true},
		{"ArnNotLike", "arn:aws:s3:::b*", "arn:aws:s3:::bx", "not an ARN", true},
	} {
		const key = "example:key"
		missing, empty := new(Context), given(key, []string{})
		one := func(v string) *Context { return given(key, v) }
		two := func(v, w string) *Context { return given(key, []string{v, w}) }
		rows := []struct {
			form string
			ctx  *Context
			want bool
		}{
			{"%s", missing, op.negated},
			{"%s", empty, op.negated},
			{"%s", one(op.match), !op.negated},
			{"%s", one(op.differ), op.negated},
			{"%s", two(op.match, op.match), false},
			{"%s", two(op.differ, op.differ), false},
			{"%sIfExists", missing, true},
			{"%sIfExists", empty, true},
			{"%sIfExists", one(op.match), !op.negated},
			{"%sIfExists", one(op.differ), op.negated},
			{"ForAllValues:%s", missing, true},
			{"ForAllValues:%s", empty, true},
			{"ForAllValues:%s", one(""), true},
			{"ForAllValues:%s", one(op.match), !op.negated},
			{"ForAllValues:%s", two(op.match, op.differ), false},
			{"ForAllValues:%s", two(op.match, op.match), !op.negated},
			{"ForAllValues:%s", two(op.differ, op.differ), op.negated},
			{"ForAllValues:%sIfExists", missing, true},
			{"ForAllValues:%sIfExists", empty, true},
			{"ForAllValues:%sIfExists", two(op.match, op.differ), false},
			{"ForAnyValue:%s", missing, false},
			{"ForAnyValue:%s", empty, false},
			{"ForAnyValue:%s", one(op.match), !op.negated},
			{"ForAnyValue:%s", two(op.match, op.differ), true},
			{"ForAnyValue:%s", two(op.match, op.match), !op.negated},
			{"ForAnyValue:%s", two(op.differ, op.differ), op.negated},
			{"ForAnyValue:%sIfExists", missing, true},
			{"ForAnyValue:%sIfExists", empty, false},
			{"ForAnyValue:%sIfExists", two(op.match, op.differ), true},
		}
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			for i, row := range rows {
				c := Condition{Operator: fmt.Sprintf(row.form, op.name), Key: key, Values: []string{op.policy}}
				require.Equal(t, row.want, conditionHolds(t, c, row.ctx), "row %d: %s", i, c.Operator)
				c.Operator = strings.ToLower(c.Operator)
				require.Equal(t, row.want, conditionHolds(t, c, row.ctx), "row %d in lower case", i)
			}
			// No values in the policy.
			for _, row := range []struct {
				form string
				ctx  *Context
				want bool
			}{
				{"%s", missing, false}, {"%s", one("a"), false},
				{"ForAllValues:%s", empty, true}, {"ForAllValues:%s", one("a"), false},
				{"ForAnyValue:%s", empty, false}, {"ForAnyValue:%s", one("a"), false},
				{"%sIfExists", missing, true}, {"%sIfExists", one("a"), false},
			} {
				c := Condition{Operator: fmt.Sprintf(row.form, op.name), Key: key}
				require.Equal(t, row.want, conditionHolds(t, c, row.ctx), "%s without values", c.Operator)
			}
			// A value that the operator cannot read matches nothing.
			if !strings.HasPrefix(op.name, "String") {
				c := Condition{Operator: op.name, Key: key, Values: []string{"!?"}}
				require.Equal(t, op.negated, conditionHolds(t, c, one(op.match)))
				c.Values = []string{op.policy}
				require.Equal(t, op.negated, conditionHolds(t, c, one("!?")))
			}
		})
	}
}

func TestNull(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		operator, value string
		ctx             *Context
		want            bool
	}{
		{"Null", "true", nil, true},
		{"Null", "true", given("kms:ResourceAliases", []string{}), true},
		{"Null", "true", given("kms:ResourceAliases", []string{"a"}), false},
		{"Null", "false", nil, false},
		{"Null", "false", given("kms:ResourceAliases", []string{}), false},
		{"Null", "false", given("kms:ResourceAliases", []string{"a"}), true},
		{"ForAllValues:Null", "false", nil, true},
		{"ForAnyValue:Null", "true", nil, false},
	} {
		c := Condition{Operator: row.operator, Key: "kms:ResourceAliases", Values: []string{row.value}}
		require.Equal(t, row.want, conditionHolds(t, c, row.ctx), "%+v", row)
	}
	require.False(t, conditionHolds(t, Condition{Operator: "Null", Key: "a:b"}, nil), "no value")
	require.True(t, conditionHolds(t, Condition{Operator: "Null", Key: "a:b", Values: []string{"true", "false"}}, nil))
}

// TestKnownKeys runs typed keys through operators of their own and other types.
func TestKnownKeys(t *testing.T) {
	t.Parallel()
	ctx := given("aws:SourceIp", "::ffff:203.0.113.9", "aws:CurrentTime", "2026-05-01T10:00:00+02:00",
		"aws:EpochTime", "1700000001", "aws:MultiFactorAuthPresent", "true", "aws:MultiFactorAuthAge", "300",
		"kms:ResourceAliases", []string{"alias/a", "alias/b"}, "kms:KeySpec", "AES", "aws:RequestTag/Env", "dev",
		"secretsmanager:ResourceTag/Env", "prod", "ssm:Overwrite", "true")
	ctx.Add(EncryptionContext, "Dept", "IT")
	ctx.Add(EncryptionContext, "dept", "HR")
	ctx.SetFloat(KMSTrailingDaysWithoutKeyUsage, 2.5)
	for _, row := range []struct {
		operator, key, value string
		want                 bool
	}{
		{"IpAddress", "AWS:sourceip", "203.0.113.0/24", true},
		{"IpAddress", "aws:SourceIp", "::ffff:203.0.113.0/120", true},
		{"IpAddress", "aws:SourceIp", "203.0.113.9", true},
		{"IpAddress", "aws:SourceIp", "2001:db8::/32", false},
		{"StringEquals", "aws:SourceIp", "203.0.113.9", true},
		{"DateEquals", "aws:CurrentTime", "2026-05-01T08:00:00Z", true},
		{"StringEquals", "aws:CurrentTime", "2026-05-01T08:00:00Z", true},
		{"NumericEquals", "aws:EpochTime", "1700000001", true},
		{"DateLessThan", "aws:EpochTime", "2023-11-14T22:13:22Z", true},
		{"StringEquals", "aws:MultiFactorAuthPresent", "true", true},
		{"NumericEquals", "aws:MultiFactorAuthAge", "300.0", true},
		{"StringEquals", "aws:MultiFactorAuthAge", "300", true},
		{"NumericEquals", "kms:TrailingDaysWithoutKeyUsage", "2.5", true},
		{"NumericEquals", "kms:KeySpec", "1", false},
		{"NumericNotEquals", "kms:KeySpec", "1", true},
		{"StringEquals", "kms:CustomerMasterKeySpec", "AES", true},
		{"Bool", "ssm:Overwrite", "true", true},
		{"Bool", "aws:ViaAWSService", "false", true},
		{"StringEquals", "aws:ResourceTag/env", "prod", true},
		{"StringEquals", "ssm:resourceTag/Env", "prod", true},
		{"ForAllValues:StringEquals", "aws:TagKeys", "Env", true},
		{"ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "dept", true},
		{"ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "DEPT", false},
		// Names that differ only in case: any for positive operators, all for negated.
		{"StringEquals", "kms:EncryptionContext:DEPT", "IT", true},
		{"StringEquals", "kms:EncryptionContext:Dept", "HR", true},
		{"StringNotEquals", "kms:EncryptionContext:Dept", "HR", false},
		{"StringNotEquals", "kms:EncryptionContext:Dept", "X", true},
		// Keys that follow from the request.
		{"StringEquals", "aws:username", "alice", true},
		{"StringEquals", "aws:userid", "AIDAALICE", true},
		{"StringEquals", "aws:PrincipalAccount", accountA, true},
		{"StringEquals", "aws:PrincipalType", "User", true},
		{"StringEquals", "aws:PrincipalOrgID", "o-1", true},
		{"StringEquals", "aws:ResourceAccount", accountA, true},
		{"StringEquals", "kms:CallerAccount", accountA, true},
		{"Bool", "aws:PrincipalIsAWSService", "false", true},
		{"ArnEquals", "aws:PrincipalArn", "*", true},
		{"ArnEquals", "aws:PrincipalArn", "arn:aws:iam", false},
		{"Null", "aws:PrincipalServiceName", "true", true},
	} {
		c := Condition{Operator: row.operator, Key: row.key, Values: []string{row.value}}
		require.Equal(t, row.want, conditionHolds(t, c, ctx), "%+v", row)
	}
}

func TestParseInstant(t *testing.T) {
	t.Parallel()
	const may = 1777593600 // 2026-05-01T00:00:00Z
	for s, want := range map[string]int64{
		"2026-05": may, "2026-05-01": may, "2026-05-01T00:00": may, "2026-05-01T00:00:00": may,
		"2026-05-01T00:00:00Z": may, "2026-05-01t02:30:00+02:30": may, "2026-04-30T22:00:00-02:00": may,
		"2026-04-30T22:00:00-0200": may, "1777593600": may, "1777593600.0": may, "1970": 1970, "-1": -1, "1970-01": 0,
	} {
		got, ok := parseInstant(s)
		require.True(t, ok, s)
		require.Equal(t, want*1e9, got, s)
	}
	got, ok := parseInstant("2026-05-01T00:00:00.25Z")
	require.True(t, ok)
	require.Equal(t, int64(may*1e9+250_000_000), got)
	// What nanoseconds cannot hold is as far away as they reach.
	early, _ := parseInstant("-100000-01-01")
	late, _ := parseInstant("9223372036854775807")
	require.Less(t, early, late)
	for _, s := range []string{
		"", "T", "2026-13", "2026-00", "2026-02-30", "2026-1-2-3", "26-01-01", "2026-01-01T", "2026-01-01T24:00",
		"2026-01-01T10:60", "2026-01-01T10:00:61", "2026-01-01T10:00.5", "2026-01-01T10:00:00+25:00",
		"2026-01-01T10:00:00+1:00", "now", "*", "2026-01-01T10:00:00.Z", "1e400",
	} {
		_, ok := parseInstant(s)
		require.False(t, ok, s)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	// Two numbers that float64 cannot tell apart.
	a, _ := parseNumber("9007199254740993")
	b, _ := parseNumber("9007199254740992")
	require.Equal(t, 1, a.compare(b))
	ten, _ := parseNumber("10")
	nine, _ := parseNumber("9.5")
	require.Equal(t, 1, ten.compare(nine), "numbers are not compared as text")
	require.Equal(t, -1, nine.compare(ten))
	for _, s := range []string{"", "+", "--1", "0x10", "1_0", "NaN", "Inf", "1 "} {
		_, ok := parseNumber(s)
		require.False(t, ok, s)
	}
}

func FuzzLiterals(f *testing.F) {
	for _, s := range []string{"2026-05-01T00:00:00Z", "12.5", "203.0.113.0/24", "::ffff:1.2.3.4/100", "${a, 'b'}", "-1e9", "1777593600.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parseInstant(s)
		if n, ok := parseNumber(s); ok {
			require.Equal(t, 0, n.compare(n), s)
		}
		if p, ok := parsePrefix(s); ok {
			require.True(t, p.Contains(p.Addr()), s)
		}
		tokenize(s, wildcards|variables)
		compileARN(s, wildcards|variables, 0, true)
	})
}
