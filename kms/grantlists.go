package kms

import (
	"cmp"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
)

// ListGrants and ListRetirableGrants.

// Grant listings page by grant id.
const (
	defaultGrantsPage = 50
	maxGrantsPage     = 100
)

var listGrants = &operation[sdk.ListGrantsInput, sdk.ListGrantsOutput]{
	name:       "ListGrants",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.ListGrantsInput) {
		c.keyID("keyId", in.KeyId)
		c.page(in.Limit, in.Marker)
		if in.GrantId != nil {
			c.length("grantId", *in.GrantId, 1, 128)
		}
		if in.GranteePrincipal != nil {
			c.length("granteePrincipal", *in.GranteePrincipal, 1, 256)
		}
		if in.GranteeServicePrincipal != nil {
			c.length("granteeServicePrincipal", *in.GranteeServicePrincipal, 1, 256)
		}
		c.reject(in.GranteePrincipal != nil && in.GranteeServicePrincipal != nil,
			validation("Specify either GranteePrincipal or GranteeServicePrincipal, but not both."))
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
			if g == nil || !among(in, g) {
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

// among reports whether a listing narrowed as the request says has the grant.
func among(in *sdk.ListGrantsInput, g *keyrecord.Grant) bool {
	return (in.GrantId == nil || g.ID == *in.GrantId) &&
		(in.GranteePrincipal == nil || g.Grantee == *in.GranteePrincipal) &&
		(in.GranteeServicePrincipal == nil || g.GranteeService == *in.GranteeServicePrincipal)
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
	name:       "ListRetirableGrants",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.ListRetirableGrantsInput) {
		c.page(in.Limit, in.Marker)
		c.principal("retiringPrincipal", in.RetiringPrincipal)
		c.servicePrincipal("retiringServicePrincipal", in.RetiringServicePrincipal)
		c.reject((in.RetiringPrincipal != nil) == (in.RetiringServicePrincipal != nil),
			validation("Specify either RetiringPrincipal or RetiringServicePrincipal, but not both."))
	},
	targets: func(r *request, in *sdk.ListRetirableGrantsInput) ([]target, error) {
		t := r.accountTarget()
		switch {
		case in.RetiringServicePrincipal == nil && strings.Split(*in.RetiringPrincipal, ":")[4] != r.caller.Account:
			return nil, accessDenied("The retiring principal must be one of the caller's account.")
		case in.RetiringServicePrincipal != nil && *in.RetiringServicePrincipal != r.caller.Service:
			return nil, accessDenied("The retiring service principal must be the caller.")
		}
		t.own = in.RetiringServicePrincipal != nil
		return r.only(t), nil
	},
	run: func(r *request, in *sdk.ListRetirableGrantsInput, _ []target) (*sdk.ListRetirableGrantsOutput, error) {
		p, err := openPage("ListRetirableGrants", in.Limit, in.Marker, defaultGrantsPage, maxGrantsPage)
		if err != nil {
			return nil, err
		}
		out := &sdk.ListRetirableGrantsOutput{Grants: []types.GrantListEntry{}}
		prefix := keyrecord.RetiringPrefix(r.caller.Region, aws.ToString(cmp.Or(in.RetiringPrincipal, in.RetiringServicePrincipal)))
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
		CreationDate:             aws.Time(g.Created),
		GrantId:                  aws.String(g.ID),
		GranteePrincipal:         given(g.Grantee),
		GranteeServicePrincipal:  given(g.GranteeService),
		IssuingAccount:           aws.String(identity.Root(g.Issuer, g.Region).Principal),
		KeyId:                    aws.String(keyrecord.KeyARN(g.Region, g.Account, g.KeyID)),
		Name:                     aws.String(g.Name),
		RetiringPrincipal:        given(g.Retiring),
		RetiringServicePrincipal: given(g.RetiringService),
	}
	for _, o := range g.Operations {
		e.Operations = append(e.Operations, types.GrantOperation(o))
	}
	if len(g.ContextEquals)+len(g.ContextSubset) > 0 || g.SourceARN != "" {
		e.Constraints = &types.GrantConstraints{EncryptionContextEquals: g.ContextEquals, EncryptionContextSubset: g.ContextSubset, SourceArn: given(g.SourceARN)}
	}
	return e
}

// given returns the member for text that a record may do without.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
