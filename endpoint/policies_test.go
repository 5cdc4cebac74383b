package endpoint_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/policy"
)

// Who may do what, over HTTP: account A owns a key. Its administrator may manage the
// key but not decrypt with it, a role of account B may use it, and a user of B gets a
// grant that is bound to an encryption context.
const (
	adminARN = "arn:aws:iam::111122223333:user/admin"
	evaARN   = "arn:aws:iam::444455556666:user/eva"
	samARN   = "arn:aws:iam::444455556666:user/sam"
)

const sharedKeyPolicy = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
	{"Sid":"NoDataForAdmins","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:user/admin"},"Action":["kms:Decrypt","kms:ReEncryptFrom"],"Resource":"*"},
	{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":["kms:Encrypt","kms:Decrypt","kms:DescribeKey"],"Resource":"*"}]}`

// allow returns an identity policy that allows the actions on every resource.
func allow(t *testing.T, actions string) *policy.Policy {
	t.Helper()
	d, _, err := policy.Parse(policy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[`+actions+`],"Resource":"*"}}`))
	require.NoError(t, err)
	p, err := policy.Compile(d)
	require.NoError(t, err)
	return p
}

// people is a site with principals of two accounts, each with a client over HTTP.
type people struct {
	*site
	ctx                   context.Context
	root, admin, eva, sam *sdk.Client
	adminKey              aws.Credentials
}

func newPeople(t *testing.T) *people {
	t.Helper()
	source := &identity.Static{}
	source.SetPrincipal(adminARN, identity.Principal{Policies: []*policy.Policy{allow(t, `"kms:*"`)}})
	source.SetPrincipal(evaARN, identity.Principal{Policies: []*policy.Policy{allow(t, `"kms:Encrypt","kms:Decrypt"`)}})
	p := &people{site: newSite(t, &kmstest.Options{Identities: source}), ctx: t.Context()}
	client := func(arn string) (*sdk.Client, aws.Credentials) {
		caller, err := identity.User(arn)
		require.NoError(t, err)
		id, secret := p.keys.Create(caller)
		c := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
		return p.overHTTP(t, c, region), c
	}
	p.root = p.overHTTP(t, rootCredentials(), region)
	p.admin, p.adminKey = client(adminARN)
	p.eva, _ = client(evaARN)
	p.sam, _ = client(samARN)
	return p
}

// denied requires AWS's denial with its whole text.
func denied(t *testing.T, err error, text string) {
	t.Helper()
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, "AccessDeniedException", api.ErrorCode())
	require.Equal(t, text, api.ErrorMessage())
}

func TestPoliciesAndGrantsOverHTTP(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	made, err := p.admin.CreateKey(p.ctx, &sdk.CreateKeyInput{Policy: aws.String(sharedKeyPolicy)})
	require.NoError(t, err)
	key := made.KeyMetadata.Arn
	denial := func(who, action, why string) string {
		return "User: " + who + " is not authorized to perform: " + action + " on resource: " + *key + " " + why
	}
	context := map[string]string{"tenant": "42"}

	sealed, err := p.admin.Encrypt(p.ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("secret"), EncryptionContext: context})
	require.NoError(t, err)
	open := &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: context}

	t.Run("an admin manages but does not decrypt", func(t *testing.T) {
		_, err := p.admin.Decrypt(p.ctx, open)
		denied(t, err, denial(adminARN, "kms:Decrypt", "with an explicit deny in a resource-based policy"))
		_, err = p.admin.TagResource(p.ctx, &sdk.TagResourceInput{KeyId: key, Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}})
		require.NoError(t, err)
	})
	t.Run("the partner needs both accounts", func(t *testing.T) {
		out, err := p.eva.Decrypt(p.ctx, open)
		require.NoError(t, err)
		require.Equal(t, "secret", string(out.Plaintext))
		_, err = p.sam.Decrypt(p.ctx, open)
		denied(t, err, denial(samARN, "kms:Decrypt", "because no identity-based policy allows the kms:Decrypt action"))
		_, err = p.eva.DescribeKey(p.ctx, &sdk.DescribeKeyInput{KeyId: key})
		denied(t, err, denial(evaARN, "kms:DescribeKey", "because no identity-based policy allows the kms:DescribeKey action"))
		_, err = p.eva.GenerateDataKey(p.ctx, &sdk.GenerateDataKeyInput{KeyId: key, KeySpec: types.DataKeySpecAes256})
		denied(t, err, denial(evaARN, "kms:GenerateDataKey", "because no resource-based policy allows the kms:GenerateDataKey action"))
	})
	t.Run("a grant is bound to its context", func(t *testing.T) {
		grant, err := p.root.CreateGrant(p.ctx, &sdk.CreateGrantInput{
			KeyId: key, GranteePrincipal: aws.String(samARN), RetiringPrincipal: aws.String(samARN),
			Operations:  []types.GrantOperation{types.GrantOperationDecrypt},
			Constraints: &types.GrantConstraints{EncryptionContextEquals: context},
		})
		require.NoError(t, err)
		out, err := p.sam.Decrypt(p.ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: context, GrantTokens: []string{*grant.GrantToken}})
		require.NoError(t, err)
		require.Equal(t, "secret", string(out.Plaintext))
		_, err = p.sam.Decrypt(p.ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"tenant": "43"}})
		require.ErrorContains(t, err, "AccessDeniedException")
		_, err = p.sam.RetireGrant(p.ctx, &sdk.RetireGrantInput{KeyId: key, GrantId: grant.GrantId})
		require.NoError(t, err)
		_, err = p.sam.Decrypt(p.ctx, open)
		require.ErrorContains(t, err, "AccessDeniedException")
		_, err = p.sam.Decrypt(p.ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, GrantTokens: []string{*grant.GrantToken}})
		var token *types.InvalidGrantTokenException
		require.ErrorAs(t, err, &token)
	})
	t.Run("a lockout is refused", func(t *testing.T) {
		locked := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"kms:*","Resource":"*"}}`
		_, err := p.admin.PutKeyPolicy(p.ctx, &sdk.PutKeyPolicyInput{KeyId: key, Policy: &locked})
		var malformed *types.MalformedPolicyDocumentException
		require.ErrorAs(t, err, &malformed)
		require.Equal(t, "The new key policy will not allow you to update the key policy in the future.", malformed.ErrorMessage())
		out, err := p.root.GetKeyPolicy(p.ctx, &sdk.GetKeyPolicyInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, sharedKeyPolicy, *out.Policy)
	})
	t.Run("a bad signature and an old one are refused", func(t *testing.T) {
		body := `{"KeyId":"` + *key + `"}`
		r := newRequest("DescribeKey", body)
		sign(t, r, body, signature{creds: aws.Credentials{AccessKeyID: p.adminKey.AccessKeyID, SecretAccessKey: "not the secret"}})
		require.Equal(t, http.StatusBadRequest, p.do(r).status)
		old := newRequest("DescribeKey", body)
		sign(t, old, body, signature{creds: p.adminKey, time: time.Now().Add(-6 * time.Minute)})
		code, text := errorOf(t, p.do(old))
		require.Equal(t, "InvalidSignatureException", code)
		require.Contains(t, text, "Signature expired")
		fresh := newRequest("DescribeKey", body)
		sign(t, fresh, body, signature{creds: p.adminKey})
		require.Equal(t, http.StatusOK, p.do(fresh).status)
	})
}
