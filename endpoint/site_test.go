package endpoint_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms/kmstest"
)

const (
	account = identity.DefaultAccount
	region  = identity.DefaultRegion

	// An access key and a secret of the form that AWS's have.
	rootID     = "AKIAIOSFODNN7EXAMPLE"
	rootSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// A site is an endpoint in front of a KMS of its own, with an access key of the
// account's root user and an enabled key, alias/site. The KMS's clock stands at
// kmstest.Start.
type site struct {
	*kmstest.Cloud
	keys    *endpoint.AccessKeys
	handler http.Handler
	key     string // ARN
}

func newSite(t testing.TB, o *kmstest.Options) *site { return makeSite(t, o, false) }

func makeSite(t testing.TB, o *kmstest.Options, insecure bool) *site {
	t.Helper()
	s := &site{Cloud: kmstest.New(t, o), keys: &endpoint.AccessKeys{}}
	s.key = s.Seed(kmstest.Key{Alias: "alias/site"})
	require.NoError(t, s.keys.Add(rootID, rootSecret, s.Root()))
	h, err := endpoint.New(endpoint.Config{KMS: s.Service(), Keys: s.keys, InsecureAnySignature: insecure})
	require.NoError(t, err)
	s.handler = h
	return s
}

// keyID returns the id of alias/site.
func (s *site) keyID() string { return s.key[strings.LastIndex(s.key, "/")+1:] }

// serve starts a server that ends with the test and returns its URL.
func (s *site) serve(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	return server.URL
}

func rootCredentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: rootID, SecretAccessKey: rootSecret}
}

// overTransport and overHTTP are the two ways of an SDK client to a site. The
// clients make each request once.
func (s *site) overTransport(creds aws.Credentials, region string) *sdk.Client {
	o := clientOptions(creds, region)
	o.HTTPClient = &http.Client{Transport: endpoint.Transport(s.handler)}
	return sdk.New(o)
}

func (s *site) overHTTP(t testing.TB, creds aws.Credentials, region string) *sdk.Client {
	o := clientOptions(creds, region)
	o.BaseEndpoint = aws.String(s.serve(t))
	return sdk.New(o)
}

func clientOptions(creds aws.Credentials, region string) sdk.Options {
	return sdk.Options{
		Region:  region,
		Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return creds, nil
		}),
	}
}

// newRequest returns an unsigned request for an operation, as a server receives it.
func newRequest(operation, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	r.RemoteAddr = "127.0.0.1:50000"
	return r
}

// A signature is what a request is signed with. The zero value is the root user's,
// in us-east-1, for kms, now and over the body.
type signature struct {
	creds           aws.Credentials
	region, service string
	payloadHash     string
	time            time.Time
}

// sign signs r, whose body is body, with the SDK's own signer.
func sign(t testing.TB, r *http.Request, body string, s signature) {
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
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), s.creds, r, s.payloadHash, s.service, s.region, s.time))
}

// An answer is a response, taken apart.
type answer struct {
	status int
	header http.Header
	body   string
}

// do has the site's handler answer r.
func (s *site) do(r *http.Request) answer {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// post makes a signed request as the root user.
func (s *site) post(t testing.TB, operation, body string) answer {
	t.Helper()
	r := newRequest(operation, body)
	sign(t, r, body, signature{})
	return s.do(r)
}

// send sends r to the server at url over the network.
func send(t testing.TB, url string, r *http.Request) answer {
	t.Helper()
	out, err := http.NewRequestWithContext(t.Context(), r.Method, url+r.URL.RequestURI(), r.Body)
	require.NoError(t, err)
	out.Header, out.ContentLength, out.Host = r.Header, r.ContentLength, r.Host
	response, err := http.DefaultClient.Do(out)
	require.NoError(t, err)
	defer response.Body.Close()
	var body bytes.Buffer
	_, err = io.Copy(&body, response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, body.String()}
}

// requireError checks that a is the error of AWS with the code and message; an
// empty message has to be absent.
func requireError(t testing.TB, a answer, status int, code, message string) {
	t.Helper()
	want := map[string]string{"__type": code}
	if message != "" {
		want["message"] = message
	}
	body, err := json.Marshal(want)
	require.NoError(t, err)
	require.JSONEq(t, string(body), a.body)
	require.Equal(t, status, a.status)
	require.Equal(t, []string{code}, a.header["X-Amzn-Errortype"])
}

// errorOf returns the code and message of an error's body.
func errorOf(t testing.TB, a answer) (code, message string) {
	t.Helper()
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &e), "%q", a.body)
	require.Equal(t, []string{e.Type}, a.header["X-Amzn-Errortype"])
	return e.Type, e.Message
}
