package awskms_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/x509"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/keyring/keyringtest"
)

// grantToken is a token that no KMS knows; tokenless keeps it from the engine.
const grantToken = "a-grant-token-that-is-secret"

type tokenless struct{ awskms.ECDHAPI }

func (a tokenless) DeriveSharedSecret(ctx context.Context, in *sdk.DeriveSharedSecretInput, o ...func(*sdk.Options)) (*sdk.DeriveSharedSecretOutput, error) {
	sent := *in
	sent.GrantTokens = nil
	return a.ECDHAPI.DeriveSharedSecret(ctx, &sent, o...)
}

func (a tokenless) GetPublicKey(ctx context.Context, in *sdk.GetPublicKeyInput, o ...func(*sdk.Options)) (*sdk.GetPublicKeyOutput, error) {
	sent := *in
	sent.GrantTokens = nil
	return a.ECDHAPI.GetPublicKey(ctx, &sent, o...)
}

func TestECDHConformance(t *testing.T) {
	t.Parallel()
	o := &awskms.ECDHOptions{GrantTokens: []string{grantToken}}
	for _, c := range nist[:1] { // the kit alters a thousand times: TestECDHMessages has the others
		for name, decrypt := range map[string]func(t *testing.T, b party, a *ecdh.PublicKey) keyring.Keyring{
			"static": func(t *testing.T, b party, a *ecdh.PublicKey) keyring.Keyring {
				ring, err := awskms.NewECDH(t.Context(), tokenless{b.api}, b.arn, a, o)
				require.NoError(t, err)
				return ring
			},
			"discovery": func(t *testing.T, b party, _ *ecdh.PublicKey) keyring.Keyring {
				ring, err := awskms.NewECDHDiscovery(t.Context(), tokenless{b.api}, b.arn, o)
				require.NoError(t, err)
				return ring
			},
		} {
			t.Run(string(c.spec)+" "+name, func(t *testing.T) {
				t.Parallel()
				keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
					a, b, other := newParty(t, c.spec), newParty(t, c.spec), newParty(t, c.spec)
					encrypt, err := awskms.NewECDH(t.Context(), tokenless{a.api}, a.arn, b.public, o)
					require.NoError(t, err)
					failing := &agreeing{ECDHAPI: a.api}
					s := keyringtest.Subject{
						Encrypt: encrypt,
						Decrypt: decrypt(t, b, a.public),
						Foreign: a.with(t, other.public),
						Failing: party{failing, a.arn, a.public}.with(t, b.public),
						Secrets: [][]byte{[]byte(grantToken), a.secretWith(t, b.public)},
					}
					failing.derived = func(*sdk.DeriveSharedSecretOutput) (*sdk.DeriveSharedSecretOutput, error) { return nil, nil }
					return s
				})
			})
		}
	}
}

// secretWith returns what the party shares with peer.
func (p party) secretWith(t *testing.T, peer *ecdh.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(peer)
	require.NoError(t, err)
	out, err := p.api.ECDHAPI.DeriveSharedSecret(t.Context(), &sdk.DeriveSharedSecretInput{
		KeyId: &p.arn, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: der,
	})
	require.NoError(t, err)
	return out.SharedSecret
}

// Keys in KMS and keys in memory, on either side, in either direction.
func TestECDHMessages(t *testing.T) {
	t.Parallel()
	plaintext := bytes.Repeat([]byte("plaintext "), 1000)
	for _, c := range nist {
		t.Run(string(c.spec), func(t *testing.T) {
			t.Parallel()
			a, b := newParty(t, c.spec), newParty(t, c.spec)
			raw := newECDHKey(t, c.curve)
			ephemeral, err := keyring.NewRawECDHEphemeral(b.public)
			require.NoError(t, err)
			discovery, err := keyring.NewRawECDHDiscovery(raw)
			require.NoError(t, err)
			kms := []keyring.Keyring{b.with(t, a.public), a.with(t, b.public), b.withAnyone(t)}
			mixed := []keyring.Keyring{rawStatic(t, raw, a.public), a.with(t, raw.PublicKey())}
			for _, w := range []struct {
				name    string
				writer  keyring.Keyring
				readers []keyring.Keyring
				others  []keyring.Keyring
			}{
				{"KMS to KMS", a.with(t, b.public), kms, []keyring.Keyring{a.withAnyone(t), discovery}},
				{"KMS to memory", mixed[1], append(mixed, discovery), kms},
				{"memory to KMS", mixed[0], append(mixed, a.withAnyone(t)), kms},
				{"anyone to KMS", ephemeral, kms[2:], append(mixed, kms[:2]...)},
			} {
				for _, s := range keyring.Suites() {
					policy := keyring.ForbidEncryptAllowDecrypt
					if s.Committing() {
						policy = keyring.RequireEncryptRequireDecrypt
					}
					message, err := envelope.Encrypt(t.Context(), keyring.NewManager(w.writer), plaintext, &envelope.EncryptOptions{
						Suite: s, CommitmentPolicy: policy, Context: keyring.EncryptionContext{"tenant": "42"},
					})
					require.NoError(t, err)
					o := &envelope.DecryptOptions{CommitmentPolicy: keyring.RequireEncryptAllowDecrypt}
					for i, ring := range w.readers {
						got, _, err := envelope.Decrypt(t.Context(), keyring.NewManager(ring), message, o)
						require.NoError(t, err, "%s, %v, reader %d", w.name, s, i)
						require.Equal(t, plaintext, got)
					}
					for i, ring := range w.others {
						_, _, err := envelope.Decrypt(t.Context(), keyring.NewManager(ring), message, o)
						require.ErrorIs(t, err, keyring.ErrNoMatch, "%s, %v, other %d", w.name, s, i)
					}
				}
			}
		})
	}
}

func TestECDHRequests(t *testing.T) {
	t.Parallel()
	for _, c := range nist {
		a := newParty(t, c.spec)
		peer := newECDHKey(t, c.curve).PublicKey()
		der, err := x509.MarshalPKIXPublicKey(peer)
		require.NoError(t, err)
		ring := a.with(t, peer)
		m := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.NoError(t, ring.OnEncrypt(t.Context(), m))
		k := m.EncryptedDataKeys()[0]
		require.Equal(t, "aws-kms-ecdh", k.Provider)
		require.Len(t, k.Info, 9+2*(1+c.size))
		require.Len(t, k.Ciphertext, 112)
		require.NoError(t, ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{k}))
		derive := &sdk.DeriveSharedSecretInput{
			KeyId: &a.arn, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: der,
		}
		require.Equal(t, []any{&sdk.GetPublicKeyInput{KeyId: &a.arn}, derive, derive}, a.api.inputs())
	}
}

func TestECDHGrantTokens(t *testing.T) {
	t.Parallel()
	a := newParty(t, types.KeySpecEccNistP256)
	recorder := &agreeing{ECDHAPI: tokenless{a.api.ECDHAPI}}
	tokens := []string{grantToken}
	peer := newECDHKey(t, ecdh.P256()).PublicKey()
	ring, err := awskms.NewECDH(t.Context(), recorder, a.arn, peer, &awskms.ECDHOptions{GrantTokens: tokens})
	require.NoError(t, err)
	tokens[0] = "changed afterwards"
	require.NoError(t, ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256)))
	calls := recorder.inputs()
	require.Len(t, calls, 2)
	require.Equal(t, []string{grantToken}, calls[0].(*sdk.GetPublicKeyInput).GrantTokens)
	require.Equal(t, []string{grantToken}, calls[1].(*sdk.DeriveSharedSecretInput).GrantTokens)
}

// What is not for the key costs no call, and malformed info refuses the message.
func TestECDHAsksForItsOwnOnly(t *testing.T) {
	t.Parallel()
	a, b := newParty(t, types.KeySpecEccNistP256), newParty(t, types.KeySpecEccNistP256)
	static, discovery := b.with(t, a.public), b.withAnyone(t)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, a.with(t, newECDHKey(t, ecdh.P256()).PublicKey()).OnEncrypt(t.Context(), m))
	require.NoError(t, rawStatic(t, newECDHKey(t, ecdh.P521()), newECDHKey(t, ecdh.P521()).PublicKey()).OnEncrypt(t.Context(), m))
	require.NoError(t, a.with(t, b.public).OnEncrypt(t.Context(), m))
	keys := append([]keyring.EncryptedDataKey{{Provider: "aws-kms", Info: []byte("no ARN")}}, m.EncryptedDataKeys()...)
	for _, ring := range []keyring.Keyring{static, discovery} {
		before := len(b.api.inputs())
		require.NoError(t, ring.OnDecrypt(t.Context(), decryption(t, m), keys))
		require.Len(t, b.api.inputs()[before:], 1)
		require.ErrorIs(t, ring.OnDecrypt(t.Context(), decryption(t, m), keys[:3]), keyring.ErrNoMatch)
		require.Len(t, b.api.inputs()[before:], 1)
		for _, provider := range []string{"raw-ecdh", "aws-kms-ecdh"} {
			for _, info := range [][]byte{nil, []byte("garbage"), make([]byte, 75), make([]byte, 65535)} {
				d := decryption(t, m)
				bad := keyring.EncryptedDataKey{Provider: provider, Info: info}
				err := ring.OnDecrypt(t.Context(), d, append(keys[:4:4], bad))
				require.ErrorIs(t, err, keyring.ErrInfo)
				require.NotErrorIs(t, err, keyring.ErrNoMatch)
				require.False(t, d.HasDataKey())
			}
		}
		require.Len(t, b.api.inputs()[before:], 1)
	}
}

// A sender's point that is none fails its own encrypted data key, without a call.
func TestECDHDiscoverySenderIsNoPoint(t *testing.T) {
	t.Parallel()
	a, b := newParty(t, types.KeySpecEccNistP384), newParty(t, types.KeySpecEccNistP384)
	ring := b.withAnyone(t)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, a.with(t, b.public).OnEncrypt(t.Context(), m))
	good := m.EncryptedDataKeys()[0]
	before := len(b.api.inputs())
	for _, point := range [][]byte{make([]byte, 49), bytes.Repeat([]byte{255}, 49), append([]byte{4}, make([]byte, 48)...)} {
		bad := good.Clone()
		copy(bad.Info[58:], point)
		err := ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{bad})
		require.ErrorIs(t, err, keyring.ErrUnwrap)
		require.Len(t, b.api.inputs(), before)
		require.NoError(t, ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{bad, good}))
		before = len(b.api.inputs())
	}
}

func TestECDHDiscoveryDoesNotEncrypt(t *testing.T) {
	t.Parallel()
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	err := newParty(t, types.KeySpecEccNistP256).withAnyone(t).OnEncrypt(t.Context(), m)
	require.ErrorIs(t, err, awskms.ErrDecryptOnly)
	require.False(t, m.HasDataKey())
}

func TestECDHSecretsAreWiped(t *testing.T) {
	t.Parallel()
	a, b := newParty(t, types.KeySpecEccNistP256), newParty(t, types.KeySpecEccNistP256)
	ring, err := awskms.NewECDH(t.Context(), a.api, a.arn, b.public, &awskms.ECDHOptions{PublicKey: a.public})
	require.NoError(t, err)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	require.NoError(t, ring.OnDecrypt(t.Context(), decryption(t, m), m.EncryptedDataKeys()))
	a.api.derived = func(o *sdk.DeriveSharedSecretOutput) (*sdk.DeriveSharedSecretOutput, error) {
		o.KeyId = ptr(otherARN)
		return o, nil
	}
	require.ErrorIs(t, ring.OnDecrypt(t.Context(), decryption(t, m), m.EncryptedDataKeys()), awskms.ErrResponse)
	require.Len(t, a.api.secrets, 4)
	for _, secret := range a.api.secrets {
		require.Equal(t, make([]byte, 32), secret)
	}
}

// A KMS that cancels the caller's context in the middle of a call stands for a
// caller who gives up.
func TestECDHCancellation(t *testing.T) {
	t.Parallel()
	a, b := newParty(t, types.KeySpecEccNistP256), newParty(t, types.KeySpecEccNistP256)
	ring := a.with(t, b.public)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	ctx, cancel := context.WithCancel(t.Context())
	a.api.derived = func(*sdk.DeriveSharedSecretOutput) (*sdk.DeriveSharedSecretOutput, error) {
		cancel()
		return nil, ctx.Err()
	}
	before := len(a.api.inputs())
	err := ring.OnDecrypt(ctx, decryption(t, m), m.EncryptedDataKeys())
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, keyring.ErrNoMatch)
	require.Len(t, a.api.inputs()[before:], 1)
	_, err = awskms.NewECDH(ctx, a.api, a.arn, b.public, nil)
	require.ErrorIs(t, err, context.Canceled)
}
