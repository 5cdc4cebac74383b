package local

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

// How long the credentials of a session are good for, which is what AWS STS gives
// unless it is asked for another time, and how long before the end they are renewed.
const (
	lifetime = time.Hour
	renewal  = 5 * time.Minute
)

// Access is the cloud as one principal has it, in one Region. It is safe for concurrent
// use.
type Access struct {
	cloud       *Cloud
	caller      identity.Caller
	credentials *aws.CredentialsCache
}

// As returns the cloud as the caller has it: a root user, a user, a session of a role
// or a federated user, of any account (see [identity.User] and the functions beside
// it). It is in the caller's Region, or in us-east-1 if the caller has none.
func (c *Cloud) As(caller identity.Caller) *Access {
	if caller.Region == "" {
		caller = caller.In(identity.DefaultRegion)
	}
	a := &Access{cloud: c, caller: caller}
	if caller.Root() && caller.Account == c.account {
		a.credentials = c.root
		return a
	}
	a.credentials = c.credentials(caller)
	return a
}

// AssumeRole returns the cloud as a session of the role has it, with what o says of the
// session, in us-east-1. The role need not exist: what it may do is decided by the
// policies that name it. Nothing asks whether it may be assumed, as AWS STS does of the
// role's trust policy: whoever holds the Cloud may be anybody.
func (c *Cloud) AssumeRole(roleARN, sessionName string, o *identity.SessionOptions) (*Access, error) {
	caller, err := identity.AssumedRole(roleARN, sessionName, o)
	if err != nil {
		return nil, err
	}
	return c.As(caller), nil
}

// In returns the same principal's access in another Region. Both have the same
// credentials.
func (a *Access) In(region string) *Access {
	return &Access{cloud: a.cloud, caller: a.caller.In(region), credentials: a.credentials}
}

// Caller returns the principal, in the Region.
func (a *Access) Caller() identity.Caller { return a.caller }

// Format prints the principal and the Region only, whatever the verb: an Access holds
// credentials.
func (a *Access) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "local.Access{%s in %s}", a.caller, a.caller.Region)
}

// KMS returns a client that calls the engine directly.
func (a *Access) KMS() *kms.Client { return a.cloud.kms.Client(a.caller) }

// SDK returns a *kms.Client of aws-sdk-go-v2 whose requests are answered in process.
func (a *Access) SDK() *sdk.Client { return a.cloud.kms.SDK(a.caller) }

// AWSConfig returns an aws.Config for clients of any service, whose requests are signed
// by the principal and answered by [Cloud.Handler] in process. None of them can reach a
// network.
func (a *Access) AWSConfig() aws.Config {
	return aws.Config{
		Region:      a.caller.Region,
		Credentials: a.credentials,
		HTTPClient:  &http.Client{Transport: endpoint.Transport(a.cloud.handler)},
	}
}

// Credentials returns the principal's credentials for requests to [Cloud.Handler]. They
// are made when they are first asked for. Those of a session are good for an hour, and
// are made anew, for the same session, in the last minutes of it.
func (a *Access) Credentials() aws.CredentialsProvider { return a.credentials }

// AccessKey makes new credentials whose requests to [Cloud.Handler] are made by the
// caller. Those of a session have a session token and are good for an hour; all others
// are good for as long as the cloud.
func (c *Cloud) AccessKey(caller identity.Caller) aws.Credentials {
	made := aws.Credentials{Source: "sealring", AccountID: caller.Account}
	if caller.Session == nil {
		made.AccessKeyID, made.SecretAccessKey = c.keys.Create(caller)
		return made
	}
	made.CanExpire, made.Expires = true, time.Now().Add(lifetime)
	made.AccessKeyID, made.SecretAccessKey, made.SessionToken = c.keys.CreateSession(caller, made.Expires)
	return made
}

// credentials returns credentials of the caller that are made when they are needed, and
// made again before they expire.
func (c *Cloud) credentials(caller identity.Caller) *aws.CredentialsCache {
	retrieve := func(context.Context) (aws.Credentials, error) { return c.AccessKey(caller), nil }
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(retrieve), func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = renewal
	})
}
