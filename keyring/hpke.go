package keyring

import (
	"bytes"
	"context"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/sealring/sealring/internal/wire"
)

// HPKE wraps data keys for a public key of a kind that no quantum computer is known to
// break, with hybrid public key encryption (RFC 9180) over ML-KEM (FIPS 203, and
// draft-ietf-hpke-pq for the use in HPKE and for the combinations with elliptic
// curves). All cryptography is crypto/hpke's. It is the secrecy of messages that this
// is about: the signatures of signed suites remain ECDSA.
//
// It is an extension of this module: no other Encryption SDK reads a data key that it
// has wrapped. Messages that others have to read need another keyring beside it, in a
// [Multi], and are then only as strong against a quantum computer as that one.
//
// It binds the encryption context. Anyone who has the public key can write messages:
// they do not say where they come from. Its encrypted data keys have the namespace as
// provider. The info is
//
//	offset  bytes  meaning
//	     0      1  version, 1
//	     1      2  KEM id: 0041 ML-KEM-768, 0042 ML-KEM-1024, 0050 MLKEM768-P256,
//	               0051 MLKEM1024-P384, 647a MLKEM768-X25519
//	     3      2  KDF id: 0002 HKDF-SHA384
//	     5      2  AEAD id: 0002 AES-256-GCM
//	     7      n  name
//
// and an encrypted data key with another version or suite is not this keyring's. The
// ciphertext is HPKE's in base mode: encapsulated key, encrypted data key, 16 bytes of
// tag. HPKE's own info, which the key is derived from, is
//
//	"sealring/keyring/hpke" 00, u16 length, namespace, u16 length, info, context
//
// with the serialised encryption context.
//
// The KDF and the AEAD are the same with every KEM, so that there is one suite for
// each. AES-256-GCM has the full strength of ML-KEM-1024, and messages are encrypted
// with it anyway; SHA-384 is in CNSA 2.0, and what
// the ECDH keyrings derive with.
//
// An HPKE is safe for concurrent use, if its private key is, as those of crypto/hpke
// that hold their key in memory are.
type HPKE struct {
	namespace string
	name      string
	kem       string // its name
	info      []byte // the provider info; never changed
	public    hpke.PublicKey
	private   hpke.PrivateKey
}

var _ Keyring = (*HPKE)(nil)

// hpkeVersion is the version of the provider info's layout, and hpkeSuiteLen the length
// of what stands in front of the name.
const (
	hpkeVersion  = 1
	hpkeSuiteLen = 1 + 3*2
)

// postQuantum returns the name of a KEM that uses ML-KEM, "" for any other.
func postQuantum(kem uint16) string {
	switch kem {
	case 0x0041:
		return "ML-KEM-768"
	case 0x0042:
		return "ML-KEM-1024"
	case 0x0050:
		return "MLKEM768-P256"
	case 0x0051:
		return "MLKEM1024-P384"
	case 0x647a:
		return "MLKEM768-X25519"
	}
	return ""
}

// NewHPKE returns a keyring that encrypts with public and decrypts with private. One of
// them may be nil: OnEncrypt or OnDecrypt then fails. The public key is never taken from
// the private one; if both are given they have to be a pair. Their KEM is one of
// [hpke.MLKEM768X25519], which is the one to choose if nothing speaks against it,
// [hpke.MLKEM768P256], [hpke.MLKEM1024P384], [hpke.MLKEM768] and [hpke.MLKEM1024].
// Namespace and name follow the rules of [NewRawAES].
func NewHPKE(namespace, name string, public hpke.PublicKey, private hpke.PrivateKey) (*HPKE, error) {
	if err := checkRawName(namespace, name, hpkeSuiteLen); err != nil {
		return nil, err
	}
	var id uint16
	switch {
	case public == nil && private == nil:
		return nil, errors.New("keyring: an HPKE keyring without a public and a private key")
	case public == nil:
		id = private.KEM().ID()
	default:
		id = public.KEM().ID()
	}
	if public != nil && private != nil &&
		(private.KEM().ID() != id || !bytes.Equal(private.PublicKey().Bytes(), public.Bytes())) {
		return nil, errors.New("keyring: the HPKE public and private keys are not a pair")
	}
	kem := postQuantum(id)
	if kem == "" {
		return nil, fmt.Errorf("keyring: the HPKE keyring needs a KEM with ML-KEM, not 0x%04x", id)
	}
	info := []byte{hpkeVersion}
	for _, part := range []uint16{id, hpke.HKDFSHA384().ID(), hpke.AES256GCM().ID()} {
		info = binary.BigEndian.AppendUint16(info, part)
	}
	return &HPKE{namespace, name, kem, append(info, name...), public, private}, nil
}

// OnEncrypt generates the data key if m has none and wraps it. It fails if the keyring
// has no public key.
func (k *HPKE) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	if k.public == nil {
		return errors.New("keyring: this HPKE keyring has no public key to encrypt with")
	}
	wrap := func(_ context.Context, key []byte) (EncryptedDataKey, error) {
		bound := k.bound(m.SerializedContext())
		ciphertext, err := hpke.Seal(k.public, hpke.HKDFSHA384(), hpke.AES256GCM(), bound, key)
		if err != nil {
			return EncryptedDataKey{}, fmt.Errorf("keyring: HPKE: %w", err)
		}
		return EncryptedDataKey{Provider: k.namespace, Info: slices.Clone(k.info), Ciphertext: ciphertext}, nil
	}
	return Wrap(ctx, m, wrap, nil)
}

// OnDecrypt unwraps the first of keys that carries this keyring's namespace, suite and
// name and opens under its private key and m's encryption context. An attempt that
// fails has the error [ErrUnwrap]. It fails if the keyring has no private key.
func (k *HPKE) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error {
	if k.private == nil {
		return errors.New("keyring: this HPKE keyring has no private key to decrypt with")
	}
	match := func(e EncryptedDataKey) bool {
		return e.Provider == k.namespace && bytes.Equal(e.Info, k.info)
	}
	unwrap := func(_ context.Context, e EncryptedDataKey) ([]byte, error) {
		bound := k.bound(m.SerializedContext())
		key, err := hpke.Open(k.private, hpke.HKDFSHA384(), hpke.AES256GCM(), bound, e.Ciphertext)
		if err != nil {
			return nil, ErrUnwrap
		}
		return key, nil
	}
	return Unwrap(ctx, m, keys, match, unwrap)
}

// bound returns HPKE's info for a serialised encryption context.
func (k *HPKE) bound(context []byte) []byte {
	b := []byte("sealring/keyring/hpke\x00")
	b, _ = wire.AppendField16(b, k.namespace) // both were checked to fit
	b, _ = wire.AppendField16(b, k.info)
	return append(b, context...)
}

// Format prints the namespace, the name and the KEM only, whatever the verb.
func (k HPKE) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.HPKE{%q, %q, %s}", k.namespace, k.name, k.kem)
}
