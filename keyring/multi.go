package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Multi joins keyrings, so that each of them alone can decrypt what all of them
// have encrypted (Encryption SDK framework, "Multi-keyring"). It is safe for
// concurrent use.
type Multi struct {
	generator Keyring // may be nil
	children  []Keyring
}

var _ Keyring = (*Multi)(nil)

// NewMulti returns a keyring in which generator makes the data key and every
// child wraps it as well. The generator may be nil: the keyring then decrypts,
// and encrypts only materials that have a data key already. The children are
// copied, and none may be nil. There must be a generator or a child.
func NewMulti(generator Keyring, children ...Keyring) (*Multi, error) {
	if generator == nil && len(children) == 0 {
		return nil, errors.New("keyring: a multi-keyring of no keyrings")
	}
	if i := slices.Index(children, nil); i >= 0 {
		return nil, fmt.Errorf("keyring: child %d of the multi-keyring is nil", i)
	}
	return &Multi{generator, slices.Clone(children)}, nil
}

// OnEncrypt has the generator make and wrap the data key, then every child wrap
// it, in order. The first error ends it and leaves m unchanged. The error is
// [ErrMaterials] if m has a data key although there is a generator, if it has none
// and there is no generator, or if a keyring adds no encrypted data key.
func (k *Multi) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	switch {
	case k.generator != nil && m.HasDataKey():
		return fmt.Errorf("%w: the data key is already set, and a generator would make one", ErrMaterials)
	case k.generator == nil && !m.HasDataKey():
		return fmt.Errorf("%w: no data key, and the multi-keyring has no generator", ErrMaterials)
	}
	draft := m.draft()
	for _, ring := range k.keyrings() {
		if err := encryptWith(ctx, ring, draft); err != nil {
			if !m.HasDataKey() {
				draft.Destroy()
			}
			return err
		}
	}
	m.adopt(draft)
	return nil
}

// encryptWith calls ring.OnEncrypt and checks that it has done its part.
func encryptWith(ctx context.Context, ring Keyring, m *EncryptionMaterials) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before := len(m.keys)
	if err := ring.OnEncrypt(ctx, m); err != nil {
		return err
	}
	if !m.HasDataKey() || len(m.keys) == before {
		return fmt.Errorf("%w: a keyring has added no encrypted data key", ErrMaterials)
	}
	return nil
}

// OnDecrypt asks the generator, then the children in order, until one sets the
// data key. If none does, the error is one [*NoMatchError] with the attempts of
// all of them in order; an error that is not a *NoMatchError itself becomes an
// attempt without provider and info. When ctx is done no further keyring is asked.
func (k *Multi) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error {
	if m.HasDataKey() {
		return fmt.Errorf("%w: the data key is already set", ErrMaterials)
	}
	var failed NoMatchError
	for _, ring := range k.keyrings() {
		if err := ctx.Err(); err != nil {
			return err
		}
		draft := *m // a keyring that fails halfway must not show in m
		err := ring.OnDecrypt(ctx, &draft, keys)
		if err == nil {
			err = draft.Complete()
		}
		if err == nil {
			m.dataKey = draft.dataKey
			return nil
		}
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return err
		}
		// Not errors.As: what wraps a NoMatchError has to stay reachable.
		if none, ok := err.(*NoMatchError); ok {
			failed.Attempts = append(failed.Attempts, none.Attempts...)
		} else {
			failed.Attempts = append(failed.Attempts, Attempt{Err: err})
		}
	}
	return &failed
}

// keyrings returns the generator, if there is one, and the children.
func (k *Multi) keyrings() []Keyring {
	if k.generator == nil {
		return k.children
	}
	return append([]Keyring{k.generator}, k.children...)
}
