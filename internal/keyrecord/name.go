package keyrecord

import "strings"

// Prefix starts the store keys of all records.
const Prefix = "kms/"

// Kind is what a record is about, as its name in the store says.
type Kind int

// The kinds of records.
const (
	UnknownKind    Kind = iota
	KeyKind             // [Key]
	LocalKind           // [Local]
	MaterialsKind       // the material of a multi-Region key
	AliasKind           // [Alias]
	GrantKind           // [Grant]
	GranteeKind         // leads to a grant from its grantee
	RetiringKind        // leads to a grant from its retiring principal
	GrantNameKind       // leads to a grant from its name
	UsageKind           // [Usage]
	ImportListKind      // [ImportTokens]
	ImportKind          // [ImportToken]
	KeyStoresKind       // [KeyStores]
	StoreKeyKind        // leads to a key from its custom key store
	KeyCountKind        // see [KeyCountName]
	DeletedKind         // [Deleted]
	SweepKind           // [Sweep]
)

// Name is the store key of a record, taken apart. What the kind does not have is empty.
type Name struct {
	Kind            Kind
	Account, Region string
	KeyID           string
	GrantID         string
	Rest            string // an alias without its "alias/", a digest, a place in a custom key store
}

// kinds are the kinds whose names begin with account, Region and a word, by the word.
var kinds = map[string]struct {
	kind  Kind
	parts int // behind the word
}{
	"key":       {KeyKind, 1},
	"local":     {LocalKind, 1},
	"usage":     {UsageKind, 1},
	"deleted":   {DeletedKind, 1},
	"import":    {ImportListKind, 1},
	"grant":     {GrantKind, 2},
	"grantname": {GrantNameKind, 2},
	"storekey":  {StoreKeyKind, 2},
	"grantee":   {GranteeKind, 3},
	"keystores": {KeyStoresKind, 0},
	"keycount":  {KeyCountKind, 0},
}

// ParseName takes the store key of a record apart. The kind of a name that no record has
// is UnknownKind.
func ParseName(name string) Name {
	rest, ok := strings.CutPrefix(name, Prefix)
	switch {
	case !ok:
		return Name{}
	case name == SweepName:
		return Name{Kind: SweepKind}
	}
	p := strings.Split(rest, "/")
	switch {
	case len(p) == 6 && p[0] == "retiring":
		return Name{Kind: RetiringKind, Region: p[1], Rest: p[2], Account: p[3], KeyID: p[4], GrantID: p[5]}
	case len(p) == 3 && p[1] == "materials":
		return Name{Kind: MaterialsKind, Account: p[0], KeyID: p[2]}
	case len(p) < 3:
		return Name{}
	}
	n := Name{Account: p[0], Region: p[1]}
	word, p := p[2], p[3:]
	if word == "alias" && len(p) > 0 {
		n.Kind, n.Rest = AliasKind, strings.Join(p, "/")
		return n
	}
	k, known := kinds[word]
	switch {
	case word == "import" && len(p) == 2:
		n.Kind, n.KeyID, n.Rest = ImportKind, p[0], p[1]
		return n
	case !known || len(p) != k.parts:
		return Name{}
	}
	n.Kind = k.kind
	switch n.Kind {
	case StoreKeyKind:
		n.Rest = p[0] + "/" + p[1]
		return n
	case GrantKind:
		n.GrantID = p[1]
	case GrantNameKind:
		n.Rest = p[1]
	case GranteeKind:
		n.Rest, n.GrantID = p[1], p[2]
	}
	if k.parts > 0 {
		n.KeyID = p[0]
	}
	return n
}
