package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"go.etcd.io/bbolt"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

// engine returns a direct client of a KMS that keeps its keys in s, with audit on.
func engine(b *testing.B, s store.Store) *kms.Client {
	b.Helper()
	root, err := keyring.NewRawAES("bench", "root", bytes.Repeat([]byte{1}, 32))
	if err != nil {
		b.Fatal(err)
	}
	service, err := kms.New(b.Context(), kms.Config{
		Store: s, RootKey: root, Audit: &audit.Ring{}, Quotas: kms.Quotas{Aliases: 1 << 20},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { service.Close() })
	return service.Client(identity.Root(identity.DefaultAccount, identity.DefaultRegion))
}

func boltFile(b *testing.B) *boltstore.Store {
	b.Helper()
	s, err := boltstore.Open(filepath.Join(b.TempDir(), "bench.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func newKey(b *testing.B, client *kms.Client) *string {
	b.Helper()
	key, err := client.CreateKey(b.Context(), &sdk.CreateKeyInput{})
	if err != nil {
		b.Fatal(err)
	}
	return key.KeyMetadata.KeyId
}

// newest returns the keys and values that the last commit of s has written.
func newest(ctx context.Context, s store.Store) (written []store.Entry, err error) {
	err = s.View(ctx, func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			version, err := tx.Version(e.Key)
			if err != nil {
				return err
			}
			if version == tx.Revision() {
				written = append(written, e)
			}
		}
		return nil
	})
	return written, err
}

// BenchmarkDurable compares CreateAlias on a KMS in a file, one after another and by 32
// goroutines, and both with a bare bbolt that writes as much for each.
func BenchmarkDurable(b *testing.B) {
	const goroutines, each = 32, 8
	inner := boltFile(b)
	client := engine(b, inner)
	var keys [4 * goroutines]*string // each has some twenty aliases in the end, if b.N is 1
	for i := range keys {
		keys[i] = newKey(b, client)
	}
	made := 0
	name := func(i int) *string { return aws.String(fmt.Sprintf("alias/bench-%d", i)) }
	alias := func(i int) error {
		_, err := client.CreateAlias(b.Context(), &sdk.CreateAliasInput{AliasName: name(i), TargetKeyId: keys[i%len(keys)]})
		return err
	}
	single := func() error {
		made += goroutines * each
		for i := range goroutines * each {
			if err := alias(made + i); err != nil {
				return err
			}
		}
		return nil
	}
	many := func() error {
		made += goroutines * each
		errs := make(chan error, goroutines)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					if err := alias(made + g + i*goroutines); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		return <-errs
	}
	if err := alias(0); err != nil {
		b.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	bare := func() error {
		written, err := newest(b.Context(), inner)
		if err != nil {
			return err
		}
		for i := range goroutines * each {
			err := db.Update(func(tx *bbolt.Tx) error {
				bucket, err := tx.CreateBucketIfNotExists([]byte("data"))
				if err != nil {
					return err
				}
				for _, e := range written {
					if err := bucket.Put(binary.BigEndian.AppendUint32([]byte(e.Key), uint32(i)), e.Value); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	took := takeTurns(b, rounds, []side{{"bare", bare}, {"single", single}, {"32", many}})
	report(b, "single/bare", speedup, took[0], took[1])
	report(b, "32/single", speedup, took[1], took[2])
}

// BenchmarkEncryptInAFile compares Encrypt on a KMS in a file with one in memory.
func BenchmarkEncryptInAFile(b *testing.B) {
	encrypt := func(s store.Store) func() error {
		client := engine(b, s)
		key, plaintext := newKey(b, client), make([]byte, 32)
		return repeat(2000, func() error {
			_, err := client.Encrypt(b.Context(), &sdk.EncryptInput{KeyId: key, Plaintext: plaintext})
			return err
		})
	}
	versus(b, cost, side{"memory", encrypt(store.NewMemory())}, side{"file", encrypt(boltFile(b))})
}
