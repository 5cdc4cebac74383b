package endpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"
)

// presign has the SDK presign r, whose body is body, with the example key. It
// returns the request as somebody makes it who was given its URL and its headers.
func presign(t testing.TB, r *http.Request, body []byte, expires string, options ...func(*v4.SignerOptions)) (*http.Request, [sha256.Size]byte) {
	t.Helper()
	hash := sha256.Sum256(body)
	if r.URL.RawQuery != "" {
		r.URL.RawQuery += "&"
	}
	r.URL.RawQuery += "X-Amz-Expires=" + expires
	options = append([]func(*v4.SignerOptions){func(o *v4.SignerOptions) { o.DisableHeaderHoisting = true }}, options...)
	uri, header, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{
		AccessKeyID: exampleKey, SecretAccessKey: exampleSecret, SessionToken: r.Header.Get("Test-Token"),
	}, r, hex.EncodeToString(hash[:]), "kms", "us-east-1", signingTime, options...)
	require.NoError(t, err)
	made, err := http.NewRequestWithContext(t.Context(), r.Method, uri, bytes.NewReader(body))
	require.NoError(t, err)
	made.Host = header.Get("Host")
	header.Del("Host")
	header.Del("Content-Length")
	made.Header = header
	return made, hash
}

// kmsRequest returns a presigned request as KMS takes it.
func kmsRequest(t testing.TB, expires string) (*http.Request, [sha256.Size]byte) {
	t.Helper()
	body := []byte(`{"KeyId":"alias/orders"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://kms.us-east-1.amazonaws.com/", bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.Encrypt")
	return presign(t, r, body, expires)
}

// verifyPresigned does what the handler does of a request's head and body.
func verifyPresigned(r *http.Request, hash [sha256.Size]byte, secret string, now time.Time) error {
	a, err := authorizationOf(r)
	if err != nil {
		return err
	}
	return verifyAt(r, hash, secret, a, now)
}

// setParameter sets, adds or, without values, deletes a parameter of r's query.
func setParameter(r *http.Request, name string, values ...string) {
	query := r.URL.Query()
	query.Del(name)
	for _, v := range values {
		query.Add(name, v)
	}
	r.URL.RawQuery = query.Encode()
}

func TestVerifyWhatTheSDKPresigns(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		r, body := randomRequest(t, rng)
		if rng.IntN(2) == 0 {
			r.Header.Set("Test-Token", "token/+=")
		}
		expires := 1 + rng.IntN(maxExpires)
		r, hash := presign(t, r, body, strconv.Itoa(expires))
		a, err := authorizationOf(r)
		require.NoError(t, err, "%s", r.URL)
		require.True(t, a.presigned)
		require.Equal(t, time.Duration(expires)*time.Second, a.lifetime)
		require.Equal(t, exampleKey, a.accessKeyID)
		require.NoError(t, verifyAt(r, hash, exampleSecret, a, signingTime), "%s %s", r.Method, r.URL)
	}
}

// The SDK moves X-Amz-Target into the query unless it is told not to. A request's
// operation is in its header, and nobody signs one there for nothing.
func TestHoistedTargetIsRefused(t *testing.T) {
	t.Parallel()
	r := newRequest(t, nil)
	r, hash := presign(t, r, nil, "60", func(o *v4.SignerOptions) { o.DisableHeaderHoisting = false })
	require.Equal(t, "TrentService.Encrypt", r.URL.Query().Get("X-Amz-Target"))
	requireCode(t, verifyPresigned(r, hash, exampleSecret, signingTime), "IncompleteSignatureException", "unknown X-Amz- parameter")
}

func TestPresignedFreshness(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		expires string
		clock   time.Duration // ahead of the signature
		want    string
	}{
		{"60", 0, ""},
		{"60", time.Minute, ""},
		{"60", time.Minute + 1, "Signature expired: 20260101T000500Z is now earlier than 20260101T000500Z (20260101T000600Z - 1 min.)"},
		{"60", time.Minute + time.Second, "Signature expired: 20260101T000500Z is now earlier than 20260101T000501Z (20260101T000601Z - 1 min.)"},
		{"90", 90 * time.Second, ""},
		{"90", 91 * time.Second, "Signature expired: 20260101T000500Z is now earlier than 20260101T000501Z (20260101T000631Z - 90 s)"},
		{"1", time.Second, ""},
		{"1", time.Second + 1, "Signature expired"},
		{"1", -5 * time.Minute, ""},
		{"60", -5*time.Minute - time.Second, "Signature not yet current: 20260101T000500Z is still later than 20260101T000459Z (20251231T235959Z + 5 min.)"},
		{"604800", -5*time.Minute - time.Second, "Signature not yet current"},
		{"604800", 7 * 24 * time.Hour, ""},
		{"604800", 7*24*time.Hour + 1, "Signature expired: 20260101T000500Z is now earlier than 20260101T000500Z (20260108T000500Z - 10080 min.)"},
		{"604800", 365 * 24 * time.Hour, "Signature expired"},
	} {
		r, hash := kmsRequest(t, test.expires)
		clock := signingTime.Add(test.clock).In(time.FixedZone("", -7200))
		err := verifyPresigned(r, hash, exampleSecret, clock)
		if test.want == "" {
			require.NoError(t, err, "%s s, %s", test.expires, test.clock)
		} else {
			requireCode(t, err, "InvalidSignatureException", test.want)
		}
	}
}

func TestPresignedRefuses(t *testing.T) {
	t.Parallel()
	const invalidCode, incompleteCode = "InvalidSignatureException", "IncompleteSignatureException"
	const mismatch = "does not match the signature you provided"
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { setParameter(r, name, values...) }
	}
	raw := func(more string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery += more } }
	head := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	for _, test := range []struct {
		name       string
		change     func(*http.Request)
		code, text string
	}{
		{"no algorithm", set("X-Amz-Algorithm"), incompleteCode, "AWS query-string parameters must include 'X-Amz-Algorithm'. Re-examine the query-string parameters."},
		{"no credential", set("X-Amz-Credential"), incompleteCode, "must include 'X-Amz-Credential'. Re-examine"},
		{"no signature", set("X-Amz-Signature"), incompleteCode, "must include 'X-Amz-Signature'. Re-examine"},
		{"no signed headers", set("X-Amz-SignedHeaders"), incompleteCode, "must include 'X-Amz-SignedHeaders'. Re-examine"},
		{"no date", set("X-Amz-Date"), incompleteCode, "must include 'X-Amz-Date'. Re-examine"},
		{"no lifetime", set("X-Amz-Expires"), incompleteCode, "must include 'X-Amz-Expires'. Re-examine"},
		{"empty algorithm", set("X-Amz-Algorithm", ""), incompleteCode, "must include 'X-Amz-Algorithm'. Re-examine"},
		{"nothing but a date", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Date=20260101T000500Z" }, incompleteCode,
			"AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. " +
				"AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. " +
				"AWS query-string parameters must include 'X-Amz-Expires'. Re-examine the query-string parameters."},

		{"algorithm twice", raw("&X-Amz-Algorithm=AWS4-HMAC-SHA256"), incompleteCode, "repeated"},
		{"credential twice", raw("&X-Amz-Credential=x"), incompleteCode, "repeated"},
		{"signature twice", raw("&X-Amz-Signature=x"), incompleteCode, "repeated"},
		{"signature twice, escaped", raw("&X-Amz%2DSignature=x"), incompleteCode, "repeated"},
		{"signed headers twice", raw("&X-Amz-SignedHeaders=host"), incompleteCode, "repeated"},
		{"date twice", raw("&X-Amz-Date=20260101T000500Z"), incompleteCode, "repeated"},
		{"lifetime twice", raw("&X-Amz-Expires=60"), incompleteCode, "repeated"},
		{"token twice", raw("&X-Amz-Security-Token=a&X-Amz-Security-Token=b"), incompleteCode, "repeated"},
		{"lower case beside it", raw("&x-amz-signature=x"), incompleteCode, "unknown X-Amz- parameter"},
		{"lower case instead", func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Date", "x-amz-date", 1)
		}, incompleteCode, "must include 'X-Amz-Date'"},
		{"unknown parameter", raw("&X-Amz-Meta-Tag=x"), incompleteCode, "unknown X-Amz- parameter"},
		{"content hash in the query", raw("&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"), incompleteCode, "unknown X-Amz- parameter"},
		{"query that cannot be parsed", raw("&a=%zz"), incompleteCode, "cannot be parsed"},
		{"semicolon", raw("&a;b"), incompleteCode, "cannot be parsed"},
		{"long query", raw("&a=" + strings.Repeat("a", maxAuthorization)), incompleteCode, "too long"},

		{"Authorization too", head("Authorization", validHeader), invalidCode, "Found both"},
		{"empty Authorization too", head("Authorization", ""), invalidCode, "Found both"},
		{"date in a header too", head("X-Amz-Date", "20260101T000500Z"), incompleteCode, "belongs in the query"},
		{"token in a header", head("X-Amz-Security-Token", "t"), incompleteCode, "belongs in the query"},
		{"signed headers in a header", head("X-Amz-Signedheaders", "host"), incompleteCode, "belongs in the query"},
		{"odd spelling", head("x-aMz-expires", "1"), incompleteCode, "belongs in the query"},

		{"other algorithm", set("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), incompleteCode, "must be 'AWS4-HMAC-SHA256'"},
		{"algorithm's case", set("X-Amz-Algorithm", "aws4-hmac-sha256"), incompleteCode, "must be 'AWS4-HMAC-SHA256'"},
		{"credential of four", set("X-Amz-Credential", "AK/20260101/us-east-1/kms"), incompleteCode, "exactly 5 slash-delimited elements"},
		{"credential of another day", set("X-Amz-Credential", exampleKey+"/20260102/us-east-1/kms/aws4_request"), invalidCode, "'20260102' != '20260101'"},
		{"credential of another Region", set("X-Amz-Credential", exampleKey+"/20260101/eu-west-1/kms/aws4_request"), invalidCode, mismatch},
		{"credential of another key", set("X-Amz-Credential", "AKIDOTHER/20260101/us-east-1/kms/aws4_request"), invalidCode, mismatch},
		{"signature's case", func(r *http.Request) {
			setParameter(r, "X-Amz-Signature", strings.ToUpper(r.URL.Query().Get("X-Amz-Signature")))
		}, incompleteCode, "64 lower-case"},
		{"short signature", set("X-Amz-Signature", "00"), incompleteCode, "64 lower-case"},
		{"signed headers not sorted", set("X-Amz-SignedHeaders", "x-amz-target;host;content-type"), incompleteCode, "sorted"},
		{"host not signed", set("X-Amz-SignedHeaders", "content-length;content-type;x-amz-target"), invalidCode, "'Host' must be a 'SignedHeader'"},
		{"target not signed", set("X-Amz-SignedHeaders", "content-length;content-type;host"), invalidCode, "'X-Amz-Target' must be a 'SignedHeader'"},
		{"header not sent", func(r *http.Request) { r.Header.Del("Content-Type") }, invalidCode, mismatch},
		{"header added", head("X-Amz-Meta", "x"), invalidCode, "'X-Amz-Meta' must be a 'SignedHeader'"},
		{"target changed", head("X-Amz-Target", "TrentService.Decrypt"), invalidCode, mismatch},
		{"target repeated", head("X-Amz-Target", "TrentService.Encrypt", "TrentService.Decrypt"), invalidCode, mismatch},
		{"malformed date", set("X-Amz-Date", "2026-01-01T00:05:00Z"), incompleteCode, "ISO-8601 'basic format'"},
		{"other date", set("X-Amz-Date", "20260101T000501Z"), invalidCode, mismatch},
		{"date of the query", raw("&Date=20260101T000500Z"), invalidCode, mismatch},
		{"longer lifetime", set("X-Amz-Expires", "61"), invalidCode, mismatch},
		{"token added", set("X-Amz-Security-Token", "t"), invalidCode, mismatch},
		{"parameter added", raw("&a=b"), invalidCode, mismatch},
		{"empty parameter added", raw("&a"), invalidCode, mismatch},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, hash := kmsRequest(t, "60")
			require.NoError(t, verifyPresigned(r, hash, exampleSecret, signingTime))
			test.change(r)
			requireCode(t, verifyPresigned(r, hash, exampleSecret, signingTime), test.code, test.text)
		})
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"1": "", "59": "", "604800": "",
		"0": "must be positive", "-1": "must be positive", "-604800": "must be positive",
		"604801": "more than a week", "9223372036854775807": "more than a week",
		"9223372036854775808": "a number", "99999999999999999999": "a number",
		"": "a number", " 60": "a number", "60 ": "a number", "+60": "a number", "060": "a number",
		"-0": "a number", "1e3": "a number", "60.0": "a number", "0x3c": "a number", "1_000": "a number", "٦٠": "a number",
	} {
		d, err := parseExpires(s)
		if want == "" {
			require.NoError(t, err, s)
			require.Equal(t, s+"s", fmt.Sprintf("%.0fs", d.Seconds()))
			continue
		}
		requireCode(t, err, "IncompleteSignatureException", want)
	}
}

// No bit of a presigned request can be changed, unless the query says the same in
// another spelling.
func TestEveryBitIsPresigned(t *testing.T) {
	t.Parallel()
	r, hash := kmsRequest(t, "60")
	require.NoError(t, verifyPresigned(r, hash, exampleSecret, signingTime))
	query := r.URL.Query()
	spellings := 0
	for bit := range len(r.URL.RawQuery) * 8 {
		changed := r.Clone(t.Context())
		changed.URL.RawQuery = flip(r.URL.RawQuery, bit)
		err := verifyPresigned(changed, hash, exampleSecret, signingTime)
		if got, parseErr := url.ParseQuery(changed.URL.RawQuery); parseErr == nil && reflect.DeepEqual(got, query) {
			require.NoError(t, err)
			spellings++
			continue
		}
		var own *refusal
		require.ErrorAs(t, err, &own, "bit %d: %s", bit, changed.URL.RawQuery)
	}
	require.NotZero(t, spellings, "%%2F and %%2f are the same")

	eachBit := func(what, s string, change func(r *http.Request, variant string)) {
		for bit := range len(s) * 8 {
			changed := r.Clone(t.Context())
			change(changed, flip(s, bit))
			var own *refusal
			require.ErrorAs(t, verifyPresigned(changed, hash, exampleSecret, signingTime), &own, "%s, bit %d", what, bit)
		}
	}
	eachBit("method", r.Method, func(r *http.Request, s string) { r.Method = s })
	eachBit("host", r.Host, func(r *http.Request, s string) { r.Host = s })
	eachBit("path", r.URL.Path, func(r *http.Request, s string) { r.URL.Path = s })
	for _, name := range []string{"Content-Type", "X-Amz-Target"} {
		eachBit(name, r.Header.Get(name), func(r *http.Request, s string) { r.Header[name] = []string{s} })
	}
	for bit := range len(hash) * 8 {
		var own *refusal
		other := [sha256.Size]byte([]byte(flip(string(hash[:]), bit)))
		require.ErrorAs(t, verifyPresigned(r, other, exampleSecret, signingTime), &own, "body")
	}
	for bit := range len(exampleSecret) * 8 {
		require.Error(t, verifyPresigned(r, hash, flip(exampleSecret, bit), signingTime), "secret")
	}
}

// A signature of one form is none of the other, although both sign the same text
// but for the query.
func TestFormsAreNotExchangeable(t *testing.T) {
	t.Parallel()
	r, hash := kmsRequest(t, "60")
	a, err := authorizationOf(r)
	require.NoError(t, err)
	a.form = form{parameters: map[string][]string{"X-Amz-Date": {"20260101T000500Z"}}, lifetime: maxClockSkew}
	_, err = a.check(r, signingTime)
	requireCode(t, err, "InvalidSignatureException", "'X-Amz-Date' must be a 'SignedHeader'")
	requireCode(t, verify(r, hash, exampleSecret, a, signingTime), "InvalidSignatureException", "does not match")
}

// A query that is accepted is the one spelling of what was understood, but for the
// order of its parameters and their escapes.
func FuzzPresignedQuery(f *testing.F) {
	r, _ := kmsRequest(f, "60")
	f.Add(r.URL.RawQuery)
	f.Add(r.URL.RawQuery + "&X-Amz-Security-Token=a%2Fb&c=d&c=e")
	f.Add(r.URL.RawQuery + "&x-amz-date=1")
	f.Add("X-Amz-Signature=%zz&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=00")
	f.Add("X-Amz-Expires;X-Amz-Date")
	f.Add("")
	f.Fuzz(func(t *testing.T, raw string) {
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/", RawQuery: raw}, Header: http.Header{}}
		a, err := authorizationOf(r)
		if err != nil {
			var own *refusal
			require.ErrorAs(t, err, &own)
			return
		}
		require.True(t, a.presigned)
		require.LessOrEqual(t, a.lifetime, 7*24*time.Hour)
		got := r.URL.Query()
		for name, want := range map[string]string{
			"X-Amz-Algorithm":     "AWS4-HMAC-SHA256",
			"X-Amz-Credential":    a.accessKeyID + "/" + a.date + "/" + a.region + "/" + a.service + "/aws4_request",
			"X-Amz-SignedHeaders": string(a.signedHeaders),
			"X-Amz-Signature":     hex.EncodeToString(a.signature[:]),
			"X-Amz-Expires":       strconv.Itoa(int(a.lifetime / time.Second)),
			"X-Amz-Date":          got.Get("X-Amz-Date"),
		} {
			require.Equal(t, []string{want}, got[name])
			got.Del(name)
		}
		require.LessOrEqual(t, len(got["X-Amz-Security-Token"]), 1)
		got.Del("X-Amz-Security-Token")
		require.False(t, signsQuery(got), "%v", got)
		if err := verifyAt(r, sha256.Sum256(nil), "no secret", a, signingTime); err == nil {
			t.Fatal("verified a signature of nobody")
		}
	})
}
