package endpoint_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
)

const expired = "The security token included in the request is expired"

// session returns the credentials of a new session of the account's root user.
func (s *site) session(lifetime time.Duration) (c aws.Credentials) {
	c.AccessKeyID, c.SecretAccessKey, c.SessionToken = s.keys.CreateSession(s.Root(), time.Now().Add(lifetime))
	return c
}

func TestCreateSession(t *testing.T) {
	t.Parallel()
	var keys endpoint.AccessKeys
	seen := map[string]bool{}
	for range 200 {
		id, secret, token := keys.CreateSession(identity.Caller{}, time.Now().Add(time.Hour))
		require.Regexp(t, "^ASIA[A-Z2-7]{16}$", id)
		require.Regexp(t, "^[A-Za-z0-9+/]{40}$", secret)
		require.Regexp(t, "^[A-Za-z0-9_-]{43}$", token)
		seen[id], seen[secret], seen[token] = true, true, true
	}
	require.Len(t, seen, 600)
}

func TestAddSession(t *testing.T) {
	t.Parallel()
	var keys endpoint.AccessKeys
	const id = "ASIAIOSFODNN7EXAMPLE"
	for token, ok := range map[string]bool{
		"t": true, "FwoGZXIvYXdzE/+=": true, strings.Repeat("t", 4096): true,
		"": false, strings.Repeat("t", 4097): false, "a b": false, "a\tb": false, "a\x00b": false, "a\x7f": false, "é": false, "a\r\nX: ": false,
	} {
		err := keys.AddSession(id, "hush-hush", token, identity.Caller{}, time.Now())
		require.Equal(t, ok, err == nil, "%q: %v", token, err)
		if err != nil {
			require.NotContains(t, err.Error(), "hush")
			require.True(t, strings.HasPrefix(err.Error(), "endpoint: "), err)
		}
	}
	require.Error(t, keys.AddSession("short", "s", "t", identity.Caller{}, time.Now()))
	require.Error(t, keys.AddSession(id, "", "t", identity.Caller{}, time.Now()))
}

func TestSessionWithTheSDK(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	creds := s.session(time.Hour)
	for carrier, client := range map[string]*sdk.Client{
		"Transport": s.overTransport(creds, region),
		"HTTP":      s.overHTTP(t, creds, region),
	} {
		_, err := client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &s.key})
		require.NoError(t, err, carrier)
		events := s.Events()
		require.Equal(t, creds.AccessKeyID, events[len(events)-1].Identity.AccessKeyID)
	}

	gone := s.session(-time.Second)
	_, err := s.overHTTP(t, gone, region).DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &s.key})
	require.True(t, unmodeled(err), "%T: %v", err, err)
	requireAPIError(t, err, http.StatusBadRequest, "ExpiredTokenException", expired)
}

func TestSessionTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	good, other := s.session(time.Hour), s.session(time.Hour)
	with := func(c aws.Credentials, token string) aws.Credentials { c.SessionToken = token; return c }
	wrongSecret := good
	wrongSecret.SecretAccessKey = other.SecretAccessKey
	added := aws.Credentials{AccessKeyID: "ASIAADDEDADDEDADDED0", SecretAccessKey: "secret", SessionToken: "a/b+c=="}
	require.NoError(t, s.keys.AddSession(added.AccessKeyID, added.SecretAccessKey, added.SessionToken, s.Root(), time.Now().Add(time.Hour)))
	for name, c := range map[string]struct {
		creds      aws.Credentials
		code, text string // "" if there is no refusal
	}{
		"session":               {good, "", ""},
		"added session":         {added, "", ""},
		"no token":              {with(good, ""), "UnrecognizedClientException", badToken},
		"another's token":       {with(good, other.SessionToken), "UnrecognizedClientException", badToken},
		"changed token":         {with(good, good.SessionToken+"A"), "UnrecognizedClientException", badToken},
		"long-term with token":  {with(rootCredentials(), good.SessionToken), "UnrecognizedClientException", badToken},
		"expired":               {s.session(-time.Second), "ExpiredTokenException", expired},
		"expired, no token":     {with(s.session(-time.Second), ""), "UnrecognizedClientException", badToken},
		"wrong secret":          {wrongSecret, "InvalidSignatureException", mismatch},
		"long forgotten or odd": {aws.Credentials{AccessKeyID: "ASIAFORGOTTEN0000000", SecretAccessKey: rootSecret, SessionToken: "t"}, "UnrecognizedClientException", badToken},
	} {
		t.Run(name, func(t *testing.T) {
			for form, r := range map[string]*http.Request{
				"header": func() *http.Request {
					r := newRequest("ListKeys", "{}")
					sign(t, r, "{}", signature{creds: c.creds})
					return r
				}(),
				"query": presigned(t, "ListKeys", "{}", "60", signature{creds: c.creds}),
			} {
				a := s.do(r)
				require.NotContains(t, a.body, c.creds.SecretAccessKey, form)
				if c.code == "" {
					require.Equal(t, http.StatusOK, a.status, "%s: %s", form, a.body)
					continue
				}
				requireError(t, a, http.StatusBadRequest, c.code, c.text)
			}
		})
	}
}

func TestSessionTokenHasToBeSigned(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	creds := s.session(time.Hour)
	token := creds.SessionToken
	creds.SessionToken = ""
	r := newRequest("ListKeys", "{}")
	sign(t, r, "{}", signature{creds: creds})
	r.Header.Set("X-Amz-Security-Token", token)
	requireError(t, s.do(r), http.StatusBadRequest, "InvalidSignatureException",
		"'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.")

	r = presigned(t, "ListKeys", "{}", "60", signature{creds: creds})
	r.URL.RawQuery += "&X-Amz-Security-Token=" + token
	requireError(t, s.do(r), http.StatusBadRequest, "InvalidSignatureException", mismatch)
	require.Empty(t, s.Events())
}

func TestRemovedSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	creds := s.session(time.Hour)
	r := newRequest("ListKeys", "{}")
	sign(t, r, "{}", signature{creds: creds})
	require.Equal(t, http.StatusOK, s.do(r).status)
	s.keys.Remove(creds.AccessKeyID)
	r = newRequest("ListKeys", "{}")
	sign(t, r, "{}", signature{creds: creds})
	requireError(t, s.do(r), http.StatusBadRequest, "UnrecognizedClientException", badToken)
}
