package keyringtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

func TestSoundKeyringPasses(t *testing.T) {
	t.Parallel()
	Run(t, sound)
}

func TestWrapsOnlyKeyringPasses(t *testing.T) {
	t.Parallel()
	Run(t, func(t *testing.T) Subject {
		s := sound(t)
		multi, err := keyring.NewMulti(nil, s.Encrypt)
		require.NoError(t, err)
		s.Encrypt, s.WrapsOnly = multi, true
		return s
	})
}

func TestGeneratesOnlyKeyringPasses(t *testing.T) {
	t.Parallel()
	Run(t, func(t *testing.T) Subject {
		s := sound(t)
		multi, err := keyring.NewMulti(s.Encrypt, newRawAES(t, "child", secret))
		require.NoError(t, err)
		s.Encrypt, s.GeneratesOnly = multi, true
		return s
	})
}

func TestWeakKeyringPassesWhereItSaysSo(t *testing.T) {
	t.Parallel()
	s := sound(t)
	s.Encrypt, s.Decrypt = xorRing{}, xorRing{}
	s.ContextUnbound, s.TamperYieldsKey = true, true
	for _, c := range cases {
		// The xor ring ignores the info and surplus bytes, which no subject may.
		messages := record(t, func(r reporter) { c.run(r, s) })
		if c.name == "an altered encrypted data key is refused" {
			require.NotEmpty(t, messages)
			continue
		}
		require.Empty(t, messages, c.name)
	}
}

func TestUnsignedOnlyKeyringPasses(t *testing.T) {
	t.Parallel()
	Run(t, func(t *testing.T) Subject {
		s := sound(t)
		unsignedOnly(t, &s)
		return s
	})
}

func TestKeyringThatBindsNoInfoPasses(t *testing.T) {
	t.Parallel()
	Run(t, func(t *testing.T) Subject {
		s := sound(t)
		anyInfo(t, &s)
		return s
	})
}

func TestUnusableSubjectIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Subject){
		"no Encrypt":     func(s *Subject) { s.Encrypt = nil },
		"no Decrypt":     func(s *Subject) { s.Decrypt = nil },
		"no Foreign":     func(s *Subject) { s.Foreign = nil },
		"contradiction":  func(s *Subject) { s.WrapsOnly, s.GeneratesOnly = true, true },
		"a short secret": func(s *Subject) { s.Secrets = append(s.Secrets, []byte("1234567")) },
	} {
		s := sound(t)
		require.Empty(t, record(t, func(r reporter) { s.check(r) }))
		change(&s)
		require.Len(t, record(t, func(r reporter) { s.check(r) }), 1, name)
	}
}

// TestDefectsAreFound breaks the sound subject in one way at a time and looks
// whether the case that is there for it fails.
func TestDefectsAreFound(t *testing.T) {
	t.Parallel()
	covered := make(map[string]bool)
	for _, d := range defects {
		covered[d.fails] = true
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := sound(t)
			d.plant(t, &s)
			for _, c := range cases {
				if c.name == d.fails {
					require.NotEmpty(t, record(t, func(r reporter) { c.run(r, s) }), "%q passes", c.name)
					return
				}
			}
			t.Fatalf("there is no case %q", d.fails)
		})
	}
	for _, c := range cases {
		require.True(t, covered[c.name], "no defect for the case %q", c.name)
	}
}

// The functions below shorten the table: they plant a replaced method.

type (
	encryptFunc = func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error
	decryptFunc = func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error
)

func encrypting(f encryptFunc) func(*testing.T, *Subject) {
	return func(_ *testing.T, s *Subject) {
		own := s.Encrypt
		s.Encrypt = hooks{Keyring: own, encrypt: func(ctx context.Context, m *keyring.EncryptionMaterials) error {
			return f(ctx, own, m)
		}}
	}
}

func failing(f encryptFunc) func(*testing.T, *Subject) {
	return func(_ *testing.T, s *Subject) {
		own := s.Encrypt
		s.Failing = hooks{encrypt: func(ctx context.Context, m *keyring.EncryptionMaterials) error {
			return f(ctx, own, m)
		}}
	}
}

func decrypting(f decryptFunc) func(*testing.T, *Subject) {
	return func(_ *testing.T, s *Subject) {
		own := s.Decrypt
		s.Decrypt = hooks{Keyring: own, decrypt: func(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			return f(ctx, own, m, keys)
		}}
	}
}

func claiming(f func(*Subject)) func(*testing.T, *Subject) {
	return func(_ *testing.T, s *Subject) { f(s) }
}

func weak(s *Subject) { s.Encrypt, s.Decrypt = xorRing{}, xorRing{} }

// unsignedOnly makes s refuse suites that sign.
func unsignedOnly(t *testing.T, s *Subject) {
	s.UnsignedOnly = true
	encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
		if m.Suite().Signed() {
			return errDefect
		}
		return own.OnEncrypt(ctx, m)
	})(t, s)
	decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
		if m.Suite().Signed() {
			return errDefect
		}
		return own.OnDecrypt(ctx, m, keys)
	})(t, s)
}

// anyInfo makes s take every name of a wrapping key for its own, but for the foreign
// one's.
func anyInfo(t *testing.T, s *Subject) {
	s.InfoUnbound = true
	decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
		renamed := make([]keyring.EncryptedDataKey, len(keys))
		for i, k := range keys {
			renamed[i] = k.Clone()
			if len(k.Info) >= len("own") && !bytes.HasPrefix(k.Info, []byte("foreign")) {
				copy(renamed[i].Info, "own")
			}
		}
		return own.OnDecrypt(ctx, m, renamed)
	})(t, s)
}

var errDefect = errors.New("defect")

var defects = []struct {
	name  string
	fails string // the case that has to find it
	plant func(*testing.T, *Subject)
}{
	{"decrypts to another key", "every suite's data key comes back",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			err := own.OnDecrypt(ctx, m, keys)
			m.DataKey()[0] ^= 1
			return err
		})},
	{"does not decrypt", "every suite's data key comes back",
		decrypting(func(context.Context, keyring.Keyring, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error {
			return errDefect
		})},
	{"succeeds without decrypting", "every suite's data key comes back",
		decrypting(func(context.Context, keyring.Keyring, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error {
			return nil
		})},
	{"succeeds without encrypting", "every suite's data key comes back",
		encrypting(func(context.Context, keyring.Keyring, *keyring.EncryptionMaterials) error { return nil })},
	{"does not encrypt", "every suite's data key comes back",
		encrypting(func(context.Context, keyring.Keyring, *keyring.EncryptionMaterials) error { return errDefect })},
	{"does not know one suite", "every suite's data key comes back",
		encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			if m.Suite() == keyring.AES192GCMHKDFSHA384ECDSAP384 {
				return errDefect
			}
			return own.OnEncrypt(ctx, m)
		})},

	{"encrypts signed suites against its claim", "a suite that signs is refused if the keyring takes none",
		func(t *testing.T, s *Subject) {
			unsignedOnly(t, s)
			s.Encrypt = sound(t).Encrypt
		}},
	{"tries to decrypt signed suites against its claim", "a suite that signs is refused if the keyring takes none",
		func(t *testing.T, s *Subject) {
			unsignedOnly(t, s)
			s.Decrypt = sound(t).Decrypt
		}},
	{"refuses signed suites too late", "a suite that signs is refused if the keyring takes none",
		func(t *testing.T, s *Subject) {
			unsignedOnly(t, s)
			encrypting(func(_ context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
				err := own.OnEncrypt(t.Context(), m)
				return errors.Join(err, randomKey(m))
			})(t, s)
		}},

	{"always the same data key", "a missing data key is made anew with the suite's length",
		encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			if err := m.SetDataKey(make([]byte, m.Suite().DataKeyLen())); err != nil {
				return err
			}
			return own.OnEncrypt(ctx, m)
		})},
	{"a data key without an encrypted one", "a missing data key is made anew with the suite's length",
		encrypting(func(_ context.Context, _ keyring.Keyring, m *keyring.EncryptionMaterials) error { return randomKey(m) })},
	{"generates against its claim", "a missing data key is made anew with the suite's length",
		claiming(func(s *Subject) { s.WrapsOnly = true })},

	{"changes the data key", "a data key that is there is wrapped and kept",
		encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			err := own.OnEncrypt(ctx, m)
			m.DataKey()[0] ^= 1
			return err
		})},
	{"only generates", "a data key that is there is wrapped and kept",
		encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			if m.HasDataKey() {
				return errDefect
			}
			return own.OnEncrypt(ctx, m)
		})},
	{"wraps against its claim", "a data key that is there is wrapped and kept",
		claiming(func(s *Subject) { s.GeneratesOnly = true })},

	{"alters what is there", "encrypted data keys go behind those already there",
		encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			for _, k := range m.EncryptedDataKeys() {
				k.Ciphertext[0] ^= 1
			}
			return own.OnEncrypt(ctx, m)
		})},
	{"adds nothing", "encrypted data keys go behind those already there",
		encrypting(func(context.Context, keyring.Keyring, *keyring.EncryptionMaterials) error { return nil })},

	{"tries the first only", "the keyring finds its own among foreign encrypted data keys",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			return own.OnDecrypt(ctx, m, keys[:min(1, len(keys))])
		})},
	{"any data key", "the keyring finds its own among foreign encrypted data keys",
		decrypting(func(_ context.Context, _ keyring.Keyring, m *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
			return randomKey(m)
		})},

	{"gives up after one", "an encrypted data key that does not open is passed over",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			for i, k := range keys {
				if bytes.HasPrefix(k.Info, []byte("own")) {
					return own.OnDecrypt(ctx, m, keys[i:i+1])
				}
			}
			return &keyring.NoMatchError{}
		})},
	{"takes an altered one", "an encrypted data key that does not open is passed over", claiming(weak)},

	{"decrypts again", "materials with a data key are not decrypted again",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			if m.HasDataKey() {
				return nil
			}
			return own.OnDecrypt(ctx, m, keys)
		})},
	{"refuses and overwrites", "materials with a data key are not decrypted again",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			clear(m.DataKey())
			return own.OnDecrypt(ctx, m, keys)
		})},

	{"another kind of error", "without an encrypted data key of its own the keyring reports no match",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			if own.OnDecrypt(ctx, m, keys) != nil {
				return errDefect
			}
			return nil
		})},
	{"a bare sentinel", "without an encrypted data key of its own the keyring reports no match",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			if own.OnDecrypt(ctx, m, keys) != nil {
				return keyring.ErrNoMatch
			}
			return nil
		})},
	{"opens a stranger's", "without an encrypted data key of its own the keyring reports no match",
		decrypting(func(_ context.Context, _ keyring.Keyring, m *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
			return randomKey(m)
		})},

	{"does not authenticate", "an altered encrypted data key is refused", claiming(weak)},
	{"ignores surplus bytes", "an altered encrypted data key is refused",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			cut := make([]keyring.EncryptedDataKey, len(keys))
			for i, k := range keys {
				cut[i] = k
				cut[i].Ciphertext = k.Ciphertext[:min(len(k.Ciphertext), 48)]
			}
			return own.OnDecrypt(ctx, m, cut)
		})},
	{"ignores surplus bytes and claims weakness", "an altered encrypted data key is refused",
		claiming(func(s *Subject) { weak(s); s.TamperYieldsKey = true })},
	{"does not look at the info against its claim", "an altered encrypted data key is refused",
		func(t *testing.T, s *Subject) {
			anyInfo(t, s)
			s.InfoUnbound = false
		}},
	{"another data key for another info", "an altered encrypted data key is refused",
		func(t *testing.T, s *Subject) {
			info := s.seal(t, unsigned).keys[0].Info
			anyInfo(t, s)
			decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
				err := own.OnDecrypt(ctx, m, keys)
				if err == nil && !bytes.Equal(keys[0].Info[:len("own")], info[:len("own")]) {
					m.DataKey()[0] ^= 1
				}
				return err
			})(t, s)
		}},
	{"decrypts none alone", "an altered encrypted data key is refused",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			if len(keys) == 1 {
				return errDefect
			}
			return own.OnDecrypt(ctx, m, keys)
		})},

	{"binds no context", "another encryption context is refused", claiming(weak)},
	{"refuses every context", "another encryption context is refused",
		decrypting(func(context.Context, keyring.Keyring, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error {
			return errDefect
		})},

	{"lengthens a data key", "a data key of another suite's length is refused", claiming(weak)},

	{"ignores its context to encrypt", "a cancelled context ends the call",
		encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			return own.OnEncrypt(context.WithoutCancel(ctx), m)
		})},
	{"ignores its context to decrypt", "a cancelled context ends the call",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			return own.OnDecrypt(context.WithoutCancel(ctx), m, keys)
		})},
	{"sets a data key and then looks at its context", "a cancelled context ends the call",
		encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			if err := randomKey(m); err != nil {
				return err
			}
			return own.OnEncrypt(ctx, m)
		})},
	{"decrypts and then looks at its context", "a cancelled context ends the call",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			if err := own.OnDecrypt(context.WithoutCancel(ctx), m, keys); err != nil {
				return err
			}
			return ctx.Err()
		})},

	{"remembers one message", "many goroutines share one keyring",
		func(_ *testing.T, s *Subject) {
			l := &lastKeyRing{Keyring: s.Encrypt}
			s.Encrypt, s.Decrypt = l, l
		}},
	{"fails", "many goroutines share one keyring",
		encrypting(func(context.Context, keyring.Keyring, *keyring.EncryptionMaterials) error { return errDefect })},

	{"alters a ciphertext", "what a call is given stays as it was",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			err := own.OnDecrypt(ctx, m, keys)
			keys[0].Ciphertext[0] ^= 1
			return err
		})},
	{"appends to an info", "what a call is given stays as it was",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			_ = append(keys[0].Info, "scribble"...)
			return own.OnDecrypt(ctx, m, keys)
		})},
	{"replaces an encrypted data key", "what a call is given stays as it was",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			err := own.OnDecrypt(ctx, m, keys)
			keys[0].Provider = "mine"
			return err
		})},
	{"alters the context to decrypt", "what a call is given stays as it was",
		decrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
			m.SerializedContext()[5] ^= 1
			return own.OnDecrypt(ctx, m, keys)
		})},
	{"alters the context to encrypt", "what a call is given stays as it was",
		encrypting(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			m.SerializedContext()[5] ^= 1
			return own.OnEncrypt(ctx, m)
		})},

	{"decrypts and fails", "a failed call leaves the materials as they were",
		decrypting(func(_ context.Context, _ keyring.Keyring, m *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
			return errors.Join(randomKey(m), errDefect)
		})},
	{"opens what is altered", "a failed call leaves the materials as they were", claiming(weak)},
	{"generates and fails", "a failed call leaves the materials as they were",
		failing(func(_ context.Context, _ keyring.Keyring, m *keyring.EncryptionMaterials) error {
			if !m.HasDataKey() {
				_ = randomKey(m)
			}
			return errDefect
		})},
	{"wraps and fails", "a failed call leaves the materials as they were",
		failing(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			if m.HasDataKey() {
				_ = own.OnEncrypt(ctx, m)
			}
			return errDefect
		})},
	{"does not fail", "a failed call leaves the materials as they were",
		failing(func(ctx context.Context, own keyring.Keyring, m *keyring.EncryptionMaterials) error {
			return own.OnEncrypt(ctx, m)
		})},

	{"holds its key openly", "no printed value and no error shows a secret",
		claiming(func(s *Subject) { s.Encrypt = talkative{s.Encrypt, secret} })},
	{"holds its key behind a pointer", "no printed value and no error shows a secret",
		claiming(func(s *Subject) { s.Decrypt = &talkative{s.Decrypt, string(secret)} })},
	{"holds its key in hexadecimal", "no printed value and no error shows a secret",
		claiming(func(s *Subject) { s.Decrypt = talkative{s.Decrypt, fmt.Sprintf("%X", secret)} })},
	{"holds its key in base64", "no printed value and no error shows a secret",
		claiming(func(s *Subject) {
			s.Encrypt = talkative{s.Encrypt, base64.StdEncoding.EncodeToString(secret)}
		})},
	{"names its key in an error", "no printed value and no error shows a secret",
		decrypting(func(context.Context, keyring.Keyring, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error {
			return fmt.Errorf("key %x does not fit", secret)
		})},
	{"names the data key in an error", "no printed value and no error shows a secret",
		failing(func(_ context.Context, _ keyring.Keyring, m *keyring.EncryptionMaterials) error {
			return fmt.Errorf("cannot wrap %v", m.DataKey())
		})},
}
