package endpoint_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks/xkstest"
	"github.com/sealring/sealring/kms"
)

const (
	cluster     = "cluster-2a23b4cdefg"
	trustAnchor = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
	storeSecret = "of kmsuser, PASSWORD"
)

// The external key store proxy of a site and its credential.
const (
	proxyPath   = "/site/kms/xks/v1"
	proxyID     = "ABCDEFGHIJKLMNOPQRSTUVWX"
	proxySecret = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
)

// withClusters has all that custom key stores need.
func withClusters(c *kms.Config) {
	proxy := xkstest.New()
	proxy.Path, proxy.AccessKeyID, proxy.SecretAccessKey = proxyPath, proxyID, proxySecret
	c.XKS, c.XKSTimeout = proxy.RoundTripper(), time.Minute
	c.CloudHSM = func(id string) (kms.CloudHSMCluster, bool) {
		return kms.CloudHSMCluster{TrustAnchor: trustAnchor, Password: storeSecret, Active: true, HSMs: 2}, id == cluster
	}
}

// newStore creates an AWS CloudHSM key store, which lasts as long as the test, and
// returns its id.
func (u user) newStore() *string {
	u.t.Helper()
	return u.newStoreLike(hsmStore(u.t.Name()))
}

// hsmStore is a request for an AWS CloudHSM key store.
func hsmStore(name string) *sdk.CreateCustomKeyStoreInput {
	return &sdk.CreateCustomKeyStoreInput{
		CustomKeyStoreName: &name, CloudHsmClusterId: aws.String(cluster),
		KeyStorePassword: aws.String(storeSecret), TrustAnchorCertificate: aws.String(trustAnchor),
	}
}

// externalStore is a request for an external key store.
func externalStore(name string) *sdk.CreateCustomKeyStoreInput {
	return &sdk.CreateCustomKeyStoreInput{
		CustomKeyStoreName: &name, CustomKeyStoreType: types.CustomKeyStoreTypeExternalKeyStore,
		XksProxyUriEndpoint: aws.String(xkstest.Endpoint), XksProxyUriPath: aws.String(proxyPath),
		XksProxyConnectivity: types.XksProxyConnectivityTypePublicEndpoint,
		XksProxyAuthenticationCredential: &types.XksProxyAuthenticationCredentialType{
			AccessKeyId: aws.String(proxyID), RawSecretAccessKey: aws.String(proxySecret),
		},
	}
}

// newStoreLike is newStore as the request says.
func (u user) newStoreLike(in *sdk.CreateCustomKeyStoreInput) *string {
	u.t.Helper()
	out, err := u.CreateCustomKeyStore(u.ctx, in)
	require.NoError(u.t, err)
	u.t.Cleanup(func() { // it may be in any state, or gone
		_, _ = u.DisconnectCustomKeyStore(context.Background(), &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: out.CustomKeyStoreId})
		_, _ = u.DeleteCustomKeyStore(context.Background(), &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: out.CustomKeyStoreId})
	})
	return out.CustomKeyStoreId
}

func (u user) connect(id *string) {
	u.t.Helper()
	_, err := u.ConnectCustomKeyStore(u.ctx, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: id})
	require.NoError(u.t, err)
}

func (u user) disconnect(id *string) {
	u.t.Helper()
	_, err := u.DisconnectCustomKeyStore(u.ctx, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: id})
	require.NoError(u.t, err)
}

// store returns what the listing says of a store.
func (u user) store(id *string) types.CustomKeyStoresListEntry {
	u.t.Helper()
	out, err := u.DescribeCustomKeyStores(u.ctx, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: id})
	require.NoError(u.t, err)
	require.Len(u.t, out.CustomKeyStores, 1)
	return out.CustomKeyStores[0]
}

// keyStores has the operations on custom key stores.
var keyStores = map[string]func(t *testing.T, u user){
	"CreateCustomKeyStore": func(t *testing.T, u user) {
		hsm := u.store(u.newStore())
		require.Equal(t, types.CustomKeyStoreTypeAwsCloudhsm, hsm.CustomKeyStoreType)
		require.Equal(t, cluster, *hsm.CloudHsmClusterId)
		require.Equal(t, trustAnchor, *hsm.TrustAnchorCertificate)

		external := u.store(u.newStoreLike(externalStore(t.Name() + "/external")))
		require.Equal(t, xkstest.Endpoint, *external.XksProxyConfiguration.UriEndpoint)
		require.Equal(t, proxyID, *external.XksProxyConfiguration.AccessKeyId)
	},
	"ConnectCustomKeyStore": func(t *testing.T, u user) {
		id := u.newStore()
		u.connect(id)
		require.Equal(t, types.ConnectionStateTypeConnected, u.store(id).ConnectionState)
	},
	"DisconnectCustomKeyStore": func(t *testing.T, u user) {
		id := u.newStore()
		u.connect(id)
		u.disconnect(id)
		require.Equal(t, types.ConnectionStateTypeDisconnected, u.store(id).ConnectionState)
	},
	"DescribeCustomKeyStores": func(t *testing.T, u user) {
		id := u.newStore()
		out, err := u.DescribeCustomKeyStores(u.ctx, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreName: aws.String(t.Name())})
		require.NoError(t, err)
		require.Len(t, out.CustomKeyStores, 1)
		s := out.CustomKeyStores[0]
		require.Equal(t, *id, *s.CustomKeyStoreId)
		require.NotNil(t, s.CreationDate)
		require.Empty(t, s.ConnectionErrorCode)
		require.False(t, out.Truncated)
	},
	"UpdateCustomKeyStore": func(t *testing.T, u user) {
		id := u.newStore()
		_, err := u.UpdateCustomKeyStore(u.ctx, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: id, NewCustomKeyStoreName: aws.String("renamed")})
		require.NoError(t, err)
		require.Equal(t, "renamed", *u.store(id).CustomKeyStoreName)
	},
	"DeleteCustomKeyStore": func(t *testing.T, u user) {
		id := u.newStore()
		_, err := u.DeleteCustomKeyStore(u.ctx, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: id})
		require.NoError(t, err)
		_, err = u.DescribeCustomKeyStores(u.ctx, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: id})
		require.True(t, is[*types.CustomKeyStoreNotFoundException](err), "%T: %v", err, err)
	},
}
