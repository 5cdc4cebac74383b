package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealring/sealring/store"
)

const rekeyText = `
Puts a store under another root key: every record is encrypted anew, under a new sealing
key that only the new root key unwraps. The new root key may also be the old one: then the
sealing key alone is changed. Backups stay as they are, and need the root key of their time.

If it is interrupted, the same command goes on where it ended. From its first moment on,
the store is opened by the new root key. A file must not be in use; in an etcd cluster,
servers may go on until they are started anew with the new root key.
`

// runRekey is sealring rekey.
func runRekey(ctx context.Context, p *process, args []string) error {
	var (
		s       sealedFlags
		newRoot rootFlags
		asJSON  bool
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
	sealed, err := s.open(ctx, p, false, nil)
	if errors.Is(err, store.ErrRootKey) {
		// A rekey that was interrupted has put it under the new one already.
		if resumed, e := s.openWith(ctx, root, false, nil); e == nil {
			sealed, err = resumed, nil
		}
		if err == nil && !unfinished(ctx, sealed) {
			return errors.Join(printRekeyed(p, 0, asJSON), sealed.Close())
		}
	}
	if err != nil {
		return err
	}
	records := 0
	var g *progress
	err = sealed.Rekey(ctx, root, func(done, total int) {
		if g == nil {
			g = p.newProgress(int64(total), countUnit("records"))
		}
		records = done
		g.at(int64(done))
	})
	g.end()
	if err != nil {
		return errors.Join(fmt.Errorf("rekey has not finished, the same command goes on: %w", err), sealed.Close())
	}
	if err := sealed.Close(); err != nil {
		return err
	}
	return printRekeyed(p, records, asJSON)
}

// unfinished reports whether a rekey of the store was interrupted: it has two sealing
// keys then.
func unfinished(ctx context.Context, sealed *store.Sealed) bool {
	r, err := sealed.Verify(ctx)
	return err != nil || len(r.Epochs) > 1
}

func printRekeyed(p *process, records int, asJSON bool) error {
	if asJSON {
		return printJSON(p.stdout, map[string]int{"records": records})
	}
	_, err := fmt.Fprintf(p.stdout, "%d records were encrypted anew, under the new root key\n", records)
	return err
}
