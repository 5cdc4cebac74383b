package endpoint

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parameters of a signature in the query. For the services that are answered
// here the body and the X-Amz-Target header are fixed when a request is presigned:
// who holds it can make this one request until it expires, and no other.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramSignature     = "X-Amz-Signature"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramToken         = "X-Amz-Security-Token"
)

// required are the parameters that a presigned request has exactly once, in the
// order in which AWS names those that are missing.
var required = [...]string{
	paramAlgorithm, paramCredential, paramSignature, paramSignedHeaders, paramDate, paramExpires,
}

// maxExpires is AWS's bound of X-Amz-Expires, in seconds: a week.
const maxExpires = 604800

// signsQuery reports whether a query has a parameter that only a presigned request
// has, be it spelled rightly or not.
func signsQuery(query url.Values) bool {
	for name := range query {
		if isReserved(name) {
			return true
		}
	}
	return false
}

// isReserved reports whether the name of a parameter or header is one of those kept
// for AWS.
func isReserved(name string) bool {
	const prefix = "x-amz-"
	return len(name) >= len(prefix) && inLowerCase(name[:len(prefix)], prefix)
}

// parsePresigned parses the signature of a presigned request. The error is a
// *refusal: InvalidSignatureException if the request has an Authorization header
// too, else IncompleteSignatureException.
func parsePresigned(h http.Header, query url.Values) (authorization, error) {
	var a authorization
	if _, ok := h["Authorization"]; ok {
		return a, invalid("Found both '%s' as a query-string param and 'Authorization' as HTTP header.", paramAlgorithm)
	}
	if err := checkParameters(h, query); err != nil {
		return a, err
	}
	if query.Get(paramAlgorithm) != signingAlgorithm {
		return a, incomplete(paramAlgorithm + " must be '" + signingAlgorithm + "'.")
	}
	expires, err := parseExpires(query.Get(paramExpires))
	if err != nil {
		return a, err
	}
	a.form = form{presigned: true, parameters: query, lifetime: expires}
	return a, a.set(query.Get(paramCredential), query.Get(paramSignedHeaders), query.Get(paramSignature))
}

// checkParameters checks that the query has every parameter of a signature once,
// no other of AWS's, and that no header repeats or contradicts one.
func checkParameters(h http.Header, query url.Values) error {
	var missing strings.Builder
	for _, name := range required {
		if query.Get(name) == "" {
			missing.WriteString("AWS query-string parameters must include '" + name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return incomplete(missing.String() + "Re-examine the query-string parameters.")
	}
	for name, values := range query {
		switch {
		case !isReserved(name):
		case name != paramToken && !slices.Contains(required[:], name):
			return incomplete("The query has an unknown X-Amz- parameter.")
		case len(values) > 1:
			return incomplete("The query has a repeated X-Amz- parameter.")
		}
	}
	for header := range h {
		same := func(name string) bool { return strings.EqualFold(name, header) }
		if same(paramToken) || slices.ContainsFunc(required[:], same) {
			return incomplete("'" + header + "' of a presigned request belongs in the query, not in a header.")
		}
	}
	return nil
}

// parseExpires parses a number of seconds from 1 to maxExpires, of which there is
// one spelling.
func parseExpires(s string) (time.Duration, error) {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || strconv.Itoa(n) != s:
		return 0, incomplete(paramExpires + " should be a number")
	case n < 1:
		return 0, incomplete(paramExpires + " must be positive")
	case n > maxExpires:
		return 0, incomplete(paramExpires + " must not be more than a week (" + strconv.Itoa(maxExpires) + " seconds)")
	}
	return time.Duration(n) * time.Second, nil
}
