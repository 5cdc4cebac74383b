package policy

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchmarkKey returns a key policy of n statements besides one that matches the
// request last, with three conditions.
func benchmarkKey(t testing.TB, n int) *Policy {
	services := []string{"kms:Encrypt", "kms:Sign", "kms:DescribeKey", "kms:List*", "kms:CreateGrant", "kms:GenerateDataKey*", "kms:TagResource"}
	var statements []string
	for i := range n {
		statements = append(statements, permitFor(fmt.Sprintf("arn:aws:iam::%s:role/team-%d", accountA, i), services[i%len(services)]))
	}
	return compiledLarge(t, append(statements, statementText("Allow", aliceARN, "kms:Decrypt",
		when(`"StringEquals":{"kms:EncryptionContext:tenant":"42"},"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/ali*"}`)))...)
}

func benchmarkRequest() *Request {
	return &Request{Caller: alice, Action: "kms:Decrypt", Resource: keyOne, Context: given(
		"kms:EncryptionContext:tenant", "42", "aws:SourceIp", "203.0.113.7", "aws:SecureTransport", "true")}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{6, 21, 101, 1001} {
		b.Run(fmt.Sprintf("%d statements", n), func(b *testing.B) {
			r, l := benchmarkRequest(), &Layers{Resource: benchmarkKey(b, n-1)}
			require.True(b, Decide(r, l).Allowed)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				Decide(r, l)
			}
		})
	}
	b.Run("1001 statements of one action", func(b *testing.B) {
		var statements []string
		for i := range 1000 {
			statements = append(statements, permitFor(fmt.Sprintf("arn:aws:iam::%s:user/user-%d", accountA, i), "kms:Decrypt"))
		}
		r, l := benchmarkRequest(), &Layers{Resource: compiledLarge(b, append(statements, permitFor(aliceARN, "kms:*"))...)}
		require.True(b, Decide(r, l).Allowed)
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			Decide(r, l)
		}
	})
	b.Run("all layers", func(b *testing.B) {
		r, l := benchmarkRequest(), manyLayers(b)
		require.Equal(b, byAccount, Decide(r, l).Code())
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			Decide(r, l)
		}
	})
}

// manyLayers is a request's usual surroundings: a key policy of five statements, three
// identity policies of ten, a boundary and three levels of organization policies.
func manyLayers(t testing.TB) *Layers {
	identity := func(last string) *Policy {
		return compiled(t, Identity, permitAny("s3:*"), statementText("Allow", "", "secretsmanager:GetSecretValue", on("arn:aws:secretsmanager:*:*:secret:app-*")),
			statementText("Allow", "", "kms:Encrypt kms:GenerateDataKey*", on("arn:aws:kms:*:*:key/*")), last)
	}
	full := list(compiled(t, SCP, permitAny("*"), denyAny("organizations:*")))
	return &Layers{
		SCP: [][]*Policy{full, full, full},
		RCP: [][]*Policy{list(compiled(t, RCP, permitFor(`"*"`, "*")))},
		Resource: compiled(t, KeyPolicy, permitFor(rootARN, "kms:*"), permitFor(bob.ARN, "kms:Decrypt"),
			permitFor(roleARN, "kms:Encrypt kms:Decrypt"), permitFor(svcB.RoleARN, "kms:DescribeKey"),
			statementText("Deny", `"*"`, "kms:*", when(`"Bool":{"aws:SecureTransport":"false"}`))),
		Identity: list(identity(permitAny("logs:*")), identity(permitAny("sqs:*")),
			identity(statementText("Allow", "", "kms:Decrypt", on("arn:aws:kms:*:"+accountA+":key/*")))),
		Boundary: compiled(t, Boundary, permitAny("kms:* s3:*")),
	}
}

func BenchmarkExplain(b *testing.B) {
	r, l := benchmarkRequest(), manyLayers(b)
	b.ReportAllocs()
	for range b.N {
		Explain(r, l)
	}
}

func BenchmarkHostileGlob(b *testing.B) {
	p, subject := hostileGlob()
	b.ReportAllocs()
	for range b.N {
		p.match(nil, subject)
	}
}
