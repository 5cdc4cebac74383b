package endpoint_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
)

// A stranger's request, as it goes over a connection, and what it is told: a code or
// a status. "" means that there is no answer to come.
type stray struct {
	wire []byte
	want string
	held bool // its last byte comes late
}

func flood(t testing.TB, s *site) []stray {
	big := padded(maxBody)
	forged := aws.Credentials{AccessKeyID: s.user("ann").AccessKeyID, SecretAccessKey: "guess"}
	guessed := aws.Credentials{AccessKeyID: s.user("eve").AccessKeyID, SecretAccessKey: "guess"}
	unknown := aws.Credentials{AccessKeyID: "AKIAUNKNOWNUNKNOWN00", SecretAccessKey: "guess"}
	stale := time.Now().Add(-time.Hour)
	raw := func(body string, length int, r *http.Request) []byte {
		var b bytes.Buffer
		fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", r.URL.RequestURI(), r.Host, length)
		require.NoError(t, r.Header.WriteSubset(&b, map[string]bool{"Content-Length": true}))
		b.WriteString("\r\n" + body)
		return b.Bytes()
	}
	signed := func(body string, with signature) []byte {
		r := newRequest("ListKeys", body)
		sign(t, r, body, with)
		return raw(body, len(body), r)
	}
	huge := newRequest("ListKeys", "{}")
	huge.ContentLength = 1 << 40
	sign(t, huge, "{}", signature{creds: forged})
	return []stray{
		{wire: raw("{}", 2, newRequest("ListKeys", "{}")), want: "MissingAuthenticationTokenException"},
		{wire: raw("{}", 2, newRequest("Nonsense", "{}")), want: "UnknownOperationException"},
		{wire: signed("{}", signature{creds: unknown}), want: "UnrecognizedClientException"},
		{wire: signed(big, signature{creds: unknown}), want: "UnrecognizedClientException"},
		{wire: signed(big, signature{creds: forged, time: stale}), want: "InvalidSignatureException"},
		{wire: signed("{}", signature{creds: guessed}), want: "InvalidSignatureException"},
		{wire: signed(big, signature{creds: forged}), want: "InvalidSignatureException", held: true},
		{wire: signed(big, signature{creds: forged}), want: "InvalidSignatureException", held: true},
		{wire: raw("{}", 2, presigned(t, "ListKeys", "{}", "60", signature{creds: forged, time: stale})), want: "InvalidSignatureException"},
		{wire: raw("{}", 2, presigned(t, "ListKeys", "{}", "60", signature{creds: unknown})), want: "UnrecognizedClientException"},
		{wire: raw("{", 1<<40, huge), want: "RequestEntityTooLargeException"},
		{wire: []byte("POST / HTTP/1.1\r\nX-Slow")},
		{wire: []byte("\x16\x03\x01\x00\xff nonsense\r\n\r\n"), want: "400 Bad Request"},
	}
}

// TestFlood has strangers open a thousand connections at once and send everything
// that must be refused, some of it with the id of a real key. It runs alone: it
// watches the memory and the goroutines of the whole process.
func TestFlood(t *testing.T) {
	const (
		connections = 1000
		places      = 8
		mostMemory  = 128 << 20 // a body of 1 MiB for each connection would take more
	)
	s := newSite(t, nil)
	s.limit(t, endpoint.Limits{Concurrent: places, Rate: 1e6})
	server := endpoint.Server("", s.handler)
	address := start(t, server)
	requests := flood(t, s)

	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	base, before := memory.HeapInuse, runtime.NumGoroutine()

	conns := make([]net.Conn, connections)
	for i := range conns {
		conns[i] = dial(t, address)
	}
	var wg sync.WaitGroup
	var answered atomic.Int64
	quick, release := int64(0), make(chan struct{})
	for i, c := range conns {
		wg.Add(1)
		stray := requests[i%len(requests)]
		if !stray.held {
			quick++
		}
		go func() {
			defer wg.Done()
			attack(t, c, stray, release)
			answered.Add(1)
		}()
	}

	var peakMemory uint64
	peakGoroutines, served, held := 0, 0, true
	bob := clientOf(address)
	for answered.Load() < connections {
		if held && answered.Load() == quick && served >= 30 {
			held = false
			close(release)
		}
		out, err := bob.ListKeys(t.Context(), nil)
		require.NoError(t, err, "a good client is served all the while")
		require.Len(t, out.Keys, 1)
		served++
		runtime.ReadMemStats(&memory)
		peakMemory = max(peakMemory, memory.HeapInuse)
		peakGoroutines = max(peakGoroutines, runtime.NumGoroutine())
	}
	wg.Wait()
	t.Logf("%d good requests served; at most %d MiB more and %d goroutines more", served, (max(peakMemory, base)-base)>>20, peakGoroutines-before)
	require.Less(t, peakMemory, base+mostMemory)
	require.Less(t, peakGoroutines, before+5*connections, "each connection has a few, its client's among them")
	for _, event := range s.Events() {
		require.Equal(t, rootID, event.Identity.AccessKeyID, "nothing of the flood has reached the service")
	}

	for _, c := range conns {
		_ = c.Close()
	}
	require.NoError(t, server.Close())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+50 }, time.Minute, 10*time.Millisecond,
		"nothing stays behind")
}

// attack sends a stray request, the last byte of a held one after release, and
// checks what it is told.
func attack(t *testing.T, c net.Conn, s stray, release <-chan struct{}) {
	// The write may fail: a refusal does not wait for the body, and the connection is
	// closed then.
	last := len(s.wire) - 1
	_, _ = c.Write(s.wire[:last])
	if s.held {
		<-release
	}
	_, _ = c.Write(s.wire[last:])
	if s.want == "" {
		return
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		// The answer may be lost with a connection that is closed over an unread body.
		if len(s.wire) < 64<<10 {
			t.Errorf("no answer, want %s: %v", s.want, err)
		}
		return
	}
	defer response.Body.Close()
	if got := response.Header.Get("X-Amzn-Errortype"); got != s.want && response.Status != s.want {
		t.Errorf("%s %q, want %s", response.Status, got, s.want)
	}
}
