package keyringtest

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/sealring/sealring/keyring"
)

func findsOwn(r reporter, s Subject) {
	m, foreign := s.seal(r, unsigned), seal(r, s.Foreign, unsigned, false)
	keys := slices.Concat([]keyring.EncryptedDataKey{stranger()}, foreign.keys, m.keys, foreign.keys)
	if key, err := m.open(r, s.Decrypt, keys...); err != nil {
		r.Errorf("OnDecrypt: %v", err)
	} else if !bytes.Equal(key, m.dataKey) {
		r.Errorf("OnDecrypt gave another data key than its own")
	}
}

func passesOver(r reporter, s Subject) {
	if s.TamperYieldsKey {
		return // the first may well win
	}
	m := s.seal(r, unsigned)
	keys := append(alteredAll(m.keys), m.keys...)
	if key, err := m.open(r, s.Decrypt, keys...); err != nil {
		r.Errorf("OnDecrypt: %v", err)
	} else if !bytes.Equal(key, m.dataKey) {
		r.Errorf("OnDecrypt gave another data key than OnEncrypt")
	}
}

func decryptsOnce(r reporter, s Subject) {
	first, second := s.seal(r, unsigned), s.seal(r, unsigned)
	d := first.materials(r)
	if err := s.Decrypt.OnDecrypt(r.Context(), d, first.keys); err != nil {
		r.Fatalf("OnDecrypt: %v", err)
	}
	if err := s.Decrypt.OnDecrypt(r.Context(), d, second.keys); !errors.Is(err, keyring.ErrMaterials) {
		r.Errorf("OnDecrypt of materials with a data key returned %v instead of ErrMaterials", err)
	}
	if !bytes.Equal(d.DataKey(), first.dataKey) {
		r.Errorf("OnDecrypt changed the data key that was there")
	}
}

func reportsNoMatch(r reporter, s Subject) {
	m := seal(r, s.Foreign, unsigned, false)
	for name, keys := range map[string][]keyring.EncryptedDataKey{
		"no encrypted data key": nil,
		"a stranger's":          {stranger()},
		"a foreign keyring's":   m.keys,
	} {
		_, err := m.open(r, s.Decrypt, keys...)
		var none *keyring.NoMatchError
		if !errors.As(err, &none) || !errors.Is(err, keyring.ErrNoMatch) {
			r.Errorf("%s: OnDecrypt returned %v instead of a *NoMatchError", name, err)
		}
	}
}

// refusesAltered tries each encrypted data key that opens by itself.
func refusesAltered(r reporter, s Subject) {
	m := s.seal(r, unsigned)
	opened := 0
	for _, k := range m.keys {
		if _, err := m.open(r, s.Decrypt, k); err != nil {
			continue // another keyring's part, such as a generator that cannot decrypt
		}
		opened++
		for what, bad := range alterations(k) {
			key, err := m.open(r, s.Decrypt, bad)
			same, info := bytes.Equal(key, m.dataKey), !bytes.Equal(bad.Info, k.Info)
			switch {
			case err != nil || info && same && s.InfoUnbound:
			case !s.TamperYieldsKey:
				r.Fatalf("OnDecrypt opened an encrypted data key with %s", what)
			case same:
				r.Fatalf("OnDecrypt gave the same data key with %s", what)
			}
		}
	}
	if opened == 0 {
		r.Errorf("no encrypted data key opens by itself")
	}
}

// alterations yields k with each bit of each field flipped (one bit of each byte
// in a field of more than 128 bytes), and with the ciphertext shortened to every
// length and lengthened by one byte.
func alterations(k keyring.EncryptedDataKey) iter.Seq2[string, keyring.EncryptedDataKey] {
	return func(yield func(string, keyring.EncryptedDataKey) bool) {
		for field, original := range map[string][]byte{
			"provider": []byte(k.Provider), "info": k.Info, "ciphertext": k.Ciphertext,
		} {
			for i := range 8 * len(original) {
				if at, bit := i/8, i%8; len(original) > 128 && bit != at%8 {
					continue
				}
				b := bytes.Clone(original)
				b[i/8] ^= 1 << (i % 8)
				if !yield(fmt.Sprintf("bit %d of the %s flipped", i, field), with(k, field, b)) {
					return
				}
			}
		}
		for n := range k.Ciphertext {
			if !yield(fmt.Sprintf("a ciphertext of %d bytes", n), with(k, "ciphertext", k.Ciphertext[:n:n])) {
				return
			}
		}
		longer := append(bytes.Clone(k.Ciphertext), 0)
		yield("a byte behind the ciphertext", with(k, "ciphertext", longer))
	}
}

// with returns k with another value in a field.
func with(k keyring.EncryptedDataKey, field string, value []byte) keyring.EncryptedDataKey {
	switch field {
	case "provider":
		k.Provider = string(value)
	case "info":
		k.Info = value
	default:
		k.Ciphertext = value
	}
	return k
}

func bindsContext(r reporter, s Subject) {
	if s.ContextUnbound {
		return
	}
	m := s.seal(r, unsigned)
	for name, change := range map[string]func(keyring.EncryptionContext){
		"a changed value":  func(c keyring.EncryptionContext) { c["tenant"] = "43" },
		"a changed key":    func(c keyring.EncryptionContext) { c["tenants"] = c["tenant"]; delete(c, "tenant") },
		"another pair":     func(c keyring.EncryptionContext) { c["more"] = "" },
		"a pair less":      func(c keyring.EncryptionContext) { delete(c, "tenant") },
		"values exchanged": func(c keyring.EncryptionContext) { c["tenant"], c["purpose"] = c["purpose"], c["tenant"] },
		"nothing":          func(c keyring.EncryptionContext) { clear(c) },
	} {
		other := m
		other.context = maps.Clone(m.context)
		change(other.context)
		if _, err := other.open(r, s.Decrypt, m.keys...); err == nil {
			r.Errorf("OnDecrypt succeeded under a context with %s", name)
		}
	}
	if _, err := m.open(r, s.Decrypt, m.keys...); err != nil {
		r.Errorf("OnDecrypt under the right context: %v", err)
	}
}

func refusesLength(r reporter, s Subject) {
	m := s.seal(r, keyring.AES128GCMHKDFSHA256)
	m.suite = keyring.AES256GCMHKDFSHA256
	if _, err := m.open(r, s.Decrypt, m.keys...); err == nil && !s.TamperYieldsKey {
		r.Errorf("OnDecrypt opened a data key of 16 bytes for a suite of 32")
	}
}

// sharedByMany lets all goroutines encrypt before any decrypts, so that a keyring
// which remembers one message in between is found without luck.
func sharedByMany(r reporter, s Subject) {
	sealed := make([]message, 16)
	each := func(f func(i int) error) {
		var wg sync.WaitGroup
		for i := range sealed {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if err := f(i); err != nil {
					r.Errorf("goroutine %d: %v", i, err)
				}
			}()
		}
		wg.Wait()
	}
	// Fatalf is for the test's own goroutine, and so are the materials.
	encryption := make([]*keyring.EncryptionMaterials, len(sealed))
	for i := range sealed {
		encryption[i] = newMaterials(r, unsigned, s.WrapsOnly)
	}
	each(func(i int) error { return s.Encrypt.OnEncrypt(r.Context(), encryption[i]) })
	decryption := make([]*keyring.DecryptionMaterials, len(sealed))
	for i, m := range encryption {
		sealed[i] = message{unsigned, m.Context(), m.DataKey(), m.EncryptedDataKeys()}
		decryption[i] = sealed[i].materials(r)
	}
	each(func(i int) error {
		err := s.Decrypt.OnDecrypt(r.Context(), decryption[i], sealed[i].keys)
		if err == nil && !bytes.Equal(decryption[i].DataKey(), sealed[i].dataKey) {
			err = errors.New("OnDecrypt gave another data key than OnEncrypt")
		}
		return err
	})
}

// keepsInputs passes slices with room behind them, in which an append would show.
func keepsInputs(r reporter, s Subject) {
	m := s.seal(r, unsigned)
	bad := alteredAll(m.keys)
	for _, keys := range [][]keyring.EncryptedDataKey{
		slices.Concat(bad, m.keys), append(bad, stranger()), // one opens, the other does not
	} {
		given, kept := slices.Clone(keys), slices.Clone(keys)
		for i, k := range keys {
			given[i].Info, given[i].Ciphertext = roomy(k.Info), roomy(k.Ciphertext)
			kept[i].Info, kept[i].Ciphertext = whole(given[i].Info), whole(given[i].Ciphertext)
		}
		d := m.materials(r)
		context := bytes.Clone(d.SerializedContext())
		_ = s.Decrypt.OnDecrypt(r.Context(), d, given) // other cases look at the result
		if !bytes.Equal(d.SerializedContext(), context) {
			r.Errorf("OnDecrypt changed the serialised context")
		}
		for i, k := range given {
			k.Info, k.Ciphertext = k.Info[:cap(k.Info)], k.Ciphertext[:cap(k.Ciphertext)]
			if !equalKeys(k, kept[i]) {
				r.Errorf("OnDecrypt changed encrypted data key %d", i)
			}
		}
	}
	e := newMaterials(r, unsigned, s.WrapsOnly)
	context := bytes.Clone(e.SerializedContext())
	_ = s.Encrypt.OnEncrypt(r.Context(), e)
	if !bytes.Equal(e.SerializedContext(), context) {
		r.Errorf("OnEncrypt changed the serialised context")
	}
}

// roomy returns a copy of b with 16 bytes of spare capacity, and whole a copy of b
// and its spare bytes.
func roomy(b []byte) []byte { return append(make([]byte, 0, len(b)+16), b...) }
func whole(b []byte) []byte { return bytes.Clone(b[:cap(b)]) }

func equalAll(a, b []keyring.EncryptedDataKey) bool { return slices.EqualFunc(a, b, equalKeys) }
