package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	key := compiled(t, KeyPolicy, permitFor(rootARN, "kms:*"))
	all := list(compiled(t, Identity, permitAny("kms:*")))
	const scpARN = "arn:aws:organizations::999999999999:policy/o-1/service_control_policy/p-1"
	scp := compiled(t, SCP, denyAny("kms:*")).Named(scpARN)
	onKey := func(who string) string {
		return "User: " + who + " is not authorized to perform: kms:Decrypt on resource: " + keyOne + " "
	}
	through := given("aws:SourceVpce", "vpce-1")
	sameOrg := given("aws:ResourceOrgID", "o-1")
	toB := compiled(t, KeyPolicy, permitFor(foreignRoot, "kms:*"))
	for _, row := range []struct {
		name   string
		caller Caller
		ctx    *Context
		layers Layers
		want   string
	}{
		{"allowed", alice, nil, Layers{Resource: key, Identity: all}, ""},
		{"no identity policy", alice, nil, Layers{Resource: key}, onKey(aliceARN) + "because no identity-based policy allows the kms:Decrypt action"},
		{"no key policy", alice, nil, Layers{Resource: compiled(t, KeyPolicy, permitFor(bob.ARN, "kms:*"))}, onKey(aliceARN) + "because no resource-based policy allows the kms:Decrypt action"},
		{"not delegated", alice, nil, Layers{Resource: compiled(t, KeyPolicy, permitFor(bob.ARN, "kms:*")), Identity: all}, onKey(aliceARN) + "because no resource-based policy allows the kms:Decrypt action"},
		{"boundary", alice, nil, Layers{Resource: key, Identity: all, Boundary: compiled(t, Boundary, permitAny("s3:*"))}, onKey(aliceARN) + "because no permissions boundary allows the kms:Decrypt action"},
		{"session", svc, nil, Layers{Resource: key, Identity: all, HasSession: true}, onKey(sessionARN) + "because no session policy allows the kms:Decrypt action"},
		{"endpoint", alice, through, Layers{Resource: key, Identity: all, VPCEndpoint: compiled(t, VPCEndpoint, permitFor(`"*"`, "s3:*"))}, onKey(aliceARN) + "because no VPC endpoint policy allows the kms:Decrypt action"},
		{"SCP", alice, nil, Layers{Resource: key, Identity: all, SCP: [][]*Policy{{scp}}}, onKey(aliceARN) + "with an explicit deny in a service control policy: " + scpARN},
		{"SCP of another account", svcB, nil, Layers{Resource: toB, Identity: all, SCP: [][]*Policy{{scp}}}, onKey(foreignSession) + "with an explicit deny in a service control policy"},
		{"SCP of the same organization", svcB, sameOrg, Layers{Resource: toB, Identity: all, SCP: [][]*Policy{{scp}}}, onKey(foreignSession) + "with an explicit deny in a service control policy: " + scpARN},
		{"SCP without Allow", alice, nil, Layers{Resource: key, Identity: all, SCP: [][]*Policy{{}}}, onKey(aliceARN) + "with an explicit deny in a service control policy"},
		{"RCP", alice, nil, Layers{Resource: key, Identity: all, RCP: [][]*Policy{list(compiled(t, RCP, denyFor(`"*"`, "kms:*")))}}, onKey(aliceARN) + "with an explicit deny in a resource control policy"},
		{"identity", alice, nil, Layers{Resource: key, Identity: list(compiled(t, Identity, denyAny("kms:*")).Named("inline"))}, onKey(aliceARN) + "with an explicit deny in an identity-based policy"},
		{"key policy", alice, nil, Layers{Resource: compiled(t, KeyPolicy, denyFor(`"*"`, "kms:*")).Named(keyOne)}, onKey(aliceARN) + "with an explicit deny in a resource-based policy"},
		{"boundary denies", alice, nil, Layers{Resource: key, Boundary: compiled(t, Boundary, denyAny("kms:*")).Named("arn:aws:iam::111122223333:policy/b")}, onKey(aliceARN) + "with an explicit deny in a permissions boundary: arn:aws:iam::111122223333:policy/b"},
		{"session denies", svc, nil, Layers{Resource: key, HasSession: true, Session: list(compiled(t, Session, denyAny("kms:*")))}, onKey(sessionARN) + "with an explicit deny in a session policy"},
		{"endpoint denies", alice, through, Layers{Resource: key, VPCEndpoint: compiled(t, VPCEndpoint, denyFor(`"*"`, "kms:*"))}, onKey(aliceARN) + "with an explicit deny in a VPC endpoint policy"},
		{"another account", svcB, nil, Layers{Resource: key, Identity: all}, onKey(foreignSession) + "because no resource-based policy allows the kms:Decrypt action"},
		{"another account's identity", svcB, nil, Layers{Resource: toB}, onKey(foreignSession) + "because no identity-based policy allows the kms:Decrypt action"},
		{"nobody", nobody, nil, Layers{Resource: key}, onKey("anonymous") + "because no resource-based policy allows the kms:Decrypt action"},
		{"service", logs, nil, Layers{Resource: key}, onKey(logs.Service) + "because no resource-based policy allows the kms:Decrypt action"},
	} {
		r := &Request{Caller: row.caller, Action: "kms:Decrypt", Resource: keyOne, Context: row.ctx}
		require.Equal(t, row.want, Message(r, &row.layers, Decide(r, &row.layers)), row.name)
		x := Explain(r, &row.layers)
		require.Equal(t, row.want, x.Message(), row.name)
	}
	require.Empty(t, Message(nil, nil, Decision{}))
}
