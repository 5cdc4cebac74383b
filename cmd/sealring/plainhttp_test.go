package main

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

func TestIsReadable(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"http://kms.example:4566": true, "http://192.0.2.1": true, "HTTP://[2001:db8::1]/": true,
		"http://localhost.example": true, "http://": true,
		"https://kms.example": false, "http://127.0.0.1:4566": false, "http://127.9.9.9": false,
		"http://[::1]:1/x": false, "http://localhost:4566": false, "": false,
	} {
		require.Equal(t, want, isReadable(address), address)
	}
}

// wire notes which hosts requests are sent to, and sends none.
type wire struct{ hosts []string }

var errWire = errors.New("nothing is sent")

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.hosts = append(w.hosts, r.URL.Host)
	return nil, errWire
}

// TestPlainHTTPIsRefused has data keys, a root key and a token sent to other machines:
// nothing leaves unless it is asked for by name.
func TestPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	const (
		arn    = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		remote = "http://192.0.2.1:4566"
	)
	b := newBench(t)
	sent := &wire{}
	b.aws.HTTPClient = &http.Client{Transport: sent}
	b.aws.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	plain, token := b.file("plain", []byte("x")), b.file("token", []byte("0123456789abcdef"))
	serve := []string{"serve", "-listen", "127.0.0.1:0", "-data", b.path("kms.db"), "-insecure-dev", "-root-kms-key", arn, "-root-kms-endpoint", remote}
	encrypt := []string{"encrypt", "-o", b.path("out"), "-kms-key", arn, "-kms-endpoint", remote, plain}

	require.Contains(t, b.fails(exitUsage, encrypt...), "-insecure-http")
	require.Contains(t, b.fails(exitUsage, "decrypt", "-kms-key", arn, "-kms-endpoint", remote, plain), "-insecure-http")
	require.Contains(t, b.fails(exitUsage, serve...), "-root-kms-insecure-http")
	require.Contains(t, b.fails(exitUsage, append(serve, "-insecure-http")...), "-root-kms-insecure-http", "that is for the listeners")
	require.Contains(t, b.fails(exitUsage, "backup", "-admin", remote, "-admin-token-file", token, "-o", b.path("out")), "https")
	b.aws.BaseEndpoint = aws.String("http://kms.example") // as by AWS_ENDPOINT_URL
	require.Contains(t, b.fails(exitUsage, "encrypt", "-o", b.path("out"), "-kms-key", arn, plain), "-insecure-http")
	require.Empty(t, sent.hosts)

	b.fails(exitFailed, append(encrypt, "-insecure-http")...)
	require.Equal(t, []string{"192.0.2.1:4566"}, sent.hosts)
	require.Contains(t, b.fails(exitFailed, append(serve, "-root-kms-insecure-http")...), "UNSAFE: the root key travels over plain HTTP")
	require.NotContains(t, b.names(), "out")
}
