package policy

import (
	"fmt"
	"unicode/utf8"
)

const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// presence says whether an element belongs in a kind of policy.
type presence uint8

const (
	forbidden presence = iota
	optional
	required
)

// kindRules is what one kind of document has to obey beyond the grammar, and how
// the API that takes it refuses it.
type kindRules struct {
	name string

	// exception is the name of the exception for a malformed document. text, if
	// set, is all that the API ever says about one; with iamTexts it says what
	// IAM says. Neither is set where the texts are not known.
	exception string
	text      string
	iamTexts  bool

	principal presence
	action    presence
	resource  presence

	latest bool // Version has to be 2012-10-17
	alnum  bool // a Sid has letters and digits only, and is unique
	values bool // the API checks how actions, resources and dates are written

	limit sizeLimit
	quota int // characters without white space; a finding beyond it
}

// A sizeLimit is the greatest size of a document that an API accepts.
type sizeLimit struct {
	max       int
	unit      sizeUnit
	exception string
	text      string // that AWS sends, if known
}

// A sizeUnit is what a limit counts.
type sizeUnit uint8

const (
	inBytes           sizeUnit = iota
	inCharacters               // white space included
	inDenseCharacters          // white space is free
)

// textOrganizations is the text for every fault of an organization's policy.
const textOrganizations = "The provided policy document does not meet the requirements of the " +
	"specified policy type."

var allRules = [...]kindRules{
	KeyPolicy: {
		name:      "key policy",
		exception: "MalformedPolicyDocumentException",
		principal: required, action: optional, resource: optional,
		limit: sizeLimit{32768, inBytes, "LimitExceededException", ""},
	},
	Identity: {
		name:      "identity policy",
		exception: "MalformedPolicyDocument", iamTexts: true,
		principal: forbidden, action: required, resource: required,
		latest: true, alnum: true, values: true, quota: 6144,
	},
	Boundary: {
		name:      "permissions boundary",
		exception: "MalformedPolicyDocument", iamTexts: true,
		principal: forbidden, action: required, resource: required,
		latest: true, alnum: true, values: true, quota: 6144,
	},
	Session: {
		name:      "session policy",
		exception: "MalformedPolicyDocument", iamTexts: true,
		principal: forbidden, action: required, resource: required,
		latest: true, alnum: true, values: true,
		limit: sizeLimit{2048, inCharacters, "PackedPolicyTooLarge", ""},
	},
	SCP: {
		name:      "service control policy",
		exception: "MalformedPolicyDocumentException", text: textOrganizations,
		principal: forbidden, action: required, resource: required,
		latest: true, alnum: true, values: true,
		limit: sizeLimit{5120, inCharacters, "ConstraintViolationException", ""},
	},
	RCP: {
		name:      "resource control policy",
		exception: "MalformedPolicyDocumentException", text: textOrganizations,
		principal: required, action: required, resource: required,
		latest: true, alnum: true, values: true,
		limit: sizeLimit{5120, inCharacters, "ConstraintViolationException", ""},
	},
	SecretPolicy: {
		name:      "secret policy",
		exception: "MalformedPolicyDocumentException", text: "This policy has invalid syntax.",
		principal: required, action: required, resource: required,
		limit: sizeLimit{20480, inCharacters, "InvalidParameterException", ""},
	},
	ParameterPolicy: {
		name:      "parameter policy",
		exception: "MalformedResourcePolicyDocumentException",
		principal: required, action: required, resource: required,
	},
	Trust: {
		name:      "trust policy",
		exception: "MalformedPolicyDocument", iamTexts: true,
		principal: required, action: required, resource: forbidden,
		alnum: true, values: true, quota: 2048,
		limit: sizeLimit{8192, inDenseCharacters, "LimitExceeded",
			"Cannot exceed quota for ACLSizePerRole: 8192"},
	},
	VPCEndpoint: {
		name:      "VPC endpoint policy",
		exception: "InvalidPolicyDocument",
		principal: required, action: required, resource: required,
		limit: sizeLimit{20480, inCharacters, "InvalidPolicyDocument", ""},
	},
}

// rulesOf returns the rules of a kind, or nil if there is no such kind.
func rulesOf(k Kind) *kindRules {
	if k == 0 || int(k) >= len(allRules) {
		return nil
	}
	return &allRules[k]
}

// jsonText returns IAM's text for a document that is no JSON.
func (r *kindRules) jsonText() string {
	if r.resource == forbidden {
		return "This policy contains invalid Json"
	}
	return textSyntax
}

// checkSize checks doc against the limit of the API.
func (r *kindRules) checkSize(doc []byte) *problem {
	size, what := len(doc), "bytes"
	switch r.limit.unit {
	case inCharacters:
		size, what = utf8.RuneCount(doc), "characters"
	case inDenseCharacters:
		size, what = denseSize(doc), "characters without white space"
	}
	if r.limit.max > 0 && size > r.limit.max {
		return &problem{offset: 0, code: r.limit.exception, text: r.limit.text, reason: fmt.Sprintf(
			"the %s has %d %s; at most %d are allowed", r.name, size, what, r.limit.max)}
	}
	if len(doc) > maxDocument {
		return &problem{offset: 0, text: textSyntax, reason: fmt.Sprintf(
			"the %s has %d bytes; at most %d are read", r.name, len(doc), maxDocument)}
	}
	return nil
}

// denseSize returns the number of characters in doc that are not white space.
func denseSize(doc []byte) int {
	size := utf8.RuneCount(doc)
	for _, c := range doc {
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			size--
		}
	}
	return size
}
