package policy

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// check is one permission check of a worked decision.
type check struct {
	n      int
	name   string
	caller Caller
	action string
	on     string // keyOne if empty
	ctx    *Context
	layers Layers
	change func(*Request)
	want   string
}

func (c *check) request() *Request {
	r := &Request{Caller: c.caller, Action: c.action, Resource: c.on, Context: c.ctx}
	if r.Resource == "" {
		r.Resource = keyOne
	}
	if c.change != nil {
		c.change(r)
	}
	return r
}

// run decides the check and holds Explain to the same.
func (c *check) run(t *testing.T) {
	t.Run(fmt.Sprintf("%d %s", c.n, c.name), func(t *testing.T) {
		t.Parallel()
		r := c.request()
		d := Decide(r, &c.layers)
		require.Equal(t, c.want, d.Code())
		require.Equal(t, d.Outcome == Allowed, d.Allowed)
		x := Explain(r, &c.layers)
		require.Equal(t, d, x.Decision)
		requireConsistent(t, x)
	})
}

// The codes that occur often.
const (
	noIdentity  = "ImplicitDeny.NoIdentityAllow"
	noResource  = "ImplicitDeny.NoResourceAllow"
	noDelegate  = "ImplicitDeny.KeyPolicyDoesNotDelegate"
	byKey       = "Allowed.keyPolicyDirect"
	byAccount   = "Allowed.keyPolicyDelegated"
	byIdentity  = "Allowed.identity"
	byGrantPath = "Allowed.grant"
	across      = "Allowed.crossAccount"
)

func list(p ...*Policy) []*Policy { return p }

func TestWorkedDecisionsSameAccount(t *testing.T) {
	t.Parallel()
	key := func(s ...string) *Policy { return compiled(t, KeyPolicy, s...) }
	id := func(s ...string) []*Policy { return list(compiled(t, Identity, s...)) }
	boundary := func(what string) *Policy { return compiled(t, Boundary, permitAny(what)) }
	session := func(what string) []*Policy { return list(compiled(t, Session, permitAny(what))) }
	toRoot := permitFor(rootARN, "kms:*")
	decryptKey := statementText("Allow", "", "kms:Decrypt", on(keyOne))
	viaSSMOnly := key(statementText("Allow", rootARN, "kms:*", when(`"StringEquals":{"kms:ViaService":"`+viaSSM+`"}`)))
	starInA := statementText("Allow", `"*"`, "kms:Decrypt", when(`"StringEquals":{"kms:CallerAccount":"`+accountA+`"}`))
	managed := key(statementText("Allow", "*", "kms:Decrypt",
		when(`"StringEquals":{"kms:CallerAccount":"`+accountA+`","kms:ViaService":"`+viaSSM+`"}`)))
	byAlias := id(statementText("Allow", "", "kms:Decrypt", when(`"StringEquals":{"kms:RequestAlias":"alias/app"}`)))
	byAliases := id(statementText("Allow", "", "kms:Decrypt", when(`"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/app"}`)))
	exceptK1 := id(permitAny("kms:*"), statementText("Deny", "", "kms:*", `"NotResource":"arn:aws:kms:*:`+accountA+`:key/K1"`))
	tagged := alice
	tagged.Tags = []Pair{{"kid", "K1"}}
	variable := `arn:aws:kms:*:` + accountA + `:key/${aws:PrincipalTag/kid}`
	// Parse wants 2012-10-17 of an identity policy: a stored one may be older.
	old := func(statement string) []*Policy {
		d, _, err := Parse(Identity, []byte(documentText("2012-10-17", statement)))
		require.NoError(t, err)
		d.Version = ""
		p, err := Compile(d)
		require.NoError(t, err)
		return list(p)
	}

	for _, c := range []check{
		{n: 1, name: "the account's statement only unlocks", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot)}, want: noIdentity},
		{n: 2, name: "delegated", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(decryptKey)}, want: byAccount},
		{n: 3, name: "direct", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(aliceARN, "kms:Decrypt"))}, want: byKey},
		{n: 4, name: "not delegated", caller: bob, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(aliceARN, "kms:Decrypt")), Identity: id(permitAny("kms:*"))}, want: noDelegate},
		{n: 5, name: "root has no innate right", caller: root, action: "kms:PutKeyPolicy", layers: Layers{Resource: key(permitFor(aliceARN, "kms:*"))}, want: noResource},
		{n: 6, name: "root by the account", caller: root, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot)}, want: byKey},
		{n: 7, name: "unlock of other actions", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(rootARN, "kms:Describe*")), Identity: id(permitAny("kms:*"))}, want: noDelegate},
		{n: 8, name: "unlock's condition fails", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: viaSSMOnly, Identity: id(decryptKey)}, want: noDelegate},
		{n: 9, name: "unlock's condition holds", caller: alice, action: "kms:Decrypt", ctx: given("kms:ViaService", viaSSM), layers: Layers{Resource: viaSSMOnly, Identity: id(decryptKey)}, want: byAccount},
		{n: 10, name: "identity Deny needs no unlock", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(aliceARN, "kms:*")), Identity: id(denyAny("kms:Decrypt"))}, want: "ExplicitDeny.Identity"},
		{n: 11, name: "key policy Deny", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot, denyFor(aliceARN, "kms:Decrypt")), Identity: id(permitAny("kms:*"))}, want: "ExplicitDeny.Resource"},
		{n: 12, name: "no Resource element", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(`{"Effect":"Allow","Principal":{"AWS":"` + aliceARN + `"},"Action":"kms:Decrypt"}`)}, want: noResource},
		{n: 13, name: "the key's ARN", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(statementText("Allow", aliceARN, "kms:Decrypt", on(keyOne)))}, want: byKey},
		{n: 14, name: "another key's ARN", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(statementText("Allow", aliceARN, "kms:Decrypt", on(keyTwo)))}, want: noResource},
		{n: 15, name: "role", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(roleARN, "kms:Decrypt"))}, want: byKey},
		{n: 16, name: "role within boundary", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(roleARN, "kms:Decrypt")), Boundary: boundary("kms:Encrypt")}, want: "ImplicitDeny.BoundaryNoAllow"},
		{n: 17, name: "session past both", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(sessionARN, "kms:Decrypt")), Boundary: boundary("kms:Encrypt"), Session: session("s3:*"), HasSession: true}, want: byKey},
		{n: 18, name: "boundary denies", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(sessionARN, "kms:Decrypt")), Boundary: compiled(t, Boundary, denyAny("kms:Decrypt"))}, want: "ExplicitDeny.Boundary"},
		{n: 19, name: "user past boundary", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(aliceARN, "kms:Decrypt")), Boundary: boundary("s3:*")}, want: byKey},
		{n: 20, name: "identity within boundary", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(permitAny("kms:*")), Boundary: boundary("kms:Encrypt")}, want: "ImplicitDeny.BoundaryNoAllow"},
		{n: 21, name: "identity within session", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(permitAny("kms:*")), Session: session("kms:Encrypt"), HasSession: true}, want: "ImplicitDeny.SessionNoAllow"},
		{n: 22, name: "role and session", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor(roleARN, "kms:Decrypt")), Session: session("kms:Decrypt"), HasSession: true}, want: byKey},
		{n: 23, name: "wildcard past boundary", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(starInA), Boundary: boundary("s3:*")}, want: byKey},
		{n: 24, name: "another caller account", caller: svcB, action: "kms:Decrypt", layers: Layers{Resource: key(starInA), Identity: id(permitAny("kms:*"))}, want: "ImplicitDeny.CrossAccountResourceSide"},
		{n: 25, name: "PrincipalArn is the role", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(statementText("Allow", `"*"`, "kms:Decrypt", when(`"ArnEquals":{"aws:PrincipalArn":"`+roleARN+`"}`)))}, want: byKey},
		{n: 26, name: "PrincipalArn is not the session", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(statementText("Allow", `"*"`, "kms:Decrypt", when(`"ArnEquals":{"aws:PrincipalArn":"`+sessionARN+`"}`)))}, want: noResource},
		{n: 27, name: "another session", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor("arn:aws:sts::111122223333:assumed-role/Svc/other", "kms:Decrypt"))}, want: noResource},
		{n: 28, name: "role without its path", caller: svc, action: "kms:Decrypt", layers: Layers{Resource: key(permitFor("arn:aws:iam::111122223333:role/Svc", "kms:Decrypt"))}, want: noResource},
		{n: 29, name: "AWS managed key through SSM", caller: alice, action: "kms:Decrypt", ctx: given("kms:ViaService", viaSSM), layers: Layers{Resource: managed}, change: func(r *Request) { r.AWSManagedKey = true }, want: byKey},
		{n: 30, name: "AWS managed key directly", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: managed}, change: func(r *Request) { r.AWSManagedKey = true }, want: noResource},
		{n: 31, name: "alias ARN as Resource", caller: alice, action: "kms:Decrypt", ctx: given("kms:RequestAlias", "alias/app"), layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:Decrypt", on(aliasApp)))}, want: noIdentity},
		{n: 32, name: "RequestAlias", caller: alice, action: "kms:Decrypt", ctx: given("kms:RequestAlias", "alias/app"), layers: Layers{Resource: key(toRoot), Identity: byAlias}, want: byAccount},
		{n: 33, name: "RequestAlias absent", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: byAlias}, want: noIdentity},
		{n: 34, name: "ResourceAliases", caller: alice, action: "kms:Decrypt", ctx: given("kms:ResourceAliases", []string{"alias/x", "alias/app"}), layers: Layers{Resource: key(toRoot), Identity: byAliases}, want: byAccount},
		{n: 35, name: "no ResourceAliases", caller: alice, action: "kms:Decrypt", ctx: given("kms:ResourceAliases", []string{}), layers: Layers{Resource: key(toRoot), Identity: byAliases}, want: noIdentity},

		{n: 36, name: "alias side", caller: alice, action: "kms:CreateAlias", on: aliasApp, layers: Layers{Identity: id(statementText("Allow", "", "kms:CreateAlias", on(aliasApp)))}, want: byIdentity},
		{n: 36, name: "key side", caller: alice, action: "kms:CreateAlias", layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:CreateAlias", on(aliasApp)))}, want: noIdentity},
		{n: 37, name: "alias side", caller: alice, action: "kms:CreateAlias", on: aliasApp, layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:CreateAlias", `"Resource":["`+aliasApp+`","`+keyOne+`"]`))}, want: byIdentity},
		{n: 37, name: "key side", caller: alice, action: "kms:CreateAlias", layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:CreateAlias", `"Resource":["`+aliasApp+`","`+keyOne+`"]`))}, want: byAccount},
		{n: 38, name: "new key", caller: alice, action: "kms:UpdateAlias", on: keyTwo, layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:UpdateAlias", `"Resource":["`+aliasApp+`","`+keyOne+`"]`))}, want: noIdentity},
		{n: 39, name: "from", caller: alice, action: "kms:ReEncryptFrom", layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:ReEncryptFrom", on(keyOne)), statementText("Allow", "", "kms:ReEncryptTo", on(keyTwo)))}, want: byAccount},
		{n: 39, name: "to", caller: alice, action: "kms:ReEncryptTo", on: keyTwo, layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:ReEncryptFrom", on(keyOne)), statementText("Allow", "", "kms:ReEncryptTo", on(keyTwo)))}, want: byAccount},
		{n: 40, name: "to is missing", caller: alice, action: "kms:ReEncryptTo", on: keyTwo, layers: Layers{Resource: key(toRoot), Identity: id(permitAny("kms:ReEncryptFrom"))}, want: noIdentity},
		{n: 41, name: "CreateKey on keys", caller: alice, action: "kms:CreateKey", on: "*", layers: Layers{Identity: id(statementText("Allow", "", "kms:CreateKey", on("arn:aws:kms:us-west-2:111122223333:key/*")))}, want: noIdentity},
		{n: 41, name: "CreateKey on the account", caller: alice, action: "kms:CreateKey", on: "*", ctx: given("aws:RequestedRegion", "us-west-2"), layers: Layers{Identity: id(statementText("Allow", "", "kms:CreateKey", on("arn:aws:kms:us-west-2:111122223333:*")))}, want: byIdentity},
		{n: 41, name: "CreateKey on another Region", caller: alice, action: "kms:CreateKey", on: "*", ctx: given("aws:RequestedRegion", "eu-west-1"), layers: Layers{Identity: id(statementText("Allow", "", "kms:CreateKey", on("arn:aws:kms:us-west-2:111122223333:*")))}, want: noIdentity},
		{n: 42, name: "default KeySpec", caller: alice, action: "kms:CreateKey", on: "*", ctx: given("kms:KeySpec", "SYMMETRIC_DEFAULT"), layers: Layers{Identity: id(statementText("Allow", "", "kms:CreateKey", when(`"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"}`)))}, want: byIdentity},
		{n: 43, name: "case of actions", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(permitAny("KMS:decrypt"))}, want: byAccount},
		{n: 44, name: "question mark", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(permitAny("kms:De?rypt"))}, want: byAccount},
		{n: 45, name: "NotAction", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "", `"NotAction":"iam:*"`))}, want: byAccount},
		{n: 46, name: "outside NotResource", caller: alice, action: "kms:Decrypt", on: keyTwo, layers: Layers{Resource: key(toRoot), Identity: exceptK1}, want: "ExplicitDeny.Identity"},
		{n: 47, name: "within NotResource", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: exceptK1}, want: byAccount},
		{n: 48, name: "variable in an old policy", caller: tagged, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: old(statementText("Allow", "", "kms:Decrypt", on(variable)))}, want: noIdentity},
		{n: 49, name: "variable", caller: tagged, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:Decrypt", on(variable)))}, want: byAccount},
		{n: 50, name: "variable without value", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:Decrypt", on(variable)))}, want: noIdentity},
		{n: 51, name: "variable's default", caller: alice, action: "kms:Decrypt", layers: Layers{Resource: key(toRoot), Identity: id(statementText("Allow", "", "kms:Decrypt", on(`arn:aws:kms:*:`+accountA+`:key/${aws:PrincipalTag/kid, 'K1'}`)))}, want: byAccount},
	} {
		c.run(t)
	}
}

func TestWorkedDecisionsConditions(t *testing.T) {
	t.Parallel()
	allowIf := func(condition string) Layers {
		return Layers{Resource: compiled(t, KeyPolicy, statementText("Allow", aliceARN, "kms:*", when(condition)))}
	}
	denyIf := func(condition string) Layers {
		return Layers{Resource: compiled(t, KeyPolicy, permitFor(aliceARN, "kms:*"), statementText("Deny", aliceARN, "kms:*", when(condition)))}
	}
	const denied = "ExplicitDeny.Resource"
	dept := `"StringEquals":{"kms:EncryptionContext:Dept":"IT"}`
	onlyDept := `"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["Dept"]}`
	notSSM := `{"kms:ViaService":"` + viaSSM + `"}`
	team := alice
	team.Tags = []Pair{{"team", "x"}}
	sameTeam := `{"aws:PrincipalTag/team":"${aws:ResourceTag/team}"}`
	finance := "arn:aws:s:r:9:store/abc:" + accountA + ":finance/d"
	enclave := `"StringEqualsIgnoreCase":{"kms:RecipientAttestation:ImageSha384":"ABCDEF"}`
	for _, c := range []check{
		{n: 52, name: "extra pairs", layers: allowIf(dept), ctx: given("kms:EncryptionContext:Dept", "IT", "kms:EncryptionContext:X", "1"), want: byKey},
		{n: 53, name: "case of values", layers: allowIf(dept), ctx: given("kms:EncryptionContext:Dept", "it"), want: noResource},
		{n: 54, name: "no context", layers: allowIf(dept), want: noResource},
		{n: 55, name: "empty set", layers: allowIf(onlyDept), want: byKey},
		{n: 56, name: "with Null", layers: allowIf(onlyDept + `,"Null":{"kms:EncryptionContextKeys":"false"}`), want: noResource},
		{n: 57, name: "unlisted key", layers: allowIf(onlyDept), ctx: given("kms:EncryptionContext:Dept", "a", "kms:EncryptionContext:X", "b"), want: noResource},
		{n: 58, name: "any key", layers: allowIf(`"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":["Dept"]}`), ctx: given("kms:EncryptionContext:Dept", "a", "kms:EncryptionContext:X", "b"), want: byKey},
		{n: 59, name: "multi-valued without set operator", layers: allowIf(`"StringEquals":{"kms:EncryptionContextKeys":"Dept"}`), ctx: given("kms:EncryptionContext:Dept", "a"), want: noResource},
		{n: 60, name: "ForAllValues on a single-valued key", layers: allowIf(`"ForAllValues:StringEquals":{"kms:EncryptionContext:Dept":"IT"}`), want: byKey},
		{n: 61, name: "negated, key missing", layers: denyIf(`"StringNotEquals":` + notSSM), want: denied},
		{n: 62, name: "negated IfExists, key missing", layers: denyIf(`"StringNotEqualsIfExists":` + notSSM), want: denied},
		{n: 63, name: "IfExists, key missing", layers: denyIf(`"StringEqualsIfExists":{"kms:ViaService":"` + viaEC2 + `"}`), want: denied},
		{n: 64, name: "one of the values", layers: allowIf(`"StringEquals":{"kms:ViaService":["` + viaSSM + `","` + viaEC2 + `"]}`), ctx: given("kms:ViaService", viaEC2), want: byKey},
		{n: 65, name: "none of the values", layers: denyIf(`"StringNotEquals":{"aws:PrincipalAccount":["` + accountA + `","` + accountB + `"]}`), want: byKey},
		{n: 66, name: "address in range", layers: allowIf(`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`), ctx: given("aws:SourceIp", "203.0.113.77"), want: byKey},
		{n: 67, name: "no address", layers: allowIf(`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`), ctx: given("aws:SourceVpce", "vpce-1"), want: noResource},
		{n: 68, name: "negated address", layers: denyIf(`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`), ctx: given("aws:SourceVpce", "vpce-1"), want: denied},
		{n: 69, name: "IPv6", layers: allowIf(`"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`), ctx: given("aws:SourceIp", "2001:0DB8:0::1"), want: byKey},
		{n: 70, name: "host bits", layers: allowIf(`"IpAddress":{"aws:SourceIp":"203.0.113.9/24"}`), ctx: given("aws:SourceIp", "203.0.113.200"), want: byKey},
		{n: 71, name: "no MFA key", layers: allowIf(`"Bool":{"aws:MultiFactorAuthPresent":"true"}`), want: noResource},
		{n: 72, name: "BoolIfExists", layers: denyIf(`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`), want: denied},
		{n: 73, name: "Bool, key missing", layers: denyIf(`"Bool":{"aws:MultiFactorAuthPresent":"false"}`), want: byKey},
		{n: 74, name: "below", layers: allowIf(`"NumericLessThan":{"aws:MultiFactorAuthAge":"300"}`), ctx: given("aws:MultiFactorAuthAge", "299"), want: byKey},
		{n: 74, name: "not below", layers: allowIf(`"NumericLessThan":{"aws:MultiFactorAuthAge":"300"}`), ctx: given("aws:MultiFactorAuthAge", "300"), want: noResource},
		{n: 75, name: "date", layers: allowIf(`"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}`), ctx: given("aws:CurrentTime", "2026-12-31T23:59:59Z"), want: byKey},
		{n: 76, name: "epoch", layers: allowIf(`"DateGreaterThan":{"aws:EpochTime":"1700000000"}`), ctx: given("aws:EpochTime", "1700000001"), want: byKey},
		{n: 77, name: "ArnLike", layers: allowIf(`"ArnLike":{"aws:SourceArn":"arn:aws:s3:::b-*"}`), ctx: given("aws:SourceArn", "arn:aws:s3:::b-1"), want: byKey},
		{n: 78, name: "star crosses slashes", caller: svc, layers: Layers{Resource: compiled(t, KeyPolicy, statementText("Allow", roleARN, "kms:*", when(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::`+accountA+`:role/*"}`)))}, want: byKey},
		{n: 79, name: "star within a part", layers: allowIf(`"ArnLike":{"aws:SourceArn":"arn:aws:*:*:` + accountA + `:finance/*"}`), ctx: given("aws:SourceArn", finance), want: noResource},
		{n: 79, name: "star in StringLike", layers: allowIf(`"StringLike":{"aws:SourceArn":"arn:aws:*:*:` + accountA + `:finance/*"}`), ctx: given("aws:SourceArn", finance), want: byKey},
		{n: 80, name: "same tag", caller: team, layers: allowIf(`"StringEquals":` + sameTeam), ctx: given("aws:ResourceTag/team", "x"), want: byKey},
		{n: 81, name: "no tag on the resource", caller: team, layers: allowIf(`"StringEquals":` + sameTeam), want: noResource},
		{n: 82, name: "negated", caller: team, layers: denyIf(`"StringNotEquals":` + sameTeam), want: denied},
		{n: 83, name: "literal star", layers: allowIf(`"StringLike":{"kms:RequestAlias":"alias/${*}x"}`), ctx: given("kms:RequestAlias", "alias/*x"), want: byKey},
		{n: 83, name: "not a wildcard", layers: allowIf(`"StringLike":{"kms:RequestAlias":"alias/${*}x"}`), ctx: given("kms:RequestAlias", "alias/axx"), want: noResource},
		{n: 84, name: "no wildcards in StringEquals", layers: allowIf(`"StringEquals":{"kms:RequestAlias":"alias/*"}`), ctx: given("kms:RequestAlias", "alias/foo"), want: noResource},
		{n: 85, name: "Null true", layers: allowIf(`"Null":{"kms:ViaService":"true"}`), want: byKey},
		{n: 86, name: "both operators", layers: allowIf(`"StringEquals":{"kms:ViaService":"` + viaSSM + `"},"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`), ctx: given("kms:ViaService", viaSSM, "aws:SourceIp", "198.51.100.1"), want: noResource},
		{n: 87, name: "another tag", action: "kms:TagResource", layers: allowIf(`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["a"]}`), ctx: given("aws:TagKeys", []string{"a", "b"}), want: byKey},
		{n: 88, name: "no such tag", action: "kms:TagResource", layers: allowIf(`"ForAllValues:StringNotEquals":{"aws:TagKeys":["a"]}`), ctx: given("aws:TagKeys", []string{"a", "b"}), want: noResource},
		{n: 89, name: "hex in any case", layers: allowIf(enclave), ctx: given("kms:RecipientAttestation:ImageSha384", "abcdef"), want: byKey},
		{n: 90, name: "no recipient", layers: allowIf(enclave), want: noResource},
	} {
		if c.caller.Kind == AnonymousCaller {
			c.caller = alice
		}
		if c.action == "" {
			c.action = "kms:Decrypt"
		}
		c.run(t)
	}
}

func TestWorkedDecisionsAcrossAccounts(t *testing.T) {
	t.Parallel()
	key := func(s ...string) *Policy { return compiled(t, KeyPolicy, s...) }
	id := func(s ...string) []*Policy { return list(compiled(t, Identity, s...)) }
	scp := func(s ...string) []*Policy { return list(compiled(t, SCP, s...)) }
	rcp := func(s ...string) []*Policy {
		full := compiled(t, RCP, permitFor(`"*"`, "*"))
		return append(list(full), compiledRCP(t, s...)...)
	}
	full := scp(permitAny("*"))
	decrypt := id(statementText("Allow", "", "kms:Decrypt", on(keyOne)))
	toB := key(permitFor(foreignRoot, "kms:Decrypt"))
	toAlice := key(permitFor(aliceARN, "kms:*"))
	outside := svcB
	outside.OrgID = "o-2"
	manager := Caller{Kind: UserCaller, Account: "999999999999", ARN: "arn:aws:iam::999999999999:user/ann", ManagementAccount: true}
	orgOnly := statementText("Deny", `"*"`, "kms:*", when(`"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}`))
	orgOrService := statementText("Deny", `"*"`, "kms:*", when(`"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}`))
	toLogs := key(statementText("Allow", `{"Service":"logs.us-west-2.amazonaws.com"}`, "kms:Decrypt",
		when(`"ArnLike":{"kms:EncryptionContext:aws:logs:arn":"arn:aws:logs:us-west-2:`+accountA+`:*"}`)))
	logContext := given("kms:EncryptionContext:aws:logs:arn", "arn:aws:logs:us-west-2:"+accountA+":log-group:x")
	endpoint := compiled(t, VPCEndpoint, permitFor(`"*"`, "kms:Encrypt"))
	endpointForA := compiled(t, VPCEndpoint, permitFor(`"*"`, "*"),
		statementText("Deny", `"*"`, "*", when(`"StringNotEquals":{"aws:PrincipalAccount":"`+accountA+`"}`)))
	through := given("aws:SourceVpce", "vpce-1")
	except := func(who ...string) *Policy {
		entries := ""
		for i, w := range who {
			if i > 0 {
				entries += ","
			}
			entries += `"` + w + `"`
		}
		return key(permitFor(rootARN, "kms:*"),
			`{"Effect":"Deny","NotPrincipal":{"AWS":[`+entries+`]},"Action":"kms:*","Resource":"*"}`)
	}
	all := id(permitAny("kms:*"))
	grant := &Grant{ID: "g", Key: keyOne, Grantee: roleARN, Retiring: aliceARN, Operations: GrantDecrypt}

	for _, c := range []check{
		{n: 91, name: "no identity side", caller: svcB, layers: Layers{Resource: key(permitFor(foreignRole, "kms:Decrypt"))}, want: "ImplicitDeny.CrossAccountIdentitySide"},
		{n: 92, name: "account and identity", caller: svcB, layers: Layers{Resource: toB, Identity: decrypt}, want: across},
		{n: 93, name: "role and identity", caller: svcB, layers: Layers{Resource: key(permitFor(foreignRole, "kms:Decrypt")), Identity: decrypt}, want: across},
		{n: 94, name: "no bypass", caller: svcB, layers: Layers{Resource: key(permitFor(foreignSession, "kms:Decrypt")), Identity: decrypt, Boundary: compiled(t, Boundary, permitAny("s3:*"))}, want: "ImplicitDeny.BoundaryNoAllow"},
		{n: 95, name: "not across accounts", caller: svcB, action: "kms:ScheduleKeyDeletion", layers: Layers{Resource: key(permitFor(foreignRoot, "kms:*")), Identity: all}, want: "ImplicitDeny.CrossAccountOpUnsupported"},
		{n: 96, name: "not admitted", caller: svcB, layers: Layers{Resource: key(permitFor(rootARN, "kms:*")), Identity: decrypt}, want: "ImplicitDeny.CrossAccountResourceSide"},
		{n: 97, name: "everyone", caller: svcB, layers: Layers{Resource: key(permitFor(`"*"`, "kms:Decrypt")), Identity: decrypt}, want: across},
		{n: 98, name: "everyone, no identity", caller: svcB, layers: Layers{Resource: key(permitFor(`"*"`, "kms:Decrypt"))}, want: "ImplicitDeny.CrossAccountIdentitySide"},
		{n: 99, name: "SCP denies", caller: alice, layers: Layers{Resource: toAlice, SCP: [][]*Policy{full, scp(permitAny("*"), denyAny("kms:Decrypt"))}}, want: "ExplicitDeny.SCP"},
		{n: 100, name: "SCP level without Allow", caller: alice, layers: Layers{Resource: toAlice, SCP: [][]*Policy{full, scp(permitAny("s3:*")), full}}, want: "ImplicitDeny.SCPNoAllow"},
		{n: 101, name: "SCPs are the caller's", caller: svcB, layers: Layers{Resource: toB, Identity: decrypt, SCP: [][]*Policy{full}}, want: across},
		{n: 102, name: "SCP of the caller's account", caller: svcB, layers: Layers{Resource: toB, Identity: decrypt, SCP: [][]*Policy{full, scp(permitAny("*"), denyAny("kms:*"))}}, want: "ExplicitDeny.SCP"},
		{n: 103, name: "management account", caller: manager, layers: Layers{Resource: key(permitFor(manager.ARN, "kms:*")), Identity: all, SCP: [][]*Policy{scp(denyAny("kms:*"))}}, want: across},
		{n: 104, name: "root user under SCP", caller: root, layers: Layers{Resource: key(permitFor(rootARN, "kms:*")), SCP: [][]*Policy{scp(permitAny("*"), denyAny("kms:*"))}}, want: "ExplicitDeny.SCP"},
		{n: 105, name: "RCP and outsiders", caller: outside, layers: Layers{Resource: toB, Identity: decrypt, RCP: [][]*Policy{rcp(orgOnly)}}, want: "ExplicitDeny.RCP"},
		{n: 105, name: "RCP and members", caller: svcB, layers: Layers{Resource: toB, Identity: decrypt, RCP: [][]*Policy{rcp(orgOnly)}}, want: across},
		{n: 106, name: "RCP and services", caller: logs, ctx: logContext, layers: Layers{Resource: toLogs, RCP: [][]*Policy{rcp(orgOrService)}}, want: byKey},
		{n: 107, name: "RCP and the management account", caller: outside, layers: Layers{Resource: toB, Identity: decrypt, RCP: [][]*Policy{rcp(orgOnly)}}, change: func(r *Request) { r.ResourceInManagementAccount = true }, want: across},
		{n: 108, name: "RCP and RetireGrant", caller: alice, action: "kms:RetireGrant", layers: Layers{Resource: toB, RCP: [][]*Policy{rcp(denyFor(`"*"`, "kms:*"))}}, change: func(r *Request) { r.Grant = grant }, want: byGrantPath},
		{n: 109, name: "RCP and AWS managed keys", caller: alice, layers: Layers{Resource: toAlice, RCP: [][]*Policy{rcp(denyFor(`"*"`, "kms:*"))}}, change: func(r *Request) { r.AWSManagedKey = true }, want: byKey},
		{n: 110, name: "endpoint does not allow", caller: alice, ctx: through, layers: Layers{Resource: toAlice, VPCEndpoint: endpoint}, want: "ImplicitDeny.VPCE"},
		{n: 111, name: "not through the endpoint", caller: alice, layers: Layers{Resource: toAlice, VPCEndpoint: endpoint}, want: byKey},
		{n: 112, name: "endpoint denies", caller: svcB, ctx: through, layers: Layers{Resource: toB, Identity: decrypt, VPCEndpoint: endpointForA}, want: "ExplicitDeny.VPCE"},
		{n: 113, name: "from the internet", caller: alice, ctx: given("aws:SourceIp", "203.0.113.1"), layers: Layers{Resource: key(permitFor(aliceARN, "kms:*"), statementText("Deny", `"*"`, "kms:*", when(`"StringNotEquals":{"aws:SourceVpce":"vpce-1"}`)))}, want: "ExplicitDeny.Resource"},
		{n: 114, name: "service", caller: logs, ctx: logContext, layers: Layers{Resource: toLogs}, want: byKey},
		{n: 115, name: "NotPrincipal lists user and account", caller: alice, layers: Layers{Resource: except(aliceARN, rootARN), Identity: all}, want: byAccount},
		{n: 116, name: "NotPrincipal lists the user", caller: alice, layers: Layers{Resource: except(aliceARN), Identity: all}, want: "ExplicitDeny.Resource"},
		{n: 116, name: "the same, lenient", caller: alice, layers: Layers{Resource: except(aliceARN, "arn:aws:iam::111122223333:user/x"), Identity: all, Choices: Choices{NotPrincipalLenient: true}}, want: byAccount},
		{n: 117, name: "NotPrincipal lists the role", caller: svc, layers: Layers{Resource: except(roleARN, rootARN), Identity: all}, want: "ExplicitDeny.Resource"},
		{n: 117, name: "NotPrincipal lists role and session", caller: svc, layers: Layers{Resource: except(roleARN, sessionARN, rootARN), Identity: all}, want: byAccount},

		// The cases that section 11 of the semantics asks for besides.
		{n: 151, name: "NotPrincipal and a boundary", caller: alice, layers: Layers{Resource: except(aliceARN, rootARN), Identity: all, Boundary: compiled(t, Boundary, permitAny("*"))}, want: "ExplicitDeny.Resource"},
		{n: 152, name: "Encapsulate across accounts", caller: svcB, action: "kms:Encapsulate", layers: Layers{Resource: key(permitFor(foreignRoot, "kms:*")), Identity: all}, want: across},
	} {
		if c.action == "" {
			c.action = "kms:Decrypt"
		}
		c.run(t)
	}
}

// compiledRCP compiles a resource control policy, if there are statements for one.
func compiledRCP(t testing.TB, statements ...string) []*Policy {
	if len(statements) == 0 {
		return nil
	}
	return list(compiled(t, RCP, statements...))
}
