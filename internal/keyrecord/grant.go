package keyrecord

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Grant is a grant on a key. It is stored under its id; index entries without a value
// lead to it from its grantee, its retiring principal and its name.
type Grant struct {
	Version int       `json:"v"`
	ID      string    `json:"id"`
	Account string    `json:"account"` // of the key
	Region  string    `json:"region"`
	KeyID   string    `json:"keyId"`
	Name    string    `json:"name,omitempty"`
	Created time.Time `json:"created"`
	Issuer  string    `json:"issuer"` // account that made the grant

	// Grantee is an ARN, or GranteeService the name of a service; Retiring and
	// RetiringService are the same, and both may be empty.
	Grantee         string   `json:"grantee"`
	GranteeService  string   `json:"granteeService,omitempty"`
	Retiring        string   `json:"retiring,omitempty"`
	RetiringService string   `json:"retiringService,omitempty"`
	Operations      []string `json:"operations"`

	ContextEquals map[string]string `json:"contextEquals,omitempty"`
	ContextSubset map[string]string `json:"contextSubset,omitempty"`
	SourceARN     string            `json:"sourceArn,omitempty"`

	// Secret authenticates the grant's tokens, of which there can be any number.
	Secret []byte `json:"secret"`
}

// Format prints the grant's id only, whatever the verb.
func (g Grant) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "grant %s", g.ID) }

// Marshal returns the record of g.
func (g *Grant) Marshal() ([]byte, error) {
	g.Version = version
	return json.Marshal(g)
}

// UnmarshalGrant reads a grant's record.
func UnmarshalGrant(b []byte) (*Grant, error) {
	var g Grant
	if err := json.Unmarshal(b, &g); err != nil {
		return nil, fmt.Errorf("keyrecord: grant: %w", err)
	}
	if g.Version != version {
		return nil, fmt.Errorf("keyrecord: grant of format %d, this program knows %d", g.Version, version)
	}
	return &g, nil
}

// GrantPrefix starts the store keys of a key's grants; the grant id follows.
func GrantPrefix(account, region, keyID string) string {
	return "kms/" + account + "/" + region + "/grant/" + keyID + "/"
}

// GranteePrefix starts the index entries of a key's grants to one principal, an ARN or
// the name of a service; the grant id follows.
func GranteePrefix(account, region, keyID, principal string) string {
	return "kms/" + account + "/" + region + "/grantee/" + keyID + "/" + digest(principal) + "/"
}

// RetiringPrefix starts the index entries of all grants in a Region that a principal, or
// a service, may retire; account, key id and grant id follow, separated by slashes.
func RetiringPrefix(region, principal string) string {
	return "kms/retiring/" + region + "/" + digest(principal) + "/"
}

// GrantName is the index entry of a grant that was made with a name. Its value is the
// grant's id. same is all that two requests for the same grant have in common.
func (g *Grant) GrantName() string {
	same := Grant{
		Name: g.Name, Grantee: g.Grantee, GranteeService: g.GranteeService, Retiring: g.Retiring, RetiringService: g.RetiringService,
		Operations: g.Operations, ContextEquals: g.ContextEquals, ContextSubset: g.ContextSubset, SourceARN: g.SourceARN, Issuer: g.Issuer,
	}
	b, _ := json.Marshal(same) // maps are written in order of their keys
	return "kms/" + g.Account + "/" + g.Region + "/grantname/" + g.KeyID + "/" + digest(string(b))
}

// digest shortens text of any length and alphabet to a part of a store key.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Names returns the store keys of g: that of its record, and its index entries.
func (g *Grant) Names() (record string, index []string) {
	record = GrantPrefix(g.Account, g.Region, g.KeyID) + g.ID
	index = []string{GranteePrefix(g.Account, g.Region, g.KeyID, cmp.Or(g.Grantee, g.GranteeService)) + g.ID}
	if retiring := cmp.Or(g.Retiring, g.RetiringService); retiring != "" {
		index = append(index, RetiringPrefix(g.Region, retiring)+g.Account+"/"+g.KeyID+"/"+g.ID)
	}
	return record, index
}
