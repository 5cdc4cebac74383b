package main

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/store"
)

// auditState keeps in the sealed store what the chain of an audit log needs. Servers
// that share a store have logs of different names.
//
//	audit/NAME/newest          the engine of the newest chain
//	audit/NAME/head/ENGINE     where a chain stood when it was anchored last
//	audit/NAME/origin/ENGINE   what it is verified with
type auditState struct {
	store store.Store
	name  string
}

var _ audit.ChainState = auditState{}

// auditName returns the name of a log, which has to stay apart from those of others:
// by default one for a store that one server has for itself, and that of the machine for
// one that several share.
func auditName(name string, s *storeFlags) (string, error) {
	switch {
	case name == "" && len(s.etcd.endpoints) == 0:
		return "default", nil
	case name == "":
		host, err := os.Hostname()
		if err != nil {
			return "", err
		}
		name = host
	}
	if len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
		return "", usagef("-audit-name: 1 to 64 printable characters without a slash: %q", name)
	}
	return name, nil
}

func (s auditState) key(parts ...string) string {
	return "audit/" + s.name + "/" + strings.Join(parts, "/")
}

// Load implements [audit.ChainState].
func (s auditState) Load(ctx context.Context) (origin audit.Origin, head audit.Head, err error) {
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
func (s auditState) StoreOrigin(ctx context.Context, o audit.Origin) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return save(tx, s.key("origin", o.Engine), o) })
}

// StoreHead implements [audit.ChainState].
func (s auditState) StoreHead(ctx context.Context, h audit.Head) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		if err := save(tx, s.key("head", h.Engine), h); err != nil {
			return err
		}
		return tx.Put(s.key("newest"), []byte(h.Engine))
	})
}

// verification returns all origins and anchors of the log.
func (s auditState) verification(ctx context.Context) (v audit.Verification, err error) {
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
		return fmt.Errorf("%s: %w", key, err)
	}
	return decode(store.Entry{Key: key, Value: b}, v)
}

// decode reads a record and wipes it.
func decode(e store.Entry, v encoding.BinaryUnmarshaler) error {
	defer clear(e.Value)
	if err := v.UnmarshalBinary(e.Value); err != nil {
		return fmt.Errorf("%s: %w", e.Key, err)
	}
	return nil
}
