package keyringtest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"github.com/sealring/sealring/keyring"
)

func keepsSecrets(r reporter, s Subject) {
	m := s.seal(r, unsigned)
	secrets := append([][]byte{m.dataKey}, s.Secrets...)
	for _, ring := range []keyring.Keyring{s.Encrypt, s.Decrypt} {
		values := []any{ring}
		if v := reflect.ValueOf(ring); v.Kind() == reflect.Pointer && !v.IsNil() {
			values = append(values, v.Elem().Interface()) // as a copied value prints
		}
		for _, v := range values {
			lookFor(r, secrets, fmt.Sprintf("a %T", v), v)
		}
	}
	for name, err := range failures(r, s, m) {
		lookFor(r, secrets, "the error for "+name, err)
	}
}

// failures returns errors of the subject's, nil where a call has succeeded.
func failures(r reporter, s Subject, m message) map[string]error {
	errs := make(map[string]error)
	_, errs["altered keys"] = m.open(r, s.Decrypt, alteredAll(m.keys)...)
	short := m
	short.suite = keyring.AES128GCMHKDFSHA256
	_, errs["a data key of the wrong length"] = short.open(r, s.Decrypt, m.keys...)
	other := m
	other.context = keyring.EncryptionContext{"tenant": "43"}
	_, errs["another context"] = other.open(r, s.Decrypt, m.keys...)
	if s.Failing != nil {
		e := newMaterials(r, unsigned, false)
		if err := e.SetDataKey(m.dataKey); err != nil {
			r.Fatalf("setting the data key: %v", err)
		}
		errs["a wrapping that fails"] = s.Failing.OnEncrypt(r.Context(), e)
	}
	return errs
}

// lookFor reports secrets in the ways in which v may be printed.
func lookFor(r reporter, secrets [][]byte, name string, v any) {
	r.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(verb, v)
		for i, secret := range secrets {
			for form, shape := range shapes(secret) {
				if strings.Contains(text, shape) {
					r.Errorf("%s shows secret %d (0 is the data key) in %s with %s", name, i, form, verb)
				}
			}
		}
	}
}

// shapes returns the texts as which a secret may be found, by name.
func shapes(secret []byte) map[string]string {
	list := fmt.Sprintf("%v", secret)
	source := fmt.Sprintf("%#v", secret)
	return map[string]string{
		"raw bytes":         string(secret),
		"quoted bytes":      strings.Trim(fmt.Sprintf("%q", secret), `"`),
		"hexadecimal":       hex.EncodeToString(secret),
		"upper-case hex":    strings.ToUpper(hex.EncodeToString(secret)),
		"base64":            base64.RawStdEncoding.EncodeToString(secret),
		"URL-safe base64":   base64.RawURLEncoding.EncodeToString(secret),
		"a list of numbers": strings.Trim(list, "[]"),
		"a Go composite":    strings.TrimSuffix(strings.TrimPrefix(source, "[]byte{"), "}"),
	}
}
