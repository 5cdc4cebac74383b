package endpoint_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
)

func newInsecureSite(t testing.TB) *site { return makeSite(t, nil, true) }

func TestDevelopmentTakesAnySignature(t *testing.T) {
	t.Parallel()
	s := newInsecureSite(t)
	for name, with := range map[string]signature{
		"unknown key":     {creds: aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}},
		"session token":   {creds: aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", SessionToken: "test"}},
		"wrong secret":    {creds: aws.Credentials{AccessKeyID: rootID, SecretAccessKey: "wrong"}},
		"long ago":        {time: time.Unix(1e9, 0)},
		"another service": {service: "sts"},
		"another body":    {payloadHash: "UNSIGNED-PAYLOAD"},
	} {
		r := newRequest("DescribeKey", `{"KeyId":"alias/site"}`)
		sign(t, r, `{"KeyId":"alias/site"}`, with)
		a := s.do(r)
		require.Equal(t, http.StatusOK, a.status, "%s: %s", name, a.body)
		events := s.Events()
		last := events[len(events)-1].Identity
		require.Equal(t, account, last.Account, name)
		require.Equal(t, "Root", last.Type, name)
		if with.creds.AccessKeyID != "" {
			require.Equal(t, with.creds.AccessKeyID, last.AccessKeyID, name)
		}
	}

	r := newRequest("DescribeKey", `{"KeyId":"alias/site"}`)
	requireError(t, s.do(r), http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
}

func TestDevelopmentWithTheSDK(t *testing.T) {
	t.Parallel()
	s := newInsecureSite(t)
	test := aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}
	_, err := s.overHTTP(t, test, region).DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &s.key})
	require.NoError(t, err)

	// Without BaseEndpoint the request is for AWS's own host, which is not a
	// loopback address, although it never leaves the process.
	_, err = s.overTransport(test, region).DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &s.key})
	require.ErrorContains(t, err, "AccessDeniedException")
}

func TestDevelopmentKeepsTheCallersOfRegisteredKeys(t *testing.T) {
	t.Parallel()
	s := newInsecureSite(t)
	id, _ := s.keys.Create(identity.Root("444455556666", region))
	r := newRequest("CreateKey", "")
	sign(t, r, "", signature{creds: aws.Credentials{AccessKeyID: id, SecretAccessKey: "whatever"}, region: "eu-west-1"})
	metadata := object(t, s.do(r))["KeyMetadata"].(map[string]any)
	require.Regexp(t, "^arn:aws:kms:eu-west-1:444455556666:key/", metadata["Arn"])

	ann := identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: account}
	id, _ = s.keys.Create(ann)
	r = newRequest("CreateKey", "")
	sign(t, r, "", signature{creds: aws.Credentials{AccessKeyID: id, SecretAccessKey: "whatever"}})
	code, _ := errorOf(t, s.do(r))
	require.Equal(t, "AccessDeniedException", code)
}

func TestDevelopmentHosts(t *testing.T) {
	t.Parallel()
	s := newInsecureSite(t)
	for host, ok := range map[string]bool{
		"localhost":               true,
		"localhost:80":            true,
		"localhost:4566":          true,
		"127.0.0.1":               true,
		"127.0.0.1:4566":          true,
		"127.0.0.2":               true,
		"127.255.255.254:1":       true,
		"[::1]":                   true,
		"[::1]:4566":              true,
		"":                        false,
		":4566":                   false,
		"evil.example":            false,
		"evil.example:4566":       false,
		"localhost.evil.example":  false,
		"127.0.0.1.evil.example":  false,
		"127.0.0.1.nip.io:4566":   false,
		"evil.example#127.0.0.1":  false,
		"evil.example@localhost":  false,
		"localhost:80:evil":       false,
		"localhost.":              false,
		"10.0.0.1":                false,
		"0.0.0.0":                 false,
		"169.254.169.254":         false,
		"192.168.0.1:4566":        false,
		"[::]:4566":               false,
		"[fe80::1]":               false,
		"[2001:db8::1]:4566":      false,
		"2130706433":              false, // 127.0.0.1 as one number
		"0x7f000001":              false,
		"127.1":                   false,
		"0177.0.0.1":              false,
		"kms.local":               false,
		"kms.us-east-1.localhost": false,
	} {
		r := newRequest("ListKeys", "")
		sign(t, r, "", signature{})
		r.Host = host
		a := s.do(r)
		if ok {
			require.Equal(t, http.StatusOK, a.status, "%q: %s", host, a.body)
			continue
		}
		code, text := errorOf(t, a)
		require.Equal(t, "AccessDeniedException", code, "%q", host)
		require.Equal(t, "The development endpoint answers requests to a loopback host only.", text)
	}
}

func TestDevelopmentRefusesWebPages(t *testing.T) {
	t.Parallel()
	s := newInsecureSite(t)
	for name, change := range map[string]func(http.Header){
		"origin":             func(h http.Header) { h.Set("Origin", "https://evil.example") },
		"own origin":         func(h http.Header) { h.Set("Origin", "http://127.0.0.1:4566") },
		"null origin":        func(h http.Header) { h.Set("Origin", "null") },
		"empty origin":       func(h http.Header) { h.Set("Origin", "") },
		"text":               func(h http.Header) { h.Set("Content-Type", "text/plain") },
		"form":               func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") },
		"multipart":          func(h http.Header) { h.Set("Content-Type", "multipart/form-data; boundary=x") },
		"JSON":               func(h http.Header) { h.Set("Content-Type", "application/json") },
		"JSON 1.0":           func(h http.Header) { h.Set("Content-Type", "application/x-amz-json-1.0") },
		"no type":            func(h http.Header) { h.Del("Content-Type") },
		"empty type":         func(h http.Header) { h.Set("Content-Type", "") },
		"type in parameter":  func(h http.Header) { h.Set("Content-Type", "text/plain; application/x-amz-json-1.1") },
		"type in list":       func(h http.Header) { h.Set("Content-Type", "application/x-amz-json-1.1, text/plain") },
		"type, bad argument": func(h http.Header) { h.Set("Content-Type", "text/plain; a=application/x-amz-json-1.1") },
	} {
		r := newRequest("CreateKey", "")
		change(r.Header)
		sign(t, r, "", signature{})
		a := s.do(r)
		code, _ := errorOf(t, a)
		require.Equal(t, "AccessDeniedException", code, name)
		require.Equal(t, http.StatusBadRequest, a.status)
		require.NotContains(t, a.header, "Access-Control-Allow-Origin")
	}
	preflight := newRequest("CreateKey", "")
	preflight.Method = http.MethodOptions
	preflight.Header = http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Headers": {"x-amz-target"}}
	a := s.do(preflight)
	require.Equal(t, http.StatusBadRequest, a.status)
	require.NotContains(t, a.header, "Access-Control-Allow-Headers")
	require.Empty(t, s.Events())

	for _, contentType := range []string{"application/x-amz-json-1.1", "APPLICATION/x-amz-json-1.1", "application/x-amz-json-1.1; charset=utf-8"} {
		r := newRequest("ListKeys", "")
		r.Header.Set("Content-Type", contentType)
		sign(t, r, "", signature{})
		require.Equal(t, http.StatusOK, s.do(r).status, contentType)
	}
}

// TestDevelopmentOverTheNetwork asks as a page would whose name was pointed at this
// machine after it was loaded.
func TestDevelopmentOverTheNetwork(t *testing.T) {
	t.Parallel()
	s := newInsecureSite(t)
	url := s.serve(t)
	r := newRequest("ListKeys", "")
	sign(t, r, "", signature{})
	require.Equal(t, http.StatusOK, send(t, url, r).status)
	r.Host = "rebound.evil.example"
	code, _ := errorOf(t, send(t, url, r))
	require.Equal(t, "AccessDeniedException", code)
}

// TestStrictModeIsForAnyHost sees that those refusals belong to development alone.
func TestStrictModeIsForAnyHost(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	r := newRequest("ListKeys", "")
	r.Host = "kms.example.com"
	r.Header.Set("Origin", "https://console.example.com")
	r.Header.Del("Content-Type")
	sign(t, r, "", signature{})
	require.Equal(t, http.StatusOK, s.do(r).status)
}

func TestDevelopmentWithoutKeys(t *testing.T) {
	t.Parallel()
	s := newInsecureSite(t)
	h, err := endpoint.New(endpoint.Config{KMS: s.Service(), InsecureAnySignature: true})
	require.NoError(t, err)
	s.handler = h
	require.Equal(t, http.StatusOK, s.post(t, "ListKeys", "").status)
}

func TestDevelopmentRefusesOtherMachines(t *testing.T) {
	t.Parallel()
	s := makeSite(t, nil, true)
	for from, admitted := range map[string]bool{
		"127.0.0.1:50000": true, "[::1]:50000": true, "[::ffff:127.0.0.1]:50000": true,
		"":                  true, // no network: Transport
		"203.0.113.9:50000": false, "10.0.0.1:50000": false, "[2001:db8::1]:50000": false, "[fe80::1%eth0]:1": false,
	} {
		r := newRequest("ListKeys", "{}")
		sign(t, r, "{}", signature{})
		r.RemoteAddr = from
		a := s.do(r)
		if admitted {
			require.Equal(t, http.StatusOK, a.status, from)
			continue
		}
		requireError(t, a, http.StatusBadRequest, "AccessDeniedException", "The development endpoint answers requests from this machine only.")
	}
}
