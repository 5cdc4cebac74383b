package xks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"
)

// DefaultTimeout is how long KMS waits for a proxy.
const DefaultTimeout = 250 * time.Millisecond

// Proxy is an external key store proxy. Its methods may be called from any number
// of goroutines if the transport's may; the fields must not change meanwhile.
//
// However it is printed, the secret is left out. Package fmt cannot ask a Proxy that
// is in an unexported field, though: structs should hold a pointer there.
type Proxy struct {
	// Transport carries the requests. It has to heed the context of a request, and
	// decides whom to trust: KMS demands TLS 1.2 and a certificate for the endpoint's
	// host. Without one, all operations return ErrUnreachable.
	Transport http.RoundTripper

	// Endpoint is the XksProxyUriEndpoint: https:// and a host, without a port.
	Endpoint string

	// Path is the XksProxyUriPath: an optional prefix and /kms/xks/v1.
	Path string

	// AccessKeyID and SecretAccessKey are the XksProxyAuthenticationCredential.
	AccessKeyID, SecretAccessKey string

	// Region is the Region of KMS, which is a part of what is signed.
	Region string

	// Timeout limits each operation; zero means DefaultTimeout.
	Timeout time.Duration

	// Now is the clock that requests are signed by; nil means time.Now. A proxy
	// refuses what is more than five minutes off.
	Now func() time.Time
}

// The patterns of KMS for what becomes a part of a URL.
var (
	endpointPattern = regexp.MustCompile(`^https://[a-zA-Z0-9.-]+$`)
	pathPattern     = regexp.MustCompile(`^(/[a-zA-Z0-9/_-]+)?/kms/xks/v\d{1,2}$`)
	keyIDPattern    = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,128}$`)
)

func (p *Proxy) check() error {
	switch {
	case p.Transport == nil:
		return fmt.Errorf("%w: there is no transport", ErrUnreachable)
	case !endpointPattern.MatchString(p.Endpoint):
		return fmt.Errorf("xks: invalid endpoint %q", p.Endpoint)
	case !pathPattern.MatchString(p.Path):
		return fmt.Errorf("xks: invalid path %q", p.Path)
	case p.AccessKeyID == "" || p.SecretAccessKey == "" || p.Region == "":
		return errors.New("xks: a proxy needs a credential and a Region")
	}
	return nil
}

// ask makes one of the requests about an external key.
func (p *Proxy) ask(ctx context.Context, keyID, operation string, request any) (*answer, error) {
	// Servers may resolve dot segments, and answer for another path then.
	if !keyIDPattern.MatchString(keyID) || keyID == "." || keyID == ".." {
		return nil, fmt.Errorf("xks: invalid key id %q", keyID)
	}
	return p.post(ctx, "/keys/"+keyID+"/"+operation, request)
}

// Format prints the proxy without its secret, whatever the verb.
func (p Proxy) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "xks.Proxy{%s%s in %s as %s}", p.Endpoint, p.Path, p.Region, p.AccessKeyID)
}

// LogValue returns what Format prints.
func (p Proxy) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }

// MarshalText returns what Format prints: a Proxy is not meant to be stored.
func (p Proxy) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(p)), nil }
