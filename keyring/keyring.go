package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// Keyring wraps data keys for encryption and unwraps them for decryption. A
// keyring is safe for concurrent use; one set of materials is not.
//
// A keyring either completes its change of the materials or returns an error and
// leaves them as they were.
type Keyring interface {
	// OnEncrypt generates the data key if m has none, wraps it, and adds at least
	// one encrypted data key to m.
	OnEncrypt(ctx context.Context, m *EncryptionMaterials) error

	// OnDecrypt sets m's data key from the first of keys that it can decrypt. m
	// must not have a data key yet. The error is a [*NoMatchError] if no key was
	// for this keyring or none could be decrypted.
	OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error
}

// EncryptedDataKey is a data key wrapped by one wrapping key, as it stands in a
// message's header. Each field holds at most 65,535 bytes.
type EncryptedDataKey struct {
	Provider   string // which kind of keyring: a namespace, or such as "aws-kms" and "raw-ecdh"
	Info       []byte // which wrapping key, and how it was used
	Ciphertext []byte
}

// Clone returns a deep copy of k.
func (k EncryptedDataKey) Clone() EncryptedDataKey {
	k.Info, k.Ciphertext = bytes.Clone(k.Info), bytes.Clone(k.Ciphertext)
	return k
}

// WrapFunc encrypts a data key. It must neither keep nor change the key.
type WrapFunc func(ctx context.Context, key []byte) (EncryptedDataKey, error)

// GenerateFunc returns a new data key of n bytes and its encryption. The caller
// owns the key.
type GenerateFunc func(ctx context.Context, n int) (key []byte, wrapped EncryptedDataKey, err error)

// UnwrapFunc decrypts an encrypted data key. The caller owns the result.
type UnwrapFunc func(ctx context.Context, k EncryptedDataKey) ([]byte, error)

// Wrap is the common body of every keyring's OnEncrypt. If m has a data key, it
// is wrapped with wrap; if not, one is made by generate, or by the system's
// random generator and wrap where generate is nil. m is changed only if all of
// it succeeds. When ctx is done nothing is called and ctx's error returned.
func Wrap(ctx context.Context, m *EncryptionMaterials, wrap WrapFunc, generate GenerateFunc) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.HasDataKey() {
		ctx, end := BeginKeyWrapping(ctx, KeyWrapping{Operation: OpWrap})
		wrapped, err := wrap(ctx, m.dataKey)
		if err == nil {
			err = m.AddEncryptedDataKey(wrapped)
		}
		end(wrapped, err)
		return err
	}
	operation := OpGenerate
	if generate == nil {
		operation = OpWrap
		generate = func(ctx context.Context, n int) ([]byte, EncryptedDataKey, error) {
			key := make([]byte, n)
			rand.Read(key)
			wrapped, err := wrap(ctx, key)
			return key, wrapped, err
		}
	}
	ctx, end := BeginKeyWrapping(ctx, KeyWrapping{Operation: operation})
	key, wrapped, err := generate(ctx, m.suite.KeyLen)
	defer clear(key)
	if err == nil {
		err = m.setWrapped(key, wrapped)
	}
	end(wrapped, err)
	return err
}

// Unwrap is the common body of every keyring's OnDecrypt. It hands each of keys
// that match admits to unwrap, in order, until one yields a data key of the right
// length, and collects the failures in a [*NoMatchError]. When ctx is done it
// returns ctx's error at once.
func Unwrap(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey, match func(EncryptedDataKey) bool, unwrap UnwrapFunc) error {
	if m.HasDataKey() {
		return fmt.Errorf("%w: the data key is already set", ErrMaterials)
	}
	var failed NoMatchError
	for _, k := range keys {
		if !match(k) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := unwrapInto(ctx, m, k, unwrap)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return err
		}
		failed.Attempts = append(failed.Attempts, Attempt{k.Provider, bytes.Clone(k.Info), err})
	}
	return &failed
}

// unwrapInto sets m's data key to what unwrap makes of k.
func unwrapInto(ctx context.Context, m *DecryptionMaterials, k EncryptedDataKey, unwrap UnwrapFunc) error {
	ctx, end := BeginKeyWrapping(ctx, KeyWrapping{Operation: OpUnwrap, Key: k})
	key, err := unwrap(ctx, k)
	if err == nil {
		err = m.SetDataKey(key)
		clear(key)
	}
	end(k, err)
	return err
}
