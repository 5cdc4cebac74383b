package bench

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/sealring/sealring/policy"
)

// The same question to both engines: may alice decrypt? Of n statements the last one
// allows it, under three conditions; the others are for other people.

const (
	keyARN   = "arn:aws:kms:eu-west-1:111122223333:key/6f0a1c52-6f3d-4e3b-9c0e-0a3b0d3f8a01"
	aliceARN = "arn:aws:iam::111122223333:user/alice"
	service  = "s3.eu-west-1.amazonaws.com"
)

// keyPolicy returns a key policy of n statements. They are parsed one by one and put
// together: a document of a thousand is longer than AWS accepts.
func keyPolicy(b *testing.B, n int) *policy.Policy {
	b.Helper()
	all := &policy.Document{Kind: policy.KeyPolicy, Version: "2012-10-17"}
	add := func(statement string) {
		d, _, err := policy.Parse(policy.KeyPolicy, []byte(`{"Version":"2012-10-17","Statement":`+statement+`}`))
		if err != nil {
			b.Fatal(err)
		}
		all.Statements = append(all.Statements, d.Statements...)
	}
	for i := range n - 1 {
		add(fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/user-%d"},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"}`, i))
	}
	add(`{"Effect":"Allow","Principal":{"AWS":"` + aliceARN + `"},"Action":"kms:Decrypt","Resource":"*","Condition":{
		"StringEquals":{"kms:ViaService":"` + service + `"},
		"StringLike":{"kms:EncryptionContext:bucket":"orders-*"},
		"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`)
	p, err := policy.Compile(all)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func BenchmarkPolicyDecide(b *testing.B) {
	for _, n := range []int{6, 1000} {
		b.Run(fmt.Sprintf("%d statements", n), func(b *testing.B) {
			c := &policy.Context{}
			c.SetString(policy.KMSViaService, service)
			c.SetAddr(policy.AWSSourceIP, netip.MustParseAddr("10.1.2.3"))
			c.Add(policy.EncryptionContext, "bucket", "orders-2026")
			r := &policy.Request{
				Caller:   policy.Caller{Kind: policy.UserCaller, Account: "111122223333", ARN: aliceARN, UserName: "alice"},
				Action:   "kms:Decrypt",
				Resource: keyARN,
				Context:  c,
			}
			l := &policy.Layers{Resource: keyPolicy(b, n)}
			b.ReportAllocs()
			for b.Loop() {
				if !policy.Decide(r, l).Allowed {
					b.Fatal("denied")
				}
			}
		})
	}
}

func BenchmarkCedar(b *testing.B) {
	for _, n := range []int{6, 1000} {
		b.Run(fmt.Sprintf("%d statements", n), func(b *testing.B) {
			var text strings.Builder
			for i := range n - 1 {
				fmt.Fprintf(&text, "permit(principal == User::\"user-%d\", action in [Action::\"Encrypt\", Action::\"Decrypt\"], resource);\n", i)
			}
			text.WriteString(`permit(principal == User::"alice", action == Action::"Decrypt", resource) when {
				context.viaService == "` + service + `" &&
				context.encryptionContext.bucket like "orders-*" &&
				context.sourceIp.isInRange(ip("10.0.0.0/8")) };`)
			set, err := cedar.NewPolicySetFromBytes("bench", []byte(text.String()))
			if err != nil {
				b.Fatal(err)
			}
			address, err := types.ParseIPAddr("10.1.2.3")
			if err != nil {
				b.Fatal(err)
			}
			r := cedar.Request{
				Principal: cedar.NewEntityUID("User", "alice"),
				Action:    cedar.NewEntityUID("Action", "Decrypt"),
				Resource:  cedar.NewEntityUID("Key", keyARN),
				Context: cedar.NewRecord(cedar.RecordMap{
					"viaService":        cedar.String(service),
					"sourceIp":          address,
					"encryptionContext": cedar.NewRecord(cedar.RecordMap{"bucket": cedar.String("orders-2026")}),
				}),
			}
			entities := cedar.EntityMap{}
			b.ReportAllocs()
			for b.Loop() {
				if ok, _ := cedar.Authorize(set, entities, r); !ok {
					b.Fatal("denied")
				}
			}
		})
	}
}
