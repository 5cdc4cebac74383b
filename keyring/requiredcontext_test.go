package keyring_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

func newRequired(t *testing.T, underlying keyring.Manager, keys ...string) *keyring.RequiredContext {
	t.Helper()
	m, err := keyring.NewRequiredContext(underlying, keys...)
	require.NoError(t, err)
	return m
}

func TestRequiredContextKeysAreChecked(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{
		"none":              {},
		"the public key":    {publicKeyName},
		"a reserved prefix": {"a", "aws-crypto-"},
		"not UTF-8":         {"\xff"},
		"too long":          {strings.Repeat("a", 1<<16)},
	} {
		m, err := keyring.NewRequiredContext(newOrigin(t), keys...)
		require.Error(t, err, name)
		require.Nil(t, m, name)
	}
	_, err := keyring.NewRequiredContext(nil, "a")
	require.Error(t, err)
}

func TestRequiredContextEncryption(t *testing.T) {
	t.Parallel()
	keys := []string{"tenant", "a", "tenant"}
	m := newRequired(t, newOrigin(t), keys...)
	require.Equal(t, []string{"tenant", "a", "tenant"}, keys)
	r := committing
	for name, context := range map[string]keyring.EncryptionContext{
		"none": nil, "another": {"b": ""}, "one of two": {"tenant": ""}, "the other": {"a": ""},
	} {
		r.Context = context
		_, err := m.EncryptionMaterials(t.Context(), r)
		require.ErrorIs(t, err, keyring.ErrEncryptionContext, name)
	}
	r.Context = keyring.EncryptionContext{"tenant": "42", "a": "1", "b": "2", "c": "3"}
	r.RequiredContextKeys = []string{"c", "a"}
	got := seal(t, m, r)
	require.Equal(t, keyring.EncryptionContext{"tenant": "42", "a": "1", "c": "3"}, got.RequiredContext())
	require.Equal(t, keyring.EncryptionContext{"b": "2"}, got.StoredContext())
	require.Equal(t, []string{"c", "a"}, r.RequiredContextKeys, "the request is not changed")
}

func TestRequiredContextDecryption(t *testing.T) {
	t.Parallel()
	m := newRequired(t, newOrigin(t), "tenant")
	r := committing
	r.Context = keyring.EncryptionContext{"tenant": "42", "b": "2"}
	sealed := seal(t, m, r)
	in := opening(sealed)
	for name, row := range map[string]struct {
		reproduced keyring.EncryptionContext
		want       error
	}{
		"nothing":         {nil, keyring.ErrEncryptionContext},
		"another key":     {keyring.EncryptionContext{"b": "2"}, keyring.ErrEncryptionContext},
		"another value":   {keyring.EncryptionContext{"tenant": "43"}, keyring.ErrNoMatch},
		"too much":        {keyring.EncryptionContext{"tenant": "42", "c": ""}, keyring.ErrNoMatch},
		"a stored value":  {keyring.EncryptionContext{"tenant": "42", "b": "3"}, keyring.ErrEncryptionContext},
		"as it has to be": {keyring.EncryptionContext{"tenant": "42"}, nil},
		"and more of it":  {keyring.EncryptionContext{"tenant": "42", "b": "2"}, nil},
	} {
		in.Reproduced = row.reproduced
		got, err := m.DecryptionMaterials(t.Context(), in)
		require.ErrorIs(t, err, row.want, name)
		if row.want == nil {
			require.Equal(t, sealed.DataKey(), got.DataKey(), name)
			require.Equal(t, "42", got.RequiredContext()["tenant"], name)
		}
	}

	// A message that stores the pair, because it was made without the manager, opens
	// for who knows the value.
	in = opening(seal(t, newOrigin(t), r))
	_, err := m.DecryptionMaterials(t.Context(), in)
	require.ErrorIs(t, err, keyring.ErrEncryptionContext)
	in.Reproduced = keyring.EncryptionContext{"tenant": "43"}
	_, err = m.DecryptionMaterials(t.Context(), in)
	require.ErrorIs(t, err, keyring.ErrEncryptionContext)
	in.Reproduced = keyring.EncryptionContext{"tenant": "42"}
	open(t, m, in)
}

// The underlying manager is not trusted to do what it is asked for.
func TestRequiredContextChecksItsManager(t *testing.T) {
	t.Parallel()
	const s = keyring.AES256GCMHKDFSHA512CommitKey
	stored := seal(t, newOrigin(t), committing) // the tenant is not a required key
	other := committing
	other.Context = keyring.EncryptionContext{"tenant": "43"}
	wrong := open(t, newOrigin(t), opening(seal(t, newOrigin(t), other)))
	absent, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{Suite: s})
	require.NoError(t, err)
	require.NoError(t, absent.SetDataKey(make([]byte, 32)))
	for name, underlying := range map[string]careless{
		"none": {}, "stored, another value": {stored, wrong}, "stored, absent": {stored, absent},
	} {
		m := newRequired(t, underlying, "tenant")
		_, err := m.EncryptionMaterials(t.Context(), committing)
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
		_, err = m.DecryptionMaterials(t.Context(), keyring.DecryptionRequest{
			Suite: s, Reproduced: keyring.EncryptionContext{"tenant": "42"},
		})
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
	}
	for _, m := range []interface{ HasDataKey() bool }{stored, wrong, absent} {
		require.False(t, m.HasDataKey(), "refused materials are wiped")
	}
}

// The two managers may be stacked either way, and neither weakens the other.
func TestRequiredContextAndCaching(t *testing.T) {
	t.Parallel()
	below, above := newOrigin(t), newOrigin(t)
	cachingBelow := newCaching(t, below, keyring.CachingOptions{})
	cachingAbove := newCaching(t, newRequired(t, above, "tenant"), keyring.CachingOptions{})
	for name, row := range map[string]struct {
		manager keyring.Manager
		cache   *keyring.Caching
		origin  *origin
	}{
		"required above caching": {newRequired(t, cachingBelow, "tenant"), cachingBelow, below},
		"caching above required": {cachingAbove, cachingAbove, above},
	} {
		m := row.manager
		for i := range 3 {
			message, err := envelope.Encrypt(t.Context(), m, []byte("text"), &envelope.EncryptOptions{
				Context: keyring.EncryptionContext{"tenant": "42", "stored": "x"},
			})
			require.NoError(t, err, name)
			for range 2 {
				text, h, err := envelope.Decrypt(t.Context(), m, message, &envelope.DecryptOptions{
					Context: keyring.EncryptionContext{"tenant": "42"},
				})
				require.NoError(t, err, name)
				require.Equal(t, "text", string(text))
				require.NotContains(t, h.Context, "tenant", "it is not stored")
				require.Equal(t, "x", h.Context["stored"])
			}
			for _, known := range []keyring.EncryptionContext{nil, {"stored": "x"}, {"tenant": "43"}} {
				_, _, err := envelope.Decrypt(t.Context(), m, message, &envelope.DecryptOptions{Context: known})
				require.Error(t, err, "%s: %v", name, known)
			}
			require.EqualValues(t, 3*i+1, row.cache.Stats().Hits, name) // all but the first of each
		}
		_, err := envelope.Encrypt(t.Context(), m, []byte("text"), nil)
		require.ErrorIs(t, err, keyring.ErrEncryptionContext, name)
		require.Len(t, row.origin.sealing, 1, name)
	}
}
