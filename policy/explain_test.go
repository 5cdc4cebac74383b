package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExplainStatements(t *testing.T) {
	t.Parallel()
	key := compiledText(t, KeyPolicy, `{
  "Version": "2012-10-17",
  "Id": "key-policy",
  "Statement": [
    {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"},
    {"Sid": "Bob", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}, "Action": "kms:Decrypt", "Resource": "*"},
    {"Sid": "Empty", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}, "Action": "kms:Decrypt"},
    {"Sid": "Listing", "Effect": "Allow", "Principal": "*", "Action": "kms:List*", "Resource": "*"}
  ]
}`)
	identity := compiled(t, Identity,
		statementText("Allow", "", "kms:Decrypt", when(`"StringEquals":{"kms:EncryptionContext:tenant":"7","kms:ViaService":"`+viaSSM+`"}`)),
		statementText("Allow", "", "kms:*", on(keyTwo))).Named("arn:aws:iam::111122223333:policy/app")
	r := &Request{Caller: alice, Action: "kms:Decrypt", Resource: keyOne, Context: given("kms:EncryptionContext:tenant", "secret-8")}
	l := &Layers{Resource: key, Identity: list(identity), SCP: [][]*Policy{list(compiled(t, SCP, permitAny("*")))}}
	x := Explain(r, l)
	require.Equal(t, noIdentity, x.Decision.Code())
	require.Equal(t, []string{"kms:ViaService"}, x.Missing)

	require.Len(t, x.Matched, 2)
	require.Equal(t, StatementRef{SCPLayer, 0, 0, 0}, x.Matched[0].Statement)
	require.Equal(t, Match{
		Statement: StatementRef{ResourceLayer, -1, -1, 0}, Policy: "key-policy", Sid: "Account", Effect: Allow,
		Position: key.doc.Statements[0].Start, Principal: AccountMatch,
	}, x.Matched[1])
	require.Equal(t, 5, x.Matched[1].Position.Line)

	require.Len(t, x.NearMisses, 4)
	require.Equal(t, "Bob", x.NearMisses[0].Sid)
	require.Equal(t, "Principal", x.NearMisses[0].Failures[0].Element)
	require.Equal(t, Failure{Element: "Resource", Lacking: true}, x.NearMisses[1].Failures[0])
	failures := x.NearMisses[2].Failures
	require.Len(t, failures, 2)
	require.Equal(t, "kms:EncryptionContext:tenant", failures[0].Key)
	require.Equal(t, []string{"7"}, failures[0].Want)
	require.Equal(t, []string{"(redacted)"}, failures[0].Got)
	require.False(t, failures[0].Missing)
	require.True(t, failures[1].Missing)
	require.Equal(t, "Resource", x.NearMisses[3].Failures[0].Element)

	require.NotContains(t, x.String(), "secret-8")
	for _, part := range []string{
		"IMPLICITDENY: ImplicitDeny.NoIdentityAllow", "because no identity-based policy allows the kms:Decrypt action",
		`Allow in Resource "key-policy" statement 1 "Account" at line 5 column 5 (principal: account)`,
		`Allow in Identity policy 1 "arn:aws:iam::111122223333:policy/app" statement 1`,
		`StringEquals kms:ViaService wants ["ssm.us-west-2.amazonaws.com"], and the request does not have the key`,
		"it has no Resource, or an empty one", "RCP       does not apply: there are no resource control policies",
		"SCP       allowed", "Identity  implicitDeny",
	} {
		require.Contains(t, x.String(), part)
	}
	l.Choices.RevealValues = true
	require.Contains(t, Explain(r, l).String(), `wants ["7"], the request has ["secret-8"]`)
}

func TestExplainBypassAndGrants(t *testing.T) {
	t.Parallel()
	r := &Request{Caller: svc, Action: "kms:Decrypt", Resource: keyOne}
	l := &Layers{
		Resource: compiled(t, KeyPolicy, permitFor(sessionARN, "kms:Decrypt")),
		Boundary: compiled(t, Boundary, permitAny("s3:*")), HasSession: true,
		Grants: []*Grant{
			{ID: "other", Key: keyOne, Grantee: aliceARN, Operations: GrantDecrypt},
			{ID: "op", Key: keyOne, Grantee: roleARN, Operations: GrantEncrypt},
			{ID: "context", Key: keyOne, Grantee: roleARN, Operations: GrantDecrypt, EncryptionContextSubset: []Pair{{"a", "b"}}},
			{ID: "good", Key: keyOne, Grantee: roleARN, Operations: GrantDecrypt},
		},
	}
	x := Explain(r, l)
	require.Equal(t, byKey, x.Decision.Code())
	require.Equal(t, []Layer{BoundaryLayer, SessionLayer}, x.Bypassed)
	require.Contains(t, x.String(), "Boundary  does not limit it")
	require.Len(t, x.Grants, 4)
	for i, permits := range []bool{false, false, false, true} {
		require.Equal(t, permits, x.Grants[i].Permits, x.Grants[i].ID)
	}
	l.Resource, l.Grants = compiled(t, KeyPolicy, permitFor(bob.ARN, "kms:*")), l.Grants[:3]
	x = Explain(r, l)
	require.Equal(t, "ImplicitDeny.GrantConstraint", x.Decision.Code())
	require.Equal(t, 2, x.Decision.Grant)
	require.Contains(t, x.String(), "context permits it: false; its constraints are not met")
}

func TestExplainWhyLayersDoNotApply(t *testing.T) {
	t.Parallel()
	linked, manager := svc, alice
	linked.ServiceLinkedRole, manager.ManagementAccount = true, true
	full := Layers{
		SCP: [][]*Policy{{}}, RCP: [][]*Policy{{}}, Boundary: compiled(t, Boundary, permitAny("*")),
		Resource: compiled(t, KeyPolicy, permitFor(`"*"`, "kms:*")), VPCEndpoint: compiled(t, VPCEndpoint, permitFor(`"*"`, "*")),
	}
	ask := func(c Caller, action, resource string) *Request {
		return &Request{Caller: c, Action: action, Resource: resource}
	}
	managed, owned := ask(alice, "kms:Decrypt", keyOne), ask(alice, "kms:Decrypt", keyOne)
	managed.AWSManagedKey, owned.ResourceInManagementAccount = true, true
	for _, row := range []struct {
		r      *Request
		l      Layers
		layer  Layer
		reason string
	}{
		{ask(alice, "kms:Decrypt", keyOne), Layers{}, SCPLayer, "there are no service control policies"},
		{ask(manager, "kms:Decrypt", keyOne), full, SCPLayer, "the caller's account manages the organization"},
		{ask(linked, "kms:Decrypt", keyOne), full, SCPLayer, "the caller is a service-linked role"},
		{ask(logs, "kms:Decrypt", keyOne), full, SCPLayer, "the caller has no account"},
		{ask(alice, "kms:Decrypt", keyOne), full, SCPLayer, ""},
		{ask(alice, "kms:Decrypt", keyOne), Layers{}, RCPLayer, "there are no resource control policies"},
		{managed, full, RCPLayer, "AWS manages the key"},
		{owned, full, RCPLayer, "the resource's account manages the organization"},
		{ask(linked, "kms:Decrypt", keyOne), full, RCPLayer, "the caller is a service-linked role"},
		{ask(alice, "kms:RetireGrant", keyOne), full, RCPLayer, "RetireGrant is exempt"},
		{ask(alice, "ssm:GetParameter", "arn:aws:ssm:r:1:parameter/a"), full, RCPLayer, "the service is not covered"},
		{ask(alice, "kms:Decrypt", keyOne), Layers{}, VPCEndpointLayer, "there is no endpoint policy"},
		{ask(alice, "kms:Decrypt", keyOne), full, VPCEndpointLayer, "the request did not come through an endpoint"},
		{ask(alice, "kms:ListKeys", "*"), full, ResourceLayer, "the resource is no key"},
		{ask(alice, "kms:ListKeys", "*"), Layers{}, ResourceLayer, "the resource has no policy"},
		{ask(root, "kms:Decrypt", keyOne), full, IdentityLayer, "the caller has no identity policies"},
		{ask(root, "kms:Decrypt", keyOne), full, BoundaryLayer, "the caller is not bound by one"},
		{ask(linked, "kms:Decrypt", keyOne), full, BoundaryLayer, "the caller is not bound by one"},
		{ask(alice, "kms:Decrypt", keyOne), Layers{}, BoundaryLayer, "there is no boundary"},
		{ask(alice, "kms:Decrypt", keyOne), full, BoundaryLayer, ""},
		{ask(alice, "kms:Decrypt", keyOne), full, SessionLayer, "there are no session policies"},
	} {
		for _, v := range Explain(row.r, &row.l).Layers {
			if v.Layer == row.layer {
				require.Equal(t, row.reason, v.Why, "%v of %+v", row.layer, row.r)
				require.Equal(t, row.reason == "", v.Applies)
			}
		}
	}
}

func TestNilArguments(t *testing.T) {
	t.Parallel()
	for _, d := range []Decision{Decide(nil, nil), Decide(&Request{}, nil), Decide(nil, &Layers{}), Decide(&Request{}, &Layers{}), {}} {
		require.False(t, d.Allowed)
		require.Equal(t, ImplicitDeny, d.Outcome)
	}
	require.Equal(t, Decide(nil, nil), Explain(nil, nil).Decision)
	require.True(t, strings.HasPrefix(Explain(nil, nil).String(), "IMPLICITDENY"))
}

// TestNamesAreTotal prints every value of every enumeration, and one beyond.
func TestNamesAreTotal(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	once := func(s string) {
		require.NotEmpty(t, s)
		require.False(t, seen[s], s)
		seen[s] = true
	}
	for r := range numReasons {
		once(r.String())
		require.Equal(t, r == NoReason || r == ReasonPermitted, advice[r] == "", "advice for %v", r)
	}
	require.Equal(t, "unknown", numReasons.String())
	for l := range numLayers {
		once("layer " + l.String())
		require.NotEmpty(t, layerPhrases[l])
	}
	for p := range numPaths {
		once("path " + p.String())
	}
	for o := range numOutcomes {
		once("outcome " + o.String())
	}
	for m := range numPrincipalMatches {
		once("match " + m.String())
	}
	for k := range numKeys {
		once("key " + k.String())
	}
	for f := range numFamilies {
		once("family " + f.String())
	}
	for _, s := range []string{numLayers.String(), numPaths.String(), numOutcomes.String(), numPrincipalMatches.String(), numKeys.String(), numFamilies.String()} {
		require.Equal(t, "unknown", s)
	}
}
