package endpoint_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
)

// start runs the server on the loopback interface until the test ends and returns
// its address.
func start(t testing.TB, server *http.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// clientOf returns an SDK client of the server at the address.
func clientOf(address string) *sdk.Client {
	o := clientOptions(rootCredentials(), region)
	o.BaseEndpoint = aws.String("http://" + address)
	return sdk.New(o)
}

// wire returns a signed request for ListKeys as it goes over a connection, with
// its body apart.
func wire(t testing.TB, body string) (head, rest string) {
	t.Helper()
	r := newRequest("ListKeys", body)
	sign(t, r, body, signature{})
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", r.Host, len(body))
	require.NoError(t, r.Header.WriteSubset(&b, map[string]bool{"Content-Length": true}))
	return b.String() + "\r\n", body
}

// readAnswer reads one response from a connection and what comes behind it, which
// has to be its end.
func readAnswer(t testing.TB, c net.Conn) answer {
	t.Helper()
	in := bufio.NewReader(c)
	response, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the connection is closed")
	return answer{response.StatusCode, response.Header, string(text)}
}

func TestServerHasEveryBound(t *testing.T) {
	t.Parallel()
	server := endpoint.Server("127.0.0.1:4566", newSite(t, nil).handler)
	require.Equal(t, "127.0.0.1:4566", server.Addr)
	require.Equal(t, 5*time.Second, server.ReadHeaderTimeout)
	require.Equal(t, 30*time.Second, server.ReadTimeout)
	require.Equal(t, time.Minute, server.WriteTimeout)
	require.Equal(t, 90*time.Second, server.IdleTimeout)
	require.Equal(t, 16<<10, server.MaxHeaderBytes)
	require.NotNil(t, server.ConnState)
}

func TestServerServes(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	address := start(t, endpoint.Server("", s.handler))
	for range 3 {
		out, err := clientOf(address).ListKeys(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, out.Keys, 1)
	}
}

func TestSlowHeadIsCutOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	server := endpoint.Server("", s.handler)
	server.ReadHeaderTimeout = 50 * time.Millisecond
	address := start(t, server)
	head, _ := wire(t, "{}")
	for name, sent := range map[string]string{"nothing": "", "a letter": "P", "most of it": head[:len(head)-2]} {
		c := dial(t, address)
		_, err := io.WriteString(c, sent)
		require.NoError(t, err)
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.NotContains(t, string(got), "200 OK", name)
	}
	require.Empty(t, s.Events())
	_, err := clientOf(address).ListKeys(t.Context(), nil)
	require.NoError(t, err)
}

func TestLongHeadIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	c := dial(t, start(t, endpoint.Server("", s.handler)))
	head, _ := wire(t, "{}")
	_, err := io.WriteString(c, strings.Replace(head, "\r\n", "\r\nX-Long: "+strings.Repeat("x", 32<<10)+"\r\n", 1))
	require.NoError(t, err)
	status, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, status, "431")
	require.Empty(t, s.Events())
}

// TestSlowBodyIsCutOff has the handler cut a body off, behind a server that would
// wait for ever, and then the server do it.
func TestSlowBodyIsCutOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	byHandler := &http.Server{}
	s.limit(t, endpoint.Limits{Timeout: 50 * time.Millisecond})
	byHandler.Handler = s.handler
	s.limit(t, endpoint.Limits{Timeout: time.Hour})
	byServer := endpoint.Server("", s.handler)
	byServer.ReadTimeout = 50 * time.Millisecond
	s.limit(t, endpoint.Limits{Timeout: 50 * time.Millisecond})
	beforeServer := endpoint.Server("", s.handler) // which would wait longer
	for name, server := range map[string]*http.Server{"handler": byHandler, "server": byServer, "handler before server": beforeServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := start(t, server)
			head, body := wire(t, "{}")
			for _, part := range []string{"", body[:1]} {
				c := dial(t, address)
				_, err := io.WriteString(c, head+part)
				require.NoError(t, err)
				requireError(t, readAnswer(t, c), http.StatusRequestTimeout, "RequestTimeoutException", lateBody)
			}
			c := dial(t, address)
			_, err := io.WriteString(c, strings.Replace(head, "Content-Length: 2", "Transfer-Encoding: chunked", 1)+"1\r\n{\r\n")
			require.NoError(t, err)
			requireError(t, readAnswer(t, c), http.StatusRequestTimeout, "RequestTimeoutException", lateBody)
		})
	}
	t.Cleanup(func() { require.Empty(t, s.Events()) })
}

// A request in time is not disturbed by the cut that was prepared for it: the
// connection goes on.
func TestConnectionIsKept(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	c := dial(t, start(t, endpoint.Server("", s.handler)))
	in := bufio.NewReader(c)
	for range 20 {
		head, body := wire(t, "{}")
		_, err := io.WriteString(c, head+body)
		require.NoError(t, err)
		response, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.NoError(t, drain(response))
		require.NoError(t, response.Body.Close())
	}
}
