package kms

import (
	"cmp"
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// VPCEndpointService describes a VPC endpoint service to the engine, which has no
// network of its own: see [Config].VPCEndpointService. Requests to the proxy behind it
// go through [Config].XKS like all others.
type VPCEndpointService struct {
	// Owner is the account that the service belongs to. Empty means that of the caller.
	Owner string

	// PrivateDNSName is the host of the proxy's endpoint.
	PrivateDNSName string

	// Misconfigured is set if the service does not meet the requirements of AWS KMS.
	Misconfigured bool
}

// vpcState is what there is to say of the VPC endpoint service of a proxy.
type vpcState int

const (
	vpcFit vpcState = iota
	vpcNotFound
	vpcUnfit
)

// vpcService looks up the VPC endpoint service of a proxy that has one.
func (r *request) vpcService(p *keyrecord.Proxy) (vpcState, error) {
	account := r.caller.Account
	return ask(r, question("vpc", p.VPC.Name, p.VPC.Owner, p.Endpoint), func(context.Context) (vpcState, error) {
		if r.service.vpcService == nil {
			return vpcNotFound, nil
		}
		s, ok := r.service.vpcService(p.VPC.Name)
		switch {
		case !ok || cmp.Or(s.Owner, account) != p.VPC.Owner:
			return vpcNotFound, nil
		case s.Misconfigured || !strings.EqualFold(endpointScheme+s.PrivateDNSName, p.Endpoint):
			return vpcUnfit, nil
		}
		return vpcFit, nil
	})
}

const endpointScheme = "https://"

// checkVPCService refuses a VPC endpoint service that a proxy cannot be reached through.
func (r *request) checkVPCService(p *keyrecord.Proxy) error {
	switch state, err := r.vpcService(p); {
	case err != nil:
		return err
	case state == vpcNotFound:
		return &types.XksProxyVpcEndpointServiceNotFoundException{Message: text("The VPC endpoint service %s was not found.", p.VPC.Name)}
	case state == vpcUnfit:
		return &types.XksProxyVpcEndpointServiceInvalidConfigurationException{Message: text("The VPC endpoint service %s does not meet the requirements for an external key store.", p.VPC.Name)}
	}
	return nil
}

// connectProxy tries to connect a store to its proxy. It returns the code of what it
// fails with, empty if it succeeds.
func (r *request) connectProxy(p *keyrecord.Proxy) (types.ConnectionErrorCodeType, error) {
	if p.VPC != nil {
		switch state, err := r.vpcService(p); {
		case err != nil:
			return "", err
		case state == vpcNotFound:
			return types.ConnectionErrorCodeTypeXksVpcEndpointServiceNotFound, nil
		case state == vpcUnfit:
			return types.ConnectionErrorCodeTypeXksVpcEndpointServiceInvalidConfiguration, nil
		}
	}
	f, err := r.testProxy(p)
	if f != nil {
		return f.code, nil
	}
	return "", err
}
