package endpoint

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file verifies AWS Signature Version 4 (IAM User Guide, "AWS Signature Version
// 4 for API requests"), in the Authorization header or in the query. Bodies that are
// not signed, or signed in chunks, are not used by the services that are answered
// here.
const (
	signingAlgorithm = "AWS4-HMAC-SHA256"
	scopeTerminator  = "aws4_request"
	basicISO8601     = "20060102T150405Z"

	// maxClockSkew is how far a signature's time may lie from the wall clock: ahead
	// of it, and behind it if the request does not say for how long it is good.
	maxClockSkew = 5 * time.Minute
)

// check checks everything about the signature that the head of the request shows:
// that it is of a time which fits its scope and now, the wall clock, and that all
// is signed that has to be. It returns the signature's time, or a *refusal. That
// the scope's Region and service are the right ones is for the caller to check.
//
// Signed must be the Host header, every X-Amz-* header that the request has and
// the header that gives its time. Content-Type need not be signed, as on AWS.
func (a *authorization) check(r *http.Request, now time.Time) (signedAt time.Time, err error) {
	signedAt, timeHeader, err := requestTime(a.parameters)
	if err != nil {
		return signedAt, err
	}
	if a.presigned {
		timeHeader = "" // the whole query is signed
	}
	if err := a.checkTime(signedAt, now); err != nil {
		return signedAt, err
	}
	return signedAt, a.checkSignedHeaders(r.Header, timeHeader)
}

// verify reports whether the holder of secret made the signature a at the time
// signedAt over r, whose body has the SHA-256 payloadHash. It returns nil or a
// *refusal. It does not repeat what check checks.
func verify(r *http.Request, payloadHash [sha256.Size]byte, secret string, a authorization, signedAt time.Time) error {
	if err := checkContentHash(r.Header, payloadHash); err != nil {
		return err
	}
	canonical, ok := canonicalRequest(r, a, payloadHash)
	if !ok {
		return signatureMismatch()
	}
	key := signingKey(secret, a.date, a.region, a.service)
	want := hmacSHA256(key, stringToSign(a, signedAt, canonical))
	if !hmac.Equal(want, a.signature[:]) {
		return signatureMismatch()
	}
	return nil
}

// requestTime returns the time that the request gives for its signature, and the
// lower-case name of the parameter that it stands in: X-Amz-Date or else Date.
func requestTime(parameters map[string][]string) (t time.Time, name string, err error) {
	const bad = "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601"
	switch x, d := parameters["X-Amz-Date"], parameters["Date"]; {
	case len(x) == 1:
		name = "x-amz-date"
		t, err = parseBasic(x[0])
	case len(x) == 0 && len(d) == 1:
		name = "date"
		if t, err = parseBasic(d[0]); err != nil {
			t, err = http.ParseTime(d[0])
		}
	case len(x) == 0 && len(d) == 0:
		return t, "", incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	default:
		return t, "", incomplete("Request has more than one date header of a kind.")
	}
	if err != nil {
		return t, "", incomplete(bad)
	}
	return t.UTC(), name, nil
}

// parseBasic parses yyyymmddThhmmssZ. time.Parse alone would let a fraction of a
// second pass.
func parseBasic(s string) (time.Time, error) {
	t, err := time.Parse(basicISO8601, s)
	if err == nil && t.Format(basicISO8601) != s {
		err = fmt.Errorf("want %d characters", len(basicISO8601))
	}
	return t, err
}

// checkTime compares the signature's time t with the scope and the clock: it is good
// from maxClockSkew before t until the end of its lifetime.
func (a *authorization) checkTime(t, now time.Time) error {
	stamp := t.Format(basicISO8601)
	if a.date != stamp[:len(a.date)] {
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "+
			"'%s' != '%s', from '%s'.", a.date, stamp[:len(a.date)], stamp)
	}
	now = now.UTC()
	if earliest := now.Add(-a.lifetime); t.Before(earliest) {
		lifetime := strconv.Itoa(int(a.lifetime/time.Minute)) + " min."
		if a.lifetime%time.Minute != 0 {
			lifetime = strconv.Itoa(int(a.lifetime/time.Second)) + " s"
		}
		return invalid("Signature expired: %s is now earlier than %s (%s - %s)",
			stamp, earliest.Format(basicISO8601), now.Format(basicISO8601), lifetime)
	}
	if latest := now.Add(maxClockSkew); t.After(latest) {
		return invalid("Signature not yet current: %s is still later than %s (%s + 5 min.)",
			stamp, latest.Format(basicISO8601), now.Format(basicISO8601))
	}
	return nil
}

// checkSignedHeaders checks that everything is signed that has to be. timeHeader is
// empty if no header gives the signature's time.
func (a *authorization) checkSignedHeaders(h http.Header, timeHeader string) error {
	const text = "'%s' must be a 'SignedHeader' in the AWS Authorization."
	if !slices.Contains(a.signedHeaders, "host") {
		return invalid(text, "Host")
	}
	if timeHeader != "" && !slices.Contains(a.signedHeaders, timeHeader) {
		return invalid(text, http.CanonicalHeaderKey(timeHeader))
	}
	for name := range h {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(a.signedHeaders, lower) {
			return invalid(text, name)
		}
	}
	return nil
}

// checkContentHash compares the hash that the client gives for its body, if it
// does, with that of the body received. UNSIGNED-PAYLOAD and the STREAMING-
// forms equal no hash and are refused with the rest.
func checkContentHash(h http.Header, payloadHash [sha256.Size]byte) error {
	values := h["X-Amz-Content-Sha256"]
	if len(values) == 0 {
		return nil
	}
	want := hex.AppendEncode(nil, payloadHash[:])
	if len(values) > 1 || !hmac.Equal([]byte(values[0]), want) {
		return invalid("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return nil
}

// canonicalRequest returns the text whose hash is signed. It reports false if a
// signed header is not in the request or the query cannot be parsed: no client
// has signed such a request.
func canonicalRequest(r *http.Request, a authorization, payloadHash [sha256.Size]byte) (string, bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", false
	}
	if a.presigned {
		query.Del(paramSignature) // which cannot sign itself
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + canonicalPath(r.URL) + "\n" + canonicalQuery(query) + "\n")
	for _, name := range a.signedHeaders {
		value, ok := canonicalHeader(r, name)
		if !ok {
			return "", false
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString("\n" + strings.Join(a.signedHeaders, ";") + "\n" + hex.EncodeToString(payloadHash[:]))
	return b.String(), true
}

// canonicalPath encodes the path as it was received once more, which is the rule
// for every service but S3.
func canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		return "/"
	}
	return escape(path, "/")
}

// canonicalQuery sorts the encoded parameters by name and then by value.
func canonicalQuery(query url.Values) string {
	var pairs [][2]string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, [2]string{escape(name, ""), escape(v, "")})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + p[1])
	}
	return b.String()
}

// canonicalHeader returns the values of the header with the lower-case name:
// without the spaces around them and with single ones inside, joined by commas.
func canonicalHeader(r *http.Request, name string) (string, bool) {
	values := r.Header.Values(name)
	switch {
	case name == "host":
		values = []string{r.Host}
	case name == "content-length" && len(values) == 0 && r.ContentLength >= 0:
		// Not in the header map of a request that has not been on the wire.
		values = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	if len(values) == 0 {
		return "", false
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = trim(v)
	}
	return strings.Join(trimmed, ","), true
}

// trim drops the white space around v and all but one of the spaces in a row.
func trim(v string) string {
	v = strings.TrimSpace(v)
	if !strings.Contains(v, "  ") {
		return v
	}
	return strings.Join(strings.FieldsFunc(v, func(c rune) bool { return c == ' ' }), " ")
}

// escape percent-encodes all but the unreserved characters of RFC 3986 and those
// in keep.
func escape(s, keep string) string {
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		if isLetterOrDigit(rune(c)) || strings.IndexByte("-._~", c) >= 0 || strings.IndexByte(keep, c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// stringToSign binds the canonical request to its time and scope.
func stringToSign(a authorization, t time.Time, canonical string) string {
	hash := sha256.Sum256([]byte(canonical))
	scope := a.date + "/" + a.region + "/" + a.service + "/" + scopeTerminator
	return signingAlgorithm + "\n" + t.Format(basicISO8601) + "\n" + scope + "\n" + hex.EncodeToString(hash[:])
}

// signingKey derives the key of one day, Region and service from the secret
// access key. It depends on nothing else, so results could be kept.
func signingKey(secret, date, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, scopeTerminator} {
		key = hmacSHA256(key, part)
	}
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
