package keyrecord

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// ImportToken is what has to be kept of an import token: the private half of the
// wrapping key that was handed out with it, and what the two are good for. It is stored
// under the digest of the token, which is not kept.
type ImportToken struct {
	Version int `json:"v"`

	// WrappingKeySpec and WrappingAlgorithm are the API's names: RSA_2048,
	// RSAES_OAEP_SHA_256 and so on.
	WrappingKeySpec   string `json:"wrappingKeySpec"`
	WrappingAlgorithm string `json:"wrappingAlgorithm"`

	PrivateKey []byte    `json:"privateKey"` // of the wrapping key, PKCS #8
	Expires    time.Time `json:"expires"`
}

// ImportTokenPrefix starts the store keys of the import tokens of a key; the digest of
// the token follows.
func ImportTokenPrefix(account, region, keyID string) string {
	return "kms/" + account + "/" + region + "/import/" + keyID + "/"
}

// ImportTokenName is the store key of the record of a token.
func ImportTokenName(account, region, keyID string, token []byte) string {
	return ImportTokenPrefix(account, region, keyID) + digest(string(token))
}

// ImportTokens lists the import tokens of a key that may be good, so that those that are
// not are found without a look at their private keys.
type ImportTokens struct {
	Version int           `json:"v"`
	Tokens  []ListedToken `json:"tokens"` // in the order in which they were made
}

// ListedToken is an import token in a list. Record is the store key of its record.
type ListedToken struct {
	Record  string    `json:"record"`
	Expires time.Time `json:"expires"`
}

// ImportTokensName is the store key of the list of a key's import tokens.
func ImportTokensName(account, region, keyID string) string {
	return "kms/" + account + "/" + region + "/import/" + keyID
}

// Add puts a token at the end of the list. It takes those out that have expired, and then
// the oldest while there are more than most, and returns their records' store keys.
func (l *ImportTokens) Add(t ListedToken, now time.Time, most int) (removed []string) {
	l.Tokens = slices.DeleteFunc(append(l.Tokens, t), func(t ListedToken) bool {
		expired := !now.Before(t.Expires)
		if expired {
			removed = append(removed, t.Record)
		}
		return expired
	})
	for ; len(l.Tokens) > most; l.Tokens = l.Tokens[1:] {
		removed = append(removed, l.Tokens[0].Record)
	}
	return removed
}

// Marshal returns the record of l.
func (l *ImportTokens) Marshal() ([]byte, error) {
	l.Version = version
	return json.Marshal(l)
}

// UnmarshalImportTokens reads the record of a list of import tokens.
func UnmarshalImportTokens(b []byte) (*ImportTokens, error) {
	var l ImportTokens
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, fmt.Errorf("keyrecord: import tokens: %w", err)
	}
	if l.Version != version {
		return nil, fmt.Errorf("keyrecord: import tokens of format %d, this program knows %d", l.Version, version)
	}
	return &l, nil
}

// Expired reports whether the token is no longer good.
func (t *ImportToken) Expired(now time.Time) bool { return !now.Before(t.Expires) }

// Format prints the kind of wrapping key only, whatever the verb.
func (t ImportToken) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "import token for %s under %s", t.WrappingAlgorithm, t.WrappingKeySpec)
}

// Marshal returns the record of t.
func (t *ImportToken) Marshal() ([]byte, error) {
	t.Version = version
	return json.Marshal(t)
}

// UnmarshalImportToken reads the record of an import token.
func UnmarshalImportToken(b []byte) (*ImportToken, error) {
	var t ImportToken
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("keyrecord: import token: %w", err)
	}
	switch {
	case t.Version != version:
		return nil, fmt.Errorf("keyrecord: import token of format %d, this program knows %d", t.Version, version)
	case len(t.PrivateKey) == 0:
		return nil, fmt.Errorf("keyrecord: import token without a private key")
	}
	return &t, nil
}
