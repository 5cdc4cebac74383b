package endpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"
)

const (
	exampleKey    = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var signingTime = time.Date(2026, 1, 1, 0, 5, 0, 0, time.UTC)

// sign has the SDK sign r with the example key and returns the hash of body.
func sign(t *testing.T, r *http.Request, body []byte, at time.Time) [sha256.Size]byte {
	hash := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: exampleKey, SecretAccessKey: exampleSecret}
	err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(hash[:]), "kms", "us-east-1", at)
	require.NoError(t, err)
	return hash
}

// newRequest returns a request as the KMS client makes it, not yet signed.
func newRequest(t *testing.T, body []byte) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://kms.us-east-1.amazonaws.com/", bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.Encrypt")
	return r
}

func parsed(t *testing.T, r *http.Request) authorization {
	a, err := authorizationOf(r)
	require.NoError(t, err)
	return a
}

// verifyAt does what the handler does of r's signature at the time now.
func verifyAt(r *http.Request, hash [sha256.Size]byte, secret string, a authorization, now time.Time) error {
	if !a.presigned {
		a.form = form{parameters: r.Header, lifetime: maxClockSkew}
	}
	signedAt, err := a.check(r, now)
	if err != nil {
		return err
	}
	return verify(r, hash, secret, a, signedAt)
}

// requireCode checks that err is an *refusal with the code and a text that has
// want in it.
func requireCode(t *testing.T, err error, code, want string) {
	t.Helper()
	var auth *refusal
	require.ErrorAs(t, err, &auth)
	require.Equal(t, code, auth.code)
	require.Contains(t, auth.message, want)
	require.Contains(t, err.Error(), auth.message)
}

// The ListUsers request of the IAM User Guide, with every intermediate value
// that is printed there.
func TestPublishedExample(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", nil)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Amz-Date", "20150830T123600Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 "+
		"Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, "+
		"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
	a := parsed(t, r)
	require.Equal(t, exampleKey, a.accessKeyID)
	require.EqualValues(t, "content-type;host;x-amz-date", a.signedHeaders)

	hash := sha256.Sum256(nil)
	canonical, ok := canonicalRequest(r, a, hash)
	require.True(t, ok)
	require.Equal(t, "GET\n/\nAction=ListUsers&Version=2010-05-08\n"+
		"content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"+
		"content-type;host;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", canonical)
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	require.Equal(t, "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n"+
		"f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59", stringToSign(a, at, canonical))
	require.Equal(t, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9",
		hex.EncodeToString(signingKey(exampleSecret, a.date, a.region, a.service)))
	require.NoError(t, verifyAt(r, hash, exampleSecret, a, at))
}

func TestCanonicalPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"":                             "/",
		"/":                            "/",
		"/a-b_c.d~e/f":                 "/a-b_c.d~e/f",
		"/a%20b":                       "/a%2520b",
		"/a%2Fb":                       "/a%252Fb",
		"/a:b@c":                       "/a%3Ab%40c",
		"/documents%20and%20settings/": "/documents%2520and%2520settings/",
	} {
		u, err := url.Parse("https://kms.us-east-1.amazonaws.com" + path)
		require.NoError(t, err)
		require.Equal(t, want, canonicalPath(u))
	}
}

func TestCanonicalQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                  "",
		"b=2&a=1":           "a=1&b=2",
		"a=2&a=10&a":        "a=&a=10&a=2",
		"a-=1&a=2":          "a=2&a-=1",
		"k=a+b%20c%2Bd":     "k=a%20b%20c%2Bd",
		"%C3%A9=%7e&~=%E6*": "%C3%A9=~&~=%E6%2A",
	} {
		query, err := url.ParseQuery(raw)
		require.NoError(t, err)
		require.Equal(t, want, canonicalQuery(query))
	}
}

// randomRequest draws a request of many shapes: odd paths, queries, repeated and
// padded headers, with and without a body.
func randomRequest(t *testing.T, rng *rand.Rand) (*http.Request, []byte) {
	const alphabet = "abcXYZ019-_.~ /+%&=?*'()!:;,@$é漢"
	word := func() string {
		runes := []rune(alphabet)
		var b strings.Builder
		for range rng.IntN(8) {
			b.WriteRune(runes[rng.IntN(len(runes))])
		}
		return b.String()
	}
	u := url.URL{Scheme: "http", Host: "localhost:8080", Path: "/"}
	if rng.IntN(2) == 0 {
		u.Path += word()
	}
	// Names are sorted before encoding by the SDK, and after it by AWS's
	// description: plain names sort the same.
	query := url.Values{}
	for range rng.IntN(4) {
		query.Add(fmt.Sprintf("p%d", rng.IntN(3)), word())
	}
	u.RawQuery = query.Encode()
	body := make([]byte, rng.IntN(50))
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	method := []string{"GET", "POST", "PUT"}[rng.IntN(3)]
	r, err := http.NewRequestWithContext(t.Context(), method, u.String(), bytes.NewReader(body))
	require.NoError(t, err)
	for i := range rng.IntN(5) {
		name := fmt.Sprintf("X-%s-%d", []string{"Amz", "Other"}[i%2], i)
		for range 1 + rng.IntN(2) {
			r.Header.Add(name, strings.ReplaceAll("  a "+word()+"  z ", "é", "e"))
		}
	}
	if rng.IntN(2) == 0 {
		hash := sha256.Sum256(body)
		r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(hash[:]))
	}
	return r, body
}

func TestVerifyWhatTheSDKSigns(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		r, body := randomRequest(t, rng)
		hash := sign(t, r, body, signingTime)
		require.NoError(t, verifyAt(r, hash, exampleSecret, parsed(t, r), signingTime), "%s %s", r.Method, r.URL)
	}
}

// The same over a connection, where the server moves Host and Content-Length out
// of the headers.
func TestVerifyOverTheWire(t *testing.T) {
	t.Parallel()
	results := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var a authorization
		if err == nil {
			a, err = authorizationOf(r)
		}
		if err == nil {
			err = verifyAt(r, sha256.Sum256(body), exampleSecret, a, signingTime)
		}
		results <- err
	}))
	defer server.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		r, body := randomRequest(t, rng)
		r.URL.Host = strings.TrimPrefix(server.URL, "http://")
		r.Host = ""
		sign(t, r, body, signingTime)
		response, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.NoError(t, <-results, "%s %s", r.Method, r.URL)
	}
}

// flip returns s with one bit changed.
func flip(s string, bit int) string {
	b := []byte(s)
	b[bit/8] ^= 1 << (bit % 8)
	return string(b)
}

// Whatever is signed cannot be changed by a single bit.
func TestEveryBitIsSigned(t *testing.T) {
	t.Parallel()
	body := []byte(`{"KeyId":"alias/orders"}`)
	r := newRequest(t, body)
	r.URL.Path, r.URL.RawQuery = "/a/b", "x=1"
	r.Host = r.URL.Host
	hash := sign(t, r, body, signingTime)
	a := parsed(t, r)
	require.NoError(t, verifyAt(r, hash, exampleSecret, a, signingTime))

	refused := func(what string, r *http.Request, hash [sha256.Size]byte, secret string, a authorization) {
		var auth *refusal
		require.ErrorAs(t, verifyAt(r, hash, secret, a, signingTime), &auth, what)
	}
	// eachBit gives change every one-bit variant of s.
	eachBit := func(what, s string, change func(r *http.Request, a *authorization, variant string)) {
		for bit := range len(s) * 8 {
			changed, b := r.Clone(t.Context()), a
			change(changed, &b, flip(s, bit))
			refused(fmt.Sprintf("%s, bit %d", what, bit), changed, hash, exampleSecret, b)
		}
	}
	eachBit("method", r.Method, func(r *http.Request, _ *authorization, s string) { r.Method = s })
	eachBit("host", r.Host, func(r *http.Request, _ *authorization, s string) { r.Host = s })
	eachBit("path", r.URL.Path, func(r *http.Request, _ *authorization, s string) { r.URL.Path = s })
	eachBit("query", r.URL.RawQuery, func(r *http.Request, _ *authorization, s string) { r.URL.RawQuery = s })
	eachBit("scope date", a.date, func(_ *http.Request, a *authorization, s string) { a.date = s })
	eachBit("region", a.region, func(_ *http.Request, a *authorization, s string) { a.region = s })
	eachBit("service", a.service, func(_ *http.Request, a *authorization, s string) { a.service = s })
	eachBit("signature", string(a.signature[:]), func(_ *http.Request, a *authorization, s string) {
		copy(a.signature[:], s)
	})
	for _, name := range []string{"Content-Type", "X-Amz-Target", "X-Amz-Date"} {
		eachBit(name, r.Header.Get(name), func(r *http.Request, _ *authorization, s string) { r.Header[name] = []string{s} })
	}
	for bit := range len(hash) * 8 {
		changed := hash
		copy(changed[:], flip(string(hash[:]), bit))
		refused("body hash", r, changed, exampleSecret, a)
	}
	for bit := range len(exampleSecret) * 8 {
		refused("secret", r, hash, flip(exampleSecret, bit), a)
	}
	for name := range a.signedHeaders.all() {
		less := a
		others := slices.DeleteFunc(slices.Collect(a.signedHeaders.all()), func(other string) bool { return other == name })
		less.signedHeaders = headerNames(strings.Join(others, ";"))
		refused("signed headers", r, hash, exampleSecret, less)
	}
	longer := r.Clone(t.Context())
	longer.ContentLength++
	refused("content length", longer, hash, exampleSecret, a)
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		clock time.Duration // ahead of the signature
		want  string
	}{
		{0, ""},
		{5 * time.Minute, ""},
		{5*time.Minute + 1, "Signature expired: 20260101T000500Z is now earlier than 20260101T000500Z (20260101T001000Z - 5 min.)"},
		{5*time.Minute + time.Second, "Signature expired: 20260101T000500Z is now earlier than 20260101T000501Z (20260101T001001Z - 5 min.)"},
		{-5 * time.Minute, ""},
		{-5*time.Minute - time.Second, "Signature not yet current: 20260101T000500Z is still later than 20260101T000459Z (20251231T235959Z + 5 min.)"},
		{24 * time.Hour, "Signature expired"},
		{-24 * time.Hour, "Signature not yet current"},
	} {
		r := newRequest(t, nil)
		hash := sign(t, r, nil, signingTime)
		// The clock's own time zone must not matter.
		clock := signingTime.Add(test.clock).In(time.FixedZone("", 3600))
		err := verifyAt(r, hash, exampleSecret, parsed(t, r), clock)
		if test.want == "" {
			require.NoError(t, err)
		} else {
			requireCode(t, err, "InvalidSignatureException", test.want)
		}
	}
}

// signCanonical signs r by hand over the given headers.
func signCanonical(t *testing.T, r *http.Request, hash [sha256.Size]byte, headers ...string) authorization {
	a := authorization{accessKeyID: exampleKey, date: "20260101", region: "us-east-1", service: "kms", signedHeaders: headerNames(strings.Join(headers, ";"))}
	canonical, ok := canonicalRequest(r, a, hash)
	require.True(t, ok)
	key := signingKey(exampleSecret, a.date, a.region, a.service)
	copy(a.signature[:], hmacSHA256(key, stringToSign(a, signingTime, canonical)))
	return a
}

func TestDateHeader(t *testing.T) {
	t.Parallel()
	for _, date := range []string{"20260101T000500Z", "Thu, 01 Jan 2026 00:05:00 GMT"} {
		r := newRequest(t, nil)
		r.Header.Del("X-Amz-Target")
		r.Header.Set("Date", date)
		r.Host = "localhost"
		hash := sha256.Sum256(nil)
		require.NoError(t, verifyAt(r, hash, exampleSecret, signCanonical(t, r, hash, "date", "host"), signingTime))

		err := verifyAt(r, hash, exampleSecret, signCanonical(t, r, hash, "host"), signingTime)
		requireCode(t, err, "InvalidSignatureException", "'Date' must be a 'SignedHeader'")

		// X-Amz-Date takes precedence.
		r.Header.Set("X-Amz-Date", "20260101T010500Z")
		err = verifyAt(r, hash, exampleSecret, signCanonical(t, r, hash, "date", "host", "x-amz-date"), signingTime)
		requireCode(t, err, "InvalidSignatureException", "Signature not yet current")
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	const invalidCode, incompleteCode = "InvalidSignatureException", "IncompleteSignatureException"
	for _, test := range []struct {
		name       string
		change     func(r *http.Request, a *authorization)
		code, text string
	}{
		{"no date", func(r *http.Request, _ *authorization) { r.Header.Del("X-Amz-Date") },
			incompleteCode, "requires existence of either a 'X-Amz-Date' or a 'Date' header"},
		{"two dates", func(r *http.Request, _ *authorization) { r.Header.Add("X-Amz-Date", "20260101T000500Z") },
			incompleteCode, "more than one date"},
		{"date with a fraction", func(r *http.Request, _ *authorization) { r.Header.Set("X-Amz-Date", "20260101T000500.5Z") },
			incompleteCode, "ISO-8601 'basic format'"},
		{"extended date", func(r *http.Request, _ *authorization) { r.Header.Set("X-Amz-Date", "2026-01-01T00:05:00Z") },
			incompleteCode, "ISO-8601 'basic format'"},
		{"impossible date", func(r *http.Request, _ *authorization) { r.Header.Set("X-Amz-Date", "20260132T000500Z") },
			incompleteCode, "ISO-8601 'basic format'"},
		{"HTTP date in X-Amz-Date", func(r *http.Request, _ *authorization) {
			r.Header.Set("X-Amz-Date", "Thu, 01 Jan 2026 00:05:00 GMT")
		}, incompleteCode, "ISO-8601 'basic format'"},
		{"scope of another day", func(_ *http.Request, a *authorization) { a.date = "20260102" },
			invalidCode, "'20260102' != '20260101', from '20260101T000500Z'"},
		{"unsigned session token", func(r *http.Request, _ *authorization) { r.Header.Set("X-Amz-Security-Token", "t") },
			invalidCode, "'X-Amz-Security-Token' must be a 'SignedHeader'"},
		{"unsigned header in odd spelling", func(r *http.Request, _ *authorization) { r.Header["x-aMz-new"] = []string{"t"} },
			invalidCode, "'x-aMz-new' must be a 'SignedHeader'"},
		{"added value", func(r *http.Request, _ *authorization) { r.Header.Add("X-Amz-Target", "TrentService.Decrypt") },
			invalidCode, "does not match the signature you provided"},
		{"signed header removed", func(r *http.Request, _ *authorization) { r.Header.Del("Content-Type") },
			invalidCode, "does not match the signature you provided"},
		{"query that cannot be parsed", func(r *http.Request, _ *authorization) { r.URL.RawQuery = "%zz" },
			invalidCode, "does not match the signature you provided"},
		{"unsigned payload", func(r *http.Request, _ *authorization) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") },
			invalidCode, "x-amz-content-sha256"},
		{"chunked payload", func(r *http.Request, _ *authorization) {
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
		}, invalidCode, "x-amz-content-sha256"},
		{"hash of another body", func(r *http.Request, _ *authorization) {
			r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64))
		}, invalidCode, "x-amz-content-sha256"},
		{"two hashes", func(r *http.Request, _ *authorization) {
			r.Header.Add("X-Amz-Content-Sha256", r.Header.Get("X-Amz-Content-Sha256"))
		}, invalidCode, "x-amz-content-sha256"},
		{"host not signed", func(_ *http.Request, a *authorization) { a.signedHeaders = "x-amz-date" },
			invalidCode, "'Host' must be a 'SignedHeader'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRequest(t, nil)
			r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sha256.New().Sum(nil)))
			r.Host = r.URL.Host
			hash := sign(t, r, nil, signingTime)
			a := parsed(t, r)
			require.NoError(t, verifyAt(r, hash, exampleSecret, a, signingTime))
			test.change(r, &a)
			requireCode(t, verifyAt(r, hash, exampleSecret, a, signingTime), test.code, test.text)
		})
	}
}

// Content-Type is signed by the SDKs, but need not be.
func TestContentTypeMayBeUnsigned(t *testing.T) {
	t.Parallel()
	r := newRequest(t, nil)
	r.Host = r.URL.Host
	r.Header.Set("X-Amz-Date", "20260101T000500Z")
	hash := sha256.Sum256(nil)
	a := signCanonical(t, r, hash, "host", "x-amz-date", "x-amz-target")
	r.Header.Set("Content-Type", "application/json")
	require.NoError(t, verifyAt(r, hash, exampleSecret, a, signingTime))
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(`{"KeyId":"alias/orders"}`)
	hash := sha256.Sum256(body)
	r := httptest.NewRequest(http.MethodPost, "http://localhost:8080/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.Encrypt")
	credentials := aws.Credentials{AccessKeyID: exampleKey, SecretAccessKey: exampleSecret}
	err := v4.NewSigner().SignHTTP(b.Context(), credentials, r, hex.EncodeToString(hash[:]), "kms", "us-east-1", signingTime)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		a, err := authorizationOf(r)
		if err != nil {
			b.Fatal(err)
		}
		if err := verifyAt(r, hash, exampleSecret, a, signingTime); err != nil {
			b.Fatal(err)
		}
	}
}
