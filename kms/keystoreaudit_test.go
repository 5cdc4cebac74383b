package kms_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
)

// storeSession is a request of every operation on a custom key store and its keys, all
// of which succeed in this order if the store is there and not connected.
func storeSession(f *storeFixture, id string) []any {
	return []any{
		&sdk.UpdateCustomKeyStoreInput{
			CustomKeyStoreId: &id, XksProxyUriPath: &f.proxy.Path,
			XksProxyAuthenticationCredential: f.externalStore("").XksProxyAuthenticationCredential,
		},
		&sdk.DescribeCustomKeyStoresInput{},
		&sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id},
		&sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id},
		&sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id},
	}
}

// TestRecordsOfKeyStores has one record for each request, however often a proxy was
// asked for it.
func TestRecordsOfKeyStores(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		only := func() audit.Event {
			t.Helper()
			events := f.Events()
			seen := map[string]int{}
			for _, e := range events {
				seen[e.ID]++
			}
			e := events[len(events)-1]
			require.Equal(t, 1, seen[e.ID])
			return e
		}
		id := f.create(t, f.externalStore("s"))
		require.Equal(t, "CreateCustomKeyStore", only().Name)
		for _, in := range storeSession(f, id) {
			before := len(f.Events())
			succeeds(t, f.api, in)
			require.Len(t, f.Events(), before+1)
			e := only()
			require.Equal(t, nameOf(in), e.Name)
			require.Empty(t, e.ErrorCode)
			require.Nil(t, e.Resources)
			require.Equal(t, e.Name == "DescribeCustomKeyStores", e.ReadOnly)
		}

		id = f.createConnected(t, f.externalStore("s"))
		key := f.createKey(t, externalKey(id, "key-1"))
		require.Equal(t, []string{key}, only().Resources)
		context := map[string]string{"a": "b"}
		succeeds(t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionContext: context})
		require.Equal(t, []string{key}, only().Resources)
		require.Equal(t, context, only().EncryptionContext)

		f.proxy.Fail(xkstest.Exception(xks.AccessDeniedException))
		for code, in := range map[string]any{
			"KMSInvalidStateException":              &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")},
			"CustomKeyStoreInvalidStateException":   externalKey(id, "key-2"),
			"XksProxyInvalidConfigurationException": f.externalStore("t"),
		} {
			refused(t, f.api, in, code, proxyText("G"))
			e := only()
			require.Equal(t, code, e.ErrorCode)
			require.Equal(t, proxyText("G"), e.ErrorMessage)
		}
	})
}

// TestPermissionsOfKeyStores has a user who may nothing.
func TestPermissionsOfKeyStores(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	id := f.create(t, f.externalStore("s"))
	nobody := identity.Caller{Principal: bob, Account: account, Region: region}
	api := f.Client(nobody)
	for _, in := range append(storeSession(f, id), f.externalStore("t"), f.hsmStore("u")) {
		f.unchanged(t, func() {
			refused(t, api, in, "AccessDeniedException", denial(nobody, "kms:"+nameOf(in), "*", "identity-based"))
		})
	}
	// nor does a user learn what there is
	_, err := call(t.Context(), api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: aws.String(unknownStore)})
	require.Equal(t, "AccessDeniedException", codeOf(err))
}

// TestSecretsOfKeyStoresStayQuiet searches records, errors and answers for what they
// must not hold, and the store for what must not stand there in the clear.
func TestSecretsOfKeyStoresStayQuiet(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	plaintext := []byte("PLAINTEXT-marker")
	var texts []string
	note := func(in any) any {
		t.Helper()
		out, err := call(t.Context(), f.api, in)
		if err != nil {
			texts = append(texts, err.Error())
			return nil
		}
		return out
	}
	external := *note(f.externalStore("s")).(*sdk.CreateCustomKeyStoreOutput).CustomKeyStoreId
	hsm := *note(f.hsmStore("h")).(*sdk.CreateCustomKeyStoreOutput).CustomKeyStoreId
	for _, id := range []string{external, hsm} {
		note(&sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
	}
	key := *note(externalKey(external, "key-1")).(*sdk.CreateKeyOutput).KeyMetadata.Arn
	note(hsmKey(hsm))
	blob := note(&sdk.EncryptInput{KeyId: &key, Plaintext: plaintext}).(*sdk.EncryptOutput).CiphertextBlob
	dataKey := note(&sdk.GenerateDataKeyInput{KeyId: &key, KeySpec: "AES_256"}).(*sdk.GenerateDataKeyOutput)
	listing, err := json.Marshal(note(&sdk.DescribeCustomKeyStoresInput{}))
	require.NoError(t, err)
	texts = append(texts, string(listing))
	for _, failure := range proxyFailures() {
		failure.fail(f)
		note(&sdk.EncryptInput{KeyId: &key, Plaintext: plaintext})
		note(&sdk.DecryptInput{CiphertextBlob: blob})
		note(f.externalStore("t"))
		note(externalKey(external, "key-2"))
		note(&sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &external, XksProxyAuthenticationCredential: f.externalStore("").XksProxyAuthenticationCredential})
		f.proxy.Fail(nil)
		f.change(func(s *surroundings) { s.way = f.proxy.RoundTripper() })
	}
	note(f.hsmStore("x"))
	note(&sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &external, KeyStorePassword: aws.String(password)})
	note(&sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &hsm, KeyStorePassword: aws.String(password)})
	note(&sdk.CreateCustomKeyStoreInput{CustomKeyStoreName: aws.String("y"), KeyStorePassword: aws.String(password + strings.Repeat("x", 30))})
	note(&sdk.CreateCustomKeyStoreInput{CustomKeyStoreName: aws.String("y"), XksProxyAuthenticationCredential: &types.XksProxyAuthenticationCredentialType{
		AccessKeyId: aws.String("x"), RawSecretAccessKey: aws.String("-" + f.proxy.SecretAccessKey),
	}})
	require.Greater(t, len(texts), 80)
	for _, e := range f.Events() {
		b, err := json.Marshal(e)
		require.NoError(t, err)
		texts = append(texts, string(b))
	}
	texts = append(texts, fmt.Sprintf("%+v", dump(t, f.inner)))
	everything := strings.Join(texts, "\n")
	require.Contains(t, everything, external) // the search can find something
	for name, secret := range map[string]string{
		"password": password, "secret access key": f.proxy.SecretAccessKey, "plaintext": string(plaintext), "data key": string(dataKey.Plaintext),
	} {
		for _, form := range []string{
			secret, hex.EncodeToString([]byte(secret[:12])), base64.StdEncoding.EncodeToString([]byte(secret[:12])),
			base64.StdEncoding.EncodeToString([]byte(secret[1:13])), base64.StdEncoding.EncodeToString([]byte(secret[2:14])),
		} {
			require.NotContains(t, everything, form, name)
		}
	}
}
