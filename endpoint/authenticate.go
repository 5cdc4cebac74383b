package endpoint

import (
	"crypto/sha256"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sealring/sealring/identity"
)

const serviceKMS = "kms"

// maxUserAgent bounds what is kept of a client's description of itself.
const maxUserAgent = 256

// authenticate returns the caller of a request: that of the access key which has
// signed it, in the Region that it was signed for. a is what the request claims.
func (h *Handler) authenticate(r *http.Request, a authorization, body []byte) (identity.Caller, error) {
	key, known := h.keys.lookup(a.accessKeyID)
	if h.insecure {
		if !known {
			key.caller = identity.Root(identity.DefaultAccount, identity.DefaultRegion)
			key.caller.AccessKeyID = a.accessKeyID
		}
		return describe(key.caller.In(a.region), r), nil
	}
	if !known {
		key.secret = h.decoy
	}
	// The wall clock, even where the service's clock is another: replay has to
	// stay impossible in a test that stands still.
	err := verify(r, sha256.Sum256(body), key.secret, a, time.Now())
	switch {
	case !known, r.Header.Get("X-Amz-Security-Token") != "":
		return identity.Caller{}, clientError("UnrecognizedClientException", "The security token included in the request is invalid.")
	case err != nil:
		return identity.Caller{}, err
	case a.service != serviceKMS:
		return identity.Caller{}, invalid("Credential should be scoped to correct service: '%s'.", serviceKMS)
	}
	return describe(key.caller.In(a.region), r), nil
}

// describe adds to a caller what the request says of where it came from.
func describe(c identity.Caller, r *http.Request) identity.Caller {
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.SourceIP = from.Addr().Unmap()
		c.PlainTransport = r.TLS == nil
	}
	c.UserAgent = strings.ToValidUTF8(r.UserAgent(), "")
	if len(c.UserAgent) > maxUserAgent {
		c.UserAgent = strings.ToValidUTF8(c.UserAgent[:maxUserAgent], "")
	}
	return c
}

// checkLocal refuses what comes from another machine to a development endpoint, and
// what a web page could send: a request for a name that was pointed at this machine,
// one that a browser marks with its origin, or one whose content type needs no
// preflight.
func checkLocal(r *http.Request) error {
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && !from.Addr().Unmap().IsLoopback() {
		return clientError("AccessDeniedException", "The development endpoint answers requests from this machine only.")
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else if h, ok := strings.CutPrefix(host, "["); ok {
		host, _ = strings.CutSuffix(h, "]")
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return clientError("AccessDeniedException", "The development endpoint answers requests to a loopback host only.")
	}
	if _, ok := r.Header["Origin"]; ok {
		return clientError("AccessDeniedException", "The development endpoint answers no requests of web pages.")
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != contentType {
		return clientError("AccessDeniedException", "The development endpoint answers requests of type "+contentType+" only.")
	}
	return nil
}
