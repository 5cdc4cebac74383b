package endpoint_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
)

// presigned returns a presigned request for an operation, as a server receives it.
func presigned(t testing.TB, operation, body, expires string, s signature) *http.Request {
	t.Helper()
	r := newRequest(operation, body)
	presign(t, r, body, expires, s)
	return r
}

// presign has the SDK presign r in place.
func presign(t testing.TB, r *http.Request, body, expires string, s signature) {
	t.Helper()
	if s.creds.AccessKeyID == "" {
		s.creds = rootCredentials()
	}
	if s.region == "" {
		s.region = region
	}
	if s.service == "" {
		s.service = "kms"
	}
	if s.payloadHash == "" {
		sum := sha256.Sum256([]byte(body))
		s.payloadHash = hex.EncodeToString(sum[:])
	}
	if s.time.IsZero() {
		s.time = time.Now()
	}
	r.URL.RawQuery = "X-Amz-Expires=" + expires
	uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), s.creds, r, s.payloadHash, s.service, s.region, s.time,
		func(o *v4.SignerOptions) { o.DisableHeaderHoisting = true })
	require.NoError(t, err)
	_, r.URL.RawQuery, _ = strings.Cut(uri, "?")
}

func TestPresignedRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	const body = `{"KeyId":"alias/site"}`
	url := s.serve(t)
	signed := newRequest("DescribeKey", body)
	signed.Host = strings.TrimPrefix(url, "http://")
	presign(t, signed, body, "60", signature{})

	// Whoever has the URL and the headers can make the request, as often as they
	// like, with any client.
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/?"+signed.URL.RawQuery, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "TrentService.DescribeKey")
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		metadata := object(t, answer{response.StatusCode, response.Header, string(text)})["KeyMetadata"].(map[string]any)
		require.Equal(t, s.key, metadata["Arn"])
	}
	require.Len(t, s.Events(), 2)
	require.Equal(t, rootID, s.Events()[0].Identity.AccessKeyID)
}

func TestPresignedScopeDecidesTheRegion(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	require.Len(t, object(t, s.do(presigned(t, "ListKeys", "{}", "60", signature{})))["Keys"], 1)
	require.Empty(t, object(t, s.do(presigned(t, "ListKeys", "{}", "60", signature{region: "eu-west-1"})))["Keys"])
}

func TestPresignedFreshnessIsOfTheWallClock(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for name, c := range map[string]struct {
		ago     time.Duration
		expires string
		want    string // the refusal, "" if there is none
	}{
		"now":              {0, "60", ""},
		"an hour ago":      {time.Hour, "3700", ""},
		"six days ago":     {6 * 24 * time.Hour, "604800", ""},
		"4 minutes ahead":  {-4 * time.Minute, "1", ""},
		"just expired":     {61 * time.Second, "60", "Signature expired: "},
		"a week ago":       {7*24*time.Hour + time.Minute, "604800", "Signature expired: "},
		"too far ahead":    {-6 * time.Minute, "604800", "Signature not yet current: "},
		"of another epoch": {time.Since(s.Now()), "604800", "Signature "},
	} {
		r := presigned(t, "ListKeys", "{}", c.expires, signature{time: time.Now().Add(-c.ago)})
		for range 2 { // replayed, it is no better
			a := s.do(r.Clone(t.Context()))
			if c.want == "" {
				r.Body = io.NopCloser(strings.NewReader("{}"))
				require.Equal(t, http.StatusOK, a.status, "%s: %s", name, a.body)
				continue
			}
			code, text := errorOf(t, a)
			require.Equal(t, "InvalidSignatureException", code, name)
			require.True(t, strings.HasPrefix(text, c.want), "%s: %s", name, text)
		}
	}
}

func TestRefusedPresignedRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	const body = `{"Description":"wanted"}`
	ann := aws.Credentials{}
	ann.AccessKeyID, ann.SecretAccessKey = s.keys.Create(identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: account})
	for name, c := range map[string]struct {
		with   signature
		before func(*http.Request) // presigning
		after  func(*http.Request)
		code   string
		text   string // "" is not compared
	}{
		"body changed": {
			after: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"Description":"wanteD"}`)) },
			code:  "InvalidSignatureException", text: mismatch,
		},
		"body dropped": {
			after: func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 },
			code:  "InvalidSignatureException", text: mismatch,
		},
		"operation changed": {
			after: func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.ListKeys") },
			code:  "InvalidSignatureException", text: mismatch,
		},
		"operation not signed": {
			before: func(r *http.Request) { r.Header.Del("X-Amz-Target") },
			after:  func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.CreateKey") },
			code:   "InvalidSignatureException", text: "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
		},
		"operation in the query": {
			after: func(r *http.Request) {
				r.URL.RawQuery += "&X-Amz-Target=TrentService.CreateKey"
				r.Header.Del("X-Amz-Target")
			},
			code: "UnknownOperationException",
		},
		"signed in the header too": {
			after: func(r *http.Request) {
				query := r.URL.RawQuery
				r.URL.RawQuery = ""
				sign(t, r, body, signature{})
				r.Header.Del("X-Amz-Date")
				r.URL.RawQuery = query
			},
			code: "InvalidSignatureException", text: bothForms,
		},
		"unsigned payload": {
			with: signature{payloadHash: "UNSIGNED-PAYLOAD"},
			code: "InvalidSignatureException", text: mismatch,
		},
		"unsigned payload, and said so": {
			with:   signature{payloadHash: "UNSIGNED-PAYLOAD"},
			before: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") },
			code:   "InvalidSignatureException", text: badHash,
		},
		"other service": {
			with: signature{service: "sts"},
			code: "InvalidSignatureException", text: "Credential should be scoped to correct service: 'kms'.",
		},
		"unknown key": {
			with: signature{creds: aws.Credentials{AccessKeyID: "AKIAUNKNOWNUNKNOWN00", SecretAccessKey: rootSecret}},
			code: "UnrecognizedClientException", text: badToken,
		},
		"wrong secret": {
			with: signature{creds: aws.Credentials{AccessKeyID: rootID, SecretAccessKey: rootSecret + "x"}},
			code: "InvalidSignatureException", text: mismatch,
		},
		"GET": {
			before: func(r *http.Request) { r.Method = http.MethodGet },
			code:   "UnknownOperationException",
		},
		"of somebody without the permission": {
			with: signature{creds: ann}, code: "AccessDeniedException",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest("CreateKey", body)
			if c.before != nil {
				c.before(r)
			}
			presign(t, r, body, "60", c.with)
			if c.after != nil {
				c.after(r)
			}
			code, text := errorOf(t, s.do(r))
			require.Equal(t, c.code, code, text)
			if c.text != "" {
				require.Equal(t, c.text, text)
			}
		})
	}
	require.Len(t, object(t, s.post(t, "ListKeys", "{}"))["Keys"], 1, "nothing was created")
}

func TestPresignedContentHash(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	r := newRequest("ListKeys", "{}")
	sum := sha256.Sum256([]byte("{}"))
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	presign(t, r, "{}", "60", signature{})
	require.Equal(t, http.StatusOK, s.do(r).status)
}

func TestDevelopmentTakesAnyPresignedRequest(t *testing.T) {
	t.Parallel()
	s := newInsecureSite(t)
	test := aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", SessionToken: "test"}
	require.Equal(t, http.StatusOK, s.do(presigned(t, "ListKeys", "{}", "1", signature{creds: test, time: time.Unix(1e9, 0)})).status)
	code, _ := errorOf(t, s.do(presigned(t, "ListKeys", "{}", "0", signature{creds: test})))
	require.Equal(t, "IncompleteSignatureException", code, "it has to be one, though")
}
