package local

import (
	"context"
	"crypto/rand"
	"encoding"
	"errors"
	"fmt"
	"strings"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/store"
)

// ChainState keeps in a sealed store what the chain of an audit log needs (see
// [audit.Chain]). Processes that share a store have chains of different names.
//
//	audit/NAME/newest          the engine of the newest chain
//	audit/NAME/head/ENGINE     where a chain stood when it was anchored last
//	audit/NAME/origin/ENGINE   what it is verified with
//	audit/NAME/owner           who goes on with it: random, of a process's ChainState
//
// If another process goes on with the chain, what the first one stores from then on fails
// with [ErrChainTaken]: two logs would have events of the same numbers.
type ChainState struct {
	store store.Store
	name  string

	token string // what audit/NAME/owner says from the first StoreHead on
	owns  bool   // since then; guarded by the chain, which does not call concurrently
}

// ErrChainTaken is wrapped by the errors of a [ChainState] whose name another process has
// taken for its own chain.
var ErrChainTaken = errors.New("local: another process goes on with the audit chain of this name")

var _ audit.ChainState = (*ChainState)(nil)

// NewChainState returns the state of the chain with the given name, which consists of 1 to
// 64 printable ASCII characters without a slash.
func NewChainState(s *store.Sealed, name string) (*ChainState, error) {
	odd := strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' })
	if name == "" || len(name) > 64 || odd {
		return nil, fmt.Errorf("local: name of an audit chain: 1 to 64 printable characters without a slash: %q", name)
	}
	return &ChainState{store: s, name: name, token: rand.Text()}, nil
}

func (s *ChainState) key(parts ...string) string {
	return "audit/" + s.name + "/" + strings.Join(parts, "/")
}

// Load implements [audit.ChainState].
func (s *ChainState) Load(ctx context.Context) (origin audit.Origin, head audit.Head, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		engine, err := tx.Get(s.key("newest"))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := load(tx, s.key("origin", string(engine)), &origin); err != nil {
			return err
		}
		return load(tx, s.key("head", string(engine)), &head)
	})
	if err != nil {
		return audit.Origin{}, audit.Head{}, err
	}
	return origin, head, nil
}

// StoreOrigin implements [audit.ChainState].
func (s *ChainState) StoreOrigin(ctx context.Context, o audit.Origin) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return save(tx, s.key("origin", o.Engine), o) })
}

// StoreHead implements [audit.ChainState].
func (s *ChainState) StoreHead(ctx context.Context, h audit.Head) error {
	err := s.store.Update(ctx, func(tx store.Tx) error {
		if err := s.own(tx); err != nil {
			return err
		}
		if err := save(tx, s.key("head", h.Engine), h); err != nil {
			return err
		}
		return tx.Put(s.key("newest"), []byte(h.Engine))
	})
	s.owns = s.owns || err == nil
	return err
}

// own makes the name this process's own, once, and finds out later if it is not any more.
func (s *ChainState) own(tx store.Tx) error {
	if !s.owns {
		return tx.Put(s.key("owner"), []byte(s.token))
	}
	switch owner, err := tx.Get(s.key("owner")); {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case string(owner) != s.token:
		return fmt.Errorf("%w: %q", ErrChainTaken, s.name)
	}
	return nil
}

// Verification returns what the log is verified with: the origins and the newest anchors
// of all chains that it has had.
func (s *ChainState) Verification(ctx context.Context) (v audit.Verification, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		v = audit.Verification{}
		for e, err := range tx.Scan(s.key("origin", ""), "") {
			if err != nil {
				return err
			}
			var o audit.Origin
			if err := decode(e, &o); err != nil {
				return err
			}
			v.Origins = append(v.Origins, o)
		}
		for e, err := range tx.Scan(s.key("head", ""), "") {
			if err != nil {
				return err
			}
			var h audit.Head
			if err := decode(e, &h); err != nil {
				return err
			}
			v.Anchors = append(v.Anchors, h.Anchor)
		}
		return nil
	})
	return v, err
}

func save(tx store.Tx, key string, v encoding.BinaryMarshaler) error {
	b, err := v.MarshalBinary()
	if err != nil {
		return err
	}
	defer clear(b)
	return tx.Put(key, b)
}

func load(tx store.Tx, key string, v encoding.BinaryUnmarshaler) error {
	b, err := tx.Get(key)
	if err != nil {
		return fmt.Errorf("local: %s: %w", key, err)
	}
	return decode(store.Entry{Key: key, Value: b}, v)
}

// decode reads a record and wipes it.
func decode(e store.Entry, v encoding.BinaryUnmarshaler) error {
	defer clear(e.Value)
	if err := v.UnmarshalBinary(e.Value); err != nil {
		return fmt.Errorf("local: %s: %w", e.Key, err)
	}
	return nil
}
