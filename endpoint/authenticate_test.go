package endpoint_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms/kmstest"
)

// requireUntouched checks that a refused request has reached no service.
func (s *site) requireUntouched(t *testing.T) {
	t.Helper()
	require.Empty(t, s.Events())
	require.Len(t, object(t, s.post(t, "ListKeys", "{}"))["Keys"], 1)
}

func TestNewNeedsKeysToVerifyWith(t *testing.T) {
	t.Parallel()
	service := kmstest.New(t, nil).Service()
	_, err := endpoint.New(endpoint.Config{KMS: service})
	require.EqualError(t, err, "endpoint: no access keys to verify signatures with")
	_, err = endpoint.New(endpoint.Config{Keys: &endpoint.AccessKeys{}, InsecureAnySignature: true})
	require.EqualError(t, err, "endpoint: no KMS service")
	_, err = endpoint.New(endpoint.Config{KMS: service, InsecureAnySignature: true})
	require.NoError(t, err)
}

// The texts of refusals.
const (
	mismatch = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	badToken  = "The security token included in the request is invalid."
	bothForms = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
	badHash   = "The provided 'x-amz-content-sha256' header does not match what was computed."
)

func TestRefusedSignatures(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	removedID, removedSecret := s.keys.Create(s.Root())
	s.keys.Remove(removedID)
	const body = `{"Description":"wanted"}`
	for name, c := range map[string]struct {
		with   signature
		before func(*http.Request) // signing
		after  func(*http.Request)
		code   string
		text   string // "" is not compared
	}{
		"unsigned": {
			after: func(r *http.Request) { r.Header.Del("Authorization") },
			code:  "MissingAuthenticationTokenException", text: "Missing Authentication Token",
		},
		"empty header": {
			after: func(r *http.Request) { r.Header.Set("Authorization", "") },
			code:  "MissingAuthenticationTokenException", text: "Missing Authentication Token",
		},
		"basic authentication": {
			after: func(r *http.Request) { r.SetBasicAuth(rootID, rootSecret) }, code: "IncompleteSignatureException",
		},
		"no signature": {
			after: func(r *http.Request) {
				h := r.Header.Get("Authorization")
				r.Header.Set("Authorization", h[:strings.Index(h, ", Signature=")])
			},
			code: "IncompleteSignatureException", text: "Authorization header requires 'Signature' parameter.",
		},
		"signed twice": {
			after: func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
			code:  "IncompleteSignatureException",
		},
		"signed in the query too": {
			after: func(r *http.Request) { r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256" },
			code:  "InvalidSignatureException", text: bothForms,
		},
		"wrong secret": {
			with: signature{creds: aws.Credentials{AccessKeyID: rootID, SecretAccessKey: rootSecret + "x"}},
			code: "InvalidSignatureException", text: mismatch,
		},
		"empty secret": {
			with: signature{creds: aws.Credentials{AccessKeyID: rootID}},
			code: "InvalidSignatureException", text: mismatch,
		},
		"unknown key": {
			with: signature{creds: aws.Credentials{AccessKeyID: "AKIAUNKNOWNUNKNOWN00", SecretAccessKey: rootSecret}},
			code: "UnrecognizedClientException", text: badToken,
		},
		"key's case": {
			with: signature{creds: aws.Credentials{AccessKeyID: strings.ToLower(rootID), SecretAccessKey: rootSecret}},
			code: "UnrecognizedClientException", text: badToken,
		},
		"removed key": {
			with: signature{creds: aws.Credentials{AccessKeyID: removedID, SecretAccessKey: removedSecret}},
			code: "UnrecognizedClientException", text: badToken,
		},
		"session token": {
			with: signature{creds: aws.Credentials{AccessKeyID: rootID, SecretAccessKey: rootSecret, SessionToken: "FwoGZXIvYXdzEXAMPLE"}},
			code: "UnrecognizedClientException", text: badToken,
		},
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
		"operation repeated": {
			after: func(r *http.Request) { r.Header.Add("X-Amz-Target", "TrentService.ListKeys") },
			code:  "UnknownOperationException",
		},
		"operation not signed": {
			before: func(r *http.Request) { r.Header.Del("X-Amz-Target") },
			after:  func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.CreateKey") },
			code:   "InvalidSignatureException", text: "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
		},
		"other host": {
			after: func(r *http.Request) { r.Host = "kms.eu-west-1.amazonaws.com" },
			code:  "InvalidSignatureException", text: mismatch,
		},
		"query added": {
			after: func(r *http.Request) { r.URL.RawQuery = "a=b" },
			code:  "InvalidSignatureException", text: mismatch,
		},
		"other Region in the scope": {
			after: func(r *http.Request) { replaceInAuthorization(r, "/us-east-1/", "/eu-west-1/") },
			code:  "InvalidSignatureException", text: mismatch,
		},
		"other key's id": {
			after: func(r *http.Request) { replaceInAuthorization(r, rootID, "AKIAUNKNOWNUNKNOWN00") },
			code:  "UnrecognizedClientException", text: badToken,
		},
		"header added": {
			after: func(r *http.Request) { r.Header.Set("X-Amz-Meta", "x") },
			code:  "InvalidSignatureException", text: "'X-Amz-Meta' must be a 'SignedHeader' in the AWS Authorization.",
		},
		"other service": {
			with: signature{service: "sts"},
			code: "InvalidSignatureException", text: "Credential should be scoped to correct service: 'kms'.",
		},
		"unsigned payload": {
			with:   signature{payloadHash: "UNSIGNED-PAYLOAD"},
			before: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") },
			code:   "InvalidSignatureException", text: badHash,
		},
		"unsigned payload, header not sent": {
			with: signature{payloadHash: "UNSIGNED-PAYLOAD"},
			code: "InvalidSignatureException", text: mismatch,
		},
		"streaming payload": {
			with:   signature{payloadHash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
			before: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") },
			code:   "InvalidSignatureException", text: badHash,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest("CreateKey", body)
			if c.before != nil {
				c.before(r)
			}
			sign(t, r, body, c.with)
			if c.after != nil {
				c.after(r)
			}
			a := s.do(r)
			code, text := errorOf(t, a)
			require.Equal(t, http.StatusBadRequest, a.status)
			require.Equal(t, c.code, code, text)
			if c.text != "" {
				require.Equal(t, c.text, text)
			}
			require.NotContains(t, a.body, rootSecret)
		})
	}
	s.requireUntouched(t)
}

func replaceInAuthorization(r *http.Request, old, with string) {
	h := r.Header.Get("Authorization")
	if !strings.Contains(h, old) {
		panic("nothing to replace in " + h)
	}
	r.Header.Set("Authorization", strings.Replace(h, old, with, 1))
}

func TestEveryDigitOfTheSignatureCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	signed := newRequest("CreateKey", "")
	sign(t, signed, "", signature{})
	prefix, digits, ok := strings.Cut(signed.Header.Get("Authorization"), "Signature=")
	require.True(t, ok)
	require.Len(t, digits, 64)
	for i := range digits {
		for _, other := range "0123456789abcdef" {
			if byte(other) == digits[i] {
				continue
			}
			r := signed.Clone(t.Context())
			r.Header.Set("Authorization", prefix+"Signature="+digits[:i]+string(other)+digits[i+1:])
			requireError(t, s.do(r), http.StatusBadRequest, "InvalidSignatureException", mismatch)
		}
	}
	s.requireUntouched(t)
	require.Equal(t, http.StatusOK, s.do(signed).status, "the signature itself is good")
}

// TestFreshnessIsOfTheWallClock signs at other times than now. The service's clock
// stands still at kmstest.Start meanwhile and must not count.
func TestFreshnessIsOfTheWallClock(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for name, c := range map[string]struct {
		at   time.Time
		want string // the refusal, "" if there is none
	}{
		"now":               {time.Now(), ""},
		"4 minutes old":     {time.Now().Add(-4 * time.Minute), ""},
		"4 minutes ahead":   {time.Now().Add(4 * time.Minute), ""},
		"5m1s old":          {time.Now().Add(-5*time.Minute - time.Second), "Signature expired: "},
		"5m30s ahead":       {time.Now().Add(5*time.Minute + 30*time.Second), "Signature not yet current: "},
		"a day old":         {time.Now().Add(-24 * time.Hour), "Signature expired: "},
		"a day ahead":       {time.Now().Add(24 * time.Hour), "Signature not yet current: "},
		"the service's now": {s.Now(), "Signature "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest("ListKeys", "")
			sign(t, r, "", signature{time: c.at})
			a := s.do(r)
			if c.want == "" {
				require.Equal(t, http.StatusOK, a.status, a.body)
				return
			}
			code, text := errorOf(t, a)
			require.Equal(t, "InvalidSignatureException", code)
			require.True(t, strings.HasPrefix(text, c.want), text)
		})
	}
}

func TestScopeDecidesTheRegion(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	in := func(region, operation, body string) answer {
		r := newRequest(operation, body)
		sign(t, r, body, signature{region: region})
		return s.do(r)
	}
	require.Len(t, object(t, in("us-east-1", "ListKeys", ""))["Keys"], 1)
	require.Empty(t, object(t, in("eu-west-1", "ListKeys", ""))["Keys"])
	requireError(t, in("eu-west-1", "DescribeKey", `{"KeyId":"`+s.key+`"}`), 400, "NotFoundException", "Invalid arn us-east-1")
	requireError(t, in("eu-west-1", "DescribeKey", `{"KeyId":"`+s.keyID()+`"}`), 400, "NotFoundException",
		"Key 'arn:aws:kms:eu-west-1:111122223333:key/"+s.keyID()+"' does not exist")

	for region, partition := range map[string]string{"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		metadata := object(t, in(region, "CreateKey", ""))["KeyMetadata"].(map[string]any)
		require.Regexp(t, "^arn:"+partition+":kms:"+region+":111122223333:key/", metadata["Arn"])
		require.Len(t, object(t, in(region, "ListKeys", ""))["Keys"], 1)
	}

	for _, malformed := range []string{"EU-WEST-1", "eu_west_1", "eu.west.1", strings.Repeat("e", 33)} {
		requireError(t, in(malformed, "ListKeys", ""), 400, "ValidationException", "The request is not made in a valid account and Region.")
	}
	code, _ := errorOf(t, in("eu west", "ListKeys", ""))
	require.Equal(t, "IncompleteSignatureException", code)
}

func TestCallerOfEachKey(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	other := aws.Credentials{}
	other.AccessKeyID, other.SecretAccessKey = s.keys.Create(identity.Root("444455556666", "ap-south-1"))
	create := func(creds aws.Credentials) (arn, account string) {
		r := newRequest("CreateKey", "")
		sign(t, r, "", signature{creds: creds})
		metadata := object(t, s.do(r))["KeyMetadata"].(map[string]any)
		events := s.Events()
		require.Equal(t, creds.AccessKeyID, events[len(events)-1].Identity.AccessKeyID)
		require.Equal(t, "Root", events[len(events)-1].Identity.Type)
		require.Equal(t, metadata["AWSAccountId"], events[len(events)-1].Identity.Account)
		return metadata["Arn"].(string), metadata["AWSAccountId"].(string)
	}
	mine, account1 := create(rootCredentials())
	theirs, account2 := create(other)
	require.Equal(t, []string{"111122223333", "444455556666"}, []string{account1, account2})
	require.Contains(t, theirs, ":us-east-1:", "the key's Region is the scope's, not that of the caller registered")

	requireError(t, s.post(t, "DescribeKey", `{"KeyId":"`+theirs+`"}`), 400, "AccessDeniedException",
		"User: arn:aws:iam::111122223333:root is not authorized to perform: kms:DescribeKey on resource: "+theirs+
			" because no resource-based policy allows the kms:DescribeKey action")
	require.Equal(t, http.StatusOK, s.post(t, "DescribeKey", `{"KeyId":"`+mine+`"}`).status)
}

// TestAnonymousCaller has a key of nobody: it signs, but stands for no principal.
func TestAnonymousCaller(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	creds := aws.Credentials{}
	creds.AccessKeyID, creds.SecretAccessKey = s.keys.Create(identity.Caller{})
	r := newRequest("DescribeKey", `{"KeyId":"alias/site"}`)
	sign(t, r, `{"KeyId":"alias/site"}`, signature{creds: creds})
	requireError(t, s.do(r), 400, "AccessDeniedException",
		"User: anonymous is not authorized to perform: kms:DescribeKey on resource: * because no identity-based policy allows the kms:DescribeKey action")
}
