package endpoint

import (
	"net/http"
	"time"
)

// Bounds of a Server. A request has 30 seconds to arrive, and the answer a minute
// from the request's head on, which leaves it 30 seconds under the default
// Limits.Timeout.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = time.Minute
	idleTimeout       = 90 * time.Second
	maxHeaderBytes    = 16 << 10 // a presigned request's query and session token included
	maxConnections    = 4096
)

// Server returns a server for h at addr, such as "127.0.0.1:4566", that holds up
// against clients which are slow, idle or many: a head has to arrive within 5
// seconds, a request within 30, and a connection may be idle for 90. There are at
// most 4096 connections: when one more comes, the one that has been without a
// request for the longest is closed, or the new one if all others have one.
//
// The caller starts and stops it, adds TLS, and may change every field before
// that; WriteTimeout has to stay above [Limits].Timeout, and ConnState counts the
// connections. It does not tell clients apart by address: where that is needed, a
// proxy in front has to.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         newConnections(maxConnections).track,
	}
}
