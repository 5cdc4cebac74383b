package kms

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
	"github.com/sealring/sealring/store"
)

// What grants are to the engine: records, the form in which the policy engine sees
// them, and tokens. A grant is in force from the moment it is made, so a token gives
// nothing that the grant does not; but a token that belongs to no grant is refused.

// maxGrantTokens is how many grant tokens a request can carry.
const maxGrantTokens = 10

// grantTokens bounds the grant tokens of a request.
func (c *constraints) grantTokens(tokens []string) {
	if len(tokens) > maxGrantTokens {
		c.fail("", "grantTokens", "have length less than or equal to 10")
	}
	for _, t := range tokens {
		if len(t) < 1 || len(t) > 8192 {
			c.fail("", "grantTokens", "have members of 1 to 8192 characters")
			return
		}
	}
}

// A grant token is, in base64url without padding:
//
//	account/region/key id/grant id/nonce, then 16 bytes of HMAC-SHA256 over it
//
// under the secret in the grant's record: every call of CreateGrant gives another one,
// none has to be stored, and all die with the grant.
const tokenMACLen = 16

func newGrantToken(g *keyrecord.Grant) string {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	body := strings.Join([]string{g.Account, g.Region, g.KeyID, g.ID, hex.EncodeToString(nonce)}, "/")
	return base64.RawURLEncoding.EncodeToString(append([]byte(body), tokenMAC(g, body)...))
}

func tokenMAC(g *keyrecord.Grant, body string) []byte {
	h := hmac.New(sha256.New, g.Secret)
	h.Write([]byte("sealring/kms/grant-token\x00" + body))
	return h.Sum(nil)[:tokenMACLen]
}

func invalidGrantToken() error {
	return &types.InvalidGrantTokenException{Message: text("The grant token is not valid.")}
}

// grantOfToken returns the grant that a token was made for.
func (r *request) grantOfToken(token string) (*keyrecord.Grant, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < tokenMACLen || strings.ContainsAny(token, "\r\n") { // which the decoder skips
		return nil, invalidGrantToken()
	}
	body, mac := string(b[:len(b)-tokenMACLen]), b[len(b)-tokenMACLen:]
	p := strings.Split(body, "/")
	if len(p) != 5 || !arn.IsAccount(p[0]) || p[1] != r.caller.Region || !isKeyID(p[2]) || !isGrantID(p[3]) {
		return nil, invalidGrantToken()
	}
	g, err := r.readGrant(p[0], p[2], p[3])
	switch {
	case err != nil:
		return nil, err
	case g == nil || !hmac.Equal(mac, tokenMAC(g, body)):
		return nil, invalidGrantToken()
	}
	return g, nil
}

// checkGrantTokens refuses a request with a token of no grant. An anonymous caller, who
// is refused later, does not learn which tokens are good.
func (r *request) checkGrantTokens(tokens []string) error {
	if r.principal.Kind == policy.AnonymousCaller {
		return nil
	}
	for _, t := range tokens {
		if _, err := r.grantOfToken(t); err != nil {
			return err
		}
	}
	return nil
}

// isGrantID reports whether s has the form of a grant id: 64 hexadecimal digits.
func isGrantID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}

// readGrant returns a grant's record, nil if there is none or its key is gone.
func (r *request) readGrant(account, keyID, id string) (*keyrecord.Grant, error) {
	b, err := r.draft.Get(keyrecord.GrantPrefix(account, r.caller.Region, keyID) + id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k, err := r.readKey(account, r.caller.Region, keyID)
	if err != nil || k == nil {
		return nil, err
	}
	return liveGrant(k, b)
}

// liveGrant reads a grant's record. It returns nil for a grant that an earlier key with
// k's id had: a replica that was deleted can be made again.
func liveGrant(k *keyrecord.Key, record []byte) (*keyrecord.Grant, error) {
	g, err := keyrecord.UnmarshalGrant(record)
	if err != nil || g.Created.Before(k.Created) {
		return nil, err
	}
	return g, nil
}

// writeGrant stores a grant and its index entries, and notes the change in the key's
// record.
func (r *request) writeGrant(k *keyrecord.Key, g *keyrecord.Grant) error {
	b, err := g.Marshal()
	if err != nil {
		return err
	}
	record, index := g.Names()
	r.draft.Put(record, b)
	for _, name := range index {
		r.draft.Put(name, nil)
	}
	if g.Name != "" {
		r.draft.Put(g.GrantName(), []byte(g.ID))
	}
	k.Grants++
	k.GrantChanges++
	return r.writeKey(k)
}

// deleteGrant is the reverse of writeGrant.
func (r *request) deleteGrant(k *keyrecord.Key, g *keyrecord.Grant) error {
	record, index := g.Names()
	r.draft.Delete(record)
	for _, name := range index {
		r.draft.Delete(name)
	}
	if g.Name != "" {
		r.draft.Delete(g.GrantName())
	}
	k.Grants--
	k.GrantChanges++
	return r.writeKey(k)
}

// grantsFor returns the grants on a key whose grantee may cover the caller: the
// principal, its role, or its account, or the service.
func (r *request) grantsFor(k *keyrecord.Key) ([]*policy.Grant, error) {
	if k.Grants == 0 {
		return nil, nil
	}
	of := grantsOf{key: k.ARN(), principal: r.caller.Principal, service: r.caller.Service}
	if s := r.caller.Session; s != nil {
		of.role = s.Role
	}
	grants, ok := r.service.grants.get(of, k)
	if ok {
		return grants, nil
	}
	for _, p := range r.grantees() {
		prefix := keyrecord.GranteePrefix(k.Account, k.Region, k.ID, p)
		for e, err := range r.draft.Scan(prefix, prefix) {
			if err != nil {
				return nil, err
			}
			g, err := r.peekGrant(k, strings.TrimPrefix(e.Key, prefix))
			if err != nil {
				return nil, err
			}
			if g == nil {
				continue
			}
			compiled, err := grantPolicy(g)
			if err != nil {
				return nil, err
			}
			grants = append(grants, compiled)
		}
	}
	r.service.grants.put(of, k, grants)
	return grants, nil
}

// grantees returns by what names a grant can cover the caller.
func (r *request) grantees() []string {
	if r.caller.Service != "" {
		return []string{r.caller.Service}
	}
	names := []string{r.caller.Principal, identity.Root(r.caller.Account, r.caller.Region).Principal}
	if s := r.caller.Session; s != nil && s.Role != "" {
		names = append(names, s.Role)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// peekGrant is readGrant for a decision: the commit of the request's draft, which can
// touch few records, does not compare what was read. It need not, because every change
// of a grant changes the record of k.
func (r *request) peekGrant(k *keyrecord.Key, id string) (*keyrecord.Grant, error) {
	for e, err := range r.draft.Scan(keyrecord.GrantPrefix(k.Account, k.Region, k.ID)+id, "") {
		if err != nil {
			return nil, err
		}
		return liveGrant(k, e.Value)
	}
	return nil, nil
}

// grantPolicy returns a grant as the policy engine sees it.
func grantPolicy(g *keyrecord.Grant) (*policy.Grant, error) {
	operations, err := policy.ParseGrantOperations(g.Operations...)
	if err != nil {
		return nil, err
	}
	return &policy.Grant{
		ID:                      g.ID,
		Key:                     keyrecord.KeyARN(g.Region, g.Account, g.KeyID),
		Grantee:                 g.Grantee,
		GranteeService:          g.GranteeService,
		Retiring:                g.Retiring,
		RetiringService:         g.RetiringService,
		Operations:              operations,
		EncryptionContextEquals: pairs(g.ContextEquals),
		EncryptionContextSubset: pairs(g.ContextSubset),
		SourceARN:               g.SourceARN,
		IssuingAccount:          g.Issuer,
		VisibleAt:               g.Created,
	}, nil
}

// pairs returns a context in order of its keys.
func pairs(context map[string]string) []policy.Pair {
	var list []policy.Pair
	for _, k := range slices.Sorted(maps.Keys(context)) {
		list = append(list, policy.Pair{Key: k, Value: context[k]})
	}
	return list
}
