package kms_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
	"github.com/sealring/sealring/kms"
)

// tooShort, tooLong and offPattern are what AWS says of a member whose value it repeats.
func tooShort(v, path, least string) string {
	return one("Value '" + v + "' at '" + path + "' failed to satisfy constraint: Member must have length greater than or equal to " + least)
}

func tooLong(v, path, most string) string {
	return one("Value '" + v + "' at '" + path + "' failed to satisfy constraint: Member must have length less than or equal to " + most)
}

func offPattern(v, path, pattern string) string {
	return one("Value '" + v + "' at '" + path + "' failed to satisfy constraint: Member must satisfy regular expression pattern: " + pattern)
}

func TestConstraintsOfKeyStoreSettings(t *testing.T) {
	t.Parallel()
	const (
		credential  = "xksProxyAuthenticationCredential."
		cluster     = `^cluster-[2-7a-zA-Z]{11,16}$`
		endpoint    = `^https://[a-zA-Z0-9.-]+$`
		path        = `^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$`
		serviceName = `^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$`
	)
	long := strings.Repeat("x", 5001)
	secretKey := strings.Repeat("S", 44)
	tests := []struct {
		change func(in *sdk.CreateCustomKeyStoreInput)
		want   string
		create bool // does not apply to UpdateCustomKeyStore
	}{
		{func(in *sdk.CreateCustomKeyStoreInput) { in.CustomKeyStoreName = aws.String("") }, tooShort("", "customKeyStoreName", "1"), true},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.CustomKeyStoreName = aws.String(long[:257]) }, tooLong(long[:257], "customKeyStoreName", "256"), true},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.CloudHsmClusterId = aws.String("cluster-2222222222") }, one("Value 'cluster-2222222222' at 'cloudHsmClusterId' failed to satisfy constraint: Member must have length greater than or equal to 19")[len("1 validation error"):], false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.CloudHsmClusterId = aws.String("cluster-11111111111") }, offPattern("cluster-11111111111", "cloudHsmClusterId", cluster), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.TrustAnchorCertificate = aws.String("") }, tooShort("", "trustAnchorCertificate", "1"), true},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.KeyStorePassword = aws.String("SECRET") }, one(hidden("keyStorePassword", "length greater than or equal to 7")), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.KeyStorePassword = aws.String("SECRET\xff\xfe") }, one("Value at 'keyStorePassword' failed to satisfy constraint: Member must be valid UTF-8"), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.KeyStorePassword = aws.String(strings.Repeat("ж", 6)) }, one(hidden("keyStorePassword", "length greater than or equal to 7")), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.KeyStorePassword = aws.String(long[:33]) }, one(hidden("keyStorePassword", "length less than or equal to 32")), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyUriEndpoint = aws.String("https://x") }, tooShort("https://x", "xksProxyUriEndpoint", "10"), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyUriEndpoint = aws.String("http://xks.example.com") }, offPattern("http://xks.example.com", "xksProxyUriEndpoint", endpoint), false},
		{func(in *sdk.CreateCustomKeyStoreInput) {
			in.XksProxyUriEndpoint = aws.String("https://xks.example.com:443")
		}, offPattern("https://xks.example.com:443", "xksProxyUriEndpoint", endpoint), false},
		{func(in *sdk.CreateCustomKeyStoreInput) {
			in.XksProxyUriEndpoint = aws.String("https://xks.example.com\n")
		}, offPattern("https://xks.example.com\n", "xksProxyUriEndpoint", endpoint), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyUriPath = aws.String("/kms/xks/v1/") }, offPattern("/kms/xks/v1/", "xksProxyUriPath", path), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyUriPath = aws.String("/a/../kms/xks/v1") }, offPattern("/a/../kms/xks/v1", "xksProxyUriPath", path), false},
		{func(in *sdk.CreateCustomKeyStoreInput) {
			in.XksProxyVpcEndpointServiceName = aws.String("com.amazonaws.vpce.us-east-1.x")
		}, offPattern("com.amazonaws.vpce.us-east-1.x", "xksProxyVpcEndpointServiceName", serviceName), false},
		{func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyVpcEndpointServiceName = aws.String("") }, tooShort("", "xksProxyVpcEndpointServiceName", "20"), true},
		{func(in *sdk.CreateCustomKeyStoreInput) {
			in.XksProxyVpcEndpointServiceOwner = aws.String("11112222333x")
		}, offPattern("11112222333x", "xksProxyVpcEndpointServiceOwner", "^[0-9]{12}$"), false},
		{func(in *sdk.CreateCustomKeyStoreInput) {
			in.XksProxyAuthenticationCredential = &types.XksProxyAuthenticationCredentialType{AccessKeyId: aws.String("SECRETA"), RawSecretAccessKey: &secretKey}
		}, one(hidden(credential+"accessKeyId", "length greater than or equal to 20")), false},
		{func(in *sdk.CreateCustomKeyStoreInput) {
			in.XksProxyAuthenticationCredential = &types.XksProxyAuthenticationCredentialType{AccessKeyId: aws.String("secretSECRETsecretSEC"), RawSecretAccessKey: &secretKey}
		}, one("Value at '" + credential + "accessKeyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Z2-7]+$"), false},
		{func(in *sdk.CreateCustomKeyStoreInput) {
			in.XksProxyAuthenticationCredential = &types.XksProxyAuthenticationCredentialType{AccessKeyId: aws.String(secretKey[:20]), RawSecretAccessKey: aws.String(secretKey[:42])}
		}, one(hidden(credential+"rawSecretAccessKey", "length greater than or equal to 43")), false},
		{func(in *sdk.CreateCustomKeyStoreInput) {
			in.XksProxyAuthenticationCredential = &types.XksProxyAuthenticationCredentialType{AccessKeyId: aws.String(secretKey[:20]), RawSecretAccessKey: aws.String(secretKey + "-")}
		}, one("Value at '" + credential + `rawSecretAccessKey' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Za-z0-9\/+=]+$`), false},
	}
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		hsm, external := f.create(t, f.hsmStore("hsm")), f.create(t, f.externalStore("external"))
		f.unchanged(t, func() {
			for i, test := range tests {
				in := &sdk.CreateCustomKeyStoreInput{CustomKeyStoreName: aws.String("x")}
				test.change(in)
				_, err := call(t.Context(), f.api, in)
				require.Equal(t, "ValidationException", codeOf(err), "%d", i)
				require.ErrorContains(t, err, test.want)
				require.NotContains(t, err.Error(), "SECRET")
				if test.create {
					continue
				}
				for _, id := range []string{hsm, external} {
					change := &sdk.UpdateCustomKeyStoreInput{
						CustomKeyStoreId: &id, CloudHsmClusterId: in.CloudHsmClusterId, KeyStorePassword: in.KeyStorePassword,
						XksProxyUriEndpoint: in.XksProxyUriEndpoint, XksProxyUriPath: in.XksProxyUriPath,
						XksProxyVpcEndpointServiceName: in.XksProxyVpcEndpointServiceName, XksProxyVpcEndpointServiceOwner: in.XksProxyVpcEndpointServiceOwner,
						XksProxyAuthenticationCredential: in.XksProxyAuthenticationCredential,
					}
					_, err = call(t.Context(), f.api, change)
					require.Equal(t, "ValidationException", codeOf(err), "%d", i)
					require.ErrorContains(t, err, test.want)
				}
			}
		})
		_, err := call(t.Context(), f.api, &sdk.CreateCustomKeyStoreInput{CustomKeyStoreName: aws.String("x"), CustomKeyStoreType: "INVALID"})
		require.ErrorContains(t, err, "Value 'INVALID' at 'customKeyStoreType' failed to satisfy constraint: Member must satisfy enum value set: [")
		_, err = call(t.Context(), f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &hsm, XksProxyConnectivity: "INVALID"})
		require.ErrorContains(t, err, "Value 'INVALID' at 'xksProxyConnectivity' failed to satisfy constraint: Member must satisfy enum value set: [")
		refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &hsm, NewCustomKeyStoreName: aws.String("")}, "ValidationException", tooShort("", "newCustomKeyStoreName", "1"))
		refused(t, f.api, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: aws.String(long[:65])}, "ValidationException", tooLong(long[:65], "customKeyStoreId", "64"))
	})
}

// TestRequiredMembersOfKeyStores has the direct client only: the SDK's refuses some of
// this itself.
func TestRequiredMembersOfKeyStores(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	for _, in := range []any{
		&sdk.ConnectCustomKeyStoreInput{}, &sdk.DisconnectCustomKeyStoreInput{}, &sdk.DeleteCustomKeyStoreInput{}, &sdk.UpdateCustomKeyStoreInput{},
	} {
		refused(t, f.api, in, "ValidationException", one(null("customKeyStoreId")))
	}
	refused(t, f.api, &sdk.CreateCustomKeyStoreInput{}, "ValidationException", one(null("customKeyStoreName")))
	in := f.externalStore("x")
	in.XksProxyAuthenticationCredential = &types.XksProxyAuthenticationCredentialType{AccessKeyId: &f.proxy.AccessKeyID}
	refused(t, f.api, in, "ValidationException", one(null("xksProxyAuthenticationCredential.rawSecretAccessKey")))
}

// TestMembersOfTheOtherKind gives each type of store each member that it lacks, and
// takes each away that it needs.
func TestMembersOfTheOtherKind(t *testing.T) {
	t.Parallel()
	noVPC := "XksProxyVpcEndpointServiceName and XksProxyVpcEndpointServiceOwner are valid only for XksProxyConnectivity VPC_ENDPOINT_SERVICE."
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		type member struct {
			name      string
			set, drop func(in *sdk.CreateCustomKeyStoreInput)
		}
		credential := f.externalStore("").XksProxyAuthenticationCredential
		ofHSM := []member{
			{"CloudHsmClusterId", func(in *sdk.CreateCustomKeyStoreInput) { in.CloudHsmClusterId = aws.String(clusterID) }, func(in *sdk.CreateCustomKeyStoreInput) { in.CloudHsmClusterId = nil }},
			{"TrustAnchorCertificate", func(in *sdk.CreateCustomKeyStoreInput) { in.TrustAnchorCertificate = aws.String(anchor) }, func(in *sdk.CreateCustomKeyStoreInput) { in.TrustAnchorCertificate = nil }},
			{"KeyStorePassword", func(in *sdk.CreateCustomKeyStoreInput) { in.KeyStorePassword = aws.String(password) }, func(in *sdk.CreateCustomKeyStoreInput) { in.KeyStorePassword = nil }},
		}
		ofExternal := []member{
			{"XksProxyConnectivity", func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyConnectivity = "PUBLIC_ENDPOINT" }, func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyConnectivity = "" }},
			{"XksProxyUriEndpoint", func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyUriEndpoint = aws.String(xkstest.Endpoint) }, func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyUriEndpoint = nil }},
			{"XksProxyUriPath", func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyUriPath = &f.proxy.Path }, func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyUriPath = nil }},
			{"XksProxyAuthenticationCredential", func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyAuthenticationCredential = credential }, func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyAuthenticationCredential = nil }},
			{"XksProxyVpcEndpointServiceName", func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyVpcEndpointServiceName = aws.String(vpcService) }, nil},
			{"XksProxyVpcEndpointServiceOwner", func(in *sdk.CreateCustomKeyStoreInput) { in.XksProxyVpcEndpointServiceOwner = aws.String(account) }, nil},
		}
		hsm, external := f.create(t, f.hsmStore("hsm")), f.create(t, f.externalStore("external"))
		f.unchanged(t, func() {
			for _, kind := range []struct {
				name          string
				in            func(string) *sdk.CreateCustomKeyStoreInput
				own, foreign  []member
				id            string
				withoutUpdate string
			}{
				{"AWS_CLOUDHSM", f.hsmStore, ofHSM, ofExternal, hsm, ""},
				{"EXTERNAL_KEY_STORE", f.externalStore, ofExternal, ofHSM, external, "TrustAnchorCertificate"},
			} {
				for _, m := range kind.foreign {
					in := kind.in("x")
					m.set(in)
					want := m.name + " is not valid for CustomKeyStoreType " + kind.name + "."
					refused(t, f.api, in, "ValidationException", want)
					if m.name == kind.withoutUpdate {
						continue
					}
					only := &sdk.CreateCustomKeyStoreInput{}
					m.set(only)
					refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{
						CustomKeyStoreId: &kind.id, CloudHsmClusterId: only.CloudHsmClusterId, KeyStorePassword: only.KeyStorePassword,
						XksProxyConnectivity: only.XksProxyConnectivity, XksProxyUriEndpoint: only.XksProxyUriEndpoint, XksProxyUriPath: only.XksProxyUriPath,
						XksProxyAuthenticationCredential: only.XksProxyAuthenticationCredential,
						XksProxyVpcEndpointServiceName:   only.XksProxyVpcEndpointServiceName, XksProxyVpcEndpointServiceOwner: only.XksProxyVpcEndpointServiceOwner,
					}, "ValidationException", want)
				}
				for _, m := range kind.own {
					if m.drop == nil {
						continue
					}
					in := kind.in("x")
					m.drop(in)
					refused(t, f.api, in, "ValidationException", m.name+" is required for CustomKeyStoreType "+kind.name+".")
				}
			}
			in := f.vpcStore("x")
			in.XksProxyVpcEndpointServiceName = nil
			refused(t, f.api, in, "ValidationException", "XksProxyVpcEndpointServiceName is required for CustomKeyStoreType EXTERNAL_KEY_STORE.")
			for _, m := range ofExternal[4:] {
				in := f.externalStore("x")
				m.set(in)
				refused(t, f.api, in, "ValidationException", noVPC)
			}
			for _, in := range []*sdk.UpdateCustomKeyStoreInput{
				{XksProxyVpcEndpointServiceName: aws.String(vpcService)},
				{XksProxyVpcEndpointServiceOwner: aws.String(account)},
				{XksProxyVpcEndpointServiceName: aws.String(vpcService), XksProxyConnectivity: "PUBLIC_ENDPOINT"},
			} {
				in.CustomKeyStoreId = &external
				refused(t, f.api, in, "ValidationException", noVPC)
			}
		})
	})
}

func TestKeyStoresShareNothing(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		const otherService, otherHost = vpcService + "1", "other.private.example.com"
		f.change(func(s *surroundings) { s.services[otherService] = kms.VPCEndpointService{PrivateDNSName: otherHost} })
		a, b, v := f.create(t, f.externalStore("a")), f.create(t, f.externalStore("b")), f.create(t, f.vpcStore("v"))
		uri := func(endpoint string) string {
			return "The URI " + endpoint + f.proxy.Path + " is already associated with another external key store."
		}
		endpointInUse := func(endpoint string) string {
			return "The URI endpoint " + endpoint + " is already associated with another external key store."
		}
		f.unchanged(t, func() {
			refused(t, f.api, f.hsmStore("a"), "CustomKeyStoreNameInUseException", "The custom key store name a is already in use.")
			refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &b, NewCustomKeyStoreName: aws.String("a")}, "CustomKeyStoreNameInUseException", "The custom key store name a is already in use.")

			for _, endpoint := range []string{"https://a.example.com", "https://A.Example.COM"} {
				in := f.externalStore("x")
				in.XksProxyUriEndpoint = &endpoint
				refused(t, f.api, in, "XksProxyUriInUseException", uri(endpoint))
				refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &b, XksProxyUriEndpoint: &endpoint}, "XksProxyUriInUseException", uri(endpoint))
			}

			in := f.externalStore("x") // public, at the endpoint of a VPC's
			in.XksProxyUriEndpoint, in.XksProxyUriPath = aws.String("https://"+vpcHost), aws.String("/other/kms/xks/v1")
			refused(t, f.api, in, "XksProxyUriEndpointInUseException", endpointInUse("https://"+vpcHost))
			in = f.vpcStore("x") // of a VPC, at the endpoint of a public one
			in.XksProxyUriEndpoint, in.XksProxyUriPath = aws.String("https://a.example.com"), aws.String("/other/kms/xks/v1")
			refused(t, f.api, in, "XksProxyUriEndpointInUseException", endpointInUse("https://a.example.com"))
			in = f.vpcStore("x") // both of a VPC
			in.XksProxyUriPath = aws.String("/other/kms/xks/v1")
			refused(t, f.api, in, "XksProxyUriEndpointInUseException", endpointInUse("https://"+vpcHost))
			refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{
				CustomKeyStoreId: &a, XksProxyConnectivity: "VPC_ENDPOINT_SERVICE", XksProxyVpcEndpointServiceName: aws.String(otherService),
				XksProxyUriEndpoint: aws.String("https://" + vpcHost), XksProxyUriPath: aws.String("/other/kms/xks/v1"),
			}, "XksProxyUriEndpointInUseException", endpointInUse("https://"+vpcHost))

			in = f.vpcStore("x")
			in.XksProxyUriEndpoint = aws.String("https://x.example.com")
			refused(t, f.api, in, "XksProxyVpcEndpointServiceInUseException", "The VPC endpoint service "+vpcService+" is already associated with another external key store.")
		})
		in := f.vpcStore("w")
		in.XksProxyVpcEndpointServiceName, in.XksProxyUriEndpoint = aws.String(otherService), aws.String("https://"+otherHost)
		w := f.create(t, in)
		refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &w, XksProxyVpcEndpointServiceName: aws.String(vpcService)},
			"XksProxyVpcEndpointServiceInUseException", "The VPC endpoint service "+vpcService+" is already associated with another external key store.")

		// what a store has of its own is no obstacle, and two paths of one public endpoint are none
		succeeds(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &v, NewCustomKeyStoreName: aws.String("v"), XksProxyUriEndpoint: aws.String("https://" + vpcHost)})
		f.proxy.Fail(nil)
		other := xkstest.New()
		f.change(func(s *surroundings) { s.way = other.RoundTripper() })
		in = f.externalStore("x")
		in.XksProxyUriEndpoint, in.XksProxyUriPath = aws.String("https://a.example.com"), &other.Path
		in.XksProxyAuthenticationCredential = &types.XksProxyAuthenticationCredentialType{AccessKeyId: &other.AccessKeyID, RawSecretAccessKey: &other.SecretAccessKey}
		succeeds(t, f.api, in)
	})
}

func TestVPCEndpointServices(t *testing.T) {
	t.Parallel()
	const (
		notFound = "The VPC endpoint service " + vpcService + " was not found."
		unfit    = "The VPC endpoint service " + vpcService + " does not meet the requirements for an external key store."
	)
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		describe := func(s kms.VPCEndpointService) {
			f.change(func(all *surroundings) { all.services[vpcService] = s })
		}
		for _, test := range []struct {
			service       *kms.VPCEndpointService
			code, message string
			connection    types.ConnectionErrorCodeType
		}{
			{nil, "XksProxyVpcEndpointServiceNotFoundException", notFound, "XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND"},
			{&kms.VPCEndpointService{PrivateDNSName: vpcHost, Owner: otherAccount}, "XksProxyVpcEndpointServiceNotFoundException", notFound, "XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND"},
			{&kms.VPCEndpointService{PrivateDNSName: "other.example.com"}, "XksProxyVpcEndpointServiceInvalidConfigurationException", unfit, "XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION"},
			{&kms.VPCEndpointService{PrivateDNSName: vpcHost, Misconfigured: true}, "XksProxyVpcEndpointServiceInvalidConfigurationException", unfit, "XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION"},
		} {
			describe(kms.VPCEndpointService{PrivateDNSName: strings.ToUpper(vpcHost)})
			id := f.create(t, f.vpcStore("v"))
			public := f.create(t, f.externalStore("p"))
			toVPC := &sdk.UpdateCustomKeyStoreInput{
				CustomKeyStoreId: &public, XksProxyConnectivity: "VPC_ENDPOINT_SERVICE", XksProxyUriEndpoint: aws.String("https://" + vpcHost),
				XksProxyVpcEndpointServiceName: aws.String(vpcService),
			}
			if test.service == nil {
				f.change(func(s *surroundings) { delete(s.services, vpcService) })
			} else {
				describe(*test.service)
			}
			f.connect(t, id)
			require.Equal(t, types.ConnectionStateTypeFailed, f.describe(t, id).ConnectionState)
			require.Equal(t, test.connection, f.describe(t, id).ConnectionErrorCode)
			f.disconnect(t, id)
			refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, XksProxyVpcEndpointServiceName: aws.String(vpcService)}, test.code, test.message)
			succeeds(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id})
			refused(t, f.api, f.vpcStore("v"), test.code, test.message)
			refused(t, f.api, toVPC, test.code, test.message)
			succeeds(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &public})
		}
	})
	f := newStoreFixture(t, false, func(c *kms.Config) { c.VPCEndpointService = nil })
	refused(t, f.api, f.vpcStore("v"), "XksProxyVpcEndpointServiceNotFoundException", notFound)
}

// TestChangeOfConnectivity goes there and back.
func TestChangeOfConnectivity(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id := f.create(t, f.externalStore("s"))
		vpc, public := types.XksProxyConnectivityTypeVpcEndpointService, types.XksProxyConnectivityTypePublicEndpoint
		update := func(in sdk.UpdateCustomKeyStoreInput) *sdk.UpdateCustomKeyStoreInput {
			in.CustomKeyStoreId = &id
			return &in
		}
		f.unchanged(t, func() {
			refused(t, f.api, update(sdk.UpdateCustomKeyStoreInput{XksProxyConnectivity: vpc, XksProxyVpcEndpointServiceName: aws.String(vpcService)}),
				"ValidationException", "XksProxyUriEndpoint is required for a change of XksProxyConnectivity.")
			for _, name := range []*string{nil, aws.String("")} {
				refused(t, f.api, update(sdk.UpdateCustomKeyStoreInput{XksProxyConnectivity: vpc, XksProxyUriEndpoint: aws.String("https://" + vpcHost), XksProxyVpcEndpointServiceName: name}),
					"ValidationException", "XksProxyVpcEndpointServiceName is required for XksProxyConnectivity VPC_ENDPOINT_SERVICE.")
			}
		})
		f.change(func(s *surroundings) {
			s.services[vpcService] = kms.VPCEndpointService{PrivateDNSName: vpcHost, Owner: otherAccount}
		})
		succeeds(t, f.api, update(sdk.UpdateCustomKeyStoreInput{
			XksProxyConnectivity: vpc, XksProxyUriEndpoint: aws.String("https://" + vpcHost),
			XksProxyVpcEndpointServiceName: aws.String(vpcService), XksProxyVpcEndpointServiceOwner: aws.String(otherAccount),
		}))
		require.Equal(t, &types.XksProxyConfigurationType{
			AccessKeyId: &f.proxy.AccessKeyID, Connectivity: vpc, UriEndpoint: aws.String("https://" + vpcHost), UriPath: &f.proxy.Path,
			VpcEndpointServiceName: aws.String(vpcService), VpcEndpointServiceOwner: aws.String(otherAccount),
		}, f.describe(t, id).XksProxyConfiguration)

		f.unchanged(t, func() {
			refused(t, f.api, update(sdk.UpdateCustomKeyStoreInput{XksProxyConnectivity: public}),
				"ValidationException", "XksProxyUriEndpoint is required for a change of XksProxyConnectivity.")
			refused(t, f.api, update(sdk.UpdateCustomKeyStoreInput{XksProxyVpcEndpointServiceName: aws.String("")}),
				"ValidationException", "XksProxyVpcEndpointServiceName is required for XksProxyConnectivity VPC_ENDPOINT_SERVICE.")
		})
		succeeds(t, f.api, update(sdk.UpdateCustomKeyStoreInput{
			XksProxyConnectivity: public, XksProxyUriEndpoint: aws.String("https://s.example.com"), XksProxyVpcEndpointServiceName: aws.String(""),
		}))
		require.Equal(t, &types.XksProxyConfigurationType{
			AccessKeyId: &f.proxy.AccessKeyID, Connectivity: public, UriEndpoint: aws.String("https://s.example.com"), UriPath: &f.proxy.Path,
		}, f.describe(t, id).XksProxyConfiguration)
	})
}

// TestWhenProxiesAreAsked counts the requests that reach the proxy.
func TestWhenProxiesAreAsked(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	var asked []string
	f.proxy.Observe = func(operation, key string, c xks.Call) {
		asked = append(asked, operation+" for "+c.Operation)
		require.NotEmpty(t, c.RequestID)
	}
	expect := func(want ...string) {
		t.Helper()
		require.Equal(t, want, asked)
		asked = nil
	}
	id := f.create(t, f.externalStore("s"))
	expect("health for CreateCustomKeyStore")
	succeeds(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, NewCustomKeyStoreName: aws.String("t")})
	expect()
	succeeds(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, XksProxyUriPath: &f.proxy.Path})
	expect("health for UpdateCustomKeyStore")
	f.connect(t, id)
	expect("health for ConnectCustomKeyStore")
	f.connect(t, id)
	expect()
	vpc := f.create(t, f.vpcStore("v"))
	succeeds(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &vpc, XksProxyUriPath: &f.proxy.Path})
	expect()
	f.connect(t, vpc)
	expect("health for ConnectCustomKeyStore")
	succeeds(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &vpc, XksProxyUriPath: &f.proxy.Path})
	expect("health for UpdateCustomKeyStore")
	f.disconnect(t, id)
	succeeds(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id})
	expect()
}
