// Package kmstest gives tests a KMS of their own: in memory, with a clock that the
// test moves, keys of known material, and faults on demand.
//
//	func TestOrders(t *testing.T) {
//		cloud := kmstest.New(t, nil)
//		key := cloud.Seed(kmstest.Key{Alias: "alias/orders"})
//		service := orders.New(cloud.SDK(), key)
//		cloud.Fail("Decrypt", kmstest.Throttled())
//		…
//		cloud.Advance(31 * 24 * time.Hour)
//	}
//
// It is the engine of package kms, not a fake: what it encrypts is encrypted, and it
// refuses what AWS refuses, with AWS's errors. Where AWS's behaviour is not known,
// docs/compat.md says what was chosen.
package kmstest

import (
	"cmp"
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// Start is the time at which a cloud's clock starts if Options do not say.
var Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Options changes what [New] makes. The zero value of each field, and nil Options,
// mean the default.
type Options struct {
	// Account and Region of [Cloud.SDK], [Cloud.Root] and of seeded keys:
	// 111122223333 and us-east-1.
	Account, Region string
	// Start is where the clock starts: [Start].
	Start time.Time
	// Keys are seeded at once.
	Keys []Key
	// Store holds the keys: a new one in memory. A wrapped store can inject faults
	// of its own.
	Store store.Store
	// Identities knows the policies of principals and accounts: nobody has any.
	Identities identity.Source
	// Audit takes the audit records in place of the ring that [Cloud.Events] reads.
	Audit audit.Sink
	// Configure, if it is not nil, changes the engine's other settings, such as how
	// long a replica takes to be made, before the engine starts.
	Configure func(*kms.Config)
}

// Cloud is one KMS. It is safe for concurrent use. Time stands still until
// [Cloud.Advance] moves it.
type Cloud struct {
	t       testing.TB
	service *kms.Service
	store   *store.Sealed
	root    identity.Caller
	ring    *audit.Ring

	mu     sync.Mutex
	now    time.Time         // guarded by mu
	faults map[string]*fault // by operation; guarded by mu
}

// New returns a cloud that is closed when the test ends. It fails the test if it
// cannot be made.
func New(t testing.TB, o *Options) *Cloud {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	c := &Cloud{
		t:      t,
		root:   identity.Root(cmp.Or(o.Account, identity.DefaultAccount), cmp.Or(o.Region, identity.DefaultRegion)),
		ring:   &audit.Ring{},
		now:    cmp.Or(o.Start, Start),
		faults: map[string]*fault{},
	}
	if !arn.IsAccount(c.root.Account) || !arn.IsRegion(c.root.Region) {
		t.Fatalf("kmstest: %q and %q are no account and Region", c.root.Account, c.root.Region)
	}
	rootKey := make([]byte, 32)
	rand.Read(rootKey)
	ring, err := keyring.NewRawAES("kmstest", "root", rootKey)
	c.must(err)
	inner := o.Store
	if inner == nil {
		inner = store.NewMemory()
	}
	c.store, err = store.Seal(context.Background(), inner, ring, nil)
	c.must(err)
	sink := o.Audit
	if sink == nil {
		sink = c.ring
	}
	config := kms.Config{Store: c.store, Audit: sink, Identities: o.Identities, Now: c.Now, Admit: c.admit}
	if o.Configure != nil {
		o.Configure(&config)
	}
	c.service, err = kms.New(context.Background(), config)
	c.must(err)
	t.Cleanup(func() { _ = c.service.Close() })
	for _, k := range o.Keys {
		c.Seed(k)
	}
	return c
}

func (c *Cloud) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("kmstest: %v", err)
	}
}

// Root returns the root user of the cloud's account, in its Region.
func (c *Cloud) Root() identity.Caller { return c.root }

// Service returns the engine, for an endpoint or for callers of other accounts.
func (c *Cloud) Service() *kms.Service { return c.service }

// Client returns a direct client of the caller.
func (c *Cloud) Client(caller identity.Caller) *kms.Client { return c.service.Client(caller) }

// SDK returns a *kms.Client of aws-sdk-go-v2 that is the account's root user. It
// retries as the SDK does, but without waiting.
func (c *Cloud) SDK() *sdk.Client {
	return c.service.SDK(c.root, func(o *sdk.Options) {
		o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
			s.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			s.RateLimiter = noLimit{}
		})
	})
}

// noLimit lets every retry through: a test that injects many faults in a row is
// not to run out of the SDK's retry quota.
type noLimit struct{}

// GetToken lets a retry through.
func (noLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}

// AddTokens has nothing to add to.
func (noLimit) AddTokens(uint) error { return nil }

// Now returns the cloud's time.
func (c *Cloud) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the cloud's clock forward by d, or back by a negative d.
func (c *Cloud) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Events returns the newest audit records, oldest first.
func (c *Cloud) Events() []audit.Event { return c.ring.Events() }
