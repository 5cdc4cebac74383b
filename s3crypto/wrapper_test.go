package s3crypto

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
)

func TestKMSCalls(t *testing.T) {
	t.Parallel()
	api := newFakeKMS()
	tokens := []string{"token"}
	w, err := NewKMS(api, keyARN, &KMSOptions{GrantTokens: tokens})
	require.NoError(t, err)
	tokens[0] = "changed"
	c := map[string]string{"tenant": "42"}

	for _, s := range []suite{suiteGCM, suiteCommitting} {
		h, key, err := newObject(t.Context(), w, s, -1, c)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"tenant": "42"}, c)
		got, err := h.unwrap(t.Context(), w, &rules{policy: keyring.ForbidEncryptAllowDecrypt, context: c})
		require.NoError(t, err)
		require.Equal(t, key, got)
		again, err := h.rewrap(t.Context(), key, w, map[string]string{"tenant": "43"})
		require.NoError(t, err)
		require.NotEqual(t, h.edk, again.edk)
		got, err = again.unwrap(t.Context(), w, &rules{policy: keyring.ForbidEncryptAllowDecrypt, context: map[string]string{"tenant": "43"}})
		require.NoError(t, err)
		require.Equal(t, key, got)
	}

	calls := api.calls()
	require.Len(t, calls, 8)
	for i, alg := range []string{"AES/GCM/NoPadding", "115"} {
		generate, decrypt := calls[4*i].(*kms.GenerateDataKeyInput), calls[4*i+1].(*kms.DecryptInput)
		encrypt := calls[4*i+2].(*kms.EncryptInput)
		want := map[string]string{"tenant": "42", "aws:x-amz-cek-alg": alg}
		require.Equal(t, want, generate.EncryptionContext)
		require.Equal(t, types.DataKeySpecAes256, generate.KeySpec)
		require.Nil(t, generate.NumberOfBytes)
		require.Equal(t, want, decrypt.EncryptionContext)
		require.Equal(t, map[string]string{"tenant": "43", "aws:x-amz-cek-alg": alg}, encrypt.EncryptionContext)
		require.Len(t, encrypt.Plaintext, dataKeySize)
		for _, id := range []*string{generate.KeyId, decrypt.KeyId, encrypt.KeyId} {
			require.Equal(t, keyARN, *id)
		}
		for _, tokens := range [][]string{generate.GrantTokens, decrypt.GrantTokens, encrypt.GrantTokens} {
			require.Equal(t, []string{"token"}, tokens)
		}
	}
}

func TestKMSOtherKey(t *testing.T) {
	t.Parallel()
	api := newFakeKMS()
	w, err := NewKMS(api, keyARN, nil)
	require.NoError(t, err)
	h, key, err := newObject(t.Context(), w, suiteCommitting, -1, nil)
	require.NoError(t, err)

	other, err := NewKMS(api, otherARN, nil)
	require.NoError(t, err)
	_, err = h.unwrap(t.Context(), other, &rules{})
	require.ErrorAs(t, err, new(*types.InvalidCiphertextException))

	any, err := NewKMSAnyKey(api, nil)
	require.NoError(t, err)
	got, err := h.unwrap(t.Context(), any, &rules{})
	require.NoError(t, err)
	require.Equal(t, key, got)
	calls := api.calls()
	require.Nil(t, calls[len(calls)-1].(*kms.DecryptInput).KeyId)

	_, _, err = newObject(t.Context(), any, suiteCommitting, -1, nil)
	require.ErrorIs(t, err, ErrWrapper)
	require.Len(t, api.calls(), len(calls))
}

func TestNewKMS(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "alias/a", "1234abcd-12ab-34cd-56ef-1234567890ab", strings.Replace(keyARN, ":key/", ":alias/", 1), strings.Replace(keyARN, ":kms:", ":s3:", 1)} {
		_, err := NewKMS(newFakeKMS(), name, nil)
		require.ErrorIs(t, err, awskms.ErrKeyID, name)
	}
	_, err := NewKMS(nil, keyARN, nil)
	require.Error(t, err)
	_, err = NewKMSAnyKey(nil, nil)
	require.Error(t, err)
}

func TestKMSResponses(t *testing.T) {
	t.Parallel()
	other := otherARN
	down := errors.New("down")
	for _, tt := range []struct {
		name   string
		alter  func(id **string, blob, plaintext *[]byte) // nil: no response
		result error
		want   error
	}{
		{"no response", nil, nil, awskms.ErrResponse},
		{"failure", nil, down, down},
		{"another key", func(id **string, _, _ *[]byte) { *id = &other }, nil, awskms.ErrResponse},
		{"no key", func(id **string, _, _ *[]byte) { *id = nil }, nil, awskms.ErrResponse},
		{"no blob", func(_ **string, blob, _ *[]byte) { *blob = nil }, nil, awskms.ErrResponse},
		{"long blob", func(_ **string, blob, _ *[]byte) { *blob = make([]byte, maxEDK+1) }, nil, awskms.ErrResponse},
		{"short key", func(_ **string, _, key *[]byte) { *key = (*key)[:31] }, nil, awskms.ErrResponse},
		{"long key", func(_ **string, _, key *[]byte) { *key = append(*key, 0) }, nil, awskms.ErrResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeKMS()
			w, err := NewKMS(api, keyARN, nil)
			require.NoError(t, err)
			h, key, err := newObject(t.Context(), w, suiteCommitting, -1, nil)
			require.NoError(t, err)

			var seen []byte
			api.generated = func(out *kms.GenerateDataKeyOutput) (*kms.GenerateDataKeyOutput, error) {
				if tt.alter == nil {
					return nil, tt.result
				}
				tt.alter(&out.KeyId, &out.CiphertextBlob, &out.Plaintext)
				seen = out.Plaintext
				return out, nil
			}
			_, _, err = newObject(t.Context(), w, suiteCommitting, -1, nil)
			require.ErrorIs(t, err, tt.want)
			require.True(t, isZero(seen), "a refused data key is wiped")

			blob := strings.Contains(tt.name, "blob")
			api.decrypted = func(out *kms.DecryptOutput) (*kms.DecryptOutput, error) {
				if tt.alter == nil {
					return nil, tt.result
				}
				tt.alter(&out.KeyId, new([]byte), &out.Plaintext)
				seen = out.Plaintext
				return out, nil
			}
			if _, err = h.unwrap(t.Context(), w, &rules{}); !blob {
				require.ErrorIs(t, err, tt.want)
				require.True(t, isZero(seen), "a refused data key is wiped")
			}

			api.encrypted = func(out *kms.EncryptOutput) (*kms.EncryptOutput, error) {
				if tt.alter == nil {
					return nil, tt.result
				}
				tt.alter(&out.KeyId, &out.CiphertextBlob, &[]byte{31: 0})
				return out, nil
			}
			before := *h
			if _, err = h.rewrap(t.Context(), key, w, nil); !strings.HasSuffix(tt.name, " key") || tt.name == "another key" || tt.name == "no key" {
				require.ErrorIs(t, err, tt.want)
			}
			require.Equal(t, before, *h)
		})
	}
}

func TestCallersContext(t *testing.T) {
	t.Parallel()
	all := wrappers(t)
	for _, c := range []map[string]string{
		{"aws:x-amz-cek-alg": "115"}, {"kms_cmk_id": "x"}, {"a": "\xff"}, {"\xff": "a"}, {"a": "\ufffd"},
	} {
		_, _, err := newObject(t.Context(), all["KMS"], suiteCommitting, -1, c)
		require.ErrorIs(t, err, ErrContext, "%q", c)
	}
	for _, name := range []string{"AES", "RSA"} {
		_, _, err := newObject(t.Context(), all[name], suiteCommitting, -1, map[string]string{"a": "b"})
		require.ErrorIs(t, err, ErrContext)
		h, key, err := newObject(t.Context(), all[name], suiteCommitting, -1, map[string]string{})
		require.NoError(t, err)
		_, err = h.unwrap(t.Context(), all[name], &rules{context: map[string]string{"a": "b"}})
		require.ErrorIs(t, err, ErrContext)
		_, err = h.unwrap(t.Context(), all[name], &rules{anyContext: true})
		require.NoError(t, err)
		_, err = h.rewrap(t.Context(), key, all[name], map[string]string{"a": "b"})
		require.ErrorIs(t, err, ErrContext)
	}
	require.ErrorIs(t, ErrContext, keyring.ErrEncryptionContext)
}

func TestAESKeys(t *testing.T) {
	t.Parallel()
	for _, n := range []int{16, 24, 32} {
		w, err := NewAES(counted(5, n), nil)
		require.NoError(t, err)
		h, key, err := newObject(t.Context(), w, suiteCommitting, -1, nil)
		require.NoError(t, err)
		require.Len(t, h.edk, 60)
		got, err := h.unwrap(t.Context(), w, &rules{})
		require.NoError(t, err)
		require.Equal(t, key, got)

		for bit := range 8 * len(h.edk) {
			altered := *h
			altered.edk = bytes.Clone(h.edk)
			altered.edk[bit/8] ^= 1 << (bit % 8)
			_, err := altered.unwrap(t.Context(), w, &rules{})
			require.Equal(t, ErrAuthentication, err)
		}
		other := *h // the content algorithm is bound
		other.suite, other.iv = suiteGCM, counted(1, 12)
		_, err = other.unwrap(t.Context(), w, lenient())
		require.Equal(t, ErrAuthentication, err)
	}
	for _, n := range []int{0, 15, 31, 33} {
		_, err := NewAES(counted(5, n), nil)
		require.Error(t, err)
		_, err = NewAES(testAES, &AESOptions{DecryptionKeys: []AESKey{{map[string]string{"a": "b"}, counted(5, n)}}})
		require.Error(t, err)
	}
}

func TestRSAKeys(t *testing.T) {
	t.Parallel()
	private := testRSA()
	public := &private.PublicKey
	writer, err := NewRSA(public, nil, nil)
	require.NoError(t, err)
	reader, err := NewRSA(nil, private, nil)
	require.NoError(t, err)

	h, key, err := newObject(t.Context(), writer, suiteCommitting, -1, nil)
	require.NoError(t, err)
	got, err := h.unwrap(t.Context(), reader, &rules{})
	require.NoError(t, err)
	require.Equal(t, key, got)
	_, err = h.unwrap(t.Context(), writer, &rules{})
	require.ErrorIs(t, err, ErrWrapper)
	_, _, err = newObject(t.Context(), reader, suiteCommitting, -1, nil)
	require.ErrorIs(t, err, ErrWrapper)

	for name, framed := range map[string][]byte{
		"GCM's name":       append(append([]byte{32}, key...), "AES/GCM/NoPadding"...),
		"a longer name":    append(append([]byte{32}, key...), "1150"...),
		"a shorter name":   append(append([]byte{32}, key...), "11"...),
		"no name":          append([]byte{32}, key...),
		"another length":   append(append([]byte{31}, key...), "115"...),
		"length and key":   append(append([]byte{31}, key[1:]...), "115"...),
		"no length":        append(bytes.Clone(key), "115"...),
		"only the name":    []byte("115"),
		"nothing":          {},
		"a name before it": append(append([]byte{32}, key...), "115115"...),
	} {
		altered := *h
		altered.edk = oaepSHA1(t, framed)
		_, err := altered.unwrap(t.Context(), reader, &rules{})
		require.Equal(t, ErrAuthentication, err, name)
	}
	for _, edk := range [][]byte{h.edk[1:], append([]byte{0}, h.edk...), bytes.Repeat([]byte{0xff}, len(h.edk))} {
		altered := *h
		altered.edk = edk
		_, err := altered.unwrap(t.Context(), reader, &rules{})
		require.Equal(t, ErrAuthentication, err)
	}
	// What the legacy padding unwraps is the bare key.
	altered := *h
	altered.suite, altered.iv, altered.wrap = suiteGCM, counted(1, 12), wrapRSAOAEPSHA256
	for _, n := range []int{0, 16, 31, 33} {
		altered.edk = oaepSHA256(counted(1, n))
		_, err = altered.unwrap(t.Context(), wrappers(t)["RSA"], lenient())
		require.Equal(t, ErrAuthentication, err)
	}
}

func TestNewRSA(t *testing.T) {
	t.Parallel()
	private := testRSA()
	public := &private.PublicKey
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	damaged := &rsa.PrivateKey{PublicKey: *public, D: small.D, Primes: private.Primes}

	_, err = NewRSA(nil, small, nil) // old objects have such keys
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		public  *rsa.PublicKey
		private *rsa.PrivateKey
		options *RSAOptions
	}{
		"nothing":        {},
		"small":          {public: &small.PublicKey},
		"no modulus":     {public: &rsa.PublicKey{}},
		"no pair":        {public: public, private: small},
		"damaged":        {private: damaged},
		"not text":       {public: public, options: &RSAOptions{Description: map[string]string{"a": "\xff"}}},
		"no private key": {public: public, options: &RSAOptions{DecryptionKeys: []RSAKey{{nil, private}}}},
		"nil among keys": {private: private, options: &RSAOptions{DecryptionKeys: []RSAKey{{map[string]string{"a": "b"}, nil}}}},
		"twice":          {private: private, options: &RSAOptions{DecryptionKeys: []RSAKey{{nil, small}}}},
	} {
		_, err := NewRSA(tt.public, tt.private, tt.options)
		require.Error(t, err, name)
	}
}

// Several keys are told apart by the description, exactly; others get the wrapper's own.
func TestDecryptionKeys(t *testing.T) {
	t.Parallel()
	old, older := map[string]string{"key": "old"}, map[string]string{"key": "older", "site": "x"}
	second, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	writers := func(d map[string]string) (*AES, *RSA) {
		material, private := counted(byte(10+len(d)), 32), testRSA()
		if len(d) == 1 {
			private = second
		}
		a, err := NewAES(material, &AESOptions{Description: d})
		require.NoError(t, err)
		r, err := NewRSA(&private.PublicKey, private, &RSAOptions{Description: d})
		require.NoError(t, err)
		return a, r
	}
	a, err := NewAES(counted(10, 32), &AESOptions{DecryptionKeys: []AESKey{{old, counted(11, 32)}, {older, counted(12, 32)}}})
	require.NoError(t, err)
	r, err := NewRSA(nil, testRSA(), &RSAOptions{DecryptionKeys: []RSAKey{{old, second}}})
	require.NoError(t, err)

	for _, d := range []map[string]string{nil, old, older} {
		aesWriter, rsaWriter := writers(d)
		for w, reader := range map[Wrapper]Wrapper{aesWriter: a, rsaWriter: r} {
			h, key, err := newObject(t.Context(), w, suiteCommitting, -1, nil)
			require.NoError(t, err)
			require.Equal(t, len(d), len(h.description))
			got, err := h.unwrap(t.Context(), reader, &rules{})
			require.NoError(t, err, "%v", d)
			require.Equal(t, key, got)

			h.description = map[string]string{"key": "old", "site": "y"} // no key has it: the first one
			_, err = h.unwrap(t.Context(), reader, &rules{})
			ownKey := d == nil || w == Wrapper(rsaWriter) && len(d) == 2
			require.Equal(t, ownKey, err == nil, "%v %v", d, err)
		}
	}
	for _, o := range []*AESOptions{
		{DecryptionKeys: []AESKey{{nil, testAES}}},
		{Description: old, DecryptionKeys: []AESKey{{older, testAES}, {old, testAES}}},
		{Description: map[string]string{"\xff": ""}},
	} {
		_, err := NewAES(testAES, o)
		require.Error(t, err)
	}
}

// A wrapper's options are copies.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	d := map[string]string{"a": "b"}
	a, err := NewAES(testAES, &AESOptions{Description: d})
	require.NoError(t, err)
	r, err := NewRSA(&testRSA().PublicKey, nil, &RSAOptions{Description: d})
	require.NoError(t, err)
	d["a"] = "changed"
	for _, w := range []Wrapper{a, r} {
		h, _, err := newObject(t.Context(), w, suiteCommitting, -1, nil)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"a": "b"}, h.description)
		h.description["a"] = "changed"
		h, _, err = newObject(t.Context(), w, suiteCommitting, -1, nil)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"a": "b"}, h.description)
	}
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	all := wrappers(t)
	for from, source := range all {
		for to, target := range all {
			for _, s := range []suite{suiteGCM, suiteCommitting} {
				h, key, err := newObject(t.Context(), source, s, 5, nil)
				require.NoError(t, err)
				body := seal(t, h, key, []byte("hello"))
				kept := *h
				next, err := h.rewrap(t.Context(), key, target, nil)
				require.NoError(t, err)
				require.Equal(t, kept, *h)
				require.NotEqual(t, h.edk, next.edk)
				plaintext, err := read(t.Context(), next.metadata(), body, target, lenient())
				require.NoError(t, err, "%s to %s", from, to)
				require.Equal(t, []byte("hello"), plaintext)
			}
		}
	}
	_, err := (&header{suite: suiteCBC}).rewrap(t.Context(), newDataKey(), all["AES"], nil)
	require.ErrorIs(t, err, ErrLegacy)
}

// Nothing of a key is printed, whatever the verb.
func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	key := dataKey(counted(0x61, 32)) // "abcdef…"
	printed := []any{key, &key, struct{ K dataKey }{key}, &header{}}
	for _, w := range wrappers(t) {
		printed = append(printed, w)
	}
	k := wrappers(t)
	printed = append(printed, *k["KMS"].(*KMS), *k["AES"].(*AES), *k["RSA"].(*RSA))
	for _, v := range printed {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{"abcdef", "616263", "97 98", "1 2 3 4", "01020304", testRSA().D.String()[:20], "1, 2, 3", "0x1, 0x2"} {
				require.NotContains(t, text, secret)
			}
		}
	}
}
