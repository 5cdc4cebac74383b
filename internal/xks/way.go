package xks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// A way is how far a request has come towards the proxy, as far as the transport
// tells; an http.Transport does. The error alone often does not say it: those of
// TLS have no common type, and time may run out anywhere.
type way struct {
	begun     atomic.Bool // a connection was wanted
	connected atomic.Bool // there was one, if only below TLS
	insecure  atomic.Bool // TLS failed
}

// trace returns a context that makes the transport report the way of a request.
func trace(ctx context.Context) (context.Context, *way) {
	w := new(way)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { w.begun.Store(true) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				w.connected.Store(true)
			}
		},
		TLSHandshakeStart: func() { w.connected.Store(true) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err != nil {
				w.insecure.Store(true)
			}
		},
		GotConn: func(httptrace.GotConnInfo) { w.connected.Store(true) },
	}), w
}

// failure returns what the transport's error means; timeUp tells that the time
// limit has passed. Of the error's text no more is repeated than that of package net
// or TLS: others may quote what the proxy sent.
func (w *way) failure(err error, timeUp bool) error {
	var connection *net.OpError
	switch {
	case (timeUp || isTimeout(err)) && w.begun.Load() && !w.connected.Load():
		return fmt.Errorf("%w: connecting takes too long", ErrUnreachable)
	case timeUp || isTimeout(err):
		return ErrTimeout
	case w.insecure.Load():
		return fmt.Errorf("%w: %v", ErrTLS, err)
	case errors.As(err, &connection):
		return fmt.Errorf("%w: %v", ErrUnreachable, connection)
	}
	return ErrUnreachable
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
