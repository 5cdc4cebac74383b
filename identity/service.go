package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/arn"
)

// maxServiceName is the longest name of a service, in characters.
const maxServiceName = 256

// The ends of services' names.
var serviceSuffixes = []string{".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"}

// Service returns an AWS service that acts for itself as a caller: the service
// principal that policies and grants name, such as "s3.amazonaws.com" or
// "logs.eu-west-1.amazonaws.com", in lower case. It has no account and no policies of
// its own: the policies of resources, and grants on keys, say what it may do.
//
// sourceARN is the ARN of the resource on whose behalf the service acts, and becomes
// aws:SourceArn; its account, if it names one, becomes aws:SourceAccount. It may be
// empty. The Region is left to [Caller.In].
func Service(name, sourceARN string) (Caller, error) {
	if !properService(name) {
		return Caller{}, fmt.Errorf("identity: service %q: it is not the name of a service, such as s3.amazonaws.com", name)
	}
	c := Caller{Service: name, SourceARN: sourceARN}
	if sourceARN != "" {
		a, ok := arn.Parse(sourceARN)
		if !ok {
			return Caller{}, fmt.Errorf("identity: service %q: the source %q is not an ARN", name, sourceARN)
		}
		c.SourceAccount = a.Account
	}
	return c, nil
}

// Through returns the caller as a service presents it that the caller has asked for
// something and that now asks others in the caller's name: a forward access session.
// The principal stays what it is, and the service, such as
// "secretsmanager.amazonaws.com", becomes the last of [Caller.Via]. Whether it is the
// name of a service is not asked.
func (c Caller) Through(service string) Caller {
	c.Via = append(slices.Clip(c.Via), service)
	return c
}

// actsForItself reports whether the caller is a service and nobody else.
func (c Caller) actsForItself() bool {
	return c.Service != "" && c.Principal == "" && c.Account == "" && c.Session == nil
}

// properService reports whether s has the form of a service principal.
func properService(s string) bool {
	for _, suffix := range serviceSuffixes {
		name, ok := strings.CutSuffix(s, suffix)
		if ok && len(s) <= maxServiceName && name != "" && name[0] != '.' && name[0] != '-' &&
			!strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' }) {
			return true
		}
	}
	return false
}
