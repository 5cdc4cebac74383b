package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// RequiredContext is a manager that insists on some keys of the encryption context
// (Encryption SDK framework, "Required encryption context cryptographic materials
// manager"): messages cannot be encrypted without them, their pairs are authenticated
// but not stored, and nobody can decrypt who does not say what their values are. So a
// program that forgets to require the tenant of a message can read none.
//
// It is safe for concurrent use, and may stand above a [Caching] or below it.
type RequiredContext struct {
	underlying Manager
	keys       []string // sorted, each once
}

var _ Manager = (*RequiredContext)(nil)

// NewRequiredContext returns a manager that requires the keys, and gets its materials
// from underlying. There must be a key, none of them "aws-crypto-public-key", which
// can never be left out of a message. Keys that begin with [ReservedPrefix] are refused
// with it, because no encryption context may hold one. Duplicates count once.
func NewRequiredContext(underlying Manager, keys ...string) (*RequiredContext, error) {
	if underlying == nil {
		return nil, errors.New("keyring: required-context manager without an underlying manager")
	}
	if len(keys) == 0 {
		return nil, errors.New("keyring: required-context manager that requires no key")
	}
	all := make(EncryptionContext, len(keys))
	for _, k := range keys {
		all[k] = ""
	}
	if err := all.checkReserved(); err != nil {
		return nil, err
	}
	if _, err := all.AppendBinary(nil); err != nil {
		return nil, err
	}
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return &RequiredContext{underlying, slices.Compact(keys)}, nil
}

// EncryptionMaterials returns materials in which the required pairs are not stored.
// The error is [ErrEncryptionContext] if r's context lacks one of the keys, and
// [ErrMaterials] if the underlying manager would have one stored.
func (c *RequiredContext) EncryptionMaterials(ctx context.Context, r EncryptionRequest) (*EncryptionMaterials, error) {
	for _, k := range c.keys {
		if _, ok := r.Context[k]; !ok {
			return nil, fmt.Errorf("%w: the required key %q is missing", ErrEncryptionContext, k)
		}
	}
	r.RequiredContextKeys = slices.Concat(r.RequiredContextKeys, c.keys)
	slices.Sort(r.RequiredContextKeys)
	r.RequiredContextKeys = slices.Compact(r.RequiredContextKeys)
	m, err := c.underlying.EncryptionMaterials(ctx, r)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errNoMaterials
	}
	for _, k := range c.keys {
		if _, ok := slices.BinarySearch(m.required, k); !ok {
			m.Destroy()
			return nil, fmt.Errorf("%w: the required key %q would be stored", ErrMaterials, k)
		}
	}
	return m, nil
}

// DecryptionMaterials returns materials whose context holds the required pairs. The
// error is [ErrEncryptionContext] if r's reproduced context lacks one of the keys, and
// [ErrMaterials] if the underlying manager has left a pair out or changed it.
func (c *RequiredContext) DecryptionMaterials(ctx context.Context, r DecryptionRequest) (*DecryptionMaterials, error) {
	for _, k := range c.keys {
		if _, ok := r.Reproduced[k]; !ok {
			return nil, fmt.Errorf("%w: the required key %q is missing", ErrEncryptionContext, k)
		}
	}
	m, err := c.underlying.DecryptionMaterials(ctx, r)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errNoMaterials
	}
	for _, k := range c.keys {
		if have, ok := m.context[k]; !ok || have != r.Reproduced[k] {
			m.Destroy()
			return nil, fmt.Errorf("%w: the required key %q is not bound to the message", ErrMaterials, k)
		}
	}
	return m, nil
}
