package awskms_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms/kmstest"
)

func TestNewECDHRefuses(t *testing.T) {
	t.Parallel()
	a := newParty(t, types.KeySpecEccNistP256)
	peer := newECDHKey(t, ecdh.P256()).PublicKey()
	for _, c := range []struct {
		what string
		api  awskms.ECDHAPI
		key  string
		peer *ecdh.PublicKey
		o    *awskms.ECDHOptions
	}{
		{"no API", nil, a.arn, peer, nil},
		{"no peer", a.api, a.arn, nil, nil},
		{"a peer on another curve", a.api, a.arn, newECDHKey(t, ecdh.P384()).PublicKey(), nil},
		{"a peer on X25519", a.api, a.arn, newECDHKey(t, ecdh.X25519()).PublicKey(), nil},
		{"another's public key", a.api, a.arn, peer, &awskms.ECDHOptions{PublicKey: peer}},
		{"a public key on X25519", a.api, a.arn, peer, &awskms.ECDHOptions{PublicKey: newECDHKey(t, ecdh.X25519()).PublicKey()}},
	} {
		ring, err := awskms.NewECDH(t.Context(), c.api, c.key, c.peer, c.o)
		require.ErrorContains(t, err, "awskms: ", c.what)
		require.Nil(t, ring, c.what)
		if c.what == "no peer" || strings.HasPrefix(c.what, "a peer") {
			continue // discovery has none
		}
		discovery, err := awskms.NewECDHDiscovery(t.Context(), c.api, c.key, c.o)
		require.ErrorContains(t, err, "awskms: ", c.what)
		require.Nil(t, discovery, c.what)
	}
	for _, key := range []string{"", "alias/", "key/1234", "arn:aws:s3:eu-west-1:111122223333:key/x"} {
		_, err := awskms.NewECDH(t.Context(), a.api, key, peer, nil)
		require.ErrorIs(t, err, awskms.ErrKeyID, key)
		_, err = awskms.NewECDHDiscovery(t.Context(), a.api, key, nil)
		require.ErrorIs(t, err, awskms.ErrKeyID, key)
	}
	var notFound *types.NotFoundException
	_, err := awskms.NewECDHDiscovery(t.Context(), a.api, otherARN, nil)
	require.ErrorAs(t, err, &notFound)
}

func TestECDHKeyOfAnotherKind(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	for _, c := range []struct {
		spec  types.KeySpec
		usage types.KeyUsageType
	}{
		{types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify},
		{types.KeySpecEccSecgP256k1, types.KeyUsageTypeSignVerify},
		{types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt},
	} {
		arn, _ := newKey(t, cloud, c.spec, c.usage)
		_, err := awskms.NewECDHDiscovery(t.Context(), cloud.SDK(), arn, nil)
		require.ErrorContains(t, err, "not for key agreement", c.spec)
		// Nor does a public key from elsewhere make it one.
		_, err = awskms.NewECDHDiscovery(t.Context(), cloud.SDK(), arn,
			&awskms.ECDHOptions{PublicKey: newECDHKey(t, ecdh.P256()).PublicKey()})
		require.ErrorContains(t, err, "DeriveSharedSecret", c.spec)
	}
}

// Every name of a key gives the same keyring, with the public key at hand or without.
func TestECDHKeyNames(t *testing.T) {
	t.Parallel()
	a := newParty(t, types.KeySpecEccNistP256)
	client := a.api.ECDHAPI.(interface {
		CreateAlias(ctx context.Context, in *sdk.CreateAliasInput, o ...func(*sdk.Options)) (*sdk.CreateAliasOutput, error)
	})
	_, err := client.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: ptr("alias/fleet"), TargetKeyId: &a.arn})
	require.NoError(t, err)
	prefix, id, _ := strings.Cut(a.arn, "key/")
	peer := newECDHKey(t, ecdh.P256())
	reader := rawStatic(t, peer, a.public)
	for _, name := range []string{a.arn, id, "alias/fleet", prefix + "alias/fleet"} {
		for _, public := range []*ecdh.PublicKey{nil, a.public} {
			before := len(a.api.inputs())
			ring, err := awskms.NewECDH(t.Context(), a.api, name, peer.PublicKey(), &awskms.ECDHOptions{PublicKey: public})
			require.NoError(t, err, name)
			require.Len(t, a.api.inputs()[before:], 1)
			m := encryption(t, keyring.AES256GCMHKDFSHA256)
			require.NoError(t, ring.OnEncrypt(t.Context(), m))
			require.NoError(t, reader.OnDecrypt(t.Context(), decryption(t, m), m.EncryptedDataKeys()))
			calls := a.api.inputs()
			require.Equal(t, a.arn, *calls[len(calls)-1].(*sdk.DeriveSharedSecretInput).KeyId, "the name was resolved once")
			require.Equal(t, fmt.Sprintf("awskms.ECDH{%q, P-256, %x}", a.arn, m.EncryptedDataKeys()[0].Info[5:38]), fmt.Sprintf("%#v", ring))
		}
	}
}

// An alias that moves to another key must not make the keyring wrap data keys under
// that key's secret while it writes the first one's public key.
func TestECDHAliasThatMoves(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	first, _ := newKey(t, cloud, types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	second, _ := newKey(t, cloud, types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	client := cloud.SDK()
	_, err := client.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: ptr("alias/fleet"), TargetKeyId: &first})
	require.NoError(t, err)
	peer := newECDHKey(t, ecdh.P256())
	ring, err := awskms.NewECDH(t.Context(), client, "alias/fleet", peer.PublicKey(), nil)
	require.NoError(t, err)
	_, err = client.UpdateAlias(t.Context(), &sdk.UpdateAliasInput{AliasName: ptr("alias/fleet"), TargetKeyId: &second})
	require.NoError(t, err)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	reader, err := keyring.NewRawECDHDiscovery(peer)
	require.NoError(t, err)
	require.NoError(t, reader.OnDecrypt(t.Context(), decryption(t, m), m.EncryptedDataKeys()))
}

func TestGetPublicKeyResponsesAreChecked(t *testing.T) {
	t.Parallel()
	a := newParty(t, types.KeySpecEccNistP256)
	x, err := x509.MarshalPKIXPublicKey(newECDHKey(t, ecdh.X25519()).PublicKey())
	require.NoError(t, err)
	type output = sdk.GetPublicKeyOutput
	for _, c := range []struct {
		name   string
		change func(*output) *output
	}{
		{"none", func(*output) *output { return nil }},
		{"empty", func(*output) *output { return &output{} }},
		{"no key id", func(o *output) *output { o.KeyId = nil; return o }},
		{"an alias", func(o *output) *output { o.KeyId = ptr(aliasARN); return o }},
		{"another key", func(o *output) *output { o.KeyId = ptr(otherARN); return o }},
		{"no public key", func(o *output) *output { o.PublicKey = nil; return o }},
		{"a cut public key", func(o *output) *output { o.PublicKey = o.PublicKey[:90]; return o }},
		{"a point off the curve", func(o *output) *output { o.PublicKey[90] ^= 1; return o }},
		{"a key of another curve", func(o *output) *output { o.PublicKey = x; return o }},
		// 1.2.156.10197.1.301 is SM2, 1.2.840.10045.3.1.7 P-256.
		{"SM2", func(o *output) *output {
			p256, sm2 := []byte("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), []byte("\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d")
			o.KeySpec, o.PublicKey = types.KeySpecSm2, bytes.Replace(o.PublicKey, p256, sm2, 1)
			return o
		}},
	} {
		a.api.fetched = func(o *output) (*output, error) { return c.change(o), nil }
		_, err := awskms.NewECDH(t.Context(), a.api, a.arn, newECDHKey(t, ecdh.P256()).PublicKey(), nil)
		require.ErrorIs(t, err, awskms.ErrResponse, c.name)
		_, err = awskms.NewECDHDiscovery(t.Context(), a.api, a.arn, nil)
		require.ErrorIs(t, err, awskms.ErrResponse, c.name)
	}
}

// A bad response fails the encryption, a decryption's attempt, and the proof of a
// public key.
func TestDeriveSharedSecretResponsesAreChecked(t *testing.T) {
	t.Parallel()
	a := newParty(t, types.KeySpecEccNistP256)
	peer := newECDHKey(t, ecdh.P256()).PublicKey()
	ring := a.with(t, peer)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	keys := m.EncryptedDataKeys()
	type output = sdk.DeriveSharedSecretOutput
	for _, c := range []struct {
		name   string
		change func(*output) *output
	}{
		{"none", func(*output) *output { return nil }},
		{"empty", func(*output) *output { return &output{} }},
		{"no key id", func(o *output) *output { o.KeyId = nil; return o }},
		{"an alias", func(o *output) *output { o.KeyId = ptr(aliasARN); return o }},
		{"another key", func(o *output) *output { o.KeyId = ptr(otherARN); return o }},
		{"no algorithm", func(o *output) *output { o.KeyAgreementAlgorithm = ""; return o }},
		{"no secret", func(o *output) *output { o.SharedSecret = nil; return o }},
		{"a short secret", func(o *output) *output { o.SharedSecret = o.SharedSecret[1:]; return o }},
		{"a long secret", func(o *output) *output { o.SharedSecret = make([]byte, 33); return o }},
	} {
		a.api.derived = func(o *output) (*output, error) { return c.change(o), nil }
		e := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.ErrorIs(t, ring.OnEncrypt(t.Context(), e), awskms.ErrResponse, c.name)
		require.False(t, e.HasDataKey(), c.name)
		d := decryption(t, m)
		err := ring.OnDecrypt(t.Context(), d, keys)
		require.ErrorIs(t, err, keyring.ErrNoMatch, c.name)
		require.ErrorIs(t, err, awskms.ErrResponse, c.name)
		require.False(t, d.HasDataKey(), c.name)
		_, err = awskms.NewECDH(t.Context(), a.api, a.arn, peer, &awskms.ECDHOptions{PublicKey: a.public})
		require.ErrorIs(t, err, awskms.ErrResponse, c.name)

		calls := 0
		a.api.derived = func(o *output) (*output, error) {
			if calls++; calls == 1 {
				return c.change(o), nil
			}
			return o, nil
		}
		require.NoError(t, ring.OnDecrypt(t.Context(), d, append(keys, keys...)), c.name)
		require.Equal(t, m.DataKey(), d.DataKey())
		a.api.derived = nil
	}
}

func TestECDHErrorsOfKMSStayReachable(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	arn, _ := newKey(t, cloud, types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	peer := newECDHKey(t, ecdh.P256()).PublicKey()
	ring, err := awskms.NewECDH(t.Context(), cloud.SDK(), arn, peer, nil)
	require.NoError(t, err)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))

	_, err = cloud.SDK().DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	var disabled *types.DisabledException
	require.ErrorAs(t, ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256)), &disabled)
	disabled = nil
	err = ring.OnDecrypt(t.Context(), decryption(t, m), m.EncryptedDataKeys())
	require.ErrorIs(t, err, keyring.ErrNoMatch)
	require.ErrorAs(t, err, &disabled)
}
