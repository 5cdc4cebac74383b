package keyspec_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// TestGenerate wants new material each time, and that it parses.
func TestGenerate(t *testing.T) {
	t.Parallel()
	for _, s := range keyspec.All() {
		k := key(t, s.Name())
		require.Same(t, s, k.Spec())
		require.Equal(t, s.Asymmetric(), k.PublicKey() != nil)
		if strings.HasPrefix(s.Name(), "RSA") {
			continue // they take their time
		}
		other, err := s.Generate()
		require.NoError(t, err)
		require.NotEqual(t, material(s.Name()), other)
		require.Len(t, other, len(material(s.Name())))
		if s.Asymmetric() {
			require.NotEqual(t, k.PublicKey(), parse(t, s.Name(), other).PublicKey())
		}
	}
}

// calls has every method that takes an algorithm, or has one of its own.
var calls = map[string]func(k *keyspec.Key, algorithm string) error{
	"Sign":    func(k *keyspec.Key, a string) error { _, err := k.Sign(a, "RAW", nil); return err },
	"Verify":  func(k *keyspec.Key, a string) error { _, err := k.Verify(a, "RAW", nil, nil); return err },
	"Encrypt": func(k *keyspec.Key, a string) error { _, err := k.Encrypt(a, nil); return err },
	"Decrypt": func(k *keyspec.Key, a string) error { _, err := k.Decrypt(a, nil); return err },
	"Agree":   func(k *keyspec.Key, _ string) error { _, err := k.Agree(nil); return err },
	"Encapsulate": func(k *keyspec.Key, _ string) error {
		_, _, err := k.Encapsulate()
		return err
	},
	"Decapsulate": func(k *keyspec.Key, _ string) error { _, err := k.Decapsulate(nil); return err },
}

// can says which of calls a key answers, with which usage, and whether it needs the
// private key for it.
var can = map[string]struct {
	usage   string
	private bool
}{
	"Sign": {"SIGN_VERIFY", true}, "Verify": {"SIGN_VERIFY", false},
	"Encrypt": {"ENCRYPT_DECRYPT", false}, "Decrypt": {"ENCRYPT_DECRYPT", true},
	"Agree":       {"KEY_AGREEMENT", true},
	"Encapsulate": {"ENCAPSULATE_DECAPSULATE", false}, "Decapsulate": {"ENCAPSULATE_DECAPSULATE", true},
}

// misuse reports whether an error is for what the code has done wrong that made the
// call, not the request.
func misuse(err error) bool {
	return err != nil && strings.Contains(err.Error(), "cannot do this")
}

// TestMisuse makes every call with every algorithm on a key of every spec, with the
// private half and without.
func TestMisuse(t *testing.T) {
	t.Parallel()
	algorithms := map[string]bool{"": true, "ECDSA": true, "SM2DSA": true}
	for _, s := range keyspec.All() {
		for _, u := range s.Usages() {
			for _, a := range s.Algorithms(u) {
				algorithms[a] = true
			}
		}
	}
	for _, s := range keyspec.All() {
		keys := map[bool]*keyspec.Key{true: key(t, s.Name())}
		if s.Asymmetric() {
			keys[false] = parsePublic(t, s.Name(), keys[true].PublicKey())
		} else {
			_, err := s.ParsePublic(key(t, "RSA_2048").PublicKey())
			require.ErrorIs(t, err, keyspec.ErrMaterial)
		}
		for private, k := range keys {
			for algorithm := range algorithms {
				for name, call := range calls {
					has := false
					for _, a := range s.Algorithms(can[name].usage) {
						fixed := name == "Agree" || strings.HasSuffix(name, "capsulate")
						has = has || a == algorithm || fixed
					}
					has = has && !s.Symmetric() && (private || !can[name].private)
					require.Equal(t, !has, misuse(call(k, algorithm)), "%s of %s with %q", name, s.Name(), algorithm)
				}
				has := s.HMAC() && algorithm == s.Algorithms("GENERATE_VERIFY_MAC")[0]
				require.Equal(t, has, k.MAC(algorithm, nil) != nil)
				require.Equal(t, has, k.VerifyMAC(algorithm, nil, k.MAC(algorithm, nil)))
				require.False(t, k.VerifyMAC(algorithm, nil, nil))
			}
		}
	}
}

// TestKeysPrintAsTheirSpec looks for key material in whatever a log could have of a key.
func TestKeysPrintAsTheirSpec(t *testing.T) {
	t.Parallel()
	for _, s := range keyspec.All() {
		k := key(t, s.Name())
		want := "keyspec.Key{" + s.Name() + "}"
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			require.Equal(t, want, fmt.Sprintf(verb, k))
			require.Equal(t, want, fmt.Sprintf(verb, *k))
			require.Contains(t, fmt.Sprintf(verb, []any{*k}), want)
		}
		j, err := json.Marshal(map[string]any{"key": k})
		require.NoError(t, err)
		require.JSONEq(t, `{"key":{}}`, string(j))
		secret := material(s.Name())
		secret = secret[len(secret)-16:]
		text := fmt.Sprintf("%+v %#v", struct{ K *keyspec.Key }{k}, struct{ K keyspec.Key }{*k})
		require.NotContains(t, text, fmt.Sprintf("%x", secret))
		require.NotContains(t, text, base64.StdEncoding.EncodeToString(secret))
		require.NotContains(t, text, strings.Trim(fmt.Sprint(secret[:4]), "[]"))
	}
	require.Equal(t, "keyspec.Key{}", fmt.Sprint(keyspec.Key{}))
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	for _, s := range keyspec.All() {
		k := key(t, s.Name())
		peer := k.PublicKey()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for _, u := range s.Usages() {
					for _, a := range s.Algorithms(u) {
						useOnce(t, k, u, a, peer)
					}
				}
			})
		}
		wg.Wait()
	}
}

// useOnce uses a key for what it is for, there and back.
func useOnce(t *testing.T, k *keyspec.Key, usage, algorithm string, peer []byte) {
	ok := true
	switch usage {
	case "SIGN_VERIFY":
		messageType, message := "RAW", make([]byte, 64)
		if algorithm == "ED25519_PH_SHA_512" {
			messageType = "DIGEST"
		}
		signature, err := k.Sign(algorithm, messageType, message)
		valid, _ := k.Verify(algorithm, messageType, message, signature)
		ok = err == nil && valid
	case "ENCRYPT_DECRYPT":
		if k.Spec().Symmetric() {
			return
		}
		ciphertext, err := k.Encrypt(algorithm, []byte("plaintext"))
		plaintext, _ := k.Decrypt(algorithm, ciphertext)
		ok = err == nil && string(plaintext) == "plaintext"
	case "KEY_AGREEMENT":
		secret, err := k.Agree(peer)
		ok = err == nil && len(secret) > 0
	case "GENERATE_VERIFY_MAC":
		ok = k.VerifyMAC(algorithm, nil, k.MAC(algorithm, nil))
	case "ENCAPSULATE_DECAPSULATE":
		secret, ciphertext, err := k.Encapsulate()
		got, _ := k.Decapsulate(ciphertext)
		ok = err == nil && string(got) == string(secret)
	}
	if !ok {
		t.Errorf("%s with %s", k.Spec().Name(), algorithm)
	}
}
