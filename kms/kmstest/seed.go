package kmstest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// Key is a key that a test knows beforehand. Every field may be left out.
type Key struct {
	// ID is the key id, a UUID. By default it is derived from Alias, so that a
	// test's keys are the same in every run; two keys without either are the same.
	ID string
	// Alias refers to the key; it starts with "alias/".
	Alias string
	// Material is 32 bytes. By default it is derived from ID: known to anyone who
	// reads the test.
	Material    []byte
	Description string
	// Disabled keys are not usable until they are enabled.
	Disabled bool
}

// The forms that the engine holds identifiers to.
var (
	idForm    = regexp.MustCompile(`^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`)
	aliasForm = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]+$`)
)

// Seed puts a key of known material into the cloud, as if it had been created now,
// and returns its ARN. It fails the test if the key's fields are not valid or if
// its id or alias exists.
func (c *Cloud) Seed(k Key) (arn string) {
	c.t.Helper()
	if k.ID == "" {
		k.ID = seededID(k.Alias)
	}
	if k.Material == nil {
		sum := sha256.Sum256([]byte("kmstest material of " + k.ID))
		k.Material = sum[:]
	}
	if len(k.Material) != keyrecord.MaterialLen {
		c.t.Fatalf("kmstest: key %s: material of %d bytes", k.ID, len(k.Material))
	}
	if !idForm.MatchString(k.ID) {
		c.t.Fatalf("kmstest: key id %q is no UUID in lower case", k.ID)
	}
	if k.Alias != "" && (!aliasForm.MatchString(k.Alias) || len(k.Alias) > 256) {
		c.t.Fatalf("kmstest: key %s: alias %q is not \"alias/\" and a name", k.ID, k.Alias)
	}
	now := c.Now().UTC().Truncate(time.Millisecond)
	record := &keyrecord.Key{
		Account:   c.root.Account,
		Region:    c.root.Region,
		ID:        k.ID,
		Local:     keyrecord.Local{Description: k.Description},
		Created:   now,
		Enabled:   !k.Disabled,
		Spec:      keyrecord.SpecSymmetric,
		Usage:     "ENCRYPT_DECRYPT",
		Origin:    "AWS_KMS",
		Materials: []keyrecord.Material{keyrecord.NewMaterial(k.ID, k.Material, now)},
	}
	c.must(c.store.Update(context.Background(), func(tx store.Tx) error {
		record := *record
		if k.Alias != "" {
			record.Aliases = []string{k.Alias}
			a := &keyrecord.Alias{Name: k.Alias, Target: k.ID, Created: now, Updated: now}
			name := keyrecord.AliasPrefix(record.Account, record.Region) + strings.TrimPrefix(k.Alias, "alias/")
			if err := create(tx, name, a.Marshal); err != nil {
				return err
			}
		}
		local, err := record.MarshalLocal()
		if err != nil {
			return err
		}
		if local != nil {
			if err := tx.Put(keyrecord.LocalName(record.Account, record.Region, record.ID), local); err != nil {
				return err
			}
		}
		return create(tx, keyrecord.KeyName(record.Account, record.Region, record.ID), record.Marshal)
	}))
	return record.ARN()
}

// create writes a record whose name is not taken.
func create(tx store.Tx, name string, marshal func() ([]byte, error)) error {
	if _, err := tx.Get(name); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(fmt.Errorf("%s exists", name), err)
	}
	b, err := marshal()
	if err != nil {
		return err
	}
	return tx.Put(name, b)
}

// seededID returns a UUID that is a function of name.
func seededID(name string) string {
	sum := sha256.Sum256([]byte("kmstest key " + name))
	h := hex.EncodeToString(sum[:])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}
