package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/policy"
)

// What IAM and STS allow (IAM User Guide, "IAM and AWS STS quotas"; API references of
// IAM and STS).
const (
	maxName          = 64 // of a user or role
	maxGroupName     = 128
	maxPolicyName    = 128
	maxPath          = 512 // both slashes included
	maxSessionName   = 64
	maxFederatedName = 32
	maxTags          = 50
	maxTagKey        = 128
	maxTagValue      = 256
)

// entity is a user or role, as its ARN names it.
type entity struct {
	arn     string
	account string
	kind    string // "user" or "role"
	path    string // "/" or "/…/"
	name    string
}

// parseEntity reads the ARN of a user or role.
func parseEntity(text string) (entity, error) {
	a, ok := arn.Parse(text)
	if !ok || a.Service != "iam" || a.Region != "" || !partition(a.Partition) {
		return entity{}, errors.New("it is not an ARN of IAM")
	}
	if !arn.IsAccount(a.Account) {
		return entity{}, errors.New("its account is not 12 digits")
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	if kind != "user" && kind != "role" {
		return entity{}, errors.New("it names neither a user nor a role")
	}
	e := entity{arn: text, account: a.Account, kind: kind}
	slash := strings.LastIndexByte(rest, '/')
	e.path, e.name = "/"+rest[:slash+1], rest[slash+1:]
	if !properPath(e.path) {
		return entity{}, errors.New("its path is not one that IAM allows")
	}
	if !properName(e.name, 1, maxName) {
		return entity{}, fmt.Errorf("its name is not 1 to %d letters, digits and +=,.@_-", maxName)
	}
	return e, nil
}

// partition reports whether s is the name of a partition: "aws", "aws-cn" ….
func partition(s string) bool {
	rest, ok := strings.CutPrefix(s, "aws")
	return ok && len(s) <= 16 && (rest == "" || rest[0] == '-') &&
		!strings.ContainsFunc(rest, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })
}

// properName reports whether s is a name of between least and most of the characters
// that IAM and STS allow in names.
func properName(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_+=,.@-", r))
	})
}

// properPath reports whether s is a path of users and roles. Wildcards are refused,
// which IAM allows: no policy could name such a path exactly.
func properPath(s string) bool {
	return len(s) <= maxPath && strings.HasPrefix(s, "/") && strings.HasSuffix(s, "/") && !strings.Contains(s, "//") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '*' || r == '?' })
}

// checkTags holds tags to the rules of IAM. Keys that differ only in case are the same
// key.
func checkTags(tags []policy.Pair) error {
	if len(tags) > maxTags {
		return fmt.Errorf("%d tags; at most %d are allowed", len(tags), maxTags)
	}
	for i, t := range tags {
		reserved := len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:")
		switch {
		case t.Key == "" || !tagText(t.Key, maxTagKey) || reserved:
			return fmt.Errorf("the tag key %q is not allowed", t.Key)
		case !tagText(t.Value, maxTagValue):
			return fmt.Errorf("the value of the tag %q is not allowed", t.Key)
		case slices.ContainsFunc(tags[:i], func(o policy.Pair) bool { return strings.EqualFold(o.Key, t.Key) }):
			return fmt.Errorf("the tag %q is given twice; the case of keys does not count", t.Key)
		}
	}
	return nil
}

// tagText reports whether s may be a key or value of a tag.
func tagText(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r)
	})
}
