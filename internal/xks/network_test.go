package xks_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
)

// serve serves the handler on a socket, over TLS, under the name of example.com, and
// returns a transport that goes there whatever the host and trusts its certificate.
func serve(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com"
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestOverTheNetwork(t *testing.T) {
	t.Parallel()
	proxy, client := newProxy()
	client.Transport = serve(t, proxy)
	blob, err := client.Encrypt(t.Context(), "key", []byte(exampleText), []byte(exampleAAD), exampleCall)
	require.NoError(t, err)
	got, err := client.Decrypt(t.Context(), "key", blob, []byte(exampleAAD), exampleCall)
	require.NoError(t, err)
	require.Equal(t, exampleText, string(got))
	requireName(t, operations["decrypt"](t.Context(), client, exampleCall), xks.InvalidCiphertextException)

	for _, c := range []struct {
		fault xkstest.Fault
		want  error
	}{
		{xkstest.Oversize(), xks.ErrInvalidResponse},
		{xkstest.Truncate(), xks.ErrInvalidResponse},
		{xkstest.Drop(), xks.ErrUnreachable},
	} {
		proxy.Fail(c.fault)
		_, err = client.Health(t.Context(), exampleCall)
		require.ErrorIs(t, err, c.want)
	}

	// There is a connection that lies idle, so what is slow is the proxy.
	for _, fault := range []xkstest.Fault{xkstest.Stall(), xkstest.StallBody()} {
		proxy.Fail(nil)
		client.Timeout = time.Minute
		_, err = client.Health(t.Context(), exampleCall)
		require.NoError(t, err)
		client.Timeout = 100 * time.Millisecond
		proxy.Fail(fault)
		_, err = client.Health(t.Context(), exampleCall)
		require.ErrorIs(t, err, xks.ErrTimeout)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	transport := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	_, client := newProxy()
	client.Transport = transport
	_, err := client.Health(t.Context(), exampleCall)
	require.ErrorIs(t, err, xks.ErrInvalidResponse)
	require.EqualValues(t, 1, requests.Load())
}

func TestTLSFailures(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*tls.Config){
		"unknown authority": func(c *tls.Config) { c.RootCAs = nil },
		"other name":        func(c *tls.Config) { c.ServerName = "xks.invalid" },
		"other version":     func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11; c.MinVersion = tls.VersionTLS11 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, client := newProxy()
			transport := serve(t, proxy)
			spoil(transport.TLSClientConfig)
			client.Transport = transport
			_, err := client.Health(t.Context(), exampleCall)
			require.ErrorIs(t, err, xks.ErrTLS)
			require.ErrorIs(t, err, xks.ErrUnreachable)
		})
	}
}

func TestNoTLSAtAll(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	_, client := newProxy()
	client.Transport = dialing(server.Listener.Addr().String())
	_, err := client.Health(t.Context(), exampleCall)
	require.ErrorIs(t, err, xks.ErrTLS)
}

func TestNothingListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	_, client := newProxy()
	client.Transport = dialing(address)
	_, err = client.Health(t.Context(), exampleCall)
	require.ErrorIs(t, err, xks.ErrUnreachable)
	require.NotErrorIs(t, err, xks.ErrTLS)
	require.ErrorContains(t, err, address, "an operator should see why")
}

func TestConnectingTakesTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client := newProxy()
		client.Timeout = time.Millisecond
		client.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-t.Context().Done() // a transport goes on connecting when the request has ended
			return nil, t.Context().Err()
		}}
		_, err := client.Health(t.Context(), exampleCall)
		require.ErrorIs(t, err, xks.ErrUnreachable)
	})
}

// dialing returns a transport that connects to that address only.
func dialing(address string) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
}
