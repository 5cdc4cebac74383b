// Package identity says who makes a request: IAM's half of an authorisation.
//
// Every entrance to the local cloud (a client made in Go, a signed HTTP request)
// ends in a [Caller], and everything behind it decides by that value alone.
package identity

import (
	"net/netip"
	"strings"

	"github.com/sealring/sealring/internal/arn"
)

// The account and Region of callers that nobody has named: AWS's own example
// account, and the Region that AWS's tools start with.
const (
	DefaultAccount = "111122223333"
	DefaultRegion  = "us-east-1"
)

// Caller is an authenticated principal and where its request comes from. The zero
// value is anonymous and may do nothing. It is a plain value: whoever makes one
// vouches for it.
//
// It is a principal of some account, or an AWS service that acts for itself: a value
// that claims to be both is anonymous.
type Caller struct {
	// Principal is the principal's ARN: an account root, user, role session ….
	Principal string
	// Account is the 12-digit id of the principal's account.
	Account string
	// Region is the Region that the request is made in.
	Region string

	// Session is set for the credentials of a role session or a federated user.
	// Principal is then the session's ARN.
	Session *Session

	// Service is the name of a service that acts for itself, such as
	// "s3.amazonaws.com". Principal, Account and Session are then empty. See [Service].
	Service string
	// SourceARN and SourceAccount are the resource on whose behalf a service makes the
	// request, and its account: aws:SourceArn and aws:SourceAccount. Empty means that
	// there is none.
	SourceARN, SourceAccount string
	// Via lists the services that have passed the principal's request on in its name,
	// the one that makes this request last. It is empty for a request that the
	// principal has made itself. See [Caller.Through]. It is shared by copies of a
	// Caller and must not be changed.
	Via []string

	// AccessKeyID names the credentials that signed the request, if any did.
	AccessKeyID string
	// SourceIP is the address that the request came from; the zero value for
	// requests made in process.
	SourceIP netip.Addr
	// UserAgent is what the client says of itself.
	UserAgent string
	// PlainTransport is set if the request crossed a network without TLS.
	PlainTransport bool
}

// Root returns the account's root user acting in the Region.
func Root(account, region string) Caller {
	return Caller{
		Principal: "arn:" + arn.Partition(region) + ":iam::" + account + ":root",
		Account:   account,
		Region:    region,
	}
}

// Anonymous reports whether nobody has authenticated the caller.
func (c Caller) Anonymous() bool {
	return !c.actsForItself() && (c.Principal == "" || c.Account == "" || c.Service != "")
}

// Root reports whether the caller is its account's root user.
func (c Caller) Root() bool {
	if c.Anonymous() {
		return false
	}
	// As in Root, without making the text anew for every request.
	rest, ok := strings.CutPrefix(c.Principal, "arn:")
	for _, part := range [...]string{arn.Partition(c.Region), ":iam::", c.Account} {
		if ok {
			rest, ok = strings.CutPrefix(rest, part)
		}
	}
	return ok && rest == ":root"
}

// In returns the same caller acting in another Region.
func (c Caller) In(region string) Caller {
	if region == c.Region {
		return c
	}
	if c.Root() {
		c.Principal = Root(c.Account, region).Principal // the partition may differ
	}
	c.Region = region
	return c
}

// String returns the principal's ARN, the service's name, or "anonymous".
func (c Caller) String() string {
	switch {
	case c.Anonymous():
		return "anonymous"
	case c.Service != "":
		return c.Service
	}
	return c.Principal
}
