package kms

import (
	"cmp"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// maxKeyStoresPage is how many stores a page has at most, and if nothing else is asked for.
const maxKeyStoresPage = 1000

var describeCustomKeyStores = &operation[sdk.DescribeCustomKeyStoresInput, sdk.DescribeCustomKeyStoresOutput]{
	name:       "DescribeCustomKeyStores",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.DescribeCustomKeyStoresInput) {
		if in.CustomKeyStoreId != nil {
			c.keyStoreID(in.CustomKeyStoreId)
		}
		if in.CustomKeyStoreName != nil {
			c.length("customKeyStoreName", *in.CustomKeyStoreName, 1, 256)
		}
		c.page(in.Limit, in.Marker)
		c.reject(in.CustomKeyStoreId != nil && in.CustomKeyStoreName != nil,
			validation("CustomKeyStoreId and CustomKeyStoreName cannot be used together."))
	},
	run: func(r *request, in *sdk.DescribeCustomKeyStoresInput, _ []target) (*sdk.DescribeCustomKeyStoresOutput, error) {
		p, err := openPage("DescribeCustomKeyStores", in.Limit, in.Marker, maxKeyStoresPage, maxKeyStoresPage)
		if err != nil {
			return nil, err
		}
		all, err := r.keyStores(r.caller.Account, r.caller.Region)
		if err != nil {
			return nil, err
		}
		out := &sdk.DescribeCustomKeyStoresOutput{CustomKeyStores: []types.CustomKeyStoresListEntry{}}
		known := in.CustomKeyStoreId == nil && in.CustomKeyStoreName == nil
		for i := range all.Stores {
			s := &all.Stores[i]
			if in.CustomKeyStoreId != nil && *in.CustomKeyStoreId != s.ID || in.CustomKeyStoreName != nil && *in.CustomKeyStoreName != s.Name {
				continue
			}
			known = true
			if s.ID <= p.after {
				continue
			}
			if p.full(len(out.CustomKeyStores)) {
				last := aws.ToString(out.CustomKeyStores[len(out.CustomKeyStores)-1].CustomKeyStoreId)
				out.Truncated, out.NextMarker = true, p.next(last)
				break
			}
			out.CustomKeyStores = append(out.CustomKeyStores, r.describeKeyStore(s))
		}
		if !known {
			return nil, keyStoreNotFound(*cmp.Or(in.CustomKeyStoreId, in.CustomKeyStoreName))
		}
		return out, nil
	},
}

// describeKeyStore returns what a listing says of a store. No secret is in it.
func (r *request) describeKeyStore(s *keyrecord.KeyStore) types.CustomKeyStoresListEntry {
	e := types.CustomKeyStoresListEntry{
		ConnectionState:    types.ConnectionStateType(s.Connection.State(r.now)),
		CreationDate:       aws.Time(s.Created),
		CustomKeyStoreId:   aws.String(s.ID),
		CustomKeyStoreName: aws.String(s.Name),
		CustomKeyStoreType: types.CustomKeyStoreTypeAwsCloudhsm,
	}
	if e.ConnectionState == types.ConnectionStateTypeFailed {
		e.ConnectionErrorCode = types.ConnectionErrorCodeType(s.Connection.Error)
	}
	if s.Cluster != nil {
		e.CloudHsmClusterId = aws.String(s.Cluster.ID)
		e.TrustAnchorCertificate = aws.String(s.Cluster.TrustAnchor)
		return e
	}
	e.CustomKeyStoreType = types.CustomKeyStoreTypeExternalKeyStore
	e.XksProxyConfiguration = &types.XksProxyConfigurationType{
		AccessKeyId:  aws.String(s.Proxy.AccessKeyID),
		Connectivity: types.XksProxyConnectivityTypePublicEndpoint,
		UriEndpoint:  aws.String(s.Proxy.Endpoint),
		UriPath:      aws.String(s.Proxy.Path),
	}
	if v := s.Proxy.VPC; v != nil {
		e.XksProxyConfiguration.Connectivity = types.XksProxyConnectivityTypeVpcEndpointService
		e.XksProxyConfiguration.VpcEndpointServiceName = aws.String(v.Name)
		e.XksProxyConfiguration.VpcEndpointServiceOwner = aws.String(v.Owner)
	}
	return e
}
