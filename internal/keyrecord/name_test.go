package keyrecord_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

// TestParseName takes every name apart that this package puts together.
func TestParseName(t *testing.T) {
	t.Parallel()
	const a, r, id = "111122223333", "us-east-1", "1234abcd-12ab-34cd-56ef-1234567890ab"
	g := &keyrecord.Grant{ID: "9999", Account: a, Region: r, KeyID: id, Name: "n", Grantee: "bob", Retiring: "eve"}
	record, index := g.Names()
	digest := func(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
	inStore := &keyrecord.Key{Account: a, Region: r, ID: id, KeyStore: "cks-1", XksKey: "x"}
	token := keyrecord.ImportTokenName(a, r, id, []byte("token"))
	for name, want := range map[string]keyrecord.Name{
		keyrecord.KeyName(a, r, id):          {Kind: keyrecord.KeyKind, Account: a, Region: r, KeyID: id},
		keyrecord.LocalName(a, r, id):        {Kind: keyrecord.LocalKind, Account: a, Region: r, KeyID: id},
		keyrecord.MaterialsName(a, id):       {Kind: keyrecord.MaterialsKind, Account: a, KeyID: id},
		keyrecord.AliasPrefix(a, r) + "x/y":  {Kind: keyrecord.AliasKind, Account: a, Region: r, Rest: "x/y"},
		keyrecord.AliasPrefix(a, r) + "/":    {Kind: keyrecord.AliasKind, Account: a, Region: r, Rest: "/"},
		record:                               {Kind: keyrecord.GrantKind, Account: a, Region: r, KeyID: id, GrantID: "9999"},
		index[0]:                             {Kind: keyrecord.GranteeKind, Account: a, Region: r, KeyID: id, GrantID: "9999", Rest: strings.Split(index[0], "/")[5]},
		index[1]:                             {Kind: keyrecord.RetiringKind, Account: a, Region: r, KeyID: id, GrantID: "9999", Rest: strings.Split(index[1], "/")[3]},
		g.GrantName():                        {Kind: keyrecord.GrantNameKind, Account: a, Region: r, KeyID: id, Rest: digest(g.GrantName())},
		keyrecord.UsageName(a, r, id):        {Kind: keyrecord.UsageKind, Account: a, Region: r, KeyID: id},
		keyrecord.ImportTokensName(a, r, id): {Kind: keyrecord.ImportListKind, Account: a, Region: r, KeyID: id},
		token:                                {Kind: keyrecord.ImportKind, Account: a, Region: r, KeyID: id, Rest: digest(token)},
		keyrecord.KeyStoresName(a, r):        {Kind: keyrecord.KeyStoresKind, Account: a, Region: r},
		inStore.StoreKeyName():               {Kind: keyrecord.StoreKeyKind, Account: a, Region: r, Rest: "cks-1/x"},
		keyrecord.KeyCountName(a, r):         {Kind: keyrecord.KeyCountKind, Account: a, Region: r},
		keyrecord.DeletedName(a, r, id):      {Kind: keyrecord.DeletedKind, Account: a, Region: r, KeyID: id},
		keyrecord.SweepName:                  {Kind: keyrecord.SweepKind},
	} {
		require.Equal(t, want, keyrecord.ParseName(name), name)
	}
	for _, name := range []string{
		"", "kms", "kms/", "kms//", "kms/x", "kms/a/b", "kms/a/b/alias", "kms/a/b/key", "kms/a/b/key/c/d", "kms/a/b/grant/c",
		"kms/a/b/keystores/c", "kms/a/b/what", "kms/a/b/import", "kms/a/b/import/c/d/e", "kms/a/b/grantee/c/d", "kms/sweep/", "x/a/b/key/c",
		"kms/retiring/r/d/a/k", "kms/a/materials", "kms/a/materials/b/c",
	} {
		require.Equal(t, keyrecord.UnknownKind, keyrecord.ParseName(name).Kind, name)
	}
}

// FuzzParseName takes any name, and a name of a known kind has parts of which it is made.
func FuzzParseName(f *testing.F) {
	for _, name := range []string{"kms/sweep", "kms/a/b/key/c", "kms/retiring/r/d/a/k/g", "kms/a/materials/k", "kms/a/b/alias/c/d", "kms/a/b/grantee/c/d/e"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n := keyrecord.ParseName(name)
		if n.Kind == keyrecord.UnknownKind {
			require.Equal(t, keyrecord.Name{}, n)
		}
		for _, part := range []string{n.Account, n.Region, n.KeyID, n.GrantID, n.Rest} {
			require.Contains(t, name, part)
		}
	})
}
