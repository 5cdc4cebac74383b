package kms

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/nitro"
	"github.com/sealring/sealring/store"
)

// Config is what a [Service] is made of. The zero value is a service in memory that
// records nothing.
type Config struct {
	// Store holds the keys. nil means a new store in memory. It is sealed under
	// RootKey unless it is a [*store.Sealed] already. Several services may share one
	// store under one root key; closing one of them closes it for all. A store that
	// services in several processes write is to be sealed before, with
	// [store.SealOptions].AllowRollback, or they wait for each other.
	Store store.Store

	// RootKey unlocks the store. nil is allowed only for a store in memory, whose
	// root key is then random and never leaves the process.
	RootKey keyring.Keyring

	// Identities knows which policies bind the callers and their accounts. nil means
	// that there are none: under AWS's default key policy an account's root user may do
	// everything with its keys, and anybody else only what a key policy that names
	// them, or a grant, allows.
	Identities identity.Source

	// Audit takes a record of each request before it takes effect; a request whose
	// record it refuses fails. nil means that nothing is recorded.
	Audit audit.Sink

	// Changes, if it is not nil, is told of what has changed, after it has: a key was rotated
	// or deleted, imported material has expired, or a request that is not read-only, as
	// CloudTrail has it, has succeeded. It is told as well as can be: what it answers makes no
	// difference, a process that dies may not have told it, and two changes of one key made
	// at the same time may come in either order.
	Changes audit.ChangeSink

	// Now is the clock. nil means [time.Now].
	Now func() time.Time

	// Uptime returns how much time has passed since some moment, however the clock was set
	// meanwhile. [Service.Sweep] holds the clock to it. nil means the runtime's monotonic
	// clock or, if Now is set, that Now is never set back or forward.
	Uptime func() time.Duration

	// Settling is how long the work takes that AWS does after it has answered: making a
	// replica, changing the primary Region, connecting a custom key store, rotating on
	// demand. Meanwhile keys are Creating or Updating, and key stores CONNECTING or
	// DISCONNECTING. Zero means that such work is done at once.
	Settling time.Duration

	// Attestation verifies the attestation documents of requests that name a Nitro
	// enclave as their Recipient; a [*nitro.Verifier] with AWS's root certificate, or
	// with that of a test authority, is one. It is called from many goroutines. nil means
	// that such requests are refused with ValidationException.
	Attestation interface {
		Verify(document []byte) (*nitro.Document, error)
	}

	// XKS carries the requests to the proxies of external key stores, such as an
	// http.Transport whose certificates and addresses are those of the caller's choice.
	// nil means that no proxy can be reached: nothing leaves the process unless it is
	// told how. Redirects are not followed. No transaction of the store waits for a proxy.
	XKS http.RoundTripper

	// XKSTimeout is how long a proxy is waited for. Zero means 250 ms, as AWS does.
	XKSTimeout time.Duration

	// CloudHSM describes the AWS CloudHSM clusters that there are, by their ids. nil means
	// that there is none. See [CloudHSMCluster] for what they are good for. Like
	// VPCEndpointService it is called from many goroutines.
	CloudHSM func(clusterID string) (CloudHSMCluster, bool)

	// VPCEndpointService describes the VPC endpoint services through which proxies are
	// reached that have no public endpoint, by their names. nil means that there is none.
	VPCEndpointService func(name string) (VPCEndpointService, bool)

	// Quotas is how many resources there can be. The zero value has AWS's quotas, but for
	// the number of keys, which is not limited.
	Quotas Quotas

	// Rates limits how many requests each account can make in a second. nil means that
	// nothing is limited; [DefaultRates] returns AWS's limits. The map is copied.
	Rates Rates

	// Admit, if it is not nil, is asked before each request is looked at. An error
	// is the request's answer: for rate limits, and for faults injected by tests.
	// It is called from many goroutines and may wait, but not beyond ctx.
	Admit func(ctx context.Context, operation string, c identity.Caller) error
}

// Service is a local KMS: every account and Region in one store. It is safe for
// concurrent use.
type Service struct {
	store store.Store
	audit audit.Sink
	now   func() time.Time

	identities identity.Source // may be nil
	policies   policyCache
	keys       keyCache
	grants     grantCache
	settling   time.Duration
	xks        http.RoundTripper // may be nil
	xksTimeout time.Duration
	cloudHSM   func(string) (CloudHSMCluster, bool)    // may be nil
	vpcService func(string) (VPCEndpointService, bool) // may be nil

	attestation interface {
		Verify(document []byte) (*nitro.Document, error)
	}
	admit func(ctx context.Context, operation string, c identity.Caller) error

	quotas  Quotas
	limiter *limiter // nil if nothing is limited

	gate  commitGate
	usage usageLog

	changes  audit.ChangeSink // may be nil
	sweeping sync.Mutex       // held by who sweeps
	clock    clockWatch       // guarded by sweeping
}

// New returns a service. It reads the store's seal, or writes it if the store is
// empty, so it may call the root keyring. A durable store without a RootKey is
// refused.
func New(ctx context.Context, c Config) (*Service, error) {
	s := &Service{audit: c.Audit, now: c.Now, admit: c.Admit, identities: c.Identities, settling: c.Settling, attestation: c.Attestation, gate: newCommitGate()}
	s.xks, s.xksTimeout, s.cloudHSM, s.vpcService = c.XKS, c.XKSTimeout, c.CloudHSM, c.VPCEndpointService
	if s.now == nil {
		s.now = time.Now
	}
	s.changes, s.clock = c.Changes, newClockWatch(c)
	if err := errors.Join(c.Quotas.check(), c.Rates.check()); err != nil {
		return nil, err
	}
	s.quotas = c.Quotas.withDefaults()
	if len(c.Rates) > 0 {
		s.limiter = &limiter{rates: maps.Clone(c.Rates)}
	}
	var err error
	if s.store, err = openStore(ctx, c.Store, c.RootKey); err != nil {
		return nil, err
	}
	s.usage.flushed.Store(s.now().UnixNano())
	return s, nil
}

func openStore(ctx context.Context, s store.Store, root keyring.Keyring) (store.Store, error) {
	if s == nil {
		s = store.NewMemory()
	}
	if sealed, ok := s.(*store.Sealed); ok {
		if root != nil {
			return nil, errors.New("kms: a root key for a store that is sealed already")
		}
		return sealed, nil
	}
	if root == nil {
		if _, ok := s.(*store.Memory); !ok {
			return nil, errors.New("kms: a durable store needs a root key")
		}
		key := make([]byte, 32)
		rand.Read(key)
		var err error
		if root, err = keyring.NewRawAES("sealring", "ephemeral", key); err != nil {
			return nil, err
		}
		clear(key)
	}
	return store.Seal(ctx, s, root, nil)
}

// Close stores when keys were last used, as far as it is not stored yet, and closes the
// service's store. Requests fail afterwards.
func (s *Service) Close() error {
	_ = s.usage.close(s.store) // as good as can be; the store's own error is the one that counts
	return s.store.Close()
}

// Format prints nothing of what the service holds, whatever the verb: fmt would follow
// its pointers to decoded keys.
func (*Service) Format(f fmt.State, _ rune) { fmt.Fprint(f, "kms.Service") }

// Client returns a client whose requests are made by c: direct calls, nothing in
// between. It costs nothing to make.
func (s *Service) Client(c identity.Caller) *Client { return &Client{service: s, caller: c} }
