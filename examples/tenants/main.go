// Tenants keeps the data of each tenant under a KMS key of its own, and then makes the
// data of one tenant unreadable for ever by destroying its key.
//
//	go run ./examples/tenants
//
// # What keeps tenants apart
//
// Each tenant has a manager (tenant.go): a keyring for the tenant's KMS key, a cache
// partition, so that KMS is asked once for many documents and no tenant is given another's
// data key, and on top a manager that requires the tenant's name in the encryption
// context, so that no document can be read by code that does not say whose it is.
//
// # What destroying a key proves, and what not
//
// Once KMS has deleted a key, nothing opens what only that key wraps: no copy, backup
// or log of the documents has to be found. That is worth as much as the following:
//
//   - Data keys in caches open documents until they are as old as the cache's MaxAge,
//     in every process. Pending deletion does not reach them either.
//   - KMS waits for 7 to 30 days, and until then the deletion can be cancelled.
//   - Plaintext that somebody has kept is not touched, nor is a document that another
//     key wraps too.
//   - That no copy of a deleted key is left is AWS's word. Who runs a KMS from a store of
//     their own has to count that store's backups: a copy from before the deletion, with
//     its root key, still has the tenant's.
//
// A branch key of a hierarchical keyring for each tenant costs less than a KMS key, but
// deleting one proves less: it is a row in a table under a KMS key that lives on, and so
// its tenant's data is gone only when caches have expired and every backup and the
// point-in-time history of the table are gone as well.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/keyring"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tenants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	f, err := newFleet()
	if err != nil {
		return err
	}
	defer f.cloud.Close()

	names := []string{"blue", "green", "red"}
	documents := map[string][]byte{} // the last of each tenant
	for _, name := range names {
		if err := f.add(ctx, name); err != nil {
			return err
		}
		for i := range 100 {
			if documents[name], err = f.encrypt(ctx, name, fmt.Sprintf("document %d of %s", i, name)); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(out, "%d tenants, 100 documents each, %d data keys from KMS\n", len(names), f.requests("GenerateDataKey"))

	fmt.Fprintf(out, "\nreading\n")
	for _, name := range names {
		f.show(ctx, out, name, documents[name])
	}
	fmt.Fprintf(out, "\nreading what is another's\n")
	f.show(ctx, out, "blue", documents["green"])

	fmt.Fprintf(out, "\nreading without saying whose it is\n")
	_, err = f.decrypt(ctx, "blue", documents["blue"], nil)
	fmt.Fprintf(out, "  blue: %s\n", reason(err))

	return f.forget(ctx, out, "green", names, documents)
}

// forget destroys the key of one tenant and shows on the way who can still read.
func (f *fleet) forget(ctx context.Context, out io.Writer, name string, names []string, documents map[string][]byte) error {
	fmt.Fprintf(out, "\n%s leaves: its key is to be deleted in 7 days\n", name)
	if err := f.scheduleDeletion(ctx, name, 7); err != nil {
		return err
	}
	fmt.Fprintf(out, "  with the data key in the cache (for %v at most)\n  ", maxAge)
	f.show(ctx, out, name, documents[name])
	f.cache.Clear() // as in time it will be by itself
	fmt.Fprintf(out, "  without it\n  ")
	f.show(ctx, out, name, documents[name])

	fmt.Fprintf(out, "\n9 days later\n")
	f.advance(9 * 24 * time.Hour)
	for _, n := range names {
		f.show(ctx, out, n, documents[n])
	}
	if err := f.cancelDeletion(ctx, name); err == nil {
		return errors.New("the deletion could be cancelled after it had happened")
	}
	fmt.Fprintf(out, "  nobody can bring the key of %s back\n", name)
	return nil
}

// show prints the text of a tenant's document, or why it cannot be read.
func (f *fleet) show(ctx context.Context, out io.Writer, name string, document []byte) {
	text, err := f.decrypt(ctx, name, document, keyring.EncryptionContext{"tenant": name})
	if err != nil {
		fmt.Fprintf(out, "  %s: %s\n", name, reason(err))
		return
	}
	fmt.Fprintf(out, "  %s: %q\n", name, text)
}

// reason says in a few words why something was refused.
func reason(err error) string {
	var pending *types.KMSInvalidStateException
	var missing *types.NotFoundException
	switch {
	case err == nil:
		return "not refused"
	case errors.As(err, &pending):
		return "refused, the key is pending deletion"
	case errors.As(err, &missing):
		return "refused, the key does not exist"
	case errors.Is(err, keyring.ErrEncryptionContext):
		return "refused, the encryption context is not as required"
	case errors.Is(err, keyring.ErrNoMatch):
		return "refused, no key of this tenant opens it"
	}
	return err.Error()
}
