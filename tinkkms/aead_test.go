package tinkkms_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/tinkkms"
)

// recorder keeps the inputs of a KMS, and changes its outputs.
type recorder struct {
	tinkkms.API
	encrypts  []*kms.EncryptInput
	decrypts  []*kms.DecryptInput
	encrypted func(*kms.EncryptOutput) *kms.EncryptOutput // nil: unchanged
	decrypted func(*kms.DecryptOutput) *kms.DecryptOutput
}

func (r *recorder) Encrypt(ctx context.Context, in *kms.EncryptInput, o ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	r.encrypts = append(r.encrypts, in)
	out, err := r.API.Encrypt(ctx, in, o...)
	if err != nil || r.encrypted == nil {
		return out, err
	}
	return r.encrypted(out), nil
}

func (r *recorder) Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	r.decrypts = append(r.decrypts, in)
	out, err := r.API.Decrypt(ctx, in, o...)
	if err != nil || r.decrypted == nil {
		return out, err
	}
	return r.decrypted(out), nil
}

// site is a KMS with two keys, of which orders has an alias.
type site struct {
	*recorder
	orders, users string // ARNs
}

func newSite(t testing.TB) *site {
	t.Helper()
	cloud := kmstest.New(t, nil)
	orders := cloud.Seed(kmstest.Key{Alias: "alias/orders"})
	users := cloud.Seed(kmstest.Key{Alias: "alias/users"})
	return &site{&recorder{API: cloud.SDK()}, orders, users}
}

func (s *site) aead(t testing.TB, arn string, o *tinkkms.Options) *tinkkms.AEAD {
	t.Helper()
	client, err := tinkkms.NewClient(s, scheme, o)
	require.NoError(t, err)
	a, err := client.AEAD(scheme + arn)
	require.NoError(t, err)
	return a
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, arn := range []string{s.orders, account + "alias/orders"} {
		a := s.aead(t, arn, nil)
		for _, n := range []int{1, 16, 1000, 4096} {
			for _, associated := range [][]byte{nil, {}, {0}, []byte("tenant 42"), random(1000)} {
				plaintext := random(n)
				ciphertext, err := a.EncryptWithContext(t.Context(), plaintext, associated)
				require.NoError(t, err)
				got, err := a.DecryptWithContext(t.Context(), ciphertext, associated)
				require.NoError(t, err)
				require.Equal(t, plaintext, got)

				got, err = a.Decrypt(ciphertext, associated)
				require.NoError(t, err)
				require.Equal(t, plaintext, got)
			}
		}
	}
}

// The requests are those of Tink's own extension, with which ciphertexts have to be
// exchanged.
func TestRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []struct {
		options    *tinkkms.Options
		associated []byte
		want       map[string]string
	}{
		{nil, nil, nil},
		{nil, []byte{}, nil},
		{nil, []byte{0}, map[string]string{"associatedData": "00"}},
		{nil, []byte("\xde\xad\xBE\xEFtext"), map[string]string{"associatedData": "deadbeef74657874"}},
		{&tinkkms.Options{LegacyAdditionalData: true}, []byte("text"), map[string]string{"additionalData": "74657874"}},
		{&tinkkms.Options{LegacyAdditionalData: true}, nil, nil},
	} {
		s.encrypts, s.decrypts = nil, nil
		a := s.aead(t, s.orders, c.options)
		ciphertext, err := a.Encrypt([]byte("plaintext"), c.associated)
		require.NoError(t, err)
		require.Equal(t, []*kms.EncryptInput{{
			KeyId: &s.orders, Plaintext: []byte("plaintext"), EncryptionContext: c.want,
		}}, s.encrypts)
		_, err = a.Decrypt(ciphertext, c.associated)
		require.NoError(t, err)
		require.Equal(t, []*kms.DecryptInput{{
			KeyId: &s.orders, CiphertextBlob: ciphertext, EncryptionContext: c.want,
		}}, s.decrypts)
	}
}

func TestGrantTokensAreSent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tokens := []string{"dG9rZW4="}
	a := s.aead(t, s.orders, &tinkkms.Options{GrantTokens: tokens})
	tokens[0] = "changed"
	_, _ = a.Encrypt([]byte("plaintext"), nil) // no KMS has issued the token
	_, _ = a.Decrypt([]byte("ciphertext"), nil)
	require.Equal(t, []string{"dG9rZW4="}, s.encrypts[0].GrantTokens)
	require.Equal(t, []string{"dG9rZW4="}, s.decrypts[0].GrantTokens)
}

func TestWhatIsNotAuthenticIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.aead(t, s.orders, nil)
	ciphertext, err := a.Encrypt([]byte("plaintext"), []byte("associated"))
	require.NoError(t, err)

	var invalid *types.InvalidCiphertextException
	for _, associated := range []string{"", "Associated", "associate", "associated\x00", "6173736f636961746564"} {
		_, err := a.Decrypt(ciphertext, []byte(associated))
		require.ErrorAs(t, err, &invalid, "%q", associated)
	}
	_, err = s.aead(t, s.orders, &tinkkms.Options{LegacyAdditionalData: true}).Decrypt(ciphertext, []byte("associated"))
	require.ErrorAs(t, err, &invalid)
	for i := range ciphertext {
		altered := bytes.Clone(ciphertext)
		altered[i] ^= 1
		_, err := a.Decrypt(altered, []byte("associated"))
		require.Error(t, err, "byte %d", i)
		_, err = a.Decrypt(ciphertext[:i], []byte("associated"))
		require.Error(t, err, "%d bytes", i)
	}
	var incorrect *types.IncorrectKeyException
	for _, arn := range []string{s.users, account + "alias/users"} {
		_, err = s.aead(t, arn, nil).Decrypt(ciphertext, []byte("associated"))
		require.ErrorAs(t, err, &incorrect)
	}
	_, err = a.Decrypt(ciphertext, []byte("associated"))
	require.NoError(t, err)
}

func TestErrorsOfRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.aead(t, s.orders, nil)
	for _, n := range []int{0, 4097} {
		_, err := a.Encrypt(make([]byte, n), nil)
		require.ErrorContains(t, err, "ValidationException", n)
	}
	var notFound *types.NotFoundException
	_, err := s.aead(t, account+"key/1234abcd-12ab-34cd-56ef-1234567890ab", nil).Encrypt([]byte("plaintext"), nil)
	require.ErrorAs(t, err, &notFound)

	ciphertext, err := a.Encrypt([]byte("plaintext"), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.EncryptWithContext(ctx, []byte("plaintext"), nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = a.DecryptWithContext(ctx, ciphertext, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestResponsesAreChecked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	foreign := "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	alias := account + "alias/orders"
	bare := "1234abcd-12ab-34cd-56ef-1234567890ab"
	for _, c := range []struct {
		named string
		used  *string
	}{
		{s.orders, nil}, {s.orders, &s.users}, {s.orders, &bare}, {s.orders, &alias}, {s.orders, &foreign},
		{alias, nil}, {alias, &foreign}, {alias, &bare}, {alias, &alias},
	} {
		a := s.aead(t, c.named, nil)
		s.encrypted, s.decrypted = nil, nil
		ciphertext, err := a.Encrypt([]byte("plaintext"), nil)
		require.NoError(t, err)
		var handedOut []byte
		s.encrypted = func(o *kms.EncryptOutput) *kms.EncryptOutput { o.KeyId = c.used; return o }
		s.decrypted = func(o *kms.DecryptOutput) *kms.DecryptOutput { o.KeyId, handedOut = c.used, o.Plaintext; return o }
		_, err = a.Encrypt([]byte("plaintext"), nil)
		require.ErrorIs(t, err, tinkkms.ErrResponse)
		_, err = a.Decrypt(ciphertext, nil)
		require.ErrorIs(t, err, tinkkms.ErrResponse)
		require.Equal(t, make([]byte, 9), handedOut, "what is refused is wiped")
	}
	s.encrypted = func(o *kms.EncryptOutput) *kms.EncryptOutput { o.CiphertextBlob = nil; return o }
	_, err := s.aead(t, s.orders, nil).Encrypt([]byte("plaintext"), nil)
	require.ErrorIs(t, err, tinkkms.ErrResponse)
	s.encrypted = func(*kms.EncryptOutput) *kms.EncryptOutput { return nil }
	_, err = s.aead(t, s.orders, nil).Encrypt([]byte("plaintext"), nil)
	require.ErrorIs(t, err, tinkkms.ErrResponse)

	s.encrypted = nil
	ciphertext, err := s.aead(t, s.orders, nil).Encrypt([]byte("plaintext"), nil)
	require.NoError(t, err)
	s.decrypted = func(*kms.DecryptOutput) *kms.DecryptOutput { return nil }
	_, err = s.aead(t, s.orders, nil).Decrypt(ciphertext, nil)
	require.ErrorIs(t, err, tinkkms.ErrResponse)
}

func TestFormat(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.aead(t, s.orders, &tinkkms.Options{GrantTokens: []string{"token"}})
	require.Equal(t, fmt.Sprintf("tinkkms.AEAD{%q}", s.orders), fmt.Sprintf("%+v", a))
}
