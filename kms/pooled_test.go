package kms_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// TestRequestsDoNotMix has tenants, each of which is allowed its own key with its own
// encryption context only, use and change their keys at once. Requests that are refused,
// overtaken or about two keys leave nothing behind for those that get their memory: not
// in what is decided, not in what is answered, and not in events, which the sink keeps.
func TestRequestsDoNotMix(t *testing.T) {
	t.Parallel()
	const tenants, rounds = 8, 60
	ring := &audit.Ring{Size: 1 << 16}
	service, err := kms.New(t.Context(), kms.Config{Store: store.NewMemory(), Audit: ring})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	const statement = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%[1]s:root"},"Action":["kms:TagResource","kms:DescribeKey","kms:PutKeyPolicy"],"Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%[1]s:root"},"Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey","kms:ReEncrypt*"],"Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:tenant":"%[1]s"}}}]}`
	var all sync.WaitGroup
	for i := range tenants {
		tenant := fmt.Sprintf("%012d", i+1)
		all.Go(func() {
			api := service.Client(identity.Root(tenant, region))
			made, err := api.CreateKey(t.Context(), &sdk.CreateKeyInput{Policy: aws.String(fmt.Sprintf(statement, tenant))})
			if err != nil {
				t.Error(err)
				return
			}
			id, right := made.KeyMetadata.KeyId, map[string]string{"tenant": tenant}
			wrong := map[string]string{"tenant": fmt.Sprintf("%012d", (i+1)%tenants+1)}
			for n := range rounds {
				secret := fmt.Sprintf("%s-%d", tenant, n)
				for _, context := range []map[string]string{nil, wrong} {
					if _, err := api.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: id, Plaintext: []byte(secret), EncryptionContext: context}); codeOf(err) != "AccessDeniedException" {
						t.Errorf("tenant %s with %v: %v", tenant, context, err)
					}
				}
				sealed, err := api.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: id, Plaintext: []byte(secret), EncryptionContext: right})
				if err != nil {
					t.Error(err)
					return
				}
				again, err := api.ReEncrypt(t.Context(), &sdk.ReEncryptInput{
					CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: right, DestinationKeyId: id, DestinationEncryptionContext: right,
				})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := api.TagResource(t.Context(), &sdk.TagResourceInput{KeyId: id, Tags: tags("n=" + fmt.Sprint(n))}); err != nil {
					t.Error(err)
				}
				opened, err := api.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: again.CiphertextBlob, EncryptionContext: right})
				if err != nil || string(opened.Plaintext) != secret || *opened.KeyId != *made.KeyMetadata.Arn {
					t.Errorf("tenant %s: %v", tenant, err)
				}
			}
		})
	}
	all.Wait()

	events := ring.Events()
	require.GreaterOrEqual(t, len(events), tenants*rounds*6)
	for _, e := range events {
		for _, resource := range e.Resources {
			require.Contains(t, resource, ":"+e.Identity.Account+":", e.Name)
		}
		switch {
		case e.Name == "TagResource" || e.Name == "CreateKey":
			require.Nil(t, e.EncryptionContext)
		case e.ErrorCode == "":
			require.Equal(t, map[string]string{"tenant": e.Identity.Account}, e.EncryptionContext, e.Name)
		default:
			require.NotEqual(t, e.Identity.Account, e.EncryptionContext["tenant"], e.Name)
			require.True(t, strings.HasPrefix(e.ErrorCode, "AccessDenied"))
		}
	}
}
