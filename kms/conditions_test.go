package kms_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

// asked is a request, and what is peculiar to its caller.
type asked struct {
	in   func(w *world) any
	from func(c *identity.Caller)
}

// conditionRow is a condition, requests that meet it and requests that do not.
type conditionRow struct {
	condition string
	meet      []asked
	fail      []asked
}

// encryptIn asks to encrypt under the key with a context of one pair, or none.
func encryptIn(pairs ...string) asked {
	context := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		context[pairs[i]] = pairs[i+1]
	}
	return asked{in: func(w *world) any {
		return &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), EncryptionContext: context}
	}}
}

func asks(in func(w *world) any) []asked { return []asked{{in: in}} }

func describeBy(id func(w *world) string) asked {
	return asked{in: func(w *world) any { return &sdk.DescribeKeyInput{KeyId: aws.String(id(w))} }}
}

func deleteIn(days *int32) asked {
	return asked{in: func(w *world) any { return &sdk.ScheduleKeyDeletionInput{KeyId: &w.key, PendingWindowInDays: days} }}
}

func grantOf(change func(in *sdk.CreateGrantInput)) asked {
	return asked{in: func(w *world) any {
		in := &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{types.GrantOperationDecrypt}}
		if change != nil {
			change(in)
		}
		return in
	}}
}

func tagWith(pairs ...string) asked {
	return asked{in: func(w *world) any { return &sdk.TagResourceInput{KeyId: &w.key, Tags: tags(pairs...)} }}
}

func putPolicy(bypass bool) asked {
	return asked{in: func(w *world) any {
		text := document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:*"))
		return &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &text, BypassPolicyLockoutSafetyCheck: bypass}
	}}
}

// from is Encrypt by a caller that is changed.
func from(change func(c *identity.Caller)) asked { return asked{in: encryptKey, from: change} }

func byKey(w *world) string { return w.key }
func byAlias(*world) string { return "alias/app" }
func aliasARNOf(*world) any { return &sdk.DescribeKeyInput{KeyId: aws.String(aliasARN("alias/app"))} }

func reEncryptTo(key func(w *world) *string) func(t *testing.T) asked {
	return func(t *testing.T) asked {
		return asked{in: func(w *world) any {
			return &sdk.ReEncryptInput{CiphertextBlob: w.encrypt(t, w.key, map[string]string{"Dept": "IT"}), DestinationKeyId: key(w),
				SourceEncryptionContext: map[string]string{"Dept": "IT"}}
		}}
	}
}

func conditionRows(t *testing.T) []conditionRow {
	same := reEncryptTo(func(w *world) *string { return &w.key })(t)
	another := reEncryptTo(func(w *world) *string { return &w.other })(t)
	decrypt := func(context map[string]string) asked {
		return asked{in: func(w *world) any {
			return &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.key, context), EncryptionContext: context}
		}}
	}
	dataKey := func(context map[string]string) asked {
		return asked{in: func(w *world) any {
			return &sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256, EncryptionContext: context}
		}}
	}
	it := map[string]string{"Dept": "IT"}
	constrained := func(c *types.GrantConstraints) asked {
		return grantOf(func(in *sdk.CreateGrantInput) { in.Constraints = c })
	}
	plain, address := encryptIn(), netip.MustParseAddr("203.0.113.77")
	return []conditionRow{
		// the encryption context
		{`{"StringEquals":{"kms:EncryptionContext:Dept":"IT"}}`,
			[]asked{encryptIn("Dept", "IT"), encryptIn("Dept", "IT", "X", "1"), decrypt(it), dataKey(it), constrained(&types.GrantConstraints{EncryptionContextEquals: it}),
				constrained(&types.GrantConstraints{EncryptionContextSubset: it})},
			[]asked{encryptIn("Dept", "it"), plain, decrypt(nil), dataKey(nil), grantOf(nil), another, tagWith("Dept=IT"), describeBy(byKey)}},
		{`{"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":"Dept"},"Null":{"kms:EncryptionContextKeys":"false"}}`,
			[]asked{encryptIn("Dept", "x")}, []asked{encryptIn("Dept", "x", "X", "1"), plain}},
		{`{"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"Dept"}}`, []asked{encryptIn("Dept", "x", "X", "1")}, []asked{encryptIn("X", "1"), plain}},
		{`{"StringEquals":{"kms:EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}}`, []asked{plain, decrypt(nil), dataKey(nil), same, another}, []asked{describeBy(byKey)}},

		// how the key was named, and its aliases
		{`{"StringEquals":{"kms:RequestAlias":"alias/app"}}`, []asked{describeBy(byAlias), {in: aliasARNOf}}, []asked{describeBy(byKey)}},
		{`{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/app"}}`, []asked{describeBy(byKey)},
			asks(func(w *world) any { return &sdk.DescribeKeyInput{KeyId: &w.other} })},

		// the key
		{`{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","kms:KeyUsage":"ENCRYPT_DECRYPT","kms:KeyOrigin":"AWS_KMS"},"Bool":{"kms:MultiRegion":"false"}}`, []asked{plain}, nil},
		{`{"StringEquals":{"kms:CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","kms:CustomerMasterKeyUsage":"ENCRYPT_DECRYPT"}}`, []asked{plain}, nil},
		{`{"StringEquals":{"kms:KeySpec":"RSA_2048"}}`, nil, []asked{plain}},
		{`{"StringEquals":{"kms:KeyOrigin":"EXTERNAL"}}`, nil, []asked{plain}},
		{`{"Null":{"kms:MultiRegionKeyType":"true","kms:ViaService":"true"}}`, []asked{plain}, nil},
		{`{"StringEquals":{"aws:ResourceTag/team":"blue"}}`, []asked{plain}, asks(func(w *world) any { return &sdk.DescribeKeyInput{KeyId: &w.other} })},
		{`{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}`, []asked{plain}, asks(func(w *world) any { return &sdk.DescribeKeyInput{KeyId: &w.other} })},
		{`{"StringEquals":{"aws:ResourceTag/Team":"red"}}`, nil, []asked{plain}},

		// parameters
		{`{"NumericEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":"7"}}`, []asked{deleteIn(aws.Int32(7))}, []asked{deleteIn(nil), deleteIn(aws.Int32(8)), plain}},
		{`{"NumericEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":"30"}}`, []asked{deleteIn(nil)}, []asked{deleteIn(aws.Int32(29))}},
		{`{"Bool":{"kms:ReEncryptOnSameKey":"true"}}`, []asked{same}, []asked{another, plain}},
		{`{"Bool":{"kms:ReEncryptOnSameKey":"false"}}`, []asked{another}, []asked{same, plain}},
		{`{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}}`, []asked{putPolicy(true)}, []asked{putPolicy(false), plain}},
		{`{"Null":{"kms:BypassPolicyLockoutSafetyCheck":"true"}}`, []asked{putPolicy(false), plain}, []asked{putPolicy(true)}},
		{`{"StringEquals":{"aws:RequestTag/team":"red"}}`, []asked{tagWith("team=red", "x=1")}, []asked{tagWith("team=blue"), tagWith("x=1"), plain}},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["team","x"]},"Null":{"aws:TagKeys":"false"}}`,
			[]asked{tagWith("team=red", "x=1"), {in: func(w *world) any { return &sdk.UntagResourceInput{KeyId: &w.key, TagKeys: []string{"x"}} }}},
			[]asked{tagWith("y=1"), tagWith("team=red", "y=1"), {in: func(w *world) any { return &sdk.UntagResourceInput{KeyId: &w.key, TagKeys: []string{"y"}} }}, plain}},
		{`{"Null":{"aws:RequestTag/x":"false"}}`, []asked{tagWith("x=")}, asks(func(w *world) any { return &sdk.UntagResourceInput{KeyId: &w.key, TagKeys: []string{"x"}} })},

		// grants
		{`{"ForAllValues:StringEquals":{"kms:GrantOperations":["Decrypt","Encrypt"]},"Null":{"kms:GrantOperations":"false"}}`,
			[]asked{grantOf(nil)}, []asked{plain, grantOf(func(in *sdk.CreateGrantInput) { in.Operations = append(in.Operations, "DescribeKey") })}},
		{`{"StringEquals":{"kms:GranteePrincipal":"` + bob + `"}}`, []asked{grantOf(nil)},
			[]asked{plain, grantOf(func(in *sdk.CreateGrantInput) { in.GranteePrincipal = &carol.Principal })}},
		{`{"StringEquals":{"kms:RetiringPrincipal":"` + bob + `"}}`, []asked{grantOf(func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &bob })},
			[]asked{grantOf(nil), grantOf(func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &carol.Principal })}},
		{`{"StringEquals":{"kms:GrantConstraintType":"EncryptionContextEquals"}}`, []asked{constrained(&types.GrantConstraints{EncryptionContextEquals: it})},
			[]asked{grantOf(nil), constrained(&types.GrantConstraints{EncryptionContextSubset: it})}},
		{`{"StringEquals":{"kms:GrantConstraintType":"EncryptionContextSubset"}}`, []asked{constrained(&types.GrantConstraints{EncryptionContextSubset: it})},
			[]asked{grantOf(nil), constrained(&types.GrantConstraints{EncryptionContextEquals: it})}},
		{`{"StringEquals":{"kms:GranteeServicePrincipal":"s3.amazonaws.com","kms:GrantConstraintSourceArn":"arn:aws:s3:::b","kms:GrantConstraintType":"SourceArn"}}`,
			[]asked{grantOf(toService("s3.amazonaws.com", "arn:aws:s3:::b"))},
			[]asked{grantOf(nil), grantOf(toService("ssm.amazonaws.com", "arn:aws:s3:::b")), grantOf(toService("s3.amazonaws.com", "arn:aws:s3:::c"))}},
		{`{"StringEquals":{"kms:RetiringServicePrincipal":"logs.amazonaws.com"},"Null":{"kms:GranteePrincipal":"true","kms:RetiringPrincipal":"true"}}`,
			[]asked{grantOf(func(in *sdk.CreateGrantInput) {
				toService("s3.amazonaws.com", "arn:aws:s3:::b")(in)
				in.RetiringPrincipal, in.RetiringServicePrincipal = nil, aws.String("logs.amazonaws.com")
			})},
			[]asked{grantOf(nil), grantOf(toService("s3.amazonaws.com", "arn:aws:s3:::b"))}},
		{`{"Bool":{"kms:GrantIsForAWSResource":"true"}}`,
			[]asked{{in: grantOf(nil).in, from: through("rds.amazonaws.com")}, {in: listGrantsOf, from: through("rds.amazonaws.com")}},
			[]asked{grantOf(nil), {in: listGrantsOf}, {in: encryptKey, from: through("rds.amazonaws.com")}}},

		// services that pass the request on
		{`{"StringEquals":{"kms:ViaService":"ssm.us-east-1.amazonaws.com"},"Bool":{"aws:ViaAWSService":"true"}}`,
			[]asked{from(through("ssm.amazonaws.com")), from(through("cloudformation.amazonaws.com", "ssm.amazonaws.com")), from(through("ssm.us-east-1.amazonaws.com"))},
			[]asked{plain, from(through("ec2.amazonaws.com")), from(through("ssm.amazonaws.com", "ec2.amazonaws.com"))}},
		{`{"StringNotEqualsIfExists":{"kms:ViaService":"ec2.us-east-1.amazonaws.com"}}`, []asked{plain, from(through("ssm.amazonaws.com"))}, []asked{from(through("ec2.amazonaws.com"))}},
		{`{"Bool":{"aws:ViaAWSService":"false"},"Null":{"aws:CalledVia":"true","aws:CalledViaFirst":"true"}}`, []asked{plain}, []asked{from(through("ec2.amazonaws.com"))}},
		{`{"ForAnyValue:StringEquals":{"aws:CalledVia":"a.amazonaws.com"},"StringEquals":{"aws:CalledViaFirst":"b.amazonaws.com","aws:CalledViaLast":"c.amazonaws.com"}}`,
			[]asked{from(through("b.amazonaws.com", "a.amazonaws.com", "c.amazonaws.com"))}, []asked{plain, from(through("a.amazonaws.com", "c.amazonaws.com"))}},
		{`{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::b","aws:SourceAccount":"111122223333","aws:SourceOrgID":"o-1234567890"}}`,
			[]asked{from(func(c *identity.Caller) { c.SourceARN, c.SourceAccount = "arn:aws:s3:::b", account })},
			[]asked{plain, from(func(c *identity.Caller) { c.SourceARN, c.SourceAccount = "arn:aws:s3:::b", otherAccount })}},

		// the caller, and where and when
		{`{"StringEquals":{"kms:CallerAccount":"111122223333","aws:PrincipalAccount":"111122223333","aws:ResourceAccount":"111122223333"}}`, []asked{plain}, nil},
		{`{"StringEquals":{"kms:CallerAccount":"444455556666"}}`, nil, []asked{plain}},
		{`{"StringEquals":{"aws:username":"alice","aws:PrincipalType":"User"}}`, []asked{plain}, nil},
		{`{"StringEquals":{"aws:PrincipalTag/team":"blue"}}`, []asked{plain}, nil},
		{`{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890","aws:ResourceOrgID":"o-1234567890"}}`, []asked{plain}, nil},
		{`{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-1234567890/*","aws:ResourceOrgPaths":"o-1234567890/*"}}`, []asked{plain}, nil},
		{`{"StringEquals":{"aws:ResourceOrgID":"o-0987654321"}}`, nil, []asked{plain}},
		{`{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, []asked{from(func(c *identity.Caller) { c.SourceIP = address })},
			[]asked{plain, from(func(c *identity.Caller) { c.SourceIP = netip.MustParseAddr("203.0.114.1") })}},
		{`{"Bool":{"aws:SecureTransport":"true"}}`, []asked{plain}, []asked{from(func(c *identity.Caller) { c.PlainTransport = true })}},
		{`{"StringLike":{"aws:UserAgent":"test/*"}}`, []asked{from(func(c *identity.Caller) { c.UserAgent = "test/1" })}, []asked{from(func(c *identity.Caller) { c.UserAgent = "x" })}},
		{`{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`, []asked{plain}, nil},
		{`{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`, nil, []asked{plain}},
		{`{"DateEquals":{"aws:CurrentTime":"2026-01-01T00:00:00Z"},"NumericEquals":{"aws:EpochTime":"1767225600"}}`, []asked{plain}, nil},
		{`{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}`, nil, []asked{plain}},
		{`{"StringEquals":{"aws:SourceIdentity":"ann"},"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}`,
			[]asked{from(func(c *identity.Caller) {
				c.Session = &identity.Session{Issuer: alice.Principal, SourceIdentity: "ann", Issued: time.Unix(1, 0), Restricted: true, Policies: everythingAllowed}
			})},
			[]asked{plain}},
		// A second factor: the cloud's clock stands at 2026-01-01. Long-term credentials
		// do not have the key at all.
		{`{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}`,
			[]asked{from(withFactor(time.Date(2025, 12, 31, 23, 30, 0, 0, time.UTC)))},
			[]asked{plain, from(withFactor(time.Time{})), from(withFactor(time.Date(2025, 12, 31, 22, 0, 0, 0, time.UTC)))}},
		{`{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`, []asked{from(withFactor(time.Time{}))}, []asked{plain}},
		{`{"Null":{"aws:MultiFactorAuthPresent":"true"}}`, []asked{plain}, []asked{from(withFactor(time.Time{}))}},
	}
}

// through has services pass the request on.
func through(services ...string) func(*identity.Caller) {
	return func(c *identity.Caller) {
		for _, s := range services {
			*c = c.Through(s)
		}
	}
}

// toService makes the grant one to a service, for a resource.
func toService(name, source string) func(*sdk.CreateGrantInput) {
	return func(in *sdk.CreateGrantInput) {
		in.GranteePrincipal, in.GranteeServicePrincipal, in.RetiringPrincipal = nil, &name, &bob
		in.Constraints = &types.GrantConstraints{SourceArn: &source}
	}
}

func listGrantsOf(w *world) any { return &sdk.ListGrantsInput{KeyId: &w.key} }

// withFactor makes a caller a session whose principal gave a second factor at a time.
func withFactor(at time.Time) func(*identity.Caller) {
	return func(c *identity.Caller) {
		c.Session = &identity.Session{Issuer: alice.Principal, MFA: at, Restricted: true, Policies: everythingAllowed}
	}
}

// everythingAllowed is the session policy that limits nothing.
var everythingAllowed = func() []*policy.Policy {
	d, _, err := policy.Parse(policy.Session, []byte(document(own("Allow", "*", "*"))))
	if err != nil {
		panic(err)
	}
	p, err := policy.Compile(d)
	if err != nil {
		panic(err)
	}
	return []*policy.Policy{p}
}()

// TestConditions has alice be allowed everything under a condition, on two keys of
// which only one has a tag and an alias.
func TestConditions(t *testing.T) {
	t.Parallel()
	for _, row := range conditionRows(t) {
		t.Run(row.condition, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				w.attach(alice.Principal, identity.Principal{Tags: []policy.Pair{{Key: "team", Value: "blue"}}})
				w.place(account, identity.Account{OrgID: "o-1234567890", OrgPaths: []string{"o-1234567890/r-1/ou-1/"}})
				restore := func() {
					for _, key := range []string{w.key, w.other} {
						w.setPolicy(t, key, document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:*", when(row.condition))))
					}
					succeeds(t, w.as(root), &sdk.UntagResourceInput{KeyId: &w.key, TagKeys: []string{"x", "y"}})
					succeeds(t, w.as(root), &sdk.TagResourceInput{KeyId: &w.key, Tags: tags("team=blue")})
				}
				ask := func(a asked) error {
					restore()
					c := alice
					if a.from != nil {
						a.from(&c)
					}
					_, err := call(t.Context(), w.as(c), a.in(w))
					return err
				}
				for i, a := range row.fail {
					require.Equal(t, "AccessDeniedException", codeOf(ask(a)), "refused request %d", i)
				}
				for i, a := range row.meet {
					if _, deletes := a.in(w).(*sdk.ScheduleKeyDeletionInput); deletes {
						defer func() { require.NoError(t, ask(a)) }()
						continue
					}
					require.NoError(t, ask(a), "request %d", i)
				}
			})
		})
	}
}

// TestConditionsOfCreateKey has the caller's own policies ask about the key to be made.
func TestConditionsOfCreateKey(t *testing.T) {
	t.Parallel()
	text := document(statement("Allow", alice.Principal, "kms:*"))
	for _, row := range []struct {
		condition  string
		meet, fail []*sdk.CreateKeyInput
	}{
		{`{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","kms:KeyUsage":"ENCRYPT_DECRYPT","kms:KeyOrigin":"AWS_KMS"},"Bool":{"kms:MultiRegion":"false"}}`, []*sdk.CreateKeyInput{{}}, nil},
		{`{"StringEquals":{"kms:KeySpec":"HMAC_256"}}`, nil, []*sdk.CreateKeyInput{{}}},
		{`{"StringEquals":{"aws:RequestTag/team":"red"}}`, []*sdk.CreateKeyInput{{Tags: tags("team=red")}}, []*sdk.CreateKeyInput{{}, {Tags: tags("team=blue")}}},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":"team"}}`, []*sdk.CreateKeyInput{{}, {Tags: tags("team=red")}}, []*sdk.CreateKeyInput{{Tags: tags("x=1")}}},
		{`{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}}`, []*sdk.CreateKeyInput{{Policy: &text, BypassPolicyLockoutSafetyCheck: true}}, []*sdk.CreateKeyInput{{}, {Policy: &text}}},
		{`{"Null":{"kms:BypassPolicyLockoutSafetyCheck":"true","aws:ResourceTag/team":"true","kms:ResourceAliases":"true"}}`, []*sdk.CreateKeyInput{{Policy: &text, Tags: tags("team=red")}},
			[]*sdk.CreateKeyInput{{BypassPolicyLockoutSafetyCheck: true}}},
		{`{"StringEquals":{"kms:CallerAccount":"111122223333"}}`, []*sdk.CreateKeyInput{{}}, nil},
	} {
		t.Run(row.condition, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				w.attach(alice.Principal, allowing(t, own("Allow", "kms:*", "*", when(row.condition))))
				for _, in := range row.meet {
					succeeds(t, w.as(alice), in)
				}
				for _, in := range row.fail {
					denied(t, w.as(alice), alice, in, "kms:CreateKey", "*", noPolicy("identity-based policy", "kms:CreateKey"))
				}
			})
		})
	}
}

// TestConditionsOfReplicateKey has the caller's own policies ask what the three checks of
// one request know: the Region where the key is replicated, the tags where they are made.
func TestConditionsOfReplicateKey(t *testing.T) {
	t.Parallel()
	checks := []string{"kms:ReplicateKey", "kms:CreateKey", "kms:TagResource"}
	for _, row := range []struct {
		condition string
		meets     string // the only check, of which the condition holds
	}{
		{`{"StringEquals":{"kms:ReplicaRegion":"ap-northeast-1"}}`, "kms:ReplicateKey"},
		{`{"StringEquals":{"aws:RequestTag/team":"red"}}`, "kms:TagResource"},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":"team"}}`, "kms:TagResource"},
	} {
		t.Run(row.condition, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				key := w.newPrimary(t)
				in := &sdk.ReplicateKeyInput{KeyId: &key, ReplicaRegion: aws.String(tokyo), Tags: tags("team=red")}
				for _, conditional := range checks {
					statements := []string{}
					for _, check := range checks {
						if check == conditional {
							statements = append(statements, own("Allow", check, "*", when(row.condition)))
						} else {
							statements = append(statements, own("Allow", check, "*"))
						}
					}
					w.attach(alice.Principal, allowing(t, statements...))
					_, err := call(t.Context(), w.as(alice), in)
					if conditional == row.meets {
						require.NoError(t, err, conditional)
						succeeds(t, w.as(root.In(tokyo)), &sdk.ScheduleKeyDeletionInput{KeyId: aws.String(idOf(key)), PendingWindowInDays: aws.Int32(7)})
						w.advance(8 * day) // for the others
						continue
					}
					require.Equal(t, "AccessDeniedException", codeOf(err), conditional)
					require.ErrorContains(t, err, conditional)
				}
			})
		})
	}
}

// TestSessionTags has the tags of a session stand in place of the role's.
func TestSessionTags(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		statement := func(key, value string) string {
			return document(statement("Allow", account, "kms:*"), statement("Allow", svc.Session.Role, "kms:*", when(`{"StringEquals":{"aws:PrincipalTag/`+key+`":"`+value+`"}}`)))
		}
		w.attach(svc.Session.Role, identity.Principal{Tags: []policy.Pair{{Key: "Team", Value: "blue"}, {Key: "site", Value: "north"}}})
		tagged := svc
		tagged.Session = &identity.Session{Role: svc.Session.Role, Tags: []policy.Pair{{Key: "team", Value: "red"}}}
		for _, row := range []struct {
			key, value string
			c          identity.Caller
			ok         bool
		}{
			{"team", "blue", svc, true}, {"team", "red", svc, false},
			{"team", "red", tagged, true}, {"team", "blue", tagged, false},
			{"site", "north", tagged, true},
		} {
			w.setPolicy(t, w.key, statement(row.key, row.value))
			_, err := call(t.Context(), w.as(row.c), encryptKey(w))
			require.Equal(t, row.ok, err == nil, "%v: %v", row, err)
		}
	})
}
