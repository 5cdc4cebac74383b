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
	"github.com/sealring/sealring/kms"
)

const serviceKMS = "kms"

// maxUserAgent bounds what is kept of a client's description of itself.
const maxUserAgent = 256

// A claim is what the head of a request says of it. That the caller is the one who
// has sent it is not known before authenticate has said so.
type claim struct {
	authorization
	operation kms.Operation
	key       accessKey
	principal principal // of the key
	signedAt  time.Time
}

// claim takes the head of a request apart and checks all that it shows, so that
// who has no registered access key, or an old signature, costs little. now is the
// wall clock's time.
func (h *Handler) claim(r *http.Request, now time.Time) (c claim, err error) {
	if h.insecure {
		if err := checkLocal(r); err != nil {
			return c, err
		}
	}
	if c.operation, err = route(r); err != nil {
		return c, err
	}
	if c.authorization, err = h.heads.of(r); err != nil {
		return c, err
	}
	if r.ContentLength > maxBody {
		return c, tooLarge()
	}
	key, known := h.keys.lookup(c.accessKeyID)
	if !known && h.insecure {
		key.caller = identity.Root(identity.DefaultAccount, identity.DefaultRegion)
		key.caller.AccessKeyID = c.accessKeyID
	}
	c.key, c.principal = key, principalOf(key.caller)
	if h.insecure {
		return c, nil
	}
	if !known {
		return c, unknownClient()
	}
	if err := key.checkTokens(c.parameters[paramToken], now); err != nil {
		return c, err
	}
	if c.signedAt, err = c.check(r, now); err != nil {
		return c, err
	}
	if c.service != serviceKMS {
		return c, invalid("Credential should be scoped to correct service: '%s'.", serviceKMS)
	}
	return c, nil
}

// authenticate returns the caller of a request: that of the access key which has
// signed it, in the Region that it was signed for. The request counts towards the
// caller's rate from here on.
func (h *Handler) authenticate(r *http.Request, c *claim, body []byte) (identity.Caller, error) {
	if !h.insecure {
		if err := c.key.verify(r, sha256.Sum256(body), &c.authorization, c.signedAt); err != nil {
			return identity.Caller{}, err
		}
		if !c.presigned {
			h.heads.keep(r.Header["Authorization"][0])
		}
	}
	if h.rate != nil && !h.rate.allow(c.principal, time.Now()) {
		return identity.Caller{}, throttled()
	}
	return describe(c.key.caller.In(c.region), r), nil
}

// describe adds to a caller what the request says of where it came from.
func describe(c identity.Caller, r *http.Request) identity.Caller {
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.SourceIP = from.Addr().Unmap()
		c.PlainTransport = r.TLS == nil
	}
	if agent := r.Header["User-Agent"]; len(agent) > 0 {
		c.UserAgent = strings.ToValidUTF8(agent[0], "")
	}
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
