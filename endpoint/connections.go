package endpoint

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds the open connections of a server. To make room for a new one
// it closes the one that has waited longest for the head of a request, so that
// those who only hold connections keep nobody out.
type connections struct {
	max int

	mu      sync.Mutex
	open    map[net.Conn]*list.Element // in waiting, or nil while a request is served; guarded by mu
	waiting *list.List                 // of net.Conn, the longest wait first; guarded by mu
}

func newConnections(most int) *connections {
	return &connections{max: most, open: map[net.Conn]*list.Element{}, waiting: list.New()}
}

// track is an http.Server's ConnState.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	place, known := c.open[conn]
	if !known && state != http.StateNew {
		return // closed by makeRoom
	}
	if place != nil {
		c.waiting.Remove(place)
	}
	switch state {
	case http.StateNew, http.StateIdle:
		c.open[conn] = c.waiting.PushBack(conn)
	case http.StateActive:
		c.open[conn] = nil
	default: // closed or hijacked
		delete(c.open, conn)
	}
	c.makeRoom()
}

// makeRoom closes a connection if there is one too many. The newest one waits at
// least, so there is one to close. The caller holds mu.
func (c *connections) makeRoom() {
	if len(c.open) <= c.max {
		return
	}
	conn := c.waiting.Remove(c.waiting.Front()).(net.Conn)
	delete(c.open, conn)
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = over.NetConn() // TLS would say goodbye first, which can take seconds
	}
	_ = conn.Close() // its server notices and ends it
}
