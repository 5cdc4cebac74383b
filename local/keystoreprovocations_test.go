package local_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
)

// outside is what custom key stores are connected to. It changes only before the
// requests that are to be refused.
type outside struct {
	proxies  map[string]*xkstest.Proxy         // by host
	clusters map[string]kms.CloudHSMCluster    // by id
	services map[string]kms.VPCEndpointService // by name
}

const (
	busyCluster     = "cluster-2aaaaaaaaaaa" // has a connected store
	silentCluster   = "cluster-2bbbbbbbbbbb" // has a store, and is no longer active
	tangledCluster  = "cluster-2ccccccccccc" // has a store, and is no longer configured as it has to be
	heldCluster     = "cluster-2ddddddddddd" // has a store with a key
	freeCluster     = "cluster-2eeeeeeeeeee"
	inactiveCluster = "cluster-2fffffffffff"
	brokenCluster   = "cluster-2ggggggggggg"
	noCluster       = "cluster-2hhhhhhhhhhh"

	anchor   = "anchor"
	password = "password"

	busyService   = "com.amazonaws.vpce.us-east-1.vpce-svc-0aaaaaaaaaaaaaaaa"
	brokenService = "com.amazonaws.vpce.us-east-1.vpce-svc-0bbbbbbbbbbbbbbbb"
	noService     = "com.amazonaws.vpce.us-east-1.vpce-svc-0cccccccccccccccc"
)

// RoundTrip hands a request to the proxy that it is for.
func (o *outside) RoundTrip(r *http.Request) (*http.Response, error) {
	return o.proxies[r.URL.Host].RoundTripper().RoundTrip(r)
}

func (o *outside) cluster(id string) (kms.CloudHSMCluster, bool) {
	c, ok := o.clusters[id]
	return c, ok
}

func (o *outside) service(name string) (kms.VPCEndpointService, bool) {
	s, ok := o.services[name]
	return s, ok
}

func host(name string) string { return name + ".example.com" }

// proxy returns the proxy of a name, which is made if there is none.
func (o *outside) proxy(name string) *xkstest.Proxy {
	if o.proxies[host(name)] == nil {
		o.proxies[host(name)] = xkstest.New()
	}
	return o.proxies[host(name)]
}

// failing returns the name of a proxy with a fault.
func (o *outside) failing(name string, f xkstest.Fault) string {
	o.proxy(name).Fail(f)
	return name
}

// external is a request for an external key store at the proxy of the same name.
func (o *outside) external(name string) *sdk.CreateCustomKeyStoreInput {
	p := o.proxy(name)
	return &sdk.CreateCustomKeyStoreInput{
		CustomKeyStoreName:               &name,
		CustomKeyStoreType:               types.CustomKeyStoreTypeExternalKeyStore,
		XksProxyConnectivity:             types.XksProxyConnectivityTypePublicEndpoint,
		XksProxyUriEndpoint:              aws.String("https://" + host(name)),
		XksProxyUriPath:                  &p.Path,
		XksProxyAuthenticationCredential: credential(p.AccessKeyID, p.SecretAccessKey),
	}
}

func credential(id, secret string) *types.XksProxyAuthenticationCredentialType {
	return &types.XksProxyAuthenticationCredentialType{AccessKeyId: &id, RawSecretAccessKey: &secret}
}

// behind is external for a proxy behind a VPC endpoint service.
func (o *outside) behind(name, service string) *sdk.CreateCustomKeyStoreInput {
	in := o.external(name)
	in.XksProxyConnectivity, in.XksProxyVpcEndpointServiceName = types.XksProxyConnectivityTypeVpcEndpointService, &service
	return in
}

// hsm is a request for an AWS CloudHSM key store.
func hsm(name, cluster string) *sdk.CreateCustomKeyStoreInput {
	return &sdk.CreateCustomKeyStoreInput{
		CustomKeyStoreName: &name, CloudHsmClusterId: &cluster,
		TrustAnchorCertificate: aws.String(anchor), KeyStorePassword: aws.String(password),
	}
}

// changed makes of the settings of a new store a change of an external one.
func changed(id string, in *sdk.CreateCustomKeyStoreInput) *sdk.UpdateCustomKeyStoreInput {
	return &sdk.UpdateCustomKeyStoreInput{
		CustomKeyStoreId:                 &id,
		XksProxyConnectivity:             in.XksProxyConnectivity,
		XksProxyUriEndpoint:              in.XksProxyUriEndpoint,
		XksProxyUriPath:                  in.XksProxyUriPath,
		XksProxyAuthenticationCredential: in.XksProxyAuthenticationCredential,
		XksProxyVpcEndpointServiceName:   in.XksProxyVpcEndpointServiceName,
	}
}

// vaults are custom key stores in various conditions, by id.
type vaults struct {
	*laboratory
	*outside

	used   string // external and connected, with a key
	idle   string // external and not connected, as another one behind a VPC endpoint service
	failed string // external and FAILED
	busy   string // AWS CloudHSM and connected
	held   string // AWS CloudHSM and not connected, with a key

	// AWS CloudHSM and not connected, with clusters that have changed since.
	mute, tangle string
}

func newVaults(t *testing.T) *vaults {
	t.Helper()
	good := kms.CloudHSMCluster{TrustAnchor: anchor, Password: password, Active: true, HSMs: 2}
	v := &vaults{outside: &outside{
		proxies:  map[string]*xkstest.Proxy{},
		clusters: map[string]kms.CloudHSMCluster{busyCluster: good, silentCluster: good, tangledCluster: good, heldCluster: good, freeCluster: good},
		services: map[string]kms.VPCEndpointService{
			busyService: {PrivateDNSName: host("hidden")}, brokenService: {Misconfigured: true},
		},
	}}
	for i := range 10 {
		v.clusters[oneOfTen(i)] = good
	}
	v.laboratory = &laboratory{t: t, cloud: newCloud(t, &local.Options{Configure: func(c *kms.Config) {
		c.XKS, c.XKSTimeout = v.outside, time.Minute
		c.CloudHSM, c.VPCEndpointService = v.cluster, v.service
	}})}
	v.used = v.connected(v.external("used"))
	v.proxy("used").AddKey("key-1")
	v.proxy("used").AddKey("key-2")
	v.proxy("used").SetKey("key-2", xks.Metadata{Spec: "AES_128", Usage: []string{xks.UsageEncrypt, xks.UsageDecrypt}, Status: xks.Enabled})
	v.newKey(v.used, types.OriginTypeExternalKeyStore, aws.String("key-1"))
	v.idle = v.create(homeRegion, v.external("idle"))
	v.create(homeRegion, v.behind("hidden", busyService))
	v.failed = v.create(homeRegion, v.external("failed"))
	v.failing("failed", xkstest.Drop())
	must[sdk.ConnectCustomKeyStoreOutput](v.laboratory, homeRegion, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &v.failed})

	v.busy = v.connected(hsm("busy", busyCluster))
	v.mute, v.tangle = v.create(homeRegion, hsm("mute", silentCluster)), v.create(homeRegion, hsm("tangle", tangledCluster))
	v.held = v.connected(hsm("held", heldCluster))
	v.newKey(v.held, types.OriginTypeAwsCloudhsm, nil)
	must[sdk.DisconnectCustomKeyStoreOutput](v.laboratory, homeRegion, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &v.held})
	for i := range 10 {
		v.create(replicaRegion, hsm(fmt.Sprint("store", i), oneOfTen(i)))
	}

	inactive, broken, small := good, good, good
	inactive.Active, broken.Misconfigured, small.HSMs = false, true, 1
	v.clusters[silentCluster], v.clusters[inactiveCluster] = inactive, inactive
	v.clusters[tangledCluster], v.clusters[brokenCluster] = broken, broken
	v.clusters[busyCluster] = small
	return v
}

func oneOfTen(i int) string { return "cluster-2iiiiiiiiii" + string(rune('a'+i)) }

func (v *vaults) create(region string, in *sdk.CreateCustomKeyStoreInput) string {
	v.t.Helper()
	return *must[sdk.CreateCustomKeyStoreOutput](v.laboratory, region, in).CustomKeyStoreId
}

func (v *vaults) connected(in *sdk.CreateCustomKeyStoreInput) string {
	v.t.Helper()
	id := v.create(homeRegion, in)
	must[sdk.ConnectCustomKeyStoreOutput](v.laboratory, homeRegion, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
	return id
}

func (v *vaults) newKey(id string, origin types.OriginType, external *string) {
	v.t.Helper()
	must[sdk.CreateKeyOutput](v.laboratory, homeRegion, keyIn(id, origin, external))
}

func keyIn(id string, origin types.OriginType, external *string) *sdk.CreateKeyInput {
	return &sdk.CreateKeyInput{CustomKeyStoreId: &id, Origin: origin, XksKeyId: external}
}

// provokeKeyStores returns the provocations that have to do with custom key stores.
func provokeKeyStores(t *testing.T) map[pair]provocation {
	t.Helper()
	v := newVaults(t)
	all := map[pair]provocation{}
	for _, r := range v.refusals() {
		name := strings.TrimSuffix(reflect.TypeOf(r.in).Elem().Name(), "Input")
		p := provocation{cloud: v.cloud, region: homeRegion, in: r.in}
		if r.exception == "LimitExceededException" {
			p.region = replicaRegion
		}
		all[pair{name, r.exception}] = p
	}
	return all
}

// refusal is a request and the exception that it gets.
type refusal struct {
	exception string
	in        any
}

func (v *vaults) refusals() []refusal {
	return slices.Concat(v.refusedUses(), v.refusedStores(), v.refusedChanges())
}

// refusedUses are the refusals of requests that change no settings.
func (v *vaults) refusedUses() []refusal {
	const invalidState = "CustomKeyStoreInvalidStateException"
	return []refusal{
		{invalidState, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &v.failed}},
		{"CloudHsmClusterNotActiveException", &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &v.mute}},
		{"CloudHsmClusterInvalidConfigurationException", &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &v.tangle}},
		{invalidState, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &v.idle}},
		{invalidState, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &v.busy}},
		{"CustomKeyStoreHasCMKsException", &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &v.held}},

		{invalidState, &sdk.GenerateRandomInput{CustomKeyStoreId: &v.mute, NumberOfBytes: aws.Int32(1)}},
		{"UnsupportedOperationException", &sdk.GenerateRandomInput{CustomKeyStoreId: &v.used, NumberOfBytes: aws.Int32(1)}},

		{invalidState, keyIn(v.mute, types.OriginTypeAwsCloudhsm, nil)},
		{"CloudHsmClusterInvalidConfigurationException", keyIn(v.busy, types.OriginTypeAwsCloudhsm, nil)},
		{"XksKeyAlreadyInUseException", keyIn(v.used, types.OriginTypeExternalKeyStore, aws.String("key-1"))},
		{"XksKeyInvalidConfigurationException", keyIn(v.used, types.OriginTypeExternalKeyStore, aws.String("key-2"))},
		{"XksKeyNotFoundException", keyIn(v.used, types.OriginTypeExternalKeyStore, aws.String("key-3"))},
	}
}

// refusedStores are the refusals of new stores.
func (v *vaults) refusedStores() []refusal {
	otherAnchor := hsm("new", freeCluster)
	otherAnchor.TrustAnchorCertificate = aws.String("another anchor")
	otherSecret := v.external("new")
	otherSecret.XksProxyAuthenticationCredential = credential(v.proxy("new").AccessKeyID, v.proxy("used").SecretAccessKey)
	otherPath := v.external("new")
	otherPath.XksProxyUriPath = &v.proxy("used").Path
	sameURI := v.external("used")
	sameURI.CustomKeyStoreName = aws.String("new")
	sameEndpoint := v.behind("hidden", noService)
	sameEndpoint.CustomKeyStoreName, sameEndpoint.XksProxyUriPath = aws.String("new"), &v.proxy("new").Path
	return []refusal{
		{"LimitExceededException", hsm("new", freeCluster)},
		{"CustomKeyStoreNameInUseException", hsm("busy", freeCluster)},
		{"CloudHsmClusterInUseException", hsm("new", heldCluster)},
		{"CloudHsmClusterNotActiveException", hsm("new", inactiveCluster)},
		{"CloudHsmClusterInvalidConfigurationException", hsm("new", brokenCluster)},
		{"CloudHsmClusterNotFoundException", hsm("new", noCluster)},
		{"IncorrectTrustAnchorException", otherAnchor},
		{"XksProxyIncorrectAuthenticationCredentialException", otherSecret},
		{"XksProxyInvalidConfigurationException", otherPath},
		{"XksProxyInvalidResponseException", v.external(v.failing("babbling", xkstest.Reply(http.StatusOK, "application/json", "{")))},
		{"XksProxyUriUnreachableException", v.external(v.failing("gone", xkstest.Drop()))},
		{"XksProxyUriInUseException", sameURI},
		{"XksProxyUriEndpointInUseException", sameEndpoint},
		{"XksProxyVpcEndpointServiceInUseException", v.behind("new", busyService)},
		{"XksProxyVpcEndpointServiceNotFoundException", v.behind("new", noService)},
		{"XksProxyVpcEndpointServiceInvalidConfigurationException", v.behind("new", brokenService)},
	}
}

// refusedChanges are the refusals of UpdateCustomKeyStore. What is not allowed in a new
// store is not allowed in one that changes.
func (v *vaults) refusedChanges() []refusal {
	cluster := func(id string) *sdk.UpdateCustomKeyStoreInput {
		return &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &v.mute, CloudHsmClusterId: &id}
	}
	all := []refusal{
		{"CustomKeyStoreInvalidStateException", changed(v.used, v.external("new"))},
		{"CustomKeyStoreNameInUseException", &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &v.mute, NewCustomKeyStoreName: aws.String("busy")}},
		{"CloudHsmClusterNotActiveException", cluster(inactiveCluster)},
		{"CloudHsmClusterInvalidConfigurationException", cluster(brokenCluster)},
		{"CloudHsmClusterNotFoundException", cluster(noCluster)},
		{"CloudHsmClusterNotRelatedException", cluster(freeCluster)},
	}
	for _, r := range v.refusedStores() {
		if in := r.in.(*sdk.CreateCustomKeyStoreInput); strings.HasPrefix(r.exception, "Xks") {
			all = append(all, refusal{r.exception, changed(v.idle, in)})
		}
	}
	return all
}
