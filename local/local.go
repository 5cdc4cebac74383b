// Package local is a whole local cloud in one object.
//
//	cloud, err := local.New(nil)
//	client := cloud.SDK("eu-west-1") // *kms.Client of aws-sdk-go-v2, in process
//	key, err := client.CreateKey(ctx, &kms.CreateKeyInput{})
//
// Everything in it is real: the cryptography, the key states, the errors. What is
// built now is AWS KMS. [New] keeps it in memory, where it is gone when the process ends,
// [Open] in one file, and [OpenStore] in any store, such as an etcd cluster. Requests are
// made as the account's root user, who may do everything, unless they are made through
// [Cloud.As].
package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// Options changes what [New], [Open] and [OpenStore] make. nil Options and the zero
// value of each field mean the default.
type Options struct {
	// RootKey unlocks a cloud that is kept: a [keyring.Passphrase], a key in KMS
	// (keyring/awskms), or any other keyring, or several in a [keyring.Multi]. [New] makes
	// one of its own.
	RootKey keyring.Keyring
	// KeyFile is the path of a file with the root key, for [Open], in place of RootKey: see
	// [CreateKeyFile] for what that is worth. It is made together with the store. It is not
	// made anew for a store that is there already.
	KeyFile string
	// Seal changes how a store that is kept is sealed.
	Seal *store.SealOptions
	// AuditLog is the path of a log of all requests, in place of Audit, for a cloud that is
	// kept: JSON lines, an [audit.File], in a chain whose state is in the store. See
	// [Cloud.AuditState] for how it is verified.
	//
	// A log that does not reach as far as the store knows, was changed, or is that of another
	// store gives an [*audit.Fault], and nothing is opened. When it is clear what happened,
	// keep the log's files elsewhere, and go on with a new log under another AuditName; or,
	// if it is the store that has no chain yet, under the same.
	AuditLog string
	// AuditName is the chain's name in the store: "default". Processes that share a store
	// have chains of different names. A cloud whose log is lost or was changed does not open
	// with it ([audit.Fault]); another name, with another log, begins another chain.
	AuditName string
	// Changes is told of what has changed: rotations, deletions, expiries and requests that
	// change something. An [audit.Bus] is one.
	Changes audit.ChangeSink
	// SweepEvery is how often a cloud that is kept removes what is left of deleted keys
	// (see [kms.Service.Sweep]): every hour. Below zero it never does.
	SweepEvery time.Duration
	// Swept, if it is not nil, is told what each sweep has done.
	Swept func(kms.SweepReport, error)

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

	kept *kept // nil in memory
}

// New returns a cloud in memory.
func New(o *Options) (*Cloud, error) {
	if o == nil {
		o = &Options{}
	}
	if o.RootKey != nil || o.KeyFile != "" || o.Seal != nil || o.AuditLog != "" {
		return nil, errors.New("local: a root key or an audit log for a cloud in memory, which keeps neither")
	}
	return o.start(context.Background(), nil, o.Audit)
}

// start returns a cloud in s, in memory if s is nil.
func (o *Options) start(ctx context.Context, s store.Store, sink audit.Sink) (*Cloud, error) {
	c := &Cloud{account: o.Account, keys: &endpoint.AccessKeys{}}
	if c.account == "" {
		c.account = identity.DefaultAccount
	}
	if !arn.IsAccount(c.account) {
		return nil, errors.New("local: an account is 12 digits")
	}
	if sink == nil {
		c.ring = &audit.Ring{}
		sink = c.ring
	}
	config := kms.Config{Store: s, Audit: sink, Identities: o.Identities, Changes: o.Changes}
	if o.Configure != nil {
		o.Configure(&config)
	}
	var err error
	if c.kms, err = kms.New(ctx, config); err != nil {
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

// Close releases the cloud. Requests fail afterwards. A second Close returns nil.
func (c *Cloud) Close() error {
	if c.kept != nil {
		return c.kept.close(c.kms)
	}
	return c.kms.Close()
}
