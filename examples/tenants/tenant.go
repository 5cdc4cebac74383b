package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
)

// maxAge is how long a data key is used again: the time after which the deletion of
// a key is felt everywhere.
const maxAge = 5 * time.Minute

// fleet holds the tenants. Its KMS is a local one with a clock that can be moved;
// with a *kms.Client of AWS the rest is the same.
type fleet struct {
	cloud   *local.Cloud
	client  *sdk.Client
	later   atomic.Int64 // how far the clock was moved, a time.Duration
	cache   *keyring.MaterialsCache
	tenants map[string]tenant
}

// tenant is one tenant's key and what is used to encrypt with it.
type tenant struct {
	keyARN  string
	manager keyring.Manager
}

func newFleet() (*fleet, error) {
	f := &fleet{cache: keyring.NewMaterialsCache(1000), tenants: map[string]tenant{}}
	var err error
	f.cloud, err = local.New(&local.Options{Configure: func(c *kms.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(f.later.Load())) }
	}})
	if err != nil {
		return nil, err
	}
	f.client = f.cloud.SDK("eu-west-1")
	return f, nil
}

// add makes a key for a new tenant, and the manager that uses it.
func (f *fleet) add(ctx context.Context, name string) error {
	key, err := f.client.CreateKey(ctx, &sdk.CreateKeyInput{Description: aws.String("data of tenant " + name)})
	if err != nil {
		return err
	}
	t := tenant{keyARN: *key.KeyMetadata.Arn}
	ring, err := awskms.New(f.client, t.keyARN, nil)
	if err != nil {
		return err
	}
	caching, err := keyring.NewCaching(keyring.NewManager(ring), keyring.CachingOptions{
		MaxAge:      maxAge,
		MaxMessages: 50,
		Cache:       f.cache,
		Partition:   name,
	})
	if err != nil {
		return err
	}
	if t.manager, err = keyring.NewRequiredContext(caching, "tenant"); err != nil {
		return err
	}
	f.tenants[name] = t
	return nil
}

func (f *fleet) encrypt(ctx context.Context, name, text string) ([]byte, error) {
	return envelope.Encrypt(ctx, f.tenants[name].manager, []byte(text), &envelope.EncryptOptions{
		Context: keyring.EncryptionContext{"tenant": name},
	})
}

func (f *fleet) decrypt(ctx context.Context, name string, document []byte, required keyring.EncryptionContext) (string, error) {
	text, _, err := envelope.Decrypt(ctx, f.tenants[name].manager, document, &envelope.DecryptOptions{Context: required})
	return string(text), err
}

func (f *fleet) scheduleDeletion(ctx context.Context, name string, days int32) error {
	keyARN := f.tenants[name].keyARN
	_, err := f.client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &keyARN, PendingWindowInDays: &days})
	return err
}

func (f *fleet) cancelDeletion(ctx context.Context, name string) error {
	keyARN := f.tenants[name].keyARN
	_, err := f.client.CancelKeyDeletion(ctx, &sdk.CancelKeyDeletionInput{KeyId: &keyARN})
	return err
}

// advance moves the clock of the KMS.
func (f *fleet) advance(d time.Duration) { f.later.Add(int64(d)) }

// requests returns how often KMS was asked for an operation.
func (f *fleet) requests(operation string) (n int) {
	for _, e := range f.cloud.Events() {
		if e.Name == operation {
			n++
		}
	}
	return n
}
