package kms_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

var curves = map[types.KeySpec]struct {
	curve ecdh.Curve
	size  int // of a secret
}{
	"ECC_NIST_P256": {ecdh.P256(), 32}, "ECC_NIST_P384": {ecdh.P384(), 48}, "ECC_NIST_P521": {ecdh.P521(), 66},
}

// TestSharedSecrets agrees with a peer outside and between two keys.
func TestSharedSecrets(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for spec, c := range curves {
			for _, origin := range []string{"AWS_KMS", keyrecord.OriginExternal} {
				record := newRecord(t, spec, forAgreement)
				record.Origin = origin
				key := putKey(t, f.Service(), record)
				public, err := x509.ParsePKIXPublicKey(publicKeyOf(t, f, key))
				require.NoError(t, err)
				ours, err := public.(*ecdsa.PublicKey).ECDH()
				require.NoError(t, err)

				peer, err := c.curve.GenerateKey(rand.Reader)
				require.NoError(t, err)
				spki, err := x509.MarshalPKIXPublicKey(peer.PublicKey())
				require.NoError(t, err)
				secret, err := peer.ECDH(ours)
				require.NoError(t, err)
				require.Len(t, secret, c.size)
				require.Equal(t, &sdk.DeriveSharedSecretOutput{
					KeyAgreementAlgorithm: "ECDH", KeyId: &key, KeyOrigin: types.OriginType(origin), SharedSecret: secret,
				}, do[sdk.DeriveSharedSecretOutput](t, f.api, &sdk.DeriveSharedSecretInput{KeyId: &key, KeyAgreementAlgorithm: "ECDH", PublicKey: spki}))
			}
			one, two := f.newKey(t, spec, forAgreement), f.newKey(t, spec, forAgreement)
			derive := func(key, peer string) []byte {
				return do[sdk.DeriveSharedSecretOutput](t, f.api, &sdk.DeriveSharedSecretInput{
					KeyId: &key, KeyAgreementAlgorithm: "ECDH", PublicKey: publicKeyOf(t, f, peer),
				}).SharedSecret
			}
			require.Equal(t, derive(one, two), derive(two, one))
			require.NotEqual(t, derive(one, two), derive(one, one))
		}
	})
}

// TestBadPeers gives public keys that are none, and those of other curves.
func TestBadPeers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		key := f.newKey(t, "ECC_NIST_P256", forAgreement)
		good := publicKeyOf(t, f, key)
		bad := [][]byte{{0}, make([]byte, 8192), append(bytes.Clone(good), 0), good[:len(good)-1], flip(good, 8*len(good)-1)}
		for _, k := range kinds {
			if k.spec != "ECC_NIST_P256" && k.usage != forAuthentication && k.spec != "SYMMETRIC_DEFAULT" {
				bad = append(bad, publicKeyOf(t, f, f.newKey(t, k.spec, k.usage)))
			}
		}
		for _, peer := range bad {
			for _, dryRun := range []*bool{nil, aws.Bool(true)} {
				refused(t, f.api, &sdk.DeriveSharedSecretInput{KeyId: &key, KeyAgreementAlgorithm: "ECDH", PublicKey: peer, DryRun: dryRun}, "ValidationException", "")
			}
		}
		// a key that signs has a public key on the curve all the same
		succeeds(t, f.api, &sdk.DeriveSharedSecretInput{KeyId: &key, KeyAgreementAlgorithm: "ECDH", PublicKey: publicKeyOf(t, f, f.newKey(t, "ECC_NIST_P256", forSigning))})
	})
}
