package s3crypto

import (
	"bytes"
	"context"
	"crypto"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// minRSABits is the smallest modulus that is encrypted with: 112 bits of security (NIST
// SP 800-57 part 1, table 2). Old objects may have smaller ones.
const minRSABits = 2048

// RSAOptions adjust an [RSA]. The zero value is what most callers want.
type RSAOptions struct {
	// Description is the material description that is stored with each new object, to
	// tell its wrapping key from others. It is not secret and not authenticated. It is
	// copied.
	Description map[string]string

	// DecryptionKeys are further keys to read with: each object with exactly the
	// description of one of them is read with that one, all others with the wrapper's
	// own key.
	DecryptionKeys []RSAKey

	// AllowOAEPSHA256 admits reading objects of format V2 whose data key is wrapped
	// with "RSA/ECB/OAEPWithSHA-256AndMGF1Padding", which does not bind the content
	// algorithm.
	AllowOAEPSHA256 bool

	// AllowPKCS1v15 admits reading objects of format V1, whose data key is encrypted
	// with the padding of PKCS #1 v1.5. What does not unwrap is then read with a key
	// that stands in for it, always the same one for the same object, so that nobody
	// learns from the reader's answers how to unwrap other objects' keys
	// (Bleichenbacher's attack). That would be all objects' under the same wrapping key,
	// however theirs are wrapped.
	AllowPKCS1v15 bool
}

// RSAKey is a key to read with, and the material description of the objects that it is
// for. The key is kept and must not be changed.
type RSAKey struct {
	Description map[string]string
	Key         *rsa.PrivateKey
}

// RSA wraps data keys with RSA-OAEP under a key held in memory, and binds the content
// algorithm ("RSA-OAEP-SHA1"). What is encrypted is
//
//	length of the data key in one byte, data key, name of the content algorithm
//
// with SHA-1 as the hash function of OAEP and of MGF1, as the format has it: OAEP does
// not rest on its collision resistance. The standard library refuses it under
// GODEBUG=fips140=only.
//
// Whoever has the public key can write objects that are read like any other: that an
// object is authentic says nothing of who has written it.
type RSA struct {
	public      *rsa.PublicKey    // nil: cannot wrap
	description map[string]string // of new objects
	keys        []described[*rsa.PrivateKey]
	legacy      map[wrapAlgorithm]bool
}

var _ Wrapper = (*RSA)(nil)

// NewRSA returns a wrapper that wraps with public, of 2,048 bits or more, and unwraps with
// private. One of them may be nil: the wrapper then does the other thing only. The public
// key is never taken from the private one; if both are given they have to be a pair. The
// keys are kept and must not be changed. Nil options are the zero RSAOptions. No two keys
// may have the same material description.
func NewRSA(public *rsa.PublicKey, private *rsa.PrivateKey, o *RSAOptions) (*RSA, error) {
	if o == nil {
		o = &RSAOptions{}
	}
	switch {
	case public == nil && private == nil:
		return nil, errors.New("s3crypto: an RSA wrapper without a public and a private key")
	case public != nil && (public.N == nil || public.N.BitLen() < minRSABits):
		return nil, fmt.Errorf("s3crypto: RSA modulus of less than %d bits", minRSABits)
	case public != nil && private != nil && !private.PublicKey.Equal(public):
		return nil, errors.New("s3crypto: the RSA public and private keys are not a pair")
	case !isText(o.Description):
		return nil, fmt.Errorf("s3crypto: material description %q is not UTF-8", o.Description)
	case private == nil && len(o.DecryptionKeys) > 0:
		return nil, errors.New("s3crypto: RSA decryption keys beside no private key")
	}
	w := &RSA{
		public: public, description: maps.Clone(o.Description),
		legacy: map[wrapAlgorithm]bool{wrapRSAOAEPSHA256: o.AllowOAEPSHA256, wrapRSAPKCS1: o.AllowPKCS1v15},
	}
	if private == nil {
		return w, nil
	}
	for _, k := range slices.Concat([]RSAKey{{o.Description, private}}, o.DecryptionKeys) {
		if k.Key == nil || k.Key.Validate() != nil {
			return nil, errors.New("s3crypto: an RSA private key is not consistent")
		}
		var err error
		if w.keys, err = add(w.keys, k.Description, k.Key); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Format prints the material descriptions only, whatever the verb.
func (k RSA) Format(f fmt.State, _ rune) { formatKeys(f, "RSA", k.keys) }

func (k *RSA) admits(a wrapAlgorithm) error {
	if err := admits(a, wrapRSAOAEP, k.legacy); err != nil {
		return err
	}
	if len(k.keys) == 0 {
		return fmt.Errorf("%w: an RSA wrapper without a private key cannot unwrap", ErrWrapper)
	}
	return nil
}

func (k *RSA) wraps(h *header) bool {
	return k.public != nil && h.wrap == wrapRSAOAEP && index(k.keys, h.description) == 0
}

func (k *RSA) wrap(_ context.Context, h *header, key dataKey, c map[string]string) (dataKey, error) {
	if k.public == nil {
		return nil, fmt.Errorf("%w: an RSA wrapper without a public key cannot wrap", ErrWrapper)
	}
	if err := noContext(wrapRSAOAEP, c); err != nil {
		return nil, err
	}
	if key == nil {
		key = newDataKey()
	}
	framed := slices.Concat([]byte{dataKeySize}, key, []byte(h.suite.name()))
	defer clear(framed)
	edk, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, k.public, framed, nil)
	if err != nil {
		return nil, fmt.Errorf("s3crypto: RSA-OAEP: %w", err)
	}
	h.wrap, h.edk, h.description = wrapRSAOAEP, edk, maps.Clone(k.description)
	return key, nil
}

func (k *RSA) unwrap(_ context.Context, h *header) (dataKey, error) {
	if fips140.Enforced() {
		return nil, errors.New("s3crypto: RSA with SHA-1 or PKCS #1 v1.5 is not allowed in FIPS 140-only mode")
	}
	private := pick(k.keys, h.description)
	// A shorter ciphertext would be taken for one with leading zeros (RFC 8017, section
	// 7.1.2, step 1.b).
	if len(h.edk) != private.Size() {
		return nil, ErrAuthentication
	}
	if h.wrap == wrapRSAPKCS1 {
		key := standIn(private, h.edk)                                 // stays what it is if the padding is wrong
		err := rsa.DecryptPKCS1v15SessionKey(nil, private, h.edk, key) //lint:ignore SA1019 what format V1 has
		if err != nil {
			return nil, ErrAuthentication
		}
		return key, nil
	}
	// Java takes SHA-1 for MGF1 whatever the other hash function is.
	o := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	if h.wrap == wrapRSAOAEPSHA256 {
		o.Hash = crypto.SHA256
	}
	plaintext, err := private.Decrypt(nil, h.edk, o)
	if err != nil {
		return nil, ErrAuthentication
	}
	return unframeKey(plaintext, h)
}

// standIn returns what is taken for the data key if edk has none. It is the same one each
// time: whoever has the same object read again and again learns no more than the first time.
func standIn(private *rsa.PrivateKey, edk []byte) dataKey {
	secret := private.D.FillBytes(make([]byte, private.Size()))
	defer clear(secret)
	mac := hmac.New(sha256.New, secret) // of dataKeySize
	mac.Write([]byte("s3crypto data key without padding"))
	mac.Write(edk)
	return mac.Sum(nil)
}

// unframeKey returns the data key in what RSA-OAEP has decrypted, which it wipes.
func unframeKey(plaintext []byte, h *header) (dataKey, error) {
	defer clear(plaintext)
	key := plaintext
	if h.wrap == wrapRSAOAEP {
		rest, framed := bytes.CutSuffix(plaintext, []byte(h.suite.name()))
		if !framed || len(rest) != 1+dataKeySize || rest[0] != dataKeySize {
			return nil, ErrAuthentication
		}
		key = rest[1:]
	}
	if len(key) != dataKeySize {
		return nil, ErrAuthentication
	}
	return bytes.Clone(key), nil
}
