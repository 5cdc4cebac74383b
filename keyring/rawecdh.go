package keyring

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/sealring/sealring/internal/ecdhwrap"
)

// ErrInfo is returned by OnDecrypt of ECDH keyrings when an encrypted data key of an
// ECDH provider has info that cannot be parsed: the specification wants the whole
// message refused.
var ErrInfo = errors.New("keyring: malformed provider info")

// RawECDHStatic wraps data keys under the secret on which two long-lived keys agree,
// one's own and another party's (Encryption SDK framework, "Raw ECDH keyring", schema
// RawPrivateKeyToStaticPublicKey). It binds the encryption context. Its encrypted
// data keys have the provider "raw-ecdh" and the public keys of both parties as
// info: anyone can read in a message who it is from and to.
//
// It opens what either of the two parties has written for the other, with a raw ECDH
// keyring or with one of AWS KMS. Since the secret is the same in both directions, a
// message does not prove which of the two wrote it, and whoever gets hold of either
// private key can read all messages, old ones too.
//
// A RawECDHStatic is safe for concurrent use.
type RawECDHStatic struct {
	curve     *ecdhwrap.Curve
	own, peer []byte // compressed points
	secret    []byte // what the two agree on; never changed
}

// RawECDHEphemeral wraps data keys for a public key, each under the secret of a key
// pair that is made for it and forgotten (Encryption SDK framework, "Raw ECDH
// keyring", schema EphemeralPrivateKeyToStaticPublicKey). It encrypts only; the
// recipient decrypts with a [RawECDHDiscovery]. It binds the encryption context. Its
// encrypted data keys have the provider "raw-ecdh" and the public keys of both
// parties as info.
//
// Anyone who has the public key can write such messages: they do not say where they
// come from. A RawECDHEphemeral is safe for concurrent use.
type RawECDHEphemeral struct {
	curve     *ecdhwrap.Curve
	recipient *ecdh.PublicKey
}

// RawECDHDiscovery unwraps data keys that were wrapped for its public key, whoever
// has written them (Encryption SDK framework, "Raw ECDH keyring", schema
// PublicKeyDiscovery). It decrypts only. It reads what raw ECDH keyrings and those of
// AWS KMS have written, with ephemeral keys and with long-lived ones.
//
// A message that it opens was written by someone who has the public key: it does not
// say by whom, whatever stands in it as the sender's key. To take messages of one
// sender only, use a [RawECDHStatic]. A RawECDHDiscovery is safe for concurrent use.
type RawECDHDiscovery struct {
	curve   *ecdhwrap.Curve
	own     []byte // compressed point
	private *ecdh.PrivateKey
}

var _, _, _ Keyring = (*RawECDHStatic)(nil), (*RawECDHEphemeral)(nil), (*RawECDHDiscovery)(nil)

// NewRawECDHStatic returns a keyring for the messages between the owner of private and
// the owner of peer. Both keys are on the same curve, P-256, P-384 or P-521. The
// other party makes a keyring of its private key and private's public key. The
// private key itself is not kept.
func NewRawECDHStatic(private *ecdh.PrivateKey, peer *ecdh.PublicKey) (*RawECDHStatic, error) {
	if private == nil || peer == nil {
		return nil, errors.New("keyring: a static ECDH keyring without a private key or a peer")
	}
	curve, err := ecdhCurve(peer.Curve())
	if err != nil {
		return nil, err
	}
	secret, err := private.ECDH(peer)
	if err != nil {
		return nil, errors.New("keyring: the ECDH keys are on different curves")
	}
	return &RawECDHStatic{curve, ecdhwrap.Compress(private.PublicKey()), ecdhwrap.Compress(peer), secret}, nil
}

// NewRawECDHEphemeral returns a keyring that encrypts for the owner of recipient, a
// key on P-256, P-384 or P-521.
func NewRawECDHEphemeral(recipient *ecdh.PublicKey) (*RawECDHEphemeral, error) {
	if recipient == nil {
		return nil, errors.New("keyring: an ephemeral ECDH keyring without a recipient")
	}
	curve, err := ecdhCurve(recipient.Curve())
	if err != nil {
		return nil, err
	}
	return &RawECDHEphemeral{curve, recipient}, nil
}

// NewRawECDHDiscovery returns a keyring that decrypts what was encrypted for private's
// public key, on P-256, P-384 or P-521. The private key is kept.
func NewRawECDHDiscovery(private *ecdh.PrivateKey) (*RawECDHDiscovery, error) {
	if private == nil {
		return nil, errors.New("keyring: an ECDH discovery keyring without a private key")
	}
	curve, err := ecdhCurve(private.Curve())
	if err != nil {
		return nil, err
	}
	return &RawECDHDiscovery{curve, ecdhwrap.Compress(private.PublicKey()), private}, nil
}

func ecdhCurve(c ecdh.Curve) (*ecdhwrap.Curve, error) {
	if curve := ecdhwrap.CurveOf(c); curve != nil {
		return curve, nil
	}
	return nil, fmt.Errorf("keyring: the curve %v is not for ECDH keyrings, P-256, P-384 and P-521 are", c)
}

// OnEncrypt generates the data key if m has none and wraps it for the peer.
func (k *RawECDHStatic) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	wrap := func(_ context.Context, key []byte) (EncryptedDataKey, error) {
		info := ecdhwrap.Info{Recipient: k.peer, Sender: k.own}
		return wrapECDH(k.curve, info, k.secret, m, key)
	}
	return Wrap(ctx, m, wrap, nil)
}

// OnDecrypt unwraps the first of keys that is between the two parties, in either
// direction, and opens under m's encryption context. An attempt that fails has the
// error [ErrUnwrap]. The error is [ErrInfo] if any of keys has an ECDH provider and
// malformed info.
func (k *RawECDHStatic) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error {
	match := func(i ecdhwrap.Info) bool { return i.Between(k.own, k.peer) }
	unwrap := func(i ecdhwrap.Info, ciphertext []byte) ([]byte, error) {
		return ecdhwrap.Unwrap(k.curve, i, k.secret, m.SerializedContext(), ciphertext)
	}
	return unwrapECDH(ctx, m, keys, match, unwrap)
}

// OnEncrypt generates the data key if m has none, and wraps it for the recipient
// under the secret of a new key pair.
func (k *RawECDHEphemeral) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	wrap := func(_ context.Context, key []byte) (EncryptedDataKey, error) {
		ephemeral, err := k.recipient.Curve().GenerateKey(rand.Reader)
		if err != nil {
			return EncryptedDataKey{}, fmt.Errorf("keyring: generating an ephemeral key: %w", err)
		}
		secret, err := ephemeral.ECDH(k.recipient)
		if err != nil {
			return EncryptedDataKey{}, fmt.Errorf("keyring: ECDH: %w", err)
		}
		defer clear(secret)
		info := ecdhwrap.Info{
			Recipient: ecdhwrap.Compress(k.recipient), Sender: ecdhwrap.Compress(ephemeral.PublicKey()),
		}
		return wrapECDH(k.curve, info, secret, m, key)
	}
	return Wrap(ctx, m, wrap, nil)
}

// OnDecrypt always fails: the private key is the recipient's.
func (k *RawECDHEphemeral) OnDecrypt(context.Context, *DecryptionMaterials, []EncryptedDataKey) error {
	return errors.New("keyring: this ephemeral ECDH keyring has no private key to decrypt with")
}

// OnEncrypt always fails: there is no recipient.
func (k *RawECDHDiscovery) OnEncrypt(context.Context, *EncryptionMaterials) error {
	return errors.New("keyring: this ECDH discovery keyring has no recipient to encrypt for")
}

// OnDecrypt unwraps the first of keys that is for this keyring's public key and opens
// under m's encryption context. An attempt that fails has the error [ErrUnwrap]. The
// error is [ErrInfo] if any of keys has an ECDH provider and malformed info.
func (k *RawECDHDiscovery) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error {
	match := func(i ecdhwrap.Info) bool { return bytes.Equal(i.Recipient, k.own) }
	unwrap := func(i ecdhwrap.Info, ciphertext []byte) ([]byte, error) {
		sender, err := k.curve.Decompress(i.Sender)
		if err != nil {
			return nil, err
		}
		secret, err := k.private.ECDH(sender)
		if err != nil {
			return nil, err
		}
		defer clear(secret)
		return ecdhwrap.Unwrap(k.curve, i, secret, m.SerializedContext(), ciphertext)
	}
	return unwrapECDH(ctx, m, keys, match, unwrap)
}

func wrapECDH(c *ecdhwrap.Curve, i ecdhwrap.Info, secret []byte, m *EncryptionMaterials, key []byte) (EncryptedDataKey, error) {
	ciphertext, err := ecdhwrap.Wrap(c, i, secret, m.SerializedContext(), key)
	if err != nil {
		return EncryptedDataKey{}, fmt.Errorf("keyring: %w", err)
	}
	return EncryptedDataKey{Provider: ecdhwrap.ProviderRaw, Info: i.Bytes(), Ciphertext: ciphertext}, nil
}

// unwrapECDH is the common body of OnDecrypt: it refuses malformed info, and hands
// unwrap the keys of ECDH providers whose info match admits.
func unwrapECDH(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey,
	match func(ecdhwrap.Info) bool, unwrap func(ecdhwrap.Info, []byte) ([]byte, error)) error {
	var ours []EncryptedDataKey
	for n, e := range keys {
		if !ecdhwrap.IsProvider(e.Provider) {
			continue
		}
		info, err := ecdhwrap.ParseInfo(e.Info)
		if err != nil {
			return fmt.Errorf("%w: %.200q, of encrypted data key %d", ErrInfo, e.Info, n)
		}
		if match(info) {
			ours = append(ours, e)
		}
	}
	every := func(EncryptedDataKey) bool { return true }
	return Unwrap(ctx, m, ours, every, func(_ context.Context, e EncryptedDataKey) ([]byte, error) {
		info, err := ecdhwrap.ParseInfo(e.Info)
		if err != nil {
			return nil, ErrUnwrap
		}
		key, err := unwrap(info, e.Ciphertext)
		if err != nil {
			return nil, ErrUnwrap
		}
		return key, nil
	})
}

// Format prints the curve and the public keys only, whatever the verb.
func (k RawECDHStatic) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.RawECDHStatic{%v, %x, %x}", k.curve, k.own, k.peer)
}

// Format prints the curve and the public key, whatever the verb.
func (k RawECDHEphemeral) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.RawECDHEphemeral{%v, %x}", k.curve, ecdhwrap.Compress(k.recipient))
}

// Format prints the curve and the public key only, whatever the verb.
func (k RawECDHDiscovery) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.RawECDHDiscovery{%v, %x}", k.curve, k.own)
}
