package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/policy"
)

// scene is who has what, one request, and the end of the text of its denial; none
// means that it is allowed.
type scene struct {
	name   string
	policy string // key policy, AWS's default if empty
	caller identity.Caller
	setUp  func(t *testing.T, w *world)
	want   string
}

func encryptKey(w *world) any { return &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")} }

// restricted returns the session with policies of its own.
func restricted(t *testing.T, c identity.Caller, statements ...string) identity.Caller {
	t.Helper()
	s := *c.Session
	s.Restricted = true
	if len(statements) > 0 {
		s.Policies = []*policy.Policy{compiled(t, policy.Session, statements...)}
	}
	c.Session = &s
	return c
}

// rcpFullAWSAccess is the policy that AWS attaches to every level.
func rcpFullAWSAccess(t *testing.T) *policy.Policy {
	t.Helper()
	return compiled(t, policy.RCP, `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`)
}

func scenes(t *testing.T) []scene {
	const encrypt = "kms:Encrypt"
	noIdentity, noResource := noPolicy("identity-based policy", encrypt), noPolicy("resource-based policy", encrypt)
	attach := func(c identity.Caller, statements ...string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			name := c.Principal
			if c.Session != nil {
				name = c.Session.Role + c.Session.Issuer
			}
			w.attach(name, allowing(t, statements...))
		}
	}
	bounded := func(c identity.Caller, boundary string, statements ...string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			attach(c, statements...)(t, w)
			name := c.Principal
			if c.Session != nil {
				name = c.Session.Role
			}
			p := w.Principal(c)
			p.Boundary = compiled(t, policy.Boundary, boundary)
			w.attach(name, p)
		}
	}
	everything, nothing := own("Allow", "kms:*", "*"), own("Allow", "s3:*", "*")
	deny := own("Deny", encrypt, "*")
	only := func(principal string, more ...string) string {
		return document(statement("Allow", principal, encrypt, more...))
	}
	federated := identity.Caller{
		Principal: "arn:aws:sts::" + account + ":federated-user/fay", Account: account, Region: region,
		Session: &identity.Session{Issuer: alice.Principal},
	}
	scp := func(account string, levels ...[]string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			a := identity.Account{OrgID: "o-1234567890"}
			for _, l := range levels {
				a.SCP = append(a.SCP, []*policy.Policy{compiled(t, policy.SCP, l...)})
			}
			w.place(account, a)
		}
	}
	rcp := func(account string, denials ...string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			level := []*policy.Policy{rcpFullAWSAccess(t)}
			for _, d := range denials {
				level = append(level, compiled(t, policy.RCP, d))
			}
			w.place(account, identity.Account{OrgID: "o-1234567890", RCP: [][]*policy.Policy{level}})
		}
	}
	both := func(fs ...func(*testing.T, *world)) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			for _, f := range fs {
				f(t, w)
			}
		}
	}
	full := []string{own("Allow", "*", "*")}
	denyAll := `{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*"}`
	return []scene{
		// the account's own principals
		{name: "the account delegates, nobody allows", caller: alice, want: noIdentity},
		{name: "the account delegates, IAM allows", caller: alice, setUp: attach(alice, own("Allow", encrypt, "*"))},
		{name: "IAM allows another action", caller: alice, setUp: attach(alice, own("Allow", "kms:Decrypt", "*")), want: noIdentity},
		{name: "IAM allows by the alias, which is no key", caller: alice, setUp: attach(alice, own("Allow", encrypt, aliasARN("alias/app"))), want: noIdentity},
		{name: "the user is named", policy: only(alice.Principal), caller: alice},
		{name: "another user is named", policy: only(bobby.Principal), caller: alice, want: noResource},
		{name: "the account is not in the key policy", policy: only(bobby.Principal), caller: alice, setUp: attach(alice, everything), want: noResource},
		{name: "the account is, for another action", policy: document(statement("Allow", account, "kms:Describe*")), caller: alice, setUp: attach(alice, everything), want: noResource},
		{name: "root is not named", policy: only(alice.Principal), caller: root, want: noResource},
		{name: "root, delegated", caller: root},
		{name: "an administrator who may not encrypt", policy: document(statement("Allow", account, "kms:*"), statement("Deny", alice.Principal, encrypt)),
			caller: alice, setUp: attach(alice, everything), want: explicit(" resource-based policy")},
		{name: "IAM denies one who is named", policy: only(alice.Principal), caller: alice, setUp: attach(alice, everything, deny), want: explicit("n identity-based policy")},
		{name: "everybody of the account", policy: document(`{"Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*","Condition":{"StringEquals":{"kms:CallerAccount":"` + account + `"}}}`), caller: alice},

		// boundary
		{name: "the boundary does not allow", caller: alice, setUp: bounded(alice, nothing, everything), want: noPolicy("permissions boundary", encrypt)},
		{name: "the boundary does not limit one who is named", policy: only(alice.Principal), caller: alice, setUp: bounded(alice, nothing)},
		{name: "the boundary limits a role that is named", policy: only(svc.Session.Role), caller: svc, setUp: bounded(svc, nothing), want: noPolicy("permissions boundary", encrypt)},
		{name: "the boundary denies", policy: only(alice.Principal), caller: alice, setUp: bounded(alice, deny), want: explicit(" permissions boundary")},

		// sessions
		{name: "a session of a role that is named", policy: only(svc.Session.Role), caller: svc},
		{name: "the role is named without its path", policy: only("arn:aws:iam::" + account + ":role/Svc"), caller: svc, want: noResource},
		{name: "the session is named", policy: only(svc.Principal), caller: svc},
		{name: "another session is named", policy: only("arn:aws:sts::" + account + ":assumed-role/Svc/s2"), caller: svc, want: noResource},
		{name: "the role's policies", caller: svc, setUp: attach(svc, own("Allow", encrypt, "*"))},
		{name: "the session's policy does not allow", caller: restricted(t, svc, nothing), setUp: attach(svc, everything), want: noPolicy("session policy", encrypt)},
		{name: "a session with an empty policy", caller: restricted(t, svc), setUp: attach(svc, everything), want: noPolicy("session policy", encrypt)},
		{name: "the session's policy allows", caller: restricted(t, svc, everything), setUp: attach(svc, everything)},
		{name: "the session's policy denies", policy: only(svc.Principal), caller: restricted(t, svc, everything, deny), want: explicit(" session policy")},
		{name: "PrincipalArn is the role", policy: document(`{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"` + svc.Session.Role + `"}}}`), caller: svc},
		{name: "a federated user without a policy", caller: federated, setUp: attach(federated, everything), want: noPolicy("session policy", encrypt)},
		{name: "a federated user with one", caller: restricted(t, federated, everything), setUp: attach(federated, everything)},

		// organization
		{name: "an SCP denies", caller: alice, policy: only(alice.Principal), setUp: scp(account, []string{full[0], deny}), want: explicit(" service control policy")},
		{name: "an SCP binds the root user", caller: root, setUp: scp(account, full, []string{deny}), want: explicit(" service control policy")},
		{name: "a level of SCPs does not allow", caller: root, setUp: scp(account, full, []string{nothing}), want: explicit(" service control policy")},
		{name: "all levels allow", caller: root, setUp: scp(account, full, full)},
		{name: "the SCP of the key's account does not bind others", policy: only(otherAccount), caller: carol,
			setUp: both(attach(carol, everything), scp(account, []string{deny}))},
		{name: "that of their own does", policy: only(otherAccount), caller: carol,
			setUp: both(attach(carol, everything), scp(otherAccount, []string{full[0], deny})), want: explicit(" service control policy")},
		{name: "the management account", caller: root, setUp: func(t *testing.T, w *world) {
			w.place(account, identity.Account{Management: true, SCP: [][]*policy.Policy{{compiled(t, policy.SCP, deny)}}, RCP: [][]*policy.Policy{{compiled(t, policy.RCP, denyAll)}}})
		}},
		{name: "an RCP denies", policy: only(otherAccount), caller: carol, setUp: both(attach(carol, everything), rcp(account, denyAll)), want: explicit(" resource control policy")},
		{name: "no RCP denies", caller: root, setUp: rcp(account)},
		{name: "a level of RCPs without the full one", caller: root, setUp: func(t *testing.T, w *world) {
			w.place(account, identity.Account{RCP: [][]*policy.Policy{{}}})
		}, want: explicit(" resource control policy")},
		{name: "the RCP of the caller's account", policy: only(otherAccount), caller: carol, setUp: both(attach(carol, everything), rcp(otherAccount, denyAll))},

		// another account
		{name: "their account, nobody there allows", policy: only(otherAccount), caller: carol, want: noIdentity},
		{name: "their account, their IAM allows", policy: only(otherAccount), caller: carol, setUp: attach(carol, own("Allow", encrypt, "*"))},
		{name: "their user is named, nobody there allows", policy: only(carol.Principal), caller: carol, want: noIdentity},
		{name: "their user is named, their IAM allows", policy: only(carol.Principal), caller: carol, setUp: attach(carol, everything)},
		{name: "their root", policy: only(otherAccount), caller: theirs},
		{name: "they are not in the key policy", caller: carol, setUp: attach(carol, everything), want: noResource},
		{name: "everybody, nobody there allows", policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}`, caller: carol, want: noIdentity},
		{name: "their boundary", policy: only(theirSvc.Principal), caller: theirSvc, setUp: bounded(theirSvc, nothing, everything), want: noPolicy("permissions boundary", encrypt)},
	}
}

// TestDecisions takes each scene through the engine, with the request as it would be
// made.
func TestDecisions(t *testing.T) {
	t.Parallel()
	for _, s := range scenes(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				if s.policy != "" {
					w.setPolicy(t, w.key, s.policy)
				}
				if s.setUp != nil {
					s.setUp(t, w)
				}
				if s.want == "" {
					succeeds(t, w.as(s.caller), encryptKey(w))
					return
				}
				denied(t, w.as(s.caller), s.caller, encryptKey(w), "kms:Encrypt", w.key, s.want)
			})
		})
	}
}

// TestDenialsNameThePolicy has the ARN of the policy that denies in the text, within
// one account.
func TestDenialsNameThePolicy(t *testing.T) {
	t.Parallel()
	const name = "arn:aws:iam::111122223333:policy/no-encrypt"
	deny := compiled(t, policy.Identity, own("Deny", "kms:Encrypt", "*")).Named(name)
	eachWorld(t, func(t *testing.T, w *world) {
		w.attach(alice.Principal, identity.Principal{Policies: []*policy.Policy{deny}})
		denied(t, w.as(alice), alice, encryptKey(w), "kms:Encrypt", w.key, explicit("n identity-based policy: "+name))

		// between accounts only if they are of one organization
		w.setPolicy(t, w.key, document(statement("Allow", otherAccount, "kms:*")))
		w.attach(carol.Principal, identity.Principal{Policies: []*policy.Policy{deny}})
		denied(t, w.as(carol), carol, encryptKey(w), "kms:Encrypt", w.key, explicit("n identity-based policy"))
		w.place(account, identity.Account{OrgID: "o-1234567890"})
		w.place(otherAccount, identity.Account{OrgID: "o-1234567890"})
		denied(t, w.as(carol), carol, encryptKey(w), "kms:Encrypt", w.key, explicit("n identity-based policy: "+name))
		w.place(otherAccount, identity.Account{OrgID: "o-0987654321"})
		denied(t, w.as(carol), carol, encryptKey(w), "kms:Encrypt", w.key, explicit("n identity-based policy"))
	})
}

// TestOperationsBetweenAccounts admits another account to everything and its user
// there to everything: only some operations work on a key of others.
func TestOperationsBetweenAccounts(t *testing.T) {
	t.Parallel()
	capable := map[string]bool{
		"CreateGrant": true, "Decrypt": true, "DescribeKey": true, "Encrypt": true, "GenerateDataKey": true, "GenerateDataKeyWithoutPlaintext": true,
		"GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true,
		"GetKeyRotationStatus": true, "ListGrants": true, "ReEncrypt": true, "RetireGrant": true, "RevokeGrant": true,
		"Decapsulate": true, "DeriveSharedSecret": true, "Encapsulate": true, "GenerateMac": true, "GetPublicKey": true,
		"Sign": true, "Verify": true, "VerifyMac": true,
	}
	eachCaller(t, theirs, func(t *testing.T, f *fixture, api kms.API) {
		f.plantAll(t)
		blob := f.plant(t, "secret", nil)
		for _, key := range []*string{&f.arn, &f.keys.signing, &f.keys.authentication, &f.keys.agreement, &f.keys.encapsulation, &f.copies} {
			succeeds(t, f.api, &sdk.PutKeyPolicyInput{KeyId: key, Policy: aws.String(document(statement("Allow", account, "kms:*"), statement("Allow", otherAccount, "kms:*")))})
		}
		for _, p := range permissions(f, blob) {
			switch in := p.in.(type) {
			case *sdk.CreateKeyInput, *sdk.GenerateRandomInput, *sdk.ListAliasesInput, *sdk.ListKeysInput, *sdk.ListRetirableGrantsInput,
				*sdk.DeleteAliasInput, *sdk.UpdateAliasInput, *sdk.CreateCustomKeyStoreInput, *sdk.DescribeCustomKeyStoresInput,
				*sdk.ConnectCustomKeyStoreInput, *sdk.DeleteCustomKeyStoreInput, *sdk.DisconnectCustomKeyStoreInput,
				*sdk.UpdateCustomKeyStoreInput: // not about a key of others
				continue
			case *sdk.RetireGrantInput: // which policies do not decide
				refused(t, api, in, "AccessDeniedException", denial(theirs, p.action, p.resource, "resource-based"))
				continue
			}
			_, err := call(t.Context(), api, p.in)
			if !capable[nameOf(p.in)] {
				resource := p.resource
				if p.action == "kms:CreateAlias" { // their alias, our key
					resource = f.arn
				}
				requireRefusal(t, err, "AccessDeniedException", denial(theirs, p.action, resource, "resource-based"))
				continue
			}
			require.NoError(t, err, nameOf(p.in))
		}
	})
}
