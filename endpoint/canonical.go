package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// appendCanonicalRequest appends the text whose hash is signed. It reports false if
// a signed header is not in the request or the query cannot be parsed: no client
// has signed such a request.
func appendCanonicalRequest(dst []byte, r *http.Request, a *authorization, payloadHash [sha256.Size]byte) ([]byte, bool) {
	dst = append(append(dst, r.Method...), '\n')
	dst = append(append(dst, canonicalPath(r.URL)...), '\n')
	if r.URL.RawQuery != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return dst, false
		}
		if a.presigned {
			query.Del(paramSignature) // which cannot sign itself
		}
		dst = append(dst, canonicalQuery(query)...)
	}
	dst = append(dst, '\n')
	for name := range a.signedHeaders.all() {
		var ok bool
		dst = append(append(dst, name...), ':')
		if dst, ok = appendCanonicalHeader(dst, r, name); !ok {
			return dst, false
		}
		dst = append(dst, '\n')
	}
	dst = append(append(dst, '\n'), a.signedHeaders...)
	return hex.AppendEncode(append(dst, '\n'), payloadHash[:]), true
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

// appendCanonicalHeader appends the values of the header with the lower-case name:
// without the spaces around them and with single ones inside, joined by commas. It
// reports false if the request has no such header.
func appendCanonicalHeader(dst []byte, r *http.Request, name string) ([]byte, bool) {
	if name == "host" {
		return append(dst, trim(r.Host)...), true
	}
	values := headerValues(r.Header, name)
	if name == "content-length" && len(values) == 0 && r.ContentLength >= 0 {
		// Not in the header map of a request that has not been on the wire.
		return strconv.AppendInt(dst, r.ContentLength, 10), true
	}
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, trim(v)...)
	}
	return dst, len(values) > 0
}

// headerValues is h.Values for a name that may be signed: of token characters, in
// lower case. It makes no garbage of names that net/http does not know, such as
// x-amz-date.
func headerValues(h http.Header, name string) []string {
	var canonical [64]byte
	if len(name) > len(canonical) {
		return h.Values(name)
	}
	first := true // of the name or behind a hyphen
	for i := range len(name) {
		c := name[i]
		if first && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		canonical[i] = c
		first = c == '-'
	}
	return h[string(canonical[:len(name)])]
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
	plain := func(c byte) bool {
		return isLetterOrDigit(rune(c)) || strings.IndexByte("-._~", c) >= 0 || strings.IndexByte(keep, c) >= 0
	}
	n := 0 // s[:n] stays as it is
	for n < len(s) && plain(s[n]) {
		n++
	}
	if n == len(s) {
		return s
	}
	b := append(make([]byte, 0, n+3*(len(s)-n)), s[:n]...)
	for _, c := range []byte(s[n:]) {
		if plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}
