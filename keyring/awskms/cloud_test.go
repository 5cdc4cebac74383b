package awskms_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

const (
	virginia = "us-east-1"
	ireland  = "eu-west-1"
	tokyo    = "ap-northeast-1"

	account  = identity.DefaultAccount
	stranger = "444455556666"
)

// errHangs has a Region not answer at all.
var errHangs = errors.New("the Region hangs")

// cloud is a local KMS of several Regions, each of which can be made to fail.
type cloud struct {
	*kmstest.Cloud

	mu    sync.Mutex
	fails map[string]error // by Region, guarded by mu
	asked []string         // Regions of requests, in order; guarded by mu
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{fails: make(map[string]error)}
	c.Cloud = kmstest.New(t, &kmstest.Options{Configure: func(config *kms.Config) {
		admit := config.Admit
		config.Admit = func(ctx context.Context, operation string, caller identity.Caller) error {
			c.mu.Lock()
			c.asked = append(c.asked, caller.Region)
			err := c.fails[caller.Region]
			c.mu.Unlock()
			if errors.Is(err, errHangs) {
				<-ctx.Done()
				return ctx.Err()
			}
			if err != nil {
				return err
			}
			return admit(ctx, operation, caller)
		}
	}})
	return c
}

// failRegion makes every request to a Region fail; a nil error ends that.
func (c *cloud) failRegion(region string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails[region] = err
}

// regions returns the Regions that were asked since the last call.
func (c *cloud) regions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

// in returns a client of the account's root user that does not retry.
func (c *cloud) in(account, region string) *sdk.Client {
	return c.Service().SDK(identity.Root(account, region), func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
}

// client is a ClientFunc.
func (c *cloud) client(region string) (awskms.API, error) { return c.in(account, region), nil }

// key creates a key and returns its ARN.
func (c *cloud) key(t *testing.T, account, region string, in *sdk.CreateKeyInput) string {
	t.Helper()
	out, err := c.in(account, region).CreateKey(t.Context(), in)
	require.NoError(t, err)
	return *out.KeyMetadata.Arn
}

// mrk creates a multi-Region key in the first Region, with replicas in the others,
// and returns the ARNs.
func (c *cloud) mrk(t *testing.T, in *sdk.CreateKeyInput, regions ...string) []string {
	t.Helper()
	in.MultiRegion = aws.Bool(true)
	arns := []string{c.key(t, account, regions[0], in)}
	for _, region := range regions[1:] {
		out, err := c.in(account, regions[0]).ReplicateKey(t.Context(), &sdk.ReplicateKeyInput{
			KeyId: &arns[0], ReplicaRegion: &region,
		})
		require.NoError(t, err)
		arns = append(arns, *out.ReplicaKeyMetadata.Arn)
	}
	return arns
}

// sealed returns materials that ring has encrypted.
func sealed(t *testing.T, ring keyring.Keyring) *keyring.EncryptionMaterials {
	t.Helper()
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	return m
}

// opens requires that ring gives m's data key.
func opens(t *testing.T, ring keyring.Keyring, m *keyring.EncryptionMaterials) {
	t.Helper()
	d := decryption(t, m)
	require.NoError(t, ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
	require.Equal(t, m.DataKey(), d.DataKey())
}

// noMatch requires that ring finds no match in m, and returns the attempts.
func noMatch(t *testing.T, ring keyring.Keyring, m *keyring.EncryptionMaterials) []keyring.Attempt {
	t.Helper()
	d := decryption(t, m)
	err := ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys())
	var none *keyring.NoMatchError
	require.ErrorAs(t, err, &none)
	require.False(t, d.HasDataKey())
	return none.Attempts
}

// mute is an API that encrypts and does not answer.
type mute struct{ awskms.API }

func (m mute) GenerateDataKey(ctx context.Context, in *sdk.GenerateDataKeyInput, o ...func(*sdk.Options)) (*sdk.GenerateDataKeyOutput, error) {
	_, err := m.API.GenerateDataKey(ctx, in, o...)
	return nil, err
}

func (m mute) Encrypt(ctx context.Context, in *sdk.EncryptInput, o ...func(*sdk.Options)) (*sdk.EncryptOutput, error) {
	_, err := m.API.Encrypt(ctx, in, o...)
	return nil, err
}
