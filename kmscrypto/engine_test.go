package kmscrypto_test

import (
	"context"
	"crypto"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"hash"
	"io"
	"sync"
	"testing"

	"filippo.io/mldsa"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/cloudflare/circl/kem/mlkem/mlkem512"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	local "github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kmscrypto"
)

// The local engine's clients are as good as the SDK's.
var (
	_ kmscrypto.SigningAPI       = (*local.Client)(nil)
	_ kmscrypto.DecryptionAPI    = (*local.Client)(nil)
	_ kmscrypto.AgreementAPI     = (*local.Client)(nil)
	_ kmscrypto.EncapsulationAPI = (*local.Client)(nil)
)

// engine is the local KMS, which the tests of this file have in place of the fake. Its
// keys are made when they are asked for, one of each kind for all tests: RSA keys take
// long to make.
type engine struct {
	*local.Client
	service *local.Service

	mu   sync.Mutex
	keys map[[2]string]string // ARNs by spec and usage, guarded by mu
}

var theEngine = sync.OnceValue(func() *engine {
	s := must(local.New(context.Background(), local.Config{}))
	return &engine{Client: s.Client(identity.Root(identity.DefaultAccount, identity.DefaultRegion)), service: s, keys: map[[2]string]string{}}
})

// key returns the ARN of the key of a kind that all tests share.
func (e *engine) key(t testing.TB, spec types.KeySpec, usage types.KeyUsageType) string {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	kind := [2]string{string(spec), string(usage)}
	if e.keys[kind] == "" {
		e.keys[kind] = e.newKey(t, spec, usage)
	}
	return e.keys[kind]
}

// newKey makes a key that no other test has, and returns its ARN.
func (e *engine) newKey(t testing.TB, spec types.KeySpec, usage types.KeyUsageType) string {
	t.Helper()
	out, err := e.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	require.NoError(t, err)
	return *out.KeyMetadata.Arn
}

func signingOf(t testing.TB, spec types.KeySpec) (e *engine, key string, s *kmscrypto.Signer) {
	t.Helper()
	e = theEngine()
	key = e.key(t, spec, types.KeyUsageTypeSignVerify)
	s, err := kmscrypto.NewSigner(t.Context(), e, key, nil)
	require.NoError(t, err)
	return e, key, s
}

// requireVerifies has the engine itself verify a signature of the message, and refuse it
// for another one.
func (e *engine) requireVerifies(t testing.TB, key string, algorithm types.SigningAlgorithmSpec, message, signature []byte) {
	t.Helper()
	in := &kms.VerifyInput{KeyId: &key, SigningAlgorithm: algorithm, Message: message, Signature: signature}
	out, err := e.Verify(t.Context(), in)
	require.NoError(t, err)
	require.True(t, out.SignatureValid)
	in.Message = append([]byte("not "), message...)
	var invalid *types.KMSInvalidSignatureException
	_, err = e.Verify(t.Context(), in)
	require.ErrorAs(t, err, &invalid)
}

func TestSignByTheEngine(t *testing.T) {
	t.Parallel()
	message := []byte("attack at dawn")
	for _, c := range signatures {
		e, key, s := signingOf(t, c.spec)
		input := message
		if hash := c.opts.HashFunc(); hash != 0 {
			input = digestOf(hash, message)
		}
		signature, err := s.Sign(nil, input, c.opts)
		require.NoError(t, err, c.algorithm)
		verify(t, s.Public(), c.opts, message, signature)
		e.requireVerifies(t, key, c.algorithm, message, signature)

		for _, n := range []int{1, 32, 64, 4096, 4097, 100_000} {
			if n > 4096 && c.opts.HashFunc() == 0 {
				continue // which Ed25519 has to see all of
			}
			long := random(n)
			signature, err := s.SignMessage(nil, long, c.opts)
			require.NoError(t, err, "%s, %d bytes", c.algorithm, n)
			verify(t, s.Public(), c.opts, long, signature)
		}
	}
}

func TestSecp256k1ByTheEngine(t *testing.T) {
	t.Parallel()
	e, key, s := signingOf(t, types.KeySpecEccSecgP256k1)
	der := s.Public().(kmscrypto.OpaquePublicKey).DER()
	public, err := secp256k1.ParsePubKey(der[len(der)-65:])
	require.NoError(t, err)
	for _, n := range []int{1, 4096, 4097} {
		message := random(n)
		digest := digestOf(crypto.SHA256, message)
		bySign, err := s.Sign(nil, digest, crypto.SHA256)
		require.NoError(t, err)
		byMessage, err := s.SignMessage(nil, message, crypto.SHA256)
		require.NoError(t, err)
		for _, signature := range [][]byte{bySign, byMessage} {
			parsed, err := ecdsa.ParseDERSignature(signature)
			require.NoError(t, err)
			require.True(t, parsed.Verify(digest, public))
			if n <= 4092 {
				e.requireVerifies(t, key, types.SigningAlgorithmSpecEcdsaSha256, message, signature)
			}
		}
	}
}

// What KMS signs through the representative of a long message is a signature of the
// message, to an implementation that never heard of representatives.
func TestMLDSAByTheEngine(t *testing.T) {
	t.Parallel()
	for spec, parameters := range map[types.KeySpec]mldsa.Parameters{
		types.KeySpecMlDsa44: mldsa.MLDSA44(), types.KeySpecMlDsa65: mldsa.MLDSA65(), types.KeySpecMlDsa87: mldsa.MLDSA87(),
	} {
		e, key, s := signingOf(t, spec)
		der := s.Public().(kmscrypto.OpaquePublicKey).DER()
		public, err := mldsa.NewPublicKey(parameters, der[len(der)-parameters.PublicKeySize():])
		require.NoError(t, err)
		for _, sign := range []func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error){s.Sign, s.SignMessage} {
			for _, n := range []int{1, 64, 4096, 4097, 50_000} {
				message := random(n)
				signature, err := sign(nil, message, crypto.Hash(0))
				require.NoError(t, err, "%s, %d bytes", spec, n)
				require.NoError(t, mldsa.Verify(public, message, signature, nil), "%s, %d bytes", spec, n)
				if n == 64 {
					e.requireVerifies(t, key, types.SigningAlgorithmSpecMlDsaShake256, message, signature)
				}
			}
		}
	}
}

func TestDecryptByTheEngine(t *testing.T) {
	t.Parallel()
	e := theEngine()
	d, err := kmscrypto.NewDecrypter(t.Context(), e, e.key(t, types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), nil)
	require.NoError(t, err)
	for _, c := range []struct {
		new   func() hash.Hash
		hash  crypto.Hash
		limit int
	}{{sha1.New, crypto.SHA1, 214}, {sha256.New, crypto.SHA256, 190}} {
		opts := &rsa.OAEPOptions{Hash: c.hash}
		for _, n := range []int{0, 1, 32, c.limit} {
			plaintext := random(n)
			got, err := d.Decrypt(nil, seal(t, c.new(), d, plaintext), opts)
			require.NoError(t, err, "%s, %d bytes", c.hash, n)
			require.Equal(t, plaintext, append([]byte{}, got...))
		}
		ciphertext := seal(t, c.new(), d, []byte("secret"))
		for i := 0; i < len(ciphertext); i += 15 {
			ciphertext[i] ^= 0x10
			_, err := d.Decrypt(nil, ciphertext, opts)
			require.Equal(t, rsa.ErrDecryption, err, "byte %d", i)
			ciphertext[i] ^= 0x10
		}
	}
	_, err = d.Decrypt(nil, seal(t, sha256.New(), d, []byte("secret")), &rsa.OAEPOptions{Hash: crypto.SHA1})
	require.Equal(t, rsa.ErrDecryption, err)
}

func TestECDHByTheEngine(t *testing.T) {
	t.Parallel()
	e := theEngine()
	for _, c := range agreements {
		k, err := kmscrypto.NewECDH(t.Context(), e, e.key(t, c.spec, types.KeyUsageTypeKeyAgreement), nil)
		require.NoError(t, err)
		require.Equal(t, c.curve, k.Curve())
		peer := must(c.curve.GenerateKey(rand.Reader))
		want, err := peer.ECDH(k.PublicKey())
		require.NoError(t, err)
		got, err := k.ECDH(peer.PublicKey())
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Len(t, got, c.size)

		// two keys of KMS agree with each other
		other, err := kmscrypto.NewECDH(t.Context(), e, e.newKey(t, c.spec, types.KeyUsageTypeKeyAgreement), nil)
		require.NoError(t, err)
		want, err = other.ECDH(k.PublicKey())
		require.NoError(t, err)
		got, err = k.ECDH(other.PublicKey())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestKEMByTheEngine(t *testing.T) {
	t.Parallel()
	e := theEngine()
	// encapsulate is what somebody does who has nothing but the public key.
	encapsulate := func(public any) (shared, ciphertext []byte) {
		switch public := public.(type) {
		case *mlkem.EncapsulationKey768:
			return public.Encapsulate()
		case *mlkem.EncapsulationKey1024:
			return public.Encapsulate()
		}
		der := public.(kmscrypto.OpaquePublicKey).DER()
		scheme := mlkem512.Scheme()
		key, err := scheme.UnmarshalBinaryPublicKey(der[len(der)-scheme.PublicKeySize():])
		require.NoError(t, err)
		ciphertext, shared, err = scheme.Encapsulate(key)
		require.NoError(t, err)
		return shared, ciphertext
	}
	for spec, size := range ciphertextSizes {
		k, err := kmscrypto.NewKEM(t.Context(), e, e.key(t, spec, types.KeyUsageTypeEncapsulateDecapsulate), nil)
		require.NoError(t, err)
		shared, ciphertext, err := k.Encapsulate()
		require.NoError(t, err)
		require.Len(t, shared, 32)
		require.Len(t, ciphertext, size)
		theirs, theirCiphertext := encapsulate(k.Public())
		for _, c := range []struct{ shared, ciphertext []byte }{{shared, ciphertext}, {theirs, theirCiphertext}} {
			got, err := k.Decapsulate(c.ciphertext)
			require.NoError(t, err, spec)
			require.Equal(t, c.shared, got, spec)

			c.ciphertext[100] ^= 1
			got, err = k.Decapsulate(c.ciphertext)
			require.NoError(t, err, "implicit rejection")
			require.Len(t, got, 32)
			require.NotEqual(t, c.shared, got)
			again, err := k.Decapsulate(c.ciphertext)
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
	}
}

func TestCertificatesByTheEngine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		spec types.KeySpec
		with []x509.SignatureAlgorithm
	}{
		{types.KeySpecRsa2048, []x509.SignatureAlgorithm{0, x509.SHA384WithRSA, x509.SHA512WithRSAPSS}},
		{types.KeySpecEccNistP256, []x509.SignatureAlgorithm{0}},
		{types.KeySpecEccNistP384, []x509.SignatureAlgorithm{0}},
		{types.KeySpecEccNistP521, []x509.SignatureAlgorithm{0}},
		{types.KeySpecEccNistEdwards25519, []x509.SignatureAlgorithm{0}},
	} {
		_, _, s := signingOf(t, c.spec)
		for _, algorithm := range c.with {
			certificate := certify(t, s, algorithm)
			require.NoError(t, certificate.CheckSignatureFrom(certificate), "%s %s", c.spec, algorithm)
			roots := x509.NewCertPool()
			roots.AddCert(certificate)
			_, err := certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: "kms.test"})
			require.NoError(t, err, "%s %s", c.spec, algorithm)
		}
	}
}

func TestTLSByTheEngine(t *testing.T) {
	t.Parallel()
	for spec, scheme := range map[types.KeySpec]tls.SignatureScheme{
		types.KeySpecRsa2048:             tls.PSSWithSHA256,
		types.KeySpecEccNistP256:         tls.ECDSAWithP256AndSHA256,
		types.KeySpecEccNistP384:         tls.ECDSAWithP384AndSHA384,
		types.KeySpecEccNistP521:         tls.ECDSAWithP521AndSHA512,
		types.KeySpecEccNistEdwards25519: tls.Ed25519,
	} {
		_, _, s := signingOf(t, spec)
		leaf := certify(t, s, 0)
		c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: s, Leaf: leaf}
		require.NoError(t, handshake(t, tls.VersionTLS13, c), spec)
		c.SupportedSignatureAlgorithms = []tls.SignatureScheme{scheme}
		require.NoError(t, handshake(t, tls.VersionTLS12, c), spec)
	}
}

// TestRefusalsOfTheEngine has what the engine refuses come out as the SDK's errors.
func TestRefusalsOfTheEngine(t *testing.T) {
	t.Parallel()
	e := theEngine()
	key := e.newKey(t, types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	name := fmt.Sprintf("alias/%x", random(8))
	_, err := e.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: &name, TargetKeyId: &key})
	require.NoError(t, err)
	s, err := kmscrypto.NewSigner(t.Context(), e, name, nil)
	require.NoError(t, err)

	user := identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: identity.DefaultAccount, Region: identity.DefaultRegion}
	_, err = kmscrypto.NewSigner(t.Context(), e.service.Client(user), key, nil)
	require.ErrorContains(t, err, "AccessDeniedException")
	grant, err := e.CreateGrant(t.Context(), &kms.CreateGrantInput{
		KeyId: &key, GranteePrincipal: &user.Principal, Operations: []types.GrantOperation{types.GrantOperationSign, types.GrantOperationGetPublicKey},
	})
	require.NoError(t, err)
	granted, err := kmscrypto.NewSigner(t.Context(), e.service.Client(user), key, &kmscrypto.Options{GrantTokens: []string{*grant.GrantToken}})
	require.NoError(t, err)
	signature, err := granted.SignMessage(nil, []byte("message"), crypto.SHA256)
	require.NoError(t, err)
	verify(t, s.Public(), crypto.SHA256, []byte("message"), signature)
	var token *types.InvalidGrantTokenException
	_, err = kmscrypto.NewSigner(t.Context(), e.service.Client(user), key, &kmscrypto.Options{GrantTokens: []string{"none"}})
	require.ErrorAs(t, err, &token)

	var unknown *types.NotFoundException
	_, err = kmscrypto.NewSigner(t.Context(), e, "alias/none", nil)
	require.ErrorAs(t, err, &unknown)
	_, err = kmscrypto.NewDecrypter(t.Context(), e, key, nil)
	require.ErrorIs(t, err, kmscrypto.ErrKey)
	_, err = kmscrypto.NewSigner(t.Context(), e, e.key(t, types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement), nil)
	require.ErrorIs(t, err, kmscrypto.ErrKey)

	_, err = e.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &key})
	require.NoError(t, err)
	var disabled *types.DisabledException
	_, err = s.SignMessage(nil, []byte("message"), crypto.SHA256)
	require.ErrorAs(t, err, &disabled)
}
