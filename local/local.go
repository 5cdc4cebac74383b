// Package local is a whole local cloud in one object.
//
//	cloud, err := local.New(nil)
//	client := cloud.SDK("eu-west-1") // *kms.Client of aws-sdk-go-v2, in process
//	key, err := client.CreateKey(ctx, &kms.CreateKeyInput{})
//
// Everything in it is real: the cryptography, the key states, the errors. What is
// built now is AWS KMS, in memory: it is gone when the process ends. Requests are
// made as the account's root user, who may do everything, unless they are made
// through [Cloud.As].
package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/kms"
)

// Options changes what [New] makes. nil Options and the zero value of each field
// mean the default.
type Options struct {
	// Account is the account of the root user: 111122223333.
	Account string
	// Identities knows which policies bind principals and accounts: nothing binds them,
	// and so nobody but root users and those whom key policies or grants name may do
	// anything. See [identity.Static] and [identity.Load].
	Identities identity.Source
	// Audit takes a record of each request: a ring in memory that [Cloud.Events]
	// reads.
	Audit audit.Sink
	// Configure, if it is not nil, changes the engine's other settings before it starts:
	// external key stores, attestation, quotas, the clock.
	Configure func(*kms.Config)
	// Limits bounds what clients of [Cloud.Handler] can ask for: what its zero value
	// says.
	Limits endpoint.Limits
}

// Cloud is a local cloud. It is safe for concurrent use.
type Cloud struct {
	account string
	kms     *kms.Service
	ring    *audit.Ring // nil if the events go elsewhere
	keys    *endpoint.AccessKeys
	handler *endpoint.Handler
	root    *aws.CredentialsCache // of the account's root user
}

// New returns a cloud in memory.
func New(o *Options) (*Cloud, error) {
	if o == nil {
		o = &Options{}
	}
	c := &Cloud{account: o.Account, keys: &endpoint.AccessKeys{}}
	if c.account == "" {
		c.account = identity.DefaultAccount
	}
	if !arn.IsAccount(c.account) {
		return nil, errors.New("local: an account is 12 digits")
	}
	sink := o.Audit
	if sink == nil {
		c.ring = &audit.Ring{}
		sink = c.ring
	}
	config := kms.Config{Audit: sink, Identities: o.Identities}
	if o.Configure != nil {
		o.Configure(&config)
	}
	var err error
	if c.kms, err = kms.New(context.Background(), config); err != nil {
		return nil, err
	}
	if c.handler, err = endpoint.New(endpoint.Config{KMS: c.kms, Keys: c.keys, Limits: o.Limits}); err != nil {
		return nil, err
	}
	c.root = c.credentials(identity.Root(c.account, identity.DefaultRegion))
	return c, nil
}

// Format prints the account only, whatever the verb: a Cloud holds credentials.
func (c *Cloud) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "local.Cloud{%s}", c.account) }

// SDK returns a *kms.Client of aws-sdk-go-v2 that acts in the Region as the
// account's root user. Its requests are answered in process. [Cloud.As] gives clients
// of other principals.
func (c *Cloud) SDK(region string) *sdk.Client { return c.As(identity.Root(c.account, region)).SDK() }

// KMS returns the engine, for direct clients and other callers.
func (c *Cloud) KMS() *kms.Service { return c.kms }

// Handler returns the cloud as an http.Handler in AWS's wire protocol. Requests
// have to be signed with an access key of [Cloud.AccessKey].
func (c *Cloud) Handler() http.Handler { return c.handler }

// AWSConfig returns an aws.Config for the Region whose requests, of any service's
// client, are signed by the account's root user and answered by [Cloud.Handler] in
// process. None of them can reach a network.
func (c *Cloud) AWSConfig(region string) aws.Config {
	return c.As(identity.Root(c.account, region)).AWSConfig()
}

// Events returns the newest audit records, oldest first, or none if Options.Audit
// takes them.
func (c *Cloud) Events() []audit.Event {
	if c.ring == nil {
		return nil
	}
	return c.ring.Events()
}

// Close releases the cloud. Requests fail afterwards.
func (c *Cloud) Close() error { return c.kms.Close() }
