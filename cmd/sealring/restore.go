package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sealring/sealring/store"
)

const restoreText = `
Makes the store's file FILE of -data from a backup, after checking that the backup is
whole. A file that is there already is not replaced: move it away. With a root key, the
backup has to be opened by it, every record too, before the file appears.

Keys and changes that are newer than the backup are lost. -at-least refuses a backup that
is older than a revision, which sealring verify prints.
`

// runRestore is sealring restore.
func runRestore(ctx context.Context, p *process, args []string) error {
	var (
		data    string
		root    rootFlags
		atLeast uint64
		asJSON  bool
	)
	f := p.flags("restore", "[flags] -data FILE BACKUP", restoreText)
	f.StringVar(&data, "data", "", "`FILE` that will hold the store")
	root.add(f, "", passphraseVariable)
	f.Uint64Var(&atLeast, "at-least", 0, "refuse a store whose `REVISION` is lower; wants a root key")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	if help, err := f.parse(args, 1); help || err != nil {
		return err
	}
	switch {
	case data == "" || len(f.args) != 1:
		return usagef("restore: name the new file with -data, and the backup")
	case root.named() > 1, atLeast > 0 && root.named() == 0:
		return root.check("restore")
	}
	in, err := p.open(ctx, f.arg(0))
	if err != nil {
		return err
	}
	defer in.close()
	out, err := p.create(data, false, 0o600)
	if err != nil {
		return fmt.Errorf("%w (restore replaces nothing: move it away)", err)
	}
	defer out.abandon()
	if out.streams() {
		return fmt.Errorf("%s: not a regular file", data)
	}
	g := p.newProgress(in.size, byteUnit)
	n, err := io.Copy(out, g.reader(in))
	g.end()
	if err != nil {
		return err
	}
	copied := out.temporary.Name()
	if err := checkStoreFile(copied); err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	if root.named() == 1 {
		if err := checkBackup(ctx, p, copied, root, atLeast); err != nil {
			return fmt.Errorf("%s: %w", in.name, err)
		}
	}
	if err := out.commit(); err != nil {
		return err
	}
	return printCopied(p, data, n, asJSON)
}

// checkBackup opens every record of a store in a file.
func checkBackup(ctx context.Context, p *process, path string, root rootFlags, atLeast uint64) error {
	s := sealedFlags{store: storeFlags{data: path}, root: root}
	sealed, err := s.open(ctx, p, true, &store.SealOptions{AtLeast: atLeast})
	if err != nil {
		return err
	}
	found, err := sealed.Verify(ctx)
	if err == nil {
		err = found.Err()
	}
	return errors.Join(err, sealed.Close())
}
