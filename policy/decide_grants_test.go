package policy

import "testing"

func TestWorkedDecisionsGrants(t *testing.T) {
	t.Parallel()
	key := func(s ...string) *Policy { return compiled(t, KeyPolicy, s...) }
	id := func(s ...string) []*Policy { return list(compiled(t, Identity, s...)) }
	other := key(permitFor(bob.ARN, "kms:*"))
	toRole := func(change func(*Grant)) []*Grant {
		g := &Grant{ID: "g1", Key: keyOne, Grantee: roleARN, Operations: GrantDecrypt | GrantDescribeKey, IssuingAccount: accountA}
		if change != nil {
			change(g)
		}
		return []*Grant{g}
	}
	dept := []Pair{{"D", "IT"}}
	equals := toRole(func(g *Grant) { g.EncryptionContextEquals = dept })
	subset := toRole(func(g *Grant) { g.EncryptionContextSubset = dept })
	it := given("kms:EncryptionContext:D", "IT")
	itAndX := given("kms:EncryptionContext:D", "IT", "kms:EncryptionContext:X", "1")
	creator := func(change func(*Grant)) []*Grant {
		return toRole(func(g *Grant) {
			g.Operations = GrantDecrypt | GrantCreateGrant
			if change != nil {
				change(g)
			}
		})
	}
	child := func(g Grant) func(*Request) { return func(r *Request) { r.Grant = &g } }
	retire := func(g Grant) func(*Request) {
		g.Key, g.IssuingAccount = keyOne, accountB
		return func(r *Request) { r.Grant = &g }
	}
	forService := []*Grant{{ID: "g2", Key: keyOne, GranteeService: "logs.us-west-2.amazonaws.com", Operations: GrantDecrypt, SourceARN: "arn:aws:s3:::one"}}
	forAWS := key(statementText("Allow", aliceARN, "kms:CreateGrant", when(`"Bool":{"kms:GrantIsForAWSResource":"true"}`)))
	onlyEncrypt := key(statementText("Allow", aliceARN, "kms:CreateGrant", when(`"ForAllValues:StringEquals":{"kms:GrantOperations":["Encrypt"]}`)))

	for _, c := range []check{
		{n: 118, name: "grant suffices", caller: svc, layers: Layers{Resource: other, Grants: toRole(nil)}, want: byGrantPath},
		{n: 119, name: "Deny beats grant", caller: svc, layers: Layers{Resource: key(denyFor(roleARN, "kms:Decrypt")), Grants: toRole(nil)}, want: "ExplicitDeny.Resource"},
		{n: 120, name: "equal context", caller: svc, ctx: it, layers: Layers{Resource: other, Grants: equals}, want: byGrantPath},
		{n: 120, name: "larger context", caller: svc, ctx: itAndX, layers: Layers{Resource: other, Grants: equals}, want: "ImplicitDeny.GrantConstraint"},
		{n: 121, name: "subset", caller: svc, ctx: itAndX, layers: Layers{Resource: other, Grants: subset}, want: byGrantPath},
		{n: 122, name: "DescribeKey has no context", caller: svc, action: "kms:DescribeKey", layers: Layers{Resource: other, Grants: equals}, want: byGrantPath},
		{n: 123, name: "another operation", caller: svc, action: "kms:Encrypt", layers: Layers{Resource: other, Grants: toRole(nil)}, want: "ImplicitDeny.GrantOperation"},
		{n: 124, name: "from by grant", caller: svc, action: "kms:ReEncryptFrom", layers: Layers{Resource: other, Grants: toRole(func(g *Grant) { g.Operations = GrantReEncryptFrom })}, want: byGrantPath},
		{n: 124, name: "to by key policy", caller: svc, action: "kms:ReEncryptTo", on: keyTwo, layers: Layers{Resource: key(permitFor(roleARN, "kms:ReEncryptTo"))}, want: byKey},
		{n: 127, name: "child with another operation", caller: svc, action: "kms:CreateGrant", layers: Layers{Resource: other, Grants: creator(nil)}, change: child(Grant{Operations: GrantEncrypt}), want: "ImplicitDeny.GrantChild"},
		{n: 127, name: "no child", caller: svc, action: "kms:CreateGrant", layers: Layers{Resource: other, Grants: creator(nil)}, want: "ImplicitDeny.GrantChild"},
		{n: 128, name: "stricter child", caller: svc, action: "kms:CreateGrant", layers: Layers{Resource: other, Grants: creator(func(g *Grant) { g.EncryptionContextSubset = dept })}, change: child(Grant{Operations: GrantDecrypt, EncryptionContextEquals: []Pair{{"D", "IT"}, {"X", "1"}}}), want: byGrantPath},
		{n: 129, name: "looser child", caller: svc, action: "kms:CreateGrant", layers: Layers{Resource: other, Grants: creator(func(g *Grant) { g.EncryptionContextEquals = dept })}, change: child(Grant{Operations: GrantDecrypt, EncryptionContextSubset: dept}), want: "ImplicitDeny.GrantChild"},
		{n: 130, name: "grants for services only", caller: alice, action: "kms:CreateGrant", ctx: given("kms:GrantIsForAWSResource", "false"), layers: Layers{Resource: forAWS}, want: noResource},
		{n: 130, name: "grant for a service", caller: alice, action: "kms:CreateGrant", ctx: given("kms:GrantIsForAWSResource", "true"), layers: Layers{Resource: forAWS}, want: byKey},
		{n: 131, name: "operations of the new grant", caller: alice, action: "kms:CreateGrant", ctx: given("kms:GrantOperations", []string{"Encrypt", "Decrypt"}), layers: Layers{Resource: onlyEncrypt}, want: noResource},
		{n: 132, name: "grantee without RetireGrant", caller: svc, action: "kms:RetireGrant", layers: Layers{Resource: other}, change: retire(Grant{Grantee: roleARN, Operations: GrantDecrypt}), want: noIdentity},
		{n: 133, name: "retiring principal", caller: alice, action: "kms:RetireGrant", layers: Layers{Resource: other}, change: retire(Grant{Grantee: roleARN, Retiring: aliceARN}), want: byGrantPath},
		{n: 134, name: "identity Deny", caller: alice, action: "kms:RetireGrant", layers: Layers{Resource: other, Identity: id(denyAny("kms:RetireGrant"))}, change: retire(Grant{Grantee: roleARN, Retiring: aliceARN}), want: "ExplicitDeny.Identity"},
		{n: 135, name: "key policy cannot allow it", caller: alice, action: "kms:RetireGrant", layers: Layers{Resource: key(permitFor(aliceARN, "kms:*"))}, change: retire(Grant{Grantee: roleARN}), want: noIdentity},
		{n: 136, name: "revoked", caller: svc, layers: Layers{Resource: other}, want: noResource},
		{n: 137, name: "another source", caller: logs, ctx: given("aws:SourceArn", "arn:aws:s3:::two"), layers: Layers{Resource: other, Grants: forService}, want: "ImplicitDeny.GrantConstraint"},
		{n: 137, name: "the source", caller: logs, ctx: given("aws:SourceArn", "arn:aws:s3:::one"), layers: Layers{Resource: other, Grants: forService}, want: byGrantPath},
		{n: 139, name: "Deny on the bypass", caller: alice, action: "kms:PutKeyPolicy", ctx: given("kms:BypassPolicyLockoutSafetyCheck", "true"), layers: Layers{Resource: key(permitFor(aliceARN, "kms:*"), statementText("Deny", `"*"`, "kms:PutKeyPolicy", when(`"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}`)))}, want: "ExplicitDeny.Resource"},
		{n: 153, name: "Decapsulate by grant", caller: svc, action: "kms:Decapsulate", layers: Layers{Resource: other, Grants: toRole(func(g *Grant) { g.Operations = GrantDecapsulate })}, want: byGrantPath},
	} {
		if c.action == "" {
			c.action = "kms:Decrypt"
		}
		c.run(t)
	}
}

func TestWorkedDecisionsSecretsAndParameters(t *testing.T) {
	t.Parallel()
	id := func(s ...string) []*Policy { return list(compiled(t, Identity, s...)) }
	const secrets = "arn:aws:secretsmanager:us-west-2:111122223333:secret:"
	const parameters = "arn:aws:ssm:us-west-2:111122223333:parameter"
	sixMarks := id(statementText("Allow", "", "secretsmanager:GetSecretValue", on(secrets+"db-??????")))
	toB := compiled(t, SecretPolicy, permitFor(foreignRole, "secretsmanager:GetSecretValue"))
	inB := id(permitAny("secretsmanager:GetSecretValue kms:Decrypt"))
	stage := id(statementText("Allow", "", "secretsmanager:GetSecretValue", when(`"StringEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}`)))
	byPath := id(statementText("Allow", "", "ssm:GetParametersByPath", on(parameters+"/a")),
		statementText("Deny", "", "ssm:GetParameter", on(parameters+"/a/b")))
	recursive := id(permitAny("ssm:*"), statementText("Deny", "", "ssm:GetParametersByPath", when(`"StringEquals":{"ssm:Recursive":"true"}`)))
	overwrite := id(permitAny("ssm:*"), statementText("Deny", "", "ssm:PutParameter", when(`"StringEquals":{"ssm:Overwrite":"true"}`)))
	// Parse knows that no such resource control policy does anything.
	everything := compiled(t, RCP, permitFor(`"*"`, "*"))
	noSSM, err := Compile(&Document{Kind: RCP, Version: "2012-10-17", Statements: []Statement{{
		Effect: Deny, Principal: &Principals{Any: true}, Action: []string{"ssm:*"}, Resource: []string{"*"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []check{
		{n: 140, name: "identity alone", caller: alice, action: "secretsmanager:GetSecretValue", on: secrets + "db-AbCdEf", layers: Layers{Identity: sixMarks}, want: byIdentity},
		{n: 141, name: "six characters", caller: alice, action: "secretsmanager:GetSecretValue", on: secrets + "db-prod-AbCdEf", layers: Layers{Identity: sixMarks}, want: noIdentity},
		{n: 142, name: "secret", caller: svcB, action: "secretsmanager:GetSecretValue", on: secrets + "db-AbCdEf", layers: Layers{Resource: toB, Identity: inB}, want: across},
		{n: 142, name: "its key", caller: svcB, action: "kms:Decrypt", layers: Layers{Resource: compiled(t, KeyPolicy, permitFor(rootARN, "kms:*")), Identity: inB}, want: "ImplicitDeny.CrossAccountResourceSide"},
		{n: 144, name: "batch", caller: alice, action: "secretsmanager:BatchGetSecretValue", on: "*", layers: Layers{Identity: id(permitAny("secretsmanager:BatchGetSecretValue"))}, want: byIdentity},
		{n: 144, name: "each secret", caller: alice, action: "secretsmanager:GetSecretValue", on: secrets + "db-AbCdEf", layers: Layers{Identity: id(permitAny("secretsmanager:BatchGetSecretValue"))}, want: noIdentity},
		{n: 145, name: "default stage", caller: alice, action: "secretsmanager:GetSecretValue", on: secrets + "db-AbCdEf", ctx: given("secretsmanager:VersionStage", "AWSCURRENT"), layers: Layers{Identity: stage}, want: byIdentity},
		{n: 146, name: "the path alone counts", caller: alice, action: "ssm:GetParametersByPath", on: parameters + "/a", ctx: given("ssm:Recursive", "true"), layers: Layers{Identity: byPath}, want: byIdentity},
		{n: 147, name: "recursive", caller: alice, action: "ssm:GetParametersByPath", on: parameters + "/a", ctx: given("ssm:Recursive", "true"), layers: Layers{Identity: recursive}, want: "ExplicitDeny.Identity"},
		{n: 147, name: "not recursive", caller: alice, action: "ssm:GetParametersByPath", on: parameters + "/a", ctx: given("ssm:Recursive", "false"), layers: Layers{Identity: recursive}, want: byIdentity},
		{n: 148, name: "overwrite", caller: alice, action: "ssm:PutParameter", on: parameters + "/a", ctx: given("ssm:Overwrite", "true"), layers: Layers{Identity: overwrite}, want: "ExplicitDeny.Identity"},
		{n: 149, name: "no doubled slash", caller: alice, action: "ssm:GetParameter", on: parameters + "/a/b", layers: Layers{Identity: id(statementText("Allow", "", "ssm:GetParameter", on(parameters+"//a/b")))}, want: noIdentity},
		{n: 150, name: "RCPs do not cover ssm", caller: alice, action: "ssm:GetParameter", on: parameters + "/a", layers: Layers{Identity: id(permitAny("ssm:*")), RCP: [][]*Policy{{everything, noSSM}}}, want: byIdentity},
	} {
		c.run(t)
	}
}
