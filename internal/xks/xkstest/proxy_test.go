package xkstest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
)

const (
	metadata = `"requestMetadata":{"awsPrincipalArn":"arn:aws:iam::111122223333:root","kmsKeyArn":"arn:aws:kms:us-east-1:111122223333:key/k",` +
		`"kmsOperation":"Encrypt","kmsRequestId":"r"}`
	encryptBody = `{` + metadata + `,"plaintext":"AAEC","encryptionAlgorithm":"AES_GCM"}`
)

// post returns a request with the body for the path below the proxy's own. It is not
// signed.
func post(t *testing.T, p *xkstest.Proxy, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, xkstest.Endpoint+p.Path+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// answer sends the request and returns the status and the members of the answer.
func answer(t *testing.T, p *xkstest.Proxy, r *http.Request) (int, map[string]any) {
	t.Helper()
	a, err := p.RoundTripper().RoundTrip(r)
	require.NoError(t, err)
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	var m map[string]any
	if len(body) > 0 {
		require.Equal(t, "application/json", a.Header.Get("Content-Type"))
		require.NoError(t, json.Unmarshal(body, &m))
	}
	return a.StatusCode, m
}

// ask signs and sends a request.
func ask(t *testing.T, p *xkstest.Proxy, path, body string) (int, map[string]any) {
	t.Helper()
	r := post(t, p, path, body)
	sign(t, p, r, body)
	return answer(t, p, r)
}

func newProxy() *xkstest.Proxy {
	p := xkstest.New()
	p.AddKey("key")
	return p
}

func TestNew(t *testing.T) {
	t.Parallel()
	p, q := xkstest.New(), xkstest.New()
	require.NotEqual(t, p.Path, q.Path)
	require.NotEqual(t, p.SecretAccessKey, q.SecretAccessKey)
	// What CreateCustomKeyStore accepts.
	require.Regexp(t, regexp.MustCompile(`^/[a-zA-Z0-9/_-]+/kms/xks/v1$`), p.Path)
	require.Regexp(t, regexp.MustCompile(`^[A-Z2-7]{20,30}$`), p.AccessKeyID)
	require.Regexp(t, regexp.MustCompile(`^[a-zA-Z0-9/+=]{43,64}$`), p.SecretAccessKey)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "xkstest.Proxy{"+p.Path+"}", fmt.Sprintf(verb, p))
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	p := newProxy()
	for _, path := range []string{"", "/", "/health/", "/healthy", "/keys", "/keys/key", "/keys/key/", "/keys//encrypt", "/keys/key/sign", "/keys/key/encrypt/", "/key/key/encrypt", "//health"} {
		status, m := ask(t, p, path, encryptBody)
		require.Equal(t, 404, status, path)
		require.Equal(t, xks.InvalidURIPathException, m["errorName"], path)
	}
	other := post(t, p, "", encryptBody)
	other.URL.Path = "/other/kms/xks/v1/health"
	sign(t, p, other, encryptBody)
	status, m := answer(t, p, other)
	require.Equal(t, 404, status)
	require.Equal(t, xks.InvalidURIPathException, m["errorName"])
}

func TestMethods(t *testing.T) {
	t.Parallel()
	p := newProxy()
	for _, path := range []string{"/health", "/keys/key/metadata", "/keys/key/encrypt", "/keys/key/decrypt"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			r := post(t, p, path, encryptBody)
			r.Method = method
			status, m := answer(t, p, r)
			require.Equal(t, http.StatusMethodNotAllowed, status, "%s %s", method, path)
			require.Empty(t, m)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	base64Of := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	const decryptBody = `{` + metadata + `,"ciphertext":"AAEC","ciphertextMetadata":"AAAAAA==","encryptionAlgorithm":"AES_GCM",` +
		`"initializationVector":"AAAAAAAAAAAAAAAA","authenticationTag":"AAAAAAAAAAAAAAAAAAAAAA=="}`
	for _, c := range []struct{ path, body, old, new, want string }{
		{"encrypt", encryptBody, "", "", ""},
		{"encrypt", encryptBody, "AES_GCM\"", "AES_GCM\",\"more\":1", ""},
		{"encrypt", encryptBody, "AES_GCM\"", "AES_GCM\",\"ciphertextDataIntegrityValueAlgorithm\":\"SHA_256\"", ""},
		{"encrypt", encryptBody, "AES_GCM\"", "AES_GCM\",\"ciphertextDataIntegrityValueAlgorithm\":\"SHA_1\"", xks.ValidationException},
		{"encrypt", encryptBody, "AAEC", "", ""}, // nothing can be encrypted
		{"encrypt", encryptBody, `"plaintext":"AAEC",`, "", xks.ValidationException},
		{"encrypt", encryptBody, "AAEC", "AAE", xks.ValidationException},
		{"encrypt", encryptBody, `"AAEC"`, "7", xks.ValidationException},
		{"encrypt", encryptBody, "AES_GCM", "AES_CBC", xks.ValidationException},
		{"encrypt", encryptBody, "{", "", xks.ValidationException},
		{"encrypt", encryptBody, "requestMetadata", "metadata", xks.ValidationException},
		{"encrypt", encryptBody, "awsPrincipalArn", "principal", xks.ValidationException},
		{"encrypt", encryptBody, "kmsKeyArn", "key", xks.ValidationException},
		{"encrypt", encryptBody, "kmsOperation", "operation", xks.ValidationException},
		{"encrypt", encryptBody, "kmsRequestId", "id", xks.ValidationException},
		{"encrypt", encryptBody, "AAEC", base64Of(4300), ""},
		{"encrypt", encryptBody, "AAEC", base64Of(4301), xks.UnsupportedOperationException},
		{"encrypt", encryptBody, "{", `{"additionalAuthenticatedData":"` + base64Of(8192) + `",`, ""},
		{"encrypt", encryptBody, "{", `{"additionalAuthenticatedData":"` + base64Of(8193) + `",`, xks.UnsupportedOperationException},
		{"encrypt", encryptBody, "{", "{" + strings.Repeat(" ", 64<<10), xks.ValidationException},
		{"decrypt", decryptBody, "", "", xks.InvalidCiphertextException},
		{"decrypt", decryptBody, `"ciphertext":"AAEC",`, "", xks.ValidationException},
		{"decrypt", decryptBody, "AAEC", base64Of(4301), xks.UnsupportedOperationException},
		{"decrypt", decryptBody, "AAAAAA==", base64Of(21), xks.ValidationException},
		{"decrypt", decryptBody, "AAAAAA==", base64Of(20), xks.InvalidCiphertextException},
		{"decrypt", decryptBody, "AAAAAA==", "AAAAAQ==", xks.InvalidCiphertextException},
		{"decrypt", decryptBody, "AAAAAA==", "/////w==", xks.InvalidCiphertextException},
		{"decrypt", decryptBody, "initializationVector", "iv", xks.ValidationException},
		{"decrypt", decryptBody, base64Of(12), base64Of(13), xks.ValidationException},
		{"decrypt", decryptBody, "authenticationTag", "tag", xks.ValidationException},
		{"decrypt", decryptBody, base64Of(16), base64Of(15), xks.ValidationException},
		{"metadata", `{` + metadata + `}`, "", "", ""},
		{"metadata", `{` + metadata + `}`, "kmsKeyArn", "key", ""},
		{"metadata", `{` + metadata + `}`, "awsPrincipalArn", "principal", xks.ValidationException},
		{"metadata", `{` + metadata + `}`, metadata, "", xks.ValidationException},
	} {
		body := strings.Replace(c.body, c.old, c.new, 1)
		status, m := ask(t, newProxy(), "/keys/key/"+c.path, body)
		if c.want == "" {
			require.Equal(t, 200, status, "%s %q %q: %v", c.path, c.old, c.new, m)
			continue
		}
		require.Equal(t, c.want, m["errorName"], "%s %q %q", c.path, c.old, c.new)
		require.Equal(t, xks.Status(c.want), status)
	}
}

// A request without the algorithm asks for no integrity value.
func TestIntegrityValueIsOptional(t *testing.T) {
	t.Parallel()
	_, m := ask(t, newProxy(), "/keys/key/encrypt", encryptBody)
	require.Contains(t, m, "ciphertext")
	require.NotContains(t, m, "ciphertextDataIntegrityValue")
}

// AES-GCM has to have other initialization vectors each time.
func TestVectorsAreFresh(t *testing.T) {
	t.Parallel()
	p := newProxy()
	seen := map[any]bool{}
	for range 100 {
		_, m := ask(t, p, "/keys/key/encrypt", encryptBody)
		require.NotNil(t, m["initializationVector"])
		require.False(t, seen[m["initializationVector"]])
		seen[m["initializationVector"]] = true
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	p := newProxy()
	var seen []string
	p.Observe = func(operation, keyID string, c xks.Call) {
		seen = append(seen, fmt.Sprint(operation, " ", keyID, " ", c.Operation, " ", c.SourceVPC))
	}
	call := xks.Call{PrincipalARN: "p", KeyARN: "k", Operation: "GenerateDataKey", RequestID: "r", SourceVPC: "vpc-1"}
	_, err := p.Client().Encrypt(t.Context(), "key", []byte{1}, nil, call)
	require.NoError(t, err)
	_, err = p.Client().Metadata(t.Context(), "other", call)
	require.Error(t, err)
	_, err = p.Client().Health(t.Context(), call)
	require.NoError(t, err)
	answer(t, p, post(t, p, "/health", encryptBody)) // not signed
	require.Equal(t, []string{"encrypt key GenerateDataKey vpc-1", "metadata other GenerateDataKey vpc-1", "health  GenerateDataKey "}, seen)
}

func TestTransport(t *testing.T) {
	t.Parallel()
	p := newProxy()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := post(t, p, "/health", "").WithContext(ctx)
	_, err := p.RoundTripper().RoundTrip(r)
	require.ErrorIs(t, err, context.Canceled)

	r = post(t, p, "/health", "")
	r.Body = nil
	status, m := answer(t, p, r)
	require.Equal(t, 401, status, m)

	p.Fail(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })
	})
	require.PanicsWithValue(t, "a bug", func() { p.RoundTripper().RoundTrip(post(t, p, "/health", "")) })
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p := newProxy()
	r := post(t, p, "/health", "")
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte("{")), broken{}))
	status, m := answer(t, p, r)
	require.Equal(t, 500, status)
	require.Equal(t, xks.InternalException, m["errorName"])
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestKeysHaveToBeThere(t *testing.T) {
	t.Parallel()
	p := xkstest.New()
	require.Panics(t, func() { p.RotateKey("key") })
	require.Panics(t, func() { p.SetKey("key", xks.Metadata{}) })
	p.RemoveKey("key") // which is no change
}
