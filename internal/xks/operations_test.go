package xks_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
)

// newProxy returns a proxy that has a key by the name of "key", and its client.
func newProxy() (*xkstest.Proxy, *xks.Proxy) {
	proxy := xkstest.New()
	proxy.AddKey("key")
	return proxy, proxy.Client()
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		states    []string
		available bool
	}{
		{[]string{xks.Active}, true},
		{[]string{xks.Degraded}, true},
		{[]string{xks.Unavailable}, false},
		{[]string{xks.Unavailable, xks.Unavailable, xks.Degraded}, true},
		{strings.Split(strings.Repeat(xks.Unavailable+" ", 9)+xks.Active, " "), true},
	} {
		proxy, client := newProxy()
		proxy.SetManagers(c.states...)
		h, err := client.Health(t.Context(), exampleCall)
		require.NoError(t, err)
		require.Len(t, h.Managers, len(c.states))
		for i, m := range h.Managers {
			require.Equal(t, c.states[i], m.Status)
		}
		require.Equal(t, c.available, h.Available(), c.states)
	}
}

func TestHealthOfTooManyManagers(t *testing.T) {
	t.Parallel()
	for _, states := range [][]string{nil, strings.Fields(strings.Repeat(xks.Active+" ", 11)), {"BORED"}} {
		proxy, client := newProxy()
		proxy.SetManagers(states...)
		_, err := client.Health(t.Context(), exampleCall)
		require.ErrorIs(t, err, xks.ErrInvalidResponse)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	proxy, client := newProxy()
	for _, want := range []xks.Metadata{
		{Spec: xks.AES256, Usage: []string{xks.UsageEncrypt, xks.UsageDecrypt}, Status: xks.Enabled},
		{Spec: "RSA_2048", Usage: []string{"SIGN", "VERIFY"}, Status: xks.Disabled},
		{Spec: "X", Usage: []string{}, Status: xks.Enabled},
		{Spec: strings.Repeat("S", 128), Usage: strings.Fields("a b c d e f g h i j"), Status: xks.Enabled},
	} {
		proxy.SetKey("key", want)
		got, err := client.Metadata(t.Context(), "key", exampleCall)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, m := range []xks.Metadata{
		{Usage: []string{"SIGN"}, Status: xks.Enabled},
		{Spec: strings.Repeat("S", 129), Usage: []string{"SIGN"}, Status: xks.Enabled},
		{Spec: "AES\n256", Usage: []string{"SIGN"}, Status: xks.Enabled},
		{Spec: xks.AES256, Status: xks.Enabled}, // null
		{Spec: xks.AES256, Usage: []string{""}, Status: xks.Enabled},
		{Spec: xks.AES256, Usage: []string{"É"}, Status: xks.Enabled},
		{Spec: xks.AES256, Usage: strings.Fields("a b c d e f g h i j k"), Status: xks.Enabled},
		{Spec: xks.AES256, Usage: []string{"SIGN"}, Status: "enabled"},
	} {
		proxy.SetKey("key", m)
		_, err := client.Metadata(t.Context(), "key", exampleCall)
		require.ErrorIs(t, err, xks.ErrInvalidResponse, "%+v", m)
	}
}

func TestEncryptDecrypt(t *testing.T) {
	t.Parallel()
	for _, ivSize := range []int{12, 16} {
		proxy, client := newProxy()
		proxy.IVSize = ivSize
		for _, size := range []int{1, 2, 15, 16, 17, 32, 1000, 4096, xks.MaxPlaintext} {
			for _, aadSize := range []int{0, 1, 33, 255, 256, xks.MaxAAD} {
				plaintext, aad := bytes.Repeat([]byte{0xff}, size), bytes.Repeat([]byte{'a'}, aadSize)
				blob, err := client.Encrypt(t.Context(), "key", plaintext, aad, exampleCall)
				require.NoError(t, err)
				require.LessOrEqual(t, len(blob), size+xks.MaxOverhead)
				got, err := client.Decrypt(t.Context(), "key", blob, aad, exampleCall)
				require.NoError(t, err)
				require.Equal(t, plaintext, got)
			}
		}
	}
}

func TestDecryptAfterRotation(t *testing.T) {
	t.Parallel()
	proxy, client := newProxy()
	var blobs [][]byte
	for range 3 {
		blob, err := client.Encrypt(t.Context(), "key", []byte(exampleText), nil, exampleCall)
		require.NoError(t, err)
		blobs = append(blobs, blob)
		proxy.RotateKey("key")
	}
	for _, blob := range blobs {
		got, err := client.Decrypt(t.Context(), "key", blob, nil, exampleCall)
		require.NoError(t, err)
		require.Equal(t, exampleText, string(got))
	}
}

// requireInvalidCiphertext checks that the blob was refused, here or by the proxy.
func requireInvalidCiphertext(t *testing.T, err error, about ...any) {
	t.Helper()
	var e *xks.Error
	if errors.As(err, &e) {
		require.Equal(t, xks.InvalidCiphertextException, e.Name, about...)
		return
	}
	require.ErrorIs(t, err, xks.ErrInvalidBlob, about...)
}

func TestDecryptRefusesWhatWasNotEncrypted(t *testing.T) {
	t.Parallel()
	proxy, client := newProxy()
	proxy.AddKey("other")
	aad := []byte("aad")
	blob, err := client.Encrypt(t.Context(), "key", []byte(exampleText), aad, exampleCall)
	require.NoError(t, err)
	decrypt := func(key string, blob, aad []byte) error {
		_, err := client.Decrypt(t.Context(), key, blob, aad, exampleCall)
		return err
	}
	require.NoError(t, decrypt("key", blob, aad))
	requireInvalidCiphertext(t, decrypt("other", blob, aad))
	requireInvalidCiphertext(t, decrypt("key", blob, nil))
	requireInvalidCiphertext(t, decrypt("key", blob, []byte("aae")))
	for i := range len(blob) * 8 {
		flipped := bytes.Clone(blob)
		flipped[i/8] ^= 1 << (i % 8)
		requireInvalidCiphertext(t, decrypt("key", flipped, aad), "bit %d", i)
	}
	for n := range blob {
		requireInvalidCiphertext(t, decrypt("key", blob[:n], aad), "%d bytes", n)
		requireInvalidCiphertext(t, decrypt("key", blob[n+1:], aad), "without the first %d bytes", n+1)
	}
	requireInvalidCiphertext(t, decrypt("key", append(bytes.Clone(blob), 0), aad))
}

// Metadata must not pass for additional data, nor the other way round.
func TestMetadataOfCiphertextIsNotAdditionalData(t *testing.T) {
	t.Parallel()
	_, client := newProxy()
	blob, err := client.Encrypt(t.Context(), "key", []byte(exampleText), nil, exampleCall)
	require.NoError(t, err)
	size := int(blob[1])
	require.Positive(t, size)
	metadata := blob[2 : 2+size]
	without := append([]byte{1, 0}, blob[2+size:]...)
	_, err = client.Decrypt(t.Context(), "key", without, metadata, exampleCall)
	requireInvalidCiphertext(t, err)
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	both := []string{xks.UsageEncrypt, xks.UsageDecrypt}
	for _, c := range []struct {
		m                xks.Metadata
		encrypt, decrypt string
	}{
		{xks.Metadata{Spec: xks.AES256, Usage: both, Status: xks.Disabled}, xks.InvalidStateException, xks.InvalidStateException},
		{xks.Metadata{Spec: "AES_128", Usage: both, Status: xks.Enabled}, xks.InvalidKeyUsageException, xks.InvalidKeyUsageException},
		{xks.Metadata{Spec: xks.AES256, Usage: both[:1], Status: xks.Enabled}, "", xks.InvalidKeyUsageException},
		{xks.Metadata{Spec: xks.AES256, Usage: both[1:], Status: xks.Enabled}, xks.InvalidKeyUsageException, ""},
	} {
		proxy, client := newProxy()
		blob, err := client.Encrypt(t.Context(), "key", []byte(exampleText), nil, exampleCall)
		require.NoError(t, err)
		proxy.SetKey("key", c.m)
		_, err = client.Encrypt(t.Context(), "key", []byte(exampleText), nil, exampleCall)
		requireName(t, err, c.encrypt)
		_, err = client.Decrypt(t.Context(), "key", blob, nil, exampleCall)
		requireName(t, err, c.decrypt)
	}
}

// requireName checks for an *Error with the name, or for none if it is empty.
func requireName(t *testing.T, err error, name string) {
	t.Helper()
	if name == "" {
		require.NoError(t, err)
		return
	}
	var e *xks.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, name, e.Name)
	require.Equal(t, xks.Status(name), e.Status)
}

func TestKeysThatAreNotThere(t *testing.T) {
	t.Parallel()
	proxy, client := newProxy()
	proxy.RemoveKey("key")
	for name, run := range operations {
		if name == "health" {
			require.NoError(t, run(t.Context(), client, exampleCall))
			continue
		}
		requireName(t, run(t.Context(), client, exampleCall), xks.KeyNotFoundException)
	}
}
