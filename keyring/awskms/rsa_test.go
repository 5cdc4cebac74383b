package awskms_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"hash"
	"math/big"
	"slices"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/keyring/keyringtest"
)

const (
	oaepSHA1   = types.EncryptionAlgorithmSpecRsaesOaepSha1
	oaepSHA256 = types.EncryptionAlgorithmSpecRsaesOaepSha256
)

// rsaKey is made once, for tests that need no KMS.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func newRSA(t *testing.T, api awskms.RSAAPI, key string, algorithm types.EncryptionAlgorithmSpec, public *rsa.PublicKey) *awskms.RSA {
	t.Helper()
	ring, err := awskms.NewRSA(api, key, algorithm, public, nil)
	require.NoError(t, err)
	return ring
}

// pair creates a key pair of 2,048 bits and returns its ARN and public key.
func (c *cloud) pair(t *testing.T, region string) (string, *rsa.PublicKey) {
	t.Helper()
	arn := c.key(t, account, region, &sdk.CreateKeyInput{
		KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeEncryptDecrypt,
	})
	return arn, c.public(t, region, arn)
}

func (c *cloud) public(t *testing.T, region, arn string) *rsa.PublicKey {
	t.Helper()
	out, err := c.in(account, region).GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: &arn})
	require.NoError(t, err)
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	require.NoError(t, err)
	return public.(*rsa.PublicKey)
}

func TestRSAConformance(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []types.EncryptionAlgorithmSpec{oaepSHA1, oaepSHA256} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			c := newCloud(t) // one for all cases: key pairs are slow to make
			key, public := c.pair(t, virginia)
			other, otherPublic := c.pair(t, virginia)
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				api := c.in(account, virginia)
				return keyringtest.Subject{
					Encrypt: newRSA(t, nil, key, algorithm, public), Decrypt: newRSA(t, api, key, algorithm, nil),
					Foreign: newRSA(t, nil, other, algorithm, otherPublic),
					// An exponent that the RSA operation itself refuses.
					Failing:      newRSA(t, nil, key, algorithm, &rsa.PublicKey{N: public.N, E: 1}),
					UnsignedOnly: true,
				}
			})
		})
	}
}

func TestNewRSARefuses(t *testing.T) {
	t.Parallel()
	api, public := newFakeKMS(), &rsaKey().PublicKey
	small := &rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 2047), big.NewInt(1)), E: 65537}
	for _, c := range []struct {
		name      string
		api       awskms.RSAAPI
		key       string
		algorithm types.EncryptionAlgorithmSpec
		public    *rsa.PublicKey
		o         *awskms.Options
		want      string
	}{
		{"nothing to work with", nil, keyARN, oaepSHA256, nil, nil, "neither encrypt nor decrypt"},
		{"nothing left to work with", api, keyARN, oaepSHA256, nil, &awskms.Options{EncryptOnly: true}, "neither encrypt nor decrypt"},
		{"alias ARN", api, aliasARN, oaepSHA256, public, nil, awskms.ErrKeyID.Error()},
		{"alias ARN to encrypt", api, aliasARN, oaepSHA256, public, &awskms.Options{EncryptOnly: true}, awskms.ErrKeyID.Error()},
		{"bare id", nil, "1234abcd-12ab-34cd-56ef-1234567890ab", oaepSHA256, public, nil, awskms.ErrKeyID.Error()},
		{"no key", api, "", oaepSHA256, public, nil, awskms.ErrKeyID.Error()},
		{"no algorithm", api, keyARN, "", public, nil, "not an encryption algorithm"},
		{"symmetric algorithm", api, keyARN, types.EncryptionAlgorithmSpecSymmetricDefault, public, nil, "not an encryption algorithm"},
		{"SM2", api, keyARN, types.EncryptionAlgorithmSpecSm2pke, public, nil, "not an encryption algorithm"},
		{"2,047 bits", api, keyARN, oaepSHA256, small, nil, "less than 2048 bits"},
		{"empty public key", api, keyARN, oaepSHA256, &rsa.PublicKey{}, nil, "less than 2048 bits"},
	} {
		_, err := awskms.NewRSA(c.api, c.key, c.algorithm, c.public, c.o)
		require.ErrorContains(t, err, c.want, c.name)
	}
}

// The layout is written here a second time: SHA-384 of the serialised context, then
// the data key, under OAEP with the same hash for MGF1 and an empty label.
func TestRSACiphertext(t *testing.T) {
	t.Parallel()
	for algorithm, h := range map[types.EncryptionAlgorithmSpec]hash.Hash{oaepSHA1: sha1.New(), oaepSHA256: sha256.New()} {
		for context, serialized := range map[string]string{
			"42": "\x00\x01\x00\x06tenant\x00\x0242",
			"":   "",
		} {
			m := encryption(t, keyring.AES192GCMHKDFSHA256)
			if context == "" {
				var err error
				m, err = keyring.NewEncryptionMaterials(keyring.EncryptionRequest{Suite: keyring.AES256GCMHKDFSHA512CommitKey})
				require.NoError(t, err)
			}
			require.NoError(t, newRSA(t, nil, keyARN, algorithm, &rsaKey().PublicKey).OnEncrypt(t.Context(), m))
			keys := m.EncryptedDataKeys()
			require.Len(t, keys, 1)
			require.Equal(t, "aws-kms-rsa", keys[0].Provider)
			require.Equal(t, keyARN, string(keys[0].Info))
			plaintext, err := rsa.DecryptOAEP(h, nil, rsaKey(), keys[0].Ciphertext, nil)
			require.NoError(t, err)
			digest := sha512.Sum384([]byte(serialized))
			require.Equal(t, slices.Concat(digest[:], m.DataKey()), plaintext)
		}
	}
}

func TestRSAInTheLocalKMS(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	key, public := c.pair(t, virginia)
	for _, algorithm := range []types.EncryptionAlgorithmSpec{oaepSHA1, oaepSHA256} {
		c.regions()
		ring := newRSA(t, c.in(account, virginia), key, algorithm, public)
		m := sealed(t, ring)
		require.Empty(t, c.regions(), "encryption is local")
		opens(t, ring, m)
		require.Equal(t, []string{virginia}, c.regions())

		other := oaepSHA1
		if algorithm == oaepSHA1 {
			other = oaepSHA256
		}
		attempts := noMatch(t, newRSA(t, c.in(account, virginia), key, other, public), m)
		require.Len(t, attempts, 1)
		var invalid *types.InvalidCiphertextException
		require.ErrorAs(t, attempts[0].Err, &invalid)

		// Another context gets as far as the digest.
		d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
			Suite: m.Suite(), CommitmentPolicy: keyring.RequireEncryptAllowDecrypt,
			Context: keyring.EncryptionContext{"tenant": "43"},
		})
		require.NoError(t, err)
		err = ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys())
		require.ErrorIs(t, err, keyring.ErrUnwrap)
		require.ErrorIs(t, err, keyring.ErrNoMatch)
		require.False(t, d.HasDataKey())
	}
}

func TestRSAOfAMultiRegionKey(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	arns := c.mrk(t, &sdk.CreateKeyInput{
		KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeEncryptDecrypt,
	}, virginia, ireland)
	m := sealed(t, newRSA(t, nil, arns[0], oaepSHA256, c.public(t, virginia, arns[0])))
	c.regions()
	opens(t, newRSA(t, c.in(account, ireland), arns[1], oaepSHA256, nil), m)
	require.Equal(t, []string{ireland}, c.regions())
}

// rsaAPI answers Decrypt with a fixed response.
type rsaAPI struct {
	in  *sdk.DecryptInput
	out *sdk.DecryptOutput
	err error
}

func (a *rsaAPI) Decrypt(_ context.Context, in *sdk.DecryptInput, _ ...func(*sdk.Options)) (*sdk.DecryptOutput, error) {
	a.in = in
	return a.out, a.err
}

func TestRSARequestSaysExactlyWhatIsNeeded(t *testing.T) {
	t.Parallel()
	tokens := []string{"a-token"}
	m := sealed(t, newRSA(t, nil, keyARN, oaepSHA1, &rsaKey().PublicKey))
	digest := sha512.Sum384(m.SerializedContext())
	plaintext := slices.Concat(digest[:], m.DataKey())
	api := &rsaAPI{out: &sdk.DecryptOutput{KeyId: ptr(keyARN), Plaintext: plaintext}}
	ring, err := awskms.NewRSA(api, keyARN, oaepSHA1, nil, &awskms.Options{GrantTokens: tokens})
	require.NoError(t, err)
	tokens[0] = "changed afterwards"
	opens(t, ring, m)
	require.Equal(t, &sdk.DecryptInput{
		KeyId: ptr(keyARN), CiphertextBlob: m.EncryptedDataKeys()[0].Ciphertext,
		EncryptionAlgorithm: oaepSHA1, GrantTokens: []string{"a-token"},
	}, api.in)
	require.Equal(t, make([]byte, 32), plaintext[48:], "the data key in the response is wiped")
}

func TestRSAResponsesAreChecked(t *testing.T) {
	t.Parallel()
	m := sealed(t, newRSA(t, nil, keyARN, oaepSHA256, &rsaKey().PublicKey))
	digest := sha512.Sum384(m.SerializedContext())
	flipped := digest
	flipped[47] ^= 1
	for _, c := range []struct {
		name string
		out  *sdk.DecryptOutput
		want error
	}{
		{"none", nil, awskms.ErrResponse},
		{"empty", &sdk.DecryptOutput{}, awskms.ErrResponse},
		{"no key id", &sdk.DecryptOutput{Plaintext: slices.Concat(digest[:], m.DataKey())}, awskms.ErrResponse},
		{"another key", &sdk.DecryptOutput{KeyId: ptr(otherARN), Plaintext: slices.Concat(digest[:], m.DataKey())}, awskms.ErrResponse},
		{"no plaintext", &sdk.DecryptOutput{KeyId: ptr(keyARN)}, keyring.ErrUnwrap},
		{"short digest", &sdk.DecryptOutput{KeyId: ptr(keyARN), Plaintext: digest[:47]}, keyring.ErrUnwrap},
		{"digest alone", &sdk.DecryptOutput{KeyId: ptr(keyARN), Plaintext: slices.Clone(digest[:])}, keyring.ErrMaterials},
		{"another digest", &sdk.DecryptOutput{KeyId: ptr(keyARN), Plaintext: slices.Concat(flipped[:], m.DataKey())}, keyring.ErrUnwrap},
		{"no digest", &sdk.DecryptOutput{KeyId: ptr(keyARN), Plaintext: slices.Clone(m.DataKey())}, keyring.ErrUnwrap},
		{"short data key", &sdk.DecryptOutput{KeyId: ptr(keyARN), Plaintext: slices.Concat(digest[:], m.DataKey()[1:])}, keyring.ErrMaterials},
		{"long data key", &sdk.DecryptOutput{KeyId: ptr(keyARN), Plaintext: slices.Concat(digest[:], m.DataKey(), []byte{0})}, keyring.ErrMaterials},
	} {
		attempts := noMatch(t, newRSA(t, &rsaAPI{out: c.out}, keyARN, oaepSHA256, nil), m)
		require.Len(t, attempts, 1, c.name)
		require.ErrorIs(t, attempts[0].Err, c.want, c.name)
		if c.out != nil && len(c.out.Plaintext) > 48 {
			require.NotContains(t, string(c.out.Plaintext), string(m.DataKey()[1:]), "%s: not wiped", c.name)
		}
	}
	disabled := &rsaAPI{err: &types.DisabledException{}}
	var err *types.DisabledException
	require.ErrorAs(t, noMatch(t, newRSA(t, disabled, keyARN, oaepSHA256, nil), m)[0].Err, &err)
}

func TestRSARefusesInfoThatIsNoKeyARN(t *testing.T) {
	t.Parallel()
	api := &rsaAPI{}
	ring := newRSA(t, api, keyARN, oaepSHA256, &rsaKey().PublicKey)
	m := sealed(t, ring)
	for _, info := range []string{"", "garbage", aliasARN, "1234abcd-12ab-34cd-56ef-1234567890ab"} {
		d := decryption(t, m)
		bad := keyring.EncryptedDataKey{Provider: "aws-kms-rsa", Info: []byte(info), Ciphertext: []byte{1}}
		err := ring.OnDecrypt(t.Context(), d, append(m.EncryptedDataKeys(), bad))
		require.ErrorIs(t, err, awskms.ErrKeyID, "%q", info)
	}
	require.Nil(t, api.in, "KMS was called")
	keys := []keyring.EncryptedDataKey{{Provider: "aws-kms", Info: []byte("garbage")}, {Provider: "aws-kms", Info: []byte(keyARN)}}
	require.ErrorIs(t, ring.OnDecrypt(t.Context(), decryption(t, m), keys), keyring.ErrNoMatch)
	require.Nil(t, api.in, "KMS was called")
}

func TestRSAHalves(t *testing.T) {
	t.Parallel()
	public := &rsaKey().PublicKey
	encrypts := newRSA(t, nil, keyARN, oaepSHA256, public)
	m := sealed(t, encrypts)
	require.ErrorIs(t, encrypts.OnDecrypt(t.Context(), decryption(t, m), m.EncryptedDataKeys()), awskms.ErrEncryptOnly)
	told, err := awskms.NewRSA(&rsaAPI{}, keyARN, oaepSHA256, public, &awskms.Options{EncryptOnly: true})
	require.NoError(t, err)
	require.ErrorIs(t, told.OnDecrypt(t.Context(), decryption(t, m), m.EncryptedDataKeys()), awskms.ErrEncryptOnly)
	decrypts := newRSA(t, &rsaAPI{}, keyARN, oaepSHA256, nil)
	require.ErrorIs(t, decrypts.OnEncrypt(t.Context(), m), awskms.ErrDecryptOnly)
	require.Len(t, m.EncryptedDataKeys(), 1)
}

func TestRSARefusesSuitesThatSign(t *testing.T) {
	t.Parallel()
	api := &rsaAPI{}
	ring := newRSA(t, api, keyARN, oaepSHA256, &rsaKey().PublicKey)
	for _, suite := range keyring.Suites() {
		if !suite.Signed() {
			continue
		}
		m := encryption(t, suite)
		require.ErrorIs(t, ring.OnEncrypt(t.Context(), m), awskms.ErrSignedSuite)
		require.False(t, m.HasDataKey())
		keys := []keyring.EncryptedDataKey{{Provider: "aws-kms-rsa", Info: []byte(keyARN), Ciphertext: make([]byte, 256)}}
		require.ErrorIs(t, ring.OnDecrypt(t.Context(), decryption(t, m), keys), awskms.ErrSignedSuite)
	}
	require.Nil(t, api.in, "KMS was called")
}

func TestRSAPrintsItsKey(t *testing.T) {
	t.Parallel()
	ring, err := awskms.NewRSA(nil, keyARN, oaepSHA256, &rsaKey().PublicKey, &awskms.Options{GrantTokens: []string{"grant-token"}})
	require.NoError(t, err)
	for _, v := range []any{ring, *ring} {
		require.Equal(t, `awskms.RSA{"`+keyARN+`", RSAES_OAEP_SHA_256}`, fmt.Sprintf("%#v", v))
	}
}
