package main

import (
	"net"
	"net/url"
)

// isReadable reports whether what is sent to a URL can be read on its way: it is plain
// HTTP, and to another machine.
func isReadable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	return host != "localhost" && !net.ParseIP(host).IsLoopback()
}
