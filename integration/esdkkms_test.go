package integration

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"testing"

	theirs "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms/kmstest"
)

// newKMSKey makes a key pair in the local engine and returns its ARN and public half.
func newKMSKey(t *testing.T, client *sdk.Client, spec types.KeySpec, usage types.KeyUsageType) (arn string, public any) {
	t.Helper()
	key, err := client.CreateKey(t.Context(), &sdk.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	require.NoError(t, err)
	out, err := client.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: key.KeyMetadata.Arn})
	require.NoError(t, err)
	public, err = x509.ParsePKIXPublicKey(out.PublicKey)
	require.NoError(t, err)
	return aws.ToString(key.KeyMetadata.Arn), public
}

// TestOfficialEncryptionSDKKMSRSA has the suites that do not sign: the keyring takes no
// others.
func TestOfficialEncryptionSDKKMSRSA(t *testing.T) {
	o := newOfficial(t)
	client := kmstest.New(t, nil).SDK()
	arn, public := newKMSKey(t, client, types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	w := writing{frame: 512, context: keyring.EncryptionContext{"tenant": "42"}}
	for _, algorithm := range []types.EncryptionAlgorithmSpec{
		types.EncryptionAlgorithmSpecRsaesOaepSha1, types.EncryptionAlgorithmSpecRsaesOaepSha256,
	} {
		ours, err := awskms.NewRSA(client, arn, algorithm, public.(*rsa.PublicKey), nil)
		require.NoError(t, err)
		m := rings{"", ours, o.kmsRSA(client, arn, algorithm, public.(*rsa.PublicKey))}.managers(o)
		for _, w.suite = range keyring.Suites() {
			if w.suite.Signed() {
				continue
			}
			t.Run(fmt.Sprintf("%s/%04x", algorithm, uint16(w.suite)), func(t *testing.T) {
				o.requireExchange(t, m, w, nil, []byte("plaintext"))
			})
		}
	}
}

// An ecdhParty has a private key in KMS or in memory.
type ecdhParty struct {
	name    string
	arn     string
	private *ecdh.PrivateKey
	public  *ecdh.PublicKey
}

// TestOfficialEncryptionSDKKMSECDH exchanges messages between keys of KMS, and between one
// and a key in memory, on each curve.
func TestOfficialEncryptionSDKKMSECDH(t *testing.T) {
	o := newOfficial(t)
	client := kmstest.New(t, nil).SDK()
	inKMS := func(name string, spec types.KeySpec) ecdhParty {
		arn, public := newKMSKey(t, client, spec, types.KeyUsageTypeKeyAgreement)
		point, err := public.(*ecdsa.PublicKey).ECDH()
		require.NoError(t, err)
		return ecdhParty{name: name, arn: arn, public: point}
	}
	for spec, curve := range map[types.KeySpec]ecdh.Curve{
		types.KeySpecEccNistP256: ecdh.P256(), types.KeySpecEccNistP384: ecdh.P384(), types.KeySpecEccNistP521: ecdh.P521(),
	} {
		private, err := curve.GenerateKey(rand.Reader)
		require.NoError(t, err)
		kms, other := inKMS("KMS", spec), inKMS("another of KMS", spec)
		memory := ecdhParty{name: "memory", private: private, public: private.PublicKey()}
		for _, pair := range [][2]ecdhParty{{kms, other}, {kms, memory}, {memory, kms}} {
			from, to := pair[0], pair[1]
			for _, discovery := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s to %s, discovery %t", spec, from.name, to.name, discovery), func(t *testing.T) {
					m := managers{theirWriter: o.manager(o.ecdhOf(client, from, to)), theirReader: o.manager(o.ecdhOf(client, to, from))}
					m.ourWriter, m.ourReader = ourECDH(t, client, from, to), ourECDH(t, client, to, from)
					if discovery {
						m.theirReader = o.manager(o.ecdhDiscoveryOf(client, to))
						m.ourReader = ourECDHDiscovery(t, client, to)
					}
					for _, s := range keyring.Suites() {
						w := writing{s, 512, keyring.EncryptionContext{"tenant": "42"}}
						o.requireExchange(t, m, w, nil, []byte("plaintext"))
					}
				})
			}
		}
	}
}

func (o official) ecdhOf(client *sdk.Client, from, to ecdhParty) theirs.IKeyring {
	if from.private != nil {
		return o.ecdhStatic(from.private, to.public)
	}
	return o.kmsECDHStatic(client, from.arn, from.public, to.public)
}

func (o official) ecdhDiscoveryOf(client *sdk.Client, to ecdhParty) theirs.IKeyring {
	if to.private != nil {
		return o.ecdhDiscovery(to.private)
	}
	return o.kmsECDHDiscovery(client, to.arn, to.public.Curve())
}

func ourECDH(t *testing.T, client *sdk.Client, from, to ecdhParty) keyring.Manager {
	t.Helper()
	var k keyring.Keyring
	var err error
	if from.private != nil {
		k, err = keyring.NewRawECDHStatic(from.private, to.public)
	} else {
		k, err = awskms.NewECDH(t.Context(), client, from.arn, to.public, nil)
	}
	require.NoError(t, err)
	return keyring.NewManager(k)
}

func ourECDHDiscovery(t *testing.T, client *sdk.Client, to ecdhParty) keyring.Manager {
	t.Helper()
	var k keyring.Keyring
	var err error
	if to.private != nil {
		k, err = keyring.NewRawECDHDiscovery(to.private)
	} else {
		k, err = awskms.NewECDHDiscovery(t.Context(), client, to.arn, nil)
	}
	require.NoError(t, err)
	return keyring.NewManager(k)
}
