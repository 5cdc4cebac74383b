package keyring_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

const publicKeyName = "aws-crypto-public-key"

func edk(info string) keyring.EncryptedDataKey {
	return keyring.EncryptedDataKey{Provider: "test", Info: []byte(info), Ciphertext: []byte(info + " wrapped")}
}

func TestEncryptionMaterialsTransitions(t *testing.T) {
	t.Parallel()
	m := encryption(t, unsigned)
	require.False(t, m.HasDataKey())
	require.Nil(t, m.DataKey())
	require.ErrorIs(t, m.Complete(), keyring.ErrMaterials)
	require.ErrorIs(t, m.AddEncryptedDataKey(edk("early")), keyring.ErrMaterials)
	for _, n := range []int{0, 1, 16, 24, 31, 33, 64} {
		require.ErrorIs(t, m.SetDataKey(make([]byte, n)), keyring.ErrMaterials, "%d bytes", n)
		require.False(t, m.HasDataKey())
	}

	key := bytes.Repeat([]byte{1}, 32)
	require.NoError(t, m.SetDataKey(key))
	key[0] = 2 // SetDataKey has copied
	require.Equal(t, bytes.Repeat([]byte{1}, 32), m.DataKey())
	require.ErrorIs(t, m.SetDataKey(key), keyring.ErrMaterials)
	require.Equal(t, byte(1), m.DataKey()[0])
	require.ErrorIs(t, m.Complete(), keyring.ErrMaterials)

	first := edk("first")
	require.NoError(t, m.AddEncryptedDataKey(first))
	first.Info[0], first.Ciphertext[0] = 'X', 'X' // AddEncryptedDataKey has copied
	require.NoError(t, m.AddEncryptedDataKey(edk("second")))
	require.Equal(t, []keyring.EncryptedDataKey{edk("first"), edk("second")}, m.EncryptedDataKeys())
	require.NoError(t, m.Complete())
	m.EncryptedDataKeys()[0] = edk("replaced") // changes the copy only
	require.Equal(t, edk("first"), m.EncryptedDataKeys()[0])
}

func TestEncryptedDataKeysMustFit(t *testing.T) {
	t.Parallel()
	m := encryption(t, unsigned)
	require.NoError(t, m.SetDataKey(make([]byte, 32)))
	fits, long := make([]byte, 65535), make([]byte, 65536)
	require.NoError(t, m.AddEncryptedDataKey(keyring.EncryptedDataKey{}))
	require.NoError(t, m.AddEncryptedDataKey(keyring.EncryptedDataKey{
		Provider: strings.Repeat("p", 65535), Info: fits, Ciphertext: fits,
	}))
	for name, k := range map[string]keyring.EncryptedDataKey{
		"long provider":    {Provider: strings.Repeat("p", 65536)},
		"provider no text": {Provider: "\xff"},
		"long info":        {Info: long},
		"long ciphertext":  {Ciphertext: long},
	} {
		require.ErrorIs(t, m.AddEncryptedDataKey(k), keyring.ErrMaterials, name)
	}
	require.Len(t, m.EncryptedDataKeys(), 2)
}

// Destroyed materials must not pass for materials with a data key of zeros.
func TestDestroy(t *testing.T) {
	t.Parallel()
	m := encryption(t, unsigned)
	require.NoError(t, newAES(t, "key").OnEncrypt(t.Context(), m))
	d := decryption(t, m)
	require.NoError(t, newAES(t, "key").OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
	ekey, dkey := m.DataKey(), d.DataKey()

	m.Destroy()
	d.Destroy()
	require.Equal(t, make([]byte, 32), ekey)
	require.Equal(t, make([]byte, 32), dkey)
	require.Nil(t, m.DataKey())
	require.ErrorIs(t, m.Complete(), keyring.ErrMaterials)
	require.ErrorIs(t, d.Complete(), keyring.ErrMaterials)
	require.ErrorIs(t, m.SetDataKey(make([]byte, 32)), keyring.ErrMaterials)
	require.ErrorIs(t, newAES(t, "key").OnEncrypt(t.Context(), m), keyring.ErrMaterials)
	require.ErrorIs(t, newAES(t, "key").OnDecrypt(t.Context(), d, m.EncryptedDataKeys()), keyring.ErrMaterials)
	m.Destroy()
}

func TestSignedMaterials(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, s := range keyring.Suites() {
		m := encryption(t, s)
		d := decryption(t, m)
		if !s.Signed() {
			require.Nil(t, m.SigningKey())
			require.Nil(t, d.VerificationKey())
			require.Equal(t, keyring.EncryptionContext{"tenant": "42"}, m.Context())
			continue
		}
		encoded := m.Context()[publicKeyName]
		require.False(t, seen[encoded], "two messages have one signing key")
		seen[encoded] = true
		require.True(t, m.SigningKey().PublicKey.Equal(d.VerificationKey()))
		require.Equal(t, keyring.EncryptionContext{"tenant": "42", publicKeyName: encoded}, m.Context())
		require.Equal(t, m.SerializedContext(), d.SerializedContext())
	}
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{}) // signed, without a caller's context
	require.NoError(t, err)
	require.Len(t, m.Context(), 1)
}

func TestRequestIsCopied(t *testing.T) {
	t.Parallel()
	context := keyring.EncryptionContext{"a": "1", "b": "2"}
	required := []string{"b", "a"}
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{
		Context: context, RequiredContextKeys: required,
	})
	require.NoError(t, err)
	require.Len(t, context, 2, "the public key went into the caller's context")
	require.Equal(t, []string{"b", "a"}, required)
	context["a"], required[0] = "changed", "c"
	m.Context()["a"] = "changed as well"
	require.Equal(t, "1", m.Context()["a"])
	require.Equal(t, keyring.EncryptionContext{"a": "1", "b": "2"}, m.RequiredContext())
}

func TestRequiredContext(t *testing.T) {
	t.Parallel()
	context := keyring.EncryptionContext{"a": "1", "b": "2", "c": "3"}
	request := func(keys ...string) keyring.EncryptionRequest {
		return keyring.EncryptionRequest{Context: context, RequiredContextKeys: keys, Suite: keyring.AES256GCMHKDFSHA512CommitKey}
	}
	m, err := keyring.NewEncryptionMaterials(request("c", "a"))
	require.NoError(t, err)
	require.Equal(t, context, m.Context())
	require.Equal(t, keyring.EncryptionContext{"b": "2"}, m.StoredContext())
	require.Equal(t, keyring.EncryptionContext{"a": "1", "c": "3"}, m.RequiredContext())
	whole, err := context.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, whole, m.SerializedContext(), "keyrings bind the whole context")

	m, err = keyring.NewEncryptionMaterials(request())
	require.NoError(t, err)
	require.Equal(t, context, m.StoredContext())
	require.Empty(t, m.RequiredContext())

	for _, keys := range [][]string{{"d"}, {"a", "a"}, {""}, {publicKeyName}} {
		r := request(keys...)
		r.Suite = 0 // signed, so that there is a public key
		_, err := keyring.NewEncryptionMaterials(r)
		require.ErrorIs(t, err, keyring.ErrEncryptionContext, "%q", keys)
	}
}

func TestReservedContextKeys(t *testing.T) {
	t.Parallel()
	for _, k := range []string{"aws-crypto-", publicKeyName, "aws-crypto-anything"} {
		_, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{Context: keyring.EncryptionContext{k: "x"}})
		require.ErrorIs(t, err, keyring.ErrEncryptionContext, k)
	}
	for _, k := range []string{"aws-crypto", "AWS-crypto-x", "x-aws-crypto-"} {
		_, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{Context: keyring.EncryptionContext{k: "x"}})
		require.NoError(t, err, k)
	}
}

func TestReproducedContext(t *testing.T) {
	t.Parallel()
	signed := encryption(t, keyring.AES128GCMHKDFSHA256ECDSAP256).Context()
	key := signed[publicKeyName]
	another := encryption(t, keyring.AES128GCMHKDFSHA256ECDSAP256).Context()[publicKeyName]
	const p256 = keyring.AES128GCMHKDFSHA256ECDSAP256
	type context = keyring.EncryptionContext
	for _, c := range []struct {
		name               string
		suite              keyring.Suite
		stored, reproduced context
		ok                 bool
		whole, required    context
	}{
		{"none", unsigned, context{"a": "1"}, nil, true, context{"a": "1"}, context{}},
		{"neither", unsigned, nil, nil, true, nil, context{}},
		{"equal", unsigned, context{"a": "1", "b": "2"}, context{"a": "1"}, true, context{"a": "1", "b": "2"}, context{}},
		{"different", unsigned, context{"a": "1"}, context{"a": "2"}, false, nil, nil},
		{"empty instead", unsigned, context{"a": "1"}, context{"a": ""}, false, nil, nil},
		{"not stored", unsigned, context{"a": "1"}, context{"b": "2"}, true, context{"a": "1", "b": "2"}, context{"b": "2"}},
		{"not stored and empty", unsigned, context{"a": "1"}, context{"b": ""}, true, context{"a": "1", "b": ""}, context{"b": ""}},
		{"nothing stored", unsigned, nil, context{"b": "2"}, true, context{"b": "2"}, context{"b": "2"}},
		{"partly stored", unsigned, context{"a": "1"}, context{"a": "1", "b": "2"}, true, context{"a": "1", "b": "2"}, context{"b": "2"}},
		{"not UTF-8", unsigned, nil, context{"b": "\xff"}, false, nil, nil},

		{"key for a signed suite", p256, context{publicKeyName: key}, nil, true, context{publicKeyName: key}, context{}},
		{"key reproduced as well", p256, context{publicKeyName: key}, context{publicKeyName: key}, true, context{publicKeyName: key}, context{}},
		{"another key reproduced", p256, context{publicKeyName: key}, context{publicKeyName: another}, false, nil, nil},
		{"key reproduced only", p256, nil, context{publicKeyName: key}, false, nil, nil},
		{"empty key reproduced only", p256, nil, context{publicKeyName: ""}, false, nil, nil},
		{"no key for a signed suite", p256, context{"a": "1"}, nil, false, nil, nil},
		{"key for an unsigned suite", unsigned, context{publicKeyName: key}, nil, false, nil, nil},
		{"key reproduced for an unsigned suite", unsigned, nil, context{publicKeyName: key}, false, nil, nil},
		{"empty key reproduced for an unsigned suite", unsigned, nil, context{publicKeyName: ""}, false, nil, nil},
		{"key of another curve", keyring.AES256GCMHKDFSHA384ECDSAP384, context{publicKeyName: key}, nil, false, nil, nil},
		{"key that is none", p256, context{publicKeyName: strings.Repeat("A", 44)}, nil, false, nil, nil},
	} {
		m, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
			Suite: c.suite, CommitmentPolicy: keyring.ForbidEncryptAllowDecrypt,
			Context: c.stored, Reproduced: c.reproduced,
		})
		if !c.ok {
			require.ErrorIs(t, err, keyring.ErrEncryptionContext, c.name)
			require.Nil(t, m, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, c.whole, m.Context(), c.name)
		require.Equal(t, c.required, m.RequiredContext(), c.name)
		require.Len(t, m.StoredContext(), len(c.stored), c.name)
		for k, v := range c.stored {
			require.Equal(t, v, m.StoredContext()[k], c.name)
		}
	}
}

func TestDecryptionMaterialsTransitions(t *testing.T) {
	t.Parallel()
	d := decryption(t, encryption(t, unsigned))
	require.ErrorIs(t, d.Complete(), keyring.ErrMaterials)
	require.ErrorIs(t, d.SetDataKey(make([]byte, 16)), keyring.ErrMaterials)
	require.NoError(t, d.SetDataKey(make([]byte, 32)))
	require.ErrorIs(t, d.SetDataKey(make([]byte, 32)), keyring.ErrMaterials)
	require.NoError(t, d.Complete())
	require.Equal(t, unsigned, d.Suite())
}

// Neither half may print the data key or the signing key, by pointer, by value,
// inside another value, as JSON or in a log.
func TestMaterialsPrintNoSecrets(t *testing.T) {
	t.Parallel()
	m := encryption(t, keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384)
	require.NoError(t, newAES(t, "key").OnEncrypt(t.Context(), m))
	d := decryption(t, m)
	require.NoError(t, newAES(t, "key").OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))

	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	asJSON := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{m, *m, d, *d, []any{m, d}, struct{ M any }{m}, struct{ D any }{*d}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(b)
		log.Info("materials", "v", v)
		asJSON.Info("materials", "v", v)
	}
	require.Contains(t, out.String(), "COMMIT_KEY")
	private, err := m.SigningKey().Bytes()
	require.NoError(t, err)
	for _, secret := range [][]byte{m.DataKey(), private} {
		for _, text := range []string{
			string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
			base64.RawStdEncoding.EncodeToString(secret), strings.Trim(fmt.Sprint(secret), "[]"),
			strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", secret), "[]byte{"), "}"),
		} {
			require.NotContains(t, out.String(), text)
		}
	}
	require.NotContains(t, out.String(), new(big.Int).SetBytes(private).String())
}
