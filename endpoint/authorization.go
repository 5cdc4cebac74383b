package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAuthorization bounds the Authorization header, and the query, that is parsed at
// all. A real one takes about 300 bytes, and a session token as much again.
const maxAuthorization = 8192

// An authorization is what a request says of its signature: who claims to have
// signed, for which scope, and what. Nothing in it is true before verify has said
// so.
type authorization struct {
	form
	accessKeyID           string
	date, region, service string   // the credential scope; date is yyyymmdd
	signedHeaders         []string // lower-case, sorted, without duplicates
	signature             [sha256.Size]byte
}

// A form is the place where a request carries its signature: the Authorization
// header, or the query of a presigned request.
type form struct {
	presigned bool

	// parameters are the headers or the query. What accompanies a signature, its
	// time and the session token, stands in both under the same names.
	parameters map[string][]string

	// lifetime is how long after its time the signature is good.
	lifetime time.Duration
}

// authorizationOf parses what a request says of its signature, which has to stand
// in one place: in the query if that has a parameter of a signature, else in the
// only Authorization header. The error is a *refusal.
func authorizationOf(r *http.Request) (authorization, error) {
	if len(r.URL.RawQuery) > maxAuthorization {
		return authorization{}, incomplete("The query is too long.")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if signsQuery(query) {
		if err != nil {
			return authorization{}, incomplete("The query cannot be parsed.")
		}
		return parsePresigned(r.Header, query)
	}
	var a authorization
	switch values := r.Header["Authorization"]; len(values) {
	case 0:
		return a, missingToken()
	case 1:
		a, err = parseAuthorization(values[0])
	default:
		return a, incomplete("Request has more than one Authorization header.")
	}
	a.form = form{parameters: r.Header, lifetime: maxClockSkew}
	return a, err
}

// parseAuthorization parses
//
//	AWS4-HMAC-SHA256 Credential=ID/yyyymmdd/region/service/aws4_request, SignedHeaders=a;b, Signature=hex
//
// The parameters may come in any order, each once, and the spaces around commas
// are optional. The error is a *refusal: MissingAuthenticationTokenException
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
	return a, a.set(p["Credential"], p["SignedHeaders"], p["Signature"])
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

// set takes the three parameters that both forms have.
func (a *authorization) set(credential, signedHeaders, signature string) error {
	if err := a.setCredential(credential); err != nil {
		return err
	}
	if err := a.setSignedHeaders(signedHeaders); err != nil {
		return err
	}
	return a.setSignature(signature)
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
