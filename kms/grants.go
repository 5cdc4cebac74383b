package kms

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/policy"
	"github.com/sealring/sealring/store"
)

// CreateGrant, RevokeGrant and RetireGrant.

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
	suits:  func(_ *sdk.CreateGrantInput, on []target) error { return suitsKey(on[0].grant, on[0].key) },
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
		if k.Grants >= r.service.quotas.Grants {
			return nil, limitExceeded("%s has %d grants, the most that a key can have", k.ARN(), k.Grants)
		}
		g.ID, g.Secret = hex.EncodeToString(randomBytes(32)), randomBytes(32)
		if err := r.writeGrant(k, g); err != nil {
			return nil, err
		}
		return &sdk.CreateGrantOutput{GrantId: aws.String(g.ID), GrantToken: aws.String(newGrantToken(g))}, nil
	},
}

func validateCreateGrant(c *constraints, in *sdk.CreateGrantInput) {
	c.keyID("keyId", in.KeyId)
	c.principal("granteePrincipal", in.GranteePrincipal)
	c.principal("retiringPrincipal", in.RetiringPrincipal)
	c.servicePrincipal("granteeServicePrincipal", in.GranteeServicePrincipal)
	c.servicePrincipal("retiringServicePrincipal", in.RetiringServicePrincipal)
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
	var source *string
	if g := in.Constraints; g != nil {
		c.grantContext("constraints.encryptionContextEquals", g.EncryptionContextEquals)
		c.grantContext("constraints.encryptionContextSubset", g.EncryptionContextSubset)
		if source = g.SourceArn; source != nil {
			c.length("constraints.sourceArn", *source, 1, 2048)
			_, ok := arn.Parse(*source)
			c.reject(!ok, invalidARN("Invalid arn %s", *source))
		}
	}
	retiring := in.RetiringPrincipal != nil || in.RetiringServicePrincipal != nil
	service := in.GranteeServicePrincipal != nil
	c.reject((in.GranteePrincipal != nil) == service, validation("Specify either GranteePrincipal or GranteeServicePrincipal, but not both."))
	c.reject(in.RetiringPrincipal != nil && in.RetiringServicePrincipal != nil,
		validation("Specify either RetiringPrincipal or RetiringServicePrincipal, but not both."))
	c.reject(service && source == nil, validation("A grant to a service principal needs a SourceArn constraint."))
	c.reject(service && !retiring, validation("A grant to a service principal needs a retiring principal."))
}

// principal holds an optional principal of a grant to its form.
func (c *constraints) principal(path string, p *string) {
	if p != nil {
		c.length(path, *p, 1, 256)
		c.reject(!principalID(*p), invalidARN("%s is not the ARN of a principal that a grant can name.", *p))
	}
}

// servicePrincipal is principal for a service.
func (c *constraints) servicePrincipal(path string, p *string) {
	if p != nil {
		c.length(path, *p, 1, 256)
		_, err := identity.Service(*p, "")
		c.reject(err != nil, validation("%s is not a service principal.", *p))
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

// managing are the operations that a grant on any key can permit, and grantable what it
// can permit besides on a key of some usage (AWS KMS Developer Guide, "Grant
// operations").
const managing = policy.GrantCreateGrant | policy.GrantRetireGrant | policy.GrantDescribeKey

var grantable = map[types.KeyUsageType]policy.GrantOperations{
	types.KeyUsageTypeEncryptDecrypt:         policy.GrantEncrypt | policy.GrantDecrypt | policy.GrantReEncryptFrom | policy.GrantReEncryptTo,
	types.KeyUsageTypeSignVerify:             policy.GrantSign | policy.GrantVerify,
	types.KeyUsageTypeGenerateVerifyMac:      policy.GrantGenerateMac | policy.GrantVerifyMac,
	types.KeyUsageTypeKeyAgreement:           policy.GrantDeriveSharedSecret,
	types.KeyUsageTypeEncapsulateDecapsulate: policy.GrantEncapsulate | policy.GrantDecapsulate,
}

// dataKeys are the operations of symmetric encryption keys only.
const dataKeys = policy.GrantGenerateDataKey | policy.GrantGenerateDataKeyWithoutPlaintext |
	policy.GrantGenerateDataKeyPair | policy.GrantGenerateDataKeyPairWithoutPlaintext

// suitsKey refuses a grant that permits, or constrains, what its key does not have.
func suitsKey(g *policy.Grant, k *keyrecord.Key) error {
	permitted := managing | grantable[types.KeyUsageType(k.Usage)]
	spec, _ := keyspec.Lookup(k.Spec)
	switch {
	case spec.Symmetric():
		permitted |= dataKeys
	case spec.Asymmetric():
		permitted |= policy.GrantGetPublicKey
	}
	if excess := g.Operations &^ permitted; excess != 0 {
		return validation("The grant operation %s is not valid for a key with key spec %s and key usage %s.", excess.Names()[0], k.Spec, k.Usage)
	}
	if !spec.Symmetric() && len(g.EncryptionContextEquals)+len(g.EncryptionContextSubset) > 0 {
		return validation("An encryption context constraint is not valid for a key with key spec %s.", k.Spec)
	}
	return nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// newGrant returns the grant that a request asks for, without its id and secret.
func (r *request) newGrant(k *keyrecord.Key, in *sdk.CreateGrantInput) *keyrecord.Grant {
	g := &keyrecord.Grant{
		Account: k.Account,
		Region:  k.Region,
		KeyID:   k.ID,
		Name:    aws.ToString(in.Name),
		Created: r.now,
		Issuer:  cmp.Or(r.caller.Account, k.Account), // a service has none

		Grantee:         aws.ToString(in.GranteePrincipal),
		GranteeService:  aws.ToString(in.GranteeServicePrincipal),
		Retiring:        aws.ToString(in.RetiringPrincipal),
		RetiringService: aws.ToString(in.RetiringServicePrincipal),
	}
	if g.Created.Before(k.Created) { // the clock went back: see liveGrant
		g.Created = k.Created
	}
	for _, o := range in.Operations {
		g.Operations = append(g.Operations, string(o))
	}
	slices.Sort(g.Operations)
	g.Operations = slices.Compact(g.Operations)
	if c := in.Constraints; c != nil {
		g.ContextEquals, g.ContextSubset, g.SourceARN = c.EncryptionContextEquals, c.EncryptionContextSubset, aws.ToString(c.SourceArn)
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
			c.blob("grantToken", []byte(*in.GrantToken), 1, 8192) // not to be repeated in the answer
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
		return r.only(t), err
	},
	dryRun: func(in *sdk.RetireGrantInput) *bool { return in.DryRun },
	run: func(r *request, _ *sdk.RetireGrantInput, on []target) (*sdk.RetireGrantOutput, error) {
		g, err := r.existingGrant(on[0].key, on[0].grant.ID)
		if err != nil {
			return nil, err
		}
		return &sdk.RetireGrantOutput{}, r.deleteGrant(on[0].key, g)
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
