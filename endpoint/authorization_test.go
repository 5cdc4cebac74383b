package endpoint

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	of := func(values ...string) (authorization, error) {
		r := newRequest(t, nil)
		if values != nil {
			r.Header["Authorization"] = values
		}
		return authorizationOf(r)
	}
	_, err := of()
	requireCode(t, err, "MissingAuthenticationTokenException", "Missing Authentication Token")
	_, err = of("")
	requireCode(t, err, "MissingAuthenticationTokenException", "Missing Authentication Token")
	_, err = of(validHeader, validHeader)
	requireCode(t, err, "IncompleteSignatureException", "more than one Authorization")
	a, err := of(validHeader)
	require.NoError(t, err)
	require.Equal(t, 5*time.Minute, a.lifetime)
	require.False(t, a.presigned)
	require.Contains(t, a.parameters, "X-Amz-Target")
	a.form = form{}
	require.Equal(t, wantValid, a)
}

var (
	someSignature = strings.Repeat("0a", 32)
	validHeader   = "AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/kms/aws4_request, " +
		"SignedHeaders=host;x-amz-date, Signature=" + someSignature
	wantValid = authorization{
		accessKeyID: "AK", date: "20260101", region: "eu-west-1", service: "kms",
		signedHeaders: "host;x-amz-date", signature: [32]byte(bytes.Repeat([]byte{10}, 32)),
	}
)

func authorizationOf(r *http.Request) (authorization, error) { return new(authorizationCache).of(r) }

// A header is parsed alike whatever was parsed before it.
func TestAuthorizationCache(t *testing.T) {
	t.Parallel()
	other := strings.Replace(validHeader, "AK/", "OTHER/", 1)
	headers := []string{
		validHeader, validHeader[:len(validHeader)-2] + "ff", other,
		validHeader + " ", validHeader + "0", validHeader[:len(validHeader)-1], validHeader[:len(validHeader)-2] + "FF",
		validHeader[:len(validHeader)-1] + ",", validHeader + ", x=y", validHeader + ", Signature=" + someSignature,
		strings.Replace(validHeader, ", Signature=", ",Signature=", 1),
		strings.Replace(validHeader, "Credential=", "Signature="+someSignature+", Credential=", 1),
		"AWS4-HMAC-SHA256 Signature=" + someSignature + ", SignedHeaders=host, Credential=AK/20260101/eu-west-1/kms/aws4_request",
		"", "Signature=", "AWS4-HMAC-SHA256 Signature=" + someSignature, other[:40],
	}
	var c authorizationCache
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				for _, i := range rand.Perm(len(headers)) {
					want, wantErr := parseAuthorization(headers[i])
					got, err := c.parse(headers[i])
					c.keep(headers[i])
					assert.Equal(t, wantErr, err, headers[i])
					if err == nil {
						assert.Equal(t, want, got, headers[i])
					}
				}
			}
		})
	}
	wg.Wait()
	require.NotNil(t, c.newest.Load())
}

func TestParseAuthorization(t *testing.T) {
	t.Parallel()
	const credential, headers = "Credential=AK/20260101/eu-west-1/kms/aws4_request", "SignedHeaders=host;x-amz-date"
	signature := "Signature=" + someSignature
	for _, list := range []string{
		credential + "," + headers + "," + signature,
		credential + " ,  " + headers + ",   " + signature + "  ",
		signature + ", " + credential + ", " + headers,
	} {
		got, err := parseAuthorization("AWS4-HMAC-SHA256 " + list)
		require.NoError(t, err, list)
		require.Equal(t, wantValid, got)
	}

	replace := func(old, new string) string { return strings.Replace(validHeader, old, new, 1) }
	for _, test := range []struct{ header, want string }{
		{"AWS4-HMAC-SHA256", "requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
			"Authorization header requires 'SignedHeaders' parameter."},
		{"AWS4-HMAC-SHA256  ", "requires 'Credential' parameter."},
		{"AWS4-HMAC-SHA256 " + credential, "requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
		{"AWS4-HMAC-SHA256 " + headers + "," + signature, "requires 'Credential' parameter."},
		{replace(signature, "Signature="), "requires 'Signature' parameter."},
		{"Basic QUs6c2VjcmV0", "requires the algorithm 'AWS4-HMAC-SHA256'"},
		{"Bearer token", "requires the algorithm"},
		{replace("SHA256", "SHA512"), "requires the algorithm"},
		{replace("SHA256", "sha256"), "requires the algorithm"},
		{replace("AWS4-HMAC", "AWS4-ECDSA-P256"), "requires the algorithm"},
		{" " + validHeader, "requires the algorithm"},
		{"AWS4-HMAC-SHA256 secret", "missing equal-sign"},
		{validHeader + ",", "missing equal-sign"},
		{validHeader + ", x", "missing equal-sign"},
		{validHeader + ", X=1", "unknown parameter"},
		{validHeader + ", =1", "unknown parameter"},
		{replace("Credential", "credential"), "requires 'Credential' parameter"},
		{validHeader + ", " + signature, "repeated parameter"},
		{"AWS4-HMAC-SHA256 Credential=, " + credential + "," + headers + "," + signature, "repeated parameter"},
		{replace("/kms/", "/"), "exactly 5 slash-delimited elements"},
		{replace("/kms/", "/kms/x/"), "exactly 5 slash-delimited elements"},
		{replace("aws4_request", "aws4_reques"), "valid terminator"},
		{replace("AK/", "/"), "empty"},
		{replace("AK/", "A K/"), "letters, digits"},
		{replace("AK/", "Aé/"), "letters, digits"},
		{replace("AK/", strings.Repeat("A", 129)+"/"), "too long"},
		{replace("eu-west-1", ""), "empty"},
		{replace("eu-west-1", "eu\nwest"), "letters, digits"},
		{replace("/kms/", "//"), "empty"},
		{replace("20260101", "2026-01-01"), "YYYYMMDD"},
		{replace("20260101", "20260132"), "YYYYMMDD"},
		{replace("20260101", "202601011"), "YYYYMMDD"},
		{replace("20260101", ""), "YYYYMMDD"},
		{replace("host;x-amz-date", "x-amz-date;host"), "sorted"},
		{replace("host;x-amz-date", "host;host;x-amz-date"), "sorted"},
		{replace("host;x-amz-date", "Host;x-amz-date"), "lower-case"},
		{replace("host;x-amz-date", "host;;x-amz-date"), "lower-case"},
		{replace("host;x-amz-date", "host;x-amz-date;"), "lower-case"},
		{replace("host;x-amz-date", "host; x-amz-date"), "lower-case"},
		{replace("host;x-amz-date", "host:a\nx"), "lower-case"},
		{replace(someSignature, strings.ToUpper(someSignature)), "64 lower-case"},
		{replace(someSignature, someSignature[:62]), "64 lower-case"},
		{replace(someSignature, someSignature[:63]), "64 lower-case"},
		{replace(someSignature, someSignature+"00"), "64 lower-case"},
		{replace(someSignature, "g"+someSignature[1:]), "64 lower-case"},
		{validHeader + strings.Repeat(" ", maxAuthorization), "too long"},
	} {
		_, err := parseAuthorization(test.header)
		requireCode(t, err, "IncompleteSignatureException", test.want)
		require.NotContains(t, err.Error(), "secret")
	}
}

// A header that is accepted is the one spelling of what was understood, but for
// the order of the parameters and the spaces around commas.
func FuzzParseAuthorization(f *testing.F) {
	f.Add(validHeader)
	f.Add("AWS4-HMAC-SHA256 Signature=" + someSignature + ",SignedHeaders=host,Credential=A/20260101/r/s/aws4_request")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Credential=,=,")
	f.Add("")
	f.Fuzz(func(t *testing.T, header string) {
		a, err := parseAuthorization(header)
		if err != nil {
			var auth *refusal
			require.ErrorAs(t, err, &auth)
			return
		}
		for _, part := range []string{
			"Credential=" + a.accessKeyID + "/" + a.date + "/" + a.region + "/" + a.service + "/aws4_request",
			"SignedHeaders=" + string(a.signedHeaders),
			"Signature=" + hex.EncodeToString(a.signature[:]),
		} {
			require.Contains(t, header, part)
			header = strings.Replace(header, part, "", 1)
		}
		require.Equal(t, "AWS4-HMAC-SHA256,,", strings.ReplaceAll(header, " ", ""))
	})
}

func TestInLowerCase(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, lower string
		want        bool
	}{
		{"X-Amz-Date", "x-amz-date", true},
		{"x-aMZ-dATE", "x-amz-date", true},
		{"", "", true},
		{"X-Amz-Date", "X-Amz-Date", false},
		{"X-Amz-Date", "x-amz-dat", false},
		{"X-Amz-Date", "x-amz-dates", false},
		{"X-Amz-[", "x-amz-{", false},
		{"X-Amz-@", "x-amz-`", false},
		{"X-Amz-\u212a", "x-amz-k", false}, // the Kelvin sign
		{"X-Amz-\u017f", "x-amz-s", false}, // the long s
	} {
		require.Equal(t, test.want, inLowerCase(test.name, test.lower), "%q %q", test.name, test.lower)
	}
}

func TestReservedNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"X-Amz-": true, "x-amz-date": true, "X-AMZ-é": true, "X-Amz": false, "": false, "XX-Amz-": false, "X_Amz_Date": false, "X-Amé": false,
	} {
		require.Equal(t, want, isReserved(name), name)
	}
}
