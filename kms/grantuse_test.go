package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/policy"
)

// TestGrantees has grants name principals in every form.
func TestGrantees(t *testing.T) {
	t.Parallel()
	accountARN := "arn:aws:iam::" + account + ":root"
	fay := identity.Caller{
		Principal: "arn:aws:sts::" + account + ":federated-user/fay", Account: account, Region: region, Session: &identity.Session{Issuer: alice.Principal},
	}
	other := sessionOf(account, "app/Svc", "s2")
	for _, row := range []struct {
		name, grantee string
		may, mayNot   []identity.Caller
	}{
		{"user", alice.Principal, []identity.Caller{alice}, []identity.Caller{bobby, root, svc, carol, fay}},
		{"role", svc.Session.Role, []identity.Caller{svc, other}, []identity.Caller{alice, theirSvc}},
		{"session", svc.Principal, []identity.Caller{svc}, []identity.Caller{other, theirSvc}},
		{"federated user", fay.Principal, []identity.Caller{fay}, []identity.Caller{alice}},
		{"account", accountARN, []identity.Caller{root}, []identity.Caller{alice, svc, theirs}},
		{"another's user", carol.Principal, []identity.Caller{carol}, []identity.Caller{theirs, alice}},
		{"another's role", theirSvc.Session.Role, []identity.Caller{theirSvc}, []identity.Caller{svc, carol}},
		{"another account", theirs.Principal, []identity.Caller{theirs}, []identity.Caller{carol, root}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				w.setPolicy(t, w.key, document(statement("Allow", bob, "kms:*"), statement("Allow", account, "kms:CreateGrant")))
				grantFor(t, w.as(bobby), w.key, row.grantee, nil, opEncrypt)
				for _, c := range row.may {
					succeeds(t, w.as(c), encryptKey(w))
					denied(t, w.as(c), c, &sdk.DescribeKeyInput{KeyId: &w.key}, "kms:DescribeKey", w.key, noPolicy("resource-based policy", "kms:DescribeKey"))
				}
				for _, c := range row.mayNot {
					if c.Principal == bob {
						continue // by the key policy
					}
					denied(t, w.as(c), c, encryptKey(w), "kms:Encrypt", w.key, noPolicy("resource-based policy", "kms:Encrypt"))
				}
			})
		})
	}
	t.Run("account and IAM", func(t *testing.T) {
		t.Parallel()
		eachWorld(t, func(t *testing.T, w *world) {
			w.setPolicy(t, w.key, document(statement("Allow", bob, "kms:*")))
			grantFor(t, w.as(bobby), w.key, accountARN, nil, opEncrypt)
			w.attach(alice.Principal, allowing(t, own("Allow", "kms:Encrypt", w.key)))
			succeeds(t, w.as(alice), encryptKey(w))
		})
	})
}

// TestGrantOperations gives one operation at a time.
func TestGrantOperations(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		blob, mine := w.encrypt(t, w.key, nil), w.encrypt(t, w.other, nil)
		w.setPolicy(t, w.other, document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:ReEncrypt*")))
		requests := map[types.GrantOperation]any{
			opDecrypt: &sdk.DecryptInput{CiphertextBlob: blob}, opEncrypt: encryptKey(w), opDescribe: &sdk.DescribeKeyInput{KeyId: &w.key},
			"GenerateDataKey":                     &sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256},
			"GenerateDataKeyWithoutPlaintext":     &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256},
			"GenerateDataKeyPair":                 &sdk.GenerateDataKeyPairInput{KeyId: &w.key, KeyPairSpec: "ECC_NIST_P256"},
			"GenerateDataKeyPairWithoutPlaintext": &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &w.key, KeyPairSpec: "ECC_NIST_P256"},
			"ReEncryptFrom":                       &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &w.other},
			"ReEncryptTo":                         &sdk.ReEncryptInput{CiphertextBlob: mine, DestinationKeyId: &w.key},
		}
		for granted := range requests {
			id, _ := grantFor(t, w.as(root), w.key, alice.Principal, nil, granted)
			for operation, in := range requests {
				if operation == granted {
					succeeds(t, w.as(alice), in)
					continue
				}
				action := "kms:" + string(operation)
				denied(t, w.as(alice), alice, in, action, w.key, noPolicy("identity-based policy", action))
			}
			_, err := call(t.Context(), w.as(alice), &sdk.DescribeKeyInput{KeyId: &w.other}) // a grant is on one key
			require.Equal(t, "AccessDeniedException", codeOf(err))
			succeeds(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id})
			denied(t, w.as(alice), alice, requests[granted], "kms:"+string(granted), w.key, noPolicy("identity-based policy", "kms:"+string(granted)))
		}
	})
}

// TestGrantConstraints asks with every operation that has an encryption context.
func TestGrantConstraints(t *testing.T) {
	t.Parallel()
	pair := map[string]string{"Dept": "IT"}
	all := []types.GrantOperation{opDecrypt, opEncrypt, opDescribe, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"}
	for _, row := range []struct {
		name        string
		constraints types.GrantConstraints
		meet, fail  []map[string]string
	}{
		{"equals", types.GrantConstraints{EncryptionContextEquals: pair},
			[]map[string]string{pair, {"dept": "IT"}}, []map[string]string{nil, {"Dept": "it"}, {"Dept": "IT", "X": "1"}, {"X": "1"}}},
		{"subset", types.GrantConstraints{EncryptionContextSubset: pair},
			[]map[string]string{pair, {"Dept": "IT", "X": "1"}, {"DEPT": "IT"}}, []map[string]string{nil, {"Dept": "it"}, {"X": "1"}}},
		{"both", types.GrantConstraints{EncryptionContextEquals: map[string]string{"Dept": "IT", "X": "1"}, EncryptionContextSubset: pair},
			[]map[string]string{{"Dept": "IT", "X": "1"}}, []map[string]string{pair, nil}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				grantFor(t, w.as(root), w.key, alice.Principal, func(in *sdk.CreateGrantInput) { in.Constraints = &row.constraints }, all...)
				w.setPolicy(t, w.other, document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:ReEncrypt*")))
				requests := func(context map[string]string) []any {
					blob, mine := w.encrypt(t, w.key, context), w.encrypt(t, w.other, nil)
					return []any{
						&sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), EncryptionContext: context},
						&sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: context},
						&sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256, EncryptionContext: context},
						&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256, EncryptionContext: context},
						&sdk.GenerateDataKeyPairInput{KeyId: &w.key, KeyPairSpec: "ECC_NIST_P256", EncryptionContext: context},
						&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &w.key, KeyPairSpec: "ECC_NIST_P256", EncryptionContext: context},
						&sdk.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionContext: context, DestinationKeyId: &w.other},
						&sdk.ReEncryptInput{CiphertextBlob: mine, DestinationEncryptionContext: context, DestinationKeyId: &w.key},
					}
				}
				succeeds(t, w.as(alice), &sdk.DescribeKeyInput{KeyId: &w.key})
				for _, context := range row.meet {
					for _, in := range requests(context) {
						succeeds(t, w.as(alice), in)
					}
				}
				for _, context := range row.fail {
					for _, in := range requests(context) {
						_, err := call(t.Context(), w.as(alice), in)
						require.Equal(t, "AccessDeniedException", codeOf(err), "%s with %v", nameOf(in), context)
					}
				}
			})
		})
	}
}

// TestDenialsBeatGrants has every layer deny what a grant gives; what does not allow
// does not keep a grant from giving it.
func TestDenialsBeatGrants(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		grantFor(t, w.as(root), w.key, alice.Principal, nil, opEncrypt)
		succeeds(t, w.as(alice), encryptKey(w))
		deny := own("Deny", "kms:Encrypt", "*")
		w.attach(alice.Principal, allowing(t, deny))
		denied(t, w.as(alice), alice, encryptKey(w), "kms:Encrypt", w.key, explicit("n identity-based policy"))
		w.attach(alice.Principal, identity.Principal{Boundary: compiled(t, policy.Boundary, deny)})
		denied(t, w.as(alice), alice, encryptKey(w), "kms:Encrypt", w.key, explicit(" permissions boundary"))
		w.attach(alice.Principal, identity.Principal{Boundary: compiled(t, policy.Boundary, own("Allow", "s3:*", "*"))})
		succeeds(t, w.as(alice), encryptKey(w))
		w.place(account, identity.Account{SCP: [][]*policy.Policy{{compiled(t, policy.SCP, own("Allow", "s3:*", "*"))}}})
		denied(t, w.as(alice), alice, encryptKey(w), "kms:Encrypt", w.key, explicit(" service control policy"))
		w.place(account, identity.Account{})
		w.setPolicy(t, w.key, document(statement("Allow", account, "kms:*"), statement("Deny", alice.Principal, "kms:Encrypt")))
		denied(t, w.as(alice), alice, encryptKey(w), "kms:Encrypt", w.key, explicit(" resource-based policy"))
	})
}

// TestChildGrants has a grantee with CreateGrant pass on what it has, no more.
func TestChildGrants(t *testing.T) {
	t.Parallel()
	pair, more := map[string]string{"Dept": "IT"}, map[string]string{"Dept": "IT", "X": "1"}
	equals := func(c map[string]string) *types.GrantConstraints {
		return &types.GrantConstraints{EncryptionContextEquals: c}
	}
	subset := func(c map[string]string) *types.GrantConstraints {
		return &types.GrantConstraints{EncryptionContextSubset: c}
	}
	for _, row := range []struct {
		name       string
		parent     *types.GrantConstraints
		operations []types.GrantOperation
		child      *types.GrantConstraints
		ok         bool
	}{
		{"the same", nil, []types.GrantOperation{opDecrypt, opCreate}, nil, true},
		{"fewer operations", nil, []types.GrantOperation{opDecrypt}, nil, true},
		{"another operation", nil, []types.GrantOperation{opEncrypt}, nil, false},
		{"one more operation", nil, []types.GrantOperation{opDecrypt, opRetire}, nil, false},
		{"a constraint where there was none", nil, []types.GrantOperation{opDecrypt}, subset(pair), true},
		{"no constraint where there was one", subset(pair), []types.GrantOperation{opDecrypt}, nil, false},
		{"the same subset", subset(pair), []types.GrantOperation{opDecrypt}, subset(pair), true},
		{"a larger subset", subset(pair), []types.GrantOperation{opDecrypt}, subset(more), true},
		{"a smaller subset", subset(more), []types.GrantOperation{opDecrypt}, subset(pair), false},
		{"equals in place of subset", subset(pair), []types.GrantOperation{opDecrypt}, equals(more), true},
		{"subset in place of equals", equals(pair), []types.GrantOperation{opDecrypt}, subset(pair), false},
		{"the same equals", equals(pair), []types.GrantOperation{opDecrypt}, equals(pair), true},
		{"other equals", equals(pair), []types.GrantOperation{opDecrypt}, equals(more), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				for _, grantee := range []identity.Caller{alice, carol} {
					grantFor(t, w.as(root), w.key, grantee.Principal, func(in *sdk.CreateGrantInput) { in.Constraints = row.parent }, opDecrypt, opCreate)
					in := &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: row.operations, Constraints: row.child}
					if row.ok {
						succeeds(t, w.as(grantee), in)
						continue
					}
					_, err := call(t.Context(), w.as(grantee), in)
					require.Equal(t, "AccessDeniedException", codeOf(err))
					w.setPolicy(t, w.key, document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:CreateGrant")))
					_, err = call(t.Context(), w.as(grantee), in) // a right from a policy has no such limit
					require.Equal(t, grantee.Account == account, err == nil)
				}
			})
		})
	}
}

// TestWhoMayRetire asks each principal to retire a grant that alice's account made for
// bob, with carol of another account to retire it.
func TestWhoMayRetire(t *testing.T) {
	t.Parallel()
	retirer := func(principal string) func(*sdk.CreateGrantInput) {
		return func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &principal }
	}
	for _, row := range []struct {
		name       string
		change     func(*sdk.CreateGrantInput)
		operations []types.GrantOperation
		caller     identity.Caller
		setUp      func(t *testing.T, w *world)
		want       string
	}{
		{name: "the retiring principal", change: retirer(carol.Principal), caller: carol},
		{name: "the retiring role", change: retirer(svc.Session.Role), caller: svc},
		{name: "another than the retiring principal", change: retirer(carol.Principal), caller: theirs, want: "resource-based policy"},
		{name: "the grantee", caller: bobby, want: "identity-based policy"},
		{name: "the grantee with RetireGrant", operations: []types.GrantOperation{opRetire}, caller: bobby},
		{name: "the account that made it", caller: root},
		{name: "its user with a policy", caller: alice, setUp: func(t *testing.T, w *world) {
			w.attach(alice.Principal, allowing(t, own("Allow", "kms:RetireGrant", "*")))
		}},
		{name: "its user without", caller: alice, want: "identity-based policy"},
		{name: "a user whom the key policy allows", caller: alice, want: "identity-based policy", setUp: func(t *testing.T, w *world) {
			w.setPolicy(t, w.key, document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:*")))
		}},
		{name: "another account that the key policy allows", caller: theirs, want: "resource-based policy", setUp: func(t *testing.T, w *world) {
			w.setPolicy(t, w.key, document(statement("Allow", account, "kms:*"), statement("Allow", otherAccount, "kms:*")))
		}},
		{name: "an RCP does not bind it", change: retirer(carol.Principal), caller: carol, setUp: func(t *testing.T, w *world) {
			w.place(account, identity.Account{RCP: [][]*policy.Policy{{rcpFullAWSAccess(t), compiled(t, policy.RCP, `{"Effect":"Deny","Principal":"*","Action":"kms:Retire*","Resource":"*"}`)}}})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				if row.setUp != nil {
					row.setUp(t, w)
				}
				for _, byToken := range []bool{false, true} {
					id, token := grantFor(t, w.as(root), w.key, bob, row.change, append(row.operations, opDecrypt)...)
					in := &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &id}
					if byToken {
						in = &sdk.RetireGrantInput{GrantToken: &token}
					}
					if row.want != "" {
						denied(t, w.as(row.caller), row.caller, in, "kms:RetireGrant", w.key, noPolicy(row.want, "kms:RetireGrant"))
						continue
					}
					succeeds(t, w.as(row.caller), in)
					require.Empty(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key}))
				}
			})
		})
	}
	t.Run("a policy that denies", func(t *testing.T) {
		t.Parallel()
		eachWorld(t, func(t *testing.T, w *world) {
			id, _ := grantFor(t, w.as(root), w.key, bob, retirer(carol.Principal), opDecrypt)
			w.attach(carol.Principal, allowing(t, own("Deny", "kms:RetireGrant", "*")))
			denied(t, w.as(carol), carol, &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &id}, "kms:RetireGrant", w.key, explicit("n identity-based policy"))
		})
	})
}

// TestWhoMayRevoke has policies decide, not the grant.
func TestWhoMayRevoke(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		id, _ := grantFor(t, w.as(root), w.key, carol.Principal, func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &carol.Principal }, opDecrypt, opRetire)
		in := &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id}
		denied(t, w.as(carol), carol, in, "kms:RevokeGrant", w.key, noPolicy("resource-based policy", "kms:RevokeGrant"))
		denied(t, w.as(alice), alice, in, "kms:RevokeGrant", w.key, noPolicy("identity-based policy", "kms:RevokeGrant"))
		w.setPolicy(t, w.key, document(statement("Allow", account, "kms:*"), statement("Allow", alice.Principal, "kms:RevokeGrant"), statement("Allow", otherAccount, "kms:ListGrants")))
		succeeds(t, w.as(alice), in)
		require.Empty(t, listGrants(t, w.as(theirs), &sdk.ListGrantsInput{KeyId: &w.key}))
	})
}

// TestGrantsBetweenAccounts has another account's principal be given a grant, make one
// by right of the key policy, and list what it may retire.
func TestGrantsBetweenAccounts(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		theirKey := *do[sdk.CreateKeyOutput](t, w.as(theirs), &sdk.CreateKeyInput{}).KeyMetadata.Arn
		retire := func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &carol.Principal }
		ours, _ := grantFor(t, w.as(root), w.key, bob, retire, opDecrypt)
		other, _ := grantFor(t, w.as(theirs), theirKey, bob, retire, opDecrypt)
		out := do[sdk.ListRetirableGrantsOutput](t, w.as(theirs), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &carol.Principal})
		got := map[string]string{}
		for _, g := range out.Grants {
			got[*g.GrantId] = *g.KeyId
		}
		require.Equal(t, map[string]string{ours: w.key, other: theirKey}, got)
		refused(t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &carol.Principal}, "AccessDeniedException", "The retiring principal must be one of the caller's account.")
		elsewhere := do[sdk.ListRetirableGrantsOutput](t, w.as(theirs.In("eu-west-1")), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &carol.Principal})
		require.Empty(t, elsewhere.Grants)

		// the account that made a grant may retire it, whose key it is or not
		w.setPolicy(t, w.key, document(statement("Allow", account, "kms:*"), statement("Allow", otherAccount, "kms:CreateGrant")))
		issued, _ := grantFor(t, w.as(theirs), w.key, bob, nil, opDecrypt)
		entry := do[sdk.ListGrantsOutput](t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GrantId: &issued}).Grants[0]
		require.Equal(t, theirs.Principal, *entry.IssuingAccount)
		succeeds(t, w.as(theirs), &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &issued})
		denied(t, w.as(theirs), theirs, &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &ours}, "kms:RetireGrant", w.key, noPolicy("resource-based policy", "kms:RetireGrant"))
	})
}

// TestGrantIsForAWSResource has the policy of the console: grants for AWS's own
// services only.
func TestGrantIsForAWSResource(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.setPolicy(t, w.key, document(statement("Allow", account, "kms:*"),
			statement("Allow", alice.Principal, "kms:CreateGrant", when(`{"Bool":{"kms:GrantIsForAWSResource":"true"}}`))))
		denied(t, w.as(alice), alice, &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: aws.String(bob), Operations: []types.GrantOperation{opDecrypt}},
			"kms:CreateGrant", w.key, noPolicy("identity-based policy", "kms:CreateGrant"))
		succeeds(t, w.as(alice.Through("rds.amazonaws.com")), &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: aws.String(bob), Operations: []types.GrantOperation{opDecrypt}})
	})
}

// TestRetireGrantHasTheConstraintsKeysOnly: who the grant is to and what for are
// condition keys of CreateGrant.
func TestRetireGrantHasTheConstraintsKeysOnly(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	client := cloud.Client(cloud.Root())
	for condition, denied := range map[string]bool{
		`{"Null":{"kms:GranteePrincipal":"false"}}`:                              false,
		`{"Null":{"kms:GrantOperations":"false"}}`:                               false,
		`{"Null":{"kms:RetiringPrincipal":"false"}}`:                             false,
		`{"StringEquals":{"kms:GrantConstraintType":"EncryptionContextSubset"}}`: true,
		`{"StringEquals":{"kms:EncryptionContext:tenant":"42"}}`:                 true,
		`{"StringEquals":{"kms:EncryptionContext:tenant":"43"}}`:                 false,
	} {
		text := `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
			{"Effect":"Deny","Principal":{"AWS":"111122223333"},"Action":"kms:RetireGrant","Resource":"*","Condition":` + condition + `}]}`
		key, err := client.CreateKey(t.Context(), &sdk.CreateKeyInput{Policy: &text})
		require.NoError(t, err)
		root := cloud.Root().Principal
		grant, err := client.CreateGrant(t.Context(), &sdk.CreateGrantInput{
			KeyId: key.KeyMetadata.KeyId, GranteePrincipal: &root, RetiringPrincipal: &root,
			Operations:  []types.GrantOperation{types.GrantOperationDecrypt},
			Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"tenant": "42"}},
		})
		require.NoError(t, err)
		_, err = client.RetireGrant(t.Context(), &sdk.RetireGrantInput{GrantToken: grant.GrantToken})
		if denied {
			require.ErrorContains(t, err, "AccessDeniedException", condition)
		} else {
			require.NoError(t, err, condition)
		}
	}
}
