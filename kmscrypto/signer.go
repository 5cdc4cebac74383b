package kmscrypto

import (
	"context"
	"crypto"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// maxMessage is the length in bytes of the longest message that Sign takes.
const maxMessage = 4096

// Signer signs with a KMS key of usage SIGN_VERIFY. It is a crypto.Signer, and a
// crypto.MessageSigner.
//
// Public is an *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, with which
// x509 and TLS work, and for secp256k1 and ML-DSA keys an [OpaquePublicKey], with
// which they do not.
//
// TLS 1.2 may pair a curve with any hash, and KMS does not: a certificate for it
// needs tls.Certificate.SupportedSignatureAlgorithms. TLS 1.3 needs nothing.
type Signer struct {
	key
	api    SigningAPI
	scheme scheme
}

var _ crypto.MessageSigner = (*Signer)(nil)

// scheme is how keys of one kind sign.
type scheme interface {
	public() crypto.PublicKey
	// method returns how KMS has to sign for opts. Its error says what is wrong
	// with them.
	method(opts crypto.SignerOpts) (method, error)
	// valid reports whether the signature is the key's, as far as the standard
	// library can tell. The input is a digest if m has a hash, and else the message.
	valid(m method, input, signature []byte) bool
}

// method is an algorithm of KMS, and the hash that it signs a digest of: zero if it
// signs messages only.
type method struct {
	algorithm types.SigningAlgorithmSpec
	hash      crypto.Hash
}

// NewSigner returns a signer for the key that keyID names, in any of the forms that
// KMS takes: key ARN, key id, alias ARN or alias name. It fetches the public key.
//
// The error is [ErrKey] for a key that does not sign, and for an SM2 key. The error
// of the request can be reached with errors.As.
func NewSigner(ctx context.Context, api SigningAPI, keyID string, o *Options) (*Signer, error) {
	k, err := fetch(ctx, api, keyID, types.KeyUsageTypeSignVerify, o)
	if err != nil {
		return nil, err
	}
	s, err := newScheme(&k)
	if err != nil {
		return nil, err
	}
	return &Signer{k, api, s}, nil
}

func newScheme(k *key) (scheme, error) {
	switch k.spec {
	case types.KeySpecRsa2048, types.KeySpecRsa3072, types.KeySpecRsa4096:
		public, err := k.rsa()
		return rsaScheme{public}, err
	case types.KeySpecEccNistP256, types.KeySpecEccNistP384, types.KeySpecEccNistP521:
		public, err := k.ecdsa()
		return ecdsaScheme{public, ecdsaMethods[k.spec]}, err
	case types.KeySpecEccNistEdwards25519:
		public, err := k.ed25519()
		return ed25519Scheme{public}, err
	case types.KeySpecEccSecgP256k1:
		public, _, err := k.opaque()
		return secp256k1Scheme{public}, err
	case types.KeySpecMlDsa44, types.KeySpecMlDsa65, types.KeySpecMlDsa87:
		public, raw, err := k.opaque()
		return mldsaScheme{public, raw}, err
	}
	return nil, k.unfit("no signature scheme for it")
}

// WithContext returns a copy of the signer whose requests run under ctx.
func (s *Signer) WithContext(ctx context.Context) *Signer {
	c := *s
	c.ctx = ctx
	return &c
}

// Public returns the public key. It must not be changed.
func (s *Signer) Public() crypto.PublicKey { return s.scheme.public() }

// Sign has KMS sign a digest, and returns the signature in the form that package
// crypto asks for: ASN.1 for ECDSA, and else the algorithm's own. The first argument
// is not used.
//
// opts say what is signed, and have to fit the key; else the error is [ErrRequest]:
//
//   - RSA: SHA-256, SHA-384 or SHA-512, by PKCS #1 v1.5 unless opts are an
//     *rsa.PSSOptions. The only salt that KMS has is as long as the hash; it is
//     what rsa.PSSSaltLengthAuto gives.
//   - ECDSA: SHA-256 for P-256 and secp256k1, SHA-384 for P-384, SHA-512 for P-521.
//   - Ed25519: crypto.Hash(0), and in place of a digest the message, of 4096 bytes at
//     most. Ed25519ph cannot be had: KMS hashes what it is given once more, so its
//     signatures do not verify as RFC 8032 has it. Nor can contexts.
//   - ML-DSA: crypto.Hash(0), and in place of a digest the message, of any length.
//     Its context is empty.
//
// The error of the request can be reached with errors.As; it is [ErrResponse] if
// what came back is no signature of this key.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	m, err := s.method(opts)
	switch {
	case err != nil:
		return nil, err
	case m.hash == 0:
		return s.signWhole(m, digest)
	case len(digest) != m.hash.Size():
		return nil, s.refuse("a digest of %d bytes is none of %s", len(digest), m.hash)
	}
	return s.request(m, types.MessageTypeDigest, digest, digest)
}

// SignMessage is Sign for a message that is not hashed. KMS gets to see a message of
// 1 to 4096 bytes, as MessageType RAW, so that a key policy can insist on that; one
// of any other length is hashed here. For the same opts the signatures verify alike.
func (s *Signer) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	m, err := s.method(opts)
	switch {
	case err != nil:
		return nil, err
	case m.hash == 0:
		return s.signWhole(m, message)
	}
	h := m.hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	if len(message) == 0 || len(message) > maxMessage {
		return s.request(m, types.MessageTypeDigest, digest, digest)
	}
	return s.request(m, types.MessageTypeRaw, message, digest)
}

func (s *Signer) method(opts crypto.SignerOpts) (method, error) {
	if opts == nil {
		return method{}, s.refuse("options are needed to sign")
	}
	m, err := s.scheme.method(opts)
	if err != nil {
		return method{}, s.refuse("%v", err)
	}
	return m, nil
}

// signWhole signs by a method that has no digest.
func (s *Signer) signWhole(m method, message []byte) ([]byte, error) {
	if len(message) <= maxMessage {
		return s.request(m, types.MessageTypeRaw, message, message)
	}
	x, ok := s.scheme.(interface{ representative(message []byte) []byte })
	if !ok {
		return nil, s.refuse("a message of %d bytes is longer than %d", len(message), maxMessage)
	}
	return s.request(m, types.MessageTypeExternalMu, x.representative(message), message)
}

// request has KMS sign payload, and checks the signature against input.
func (s *Signer) request(m method, kind types.MessageType, payload, input []byte) ([]byte, error) {
	out, err := s.api.Sign(s.ctx, &kms.SignInput{
		KeyId:            &s.arn,
		Message:          payload,
		MessageType:      kind,
		SigningAlgorithm: m.algorithm,
		GrantTokens:      s.grantTokens,
	})
	if err != nil {
		return nil, fmt.Errorf("kmscrypto: Sign: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: Sign gave none", ErrResponse)
	}
	if err := s.answered("Sign", out.KeyId, string(out.SigningAlgorithm), string(m.algorithm)); err != nil {
		return nil, err
	}
	if !s.scheme.valid(m, input, out.Signature) {
		return nil, fmt.Errorf("%w: Sign gave %d bytes that are no signature of key %q", ErrResponse, len(out.Signature), s.arn)
	}
	return out.Signature, nil
}
