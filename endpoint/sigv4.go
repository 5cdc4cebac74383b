package endpoint

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// This file verifies AWS Signature Version 4 (IAM User Guide, "AWS Signature Version
// 4 for API requests"), in the Authorization header or in the query. Bodies that are
// not signed, or signed in chunks, are not used by the services that are answered
// here.
const (
	signingAlgorithm = "AWS4-HMAC-SHA256"
	scopeTerminator  = "aws4_request"

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

// verify reports whether the signature a was made with the signer's key at the time
// signedAt over r, whose body has the SHA-256 payloadHash. It returns nil or a
// *refusal. It does not repeat what check checks.
func (s *signer) verify(r *http.Request, payloadHash [sha256.Size]byte, a *authorization, signedAt time.Time) error {
	if err := checkContentHash(r.Header, payloadHash); err != nil {
		return err
	}
	m := s.get()
	defer s.put(m)
	var ok bool
	if m.text, ok = appendCanonicalRequest(m.text[:0], r, a, payloadHash); !ok {
		return signatureMismatch()
	}
	m.text = appendStringToSign(m.text[:0], a, signedAt, sha256.Sum256(m.text))
	if !hmac.Equal(m.sum(), a.signature[:]) {
		return signatureMismatch()
	}
	return nil
}

// requestTime returns the time that the request gives for its signature, and the
// lower-case name of the parameter that it stands in: X-Amz-Date or else Date.
func requestTime(parameters map[string][]string) (t time.Time, name string, err error) {
	ok := false
	switch x, d := parameters["X-Amz-Date"], parameters["Date"]; {
	case len(x) == 1:
		name = "x-amz-date"
		t, ok = parseStamp(x[0])
	case len(x) == 0 && len(d) == 1:
		name = "date"
		if t, ok = parseStamp(d[0]); !ok {
			t, err = http.ParseTime(d[0])
			ok = err == nil
		}
	case len(x) == 0 && len(d) == 0:
		return t, "", incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	default:
		return t, "", incomplete("Request has more than one date header of a kind.")
	}
	if !ok {
		return t, "", incomplete("Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601")
	}
	return t.UTC(), name, nil
}

// checkTime compares the signature's time t with the scope and the clock: it is good
// from maxClockSkew before t until the end of its lifetime.
func (a *authorization) checkTime(t, now time.Time) error {
	var b [lenStamp]byte
	if day := appendStamp(b[:0], t)[:lenDay]; string(day) != a.date {
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "+
			"'%s' != '%s', from '%s'.", a.date, stamp(t)[:lenDay], stamp(t))
	}
	now = now.UTC()
	if earliest := now.Add(-a.lifetime); t.Before(earliest) {
		lifetime := strconv.Itoa(int(a.lifetime/time.Minute)) + " min."
		if a.lifetime%time.Minute != 0 {
			lifetime = strconv.Itoa(int(a.lifetime/time.Second)) + " s"
		}
		return invalid("Signature expired: %s is now earlier than %s (%s - %s)",
			stamp(t), stamp(earliest), stamp(now), lifetime)
	}
	if latest := now.Add(maxClockSkew); t.After(latest) {
		return invalid("Signature not yet current: %s is still later than %s (%s + 5 min.)",
			stamp(t), stamp(latest), stamp(now))
	}
	return nil
}

// checkSignedHeaders checks that everything is signed that has to be. timeHeader is
// empty if no header gives the signature's time.
func (a *authorization) checkSignedHeaders(h http.Header, timeHeader string) error {
	const text = "'%s' must be a 'SignedHeader' in the AWS Authorization."
	if !a.signedHeaders.has("Host") {
		return invalid(text, "Host")
	}
	if timeHeader != "" && !a.signedHeaders.has(timeHeader) {
		return invalid(text, http.CanonicalHeaderKey(timeHeader))
	}
	for name := range h {
		if isReserved(name) && !a.signedHeaders.has(name) {
			return invalid(text, name)
		}
	}
	return nil
}

// inLowerCase reports whether lower is name with its ASCII letters in lower case.
func inLowerCase(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
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

// appendStringToSign appends what binds a canonical request, of which it takes the
// hash, to its time and scope.
func appendStringToSign(dst []byte, a *authorization, t time.Time, hash [sha256.Size]byte) []byte {
	dst = append(dst, signingAlgorithm+"\n"...)
	dst = appendStamp(dst, t)
	dst = append(append(dst, '\n'), a.date...)
	for _, part := range [...]string{a.region, a.service, scopeTerminator} {
		dst = append(append(dst, '/'), part...)
	}
	return hex.AppendEncode(append(dst, '\n'), hash[:])
}
