package kms_test

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks/xkstest"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

const (
	clusterID = "cluster-2a23b4cdefg"
	password  = "kmsuser-PASSWORD-marker"
	anchor    = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

	vpcService = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
	vpcHost    = "xks.private.example.com"
)

// surroundings is what the engine's custom key stores can reach: a proxy, clusters and
// VPC endpoint services. It may be changed at any time.
type surroundings struct {
	mu       sync.Mutex
	way      http.RoundTripper                 // to the proxy
	clusters map[string]kms.CloudHSMCluster    // by id
	services map[string]kms.VPCEndpointService // by name
}

func (s *surroundings) change(f func(*surroundings)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *surroundings) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	way := s.way
	s.mu.Unlock()
	return way.RoundTrip(r)
}

func (s *surroundings) cluster(id string) (kms.CloudHSMCluster, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.clusters[id]
	return c, ok
}

func (s *surroundings) service(name string) (kms.VPCEndpointService, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.services[name]
	return v, ok
}

// setCluster describes the cluster of clusterID.
func (s *surroundings) setCluster(change func(*kms.CloudHSMCluster)) {
	s.change(func(s *surroundings) {
		c := s.clusters[clusterID]
		change(&c)
		s.clusters[clusterID] = c
	})
}

// goodCluster is one that everything can be done with.
func goodCluster() kms.CloudHSMCluster {
	return kms.CloudHSMCluster{TrustAnchor: anchor, Password: password, Active: true, HSMs: 2, History: "backup-1"}
}

// storeFixture is a fixture with what custom key stores need.
type storeFixture struct {
	*fixture
	*surroundings
	t     *testing.T
	proxy *xkstest.Proxy
}

func newStoreFixture(t *testing.T, viaSDK bool, configure ...func(*kms.Config)) *storeFixture {
	t.Helper()
	f := &storeFixture{t: t, proxy: xkstest.New()}
	f.proxy.AddKey("key-1")
	f.proxy.AddKey("key-2")
	f.surroundings = &surroundings{
		way:      f.proxy.RoundTripper(),
		clusters: map[string]kms.CloudHSMCluster{clusterID: goodCluster()},
		services: map[string]kms.VPCEndpointService{vpcService: {PrivateDNSName: vpcHost}},
	}
	f.fixture = newFixture(t, viaSDK, append([]func(*kms.Config){func(c *kms.Config) {
		c.XKS, c.XKSTimeout = f.surroundings, time.Minute
		c.CloudHSM, c.VPCEndpointService = f.cluster, f.service
	}}, configure...)...)
	return f
}

// eachWithStores is each with what custom key stores need.
func eachWithStores(t *testing.T, test func(t *testing.T, f *storeFixture), configure ...func(*kms.Config)) {
	t.Helper()
	for name, viaSDK := range map[string]bool{"Client": false, "SDK": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newStoreFixture(t, viaSDK, configure...))
		})
	}
}

// externalStore is a request for an external key store with a public endpoint.
func (f *storeFixture) externalStore(name string) *sdk.CreateCustomKeyStoreInput {
	return &sdk.CreateCustomKeyStoreInput{
		CustomKeyStoreName:  &name,
		CustomKeyStoreType:  types.CustomKeyStoreTypeExternalKeyStore,
		XksProxyUriEndpoint: aws.String("https://" + name + ".example.com"),
		XksProxyUriPath:     &f.proxy.Path,
		XksProxyAuthenticationCredential: &types.XksProxyAuthenticationCredentialType{
			AccessKeyId: &f.proxy.AccessKeyID, RawSecretAccessKey: &f.proxy.SecretAccessKey,
		},
		XksProxyConnectivity: types.XksProxyConnectivityTypePublicEndpoint,
	}
}

// vpcStore is a request for an external key store behind a VPC endpoint service.
func (f *storeFixture) vpcStore(name string) *sdk.CreateCustomKeyStoreInput {
	in := f.externalStore(name)
	in.XksProxyConnectivity = types.XksProxyConnectivityTypeVpcEndpointService
	in.XksProxyUriEndpoint = aws.String("https://" + vpcHost)
	in.XksProxyVpcEndpointServiceName = aws.String(vpcService)
	return in
}

// hsmStore is a request for an AWS CloudHSM key store.
func (f *storeFixture) hsmStore(name string) *sdk.CreateCustomKeyStoreInput {
	return &sdk.CreateCustomKeyStoreInput{
		CustomKeyStoreName: &name, CloudHsmClusterId: aws.String(clusterID),
		KeyStorePassword: aws.String(password), TrustAnchorCertificate: aws.String(anchor),
	}
}

// create makes a store and returns its id.
func (f *storeFixture) create(t *testing.T, in *sdk.CreateCustomKeyStoreInput) string {
	t.Helper()
	return *do[sdk.CreateCustomKeyStoreOutput](t, f.api, in).CustomKeyStoreId
}

// createConnected makes a store and connects it.
func (f *storeFixture) createConnected(t *testing.T, in *sdk.CreateCustomKeyStoreInput) string {
	t.Helper()
	id := f.create(t, in)
	f.connect(t, id)
	require.Equal(t, types.ConnectionStateTypeConnected, f.describe(t, id).ConnectionState)
	return id
}

func (f *storeFixture) connect(t *testing.T, id string) {
	t.Helper()
	succeeds(t, f.api, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
}

func (f *storeFixture) disconnect(t *testing.T, id string) {
	t.Helper()
	succeeds(t, f.api, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id})
}

// describe returns what the listing says of a store.
func (f *storeFixture) describe(t *testing.T, id string) types.CustomKeyStoresListEntry {
	t.Helper()
	out := do[sdk.DescribeCustomKeyStoresOutput](t, f.api, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: &id})
	require.Len(t, out.CustomKeyStores, 1)
	return out.CustomKeyStores[0]
}

// externalKey is a request for a key in an external key store.
func externalKey(store, id string) *sdk.CreateKeyInput {
	return &sdk.CreateKeyInput{Origin: types.OriginTypeExternalKeyStore, CustomKeyStoreId: &store, XksKeyId: &id}
}

// hsmKey is a request for a key in an AWS CloudHSM key store.
func hsmKey(store string) *sdk.CreateKeyInput {
	return &sdk.CreateKeyInput{Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreId: &store}
}

// createKey makes a key and returns its ARN.
func (f *storeFixture) createKey(t *testing.T, in *sdk.CreateKeyInput) string {
	t.Helper()
	return *do[sdk.CreateKeyOutput](t, f.api, in).KeyMetadata.Arn
}

// state returns the state of a key.
func (f *storeFixture) state(t *testing.T, key string) types.KeyState {
	t.Helper()
	return do[sdk.DescribeKeyOutput](t, f.api, &sdk.DescribeKeyInput{KeyId: &key}).KeyMetadata.KeyState
}

// unchanged runs something that must not change the store.
func (f *storeFixture) unchanged(t *testing.T, run func()) {
	t.Helper()
	before := decided(t, f.inner)
	run()
	require.True(t, maps.Equal(before, decided(t, f.inner)))
}

// decided returns what a store holds but for last usage, which is written whenever it
// suits the engine.
func decided(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	all := dump(t, s)
	maps.DeleteFunc(all, func(name, _ string) bool { return strings.Contains(name, "/usage/") })
	return all
}
