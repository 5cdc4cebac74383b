package tinkkms_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/sealring/sealring/tinkkms"
)

func TestKeysetsAreWrapped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wrap := s.aead(t, s.orders, nil)
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	primitive, err := aead.New(handle)
	require.NoError(t, err)
	ciphertext, err := primitive.Encrypt([]byte("plaintext"), nil)
	require.NoError(t, err)

	var stored bytes.Buffer
	require.NoError(t, handle.WriteWithContext(t.Context(), keyset.NewJSONWriter(&stored), wrap, []byte("orders")))
	reader := func() keyset.Reader { return keyset.NewJSONReader(bytes.NewReader(stored.Bytes())) }

	read, err := keyset.ReadWithContext(t.Context(), reader(), wrap, []byte("orders"))
	require.NoError(t, err)
	primitive, err = aead.New(read)
	require.NoError(t, err)
	plaintext, err := primitive.Decrypt(ciphertext, nil)
	require.NoError(t, err)
	require.Equal(t, "plaintext", string(plaintext))

	_, err = keyset.ReadWithAssociatedData(reader(), wrap, []byte("orders"))
	require.NoError(t, err)
	_, err = keyset.ReadWithContext(t.Context(), reader(), wrap, []byte("users"))
	require.Error(t, err)
	_, err = keyset.Read(reader(), wrap)
	require.Error(t, err)
	_, err = keyset.ReadWithContext(t.Context(), reader(), s.aead(t, s.users, nil), []byte("orders"))
	require.Error(t, err)
}

func TestEnvelopeAEAD(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	envelope, err := aead.NewKMSEnvelopeAEADWithContext(aead.AES256GCMKeyTemplate(), s.aead(t, s.orders, nil))
	require.NoError(t, err)
	plaintext := random(100_000) // more than KMS takes
	ciphertext, err := envelope.EncryptWithContext(t.Context(), plaintext, []byte("associated"))
	require.NoError(t, err)
	got, err := envelope.DecryptWithContext(t.Context(), ciphertext, []byte("associated"))
	require.NoError(t, err)
	require.Equal(t, plaintext, got)

	_, err = envelope.DecryptWithContext(t.Context(), ciphertext, []byte("other"))
	require.Error(t, err)
	other, err := aead.NewKMSEnvelopeAEADWithContext(aead.AES256GCMKeyTemplate(), s.aead(t, s.users, nil))
	require.NoError(t, err)
	_, err = other.DecryptWithContext(t.Context(), ciphertext, []byte("associated"))
	require.Error(t, err)

	plain := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), s.aead(t, s.orders, nil))
	got, err = plain.Decrypt(ciphertext, []byte("associated"))
	require.NoError(t, err)
	require.Equal(t, plaintext, got)
}

// Tink finds the client by the key URI inside of a keyset, if it is registered.
func TestRegistry(t *testing.T) { // not parallel: the registry is global
	s := newSite(t)
	client, err := tinkkms.NewClient(s, scheme+s.orders, nil)
	require.NoError(t, err)
	registry.RegisterKMSClient(client)
	t.Cleanup(registry.ClearKMSClients)

	template, err := aead.CreateKMSEnvelopeAEADKeyTemplate(scheme+s.orders, aead.AES128GCMKeyTemplate())
	require.NoError(t, err)
	handle, err := keyset.NewHandle(template)
	require.NoError(t, err)
	primitive, err := aead.New(handle)
	require.NoError(t, err)
	ciphertext, err := primitive.Encrypt([]byte("plaintext"), []byte("associated"))
	require.NoError(t, err)
	require.Len(t, s.encrypts, 1)
	got, err := primitive.Decrypt(ciphertext, []byte("associated"))
	require.NoError(t, err)
	require.Equal(t, "plaintext", string(got))

	template, err = aead.CreateKMSEnvelopeAEADKeyTemplate(scheme+s.users, aead.AES128GCMKeyTemplate())
	require.NoError(t, err)
	handle, err = keyset.NewHandle(template)
	require.NoError(t, err)
	_, err = aead.New(handle)
	require.Error(t, err, "no client for the other key")
}
