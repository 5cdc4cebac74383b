package policy

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// source makes choices from fuzzed bytes; when they run out, it always takes the first.
type source struct{ data []byte }

func (s *source) pick(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

func choose[T any](s *source, of ...T) T { return of[s.pick(len(of))] }

func some[T any](s *source, of ...T) []T {
	list := []T{choose(s, of...)}
	for s.pick(3) == 1 && len(list) < 3 {
		list = append(list, choose(s, of...))
	}
	return list
}

func (s *source) condition() Condition {
	type shape struct {
		operators []string
		key       string
		values    []string
	}
	texts := []string{"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "ForAllValues:StringLike", "ForAnyValue:StringNotEquals", "StringEqualsIfExists", "StringNotLikeIfExists"}
	c := choose(s,
		shape{texts, "kms:ViaService", []string{viaSSM, viaEC2, "*.us-west-2.*", "s?m*"}},
		shape{texts, "kms:EncryptionContext:dept", []string{"IT", "HR", "${aws:PrincipalTag/Team}", "*"}},
		shape{texts, "KMS:encryptionContextKeys", []string{"Dept", "X", "D*"}},
		shape{texts, "kms:ResourceAliases", []string{"alias/app", "alias/*"}},
		shape{texts, "aws:PrincipalAccount", []string{accountA, accountB, "anonymous", "1*"}},
		shape{texts, "aws:PrincipalOrgID", []string{"o-1", "${aws:username}"}},
		shape{[]string{"ArnLike", "ArnNotEquals", "ArnEqualsIfExists", "ForAnyValue:ArnLike"}, "aws:PrincipalArn", []string{roleARN, "arn:aws:iam::*:user/*", "arn:aws:*:role/app/*"}},
		shape{[]string{"IpAddress", "NotIpAddress", "NotIpAddressIfExists"}, "aws:SourceIp", []string{"203.0.113.0/24", "2001:db8::/32", "203.0.113.7/32"}},
		shape{[]string{"Bool", "BoolIfExists", "ForAllValues:Bool"}, "aws:MultiFactorAuthPresent", []string{"true", "false"}},
		shape{[]string{"Bool"}, "aws:PrincipalIsAWSService", []string{"true", "false"}},
		shape{[]string{"NumericLessThan", "NumericNotEquals", "NumericEqualsIfExists"}, "aws:MultiFactorAuthAge", []string{"300", "1e2", "12.5"}},
		shape{[]string{"DateGreaterThan", "DateGreaterThanIfExists"}, "aws:CurrentTime", []string{"2026-01-01T00:00:00Z", "2026-06-01T00:00:00+02:00"}},
		shape{texts, "example:unknown", []string{"a", "b*"}},
	)
	out := Condition{Operator: choose(s, c.operators...), Key: c.key, Values: some(s, c.values...)}
	if s.pick(8) == 1 {
		out.Operator, out.Values = "Null", []string{choose(s, "true", "false")}
	}
	return out
}

func (s *source) principals() *Principals {
	if s.pick(6) == 1 {
		return &Principals{Any: true}
	}
	return &Principals{Entries: some(s,
		Principal{"AWS", rootARN}, Principal{"AWS", accountA}, Principal{"AWS", aliceARN}, Principal{"AWS", roleARN}, Principal{"AWS", sessionARN},
		Principal{"AWS", "*"}, Principal{"AWS", foreignRoot}, Principal{"AWS", foreignRole}, Principal{"AWS", accountB},
		Principal{"Service", logs.Service})}
}

func (s *source) statement(kind Kind) Statement {
	st := Statement{Effect: Allow}
	if s.pick(6) == 1 {
		st.Effect = Deny
	}
	actions := some(s, "*", "kms:*", "kms:Decrypt", "kms:De*", "KMS:d?crypt", "kms:ListKeys", "secretsmanager:*", "ssm:Get*", "s3:GetObject", "kms:PutKeyPolicy", "*:Decrypt", "kms:CreateAlias")
	resources := some(s, "*", keyOne, keyTwo, "arn:aws:kms:*:*:key/*", "arn:aws:kms:*:"+accountA+":*/K?", aliasApp, "arn:aws:secretsmanager:*:*:secret:*-??????", "arn:aws:kms:us-west-2:*:key/${aws:PrincipalTag/Team}", "arn:aws:s3:::b/*")
	if s.pick(7) == 1 {
		st.NotAction = actions
	} else {
		st.Action = actions
	}
	if s.pick(7) == 1 {
		st.NotResource = resources
	} else {
		st.Resource = resources
	}
	if namesPrincipals(kind) {
		if s.pick(7) == 1 && st.Effect == Deny {
			st.NotPrincipal = &Principals{Entries: []Principal{{"AWS", rootARN}, {"AWS", aliceARN}, {"AWS", roleARN}, {"AWS", sessionARN}, {"Service", logs.Service}}[s.pick(3):]}
		} else {
			st.Principal = s.principals()
		}
	}
	for s.pick(3) == 1 && len(st.Conditions) < 3 {
		st.Conditions = append(st.Conditions, s.condition())
	}
	return st
}

func (s *source) policy(t testing.TB, kind Kind, most int) *Policy {
	d := &Document{Kind: kind, Version: choose(s, "2012-10-17", "2012-10-17", "")}
	for range s.pick(most) + 1 {
		d.Statements = append(d.Statements, s.statement(kind))
	}
	p, err := Compile(d)
	require.NoError(t, err)
	return p
}

func (s *source) levels(t testing.TB, kind Kind) [][]*Policy {
	if s.pick(3) != 1 {
		return nil
	}
	full := &Document{Kind: kind, Statements: []Statement{{Effect: Allow, Action: []string{"*"}, Resource: []string{"*"}}}}
	if kind == RCP {
		full.Statements[0].Principal = &Principals{Any: true}
	}
	p, err := Compile(full)
	require.NoError(t, err)
	levels := [][]*Policy{{p}}
	if s.pick(2) == 1 {
		levels = append(levels, []*Policy{p, s.policy(t, kind, 2)})
	}
	if s.pick(8) == 1 {
		levels = append(levels, []*Policy{s.policy(t, kind, 2)})
	}
	return levels
}

// question makes a request and its layers, with the context once more as a map.
func (s *source) question(t testing.TB) (*Request, *Layers, map[string][]string) {
	tagged := alice
	tagged.Tags = []Pair{{"Team", "K1"}}
	manager := alice
	manager.ManagementAccount = true
	r := &Request{
		Caller:        choose(s, alice, tagged, svc, root, bob, svcB, logs, nobody, manager),
		Action:        choose(s, "kms:Decrypt", "kms:Decrypt", "kms:DescribeKey", "kms:PutKeyPolicy", "kms:CreateAlias", "kms:ListKeys", "secretsmanager:GetSecretValue", "ssm:GetParameter", "s3:GetObject"),
		AWSManagedKey: s.pick(9) == 1,
		Context:       new(Context),
	}
	switch {
	case r.Action == "kms:ListKeys":
		r.Resource = "*"
	case r.Action == "kms:CreateAlias" && s.pick(2) == 1:
		r.Resource = aliasApp
	case r.Action[:4] == "kms:":
		r.Resource = choose(s, keyOne, keyOne, keyTwo, "*", aliasApp)
	case r.Action == "secretsmanager:GetSecretValue":
		r.Resource = "arn:aws:secretsmanager:us-west-2:111122223333:secret:db-AbCdEf"
	case r.Action == "ssm:GetParameter":
		r.Resource = "arn:aws:ssm:us-west-2:111122223333:parameter/a/b"
	default:
		r.Resource, r.ResourceAccount = "arn:aws:s3:::b/x", accountA
	}
	pairs := map[string][]string{}
	for _, k := range []struct {
		name   string
		values [][]string
	}{
		{"kms:ViaService", [][]string{{viaSSM}, {viaEC2}}},
		{"kms:EncryptionContext:Dept", [][]string{{"IT"}, {"K1"}}},
		{"kms:EncryptionContext:X", [][]string{{"1"}}},
		{"kms:ResourceAliases", [][]string{{}, {"alias/app"}, {"alias/app", "alias/z"}}},
		{"aws:SourceIp", [][]string{{"203.0.113.7"}, {"2001:db8::1"}, {"198.51.100.9"}}},
		{"aws:MultiFactorAuthPresent", [][]string{{"true"}, {"false"}}},
		{"aws:MultiFactorAuthAge", [][]string{{"12.5"}, {"299"}, {"300"}}},
		{"aws:CurrentTime", [][]string{{"2026-05-31T23:00:00Z"}, {"2025-05-01T00:00:00Z"}}},
		{"aws:SourceVpce", [][]string{{"vpce-1"}}},
		{"example:unknown", [][]string{{"a"}, {"bc"}}},
	} {
		if s.pick(2) == 1 {
			v := choose(s, k.values...)
			pairs[k.name] = v
			r.Context.Set(k.name, v...)
		}
	}
	l := &Layers{SCP: s.levels(t, SCP), RCP: s.levels(t, RCP)}
	kind := KeyPolicy
	if r.Action[:4] != "kms:" {
		kind = SecretPolicy
	}
	if s.pick(5) > 0 {
		l.Resource = s.policy(t, kind, 4)
	}
	for range s.pick(3) {
		l.Identity = append(l.Identity, s.policy(t, Identity, 3))
	}
	if s.pick(4) == 1 {
		l.Boundary = s.policy(t, Boundary, 2)
	}
	if s.pick(4) == 1 {
		l.HasSession = true
		for range s.pick(3) {
			l.Session = append(l.Session, s.policy(t, Session, 2))
		}
	}
	if s.pick(4) == 1 {
		l.VPCEndpoint = s.policy(t, VPCEndpoint, 2)
	}
	for range s.pick(3) {
		l.Grants = append(l.Grants, s.grant())
	}
	return r, l, pairs
}

func (s *source) grant() *Grant {
	g := &Grant{
		Key:        choose(s, keyOne, keyTwo),
		Grantee:    choose(s, aliceARN, roleARN, sessionARN, rootARN, foreignRole, foreignRoot),
		Operations: choose(s, GrantDecrypt, GrantDecrypt|GrantDescribeKey, GrantSign),
	}
	if s.pick(2) == 1 {
		g.EncryptionContextSubset = []Pair{choose(s, Pair{"Dept", "IT"}, Pair{"dept", "K1"}, Pair{"X", "1"})}
	}
	return g
}

// checkQuestion holds the evaluator to the yardstick, to its explanation and to the
// properties that every decision has.
func checkQuestion(t testing.TB, data []byte) Outcome {
	s := &source{data}
	r, l, pairs := s.question(t)
	d := Decide(r, l)
	if want := newNaive(r, l, pairs).decide(); d.Outcome != want {
		require.FailNow(t, "not as the yardstick", "%v, not %s: %s", want, d.Code(), describe(r, l, pairs))
	}
	x := Explain(r, l)
	require.Equal(t, d, x.Decision)
	requireConsistent(t, x)

	// A further Deny never grants, nor does it make an explicit denial implicit.
	for _, more := range []struct {
		kind Kind
		into func(*Layers, *Policy)
	}{
		{Identity, func(l *Layers, p *Policy) { l.Identity = append(slices.Clone(l.Identity), p) }},
		{SCP, func(l *Layers, p *Policy) {
			if l.SCP = slices.Clone(l.SCP); len(l.SCP) > 0 {
				l.SCP[0] = append(slices.Clone(l.SCP[0]), p)
			}
		}},
		{SecretPolicy, func(l *Layers, p *Policy) {
			if l.Resource != nil {
				l.Resource = recompiled(t, l.Resource, func(d *Document) { d.Statements = append(d.Statements, p.doc.Statements...) })
			}
		}},
	} {
		deny := s.statement(more.kind)
		deny.Effect = Deny
		p, err := Compile(&Document{Kind: more.kind, Version: "2012-10-17", Statements: []Statement{deny}})
		require.NoError(t, err)
		with := *l
		more.into(&with, p)
		after := Decide(r, &with)
		orDescribe(t, d.Allowed || !after.Allowed, "a Deny granted", r, &with, pairs)
		require.True(t, d.Outcome != ExplicitDeny || after.Outcome == ExplicitDeny)
	}
	// A further grant never denies.
	with := *l
	with.Grants = append(slices.Clone(l.Grants), s.grant())
	require.Equal(t, d.Outcome == ExplicitDeny, Decide(r, &with).Outcome == ExplicitDeny)
	orDescribe(t, !d.Allowed || Decide(r, &with).Allowed, "a grant denied", r, &with, pairs)
	// Taking the permissions out of a layer that limits never grants.
	without := *l
	without.SCP, without.RCP = withoutAllows(t, l.SCP), withoutAllows(t, l.RCP)
	if l.Boundary != nil {
		without.Boundary = recompiled(t, l.Boundary, dropAllows)
	}
	if l.VPCEndpoint != nil {
		without.VPCEndpoint = recompiled(t, l.VPCEndpoint, dropAllows)
	}
	orDescribe(t, d.Allowed || !Decide(r, &without).Allowed, "fewer permissions granted", r, &without, pairs)
	// The order of statements and policies does not matter.
	turned := *l
	turned.Identity = slices.Clone(l.Identity)
	slices.Reverse(turned.Identity)
	if l.Resource != nil {
		turned.Resource = recompiled(t, l.Resource, func(d *Document) { slices.Reverse(d.Statements) })
	}
	after := Decide(r, &turned)
	require.Equal(t, d.Code(), after.Code())
	return d.Outcome
}

// orDescribe fails with a description unless the property holds.
func orDescribe(t testing.TB, holds bool, what string, r *Request, l *Layers, pairs map[string][]string) {
	t.Helper()
	if !holds {
		require.FailNow(t, what, describe(r, l, pairs))
	}
}

// recompiled returns the policy with its document changed.
func recompiled(t testing.TB, p *Policy, change func(*Document)) *Policy {
	d := *p.doc
	d.Statements = slices.Clone(d.Statements)
	change(&d)
	changed, err := Compile(&d)
	require.NoError(t, err)
	return changed
}

func dropAllows(d *Document) {
	d.Statements = slices.DeleteFunc(d.Statements, func(s Statement) bool { return s.Effect == Allow })
}

func withoutAllows(t testing.TB, levels [][]*Policy) [][]*Policy {
	if levels == nil {
		return nil
	}
	out := [][]*Policy{}
	for _, level := range levels {
		var policies []*Policy
		for _, p := range level {
			policies = append(policies, recompiled(t, p, dropAllows))
		}
		out = append(out, policies)
	}
	return out
}

func TestDecideAgreesWithYardstick(t *testing.T) {
	t.Parallel()
	counts := map[Outcome]int{}
	for seed := range uint64(1500) {
		rng := rand.New(rand.NewPCG(seed, 7))
		data := make([]byte, 300)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		counts[checkQuestion(t, data)]++
	}
	// The questions are worth asking only if every outcome occurs.
	for o := range numOutcomes {
		require.Greater(t, counts[o], 50, "%v in %v", o, counts)
	}
}

func FuzzDecide(f *testing.F) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 200)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2000 {
			checkQuestion(t, data)
		}
	})
}
