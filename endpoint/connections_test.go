package endpoint

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeConn is a connection that knows whether it was closed.
type fakeConn struct {
	net.Conn
	name   string
	closed bool
}

func (c *fakeConn) Close() error { c.closed = true; return nil }

// overConn is a connection over another, as that of TLS.
type overConn struct {
	net.Conn
	under net.Conn
}

func (c *overConn) NetConn() net.Conn { return c.under }

func (c *overConn) Close() error { panic("said goodbye") }

func TestConnections(t *testing.T) {
	t.Parallel()
	type step struct {
		conn   string
		state  http.ConnState
		closes string // the connection that has to go, "" if none
	}
	const (
		begun, active, idle, closed, hijacked = http.StateNew, http.StateActive, http.StateIdle, http.StateClosed, http.StateHijacked
	)
	for name, steps := range map[string][]step{
		"the oldest of the new": {
			{"a", begun, ""}, {"b", begun, ""}, {"c", begun, ""}, {"d", begun, "a"}, {"e", begun, "b"},
		},
		"busy ones stay": {
			{"a", begun, ""}, {"a", active, ""}, {"b", begun, ""}, {"c", begun, ""}, {"d", begun, "b"}, {"e", begun, "c"},
		},
		"the longest idle": {
			{"a", begun, ""}, {"a", active, ""}, {"b", begun, ""}, {"b", active, ""}, {"b", idle, ""}, {"a", idle, ""},
			{"c", begun, ""}, {"c", active, ""}, {"d", begun, "b"}, {"d", active, ""}, {"e", begun, "a"},
		},
		"the new one if all are busy": {
			{"a", begun, ""}, {"a", active, ""}, {"b", begun, ""}, {"b", active, ""}, {"c", begun, ""}, {"c", active, ""},
			{"d", begun, "d"}, {"d", closed, ""}, {"a", idle, ""}, {"e", begun, "a"}, {"a", closed, ""},
			{"f", begun, "e"},
		},
		"room again": {
			{"a", begun, ""}, {"b", begun, ""}, {"c", begun, ""}, {"b", closed, ""}, {"d", begun, ""}, {"a", active, ""},
			{"a", closed, ""}, {"e", begun, ""}, {"f", begun, "c"},
		},
		"hijacked ones are their owner's": {
			{"a", begun, ""}, {"a", active, ""}, {"a", hijacked, ""}, {"b", begun, ""}, {"c", begun, ""}, {"d", begun, ""}, {"e", begun, "b"},
		},
		"what a closed one still says": {
			{"a", begun, ""}, {"b", begun, ""}, {"c", begun, ""}, {"d", begun, "a"},
			{"a", active, ""}, {"a", idle, ""}, {"a", closed, ""}, {"e", begun, "b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConnections(3)
			conns := map[string]*fakeConn{}
			for i, s := range steps {
				if conns[s.conn] == nil {
					conns[s.conn] = &fakeConn{name: s.conn}
				}
				before := map[string]bool{}
				for name, conn := range conns {
					before[name] = conn.closed
				}
				c.track(conns[s.conn], s.state)
				require.LessOrEqual(t, len(c.open), 3)
				for name, conn := range conns {
					require.Equal(t, before[name] || name == s.closes, conn.closed, "step %d: %s", i, name)
				}
			}
		})
	}
}

func TestConnectionsCloseBelowTLS(t *testing.T) {
	t.Parallel()
	c := newConnections(1)
	under := &fakeConn{}
	c.track(&overConn{under: under}, http.StateNew)
	c.track(&fakeConn{}, http.StateNew)
	require.True(t, under.closed)
}

// TestIdlersKeepNobodyOut fills a server with connections on which nothing comes.
func TestIdlersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const most = 8
	c := newConnections(most)
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }),
		ConnState: c.track,
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	for range 10 {
		for range 2 * most {
			idler, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			defer idler.Close()
		}
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, "served", string(text))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Len(t, c.open, most)
}
