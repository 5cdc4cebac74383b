package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/keyringtest"
)

func failingEncrypt(context.Context, *keyring.EncryptionMaterials) error { return errFake }

func TestMultiConformance(t *testing.T) {
	t.Parallel()
	for name, subject := range map[string]func(t *testing.T) keyringtest.Subject{
		"generator and children": func(t *testing.T) keyringtest.Subject {
			a, b := newAES(t, "a"), newAES(t, "b")
			return keyringtest.Subject{
				Encrypt: newMulti(t, a, b, newAES(t, "c")), Decrypt: newMulti(t, a, b), GeneratesOnly: true,
				Failing: newMulti(t, a, b, fake{encrypt: failingEncrypt}),
			}
		},
		"children": func(t *testing.T) keyringtest.Subject {
			a, b := newAES(t, "a"), newAES(t, "b")
			return keyringtest.Subject{
				Encrypt: newMulti(t, nil, a, b), Decrypt: newMulti(t, nil, b), WrapsOnly: true,
				Failing: newMulti(t, nil, a, b, fake{encrypt: failingEncrypt}),
			}
		},
		"generator": func(t *testing.T) keyringtest.Subject {
			ring := newMulti(t, newAES(t, "a"))
			return keyringtest.Subject{Encrypt: ring, Decrypt: ring, GeneratesOnly: true}
		},
		"one child alone": func(t *testing.T) keyringtest.Subject {
			a, b := newAES(t, "a"), newAES(t, "b")
			return keyringtest.Subject{Encrypt: newMulti(t, a, b), Decrypt: b, GeneratesOnly: true}
		},
		"nested": func(t *testing.T) keyringtest.Subject {
			a, b, c := newAES(t, "a"), newAES(t, "b"), newAES(t, "c")
			ring := newMulti(t, newMulti(t, a, b), newMulti(t, nil, c))
			return keyringtest.Subject{Encrypt: ring, Decrypt: ring, GeneratesOnly: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				s := subject(t)
				s.Foreign = newAES(t, "foreign")
				for _, letter := range []byte("abc") { // newAES's keys
					var key [32]byte
					for i := range key {
						key[i] = letter
					}
					s.Secrets = append(s.Secrets, key[:])
				}
				return s
			})
		})
	}
}

func TestNewMultiRefuses(t *testing.T) {
	t.Parallel()
	a := newAES(t, "a")
	_, err := keyring.NewMulti(nil)
	require.ErrorContains(t, err, "no keyrings")
	_, err = keyring.NewMulti(a, a, nil)
	require.ErrorContains(t, err, "child 1 ")
	_, err = keyring.NewMulti(nil, nil)
	require.ErrorContains(t, err, "child 0 ")
}

func TestMultiCopiesItsChildren(t *testing.T) {
	t.Parallel()
	children := []keyring.Keyring{newAES(t, "b")}
	ring := newMulti(t, newAES(t, "a"), children...)
	children[0] = fake{encrypt: failingEncrypt}
	require.NoError(t, ring.OnEncrypt(t.Context(), encryption(t, unsigned)))
}

func TestMultiEncryptsInOrder(t *testing.T) {
	t.Parallel()
	m := encryption(t, unsigned)
	ring := newMulti(t, newAES(t, "a"), newAES(t, "b"), newAES(t, "c"))
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	var names []byte
	for _, k := range m.EncryptedDataKeys() {
		names = append(names, k.Info[0])
	}
	require.Equal(t, "abc", string(names))
}

func TestMultiWantsEveryKeyringToDoItsPart(t *testing.T) {
	t.Parallel()
	idle := fake{encrypt: func(context.Context, *keyring.EncryptionMaterials) error { return nil }}
	generatesOnly := fake{encrypt: func(_ context.Context, m *keyring.EncryptionMaterials) error {
		return m.SetDataKey(make([]byte, 32))
	}}
	destroys := fake{encrypt: func(_ context.Context, m *keyring.EncryptionMaterials) error {
		defer m.Destroy()
		return m.AddEncryptedDataKey(edk("x"))
	}}
	for name, ring := range map[string]*keyring.Multi{
		"idle generator":           newMulti(t, idle, newAES(t, "b")),
		"generator without wrap":   newMulti(t, generatesOnly, newAES(t, "b")),
		"idle child":               newMulti(t, newAES(t, "a"), newAES(t, "b"), idle),
		"child destroys":           newMulti(t, newAES(t, "a"), destroys),
		"child generates anew":     newMulti(t, newAES(t, "a"), generatesOnly),
		"child is a multi-keyring": newMulti(t, newAES(t, "a"), newMulti(t, newAES(t, "b"))),
	} {
		m := encryption(t, unsigned)
		require.ErrorIs(t, ring.OnEncrypt(t.Context(), m), keyring.ErrMaterials, name)
		require.False(t, m.HasDataKey(), name)
		require.Empty(t, m.EncryptedDataKeys(), name)
	}
}

// A data key that nobody will use is wiped; one that was there before is not.
func TestMultiWipesADraft(t *testing.T) {
	t.Parallel()
	var seen []byte
	spy := fake{encrypt: func(_ context.Context, m *keyring.EncryptionMaterials) error {
		seen = m.DataKey()
		return errFake
	}}
	m := encryption(t, unsigned)
	require.ErrorIs(t, newMulti(t, newAES(t, "a"), spy).OnEncrypt(t.Context(), m), errFake)
	require.Equal(t, make([]byte, 32), seen)
	require.NoError(t, newAES(t, "a").OnEncrypt(t.Context(), m), "the materials are as good as new")

	require.ErrorIs(t, newMulti(t, nil, newAES(t, "b"), spy).OnEncrypt(t.Context(), m), errFake)
	require.NotEqual(t, make([]byte, 32), m.DataKey())
	require.Len(t, m.EncryptedDataKeys(), 1)
}

func TestMultiAsksTheGeneratorFirst(t *testing.T) {
	t.Parallel()
	var asked []string
	ring := func(name string, err error) keyring.Keyring {
		return fake{decrypt: func(_ context.Context, m *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
			asked = append(asked, name)
			if err != nil {
				return err
			}
			return m.SetDataKey(make([]byte, 32))
		}}
	}
	d := decryption(t, encryption(t, unsigned))
	multi := newMulti(t, ring("generator", errFake), ring("first", errFake), ring("second", nil), ring("third", nil))
	require.NoError(t, multi.OnDecrypt(t.Context(), d, nil))
	require.Equal(t, []string{"generator", "first", "second"}, asked)
	require.True(t, d.HasDataKey())

	require.ErrorIs(t, multi.OnDecrypt(t.Context(), d, nil), keyring.ErrMaterials)
	require.Len(t, asked, 3)
}

// wrapping is an error that holds another and says more.
type wrapping struct{ error }

func (w wrapping) Unwrap() error { return w.error }

func TestMultiKeepsEveryError(t *testing.T) {
	t.Parallel()
	first, second, third := errors.New("first"), errors.New("second"), errors.New("third")
	failing := func(err error) keyring.Keyring {
		return fake{decrypt: func(context.Context, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error { return err }}
	}
	attempt := func(name string, err error) keyring.Attempt {
		return keyring.Attempt{Provider: "test", Info: []byte(name), Err: err}
	}
	inner := wrapping{&keyring.NoMatchError{Attempts: []keyring.Attempt{attempt("w", third)}}}
	ring := newMulti(t,
		failing(&keyring.NoMatchError{Attempts: []keyring.Attempt{attempt("a", first), attempt("b", keyring.ErrUnwrap)}}),
		failing(&keyring.NoMatchError{}),
		newMulti(t, nil, failing(second), failing(&keyring.NoMatchError{Attempts: []keyring.Attempt{attempt("c", errFake)}})),
		failing(inner),
		failing(nil), // claims success and sets no data key
	)
	d := decryption(t, encryption(t, unsigned))
	err := ring.OnDecrypt(t.Context(), d, nil)
	require.False(t, d.HasDataKey())

	none, ok := err.(*keyring.NoMatchError)
	require.True(t, ok, "%T", err)
	require.Equal(t, []keyring.Attempt{
		attempt("a", first), attempt("b", keyring.ErrUnwrap), {Err: second}, attempt("c", errFake), {Err: inner},
	}, none.Attempts[:5])
	require.Len(t, none.Attempts, 6)
	require.ErrorIs(t, none.Attempts[5].Err, keyring.ErrMaterials)
	for _, target := range []error{first, second, third, errFake, keyring.ErrUnwrap, keyring.ErrMaterials, keyring.ErrNoMatch} {
		require.ErrorIs(t, err, target)
	}
	var w wrapping
	require.ErrorAs(t, err, &w)
	require.Contains(t, err.Error(), `; "test" "a": first; "test" "b": `)
	require.Contains(t, err.Error(), `; second; "test" "c": fake failure; `)
}

func TestMultiIsolatesAKeyringThatFailsHalfway(t *testing.T) {
	t.Parallel()
	m := encryption(t, unsigned)
	require.NoError(t, newAES(t, "b").OnEncrypt(t.Context(), m))
	halfway := fake{decrypt: func(_ context.Context, d *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
		return errors.Join(d.SetDataKey(make([]byte, 32)), errFake)
	}}
	d := decryption(t, m)
	require.NoError(t, newMulti(t, halfway, newAES(t, "b")).OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
	require.Equal(t, m.DataKey(), d.DataKey())

	d = decryption(t, m)
	require.ErrorIs(t, newMulti(t, halfway).OnDecrypt(t.Context(), d, m.EncryptedDataKeys()), errFake)
	require.False(t, d.HasDataKey())
}

func TestMultiEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]func(context.Context) error{
		"context's error": func(ctx context.Context) error { return fmt.Errorf("call: %w", ctx.Err()) },
		"another error":   func(context.Context) error { return errFake },
		"no match":        func(context.Context) error { return &keyring.NoMatchError{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d := decryption(t, encryption(t, unsigned))
			err := newMulti(t, fake{
				decrypt: func(ctx context.Context, _ *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
					cancel()
					return result(ctx)
				},
			}, fake{}).OnDecrypt(ctx, d, nil) // the child panics if it is asked
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, keyring.ErrNoMatch)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last := fake{decrypt: func(ctx context.Context, _ *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
		cancel()
		return fmt.Errorf("call: %w", ctx.Err())
	}}
	err := newMulti(t, last).OnDecrypt(ctx, decryption(t, encryption(t, unsigned)), nil)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, keyring.ErrNoMatch)

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	m := encryption(t, unsigned)
	err = newMulti(t, fake{encrypt: func(ctx context.Context, m *keyring.EncryptionMaterials) error {
		cancel()
		return newAES(t, "a").OnEncrypt(context.WithoutCancel(ctx), m)
	}}, fake{}).OnEncrypt(ctx, m)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, m.HasDataKey())
}

// A message may hold megabytes of what its data keys are called: no error repeats that.
func TestNoMatchErrorIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<16-1)
	err := &keyring.NoMatchError{Attempts: []keyring.Attempt{{Provider: long, Info: []byte(long), Err: errFake}}}
	require.Less(t, len(err.Error()), 1000)
	require.ErrorContains(t, err, long[:200])
	require.Equal(t, long, string(err.Attempts[0].Info))
}
