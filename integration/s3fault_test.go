package integration

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// s3Fault is what goes wrong with a call.
type s3Fault string

const (
	internalError s3Fault = "internal error" // 500, and the server does not get the request
	slowDown      s3Fault = "slow down"      // 503, likewise
	requestCut    s3Fault = "request cut"    // in the middle of its body
	answerCut     s3Fault = "answer cut"     // in the middle of its body; the server has acted
	answerLost    s3Fault = "answer lost"    // all of it; the server has acted
	contextEnds   s3Fault = "context ends"   // and the server does not get the request
)

// writingFaults has no answerCut: answers to those who write are so short that they are
// lost as a whole.
var (
	writingFaults = []s3Fault{internalError, slowDown, requestCut, answerLost}
	readingFaults = []s3Fault{internalError, answerCut, answerLost}
)

// faultProxy stands before a server, and has one call of the SDK go wrong: its first
// attempt, or all of them.
type faultProxy struct {
	fault  s3Fault
	number int    // of the call
	always bool   // all attempts
	cancel func() // for contextEnds
	proxy  *httputil.ReverseProxy

	mu    sync.Mutex
	calls []string // the SDK's ids
	wrong string   // the operation that went wrong, or empty
}

const createUpload = "CreateMultipartUpload"

// operation returns what a request asks for, as far as that has to be told apart.
func operation(r *http.Request) string {
	switch q := r.URL.Query(); {
	case r.Method == http.MethodPost && q.Has("uploads"):
		return createUpload
	case q.Has("x-id"):
		return q.Get("x-id")
	}
	return r.Method
}

var errFault = errors.New("connection was cut on purpose")

// newFaultProxy returns a proxy, and an SDK client that goes through it and does not wait
// before it tries again.
func newFaultProxy(t *testing.T, s *s3Server, fault s3Fault, number int, always bool) (*faultProxy, *s3.Client) {
	t.Helper()
	target, err := url.Parse(s.url)
	require.NoError(t, err)
	f := &faultProxy{fault: fault, number: number, always: always}
	outward := http.DefaultTransport.(*http.Transport).Clone()
	f.proxy = &httputil.ReverseProxy{
		Transport: outward,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // Host is signed, and stays
		},
		ModifyResponse: f.answer,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       silent,
	}
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = silent
	server.Start()
	inward := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(func() {
		inward.CloseIdleConnections()
		server.Close()
		outward.CloseIdleConnections()
	})
	return f, s.client(func(o *s3.Options) {
		o.BaseEndpoint, o.HTTPClient = &server.URL, &http.Client{Transport: inward}
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter = 3, ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	})
}

// goesWrong reports whether a request is one of the call that goes wrong.
func (f *faultProxy) goesWrong(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.Header.Get("Amz-Sdk-Invocation-Id")
	number := slices.Index(f.calls, id)
	if number < 0 {
		number = len(f.calls)
		f.calls = append(f.calls, id)
	}
	first := strings.HasPrefix(r.Header.Get("Amz-Sdk-Request"), "attempt=1")
	if number != f.number || !first && !f.always {
		return false
	}
	f.wrong = operation(r)
	return true
}

// hit returns the operation that went wrong, or nothing if there was none.
func (f *faultProxy) hit() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wrong
}

func (f *faultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.goesWrong(r) {
		f.proxy.ServeHTTP(w, r)
		return
	}
	switch f.fault {
	case internalError:
		_, _ = io.Copy(io.Discard, r.Body)
		refuse(w, http.StatusInternalServerError, "InternalError")
	case slowDown:
		_, _ = io.Copy(io.Discard, r.Body)
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
	case contextEnds:
		f.cancel()
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // the caller has gone
	case requestCut:
		if r.ContentLength <= 0 {
			panic(http.ErrAbortHandler)
		}
		r.Body = &cutBody{r.Body, r.ContentLength / 2}
		f.proxy.ServeHTTP(w, r)
	default:
		r.Header.Set("Test-Fault", string(f.fault)) // is not signed, and tells answer
		f.proxy.ServeHTTP(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>on purpose</Message></Error>", code)
}

// answer loses or cuts an answer.
func (f *faultProxy) answer(r *http.Response) error {
	switch s3Fault(r.Request.Header.Get("Test-Fault")) {
	case answerCut:
		if r.ContentLength > 1 && r.Request.Method != http.MethodHead {
			r.Body = &cutBody{r.Body, r.ContentLength / 2}
			return nil
		}
		fallthrough
	case answerLost:
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		return errFault
	}
	return nil
}

// silent is for servers whose complaints are what a test is about.
var silent = log.New(io.Discard, "", 0)

// cutBody is a body that breaks off.
type cutBody struct {
	io.ReadCloser
	left int64
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errFault
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// eachFault runs a session with each fault at each of its calls, until no call is left to
// go wrong. The session gets the client that goes through the proxy.
func eachFault(t *testing.T, s *s3Server, faults []s3Fault, session func(t *testing.T, f *faultProxy, client *s3.Client)) {
	t.Helper()
	for _, fault := range faults {
		for _, always := range []bool{false, true} {
			for number, hit := 0, true; hit; number++ {
				name := fmt.Sprintf("%s, call %d", fault, number)
				if always {
					name += ", all attempts"
				}
				t.Run(name, func(t *testing.T) {
					f, client := newFaultProxy(t, s, fault, number, always)
					session(t, f, client)
					hit = f.hit() != ""
				})
				require.Less(t, number, 50)
			}
		}
	}
}
