package kmscrypto_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha3"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kmscrypto"
)

func newSigner(t testing.TB, f *fakeKMS) *kmscrypto.Signer {
	t.Helper()
	s, err := kmscrypto.NewSigner(t.Context(), f, alias, &kmscrypto.Options{GrantTokens: []string{"token"}})
	require.NoError(t, err)
	f.inputs()
	return s
}

func signing(t testing.TB, spec types.KeySpec) (*fakeKMS, *kmscrypto.Signer) {
	t.Helper()
	f := newFake(spec, types.KeyUsageTypeSignVerify)
	return f, newSigner(t, f)
}

func digestOf(h crypto.Hash, message []byte) []byte {
	w := h.New()
	w.Write(message)
	return w.Sum(nil)
}

// verify verifies as the standard library does for opts.
func verify(t testing.TB, public crypto.PublicKey, opts crypto.SignerOpts, message, signature []byte) {
	t.Helper()
	hash := opts.HashFunc()
	switch public := public.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			require.NoError(t, rsa.VerifyPSS(public, hash, digestOf(hash, message), signature, &rsa.PSSOptions{SaltLength: pss.SaltLength}))
			return
		}
		require.NoError(t, rsa.VerifyPKCS1v15(public, hash, digestOf(hash, message), signature))
	case *ecdsa.PublicKey:
		require.True(t, ecdsa.VerifyASN1(public, digestOf(hash, message), signature))
	case ed25519.PublicKey:
		require.True(t, ed25519.Verify(public, message, signature))
	default:
		t.Fatalf("a public key of type %T", public)
	}
}

// signatures is every way in which keys of the standard library's types sign.
var signatures = []struct {
	spec      types.KeySpec
	opts      crypto.SignerOpts
	algorithm types.SigningAlgorithmSpec
}{
	{types.KeySpecRsa2048, crypto.SHA256, types.SigningAlgorithmSpecRsassaPkcs1V15Sha256},
	{types.KeySpecRsa2048, crypto.SHA384, types.SigningAlgorithmSpecRsassaPkcs1V15Sha384},
	{types.KeySpecRsa2048, crypto.SHA512, types.SigningAlgorithmSpecRsassaPkcs1V15Sha512},
	{types.KeySpecRsa2048, &rsa.PSSOptions{Hash: crypto.SHA256}, types.SigningAlgorithmSpecRsassaPssSha256},
	{types.KeySpecRsa2048, &rsa.PSSOptions{Hash: crypto.SHA384, SaltLength: rsa.PSSSaltLengthEqualsHash}, types.SigningAlgorithmSpecRsassaPssSha384},
	{types.KeySpecRsa2048, &rsa.PSSOptions{Hash: crypto.SHA512, SaltLength: 64}, types.SigningAlgorithmSpecRsassaPssSha512},
	{types.KeySpecEccNistP256, crypto.SHA256, types.SigningAlgorithmSpecEcdsaSha256},
	{types.KeySpecEccNistP384, crypto.SHA384, types.SigningAlgorithmSpecEcdsaSha384},
	{types.KeySpecEccNistP521, crypto.SHA512, types.SigningAlgorithmSpecEcdsaSha512},
	{types.KeySpecEccNistEdwards25519, crypto.Hash(0), types.SigningAlgorithmSpecEd25519Sha512},
	{types.KeySpecEccNistEdwards25519, &ed25519.Options{}, types.SigningAlgorithmSpecEd25519Sha512},
}

func TestSign(t *testing.T) {
	t.Parallel()
	message := []byte("attack at dawn")
	for _, c := range signatures {
		f, s := signing(t, c.spec)
		input, kind := message, types.MessageTypeRaw
		if hash := c.opts.HashFunc(); hash != 0 {
			input, kind = digestOf(hash, message), types.MessageTypeDigest
		}
		signature, err := s.Sign(nil, input, c.opts)
		require.NoError(t, err, c.algorithm)
		verify(t, s.Public(), c.opts, message, signature)
		require.True(t, s.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(f.private.(crypto.Signer).Public()))
		require.Equal(t, []any{&kms.SignInput{
			KeyId: ptr(keyARN), Message: input, MessageType: kind,
			SigningAlgorithm: c.algorithm, GrantTokens: []string{"token"},
		}}, f.inputs(), "one request, by the ARN that the alias had")
	}
}

// A message goes to KMS as it is if KMS takes it.
func TestSignMessage(t *testing.T) {
	t.Parallel()
	for _, c := range signatures {
		f, s := signing(t, c.spec)
		for _, n := range []int{0, 1, 31, 32, 33, 64, 4095, 4096, 4097, 100_000} {
			name := fmt.Sprintf("%s, %d bytes", c.algorithm, n)
			message := random(n)
			signature, err := s.SignMessage(nil, message, c.opts)
			calls := f.inputs()
			hash := c.opts.HashFunc()
			if hash == 0 && n > 4096 {
				require.ErrorIs(t, err, kmscrypto.ErrRequest, name)
				require.Empty(t, calls, name)
				continue
			}
			require.Len(t, calls, 1, name)
			in := calls[0].(*kms.SignInput)
			if hash == 0 && n == 0 { // refused by KMS as the reference has it, not here
				require.ErrorContains(t, err, "ValidationException", name)
				continue
			}
			require.NoError(t, err, name)
			verify(t, s.Public(), c.opts, message, signature)
			if n >= 1 && n <= 4096 {
				require.Equal(t, types.MessageTypeRaw, in.MessageType, name)
				require.Equal(t, message, in.Message, name)
			} else {
				require.Equal(t, types.MessageTypeDigest, in.MessageType, name)
				require.Equal(t, digestOf(hash, message), in.Message, name)
			}
		}
	}
}

func TestSignRefusals(t *testing.T) {
	t.Parallel()
	pss := func(h crypto.Hash, salt int) crypto.SignerOpts { return &rsa.PSSOptions{Hash: h, SaltLength: salt} }
	for _, c := range []struct {
		name string
		spec types.KeySpec
		size int // of the digest
		opts crypto.SignerOpts
	}{
		{"no options", types.KeySpecEccNistP256, 32, nil},
		{"no hash for RSA", types.KeySpecRsa2048, 32, crypto.Hash(0)},
		{"SHA-1", types.KeySpecRsa2048, 20, crypto.SHA1},
		{"MD5 and SHA-1", types.KeySpecRsa2048, 36, crypto.MD5SHA1},
		{"SHA-1 with PSS", types.KeySpecRsa2048, 20, pss(crypto.SHA1, 0)},
		{"PSS without a hash", types.KeySpecRsa2048, 32, pss(0, 0)},
		{"a short salt", types.KeySpecRsa2048, 32, pss(crypto.SHA256, 20)},
		{"a salt of another hash", types.KeySpecRsa2048, 32, pss(crypto.SHA256, 48)},
		{"a negative salt", types.KeySpecRsa2048, 32, pss(crypto.SHA256, -2)},
		{"nil PSS options", types.KeySpecRsa2048, 32, (*rsa.PSSOptions)(nil)},
		{"a short digest", types.KeySpecRsa2048, 31, crypto.SHA256},
		{"a long digest", types.KeySpecRsa2048, 33, crypto.SHA256},
		{"no digest", types.KeySpecRsa2048, 0, crypto.SHA256},
		{"a digest of another hash", types.KeySpecRsa2048, 48, crypto.SHA512},
		{"no hash for ECDSA", types.KeySpecEccNistP256, 32, crypto.Hash(0)},
		{"SHA-384 for P-256", types.KeySpecEccNistP256, 48, crypto.SHA384},
		{"SHA-512 for P-384", types.KeySpecEccNistP384, 64, crypto.SHA512},
		{"SHA-256 for P-521", types.KeySpecEccNistP521, 32, crypto.SHA256},
		{"a short digest for P-384", types.KeySpecEccNistP384, 32, crypto.SHA384},
		{"SHA-512 for secp256k1", types.KeySpecEccSecgP256k1, 64, crypto.SHA512},
		{"Ed25519ph", types.KeySpecEccNistEdwards25519, 64, &ed25519.Options{Hash: crypto.SHA512}},
		{"Ed25519ph by the hash", types.KeySpecEccNistEdwards25519, 64, crypto.SHA512},
		{"Ed25519ctx", types.KeySpecEccNistEdwards25519, 10, &ed25519.Options{Context: "x"}},
		{"nil Ed25519 options", types.KeySpecEccNistEdwards25519, 10, (*ed25519.Options)(nil)},
		{"a digest for Ed25519", types.KeySpecEccNistEdwards25519, 32, crypto.SHA256},
		{"a long message for Ed25519", types.KeySpecEccNistEdwards25519, 4097, crypto.Hash(0)},
		{"a digest for ML-DSA", types.KeySpecMlDsa44, 64, crypto.SHA512},
	} {
		f, s := signing(t, c.spec)
		_, err := s.Sign(nil, random(c.size), c.opts)
		require.ErrorIs(t, err, kmscrypto.ErrRequest, c.name)
		require.Empty(t, f.inputs(), "%s: refused before the network", c.name)
	}
}

func TestSignResponsesAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*kms.SignOutput)
	}{
		{"no key id", func(o *kms.SignOutput) { o.KeyId = nil }},
		{"another key", func(o *kms.SignOutput) { o.KeyId = ptr(otherARN) }},
		{"a bare id", func(o *kms.SignOutput) { o.KeyId = ptr(keyID) }},
		{"no algorithm", func(o *kms.SignOutput) { o.SigningAlgorithm = "" }},
		{"another algorithm", func(o *kms.SignOutput) { o.SigningAlgorithm = types.SigningAlgorithmSpecSm2dsa }},
		{"no signature", func(o *kms.SignOutput) { o.Signature = nil }},
		{"a short signature", func(o *kms.SignOutput) { o.Signature = o.Signature[:len(o.Signature)-1] }},
		{"a long signature", func(o *kms.SignOutput) { o.Signature = append(o.Signature, 0) }},
	} {
		for _, s := range everySignature() {
			f, signer := signing(t, s.spec)
			f.answer = func(out any) error { c.change(out.(*kms.SignOutput)); return nil }
			signature, err := signer.SignMessage(nil, []byte("message"), s.opts)
			require.ErrorIs(t, err, kmscrypto.ErrResponse, "%s: %s", s.spec, c.name)
			require.Nil(t, signature)
		}
	}
}

type way struct {
	spec types.KeySpec
	opts crypto.SignerOpts
}

func everySignature() (all []way) {
	for _, s := range signatures {
		all = append(all, way{s.spec, s.opts})
	}
	return append(all, way{types.KeySpecEccSecgP256k1, crypto.SHA256}, way{types.KeySpecMlDsa44, crypto.Hash(0)},
		way{types.KeySpecMlDsa65, crypto.Hash(0)}, way{types.KeySpecMlDsa87, crypto.Hash(0)})
}

// A signature with a bit turned, and one of something else, is not let out.
func TestWrongSignaturesAreNotLetOut(t *testing.T) {
	t.Parallel()
	message := []byte("message")
	for _, c := range signatures {
		f, s := signing(t, c.spec)
		signature, err := s.SignMessage(nil, message, c.opts)
		require.NoError(t, err)
		replay := &replaying{f, &kms.SignOutput{KeyId: ptr(keyARN), SigningAlgorithm: c.algorithm, Signature: signature}}
		s, err = kmscrypto.NewSigner(t.Context(), replay, keyARN, nil)
		require.NoError(t, err)
		for bit := 0; bit < 8*len(signature); bit += 29 { // at every place in a byte
			signature[bit/8] ^= 1 << (bit % 8)
			_, err := s.SignMessage(nil, message, c.opts)
			require.ErrorIs(t, err, kmscrypto.ErrResponse, "%s, bit %d", c.algorithm, bit)
			signature[bit/8] ^= 1 << (bit % 8)
		}
		_, err = s.SignMessage(nil, []byte("massage"), c.opts)
		require.ErrorIs(t, err, kmscrypto.ErrResponse, c.algorithm)
		_, err = s.SignMessage(nil, message, c.opts)
		require.NoError(t, err, c.algorithm)
	}
}

// replaying always answers with the same signature.
type replaying struct {
	*fakeKMS
	out *kms.SignOutput
}

func (r *replaying) Sign(context.Context, *kms.SignInput, ...func(*kms.Options)) (*kms.SignOutput, error) {
	return r.out, nil
}

// A signature with the wrong kind of padding or another salt is not what was asked.
func TestSignaturesOfAnotherAlgorithmAreNotLetOut(t *testing.T) {
	t.Parallel()
	f, s := signing(t, types.KeySpecRsa2048)
	digest := digestOf(crypto.SHA256, []byte("message"))
	var opts crypto.SignerOpts
	f.answer = func(out any) (err error) {
		out.(*kms.SignOutput).Signature, err = f.private.(crypto.Signer).Sign(rand.Reader, digest, opts)
		return err
	}
	opts = &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 20}
	_, err := s.Sign(nil, digest, &rsa.PSSOptions{Hash: crypto.SHA256})
	require.ErrorIs(t, err, kmscrypto.ErrResponse)
	_, err = s.Sign(nil, digest, crypto.SHA256)
	require.ErrorIs(t, err, kmscrypto.ErrResponse)
	opts = crypto.SHA256
	_, err = s.Sign(nil, digest, &rsa.PSSOptions{Hash: crypto.SHA256})
	require.ErrorIs(t, err, kmscrypto.ErrResponse)
	_, err = s.Sign(nil, digest, crypto.SHA256)
	require.NoError(t, err)
}

func TestSecp256k1(t *testing.T) {
	t.Parallel()
	f, s := signing(t, types.KeySpecEccSecgP256k1)
	digest := digestOf(crypto.SHA256, []byte("message"))
	_, err := s.Sign(nil, digest, crypto.SHA256)
	require.NoError(t, err)
	in := f.inputs()[0].(*kms.SignInput)
	require.Equal(t, types.SigningAlgorithmSpecEcdsaSha256, in.SigningAlgorithm)
	require.Equal(t, types.MessageTypeDigest, in.MessageType)
	for name, signature := range map[string][]byte{
		"zero":     {0x30, 6, 2, 1, 0, 2, 1, 1},
		"negative": {0x30, 6, 2, 1, 1, 2, 1, 0xff},
		"one":      {0x30, 3, 2, 1, 1},
		"too long": append([]byte{0x30, 38, 2, 1, 1, 2, 33, 1}, make([]byte, 32)...),
	} {
		f.answer = func(out any) error { out.(*kms.SignOutput).Signature = signature; return nil }
		_, err := s.Sign(nil, digest, crypto.SHA256)
		require.ErrorIs(t, err, kmscrypto.ErrResponse, name)
	}
}

// An ML-DSA message that is too long for KMS is signed through its representative,
// of which KMS needs nothing but 64 bytes.
func TestMLDSA(t *testing.T) {
	t.Parallel()
	for spec, size := range map[types.KeySpec]int{types.KeySpecMlDsa44: 1312, types.KeySpecMlDsa65: 1952, types.KeySpecMlDsa87: 2592} {
		f, s := signing(t, spec)
		for _, sign := range []func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error){s.Sign, s.SignMessage} {
			for _, n := range []int{1, 64, 4096, 4097, 50_000} {
				message := random(n)
				_, err := sign(nil, message, crypto.Hash(0))
				require.NoError(t, err)
				in := f.inputs()[0].(*kms.SignInput)
				require.Equal(t, types.SigningAlgorithmSpecMlDsaShake256, in.SigningAlgorithm)
				if n <= 4096 {
					require.Equal(t, types.MessageTypeRaw, in.MessageType)
					require.Equal(t, message, in.Message)
					continue
				}
				require.Equal(t, types.MessageTypeExternalMu, in.MessageType)
				tr := sha3.SumSHAKE256(f.der[len(f.der)-size:], 64)
				require.Equal(t, sha3.SumSHAKE256(append(append(tr, 0, 0), message...), 64), in.Message)
			}
		}
	}
}

func TestErrorsOfSign(t *testing.T) {
	t.Parallel()
	f, s := signing(t, types.KeySpecEccNistP256)
	f.answer = func(any) error { return &types.DisabledException{} }
	var disabled *types.DisabledException
	_, err := s.SignMessage(nil, []byte("message"), crypto.SHA256)
	require.ErrorAs(t, err, &disabled)

	s, err = kmscrypto.NewSigner(t.Context(), mute{newFake(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)}, keyARN, nil)
	require.NoError(t, err)
	_, err = s.SignMessage(nil, []byte("message"), crypto.SHA256)
	require.ErrorIs(t, err, kmscrypto.ErrResponse)
}

// mute answers private operations with nothing.
type mute struct{ *fakeKMS }

func (mute) Sign(context.Context, *kms.SignInput, ...func(*kms.Options)) (*kms.SignOutput, error) {
	return nil, nil
}

func (mute) Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	return nil, nil
}

func (mute) DeriveSharedSecret(context.Context, *kms.DeriveSharedSecretInput, ...func(*kms.Options)) (*kms.DeriveSharedSecretOutput, error) {
	return nil, nil
}

func (mute) Encapsulate(context.Context, *kms.EncapsulateInput, ...func(*kms.Options)) (*kms.EncapsulateOutput, error) {
	return nil, nil
}

func (mute) Decapsulate(context.Context, *kms.DecapsulateInput, ...func(*kms.Options)) (*kms.DecapsulateOutput, error) {
	return nil, nil
}

func TestSignerWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	s, err := kmscrypto.NewSigner(ctx, f, keyARN, nil)
	require.NoError(t, err)
	bound := s.WithContext(ctx)
	_, err = bound.SignMessage(nil, []byte("message"), crypto.SHA256)
	require.NoError(t, err)
	cancel()
	_, err = bound.SignMessage(nil, []byte("message"), crypto.SHA256)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.SignMessage(nil, []byte("message"), crypto.SHA256)
	require.NoError(t, err, "the constructor's context is not the signer's")
}

func TestSignersAreConcurrent(t *testing.T) {
	t.Parallel()
	_, s := signing(t, types.KeySpecEccNistP256)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				message := random(100)
				signature, err := s.WithContext(t.Context()).SignMessage(nil, message, crypto.SHA256)
				if err != nil || !ecdsa.VerifyASN1(s.Public().(*ecdsa.PublicKey), digestOf(crypto.SHA256, message), signature) {
					t.Errorf("%x: %v", message, err)
				}
			}
		})
	}
	group.Wait()
}
