package policy

import (
	"slices"
	"strings"
)

// A keyType is what the values of a condition key are.
type keyType uint8

const (
	anyKey keyType = iota // not known
	stringKey
	arnKey
	boolKey
	numericKey
	dateKey
	epochKey // a date that is compared as a number, too
	ipKey
)

// keyFacts is what is known about a condition key.
type keyFacts struct {
	typ   keyType
	multi bool // a request may have several values
}

// arnKeys are the keys whose values are ARNs.
var arnKeys = [...]Key{
	keyPrincipalARN, AWSChatbotSourceARN, AWSSourceVPCARN, AWSSourceARN, KMSGrantConstraintSourceARN,
	SecretsSecretID, SecretsAllowRotationLambdaARN, SecretsKMSKeyARN, SecretsRotationLambdaARN,
	SecretsExternalSecretRotationRoleARN,
}

// replacedKeys has the keys that others replaced, in lower case.
var replacedKeys = map[string]string{
	"kms:customermasterkeyspec":  "kms:KeySpec",
	"kms:customermasterkeyusage": "kms:KeyUsage",
	"secretsmanager:kmskeyid":    "secretsmanager:KmsKeyArn",
}

// factsOf returns what is known about the key called name.
func factsOf(name string) (f keyFacts, known bool) {
	ref := resolveKey(name)
	switch ref.kind {
	case familyRef:
		return keyFacts{typ: stringKey}, true
	case otherRef:
		return keyFacts{}, false
	}
	switch kind := keys[ref.key].kind; {
	case kind == listValue:
		return keyFacts{typ: stringKey, multi: true}, true
	case kind == boolValue:
		f.typ = boolKey
	case kind == intValue:
		f.typ = numericKey
	case ref.key == AWSEpochTime || ref.key == KMSValidTo:
		f.typ = epochKey
	case kind == timeValue:
		f.typ = dateKey
	case kind == addrValue:
		f.typ = ipKey
	case slices.Contains(arnKeys[:], ref.key):
		f.typ = arnKey
	default:
		f.typ = stringKey
	}
	return f, true
}

// lintKey checks a condition key's name and returns what is known about it.
func (p *parser) lintKey(n *node) keyFacts {
	name := strings.ToLower(n.name)
	service, rest, found := strings.Cut(name, ":")
	facts, known := factsOf(name)
	switch {
	case !found || service == "" || rest == "" || strings.IndexFunc(service, notVendor) >= 0 ||
		!known && strings.ContainsAny(rest, " *?$"):
		p.find(Error, "INVALID_CONDITION_KEY_FORMAT", n,
			"a condition key is a service, a colon and a name; %q never matches", n.name)
	case missingTag(rest):
		p.find(Error, "MISSING_TAG_KEY", n, "%q needs a slash and the key of a tag", n.name)
	case replacedKeys[name] != "":
		p.find(Warning, "DEPRECATED_CONDITION_KEY", n, "use %s instead of %q", replacedKeys[name], n.name)
	case !known && service == "aws":
		p.find(Error, "INVALID_GLOBAL_CONDITION_KEY", n, "there is no condition key %q", n.name)
	case !known && service == "kms":
		p.find(Error, "INVALID_SERVICE_CONDITION_KEY", n, "KMS has no condition key %q", n.name)
	}
	return facts
}

// missingTag reports whether the name of a key is that of a family of tag keys
// without a tag.
func missingTag(name string) bool {
	switch strings.TrimSuffix(name, "/") {
	case "principaltag", "requesttag", "resourcetag":
		return true
	}
	return false
}
