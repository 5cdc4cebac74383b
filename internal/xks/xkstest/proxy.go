// Package xkstest has an external key store proxy for tests: a real one, with
// AES-256 keys in memory, that verifies signatures and keeps to the specification of
// the AWS KMS External Key Store Proxy API, until it is told to misbehave.
//
//	proxy := xkstest.New()
//	proxy.AddKey("key-1")
//	client := proxy.Client() // or give proxy.RoundTripper() to what is tested
//	proxy.Fail(xkstest.Exception(xks.ThrottlingException))
//
// It shares names with package xks, but no code that reads or writes messages, nor
// that of the integrity value: what one side gets wrong the other must find.
package xkstest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sealring/sealring/internal/xks"
)

// Endpoint is the XksProxyUriEndpoint of every Proxy of this package. The host does
// not exist: RoundTripper serves requests to any.
const Endpoint = "https://xks.example.com"

// Proxy is an http.Handler. The exported fields must not change once it is used; the
// methods may be called from any number of goroutines. It prints without its secrets.
type Proxy struct {
	// Path is the XksProxyUriPath. Requests to other paths are refused.
	Path string

	// AccessKeyID and SecretAccessKey are the credential that requests have to be
	// signed with.
	AccessKeyID, SecretAccessKey string

	// Region is the Region that requests have to come from; if it is empty, any may.
	Region string

	// IVSize is the length of initialization vectors in bytes, 12 or 16.
	IVSize int

	// Now is the clock that signatures are checked by; nil means time.Now.
	Now func() time.Time

	// Observe, if not nil, is called for each authentic request that could be read,
	// before it is answered. The operation is "health", "metadata", "encrypt" or
	// "decrypt"; the first has no key id.
	Observe func(operation, keyID string, c xks.Call)

	mu       sync.Mutex
	keys     map[string]*key // guarded by mu
	managers []string        // their states; guarded by mu
	fault    Fault           // nil if there is none; guarded by mu
}

// New returns a proxy with a path and a credential of its own, one key manager and
// no keys.
func New() *Proxy {
	secret := make([]byte, 32)
	rand.Read(secret)
	return &Proxy{
		Path:            "/" + rand.Text() + "/kms/xks/v1",
		AccessKeyID:     rand.Text(),
		SecretAccessKey: base64.StdEncoding.EncodeToString(secret),
		IVSize:          12,
		keys:            map[string]*key{},
		managers:        []string{xks.Active},
	}
}

// Client returns a client of the proxy that needs no network. It signs for the
// proxy's Region, or else for us-east-1, and waits for a minute at most: tests must
// not depend on how fast they run.
func (p *Proxy) Client() *xks.Proxy {
	region := p.Region
	if region == "" {
		region = "us-east-1"
	}
	return &xks.Proxy{
		Transport:       p.RoundTripper(),
		Endpoint:        Endpoint,
		Path:            p.Path,
		AccessKeyID:     p.AccessKeyID,
		SecretAccessKey: p.SecretAccessKey,
		Region:          region,
		Timeout:         time.Minute,
		Now:             p.Now,
	}
}

// SetManagers replaces the key managers behind the proxy by some in these states.
func (p *Proxy) SetManagers(states ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.managers = states
}

// Fail makes the proxy misbehave from now on. Nil ends it.
func (p *Proxy) Fail(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault := p.fault
	p.mu.Unlock()
	h := http.Handler(http.HandlerFunc(p.serve))
	if fault != nil {
		h = fault(h)
	}
	h.ServeHTTP(w, r)
}

// Format prints the path only, whatever the verb.
func (p *Proxy) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "xkstest.Proxy{%s}", p.Path) }
