package branchkey_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring/branchkey"
)

// set returns a change that gives an item's attribute another value, and unset one
// that removes it.
func set(name, value string) func(branchkey.Item) branchkey.Item {
	return func(i branchkey.Item) branchkey.Item {
		i.Attributes[name] = value
		return i
	}
}

func unset(name string) func(branchkey.Item) branchkey.Item {
	return func(i branchkey.Item) branchkey.Item {
		delete(i.Attributes, name)
		return i
	}
}

func noCiphertext(i branchkey.Item) branchkey.Item {
	i.Ciphertext = nil
	return i
}

// Items that a key store does not write are refused before KMS is called.
func TestMalformedItems(t *testing.T) {
	t.Parallel()
	const active, version, beacon = 1, 2, 4
	const all = active | version | beacon
	for _, c := range []struct {
		name      string
		change    func(branchkey.Item) branchkey.Item
		attribute string
		of        int // the items that are malformed by it
	}{
		{"no id", unset("branch-key-id"), "branch-key-id", all},
		{"another id", set("branch-key-id", "other"), "branch-key-id", all},
		{"no type", unset("type"), "type", all},
		{"another type", set("type", "branch:version:11111111-2222-4333-8444-555555555555"), "type", all},
		{"no time", unset("create-time"), "create-time", all},
		{"an empty time", set("create-time", ""), "create-time", all},
		{"no KMS key", unset("kms-arn"), "kms-arn", all},
		{"a KMS key by alias", set("kms-arn", "arn:aws:kms:us-east-1:111122223333:alias/x"), "kms-arn", all},
		{"a KMS key by id", set("kms-arn", "1234abcd-12ab-34cd-56ef-1234567890ab"), "kms-arn", all},
		{"another service", set("kms-arn", "arn:aws:s3:us-east-1:111122223333:key/x"), "kms-arn", all},
		{"no schema version", unset("hierarchy-version"), "hierarchy-version", all},
		{"schema version 2", set("hierarchy-version", "2"), "hierarchy-version", all},
		{"schema version 01", set("hierarchy-version", "01"), "hierarchy-version", all},
		{"no version", unset("version"), "version", active},
		{"an empty version", set("version", ""), "version", all},
		{"a bare version", set("version", "11111111-2222-4333-8444-555555555555"), "version", all},
		{"a version that is none", set("version", "branch:version:1"), "version", all},
		{"a version in upper case", set("version", "branch:version:ABCDEFAB-2222-4333-8444-555555555555"), "version", all},
		{"a version that belongs elsewhere", set("version", "branch:version:11111111-2222-4333-8444-555555555555"), "version", version | beacon},
		{"an unknown attribute", set("color", "blue"), "color", all},
		{"the logical name", set("tablename", logicalName), "tablename", all},
		{"a context without its prefix", set("aws-crypto-ec", "x"), "aws-crypto-ec", all},
		{"a text that is not UTF-8", set("aws-crypto-ec:x", "\xff"), "aws-crypto-ec:x", all},
		{"a name that is not UTF-8", set("aws-crypto-ec:\xff", "x"), "aws-crypto-ec:\xff", all},
		{"an empty context value", set("aws-crypto-ec:x", ""), "aws-crypto-ec:x", all},
		{"an empty context key", set("aws-crypto-ec:", "x"), "aws-crypto-ec:", all},
		{"no ciphertext", noCiphertext, "enc", all},
		{"no attributes", func(i branchkey.Item) branchkey.Item { i.Attributes = nil; return i }, "branch-key-id", all},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			id := r.create(t)
			v := r.active(t, id).Version()
			r.api.take()
			r.table.change = c.change
			for item, read := range map[int]func() error{
				active:  func() error { _, err := r.ActiveBranchKey(t.Context(), id); return err },
				version: func() error { _, err := r.BranchKeyVersion(t.Context(), id, v); return err },
				beacon:  func() error { _, err := r.BeaconKey(t.Context(), id); return err },
			} {
				if c.of&item == 0 {
					continue
				}
				var bad *branchkey.ItemError
				require.ErrorAs(t, read(), &bad)
				require.Equal(t, c.attribute, bad.Attribute)
				require.Equal(t, id, bad.ID)
				require.NotEmpty(t, bad.Type)
				require.Contains(t, bad.Error(), bad.Reason)
			}
			if c.of&active != 0 {
				var bad *branchkey.ItemError
				_, err := r.VersionKey(t.Context(), id)
				require.ErrorAs(t, err, &bad)
			}
			require.Empty(t, r.api.take())
		})
	}
}

// Whatever else is changed in an item is noticed by KMS, to which it is the encryption
// context.
func TestAlteredItems(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, other := r.create(t), r.create(t)
	v := r.active(t, id).Version()
	foreign, err := r.table.Get(t.Context(), other, typeActive)
	require.NoError(t, err)
	for name, change := range map[string]func(branchkey.Item) branchkey.Item{
		"another time":             set("create-time", "2023-06-03T19:03:29.358123Z"),
		"another context":          set("aws-crypto-ec:tenant", "43"),
		"more context":             set("aws-crypto-ec:more", "x"),
		"less context":             unset("aws-crypto-ec:tenant"),
		"another key's ciphertext": func(i branchkey.Item) branchkey.Item { i.Ciphertext = foreign.Ciphertext; return i },
		"a bit": func(i branchkey.Item) branchkey.Item {
			i.Ciphertext[len(i.Ciphertext)-1] ^= 1
			return i
		},
		"a cut": func(i branchkey.Item) branchkey.Item { i.Ciphertext = i.Ciphertext[:len(i.Ciphertext)-1]; return i },
		"another version": func(i branchkey.Item) branchkey.Item {
			if i.Attributes["version"] == "" {
				i.Ciphertext[0] ^= 1 // has none to change
				return i
			}
			return set("version", "branch:version:11111111-2222-4333-8444-555555555555")(i)
		},
	} {
		r.table.change = change
		var invalid *types.InvalidCiphertextException
		_, err := r.ActiveBranchKey(t.Context(), id)
		require.ErrorAs(t, err, &invalid, name)
		_, err = r.BranchKeyVersion(t.Context(), id, v)
		require.ErrorAs(t, err, &invalid, name)
		_, err = r.BeaconKey(t.Context(), id)
		require.ErrorAs(t, err, &invalid, name)
		_, err = r.VersionKey(t.Context(), id)
		require.ErrorAs(t, err, &invalid, name)
	}
	r.table.change = nil
	require.Equal(t, v, r.active(t, id).Version(), "nothing was versioned")
}

// The item of a version cannot be passed off as the active one: its type is bound.
func TestItemsCannotStandForEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	old := r.active(t, id).Version()
	_, err := r.VersionKey(t.Context(), id)
	require.NoError(t, err)
	version, err := r.table.Get(t.Context(), id, typeVersion+old)
	require.NoError(t, err)
	r.table.change = func(branchkey.Item) branchkey.Item {
		version.Attributes["type"] = typeActive
		version.Attributes["version"] = typeVersion + old
		return version
	}
	var invalid *types.InvalidCiphertextException
	_, err = r.ActiveBranchKey(t.Context(), id)
	require.ErrorAs(t, err, &invalid)
}

func TestItemErrorIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<16)
	e := &branchkey.ItemError{ID: long, Type: long, Attribute: long, Reason: "is not known"}
	require.Less(t, len(e.Error()), 500)
}
