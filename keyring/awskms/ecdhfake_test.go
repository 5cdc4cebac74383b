package awskms_test

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"slices"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms/kmstest"
)

var nist = []struct {
	spec  types.KeySpec
	curve ecdh.Curve
	size  int // of a coordinate
}{
	{types.KeySpecEccNistP256, ecdh.P256(), 32},
	{types.KeySpecEccNistP384, ecdh.P384(), 48},
	{types.KeySpecEccNistP521, ecdh.P521(), 66},
}

// agreeing is a KMS that records what the ECDH keyrings ask, and whose responses a
// test changes on the way.
type agreeing struct {
	awskms.ECDHAPI
	derived func(*sdk.DeriveSharedSecretOutput) (*sdk.DeriveSharedSecretOutput, error)
	fetched func(*sdk.GetPublicKeyOutput) (*sdk.GetPublicKeyOutput, error)

	mu      sync.Mutex
	calls   []any    // inputs, guarded by mu
	secrets [][]byte // handed out, guarded by mu
}

func (a *agreeing) DeriveSharedSecret(ctx context.Context, in *sdk.DeriveSharedSecretInput, o ...func(*sdk.Options)) (*sdk.DeriveSharedSecretOutput, error) {
	out, err := a.ECDHAPI.DeriveSharedSecret(ctx, in, o...)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, in)
	if err != nil {
		return out, err
	}
	a.secrets = append(a.secrets, out.SharedSecret)
	if a.derived == nil {
		return out, nil
	}
	return a.derived(out)
}

func (a *agreeing) GetPublicKey(ctx context.Context, in *sdk.GetPublicKeyInput, o ...func(*sdk.Options)) (*sdk.GetPublicKeyOutput, error) {
	out, err := a.ECDHAPI.GetPublicKey(ctx, in, o...)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, in)
	if err != nil || a.fetched == nil {
		return out, err
	}
	return a.fetched(out)
}

// inputs returns the inputs of all calls so far.
func (a *agreeing) inputs() []any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// newKey creates a key in the local engine and returns its ARN and its public key as
// the engine gives it.
func newKey(t *testing.T, cloud *kmstest.Cloud, spec types.KeySpec, usage types.KeyUsageType) (arn string, der []byte) {
	t.Helper()
	client := cloud.Client(cloud.Root())
	made, err := client.CreateKey(t.Context(), &sdk.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	require.NoError(t, err)
	public, err := client.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: made.KeyMetadata.Arn})
	require.NoError(t, err)
	return *made.KeyMetadata.Arn, public.PublicKey
}

// party is someone whose private key is in KMS.
type party struct {
	api    *agreeing
	arn    string
	public *ecdh.PublicKey
}

func newParty(t *testing.T, spec types.KeySpec) party {
	t.Helper()
	cloud := kmstest.New(t, nil)
	arn, der := newKey(t, cloud, spec, types.KeyUsageTypeKeyAgreement)
	parsed, err := x509.ParsePKIXPublicKey(der)
	require.NoError(t, err)
	public, err := parsed.(*ecdsa.PublicKey).ECDH()
	require.NoError(t, err)
	return party{&agreeing{ECDHAPI: cloud.Client(cloud.Root())}, arn, public}
}

func (p party) with(t *testing.T, peer *ecdh.PublicKey) *awskms.ECDH {
	t.Helper()
	ring, err := awskms.NewECDH(t.Context(), p.api, p.arn, peer, nil)
	require.NoError(t, err)
	return ring
}

func (p party) withAnyone(t *testing.T) *awskms.ECDHDiscovery {
	t.Helper()
	ring, err := awskms.NewECDHDiscovery(t.Context(), p.api, p.arn, nil)
	require.NoError(t, err)
	return ring
}

func newECDHKey(t *testing.T, c ecdh.Curve) *ecdh.PrivateKey {
	t.Helper()
	k, err := c.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return k
}

func rawStatic(t *testing.T, own *ecdh.PrivateKey, peer *ecdh.PublicKey) *keyring.RawECDHStatic {
	t.Helper()
	ring, err := keyring.NewRawECDHStatic(own, peer)
	require.NoError(t, err)
	return ring
}
