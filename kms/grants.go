package kms

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// CreateGrant, RevokeGrant and RetireGrant.

// symmetricGrantOperations are those that a grant on a symmetric encryption key can
// permit.
var symmetricGrantOperations = []types.GrantOperation{
	types.GrantOperationDecrypt,
	types.GrantOperationEncrypt,
	types.GrantOperationGenerateDataKey,
	types.GrantOperationGenerateDataKeyWithoutPlaintext,
	types.GrantOperationGenerateDataKeyPair,
	types.GrantOperationGenerateDataKeyPairWithoutPlaintext,
	types.GrantOperationReEncryptFrom,
	types.GrantOperationReEncryptTo,
	types.GrantOperationCreateGrant,
	types.GrantOperationRetireGrant,
	types.GrantOperationDescribeKey,
}

var createGrant = &operation[sdk.CreateGrantInput, sdk.CreateGrantOutput]{
	name:     "CreateGrant",
	validate: validateCreateGrant,
	tokens:   func(in *sdk.CreateGrantInput) []string { return in.GrantTokens },
	targets: func(r *request, in *sdk.CreateGrantInput) ([]target, error) {
		on, err := r.oneKey(in.KeyId, keyIDOrARN)
		if err != nil {
			return nil, err
		}
		on[0].grant, err = grantPolicy(r.newGrant(on[0].key, in))
		return on, err
	},
	suits: func(in *sdk.CreateGrantInput, _ []target) error {
		for _, o := range in.Operations {
			if !slices.Contains(symmetricGrantOperations, o) {
				return validation("The grant operation %s is not valid for a key with key spec SYMMETRIC_DEFAULT.", o)
			}
		}
		return nil
	},
	dryRun: func(in *sdk.CreateGrantInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.CreateGrantInput, on []target) (*sdk.CreateGrantOutput, error) {
		k := on[0].key
		g := r.newGrant(k, in)
		if g.Name != "" {
			same, err := r.sameGrant(g)
			if err != nil {
				return nil, err
			}
			if same != nil {
				return &sdk.CreateGrantOutput{GrantId: &same.ID, GrantToken: aws.String(newGrantToken(same))}, nil
			}
		}
		if k.Grants >= maxGrants {
			return nil, &types.LimitExceededException{Message: text("%s has %d grants, the most that a key can have", k.ARN(), k.Grants)}
		}
		if err := r.writeGrant(k, g); err != nil {
			return nil, err
		}
		return &sdk.CreateGrantOutput{GrantId: aws.String(g.ID), GrantToken: aws.String(newGrantToken(g))}, nil
	},
}

func validateCreateGrant(c *constraints, in *sdk.CreateGrantInput) {
	c.keyID("keyId", in.KeyId)
	c.refuse("GranteeServicePrincipal", in.GranteeServicePrincipal != nil)
	c.refuse("RetiringServicePrincipal", in.RetiringServicePrincipal != nil)
	c.text("granteePrincipal", in.GranteePrincipal, 1, 256)
	if in.RetiringPrincipal != nil {
		c.length("retiringPrincipal", *in.RetiringPrincipal, 1, 256)
	}
	c.present("operations", in.Operations != nil)
	for _, o := range in.Operations {
		if o == "" {
			c.fail(quoted(""), "operations", "not be empty")
		}
		oneOf(c, "operations", o, o.Values())
	}
	c.reject(len(in.Operations) == 0, validation("A grant needs at least one operation."))
	if in.Name != nil {
		c.length("name", *in.Name, 1, 256)
		c.pattern("name", *in.Name, aliasPattern)
	}
	c.grantTokens(in.GrantTokens)
	if g := in.Constraints; g != nil {
		c.grantContext("constraints.encryptionContextEquals", g.EncryptionContextEquals)
		c.grantContext("constraints.encryptionContextSubset", g.EncryptionContextSubset)
		c.refuse("SourceArn", g.SourceArn != nil)
	}
	for _, p := range []*string{in.GranteePrincipal, in.RetiringPrincipal} {
		c.reject(p != nil && !principalID(*p), invalidARN("%s is not the ARN of a principal that a grant can name.", aws.ToString(p)))
	}
}

// grantContext bounds a constraint of a grant.
func (c *constraints) grantContext(path string, pairs map[string]string) {
	c.encryptionContext(path, pairs)
	c.reject(len(pairs) > 8, validation("A grant constraint has at most 8 pairs."))
	for _, v := range pairs {
		c.reject(utf8.RuneCountInString(v) > 384, validation("A value of a grant constraint has at most 384 characters."))
	}
}

// newGrant returns the grant that a request asks for.
func (r *request) newGrant(k *keyrecord.Key, in *sdk.CreateGrantInput) *keyrecord.Grant {
	id, secret := make([]byte, 32), make([]byte, 32)
	rand.Read(id)
	rand.Read(secret)
	g := &keyrecord.Grant{
		ID:       hex.EncodeToString(id),
		Account:  k.Account,
		Region:   k.Region,
		KeyID:    k.ID,
		Name:     aws.ToString(in.Name),
		Created:  r.now,
		Issuer:   r.caller.Account,
		Grantee:  *in.GranteePrincipal,
		Retiring: aws.ToString(in.RetiringPrincipal),
		Secret:   secret,
	}
	for _, o := range in.Operations {
		g.Operations = append(g.Operations, string(o))
	}
	slices.Sort(g.Operations)
	g.Operations = slices.Compact(g.Operations)
	if c := in.Constraints; c != nil {
		g.ContextEquals, g.ContextSubset = c.EncryptionContextEquals, c.EncryptionContextSubset
	}
	return g
}

// sameGrant returns the grant that an identical request with the same name has made,
// or nil.
func (r *request) sameGrant(g *keyrecord.Grant) (*keyrecord.Grant, error) {
	id, err := r.draft.Get(g.GrantName())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.readGrant(g.Account, g.KeyID, string(id))
}

var revokeGrant = &operation[sdk.RevokeGrantInput, sdk.RevokeGrantOutput]{
	name:   "RevokeGrant",
	noBody: true,
	validate: func(c *constraints, in *sdk.RevokeGrantInput) {
		c.keyID("keyId", in.KeyId)
		c.text("grantId", in.GrantId, 1, 128)
	},
	targets: func(r *request, in *sdk.RevokeGrantInput) ([]target, error) { return r.oneKey(in.KeyId, keyIDOrARN) },
	dryRun:  func(in *sdk.RevokeGrantInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.RevokeGrantInput, on []target) (*sdk.RevokeGrantOutput, error) {
		g, err := r.existingGrant(on[0].key, *in.GrantId)
		if err != nil {
			return nil, err
		}
		return &sdk.RevokeGrantOutput{}, r.deleteGrant(on[0].key, g)
	},
}

// existingGrant reads a grant that has to be there.
func (r *request) existingGrant(k *keyrecord.Key, id string) (*keyrecord.Grant, error) {
	if !isGrantID(id) {
		return nil, &types.InvalidGrantIdException{Message: text("%s is not a grant id.", id)}
	}
	g, err := r.readGrant(k.Account, k.ID, id)
	if err == nil && g == nil {
		err = notFound("Grant ID %s not found", id)
	}
	return g, err
}

var retireGrant = &operation[sdk.RetireGrantInput, sdk.RetireGrantOutput]{
	name:   "RetireGrant",
	noBody: true,
	validate: func(c *constraints, in *sdk.RetireGrantInput) {
		if in.GrantToken != nil {
			c.length("grantToken", *in.GrantToken, 1, 8192)
			return
		}
		c.reject(in.KeyId == nil || in.GrantId == nil, validation("Grant token OR (grant ID, key ID) must be specified"))
		if in.KeyId != nil {
			c.keyID("keyId", in.KeyId)
		}
		if in.GrantId != nil {
			c.length("grantId", *in.GrantId, 1, 128)
		}
	},
	targets: func(r *request, in *sdk.RetireGrantInput) ([]target, error) {
		k, g, err := r.grantToRetire(in)
		if err != nil {
			return nil, err
		}
		t, err := r.targetOf(onKey, k)
		if err != nil {
			return nil, err
		}
		t.grant, err = grantPolicy(g)
		return []target{t}, err
	},
	dryRun: func(in *sdk.RetireGrantInput) *bool { return in.DryRun },
	run: func(r *request, in *sdk.RetireGrantInput, _ []target) (*sdk.RetireGrantOutput, error) {
		k, g, err := r.grantToRetire(in)
		if err != nil {
			return nil, err
		}
		return &sdk.RetireGrantOutput{}, r.deleteGrant(k, g)
	},
}

// grantToRetire reads the grant that a token, or a key and a grant id, name.
func (r *request) grantToRetire(in *sdk.RetireGrantInput) (*keyrecord.Key, *keyrecord.Grant, error) {
	if in.GrantToken != nil {
		g, err := r.grantOfToken(*in.GrantToken)
		if err != nil {
			return nil, nil, err
		}
		k, err := r.key(g.Account, g.KeyID, g.KeyID)
		return k, g, err
	}
	k, _, err := r.find(*in.KeyId, keyIDOrARN)
	if err != nil {
		return nil, nil, err
	}
	g, err := r.existingGrant(k, *in.GrantId)
	return k, g, err
}

// Grant listings page by grant id.
const (
	defaultGrantsPage = 50
	maxGrantsPage     = 100
)

var listGrants = &operation[sdk.ListGrantsInput, sdk.ListGrantsOutput]{
	name:     "ListGrants",
	readOnly: true,
	validate: func(c *constraints, in *sdk.ListGrantsInput) {
		c.keyID("keyId", in.KeyId)
		c.page(in.Limit, in.Marker)
		if in.GrantId != nil {
			c.length("grantId", *in.GrantId, 1, 128)
		}
		if in.GranteePrincipal != nil {
			c.length("granteePrincipal", *in.GranteePrincipal, 1, 256)
		}
		c.refuse("GranteeServicePrincipal", in.GranteeServicePrincipal != nil)
	},
	targets: func(r *request, in *sdk.ListGrantsInput) ([]target, error) { return r.oneKey(in.KeyId, keyIDOrARN) },
	run: func(r *request, in *sdk.ListGrantsInput, on []target) (*sdk.ListGrantsOutput, error) {
		k := on[0].key
		p, err := openPage("ListGrants", in.Limit, in.Marker, defaultGrantsPage, maxGrantsPage)
		if err != nil {
			return nil, err
		}
		if in.GrantId != nil {
			if err := r.checkGrantID(k, *in.GrantId); err != nil {
				return nil, err
			}
		}
		out := &sdk.ListGrantsOutput{Grants: []types.GrantListEntry{}}
		prefix := keyrecord.GrantPrefix(k.Account, k.Region, k.ID)
		for e, err := range r.draft.Scan(prefix, prefix+p.after) {
			if err != nil {
				return nil, err
			}
			g, err := liveGrant(k, e.Value)
			if err != nil {
				return nil, err
			}
			if g == nil || in.GrantId != nil && g.ID != *in.GrantId || in.GranteePrincipal != nil && g.Grantee != *in.GranteePrincipal {
				continue
			}
			if p.full(len(out.Grants)) {
				out.Truncated, out.NextMarker = true, p.next(*out.Grants[len(out.Grants)-1].GrantId)
				break
			}
			out.Grants = append(out.Grants, grantEntry(g))
		}
		return out, nil
	},
}

// checkGrantID refuses an id that no grant on the key has.
func (r *request) checkGrantID(k *keyrecord.Key, id string) error {
	if isGrantID(id) {
		g, err := r.readGrant(k.Account, k.ID, id)
		if err != nil || g != nil {
			return err
		}
	}
	return &types.InvalidGrantIdException{Message: text("%s is not the id of a grant on the key.", id)}
}

var listRetirableGrants = &operation[sdk.ListRetirableGrantsInput, sdk.ListRetirableGrantsOutput]{
	name:     "ListRetirableGrants",
	readOnly: true,
	validate: func(c *constraints, in *sdk.ListRetirableGrantsInput) {
		c.text("retiringPrincipal", in.RetiringPrincipal, 1, 256)
		c.page(in.Limit, in.Marker)
		c.refuse("RetiringServicePrincipal", in.RetiringServicePrincipal != nil)
		c.reject(in.RetiringPrincipal != nil && !principalID(*in.RetiringPrincipal),
			invalidARN("%s is not the ARN of a principal that a grant can name.", aws.ToString(in.RetiringPrincipal)))
	},
	targets: func(r *request, in *sdk.ListRetirableGrantsInput) ([]target, error) {
		if strings.Split(*in.RetiringPrincipal, ":")[4] != r.caller.Account {
			return nil, accessDenied("The retiring principal must be one of the caller's account.")
		}
		return []target{r.accountTarget()}, nil
	},
	run: func(r *request, in *sdk.ListRetirableGrantsInput, _ []target) (*sdk.ListRetirableGrantsOutput, error) {
		p, err := openPage("ListRetirableGrants", in.Limit, in.Marker, defaultGrantsPage, maxGrantsPage)
		if err != nil {
			return nil, err
		}
		out := &sdk.ListRetirableGrantsOutput{Grants: []types.GrantListEntry{}}
		prefix := keyrecord.RetiringPrefix(r.caller.Region, *in.RetiringPrincipal)
		last := ""
		for e, err := range r.draft.Scan(prefix, prefix+p.after) {
			if err != nil {
				return nil, err
			}
			where := strings.Split(strings.TrimPrefix(e.Key, prefix), "/")
			if len(where) != 3 {
				return nil, errors.New("kms: malformed index entry of a grant")
			}
			g, err := r.readGrant(where[0], where[1], where[2])
			if err != nil {
				return nil, err
			}
			if g == nil {
				continue // the key is gone
			}
			if p.full(len(out.Grants)) {
				out.Truncated, out.NextMarker = true, p.next(last)
				break
			}
			out.Grants = append(out.Grants, grantEntry(g))
			last = strings.TrimPrefix(e.Key, prefix)
		}
		return out, nil
	},
}

// grantEntry returns what listings say of a grant.
func grantEntry(g *keyrecord.Grant) types.GrantListEntry {
	e := types.GrantListEntry{
		CreationDate:     aws.Time(g.Created),
		GrantId:          aws.String(g.ID),
		GranteePrincipal: aws.String(g.Grantee),
		IssuingAccount:   aws.String(identity.Root(g.Issuer, g.Region).Principal),
		KeyId:            aws.String(keyrecord.KeyARN(g.Region, g.Account, g.KeyID)),
		Name:             aws.String(g.Name),
	}
	if g.Retiring != "" {
		e.RetiringPrincipal = aws.String(g.Retiring)
	}
	for _, o := range g.Operations {
		e.Operations = append(e.Operations, types.GrantOperation(o))
	}
	if len(g.ContextEquals)+len(g.ContextSubset) > 0 {
		e.Constraints = &types.GrantConstraints{EncryptionContextEquals: g.ContextEquals, EncryptionContextSubset: g.ContextSubset}
	}
	return e
}
