package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// An authError says why a request could not be authenticated, with the code and,
// as far as it is known, the text that AWS would send. Of the request it quotes
// dates and header names only.
type authError struct {
	code    string
	message string
}

func (e *authError) Error() string        { return "endpoint: " + e.code + ": " + e.message }
func (e *authError) ErrorCode() string    { return e.code }
func (e *authError) ErrorMessage() string { return e.message }

func missingToken() error {
	return &authError{"MissingAuthenticationTokenException", "Missing Authentication Token"}
}

func incomplete(message string) error {
	return &authError{"IncompleteSignatureException", message}
}

func invalid(format string, args ...any) error {
	return &authError{"InvalidSignatureException", fmt.Sprintf(format, args...)}
}

func signatureMismatch() error {
	return invalid("The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. " +
		"Consult the service documentation for details.")
}

// An authorization is a parsed Authorization header: who claims to have signed,
// for which scope, and what. Nothing in it is true before verify has said so.
type authorization struct {
	accessKeyID           string
	date, region, service string   // the credential scope; date is yyyymmdd
	signedHeaders         []string // lower-case, sorted, without duplicates
	signature             [sha256.Size]byte
}

// authorizationOf parses the request's Authorization header, of which there must
// be exactly one.
func authorizationOf(h http.Header) (authorization, error) {
	switch values := h["Authorization"]; len(values) {
	case 0:
		return authorization{}, missingToken()
	case 1:
		return parseAuthorization(values[0])
	}
	return authorization{}, incomplete("Request has more than one Authorization header.")
}

// parseAuthorization parses
//
//	AWS4-HMAC-SHA256 Credential=ID/yyyymmdd/region/service/aws4_request, SignedHeaders=a;b, Signature=hex
//
// The parameters may come in any order, each once, and the spaces around commas
// are optional. The error is an *authError: MissingAuthenticationTokenException
// if the header is empty, else IncompleteSignatureException.
func parseAuthorization(header string) (authorization, error) {
	var a authorization
	if header == "" {
		return a, missingToken()
	}
	if len(header) > maxAuthorization {
		return a, incomplete("Authorization header is too long.")
	}
	algorithm, list, _ := strings.Cut(header, " ")
	if algorithm != signingAlgorithm {
		return a, incomplete("Authorization header requires the algorithm '" + signingAlgorithm + "'.")
	}
	p, err := parameters(list)
	if err != nil {
		return a, err
	}
	if err := a.setCredential(p["Credential"]); err != nil {
		return a, err
	}
	if err := a.setSignedHeaders(p["SignedHeaders"]); err != nil {
		return a, err
	}
	return a, a.setSignature(p["Signature"])
}

// parameters splits the header's part behind the algorithm. The result has the
// three parameters, none of them empty, and no other.
func parameters(list string) (map[string]string, error) {
	list = strings.Trim(list, " ")
	p := make(map[string]string, 3)
	for part := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(strings.Trim(part, " "), "=")
		if !ok && list != "" {
			return nil, incomplete("Invalid key=value pair (missing equal-sign) in Authorization header.")
		}
		if _, again := p[name]; again {
			return nil, incomplete("Authorization header has a repeated parameter.")
		}
		p[name] = value
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if p[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	switch {
	case missing != nil:
		return nil, incomplete(strings.Join(missing, " "))
	case len(p) > 3:
		return nil, incomplete("Authorization header has an unknown parameter.")
	}
	return p, nil
}

func (a *authorization) setCredential(s string) error {
	p := strings.Split(s, "/")
	if len(p) != 5 {
		return incomplete("Credential must have exactly 5 slash-delimited elements, " +
			"e.g. keyid/date/region/service/term.")
	}
	if p[4] != scopeTerminator {
		return incomplete("Credential should be scoped with a valid terminator: '" + scopeTerminator + "'.")
	}
	if _, err := time.Parse("20060102", p[1]); err != nil {
		return incomplete("Date in Credential scope must have the form YYYYMMDD.")
	}
	if !isName(p[0]) || !isName(p[2]) || !isName(p[3]) {
		return incomplete("Credential has an element that is empty, too long or not made of " +
			"letters, digits, '-', '_' and '.'.")
	}
	a.accessKeyID, a.date, a.region, a.service = p[0], p[1], p[2], p[3]
	return nil
}

// isName reports whether s can be an access key id, a Region or a service.
func isName(s string) bool {
	const maxName = 128 // the longest access key id that IAM defines
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !isLetterOrDigit(r) && !strings.ContainsRune("-_.", r)
	})
}

func isLetterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func (a *authorization) setSignedHeaders(s string) error {
	names := strings.Split(s, ";")
	for i, name := range names {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool {
			// RFC 9110, section 5.6.2, without the upper-case letters.
			return r >= 'A' && r <= 'Z' || !isLetterOrDigit(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
		}) {
			return incomplete("SignedHeaders must be lower-case header names, separated by semicolons.")
		}
		if i > 0 && names[i-1] >= name {
			return incomplete("SignedHeaders must be sorted and name each header once.")
		}
	}
	a.signedHeaders = names
	return nil
}

func (a *authorization) setSignature(s string) error {
	// hex.DecodeString takes capitals too, which would give a signature many
	// spellings.
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(a.signature) || strings.ToLower(s) != s {
		return incomplete("Signature must be 64 lower-case hexadecimal digits.")
	}
	copy(a.signature[:], b)
	return nil
}
