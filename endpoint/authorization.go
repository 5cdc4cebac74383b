package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
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
	date, region, service string // the credential scope; date is yyyymmdd
	signedHeaders         headerNames
	signature             [sha256.Size]byte
}

// headerNames are names of headers, lower-case, sorted, without duplicates and
// separated by semicolons.
type headerNames string

func (n headerNames) all() iter.Seq[string] { return strings.SplitSeq(string(n), ";") }

// has reports whether one of the names is that of the header, in whatever case.
func (n headerNames) has(header string) bool {
	for name := range n.all() {
		if inLowerCase(header, name) {
			return true
		}
	}
	return false
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

// of parses what a request says of its signature, which has to stand
// in one place: in the query if that has a parameter of a signature, else in the
// only Authorization header. The error is a *refusal.
func (c *authorizationCache) of(r *http.Request) (authorization, error) {
	var a authorization
	if len(r.URL.RawQuery) > maxAuthorization {
		return a, incomplete("The query is too long.")
	}
	if r.URL.RawQuery != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		switch {
		case !signsQuery(query):
		case err != nil:
			return a, incomplete("The query cannot be parsed.")
		default:
			return parsePresigned(r.Header, query)
		}
	}
	var err error
	switch values := r.Header["Authorization"]; len(values) {
	case 0:
		return a, missingToken()
	case 1:
		a, err = c.parse(values[0])
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
	return a, a.set(p[0], p[2], p[1])
}

// An authorizationCache knows the newest Authorization header whose signature was right:
// all but the signature is the same in most requests of a client for a day. Of what others
// make up nothing stays. Its zero value is ready to use, by several goroutines at the same
// time.
type authorizationCache struct {
	newest atomic.Pointer[cachedAuthorization]
}

type cachedAuthorization struct {
	upToSignature string
	authorization
}

// signatureName stands in front of the signature, which ends most headers.
const signatureName = " Signature="

// parse is parseAuthorization.
func (c *authorizationCache) parse(header string) (authorization, error) {
	if known := c.newest.Load(); known != nil {
		if signature, ok := strings.CutPrefix(header, known.upToSignature); ok {
			a := known.authorization
			if a.setSignature(signature) == nil {
				return a, nil
			}
		}
	}
	return parseAuthorization(header)
}

// keep makes the header the newest, if it ends in the signature.
func (c *authorizationCache) keep(header string) {
	end := len(header) - hex.EncodedLen(sha256.Size)
	if end < 0 || !strings.HasSuffix(header[:end], signatureName) {
		return
	}
	if known := c.newest.Load(); known != nil && known.upToSignature == header[:end] {
		return
	}
	header = strings.Clone(header) // not to keep a whole request
	if a, err := parseAuthorization(header); err == nil {
		c.newest.Store(&cachedAuthorization{header[:end], a})
	}
}

// parameterNames are those of the Authorization header, in the order in which AWS
// names the missing ones.
var parameterNames = [...]string{"Credential", "Signature", "SignedHeaders"}

// parameters splits the header's part behind the algorithm. It returns the values of
// the three parameters, none of them empty.
func parameters(list string) (values [len(parameterNames)]string, err error) {
	list = strings.Trim(list, " ")
	var given [len(parameterNames)]bool
	unknown := false
	for part := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(strings.Trim(part, " "), "=")
		if !ok && list != "" {
			return values, incomplete("Invalid key=value pair (missing equal-sign) in Authorization header.")
		}
		switch i := slices.Index(parameterNames[:], name); {
		case i < 0:
			unknown = true
		case given[i]:
			return values, incomplete("Authorization header has a repeated parameter.")
		default:
			values[i], given[i] = value, true
		}
	}
	var missing []string
	for i, name := range parameterNames {
		if values[i] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	switch {
	case missing != nil:
		return values, incomplete(strings.Join(missing, " "))
	case unknown:
		return values, incomplete("Authorization header has an unknown parameter.")
	}
	return values, nil
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
	var p [5]string
	n := 0
	for part := range strings.SplitSeq(s, "/") {
		if n < len(p) {
			p[n] = part
		}
		n++
	}
	if n != len(p) {
		return incomplete("Credential must have exactly 5 slash-delimited elements, " +
			"e.g. keyid/date/region/service/term.")
	}
	if p[4] != scopeTerminator {
		return incomplete("Credential should be scoped with a valid terminator: '" + scopeTerminator + "'.")
	}
	if _, ok := parseDay(p[1]); !ok {
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
	return s != "" && len(s) <= maxName && nameBytes.are(s)
}

// byteSet is a set of bytes.
type byteSet [256]bool

func newByteSet(ranges, others string) *byteSet {
	var set byteSet
	for i := 0; i < len(ranges); i += 2 {
		for c := ranges[i]; c <= ranges[i+1]; c++ {
			set[c] = true
		}
	}
	for _, c := range []byte(others) {
		set[c] = true
	}
	return &set
}

// are reports whether the set has every byte of s.
func (b *byteSet) are(s string) bool {
	for i := range len(s) {
		if !b[s[i]] {
			return false
		}
	}
	return true
}

var (
	nameBytes   = newByteSet("azAZ09", "-_.")
	headerBytes = newByteSet("az09", "-!#$%&'*+.^_`|~") // RFC 9110, section 5.6.2, in lower case
)

func isLetterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func (a *authorization) setSignedHeaders(s string) error {
	before := ""
	for name := range headerNames(s).all() {
		if name == "" || !headerBytes.are(name) {
			return incomplete("SignedHeaders must be lower-case header names, separated by semicolons.")
		}
		if before >= name {
			return incomplete("SignedHeaders must be sorted and name each header once.")
		}
		before = name
	}
	a.signedHeaders = headerNames(s)
	return nil
}

func (a *authorization) setSignature(s string) error {
	var digits [2 * sha256.Size]byte
	ok := len(s) == len(digits)
	for i := range copy(digits[:], s) {
		// hex.Decode takes capitals too, which would give a signature many spellings.
		ok = ok && (digits[i] < 'A' || digits[i] > 'F')
	}
	if _, err := hex.Decode(a.signature[:], digits[:]); err != nil || !ok {
		return incomplete("Signature must be 64 lower-case hexadecimal digits.")
	}
	return nil
}
