package policy

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// GrantOperations is a set of the operations that a grant can permit.
type GrantOperations uint32

// The operations that a grant can permit.
const (
	GrantDecrypt GrantOperations = 1 << iota
	GrantEncrypt
	GrantGenerateDataKey
	GrantGenerateDataKeyWithoutPlaintext
	GrantGenerateDataKeyPair
	GrantGenerateDataKeyPairWithoutPlaintext
	GrantReEncryptFrom
	GrantReEncryptTo
	GrantSign
	GrantVerify
	GrantGenerateMac
	GrantVerifyMac
	GrantDeriveSharedSecret
	GrantEncapsulate
	GrantDecapsulate
	GrantGetPublicKey
	GrantDescribeKey
	GrantCreateGrant
	GrantRetireGrant
)

// ParseGrantOperations returns the set of the named operations, such as "Decrypt".
func ParseGrantOperations(names ...string) (GrantOperations, error) {
	var set GrantOperations
	for _, name := range names {
		i := slices.IndexFunc(actions[:], func(a actionInfo) bool { return a.grant != 0 && a.name[len("kms:"):] == name })
		if i < 0 {
			return 0, fmt.Errorf("policy: a grant cannot permit %q", name)
		}
		set |= actions[i].grant
	}
	return set, nil
}

// Names returns the names of the operations in alphabetical order.
func (o GrantOperations) Names() []string {
	names := make([]string, 0, bits.OnesCount32(uint32(o)))
	for i := range actions {
		if o&actions[i].grant != 0 {
			names = append(names, actions[i].name[len("kms:"):])
		}
	}
	return names
}

// Grant is a grant on a KMS key. Its slices must not be changed while it is in use.
type Grant struct {
	ID  string // names the grant in explanations
	Key string // the key's ARN

	// Grantee is the ARN of the principal who gets the permissions: a user, a role
	// (all its sessions), a session, or an account (its root user, and whom identity
	// policies there allow the operation). GranteeService is a service instead.
	Grantee        string
	GranteeService string

	// Retiring is the ARN of the principal who may retire the grant, and
	// RetiringService the service.
	Retiring        string
	RetiringService string

	Operations GrantOperations

	// EncryptionContextEquals, if it is not empty, is the whole encryption context that
	// a request must have, and EncryptionContextSubset pairs that must be in it.
	EncryptionContextEquals []Pair
	EncryptionContextSubset []Pair

	// SourceARN, if it is not empty, must equal the request's aws:SourceArn, except for
	// RetireGrant.
	SourceARN string

	// IssuingAccount is the id of the account that the grant was made in.
	IssuingAccount string

	// VisibleAt is when a new grant has reached everywhere. Tokens are the grant's
	// tokens: a request with one of them need not wait.
	VisibleAt time.Time
	Tokens    []string
}

// Visible reports whether a request made now with these grant tokens sees the grant.
func (g *Grant) Visible(now time.Time, tokens []string) bool {
	visible := 0
	for _, own := range g.Tokens {
		for _, t := range tokens {
			visible |= subtle.ConstantTimeCompare([]byte(own), []byte(t))
		}
	}
	return visible == 1 || !now.Before(g.VisibleAt)
}

// Why a grant does not permit a child grant; returned by [ValidateChild].
var (
	ErrGrantOperations  = errors.New("policy: the new grant permits operations that its creator's grant does not")
	ErrGrantConstraints = errors.New("policy: the new grant is less constrained than its creator's grant")
)

// ValidateChild checks a grant that is made by right of another one: its operations
// must be among the parent's, and its constraints as strict or stricter. The keys of
// encryption contexts are compared without regard to case.
func ValidateChild(parent, child *Grant) error {
	return validateChild(parent, child, false)
}

func validateChild(parent, child *Grant, strict bool) error {
	equals, subset := child.EncryptionContextEquals, child.EncryptionContextSubset
	all := equals // what the child demands at least
	if len(all) == 0 {
		all = subset
	}
	switch {
	case child.Operations&^parent.Operations != 0:
		return ErrGrantOperations
	case len(parent.EncryptionContextEquals) > 0 && !sameContext(parent.EncryptionContextEquals, equals, strict),
		!hasContext(all, parent.EncryptionContextSubset, strict),
		parent.SourceARN != "" && parent.SourceARN != child.SourceARN:
		return ErrGrantConstraints
	}
	return nil
}

// grantMatch is how far a grant goes towards permitting a request.
type grantMatch uint8

const (
	notGrantee    grantMatch = iota
	noOperation              // the operation is not in its list
	notMet                   // a constraint is not met
	badChild                 // the grant to be made goes beyond it
	throughIAM               // the grantee is the caller's account
	permitsCaller            // the grantee is the caller
)

// Matches reports whether the grant by itself permits the request: the caller is the
// grantee, the operation is in the list, the constraints are met, and for
// kms:CreateGrant the new grant stays within this one. Policies are not looked at, so
// a grant to an account permits only the account's root user.
func (g *Grant) Matches(r *Request) bool {
	if r == nil {
		return false
	}
	var e evaluator
	e.init(r, &Layers{})
	return e.key && e.matchesGrant(g) == permitsCaller
}

// MayRetire reports whether the request's caller may retire the grant: it is the
// retiring principal, or the grantee and RetireGrant is among the operations, or it
// acts for the account that issued the grant, owns the key or is the retiring
// principal; and no policy denies it. The request's action and grant are not read.
func (g *Grant) MayRetire(r *Request, l *Layers) bool {
	if r == nil {
		return false
	}
	ask := *r
	ask.Action, ask.Grant = "kms:RetireGrant", g
	return Decide(&ask, l).Allowed
}

// matchesGrant compares a grant with the request.
func (e *evaluator) matchesGrant(g *Grant) grantMatch {
	match := permitsCaller
	switch who := granteeMatch(g.Grantee, g.GranteeService, e.c); {
	case who == NoPrincipalMatch || g.Key != e.r.Resource:
		return notGrantee
	case who == AccountMatch:
		match = throughIAM
	}
	var operation GrantOperations
	if e.action != unknownAction {
		operation = actions[e.action].grant
	}
	switch {
	case operation == 0 || g.Operations&operation == 0:
		return noOperation
	case !e.meets(g, operation):
		return notMet
	case operation == GrantCreateGrant &&
		(e.r.Grant == nil || validateChild(g, e.r.Grant, e.l.Choices.StrictGrantContextKeys) != nil):
		return badChild
	}
	return match
}

// granteeMatch says how a grant's principal names the caller.
func granteeMatch(principal, service string, c *Caller) PrincipalMatch {
	switch {
	case c.Kind == AnonymousCaller:
		return NoPrincipalMatch
	case c.Kind == ServiceCaller:
		if service != "" && (strings.EqualFold(service, c.Service) ||
			slices.ContainsFunc(c.ServiceNames, func(n string) bool { return strings.EqualFold(n, service) })) {
			return ServiceMatch
		}
		return NoPrincipalMatch
	case principal == "":
		return NoPrincipalMatch
	case principal == c.ARN:
		return UserMatch
	case principal == c.RoleARN && c.Kind == RoleCaller:
		return RoleMatch
	}
	if account := accountOf(principal); account == "" || account != c.Account {
		return NoPrincipalMatch
	}
	if c.Kind == RootCaller {
		return UserMatch
	}
	return AccountMatch
}

// accountOf returns the account that a principal stands for: an account's id, or the
// ARN of its root user.
func accountOf(principal string) string {
	if accountID(principal) {
		return principal
	}
	if a, ok := splitARN(principal); ok && a[2] == "iam" && a[5] == "root" {
		return a[4]
	}
	return ""
}

// meets reports whether the request meets a grant's constraints, none of which bind
// RetireGrant. DescribeKey has no encryption context, and a new grant's is compared with
// its parent's instead.
func (e *evaluator) meets(g *Grant, operation GrantOperations) bool {
	switch {
	case operation == GrantRetireGrant:
		return true
	case g.SourceARN != "" && !e.fromSource(g.SourceARN):
		return false
	case operation&(GrantDescribeKey|GrantCreateGrant) != 0:
		return true
	}
	got, strict := e.ctx.families[EncryptionContext], e.l.Choices.StrictGrantContextKeys
	return (len(g.EncryptionContextEquals) == 0 || sameContext(g.EncryptionContextEquals, got, strict)) &&
		hasContext(got, g.EncryptionContextSubset, strict)
}

// fromSource reports whether the request's aws:SourceArn is the one of a constraint.
func (e *evaluator) fromSource(want string) bool {
	if !e.present.has(int(AWSSourceARN)) {
		return false
	}
	v := e.scalar(AWSSourceARN)
	return v.kind == textValue && v.text == want
}

// sameContext reports whether two encryption contexts have the same pairs.
func sameContext(a, b []Pair, strict bool) bool {
	return len(a) == len(b) && hasContext(a, b, strict) && hasContext(b, a, strict)
}

// hasContext reports whether an encryption context has all of the pairs.
func hasContext(all, pairs []Pair, strict bool) bool {
	for i := range pairs {
		if !hasPair(all, &pairs[i], strict) {
			return false
		}
	}
	return true
}

func hasPair(all []Pair, want *Pair, strict bool) bool {
	for i := range all {
		if all[i].Value == want.Value &&
			(all[i].Key == want.Key || !strict && strings.EqualFold(all[i].Key, want.Key)) {
			return true
		}
	}
	return false
}
