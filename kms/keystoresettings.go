package kms

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// storeSettings are the members that CreateCustomKeyStore and UpdateCustomKeyStore have
// in common. nil and empty ones were not given.
type storeSettings struct {
	cluster, trustAnchor, password *string // of AWS CloudHSM key stores

	connectivity   types.XksProxyConnectivityType // of external key stores, as what follows
	endpoint, path *string
	service, owner *string
	credential     *types.XksProxyAuthenticationCredentialType
}

func newSettings(in *sdk.CreateCustomKeyStoreInput) storeSettings {
	return storeSettings{
		cluster: in.CloudHsmClusterId, trustAnchor: in.TrustAnchorCertificate, password: in.KeyStorePassword,
		connectivity: in.XksProxyConnectivity, endpoint: in.XksProxyUriEndpoint, path: in.XksProxyUriPath,
		service: in.XksProxyVpcEndpointServiceName, owner: in.XksProxyVpcEndpointServiceOwner,
		credential: in.XksProxyAuthenticationCredential,
	}
}

func changedSettings(in *sdk.UpdateCustomKeyStoreInput) storeSettings {
	return storeSettings{
		cluster: in.CloudHsmClusterId, password: in.KeyStorePassword,
		connectivity: in.XksProxyConnectivity, endpoint: in.XksProxyUriEndpoint, path: in.XksProxyUriPath,
		service: in.XksProxyVpcEndpointServiceName, owner: in.XksProxyVpcEndpointServiceOwner,
		credential: in.XksProxyAuthenticationCredential,
	}
}

// Format prints nothing of the settings, some of which are secret.
func (storeSettings) Format(f fmt.State, _ rune) { fmt.Fprint(f, "settings of a key store") }

var (
	clusterPattern      = regexp.MustCompile(`^cluster-[2-7a-zA-Z]{11,16}$`)
	endpointPattern     = regexp.MustCompile(`^https://[a-zA-Z0-9.-]+$`)
	proxyPathPattern    = regexp.MustCompile(`^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$`)
	vpcServicePattern   = regexp.MustCompile(`^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$`)
	vpcOwnerPattern     = regexp.MustCompile(`^[0-9]{12}$`)
	xksAccessKeyPattern = regexp.MustCompile(`^[A-Z2-7]+$`)
	xksSecretPattern    = regexp.MustCompile(`^[A-Za-z0-9\/+=]+$`)
)

// keyStoreID requires the id of a custom key store.
func (c *constraints) keyStoreID(id *string) { c.text("customKeyStoreId", id, 1, 64) }

// storeSettings bounds the settings of a custom key store. An empty service takes the
// place of none in UpdateCustomKeyStore.
func (c *constraints) storeSettings(s storeSettings) {
	c.word("cloudHsmClusterId", s.cluster, 19, 24, clusterPattern)
	c.word("trustAnchorCertificate", s.trustAnchor, 1, 5000, nil)
	c.secret("keyStorePassword", s.password, 7, 32, nil)
	oneOf(c, "xksProxyConnectivity", s.connectivity, s.connectivity.Values())
	c.word("xksProxyUriEndpoint", s.endpoint, 10, 128, endpointPattern)
	c.word("xksProxyUriPath", s.path, 10, 128, proxyPathPattern)
	if s.service != nil && *s.service != "" {
		c.word("xksProxyVpcEndpointServiceName", s.service, 20, 64, vpcServicePattern)
	}
	c.word("xksProxyVpcEndpointServiceOwner", s.owner, 12, 12, vpcOwnerPattern)
	if s.credential != nil {
		const path = "xksProxyAuthenticationCredential."
		id, secret := s.credential.AccessKeyId, s.credential.RawSecretAccessKey
		if c.present(path+"accessKeyId", id != nil) {
			c.secret(path+"accessKeyId", id, 20, 30, xksAccessKeyPattern)
		}
		if c.present(path+"rawSecretAccessKey", secret != nil) {
			c.secret(path+"rawSecretAccessKey", secret, 43, 64, xksSecretPattern)
		}
	}
}

// word bounds an optional string and holds it to the pattern, if there is one.
func (c *constraints) word(path string, v *string, least, most int, pattern *regexp.Regexp) {
	if v == nil {
		return
	}
	c.length(path, *v, least, most)
	if pattern != nil {
		c.pattern(path, *v, pattern)
	}
}

// secret is word for a string that no message may repeat.
func (c *constraints) secret(path string, v *string, least, most int, pattern *regexp.Regexp) {
	if v == nil {
		return
	}
	switch n := utf8.RuneCountInString(*v); {
	case !utf8.ValidString(*v):
		c.fail("", path, "be valid UTF-8")
	case n < least:
		c.fail("", path, fmt.Sprintf("have length greater than or equal to %d", least))
	case n > most:
		c.fail("", path, fmt.Sprintf("have length less than or equal to %d", most))
	}
	if pattern != nil && !pattern.MatchString(*v) {
		c.fail("", path, "satisfy regular expression pattern: "+pattern.String())
	}
}

// fit refuses settings that belong to the other type of key store, and, if all are
// needed, a lack of those that belong to this one.
func (s storeSettings) fit(external, all bool) error {
	kind := types.CustomKeyStoreTypeAwsCloudhsm
	if external {
		kind = types.CustomKeyStoreTypeExternalKeyStore
	}
	vpc := s.connectivity == types.XksProxyConnectivityTypeVpcEndpointService
	for _, m := range []struct {
		name            string
		given, external bool
		needed          bool
	}{
		{"CloudHsmClusterId", s.cluster != nil, false, true},
		{"TrustAnchorCertificate", s.trustAnchor != nil, false, true},
		{"KeyStorePassword", s.password != nil, false, true},
		{"XksProxyConnectivity", s.connectivity != "", true, true},
		{"XksProxyUriEndpoint", s.endpoint != nil, true, true},
		{"XksProxyUriPath", s.path != nil, true, true},
		{"XksProxyAuthenticationCredential", s.credential != nil, true, true},
		{"XksProxyVpcEndpointServiceName", s.service != nil, true, vpc},
		{"XksProxyVpcEndpointServiceOwner", s.owner != nil, true, false},
	} {
		switch {
		case m.given && m.external != external:
			return validation("%s is not valid for CustomKeyStoreType %s.", m.name, kind)
		case all && m.needed && !m.given && m.external == external:
			return validation("%s is required for CustomKeyStoreType %s.", m.name, kind)
		}
	}
	if all && !vpc && (s.service != nil || s.owner != nil) {
		return noVPCService()
	}
	return nil
}

func noVPCService() error {
	return validation("XksProxyVpcEndpointServiceName and XksProxyVpcEndpointServiceOwner are valid only for XksProxyConnectivity VPC_ENDPOINT_SERVICE.")
}

// needDisconnected reports whether the settings can be changed only while the store is
// disconnected.
func (s storeSettings) needDisconnected() bool {
	return s.cluster != nil || s.password != nil ||
		s.connectivity != "" || s.endpoint != nil || s.service != nil || s.owner != nil
}

// checkStoreName refuses a name that another store has.
func checkStoreName(s *keyrecord.KeyStore, all *keyrecord.KeyStores) error {
	for i := range all.Stores {
		if other := &all.Stores[i]; other.ID != s.ID && other.Name == s.Name {
			return &types.CustomKeyStoreNameInUseException{Message: text("The custom key store name %s is already in use.", s.Name)}
		}
	}
	return nil
}

// changeKeyStoreCluster gives an AWS CloudHSM key store other settings.
func (r *request) changeKeyStoreCluster(c *keyrecord.Cluster, s storeSettings) error {
	c.Password = cmp.Or(aws.ToString(s.password), c.Password)
	if s.cluster == nil {
		return nil
	}
	return r.changeCluster(c, *s.cluster)
}

// newProxy returns the proxy of a new external key store.
func (r *request) newProxy(s storeSettings) *keyrecord.Proxy {
	p := &keyrecord.Proxy{
		Endpoint: *s.endpoint, Path: *s.path,
		AccessKeyID: *s.credential.AccessKeyId, SecretAccessKey: *s.credential.RawSecretAccessKey,
	}
	if s.connectivity == types.XksProxyConnectivityTypeVpcEndpointService {
		p.VPC = &keyrecord.VPCService{Name: *s.service, Owner: cmp.Or(aws.ToString(s.owner), r.caller.Account)}
	}
	return p
}

// changeProxy gives an external key store other settings.
func (r *request) changeProxy(s *keyrecord.KeyStore, all *keyrecord.KeyStores, change storeSettings) error {
	if change == (storeSettings{}) {
		return nil
	}
	p := s.Proxy
	p.Endpoint = cmp.Or(aws.ToString(change.endpoint), p.Endpoint)
	p.Path = cmp.Or(aws.ToString(change.path), p.Path)
	if c := change.credential; c != nil {
		p.AccessKeyID, p.SecretAccessKey = *c.AccessKeyId, *c.RawSecretAccessKey
	}
	if err := r.changeConnectivity(p, change); err != nil {
		return err
	}
	return r.checkProxy(s, all)
}

// changeConnectivity changes how a proxy is reached. With the way its endpoint changes
// too, which has another host.
func (r *request) changeConnectivity(p *keyrecord.Proxy, change storeSettings) error {
	had, service := p.VPC != nil, aws.ToString(change.service)
	has := had
	if change.connectivity != "" {
		has = change.connectivity == types.XksProxyConnectivityTypeVpcEndpointService
	}
	switch {
	case !has && (service != "" || change.owner != nil):
		return noVPCService()
	case had != has && change.endpoint == nil:
		return validation("XksProxyUriEndpoint is required for a change of XksProxyConnectivity.")
	case has && (service == "" && (!had || change.service != nil)):
		return validation("XksProxyVpcEndpointServiceName is required for XksProxyConnectivity VPC_ENDPOINT_SERVICE.")
	case !has:
		p.VPC = nil
		return nil
	case !had:
		p.VPC = &keyrecord.VPCService{Owner: r.caller.Account}
	}
	p.VPC.Name = cmp.Or(service, p.VPC.Name)
	p.VPC.Owner = cmp.Or(aws.ToString(change.owner), p.VPC.Owner)
	return nil
}

// checkProxy refuses a proxy that another store has and one that does not work. A proxy
// behind a VPC endpoint service is not asked before the store is connected.
func (r *request) checkProxy(s *keyrecord.KeyStore, all *keyrecord.KeyStores) error {
	for _, rule := range proxyRules {
		for i := range all.Stores {
			other := &all.Stores[i]
			if other.ID == s.ID || other.Proxy == nil {
				continue
			}
			if err := rule(s.Proxy, other.Proxy); err != nil {
				return err
			}
		}
	}
	if s.Proxy.VPC != nil {
		if err := r.checkVPCService(s.Proxy); err != nil || s.Connection.State(r.now) != keyrecord.Connected {
			return err
		}
	}
	f, err := r.testProxy(s.Proxy)
	if f != nil {
		return f.inSettings()
	}
	return err
}

// proxyRules refuse what two proxies may not have in common, the most particular first.
// Hosts are the same in whatever case they are written.
var proxyRules = []func(p, other *keyrecord.Proxy) error{
	func(p, other *keyrecord.Proxy) error {
		if !strings.EqualFold(p.Endpoint, other.Endpoint) || p.Path != other.Path {
			return nil
		}
		return &types.XksProxyUriInUseException{Message: text("The URI %s%s is already associated with another external key store.", p.Endpoint, p.Path)}
	},
	func(p, other *keyrecord.Proxy) error {
		if !strings.EqualFold(p.Endpoint, other.Endpoint) || p.VPC == nil && other.VPC == nil {
			return nil
		}
		return &types.XksProxyUriEndpointInUseException{Message: text("The URI endpoint %s is already associated with another external key store.", p.Endpoint)}
	},
	func(p, other *keyrecord.Proxy) error {
		if p.VPC == nil || other.VPC == nil || p.VPC.Name != other.VPC.Name {
			return nil
		}
		return &types.XksProxyVpcEndpointServiceInUseException{Message: text("The VPC endpoint service %s is already associated with another external key store.", p.VPC.Name)}
	},
}
