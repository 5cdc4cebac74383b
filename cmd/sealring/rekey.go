package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealring/sealring/store"
)

const rekeyText = `
Puts a store under another root key: every record is encrypted anew under a new sealing
key, which the new root key wraps, and which is what the old root key opened is of no more
use. The new root key may also be the old one: the sealing key is changed then.

If it is interrupted, the same command goes on where it ended. From its first moment on,
the store is opened by the new root key. A file must not be in use; in an etcd cluster,
servers may go on until they are started anew with the new root key.
`

// runRekey is sealring rekey.
func runRekey(ctx context.Context, p *process, args []string) error {
	var (
		s        sealedFlags
		newRoot  rootFlags
		asJSON   bool
		unsealed *store.Sealed
	)
	f := p.flags("rekey", "[flags]", rekeyText)
	s.add(f)
	newRoot.add(f, "new-", newPassphraseVariable)
	f.BoolVar(&asJSON, "json", false, "print JSON")
	if help, err := f.parse(args, 0); help || err != nil {
		return err
	}
	if err := s.check("rekey"); err != nil {
		return err
	}
	if err := newRoot.check("rekey"); err != nil {
		return err
	}
	root, err := newRoot.open(ctx, p, true)
	if err != nil {
		return err
	}
	unsealed, err = s.open(ctx, p, false, nil)
	if errors.Is(err, store.ErrRootKey) {
		// An interrupted rekey has put it under the new one already.
		inner, openErr := s.store.open(ctx, false, false)
		if openErr != nil {
			return errors.Join(err, openErr)
		}
		resumed, sealErr := seal(ctx, inner, root, nil)
		if sealErr != nil {
			return err
		}
		unsealed, err = resumed, nil
	}
	if err != nil {
		return err
	}
	records := 0
	var g *progress
	err = unsealed.Rekey(ctx, root, func(done, total int) {
		if g == nil {
			g = p.newProgress(int64(total), countUnit("records"))
		}
		records = done
		g.at(int64(done))
	})
	g.end()
	if err != nil {
		return errors.Join(fmt.Errorf("rekey has not finished, the same command goes on: %w", err), unsealed.Close())
	}
	if err := unsealed.Close(); err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, map[string]int{"records": records})
	}
	_, err = fmt.Fprintf(p.stdout, "%d records were encrypted anew: the new root key opens the store, the old one does not\n", records)
	return err
}
