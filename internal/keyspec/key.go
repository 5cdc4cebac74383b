package keyspec

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"fmt"
	"io"
)

// Key is a key that can be used. What it can do depends on its spec; a key from
// [Spec.ParsePublic] does only what needs no private key. A call that the key cannot
// answer, or an algorithm that its spec does not have, is a mistake in the calling code
// and gets an error that is none of this package's sentinels.
//
// A Key is immutable and safe for concurrent use. It prints as its spec, whatever the
// verb.
type Key struct {
	spec   *Spec
	half   any    // has some of the capabilities below; never printed
	public []byte // DER; nil for a symmetric or HMAC key
}

// What the halves of keys can do. A private half has the capabilities of its public
// half too.
type (
	// publisher has a public key, in DER.
	publisher interface{ spki() []byte }

	// signer is what the private keys of the standard library are.
	signer interface {
		Sign(rand io.Reader, input []byte, opts crypto.SignerOpts) (signature []byte, err error)
	}
	// verifier takes the input and the options of a signer.
	verifier interface {
		verify(input, signature []byte, opts crypto.SignerOpts) bool
	}

	encrypter interface {
		encrypt(h crypto.Hash, plaintext []byte) ([]byte, error)
	}
	decrypter interface {
		decrypt(h crypto.Hash, ciphertext []byte) ([]byte, error)
	}

	macer interface {
		mac(h crypto.Hash, message []byte) []byte
	}

	agreer interface {
		agree(peer []byte) ([]byte, error)
	}

	encapsulator interface {
		encapsulate() (secret, ciphertext []byte)
	}
	decapsulator interface {
		decapsulate(ciphertext []byte) ([]byte, error)
	}
)

// Parse returns the key that material is. It accepts what [Spec.Generate] returns, and
// what others may have made: HMAC keys of 28 to 64 bytes (HMAC_224), 32 to 64
// (HMAC_256), 48 to 128 (HMAC_384) and 64 to 128 (HMAC_512); PKCS #8 with attributes or
// a public key (RFC 5958), EC keys with or without the parameters and the public key
// that RFC 5915 makes optional. All has to be DER to the last byte, of the algorithm,
// size and curve of the spec, and every public key that is given has to belong to the
// private key; an RSA key has two primes. ML-DSA and ML-KEM keys have to be in seed
// form, since the expanded ones have nothing that could be checked against the seed.
//
// The error matches [ErrMaterial]. The material is not kept.
func (s *Spec) Parse(material []byte) (*Key, error) {
	return s.key(s.family.parse(material))
}

// ParsePublic returns the key whose public half is spki, a SubjectPublicKeyInfo in DER
// exactly as [Key.PublicKey] returns it: on a named curve, and with the point
// uncompressed. The key verifies, encrypts or encapsulates, and nothing else. The error
// matches [ErrMaterial]; so it does for symmetric and HMAC specs. spki is not kept.
func (s *Spec) ParsePublic(spki []byte) (*Key, error) {
	f, ok := s.family.(publicFamily)
	if !ok {
		return nil, fmt.Errorf("%w: %s has no public keys", ErrMaterial, s.name)
	}
	return s.key(f.parsePublic(spki))
}

// key returns the key with a half that a family has made of material, or its error.
func (s *Spec) key(half any, err error) (*Key, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrMaterial, s.name, err)
	}
	k := &Key{spec: s, half: half}
	if p, ok := half.(publisher); ok {
		k.public = p.spki()
	}
	return k, nil
}

// Spec returns the key's spec.
func (k *Key) Spec() *Spec { return k.spec }

// PublicKey returns the public key in DER (SubjectPublicKeyInfo, RFC 5280, section
// 4.1.2.7), and nil for a symmetric or HMAC key. The slice is shared and must not be
// changed.
func (k *Key) PublicKey() []byte { return k.public }

// Sign returns the signature of a message, which belongs to the caller. messageType is
// RAW, DIGEST or EXTERNAL_MU, and RAW if empty. It says what message is:
//
//   - RAW: what is to be signed, hashed here where the algorithm hashes;
//   - DIGEST: its hash, which is as long as that of the algorithm. ED25519_PH_SHA_512
//     takes nothing else, and hashes it again;
//   - EXTERNAL_MU: the 64 bytes that ML-DSA makes of a message, for ML_DSA_SHAKE_256.
//
// Signatures with ECDSA are in DER (RFC 3279, section 2.2.3) and s may be in the upper
// half of its range, as with AWS. All but those with RSASSA_PKCS1_V1_5 and Ed25519 are
// randomised. The error is [ErrMessageType] or [ErrDigestLength] for what is wrong with
// the request.
func (k *Key) Sign(algorithm, messageType string, message []byte) ([]byte, error) {
	s, a, err := use[signer](k, signVerify, algorithm)
	if err != nil {
		return nil, err
	}
	input, opts, err := a.prepare(messageType, message)
	if err != nil {
		return nil, err
	}
	signature, err := s.Sign(rand.Reader, input, opts)
	if err != nil {
		return nil, fmt.Errorf("keyspec: %s: %v", algorithm, err)
	}
	return signature, nil
}

// Verify reports whether signature is valid for a message, which need not be of the
// type that it was signed as. A signature with RSASSA-PSS has to have a salt of the
// hash's length, one with ECDSA to be in DER. The error is that of [Key.Sign] and is nil
// for whatever is wrong with the signature.
func (k *Key) Verify(algorithm, messageType string, message, signature []byte) (bool, error) {
	v, a, err := use[verifier](k, signVerify, algorithm)
	if err != nil {
		return false, err
	}
	input, opts, err := a.prepare(messageType, message)
	if err != nil {
		return false, err
	}
	return v.verify(input, signature, opts), nil
}

// Encrypt encrypts with RSAES-OAEP: an empty label, and MGF1 with the algorithm's hash.
// The ciphertext is as long as the modulus and belongs to the caller. The error is a
// [*LengthError] if plaintext is too long.
func (k *Key) Encrypt(algorithm string, plaintext []byte) ([]byte, error) {
	e, a, err := use[encrypter](k, encryptDecrypt, algorithm)
	if err != nil {
		return nil, err
	}
	return e.encrypt(a.hash, plaintext)
}

// Decrypt returns what [Key.Encrypt] was given, which belongs to the caller. The error
// is [ErrCiphertext] for every ciphertext that does not decrypt.
func (k *Key) Decrypt(algorithm string, ciphertext []byte) ([]byte, error) {
	d, a, err := use[decrypter](k, encryptDecrypt, algorithm)
	if err != nil {
		return nil, err
	}
	return d.decrypt(a.hash, ciphertext)
}

// MAC returns the HMAC of message in full length, which belongs to the caller. It is
// nil if the key's spec does not have the algorithm.
func (k *Key) MAC(algorithm string, message []byte) []byte {
	m, a, err := use[macer](k, generateVerifyMAC, algorithm)
	if err != nil {
		return nil
	}
	return m.mac(a.hash, message)
}

// VerifyMAC reports, in time that does not depend on the bytes of mac, whether mac is
// the HMAC of message in full length. It is false if the key's spec does not have the
// algorithm.
func (k *Key) VerifyMAC(algorithm string, message, mac []byte) bool {
	want := k.MAC(algorithm, message)
	return want != nil && hmac.Equal(want, mac)
}

// Agree returns the secret that is shared with the owner of a public key, as ECDH gives
// it (SP 800-56A, section 5.7.1.2) and with no key derivation: the x coordinate, with
// leading zeros. It is 32, 48 or 66 bytes and belongs to the caller. The peer's key is a
// SubjectPublicKeyInfo in the form that [Spec.ParsePublic] describes, on the same curve;
// otherwise the error is [ErrPeer].
func (k *Key) Agree(peer []byte) ([]byte, error) {
	a, _, err := use[agreer](k, keyAgreement, ecdhAlgorithm.name)
	if err != nil {
		return nil, err
	}
	return a.agree(peer)
}

// Encapsulate returns a new shared secret of 32 bytes and the ciphertext from which
// [Key.Decapsulate] makes the same secret (FIPS 203, algorithm 20). Both belong to the
// caller.
func (k *Key) Encapsulate() (secret, ciphertext []byte, err error) {
	e, _, err := use[encapsulator](k, encapsulateDecapsulate, mlkemAlgorithm.name)
	if err != nil {
		return nil, nil, err
	}
	secret, ciphertext = e.encapsulate()
	return secret, ciphertext, nil
}

// Decapsulate returns the shared secret of a ciphertext (FIPS 203, algorithm 21), which
// belongs to the caller. The error is [ErrCiphertext] if ciphertext has the wrong
// length. One that is wrong in any other way gives a secret that nobody else has, always
// the same (implicit rejection).
func (k *Key) Decapsulate(ciphertext []byte) (secret []byte, err error) {
	d, _, err := use[decapsulator](k, encapsulateDecapsulate, mlkemAlgorithm.name)
	if err != nil {
		return nil, err
	}
	return d.decapsulate(ciphertext)
}

// use returns a capability of the key, and the algorithm of that usage and name to use
// it with.
func use[T any](k *Key, usage, name string) (capability T, a *algorithm, err error) {
	a = k.spec.algorithm(usage, name)
	capability, ok := k.half.(T)
	if a == nil || !ok {
		return capability, nil, fmt.Errorf("keyspec: a key of spec %s cannot do this with algorithm %q", k.spec.name, name)
	}
	return capability, a, nil
}

// Format prints the key's spec only, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) {
	name := ""
	if k.spec != nil {
		name = k.spec.name
	}
	fmt.Fprintf(f, "keyspec.Key{%s}", name)
}
